"""The bracket of a Gibbs plan without writing it out: from what a solver measured, or by three compiled passes.

The plan is rounded onto the polytope as in `_certificate`, where its missing mass costs much; else that is charged the
worst cost, without a pass. Its sums are taken in floating point, row by row, and every one of their terms is at least
0, so that a sum of k of them in any order is right to (k - 1) u relative.
"""

from typing import cast

import numpy as np

from divergences.optimal_transport._certificate import Bracket, dual_bound, filling, shrink_to
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import UNIT, above, dot, total
from divergences.optimal_transport._solution import GibbsPlan, Measured, Solution
from divergences.optimal_transport._sweeps import block_height, pairs_of, row_blocks

_LITTLE = 0.01  # of the gap, that the charge for missing mass may be
_SHARP = 0.1  # of the tolerance: the same of the plan's rounding at its rounded potentials


def gibbs_bracket(problem: Problem, solution: Solution) -> Bracket:
    """The proven bracket of a solution whose plan is a Gibbs plan."""
    plan, measured = cast(GibbsPlan, solution.plan), solution.measured
    if measured is not None and _blur(plan) > _SHARP * solution.tolerance:
        measured = None  # it is true of another plan than its potentials give
    f, g = _feasible(problem, solution.g) if measured is None else _lowered(measured)
    lower = dual_bound(problem, f, g)
    if problem.nonnegative:
        lower = max(lower, 0.0)
    upper, marginal_error = _upper(problem, plan, measured, lower)
    return Bracket(lower, upper, None, f, g, marginal_error / problem.mass)


def _blur(plan: GibbsPlan) -> float:
    """A bound on what rounding the potentials and costs does to the exponents of a plan."""
    size = float(np.max(np.abs(plan.f)) + np.max(np.abs(plan.g)))
    return 4 * UNIT * (size + plan.problem.largest) / plan.epsilon


def _lowered(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Feasible potentials."""
    return measured.least, np.nextafter(measured.best, -np.inf)


def _upper(problem: Problem, plan: GibbsPlan, measured: Measured | None, lower: float) -> tuple[float, float]:
    """A bound on the cost of an exactly feasible plan near the Gibbs plan, and the L1 error of the latter."""
    n, a, b = len(problem.a), problem.a, problem.b
    if measured is None:
        row_factors, columns, marginal_error = _sums(problem, plan)
    else:
        row_factors, columns = np.ones(n), measured.columns
        marginal_error = float(np.sum(np.abs(columns - b)))
        upper, charge = _charged(problem, measured.spent, (0.0, 0.0), marginal_error)
        if charge <= _LITTLE * (upper - lower):
            return upper, marginal_error
    rows, columns, spent = _rounded(problem, plan, row_factors, shrink_to(b, columns))
    i, j, filled = filling(a - rows, b - columns)
    rows, columns = (v + np.bincount(k, filled, len(v)) for v, k in ((rows, i), (columns, j)))
    missing = float(np.sum(np.abs(rows - a)) + np.sum(np.abs(columns - b)))
    return _charged(problem, spent, dot(filled, problem.cost_at(i, j)), missing)[0], marginal_error


def _charged(
    problem: Problem, spent: np.ndarray, rest: tuple[float, float], missing: float
) -> tuple[float, float]:  # fmt: skip
    """A bound on the cost of a feasible plan near one with given costs by row and others, and what of it is repair.

    Missing mass, and what rounding may hide of it, is charged the worst cost.
    """
    from divergences.optimal_transport._gibbs import TILE  # compiled

    (n, m), height = problem.shape, block_height(*problem.shape)
    # Sums by tiles, then over tiles; by rows of a block, then over blocks; those of a few filled cells; a difference.
    roundings = UNIT * (TILE + m / TILE + 2 * height + n / height + 16) * 1.01
    off = missing * (1 + 2.0**-30) + 2 * roundings * problem.mass + problem.imbalance
    whole, radius = total(spent)
    value = whole + rest[0]
    radius += rest[1] + UNIT * abs(value)
    radius += roundings * (whole if problem.nonnegative else problem.mass * problem.worst) * 1.01
    radius += problem.relative_error * abs(value) * (1 + 2.0**-30) + problem.absolute_error * problem.mass * 2
    radius += off * problem.worst + problem.mass_slack * abs(value) * 2
    return above(value, radius), off * problem.worst


def written(plan: GibbsPlan) -> np.ndarray:
    """The plan (n, m), as the bracket prices it: no other way gives the same where costs round by over epsilon."""
    from divergences.optimal_transport import _gibbs  # compiled

    problem, out = plan.problem, np.empty(plan.problem.shape)
    pairs, given = pairs_of(problem), _given(problem, plan)

    def block(start: int, stop: int) -> None:
        _gibbs.plan_rows(pairs, start, stop, plan.epsilon, *given, out)

    row_blocks(*problem.shape).run(block)
    return out


def _sums(problem: Problem, plan: GibbsPlan) -> tuple[np.ndarray, np.ndarray, float]:
    """Factors that take rows down to their masses, the column sums after that, and a bound on the L1 error before."""
    from divergences.optimal_transport import _gibbs  # compiled

    a, b = problem.a, problem.b
    rows, factors = np.empty(len(a)), np.empty(len(a))
    given = _given(problem, plan)

    def block(start: int, stop: int, sums: np.ndarray) -> None:
        _gibbs.plan_sums(pairs, start, stop, plan.epsilon, *given, rows, factors, sums)

    pairs = pairs_of(problem)
    columns = row_blocks(*problem.shape).sums(block, len(b))
    return factors, columns, 2 * float(np.sum(np.abs(rows - a))) + float(np.sum(np.abs(columns - b)))


def _rounded(
    problem: Problem, plan: GibbsPlan, row_factors: np.ndarray, column_factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row sums, column sums and costs by row of the plan so scaled."""
    from divergences.optimal_transport import _gibbs  # compiled

    n, m = problem.shape
    pairs, given = pairs_of(problem), _given(problem, plan)
    rows, spent = np.empty(n), np.empty(n)

    def block(start: int, stop: int, sums: np.ndarray) -> None:
        _gibbs.rounded_sums(pairs, start, stop, plan.epsilon, *given, row_factors, column_factors, rows, sums, spent)

    return rows, row_blocks(n, m).sums(block, m), spent


def _given(problem: Problem, plan: GibbsPlan) -> tuple[np.ndarray, ...]:
    """f, g, a and the law of columns, as the passes over a plan take them."""
    a, b = problem.a, problem.b
    return np.where(a > 0, plan.f, -np.inf), np.where(b > 0, plan.g, -np.inf), a, b * (1 / np.sum(b))


def _feasible(problem: Problem, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Potentials with f_i + g_j <= c_ij for the true costs: f the c-transform of g, then g that of f."""
    from divergences.optimal_transport import _gibbs  # compiled

    pairs, blocks = pairs_of(problem), row_blocks(*problem.shape)
    shrink, lower, f = 1 - 2 * problem.relative_error, 2 * problem.absolute_error, np.empty(len(problem.a))
    best = blocks.sums(
        lambda start, stop, least: _gibbs.transforms(pairs, start, stop, shrink, lower, g, f, least), len(g), np.min
    )
    return f, np.nextafter(best, -np.inf)
