"""Measures of two clouds: transport, nearest neighbours, moments, kernels and classes.

A ball of a point reaches to its k-th nearest neighbour and includes it.
"""

import numpy as np

from divergences.optimal_transport import sinkhorn_divergence, sliced_wasserstein, wasserstein
from divergences.samples import Gaussian, energy_distance, frechet_distance
from divergences.samples import mmd as unbiased_mmd
from gan.measures.sample import Pair

DIRECTIONS = 200
BLUR = 0.05  # of the target's mean squared distance
ACCURACY = 1e-3  # of the marginals; the divergence errs by its square


def w1(pair: Pair) -> tuple[float, float, float]:
    """W1 = inf E |X - Y| over couplings of the two samples, and its certified bracket.

    Between samples of one law it is not 0: compare with what a perfect generator gets.
    """
    result = wasserstein(pair.real.points, pair.fake.points)
    return float(result.distance), result.distance_lower, result.distance_upper


def w2(pair: Pair) -> tuple[float, float, float]:
    """W2 = (inf E |X - Y|^2)^(1/2) over couplings of the two samples, and its certified bracket."""
    result = wasserstein(pair.real.points, pair.fake.points, 2)
    return float(result.distance), result.distance_lower, result.distance_upper


def sliced_w1(pair: Pair) -> float:
    """The mean over 200 directions, always the same ones, of W1 between the projections."""
    return float(sliced_wasserstein(pair.real.points, pair.fake.points, projections=DIRECTIONS, rng=0))


def sinkhorn(pair: Pair) -> float:
    """S = OT_eps(x, y) - OT_eps(x, x) / 2 - OT_eps(y, y) / 2 with squared distances as costs.

    eps is 0.05 of the mean squared distance within the target's sample: one scale for a whole run. The marginals are
    solved to 1e-3, which S feels to second order.
    """
    x = pair.real.points
    epsilon = BLUR * 2 * float(x.var(axis=0, ddof=1).sum())  # E |X - X'|^2 = 2 tr Cov
    return sinkhorn_divergence(x, pair.fake.points, 2, epsilon=epsilon, tolerance=ACCURACY)


def precision(pair: Pair) -> float:
    """The share of generated points in the union of the real points' balls, k = 3."""
    return float((pair.encounters.real_balls[3] > 0).mean())


def recall(pair: Pair) -> float:
    """The share of real points in the union of the generated points' balls, k = 3."""
    return float((pair.encounters.fake_balls[3] > 0).mean())


def density(pair: Pair) -> float:
    """How many real balls, k = 5, hold a generated point, on average over those points and divided by k: 1 at best.

    Above 1 where the generator prefers the middle of the target.
    """
    return float(pair.encounters.real_balls[5].mean() / 5)


def coverage(pair: Pair) -> float:
    """The share of real balls, k = 5, that hold a generated point; of a perfect generator about 1 - 2^-5."""
    return float((pair.encounters.to_fake <= pair.real.nearest[:, 4]).mean())


def one_nearest_neighbour(pair: Pair) -> float:
    """How often a point's nearest other point, of both samples, is of its own kind: the mean of both kinds' shares.

    A tie counts as half.

    1/2 if the laws agree, 1 if they are far apart, less than 1/2 if the generator repeats the very sample.
    """
    meet = pair.encounters
    return float(np.mean([_wins(pair.real.nearest[:, 0], meet.to_fake), _wins(pair.fake.nearest[:, 0], meet.to_real)]))


def memorisation(pair: Pair) -> float:
    """How often a generated point is nearer to the training rows than a row held out is; a tie counts as half.

    1/2 for new samples of the target's law, 1 for copies of training rows. It also feels quality: less than 1/2 for
    samples far from all rows, more for those in the middle of them, as blurred pictures are.
    """
    mine, held = pair.fake.to_training, np.sort(pair.real.to_training)
    nearer = 2 * len(held) - np.searchsorted(held, mine, "left") - np.searchsorted(held, mine, "right")
    return float(nearer.mean() / (2 * len(held)))


def _wins(own: np.ndarray, other: np.ndarray) -> float:
    """How often the first distance is the smaller one."""
    return float(((own < other) + 0.5 * (own == other)).mean())


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
