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
        f, g = _potentials(problem.x[x_order, 0], problem.y[y_order, 0], rows, columns, mass, problem.power)
        plan = sparse_plan(x_order[rows], y_order[columns], mass, problem.shape)
        unsorted = np.empty_like(f), np.empty_like(g)
        unsorted[0][x_order], unsorted[1][y_order] = f, g
        return Solution(plan, *unsorted, iterations=1, converged=True, feasible=True)


def _potentials(
    x: np.ndarray, y: np.ndarray, rows: np.ndarray, columns: np.ndarray, mass: np.ndarray, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """Feasible float64 potentials at sorted points x (n,), y (m,): equality along the staircase, less its error.

    They are summed outwards from the middle of the mass, so that a far point spoils no potential but its own.
    """
    cost = np.abs(x[rows].astype(EXTENDED) - y[columns].astype(EXTENDED))
    cost_error = 2 * EXTENDED_UNIT
    if power != 1:
        cost = cost * cost if power == 2 else np.power(cost, EXTENDED(power))
        cost_error = (2 * power + 16) * EXTENDED_UNIT
    middle = int(np.searchsorted(np.cumsum(mass), np.sum(mass) / 2).clip(0, len(mass) - 1))
    steps = np.diff(cost)
    down = np.diff(rows) == 1
    (f, f_width), (g, g_width) = _outwards(steps, down, middle), _outwards(steps, ~down, middle)
    # What rounds on the way from the middle to a cell: the sums of steps, and the costs that the steps are made of.
    size = np.abs(steps)
    moved = np.concatenate([_passed(size[:middle][::-1])[::-1], [0.0], _passed(size[middle:])])
    paid = np.concatenate([_passed(cost[middle::-1])[::-1], cost[middle] + _passed(cost[middle + 1 :])])
    error = moved * (2 * max(f_width, g_width) + 2) * EXTENDED_UNIT + paid * 6 * (cost_error + EXTENDED_UNIT)
    error = error.astype(np.float64) * 1.01 + 2.0**-1070
    error_f, error_g = (_at_entry(error, side) for side in (rows, columns))
    g = g + cost[middle]
    # Small potentials lose least when they are rounded to float64.
    shift = (np.median(f) - np.median(g)) / 2
    return _lowered(f - shift, error_f), _lowered(g + shift, error_g)


def _passed(values: np.ndarray) -> np.ndarray:
    """Running sums, to a per cent."""
    return np.cumsum(values.astype(np.float64)) * 1.01


def _outwards(steps: np.ndarray, taken: np.ndarray, middle: int) -> tuple[np.ndarray, int]:
    """Sums of the `taken` steps from cell `middle` to either side, 0 there; and the length that rounds in a sum."""
    before, after = steps[:middle][taken[:middle]], steps[middle:][taken[middle:]]
    (left, w), (right, v) = extended_cumulative(-before[::-1]), extended_cumulative(after)
    return np.concatenate([left[::-1], np.zeros(1, dtype=EXTENDED), right]), max(w, v)


def _at_entry(error: np.ndarray, side: np.ndarray) -> np.ndarray:
    """The error of each row (or column), that of its cell nearest to the middle, where its potential is summed."""
    starts = np.flatnonzero(np.diff(side, prepend=-1))
    return np.minimum.reduceat(error, starts)


def _lowered(values: np.ndarray, error: np.ndarray) -> np.ndarray:
    """float64 values at most `values` - `error`."""
    margin = error + 4 * EXTENDED_UNIT * np.abs(values)
    return np.nextafter((values - margin).astype(np.float64), -np.inf)
