"""Feasible potentials of a problem between points, by pricing instead of the matrix of costs."""

import numpy as np
from scipy.sparse import coo_array

from divergences.optimal_transport._cells import cells, kd_order
from divergences.optimal_transport._hierarchy import distinct
from divergences.optimal_transport._metrics import lengths, raised, slopes
from divergences.optimal_transport._pricing import cheapest
from divergences.optimal_transport._problem import Problem


def c_transforms(problem: Problem, g: np.ndarray, plan: coo_array) -> tuple[np.ndarray, np.ndarray]:
    """Potentials with f_i + g_j <= c_ij for the true costs: f the c-transform of g, then g that of f where unknown.

    Unknown entries of g are -inf. Costs are lowered by their rounding error and nothing rounds upwards. The plan says
    which pairs are nearly tight; whatever it says, the answer is feasible.
    """
    x, y = problem.located()
    f = _transform(problem, x, y, g, plan.row, plan.col)
    unknown = np.flatnonzero(g == -np.inf)
    if len(unknown):
        g = g.copy()
        g[unknown] = _transform(problem, y, x, f, plan.col, plan.row)[unknown]
    return f, g


def _transform(
    problem: Problem, x: np.ndarray, y: np.ndarray, g: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """min_j c_ij - g_j, rounded downwards, for each row; cells (rows, columns) of a plan between x and y."""
    shrink = 1 - 2 * problem.relative_error
    # Pairs of the plan first: a row that starts from a small value looks at few others.
    known = raised(lengths(x[rows] - y[columns], problem.metric), problem.power) * shrink - g[columns]
    limits = np.full(len(x), np.inf)
    np.minimum.at(limits, rows, known)
    partner = np.zeros(len(y), np.int64)
    partner[columns] = rows
    # Of equal points only the one with the largest g can bind, and equal rows have one answer.
    (x_first, x_of), (_, y_of) = distinct(x), distinct(y)
    shared = np.full(len(x_first), np.inf)
    np.minimum.at(shared, x_of, limits)
    ranked = np.lexsort((-g, y_of))
    y_best = ranked[np.searchsorted(y_of[ranked], np.arange(y_of.max() + 1))]
    given, x, y, g = x, x[x_first], y[y_best], g[y_best]
    slope = slopes(y - given[partner[y_best]], problem.metric, problem.power)
    x_order, y_order = kd_order(x, 2), kd_order(y, 2)
    columns_of = cells(y[y_order], g[y_order], slope[y_order])
    values, _, _ = cheapest(x[x_order], columns_of, problem.metric, problem.power, shared[x_order], 1, shrink=shrink)
    shared[x_order] = np.minimum(shared[x_order], values[:, 0])
    return np.nextafter(shared[x_of] - 2 * problem.absolute_error, -np.inf)
