"""Compiled passes over all pairs of an entropic problem; no pass holds more than a row of costs.

Costs come from points or from a matrix, a row at a time. Columns are summed by blocks of rows that the problem fixes,
each into a row of its own, so that bits do not depend on threads. The exponential is ours, exp(x) = 2^k e^r with
|r| <= log(2)/2 and Taylor's polynomial of e^r to degree 12, which is right to two units in the last place and becomes
vector instructions.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof, types

from divergences._compiler import bits, compiled, from_bits
from divergences.optimal_transport._metrics import METRICS

TILE = 1024  # columns whose costs stay in the first-level cache; sums are by tiles
EUCLIDEAN, CITYBLOCK = METRICS.index("euclidean"), METRICS.index("cityblock")
INVERSE_LOG2 = 1.4426950408889634
LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the high part has 33 bits
MAGIC = 1.5 * 2.0**52  # adding it rounds to a whole number, in the low bits
SMALLEST = -708.0  # below, exp is a subnormal or 0: taken as 0
LARGEST = 709.0  # no more than that is asked of it
ULP, SUBNORMAL = 2.0**-52, 2.0**-1074
MOST = 2**63 - 1
TINY, LIFT = 2.0**-900, 2.0**600

_inline = njit(inline="always", error_model="numpy")


class Pairs(NamedTuple):
    """Where costs come from: points x (n, d) and y (d, m) with a metric and a power, or a matrix (n, m)."""

    x: np.ndarray
    y: np.ndarray
    matrix: np.ndarray  # (0, 0) for points
    metric: int
    power: float


_PLANE = np.zeros((1, 1))
PAIRS: Any = typeof(Pairs(_PLANE, _PLANE, _PLANE, 0, 1.0))
_F, _I, _F1, _F2 = types.float64, types.int64, types.float64[::1], types.float64[:, ::1]
_SINGLE = types.float32[:, ::1]


@_inline
def _exp(x: float) -> float:
    """exp(x) for x <= 0; 0 below -708."""
    shifted = max(x, SMALLEST) * INVERSE_LOG2 + MAGIC
    k = shifted - MAGIC
    r = (max(x, SMALLEST) - k * LOG2_HIGH) - k * LOG2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (0.5 + r * (1 / 6))
    middle = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    high = (1 / 40320 + r * (1 / 362880)) + r2 * (1 / 3628800 + r * (1 / 39916800)) + r4 * (1 / 479001600)
    value = from_bits(bits(low + r4 * (middle + r4 * high)) + (bits(shifted) << 52))
    return value if x >= SMALLEST else 0.0


@compiled(types.void(PAIRS, _I, _I, _I, _F1), fastmath={"contract"})
def _tile(pairs: Pairs, i: int, low: int, high: int, out: np.ndarray) -> None:
    """Costs of row i in the columns low..high; out (high - low,) is filled."""
    w = high - low
    if len(pairs.matrix):
        out[:w] = pairs.matrix[i][low:high]
        return
    x, metric, power = pairs.x[i], pairs.metric, pairs.power
    d = len(x)
    start = d % 4 if metric == EUCLIDEAN else d  # the coordinates that are taken one by one
    for q in range(w):
        out[q] = 0.0
    for t in range(start):
        row, u = pairs.y[t][low:high], x[t]
        if metric == EUCLIDEAN:
            for q in range(w):
                out[q] += (u - row[q]) * (u - row[q])
        elif metric == CITYBLOCK:
            for q in range(w):
                out[q] += abs(u - row[q])
        else:
            for q in range(w):
                out[q] = max(out[q], abs(u - row[q]))
    if metric == EUCLIDEAN:
        for t in range(start, d, 4):
            row0, row1, row2, row3 = (
                pairs.y[t][low:high], pairs.y[t + 1][low:high], pairs.y[t + 2][low:high], pairs.y[t + 3][low:high]
            )  # fmt: skip
            u0, u1, u2, u3 = x[t], x[t + 1], x[t + 2], x[t + 3]
            for q in range(w):
                v0, v1, v2, v3 = u0 - row0[q], u1 - row1[q], u2 - row2[q], u3 - row3[q]
                out[q] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)
        if power != 2.0:
            for q in range(w):
                out[q] = np.sqrt(out[q])
    if power != 1.0 and not (metric == EUCLIDEAN and power == 2.0):
        for q in range(w):
            out[q] = out[q] ** power


@compiled(types.float64(_F1), fastmath={"reassoc"})
def _sum(terms: np.ndarray) -> float:
    total = 0.0
    for q in range(len(terms)):
        total += terms[q]
    return total


@compiled(types.void(PAIRS, _I, _I, _F1, _F1), fastmath={"contract", "reassoc"})
def mean_costs(pairs: Pairs, start: int, stop: int, b: np.ndarray, out: np.ndarray) -> None:
    """out_i = sum_j b_j |c_ij| for the rows start..stop."""
    m = len(b)
    costs = np.empty(TILE)
    for i in range(start, stop):
        total = 0.0
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            _tile(pairs, i, low, high, costs)
            mass = b[low:high]
            for q in range(high - low):
                total += mass[q] * abs(costs[q])
        out[i] = total


@_inline
def _ordered(x: float) -> int:
    """A whole number that grows with x: LLVM finds the smallest of whole numbers, not of floats, by vectors."""
    k = bits(x)
    return k ^ ((k >> 63) & MOST)


@_inline
def _unordered(k: int) -> float:
    """The number that has this `_ordered`."""
    return from_bits(k ^ ((k >> 63) & MOST))


@compiled(types.Tuple((_F, _F))(_F1, _F1, _F1))
def _range(costs: np.ndarray, g: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """values <- g - costs; their smallest and largest."""
    low, high = MOST, -MOST
    for q in range(len(costs)):
        values[q] = g[q] - costs[q]
        k = _ordered(values[q])
        low, high = min(low, k), max(high, k)
    return _unordered(low), _unordered(high)


@compiled(types.float64(_F1, _F1, _F, _F), fastmath={"contract"})
def _exponentials(values: np.ndarray, b: np.ndarray, peak: float, inverse: float) -> float:
    """values <- b exp((values - peak) / epsilon); their sum."""
    for q in range(len(values)):
        values[q] = b[q] * _exp((values[q] - peak) * inverse)
    return _sum(values)


@compiled(types.float64(_F1, _F1, _F, _F), fastmath={"contract"})
def _below_mass(values: np.ndarray, b: np.ndarray, peak: float, inverse: float) -> float:
    """The sum of b (exp((values - peak) / epsilon) - 1) for arguments in [-1/2, 0], by the series."""
    total = 0.0
    for q in range(len(values)):
        x = (values[q] - peak) * inverse
        term = 0.0
        for k in range(14, 0, -1):
            term = (1.0 + term) * x / k
        total += b[q] * term
    return total


@compiled(types.Tuple((_F, _F))(PAIRS, _I, _F, _F1, _F1, _F1, _F1))
def _row(
    pairs: Pairs, i: int, epsilon: float, g: np.ndarray, b: np.ndarray, costs: np.ndarray, values: np.ndarray
) -> tuple[float, float]:
    """F_i = -epsilon log sum_j b_j exp((g_j - c_ij) / epsilon), and the sum of `values`: a multiple of its terms.

    costs is filled too if it has room for all (m,), else it holds a tile at a time.
    """
    m, inverse = len(b), 1.0 / epsilon
    low, peak = np.inf, -np.inf
    for first in range(0, m, TILE):
        last = min(first + TILE, m)
        tile = costs[first:last] if len(costs) >= m else costs[: last - first]
        _tile(pairs, i, first, last, tile)
        bounds = _range(tile, g[first:last], values[first:last])
        low, peak = min(low, bounds[0]), max(peak, bounds[1])
    below = 0.0
    flat = (peak - low) * inverse < 0.5  # the rounding of a sum near one would be multiplied by a large epsilon
    if flat:
        below = _below_mass(values, b, peak, inverse)
    total = 0.0
    for first in range(0, m, TILE):
        last = min(first + TILE, m)
        total += _exponentials(values[first:last], b[first:last], peak, inverse)
    best = -peak - epsilon * (np.log1p(below) if flat else np.log(total))
    if total < TINY:
        total *= LIFT
        for j in range(m):
            values[j] *= LIFT
    return best, total


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _SINGLE))
def row_sweep(
    pairs: Pairs, start: int, stop: int, epsilon: float, g: np.ndarray, a: np.ndarray, b: np.ndarray, f: np.ndarray,
    columns: np.ndarray, kernel: np.ndarray,
) -> None:  # fmt: skip
    """f_i <- F_i, which makes rows exact, for the rows start..stop.

    columns (m,) receives the column sums of these rows of a_i b_j exp((f_i + g_j - c_ij) / epsilon), and `kernel`,
    unless it is empty, the conditional laws, the same over a_i, in single precision.
    """
    m = len(b)
    costs, values = np.empty(TILE), np.empty(m)
    columns[:] = 0.0
    for i in range(start, stop):
        f[i], total = _row(pairs, i, epsilon, g, b, costs, values)
        weight, inverse_total = a[i] / total, 1.0 / total
        if len(kernel):
            row = kernel[i]
            for j in range(m):
                columns[j] += weight * values[j]
                row[j] = np.float32(values[j] * inverse_total)
        else:
            for j in range(m):
                columns[j] += weight * values[j]


@compiled(types.float64(_F1, _F1, _F, _F1), fastmath={"contract", "reassoc", "nnan", "nsz"})
def _spend(values: np.ndarray, costs: np.ndarray, weight: float, columns: np.ndarray) -> float:
    """columns <- columns + weight * values; what these masses cost."""
    total = 0.0
    for q in range(len(values)):
        mass = weight * values[q]
        columns[q] += mass
        total += mass * costs[q]
    return total


@compiled(types.float64(_F1, _F1, _F, _F))  # as written: each rounding is accounted for
def _least(costs: np.ndarray, g: np.ndarray, shrink: float, lower: float) -> float:
    """costs <- costs * shrink - lower; the smallest costs - g."""
    best = MOST
    for q in range(len(costs)):
        costs[q] = costs[q] * shrink - lower
        best = min(best, _ordered(costs[q] - g[q]))
    return _unordered(best)


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _F1, _F, _F, _F1, _F1))
def measured_sweep(
    pairs: Pairs, start: int, stop: int, epsilon: float, g: np.ndarray, a: np.ndarray, b: np.ndarray, f: np.ndarray,
    columns: np.ndarray, spent: np.ndarray, shrink: float, lower: float, least: np.ndarray, best: np.ndarray,
) -> None:  # fmt: skip
    """`row_sweep` and, of the same costs, what the plan spends by row and what `transforms` finds for g."""
    m = len(b)
    costs, values = np.empty(m), np.empty(m)
    columns[:], best[:] = 0.0, np.inf
    for i in range(start, stop):
        f[i], total = _row(pairs, i, epsilon, g, b, costs, values)
        spent[i], lowest = 0.0, np.inf
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            spent[i] += _spend(values[low:high], costs[low:high], a[i] / total, columns[low:high])
            lowest = min(lowest, _least(costs[low:high], g[low:high], shrink, lower))
        least[i] = lowest - abs(lowest) * ULP - SUBNORMAL
        for j in range(m):
            best[j] = min(best[j], costs[j] - least[i])


@compiled(types.float64(PAIRS, _I, _F, _F, _F1, _F1, _F, _F1), fastmath={"contract"})
def _plan_row(
    pairs: Pairs, i: int, f: float, a: float, g: np.ndarray, b: np.ndarray, inverse: float, out: np.ndarray
) -> float:  # fmt: skip
    """out <- a b exp((f + g - c_i) / epsilon), at most a, by tiles; its sum."""
    total = 0.0
    for low in range(0, len(g), TILE):
        high = min(low + TILE, len(g))
        tile, trend, mass = out[low:high], g[low:high], b[low:high]
        _tile(pairs, i, low, high, tile)
        for q in range(high - low):
            tile[q] = a * min(mass[q] * _exp(min((f - tile[q] + trend[q]) * inverse, LARGEST)), 1.0)
        total += _sum(tile)
    return total


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _F1, _F1))
def plan_sums(
    pairs: Pairs, start: int, stop: int, epsilon: float, f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray,
    rows: np.ndarray, factors: np.ndarray, columns: np.ndarray,
) -> None:  # fmt: skip
    """Row sums of the Gibbs plan, the factors that take them down to a, and the column sums of the plan so scaled."""
    values = np.empty(len(b))
    columns[:] = 0.0
    for i in range(start, stop):
        rows[i] = _plan_row(pairs, i, f[i], a[i], g, b, 1.0 / epsilon, values)
        factors[i] = factor = a[i] / rows[i] if rows[i] > a[i] else 1.0
        for j in range(len(b)):
            columns[j] += factor * values[j]


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _F1, _F1, _F1, _F1))
def rounded_sums(
    pairs: Pairs, start: int, stop: int, epsilon: float, f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray,
    row_factors: np.ndarray, column_factors: np.ndarray, rows: np.ndarray, columns: np.ndarray, spent: np.ndarray,
) -> None:  # fmt: skip
    """Row sums, column sums and the cost by row of the Gibbs plan scaled by both factors; no sum is reordered here."""
    m = len(b)
    values, costs = np.empty(m), np.empty(TILE)
    columns[:] = 0.0
    for i in range(start, stop):
        _plan_row(pairs, i, f[i], a[i], g, b, 1.0 / epsilon, values)
        rows[i], spent[i] = 0.0, 0.0
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            tile, factor, sums = values[low:high], column_factors[low:high], columns[low:high]
            for q in range(high - low):
                tile[q] = row_factors[i] * tile[q] * factor[q]
                sums[q] += tile[q]
            rows[i] += _sum(tile)
            _tile(pairs, i, low, high, costs)
            for q in range(high - low):
                tile[q] *= costs[q]
            spent[i] += _sum(tile)


@compiled(types.void(PAIRS, _I, _I, _F, _F, _F1, _F1, _F1))
def transforms(
    pairs: Pairs, start: int, stop: int, shrink: float, lower: float, g: np.ndarray, f: np.ndarray, best: np.ndarray
) -> None:
    """f_i = min_j c_ij shrink - lower - g_j, rounded down, for rows start..stop; best_j = min_i of the same - f_i."""
    m = len(g)
    costs = np.empty(m)
    best[:] = np.inf
    for i in range(start, stop):
        least = np.inf
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            _tile(pairs, i, low, high, costs[low:high])
            least = min(least, _least(costs[low:high], g[low:high], shrink, lower))
        f[i] = least - abs(least) * ULP - SUBNORMAL
        for j in range(m):
            best[j] = min(best[j], costs[j] - f[i])
