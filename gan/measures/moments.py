"""Moments, kernels and classes."""

import numpy as np

from divergences.samples import Gaussian, energy_distance, frechet_distance
from divergences.samples import mmd as unbiased_mmd
from gan.measures.sample import Pair


def frechet(pair: Pair) -> float:
    """|m_p - m_q|^2 + tr(C_p + C_q - 2 (C_p^1/2 C_q C_p^1/2)^1/2) of the points' own moments. Biased upwards in 1/n."""
    return float(frechet_distance(pair.real.points, pair.fake.points))


def frechet_features(pair: Pair) -> float:
    """The Frechet distance of what the target's classifier sees: FID with a small network trained on the target."""
    return float(frechet_distance(pair.real.features, pair.fake.features))


def mmd(pair: Pair) -> float:
    """Unbiased squared maximum mean discrepancy, hence around 0 for a perfect generator.

    The kernel is exp(-|x - y|^2 / (2 s^2)), s the median distance in the target's sample: one scale for a whole run.
    """
    return float(unbiased_mmd(pair.real.points, pair.fake.points, Gaussian(pair.real.scale)))


def energy(pair: Pair) -> float:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'| of the two samples, points paired with themselves included."""
    return float(energy_distance(pair.real.points, pair.fake.points))


def class_balance(pair: Pair) -> float:
    """Total variation between the classes that the target's classifier predicts and equal shares, in [0, 1 - 1/K]."""
    count = pair.fake.data.classes
    shares = np.bincount(pair.fake.classes, minlength=count) / len(pair.fake.points)
    return float(np.abs(shares - 1 / count).sum() / 2)
