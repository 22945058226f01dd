"""Transport distances between the joint laws, solved again for every permutation."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array

from divergences.optimal_transport import Exact, Problem, Sinkhorn, TransportResult, wasserstein
from divergences.optimal_transport._itself import to_itself
from divergences.samples.comparison import JointComparison
from divergences.samples.joint.embedding import Embedding
from divergences.samples.joint.permuted import FEWEST, Progress, normal, resolved, silent, spread

# Re-solving is for the patient: so many pairs of points in all for each distance. Assignment, for samples of
# one size, takes half of the time that transport between unequal sizes does.
PAIRS = {True: 16_000_000, False: 10_000_000}
MOST = 99
TURNED = "more coordinates than rows: the bracket is that of the rows turned into their subspace, true up to rounding"
AVERAGINGS = 2000  # sweeps from a sample to itself at most; some twenty are usual
FINE, LOOSE = 1e-6, 1e-4  # of Sinkhorn: the value has the first tolerance, all values of the test have the second


class Plan(NamedTuple):
    """An optimal plan: `mass` goes from row i of the reference to row j of the current sample, at `cost`."""

    i: np.ndarray
    j: np.ndarray
    mass: np.ndarray
    cost: np.ndarray

    @property
    def total(self) -> float:
        """The cost of the plan."""
        return float(self.mass @ self.cost)


def plan_of(result: TransportResult, cost: np.ndarray) -> Plan:
    """The plan of a result, its cells one by one; `cost` is the matrix (n, m)."""
    plan = coo_array(result.plan)
    return Plan(plan.row, plan.col, plan.data, cost[plan.row, plan.col])


def affordable(points: Embedding, permutations: int) -> int:
    """How many permutations of a transport to solve at most: never more than were asked for."""
    pairs = PAIRS[points.n == points.m]
    return min(permutations, int(np.clip(pairs / (points.n * points.m), FEWEST, MOST)))


def optimal(cost: np.ndarray) -> Plan:
    """The optimal plan between uniform masses for a matrix of costs (n, m), by exact solvers, without a certificate."""
    n, m = cost.shape
    if n == m:
        from scipy.optimize import linear_sum_assignment  # slow to import

        i, j = linear_sum_assignment(cost)
        return Plan(i, j, np.full(n, 1 / n), cost[i, j])
    plan = coo_array(Exact().solve(Problem.from_costs(cost)).plan)
    return Plan(plan.row, plan.col, plan.data, cost[plan.row, plan.col])


def transported(
    points: Embedding,
    p: int,
    permutations: int,
    rng: np.random.Generator,
    progress: Progress = silent,
    seen: Callable[[np.ndarray, Plan], None] = silent,
) -> tuple[JointComparison, TransportResult]:
    """W_p with its certified bracket; the standard error is that of the dual potentials over the samples.

    `seen` is told every permuted labelling with its optimal plan.
    """
    result = wasserstein(*points.split(), p=p)
    cost, value = float(result.cost), float(result.distance)
    error = spread(np.concatenate(result.potentials), points.n)
    error = error / (p * value ** (p - 1)) if value > 0 else 0.0  # from the cost to its root
    costs = points.distances if p == 1 else points.squared

    def solve(label: np.ndarray) -> float:
        plan = optimal(costs[np.ix_(label, ~label)])
        if not np.array_equal(label, points.observed):
            seen(label, plan)
        return plan.total

    def statistic(block: np.ndarray) -> np.ndarray:
        return np.array([solve(label) for label in block]) ** (1 / p)

    tested = resolved(statistic, points, affordable(points, permutations), rng, lambda part: progress(f"w{p}", part))
    entry = JointComparison(
        name=f"w{p}",
        value=value,
        unit=points.unit,
        method=f"exact transport ({result.solver}); cost in units of d^{p}, within [lower, upper]",
        cost=cost,
        lower=float(result.lower),
        upper=float(result.upper),
        standard_error=error,
        confidence_interval=normal(value, error),
        **tested,
        notes=(*result.notes, *((TURNED,) if points.turned[1] is not None else ())),
    )
    return entry, result


def sinkhorn(
    points: Embedding, permutations: int, rng: np.random.Generator, progress: Progress = silent
) -> JointComparison:
    """The Sinkhorn divergence S_ε with p = 1, ε = 0.05 times the mean distance between the samples.

    Each permutation has the ε of its own split: one taken from the observed labels would make the test inexact.
    """
    value, influence, epsilon = entropic(points, points.observed, FINE)

    def statistic(block: np.ndarray) -> np.ndarray:
        return np.array([entropic(points, label, LOOSE)[0] for label in block])

    count = min(affordable(points, permutations), 2 * FEWEST + 1)
    tested = resolved(statistic, points, count, rng, lambda part: progress("sinkhorn_divergence", part))
    error = spread(influence, points.n)
    return JointComparison(
        name="sinkhorn_divergence",
        value=value,
        unit=points.unit,
        method=f"debiased entropic transport, p = 1, epsilon = {epsilon:.4g}",
        standard_error=error,
        confidence_interval=normal(value, error),
        **tested,
    )


def entropic(points: Embedding, label: np.ndarray, tolerance: float) -> tuple[float, np.ndarray, float]:
    """S_ε of a labelling, its first variation at every pooled row (n + m,), and ε."""
    cross = points.distances[np.ix_(label, ~label)]
    epsilon = 0.05 * float(cross.mean()) or 1.0  # where all points coincide, every ε gives zero
    solved = Sinkhorn(epsilon, tolerance).solve(Problem.from_costs(cross))
    value, influence = float(solved.regularized or 0.0), np.zeros(len(label))
    influence[label], influence[~label] = solved.f, solved.g
    for side in (label, ~label):
        own = to_itself(Problem.from_costs(points.distances[np.ix_(side, side)]), epsilon, tolerance, AVERAGINGS)
        value -= float(own.regularized or 0.0) / 2
        influence[side] -= (own.f + own.g) / 2
    return max(value, 0.0), influence, epsilon
