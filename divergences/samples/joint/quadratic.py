"""Distances that are quadratic in the labels: all permutations are one matrix product."""

from collections.abc import Callable

import numpy as np

from divergences.samples.comparison import JointComparison
from divergences.samples.joint.embedding import Embedding
from divergences.samples.joint.permuted import batched, normal, spread
from divergences.samples.kernel_test import mmd_test

POWERS = range(-4, 2)  # bandwidths: the median pooled distance times 2^-4, ..., 2^1


def energy(points: Embedding, permutations: int, rng: np.random.Generator) -> JointComparison:
    """Energy distance: −wᵀ D w with w = 1/n on the reference and −1/m on the current rows."""
    n, m = points.n, points.m

    def statistic(label: np.ndarray) -> np.ndarray:
        weight = label / n - ~label / m
        return np.maximum(-((weight @ points.distances) * weight).sum(axis=1), 0.0)

    value, tested = batched(statistic, points, permutations, rng)
    error = spread(2 * energy_witness(points), n)
    return JointComparison(
        name="energy_distance",
        value=value,
        unit=points.unit,
        method="2E|X-Y| - E|X-X'| - E|Y-Y'|, V-statistic",
        standard_error=error,
        confidence_interval=normal(value, error),
        **tested,
    )


def energy_witness(points: Embedding) -> np.ndarray:
    """E|u − Y| − E|u − X| at every pooled row u: large where there is more of the reference than of the current law.

    The energy distance is the mean of this over X less its mean over Y.
    """
    towards_x, towards_y = (part.mean(axis=1) for part in np.split(points.distances, [points.n], axis=1))
    return towards_y - towards_x


def kernel_mmd(points: Embedding, permutations: int, rng: np.random.Generator) -> JointComparison:
    """Unbiased MMD² with the Gaussian kernel of the median distance; the p-value aggregates six bandwidths.

    Bandwidths see no labels, so that the test is exact (`mmd_test`).
    """
    n, m = points.n, points.m
    bandwidth = median(points)
    matrix = np.exp(-points.squared / (2 * bandwidth**2))
    np.fill_diagonal(matrix, 0.0)
    rows = matrix.sum(axis=1)

    def statistic(label: np.ndarray) -> np.ndarray:
        a = label.astype(float)
        xx = ((a @ matrix) * a).sum(axis=1)
        xy = a @ rows - xx
        yy = rows.sum() - xx - 2 * xy
        return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)

    value, tested = batched(statistic, points, permutations, rng)
    own = points.observed
    towards_x = matrix[:, :n].sum(axis=1) / np.where(own, n - 1, n)
    towards_y = matrix[:, n:].sum(axis=1) / np.where(own, m, m - 1)
    error = spread(2 * (towards_x - towards_y), n)
    return JointComparison(
        name="mmd",
        value=value,
        unit="none",
        method=f"unbiased MMD², Gaussian kernel, bandwidth {bandwidth:.4g} (median pooled distance); the p-value "
        f"aggregates {len(POWERS)} bandwidths from 1/16 to twice that",
        standard_error=error,
        confidence_interval=normal(value, error),
        **{**tested, "pvalue": aggregated(points, bandwidth, permutations, rng)},
    )


def median(points: Embedding) -> float:
    """The median distance between different rows; of the positive ones where it is 0, and 1 where there are none."""
    apart = points.distances[np.triu_indices(len(points.points), k=1)]
    middle = float(np.median(apart))
    if middle > 0:
        return middle
    return float(np.median(apart[apart > 0])) if apart.any() else 1.0


def aggregated(points: Embedding, bandwidth: float, permutations: int, rng: np.random.Generator) -> float:
    """The p-value of `mmd_test`, whose points are row numbers here: distances are looked up."""

    def kernel(width: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        return lambda a, b: np.exp(-points.squared[np.ix_(_numbers(a), _numbers(b))] / (2 * width**2))

    kernels = [kernel(bandwidth * 2.0**power) for power in POWERS]
    x, y = np.split(np.arange(float(len(points.points))), [points.n])
    return mmd_test(x, y, kernels=kernels, permutations=permutations, rng=rng).pvalue


def _numbers(rows: np.ndarray) -> np.ndarray:
    return np.rint(rows[:, 0]).astype(np.int64)
