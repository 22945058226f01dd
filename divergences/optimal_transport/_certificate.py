"""From a raw solution to a bracket that is true in real arithmetic.

Upper end: the plan is rounded onto the polytope (Altschuler, Weed and Rigollet 2017, Algorithm 2, with the monotone
coupling of the residuals in place of their product). What floating point still leaves is charged what it costs to
repair it along the plan, and its own error at the worst cost: some exactly feasible plan costs no more. Lower end: the
c-transform makes the potentials feasible against costs lowered by their rounding error, each subtraction being rounded
down, so f_i + g_j <= c_ij holds for the true costs. Both sums carry a proven radius (`_rounding`), added outwards.
"""

from typing import NamedTuple, cast

import numpy as np
from scipy.sparse import coo_array

from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import (
    EXTENDED,
    EXTENDED_UNIT,
    SUBNORMAL,
    UNIT,
    above,
    below,
    dot,
    total,
)
from divergences.optimal_transport._solution import GibbsPlan, Solution
from divergences.optimal_transport._staircase import staircase
from divergences.optimal_transport._sweeps import COMPILED_FROM

Plan = coo_array | np.ndarray
NEGLIGIBLE = (
    64 * UNIT
)  # residual mass, relative, that is rounding and not a missing piece of plan; more for many points
INVISIBLE = 2.0**-36  # of a cost, far below every gap that is asked for


class Bracket(NamedTuple):
    """lower <= optimal cost <= upper in internal units, with the plan and potentials that prove it."""

    lower: float
    upper: float
    plan: Plan | None  # None for a Gibbs plan that was not written out
    f: np.ndarray
    g: np.ndarray
    marginal_error: float  # of the raw plan, L1 over both sides, for total mass one


def bracket(problem: Problem, solution: Solution) -> Bracket:
    """The proven bracket of a raw solution."""
    if isinstance(solution.plan, GibbsPlan) and problem.shape[0] * problem.shape[1] >= COMPILED_FROM:
        from divergences.optimal_transport._gibbs_bracket import gibbs_bracket  # its kernels are compiled

        return gibbs_bracket(problem, solution)
    raw = solution.plan.dense() if isinstance(solution.plan, GibbsPlan) else solution.plan
    raw = _between_masses(problem, raw)
    error = residual(problem, raw)
    plan, off = raw, error
    if error > NEGLIGIBLE * problem.mass * max(1.0, sum(problem.shape) / 2**14):
        plan = round_to_marginals(problem, raw)
        off = residual(problem, plan)
    upper = primal_bound(problem, plan, off)
    f, g = (solution.f, solution.g) if solution.feasible else feasible_potentials(problem, solution.g, raw)
    lower = dual_bound(problem, f, g)
    if problem.nonnegative:
        lower = max(lower, 0.0)
    return Bracket(lower, upper, plan, f, g, error / problem.mass)


def _between_masses(problem: Problem, plan: Plan) -> Plan:
    """The plan without the crumbs that rounding left at points without mass, where they may cost much."""
    rows, columns = problem.a > 0, problem.b > 0
    if rows.all() and columns.all():
        return plan
    if isinstance(plan, np.ndarray):
        return plan * rows[:, None] * columns
    kept = rows[plan.row] & columns[plan.col]
    return coo_array((plan.data[kept], (plan.row[kept], plan.col[kept])), shape=plan.shape)


def marginals(plan: Plan) -> tuple[np.ndarray, np.ndarray, float]:
    """Row and column sums in extended precision, and a bound on the L1 error of both together."""
    if isinstance(plan, np.ndarray):
        n, m = plan.shape
        rows = np.concatenate([block.sum(axis=1, dtype=EXTENDED) for block in _bands(plan)])
        columns = sum((block.sum(axis=0, dtype=EXTENDED) for block in _bands(plan)), np.zeros(m, dtype=EXTENDED))
        return rows, columns, (n + m) * EXTENDED_UNIT * float(rows.sum())
    n, m = cast(tuple[int, int], plan.shape)
    rows, row_error = _segment_sums(plan.row, plan.data, n)
    columns, column_error = _segment_sums(plan.col, plan.data, m)
    return rows, columns, row_error + column_error


