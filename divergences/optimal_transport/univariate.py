"""Transport on the line, by sorting."""

from dataclasses import dataclass

import numpy as np

from divergences.errors import DataError
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import EXTENDED, EXTENDED_UNIT, extended_cumulative
from divergences.optimal_transport._solution import Solution, sparse_plan
from divergences.optimal_transport._staircase import staircase, whole_masses


@dataclass(frozen=True)
class Univariate:
    """Exact transport between one-dimensional samples for any p >= 1, in O(n log n) time and O(n) memory.

    The monotone coupling is optimal for every convex cost abs(x - y)**p. Potentials follow its staircase: equality
    along it makes them feasible everywhere (the costs are a Monge array), so lowering them by the proven error of
    their sums needs no look at the other pairs.

    Raises DataError for points in more than one dimension and for cost matrices.

    >>> import numpy as np
    >>> from divergences.optimal_transport import wasserstein
    >>> wasserstein(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 8.0]), p=2, solver=Univariate()).distance
    5.0

    Source: Santambrogio, Optimal Transport for Applied Mathematicians (2015), section 2.2.
    """

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`: a sparse plan of at most n + m - 1 cells, and feasible potentials."""
        if problem.x is None or problem.y is None or problem.x.shape[1] != 1:
            raise DataError("Univariate needs one-dimensional points x and y. Use Exact() for anything else.")
        x_order, y_order = (np.argsort(v[:, 0], kind="stable") for v in (problem.x, problem.y))
        a, b, unit = whole_masses(problem.a[x_order], problem.b[y_order])
        rows, columns, mass = staircase(a, b)
        mass = mass / unit[0] * unit[1]
        f, g = _potentials(problem.x[x_order, 0], problem.y[y_order, 0], rows, columns, problem.power)
        plan = sparse_plan(x_order[rows], y_order[columns], mass, problem.shape)
        unsorted = np.empty_like(f), np.empty_like(g)
        unsorted[0][x_order], unsorted[1][y_order] = f, g
        return Solution(plan, *unsorted, iterations=1, converged=True, feasible=True)


def _potentials(
    x: np.ndarray, y: np.ndarray, rows: np.ndarray, columns: np.ndarray, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """Feasible float64 potentials at sorted points x (n,), y (m,): equality along the staircase, less its error."""
    cost = np.abs(x[rows].astype(EXTENDED) - y[columns].astype(EXTENDED))
    cost_error = 2 * EXTENDED_UNIT
    if power != 1:
        cost = cost * cost if power == 2 else np.power(cost, EXTENDED(power))
        cost_error = (2 * power + 16) * EXTENDED_UNIT
    steps = np.diff(cost)
    down = np.diff(rows) == 1
    f, f_error = extended_cumulative(np.concatenate([[EXTENDED(0)], steps[down]]))
    g, g_error = extended_cumulative(np.concatenate([cost[:1], steps[~down]]))
    error = f_error + g_error + float(np.sum(cost)) * 3 * (cost_error + EXTENDED_UNIT) + 2.0**-1070
    # Small potentials lose least when they are rounded to float64.
    shift = (np.median(f) - np.median(g)) / 2
    return _lowered(f - shift, error), _lowered(g + shift, error)


def _lowered(values: np.ndarray, error: float) -> np.ndarray:
    """float64 values at most `values` - `error`."""
    margin = error + 4 * EXTENDED_UNIT * np.max(np.abs(values))
    return np.nextafter((values - margin).astype(np.float64), -np.inf)
