"""Transport on the line, by sorting."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from divergences._parallel import run_blocks
from divergences.errors import DataError
from divergences.optimal_transport._problem import Problem, exponent_of
from divergences.optimal_transport._result import LineResult, TransportResult, roots
from divergences.optimal_transport._rounding import (
    EXTENDED,
    EXTENDED_UNIT,
    SUBNORMAL,
    UNIT,
    above,
    below,
    dot,
    extended_cumulative,
    total,
    two_product,
    two_sum,
)
from divergences.optimal_transport._solution import Solution, sparse_plan
from divergences.optimal_transport._staircase import staircase, whole_masses

COMPILED = 2**16  # values in all from which loading the compiled kernels pays
ROWS = 2**16  # values of x that one thread takes at a time


@dataclass(frozen=True)
class Univariate:
    """Exact transport between one-dimensional samples for any p >= 1, in O(n log n) time and O(n) memory.

    The monotone coupling is optimal for every convex cost abs(x - y)**p. Potentials follow its staircase: equality
    along it makes them feasible everywhere (the costs are a Monge array), so lowering them by the proven error of
    their sums needs no look at the other pairs.

    Between samples without masses the bracket needs neither: the sum of the costs along the sorted quantiles is the
    optimum up to its rounding, which is bounded (`monotone`). Plan and potentials are then worked out when asked for.

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


def monotone(x: np.ndarray, y: np.ndarray, power: float, solve: Callable[[], TransportResult]) -> LineResult | None:
    """The bracket for finite samples x (n,) and y (m,), of 1/n and 1/m each; None where scales or sizes are extreme.

    The optimum is S / lcm(n, m), S = sum of t |x_i - y_j|**p over the stretches of common quantiles, t whole numbers:
    terms >= 0, each of them right to a few roundings.
    """
    n, m = len(x), len(y)
    units = math.lcm(n, m)
    if units >= 2**52:
        return None
    compiled = n + m >= COMPILED
    x, y = _sorted(x, y) if compiled else (np.sort(x), np.sort(y))
    extent = max(float(x[-1]), float(y[-1])) - min(float(x[0]), float(y[0]))
    if not math.isfinite(extent) or exponent_of(extent, power):
        return None
    value, radius, tiny = (_compiled if compiled else _written_out)(x, y, units // n, units // m, power)
    value, whole = value / units, Fraction(value)
    radius = radius / units * (1 + 2.0**-20) + (0.0 if Fraction(value) * units == whole else UNIT * value)
    radius += 4 * SUBNORMAL if tiny or (radius and value < 2.0**-900) else 0.0
    lower, upper = max(below(value, radius), 0.0), above(value, radius)
    low, high, distance = roots(lower, upper, upper, power, 0)
    return LineResult(
        cost=upper, distance=distance, lower=lower, upper=upper, distance_lower=low, distance_upper=high,
        converged=True, iterations=1, marginal_error=0.0, solver=Univariate.__name__, notes=(), _solve=solve,
    )  # fmt: skip


def _sorted(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Both samples in rising order, each in a thread of its own."""
    samples = [np.require(v, np.float64, ["C", "W"]) for v in (x, y)]
    in_order: Callable[[np.ndarray], np.ndarray] = np.sort
    if not _sorts_by_vectors():
        from divergences._sorting import sorted_copy as in_order

    def sort(k: int, _: int) -> None:
        samples[k] = in_order(samples[k])

    run_blocks(sort, 2, 1)
    return samples


@cache
def _sorts_by_vectors() -> bool:
    """Whether `np.sort` has 512-bit vectors here: it then takes a quarter of the time of a sort by digits."""
    known: Any = np.show_config(mode="dicts")
    names = known.get("SIMD Extensions", {})
    return not {"AVX512_SKX", "X86_V4"}.isdisjoint([*names.get("baseline", []), *names.get("found", [])])


def _compiled(x: np.ndarray, y: np.ndarray, wide: int, narrow: int, power: float) -> tuple[float, float, bool]:
    """The sum of t |x_i - y_j|**p of sorted samples, a radius, and whether terms underflow: block by block of x."""
    from divergences.optimal_transport._line import RUN, costs

    found = np.empty((-(-len(x) // ROWS), 3))

    def work(start: int, stop: int) -> None:
        found[start // ROWS] = costs(x, y, wide, narrow, power, start, stop)

    run_blocks(work, len(x), ROWS)
    value, radius = total(found[:, :2].ravel())
    return value, radius + (_roundings(power) + RUN + 4) * UNIT * value, bool(found[:, 2].any())


def _written_out(x: np.ndarray, y: np.ndarray, wide: int, narrow: int, power: float) -> tuple[float, float, bool]:
    """The same with every stretch in memory; the radius is 0 where nothing was rounded."""
    start = np.unique(np.concatenate([np.arange(len(x)) * wide, np.arange(len(y)) * narrow]))
    difference, lost = two_sum(x[start // wide], -y[start // narrow])
    difference, rounded = np.abs(difference), bool(lost.any())
    cost = difference if power == 1 else difference * difference if power == 2 else difference**power
    tiny = bool(np.any((difference > 0) & (cost < 2.0**-900)))  # there no error term can be trusted
    if power != 1:
        rounded = rounded or tiny or power != 2 or bool(two_product(difference, difference)[1].any())
    value, radius = dot(np.diff(start, append=len(x) * wide).astype(np.float64), cost)
    return value, radius + (_roundings(power) * UNIT * value if rounded else 0.0), tiny


def _roundings(power: float) -> float:
    """How many roundings are in one |x - y|**p."""
    return power * 5 + (0 if power == 1 else 8)


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
