"""The joint law of all columns: transport, energy and kernel distances, each beside what one law would give.

Every distance is a function of one pooled matrix and of which rows are the reference, so a permutation costs a
re-labelling. Where the statistic is quadratic in the labels, all permutations are one matrix product.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from divergences._results import Interval
from divergences.optimal_transport import sinkhorn_divergence, sinkhorn_influence, sliced_wasserstein, wasserstein
from divergences.samples.comparison import JointComparison
from divergences.samples.kernels import Gaussian
from divergences.samples.pairwise import distances, median_distance
from divergences.samples.permutation import labels, null_95, pvalue

NORMAL_975 = 1.959963984540054
# Re-solving is for the patient: so many pairs of points in all, between FEWEST and MOST permutations; for
# Sinkhorn, whose time is in its iterations, always the fewest.
PAIRS = 8_000_000
FEWEST, MOST = 19, 99
PROJECTIONS = 200
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Pooled:
    """Two standardised samples under one roof: the first n rows of `points` are the reference."""

    points: np.ndarray
    n: int
    unit: str
    permutations: int

    @property
    def m(self) -> int:
        """Rows of the current sample."""
        return len(self.points) - self.n

    def split(self, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The two samples under a labelling."""
        return self.points[label], self.points[~label]

    def solves(self) -> int:
        """How many permutations to re-solve: never more than were asked for."""
        return min(self.permutations, int(np.clip(PAIRS / (self.n * self.m), FEWEST, MOST)))


def compare_jointly(
    pooled: Pooled, rng: np.random.Generator, progress: Progress
) -> tuple[dict[str, JointComparison], Any]:
    """All joint distances by name, and the optimal plan of W₂."""
    progress("energy and mmd", 0.0)
    quadratic = [energy(pooled, rng)]
    quadratic += [kernel_mmd(pooled, rng)] if min(pooled.n, pooled.m) >= 2 else []
    w1, _ = transported(pooled, 1, rng, progress)
    w2, plan = transported(pooled, 2, rng, progress)
    found = [w1, w2, sinkhorn(pooled, rng, progress), sliced(pooled, rng, progress), *quadratic]
    return {entry.name: entry for entry in found}, plan


def resolve(
    statistic: Callable[[np.ndarray], float],
    pooled: Pooled,
    count: int,
    rng: np.random.Generator,
    progress: Progress,
    stage: str,
) -> np.ndarray:
    """The statistic under `count` permutations, observed first (and solved first, by the caller)."""
    blocks = labels(pooled.n, pooled.m, count, rng)
    next(blocks)
    out = []
    for label in (row for block in blocks for row in block):
        progress(stage, len(out) / count)
        out.append(statistic(label))
    return np.array(out)


def transported(pooled: Pooled, p: int, rng: np.random.Generator, progress: Progress) -> tuple[JointComparison, Any]:
    """W_p with its certified bracket; the standard error is that of the dual potentials over the samples."""
    everyone = np.arange(len(pooled.points)) < pooled.n
    observed = wasserstein(*pooled.split(everyone), p=p)
    f, g = observed.potentials
    cost, value = float(observed.cost), float(observed.distance)
    error = sqrt(float(np.var(f)) / pooled.n + float(np.var(g)) / pooled.m)
    error = error / (p * value ** (p - 1)) if value > 0 else 0.0  # from the cost to its root
    count = pooled.solves()

    def statistic(label: np.ndarray) -> float:
        return float(wasserstein(*pooled.split(label), p=p).distance)

    null = resolve(statistic, pooled, count, rng, progress, f"w{p}")
    entry = JointComparison(
        name=f"w{p}",
        value=value,
        unit=pooled.unit,
        method=f"exact transport ({observed.solver}); cost in units of d^{p}, within [lower, upper]",
        cost=cost,
        lower=float(observed.lower),
        upper=float(observed.upper),
        standard_error=error,
        confidence_interval=_normal(value, error),
        **_tested(value, null),
        notes=tuple(observed.notes),
    )
    return entry, observed.plan


def sinkhorn(pooled: Pooled, rng: np.random.Generator, progress: Progress) -> JointComparison:
    """The Sinkhorn divergence S_ε with p = 1, ε = 0.05 times the mean distance between the samples.

    Each permutation has the ε of its own split: one taken from the observed labels would make the test inexact.
    """
    everyone = np.arange(len(pooled.points)) < pooled.n
    epsilon = 0.05 * float(distances(*pooled.split(everyone)).mean())
    if epsilon == 0:
        epsilon = 1.0  # all points coincide, and every ε gives zero

    def statistic(label: np.ndarray) -> float:
        return float(sinkhorn_divergence(*pooled.split(label), p=1))

    value = statistic(everyone)
    f, g = sinkhorn_influence(*pooled.split(everyone), p=1, epsilon=epsilon)
    error = sqrt(float(np.var(f)) / pooled.n + float(np.var(g)) / pooled.m)
    null = resolve(statistic, pooled, min(pooled.permutations, FEWEST), rng, progress, "sinkhorn_divergence")
    return JointComparison(
        name="sinkhorn_divergence",
        value=value,
        unit=pooled.unit,
        method=f"debiased entropic transport, p = 1, epsilon = {epsilon:.4g}",
        standard_error=error,
        confidence_interval=_normal(value, error),
        **_tested(value, null),
    )


