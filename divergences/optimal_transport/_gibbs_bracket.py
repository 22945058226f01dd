"""The bracket of a Gibbs plan without writing it out: three compiled passes over all pairs.

The plan is rounded onto the polytope as in `_certificate`. Its sums are taken in floating point, row by row, and every
one of their terms is at least 0, so that a sum of k of them in any order is right to (k - 1) u relative.
"""

from typing import cast

import numpy as np

from divergences.optimal_transport._certificate import Bracket, dual_bound, filling, shrink_to
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import UNIT, above, dot, total
from divergences.optimal_transport._solution import GibbsPlan, Solution
from divergences.optimal_transport._sweeps import pairs_of, row_blocks


def gibbs_bracket(problem: Problem, solution: Solution) -> Bracket:
    """The proven bracket of a solution whose plan is a Gibbs plan."""
    upper, marginal_error = _upper(problem, cast(GibbsPlan, solution.plan))
    f, g = _feasible(problem, solution.g)
    lower = dual_bound(problem, f, g)
    if problem.nonnegative:
        lower = max(lower, 0.0)
    return Bracket(lower, upper, None, f, g, marginal_error / problem.mass)


def _upper(problem: Problem, plan: GibbsPlan) -> tuple[float, float]:
    """A bound on the cost of an exactly feasible plan near the Gibbs plan, and the L1 error of the latter."""
    from divergences.optimal_transport import _gibbs  # compiled

    (n, m), a, b = problem.shape, problem.a, problem.b
    pairs, blocks = pairs_of(problem), row_blocks(n)
    g, mass = np.where(b > 0, plan.g, -np.inf), b * (1 / np.sum(b))
    f = np.where(a > 0, plan.f, -np.inf)
    rows, row_factors, spent = np.empty(n), np.empty(n), np.empty(n)
    columns = blocks.sums(
        lambda start, stop, sums: _gibbs.plan_sums(
            pairs, start, stop, plan.epsilon, f, g, a, mass, rows, row_factors, sums
        ),
        m,
    )
    marginal_error = 2 * float(np.sum(np.abs(rows - a))) + float(np.sum(np.abs(columns - b)))
    column_factors = shrink_to(b, columns)
    columns = blocks.sums(
        lambda start, stop, sums: _gibbs.rounded_sums(
            pairs, start, stop, plan.epsilon, f, g, a, mass, row_factors, column_factors, rows, sums, spent
        ),
        m,
    )
    i, j, filled = filling(a - rows, b - columns)
    rest = dot(filled, problem.cost_at(i, j))
    rows, columns = (v + np.bincount(k, filled, len(v)) for v, k in ((rows, i), (columns, j)))
    # Sums by tiles, then over tiles; by rows of a block, then over blocks; those of a few filled cells; a difference.
    roundings = UNIT * (_gibbs.TILE + m / _gibbs.TILE + 2 * blocks.height + n / blocks.height + 16) * 1.01
    off = float(np.sum(np.abs(rows - a)) + np.sum(np.abs(columns - b))) * (1 + 2.0**-30)
    off += 2 * roundings * problem.mass + problem.imbalance
    whole, radius = total(spent)
    value = whole + rest[0]
    radius += rest[1] + UNIT * abs(value)
    radius += roundings * (whole if problem.nonnegative else problem.mass * problem.worst) * 1.01
    radius += problem.relative_error * abs(value) * (1 + 2.0**-30) + problem.absolute_error * problem.mass * 2
    radius += off * problem.worst + problem.mass_slack * abs(value) * 2
    return above(value, radius), marginal_error


def _feasible(problem: Problem, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Potentials with f_i + g_j <= c_ij for the true costs: f the c-transform of g, then g that of f."""
    from divergences.optimal_transport import _gibbs  # compiled

    pairs, blocks = pairs_of(problem), row_blocks(len(problem.a))
    shrink, lower, f = 1 - 2 * problem.relative_error, 2 * problem.absolute_error, np.empty(len(problem.a))
    best = blocks.sums(
        lambda start, stop, least: _gibbs.transforms(pairs, start, stop, shrink, lower, g, f, least), len(g), np.min
    )
    return f, np.nextafter(best, -np.inf)