def _bands(plan: np.ndarray) -> list[np.ndarray]:
    """Bands of rows of about 2**20 entries."""
    step = max(1, 2**20 // plan.shape[1])
    return [plan[start : start + step] for start in range(0, len(plan), step)]


def _segment_sums(index: np.ndarray, data: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """Sums of `data` by `index` in extended precision and their L1 error, 0 where each index occurs once."""
    sums = np.zeros(size, dtype=EXTENDED)
    if not len(index):
        return sums, 0.0
    counts = np.bincount(index, minlength=size)
    used = counts > 0
    starts = np.cumsum(counts) - counts
    values = np.add.reduceat(data[np.argsort(index, kind="stable")].astype(EXTENDED), starts[used])
    sums[used] = values
    if _on_a_grid(data):
        return sums, 0.0
    return sums, float(np.sum((counts[used] - 1) * EXTENDED_UNIT * values)) * 1.01


def _on_a_grid(data: np.ndarray) -> bool:
    """Whether all values are multiples of one power of two so coarse that extended precision sums exactly."""
    grid = np.frexp(np.sum(data))[1] + 1 - np.finfo(EXTENDED).nmant
    multiples = np.ldexp(data.astype(EXTENDED), -grid)
    return bool(np.all(np.rint(multiples) == multiples))


def residual(problem: Problem, plan: Plan) -> float:
    """A bound on the L1 distance of the plan's marginals, both together, from the masses it should have."""
    rows, columns, error = marginals(plan)
    distance = np.sum(np.abs(rows - problem.a)) + np.sum(np.abs(columns - problem.b))
    # The laws are a / sum(a) and b / sum(b) times the mean total, so each side is off by half of the imbalance.
    return float(distance) * (1 + 2.0**-40) + error + problem.imbalance


def round_to_marginals(problem: Problem, plan: Plan) -> Plan:
    """The plan scaled down to at most its marginals, the missing mass filled in by a monotone coupling."""
    a, b = problem.a, problem.b
    if isinstance(plan, np.ndarray):
        plan = plan * shrink_to(a, plan.sum(axis=1))[:, None]
        plan *= shrink_to(b, plan.sum(axis=0))
        rows, columns, mass = filling(a - plan.sum(axis=1), b - plan.sum(axis=0))
        plan[rows, columns] += mass  # the cells of a staircase are distinct
        return plan
    row, col, data = plan.row, plan.col, plan.data
    data = data * shrink_to(a, np.bincount(row, data, len(a)))[row]
    data = data * shrink_to(b, np.bincount(col, data, len(b)))[col]
    missing = a - np.bincount(row, data, len(a)), b - np.bincount(col, data, len(b))
    rows, columns, mass = filling(*missing)
    cells = np.concatenate([row, rows]), np.concatenate([col, columns])
    merged = coo_array((np.concatenate([data, mass]), cells), shape=plan.shape)
    merged.sum_duplicates()
    return merged


def shrink_to(wanted: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Factors of at most one that take `present` down to `wanted`."""
    factors = np.ones(len(wanted), dtype=wanted.dtype)
    return np.divide(wanted, present, out=factors, where=present > wanted)


def filling(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells and masses that add the missing rows a and columns b; nothing where nothing is missing."""
    a, b = np.maximum(a, 0.0), np.maximum(b, 0.0)
    if min(a.sum(), b.sum()) <= 2.0**-1000 * max(a.sum(), b.sum()):  # they are of one total, but for rounding
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0)
    rows, columns, mass = staircase(a, b)
    used = mass > 0
    return rows[used], columns[used], mass[used]


def primal_bound(problem: Problem, plan: Plan, off: float) -> float:
    """An upper bound on the cost of some exactly feasible plan next to `plan`, whose residual is at most `off`."""
    value, radius = 0.0, 0.0
    if isinstance(plan, np.ndarray):
        parts = [dot(plan[rows].ravel(), block.ravel()) for rows, block in problem.blocks()]
        value, radius = total(np.array([part for part, _ in parts]))
        radius += sum(r for _, r in parts)
    else:
        value, radius = dot(plan.data, problem.cost_at(plan.row, plan.col))
    radius += problem.relative_error * abs(value) * (1 + 2.0**-40)
    if problem.absolute_error > 0:
        radius += problem.absolute_error * problem.mass * 2 + SUBNORMAL
    radius += repair_cost(problem, plan, off, abs(value)) + problem.mass_slack * abs(value) * 2
    return above(value, radius)


def repair_cost(problem: Problem, plan: Plan, off: float, cost: float) -> float:
    """A bound on what it costs to turn `plan`, of this cost, into an exactly feasible one; 0 if it already is.

    The worst cost is charged where that would not show in the bracket. Else, in real arithmetic, rows and columns are
    scaled down to their masses, which lowers the cost (counted from the least cost), and the deficits are coupled. The
    coupling follows the plan, so that it costs about as much per unit; only its own error, of second order, is charged
    at the worst cost.
    """
    if off == 0:
        return 0.0
    if isinstance(plan, np.ndarray) or off * problem.worst <= INVISIBLE * cost:
        return off * problem.worst
    a, b = (v.astype(EXTENDED) for v in (problem.a, problem.b))
    mean = (a.sum() + b.sum()) / 2
    a, b = a * (mean / a.sum()), b * (mean / b.sum())
    rows, columns, _ = marginals(plan)
    data = plan.data * shrink_to(a, rows)[plan.row]
    scaled = coo_array((data, (plan.row, plan.col)), shape=plan.shape)
    columns = marginals(scaled)[1]
    scaled = coo_array((data * shrink_to(b, columns)[plan.col], (plan.row, plan.col)), shape=plan.shape)
    rows, columns, error = marginals(scaled)
    partner = np.full(len(b), len(a))
    np.minimum.at(partner, plan.col, plan.row)
    order = np.argsort(partner, kind="stable")
    i, j, mass = filling((a - rows).astype(np.float64), (b - columns)[order].astype(np.float64))
    low = 0.0 if problem.nonnegative else float(problem.cost.min())
    spent = float(np.sum(mass * (problem.cost_at(i, order[j]) - low))) + abs(low) * off
    count = len(a) + len(b) + len(data)
    second_order = error + problem.mass * EXTENDED_UNIT * (16 + 2 * np.log2(count)) + off * count * UNIT
    return spent * (1 + 2.0**-20) + min(second_order, 2 * off) * problem.worst


def feasible_potentials(problem: Problem, g: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Potentials with f_i + g_j <= c_ij for the true costs: f the c-transform of g, then g that of f.

    An entry of g that the solver does not know is -inf and binds nothing. Nothing rounds upwards. Each f_i takes the
    rounding of its own costs, so that a point far away without mass lowers no other potential. A sparse plan between
    points whose costs nobody has written out is taken as a hint where to look, and the matrix is never made.
    """
    if not (problem.written_out or isinstance(plan, np.ndarray)):
        from divergences.optimal_transport._transform import c_transforms  # its kernels are compiled

        return c_transforms(problem, g, plan)
    parts = [np.min(_lowered(problem, block) - g, axis=1) for _, block in problem.blocks()]
    f = np.nextafter(np.concatenate(parts), -np.inf)
    best = np.full(len(g), np.inf)
    for rows, block in problem.blocks():
        best = np.minimum(best, np.min(_lowered(problem, block) - f[rows, None], axis=0))
    return f, np.nextafter(best, -np.inf)


def _lowered(problem: Problem, block: np.ndarray) -> np.ndarray:
    """Computed costs less what rounding may have added to them."""
    if problem.relative_error == 0 and problem.absolute_error == 0:
        return block
    lowered = block * (1 - 2 * problem.relative_error) - 2 * problem.absolute_error
    return np.maximum(lowered, 0.0) if problem.nonnegative else lowered


def dual_bound(problem: Problem, f: np.ndarray, g: np.ndarray) -> float:
    """A lower bound on the optimal cost from feasible potentials."""
    (left, left_radius), (right, right_radius) = dot(problem.a, f), dot(problem.b, g)
    value = left + right
    radius = left_radius + right_radius + (UNIT * abs(value) if left and right else 0.0)
    # Renormalising the masses to a common total moves each side by the imbalance over twice its total.
    radius += problem.imbalance / problem.mass * (abs(left) + abs(right))
    if problem.mass_rounding:
        radius += 2 * problem.mass_rounding * float(problem.a @ np.abs(f) + problem.b @ np.abs(g))
    if problem.crumbs:
        radius += SUBNORMAL * (1 + float(np.sum(np.abs(f)) + np.sum(np.abs(g))))
    radius += problem.mass_slack * abs(value) * 2
    return below(value, radius)


def unscaled(value: float, exponent: float, *, up: bool) -> float:
    """Value * 2**exponent, rounded outwards where that is not exact."""
    whole = int(np.floor(exponent))
    fraction = 2.0 ** (exponent - whole)
    scaled = float(np.ldexp(value * fraction, whole))
    exact = fraction == 1.0 and np.ldexp(scaled, -whole) == value
    if exact or value == 0:
        return scaled
    margin = (8 + abs(exponent)) * UNIT * abs(scaled) + SUBNORMAL  # an exponent that is not whole has been rounded
    end = above(scaled, margin) if up else below(scaled, margin)
    return max(end, 0.0) if value > 0 else min(end, 0.0)  # scaling changes no sign