def sliced(pooled: Pooled, rng: np.random.Generator, progress: Progress) -> JointComparison:
    """Sliced W₂ over random directions, the same ones for every permutation."""
    everyone = np.arange(len(pooled.points)) < pooled.n
    seed = int(rng.integers(2**63))

    def solve(label: np.ndarray) -> Any:
        return sliced_wasserstein(*pooled.split(label), p=2, projections=PROJECTIONS, rng=seed)

    observed = solve(everyone)
    null = resolve(lambda label: float(solve(label)), pooled, pooled.solves(), rng, progress, "sliced_w2")
    return JointComparison(
        name="sliced_w2",
        value=float(observed),
        unit=pooled.unit,
        method=f"mean over {PROJECTIONS} random directions; the interval is over directions only",
        standard_error=observed.standard_error,
        confidence_interval=observed.confidence_interval,
        **_tested(float(observed), null),
    )


def energy(pooled: Pooled, rng: np.random.Generator) -> JointComparison:
    """Energy distance: −wᵀ D w with w = 1/n on the reference and −1/m on the current rows."""
    matrix = distances(pooled.points, pooled.points)
    n, m = pooled.n, pooled.m

    def statistic(label: np.ndarray) -> np.ndarray:
        weight = label / n - ~label / m
        return np.maximum(-((weight @ matrix) * weight).sum(axis=1), 0.0)

    values = _batched(statistic, labels(n, m, pooled.permutations, rng))
    towards_x, towards_y = matrix[:, :n].mean(axis=1), matrix[:, n:].mean(axis=1)
    influence = 2 * (towards_y - towards_x)  # at rows of x; its negative at rows of y
    error = sqrt(influence[:n].var() / n + influence[n:].var() / m)
    return JointComparison(
        name="energy_distance",
        value=float(values[0]),
        unit=pooled.unit,
        method="2E|X-Y| - E|X-X'| - E|Y-Y'|, V-statistic",
        standard_error=error,
        confidence_interval=_normal(float(values[0]), error),
        **_tested(float(values[0]), values[1:]),
    )


def kernel_mmd(pooled: Pooled, rng: np.random.Generator) -> JointComparison:
    """Unbiased MMD² with the Gaussian kernel; the bandwidth sees no labels, so that the test is exact."""
    bandwidth = median_distance(pooled.points)
    matrix = Gaussian(bandwidth)(pooled.points, pooled.points)
    np.fill_diagonal(matrix, 0.0)
    rows, n, m = matrix.sum(axis=1), pooled.n, pooled.m

    def statistic(label: np.ndarray) -> np.ndarray:
        a = label.astype(float)
        xx = ((a @ matrix) * a).sum(axis=1)
        xy = a @ rows - xx
        yy = rows.sum() - xx - 2 * xy
        return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)

    values = _batched(statistic, labels(n, m, pooled.permutations, rng))
    own = np.arange(n + m) < n
    towards_x = matrix[:, :n].sum(axis=1) / np.where(own, n - 1, n)
    towards_y = matrix[:, n:].sum(axis=1) / np.where(own, m, m - 1)
    influence = 2 * (towards_x - towards_y)
    error = sqrt(influence[:n].var() / n + influence[n:].var() / m)
    return JointComparison(
        name="mmd",
        value=float(values[0]),
        unit="none",
        method=f"unbiased MMD², Gaussian kernel, bandwidth {bandwidth:.4g} (median pooled distance)",
        standard_error=error,
        confidence_interval=_normal(float(values[0]), error),
        **_tested(float(values[0]), values[1:]),
    )


def _batched(statistic: Callable[[np.ndarray], np.ndarray], blocks: Iterator[np.ndarray]) -> np.ndarray:
    return np.concatenate([statistic(block) for block in blocks])


def _normal(value: float, error: float) -> Interval:
    return Interval(value - NORMAL_975 * error, value + NORMAL_975 * error)


def _tested(value: float, null: np.ndarray) -> dict[str, Any]:
    values = np.concatenate([[value], null])
    return {"pvalue": pvalue(values), "permutations": len(null), "null_95": null_95(values)}
