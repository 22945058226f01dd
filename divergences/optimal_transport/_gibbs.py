"""Compiled passes over all pairs of an entropic problem; no pass holds more than four rows of costs.

Costs come from points or from a matrix, four rows at a time. Columns are summed by blocks of rows that the problem
fixes, each into a row of its own, so that bits do not depend on threads. The exponential is ours, exp(x) = 2^k e^r with
|r| <= log(2)/2 and Taylor's polynomial of e^r to degree 12, which is right to two units in the last place and becomes
vector instructions. Guides, whose word nobody trusts, take 2^y in single precision, right to 2e-7.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof, types

from divergences._compiler import bits, bits32, compiled, from_bits, from_bits32, wide
from divergences.optimal_transport._metrics import METRICS

TILE = 256  # columns whose costs and coordinates stay in the first-level cache; sums are by tiles
GROUP = 4  # rows that share a pass over coordinates and over sums of columns
EUCLIDEAN, CITYBLOCK = METRICS.index("euclidean"), METRICS.index("cityblock")
INVERSE_LOG2 = 1.4426950408889634
LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the high part has 33 bits
MAGIC = 1.5 * 2.0**52  # adding it rounds to a whole number, in the low bits
SMALLEST = -708.0  # below, exp is a subnormal or 0: taken as 0
LARGEST = 709.0  # no more than that is asked of it
ULP, SUBNORMAL = 2.0**-52, 2.0**-1074
MOST = 2**63 - 1
TINY, LIFT = 2.0**-900, 2.0**600
FAR = 1e4  # sums of guided rows between its inverse and it: exponents are near 0, where they round least
_LOWEST, _HIGHEST = np.float32(-126.0), np.float32(127.0)
_MAGIC32, _INVERSE_LOG2_32, _ONE = np.float32(1.5 * 2.0**23), np.float32(INVERSE_LOG2), np.float32(1.0)
_C1, _C2, _C3 = np.float32(0.6931471805599453), np.float32(0.2402265069591007), np.float32(0.05550410866482158)
_C4, _C5, _C6 = np.float32(0.009618129107628477), np.float32(0.0013333558146428443), np.float32(0.00015403530393381608)

_inline = njit(inline="always", error_model="numpy")


class Pairs(NamedTuple):
    """Where costs come from: points with a metric and a power, or a matrix (n, m).

    Points are filled up with zeros: x (n, d) to whole groups of rows and an even d, and y (tiles, d * TILE) to whole
    tiles, each of which holds its columns coordinate by coordinate.
    """

    x: np.ndarray
    y: np.ndarray
    matrix: np.ndarray  # (0, 0) for points
    metric: int
    power: float


_PLANE = np.zeros((1, 1))
PAIRS: Any = typeof(Pairs(_PLANE, _PLANE, _PLANE, 0, 1.0))
_F, _I, _F1, _F2 = types.float64, types.int64, types.float64[::1], types.float64[:, ::1]
_SINGLE, _SINGLES = types.float32[:, ::1], types.float32[::1]


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


@_inline
def _exp32(x: float) -> float:
    """exp(x) in single precision; 2^-126 below -87, and 2^127 above 88."""
    z = min(max(x * _INVERSE_LOG2_32, _LOWEST), _HIGHEST)
    shifted = z + _MAGIC32
    y = z - (shifted - _MAGIC32)
    value = _ONE + y * (_C1 + y * (_C2 + y * (_C3 + y * (_C4 + y * (_C5 + y * _C6)))))
    return from_bits32(bits32(value) + (bits32(shifted) << np.int32(23)))


@_inline
def _room(size: int) -> np.ndarray:
    """Empty float64s that begin at a cache line: vectors that lie across two take twice as long."""
    room = np.empty(size + 8)
    skip = (-room.ctypes.data % 64) // 8
    return room[skip : skip + size]


@_inline
def _room32(size: int) -> np.ndarray:
    """The same in single precision."""
    room = np.empty(size + 16, np.float32)
    skip = (-room.ctypes.data % 64) // 4
    return room[skip : skip + size]


@compiled(types.void(_F2, _I, _F1, _I, _F1, _F1), fastmath={"contract"})
def _squares(x: np.ndarray, i: int, y: np.ndarray, t: int, out: np.ndarray, below: np.ndarray) -> None:
    """Add what the coordinates t..t+4 give to the squared distances of two rows from the columns of a tile."""
    wide()
    a0, a1, a2, a3 = x[i, t], x[i, t + 1], x[i, t + 2], x[i, t + 3]
    b0, b1, b2, b3 = x[i + 1, t], x[i + 1, t + 1], x[i + 1, t + 2], x[i + 1, t + 3]
    for q in range(TILE):
        y0, y1, y2, y3 = y[q], y[q + TILE], y[q + 2 * TILE], y[q + 3 * TILE]
        v0, v1, v2, v3 = a0 - y0, a1 - y1, a2 - y2, a3 - y3
        out[q] = out[q] + v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3
        v0, v1, v2, v3 = b0 - y0, b1 - y1, b2 - y2, b3 - y3
        below[q] = below[q] + v0 * v0 + v1 * v1 + v2 * v2 + v3 * v3


@compiled(types.void(_F2, _I, _F1, _I, _F1, _F1), fastmath={"contract"})
def _two_squares(x: np.ndarray, i: int, y: np.ndarray, t: int, out: np.ndarray, below: np.ndarray) -> None:
    """Of the coordinates t and t+1 alone."""
    wide()
    a0, a1, b0, b1 = x[i, t], x[i, t + 1], x[i + 1, t], x[i + 1, t + 1]
    for q in range(TILE):
        y0, y1 = y[q], y[q + TILE]
        out[q] = out[q] + (a0 - y0) * (a0 - y0) + (a1 - y1) * (a1 - y1)
        below[q] = below[q] + (b0 - y0) * (b0 - y0) + (b1 - y1) * (b1 - y1)


@compiled(types.void(_F, _F1, _I, _F1), fastmath={"contract"})
def _lengths(u: float, y: np.ndarray, metric: int, out: np.ndarray) -> None:
    """Add what one coordinate gives to distances other than the Euclidean."""
    wide()
    for q in range(TILE):
        v = abs(u - y[q])
        out[q] = out[q] + v if metric == CITYBLOCK else max(out[q], v)


@compiled(types.void(_I, _F, _F1), fastmath={"contract"})
def _raise(metric: int, power: float, out: np.ndarray) -> None:
    """Costs from distances, which are squared if Euclidean."""
    wide()
    if metric == EUCLIDEAN:
        if power == 2.0:
            return
        for q in range(len(out)):
            out[q] = np.sqrt(out[q])
    if power != 1.0:
        for q in range(len(out)):
            out[q] = out[q] ** power


@compiled(types.void(PAIRS, _I, _I, _F2, _I))
def _tile(pairs: Pairs, i: int, tile: int, out: np.ndarray, at: int) -> None:
    """out (4, at + TILE): its last columns are filled with the costs of the rows i..i+4 in the columns of the tile."""
    if len(pairs.matrix):
        n, m = pairs.matrix.shape
        low, high = tile * TILE, min(tile * TILE + TILE, m)
        for k in range(GROUP):
            out[k][at : at + high - low] = pairs.matrix[min(i + k, n - 1)][low:high]
        return
    y = pairs.y[tile]
    for k in range(0, GROUP, 2):
        o0, o1 = out[k][at : at + TILE], out[k + 1][at : at + TILE]
        o0[:], o1[:] = 0.0, 0.0
        if pairs.metric == EUCLIDEAN:
            d = pairs.x.shape[1]
            if d % 4:
                _two_squares(pairs.x, i + k, y, 0, o0, o1)
            for t in range(d % 4, d, 4):
                _squares(pairs.x, i + k, y[t * TILE : (t + 4) * TILE], t, o0, o1)
        else:
            for t in range(pairs.x.shape[1]):
                _lengths(pairs.x[i + k, t], y[t * TILE : (t + 1) * TILE], pairs.metric, o0)
                _lengths(pairs.x[i + k + 1, t], y[t * TILE : (t + 1) * TILE], pairs.metric, o1)
        _raise(pairs.metric, pairs.power, o0)
        _raise(pairs.metric, pairs.power, o1)


@compiled(types.void(PAIRS, _I, _F2))
def _costs(pairs: Pairs, i: int, out: np.ndarray) -> None:
    """out (4, tiles * TILE): the costs of the rows i..i+4."""
    for tile in range(out.shape[1] // TILE):
        _tile(pairs, i, tile, out, tile * TILE)


@_inline
def _plane(m: int) -> np.ndarray:
    """Room for m columns, filled up to whole tiles, of four rows."""
    width = -(-m // TILE) * TILE
    return _room(GROUP * width).reshape(GROUP, width)


@compiled(types.float64(_F1), fastmath={"reassoc"})
def _sum(terms: np.ndarray) -> float:
    wide()
    total = 0.0
    for q in range(len(terms)):
        total += terms[q]
    return total


@compiled(types.float64(_F1, _F1), fastmath={"contract", "reassoc"})
def _mean(costs: np.ndarray, b: np.ndarray) -> float:
    wide()
    total = 0.0
    for q in range(len(b)):
        total += b[q] * abs(costs[q])
    return total


@compiled(types.void(PAIRS, _I, _I, _F1, _F1))
def mean_costs(pairs: Pairs, start: int, stop: int, b: np.ndarray, out: np.ndarray) -> None:
    """out_i = sum_j b_j |c_ij| for the rows start..stop."""
    m = len(b)
    costs = _room(GROUP * TILE).reshape(GROUP, TILE)
    for i in range(start, stop, GROUP):
        last = min(GROUP, stop - i)
        out[i : i + last] = 0.0
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            _tile(pairs, i, low // TILE, costs, 0)
            for k in range(last):
                out[i + k] += _mean(costs[k], b[low:high])


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
    wide()
    low, high = MOST, -MOST
    for q in range(len(g)):
        values[q] = g[q] - costs[q]
        k = _ordered(values[q])
        low, high = min(low, k), max(high, k)
    return _unordered(low), _unordered(high)


@compiled(types.float64(_F1, _F1, _F, _F), fastmath={"contract"})
def _exponentials(values: np.ndarray, b: np.ndarray, peak: float, inverse: float) -> float:
    """values <- b exp((values - peak) / epsilon); their sum."""
    wide()
    for q in range(len(b)):
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


@compiled(types.void(PAIRS, _I, _F, _F1, _F1, _F2, _F2, _F2))
def _rows(
    pairs: Pairs, i: int, epsilon: float, g: np.ndarray, b: np.ndarray, costs: np.ndarray, values: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Of the rows i..i+4: out[0] <- F_i = -epsilon log sum_j b_j exp((g_j - c_ij) / epsilon), out[2] <- max g_j - c_ij.

    costs is filled, and `values` with a multiple of the terms of F_i; out[1] <- the sums of these.
    """
    m, inverse = len(b), 1.0 / epsilon
    best, total, peak, least = out[0], out[1], out[2], out[3]
    least[:], peak[:], total[:] = np.inf, -np.inf, 0.0
    for low in range(0, m, TILE):
        high = min(low + TILE, m)
        _tile(pairs, i, low // TILE, costs, low)
        for k in range(GROUP):
            bounds = _range(costs[k][low:high], g[low:high], values[k][low:high])
            least[k], peak[k] = min(least[k], bounds[0]), max(peak[k], bounds[1])
    for k in range(GROUP):
        if (peak[k] - least[k]) * inverse < 0.5:  # a large epsilon would multiply the rounding of a sum near one
            best[k] = np.log1p(_below_mass(values[k][:m], b, peak[k], inverse))
        else:
            best[k] = np.inf
    for low in range(0, m, TILE):
        high = min(low + TILE, m)
        for k in range(GROUP):
            total[k] += _exponentials(values[k][low:high], b[low:high], peak[k], inverse)
    for k in range(GROUP):
        best[k] = -peak[k] - epsilon * (np.log(total[k]) if best[k] == np.inf else best[k])
        if total[k] < TINY:
            total[k] *= LIFT
            for j in range(m):
                values[k, j] *= LIFT


@compiled(types.void(_F1, _F, _F1), fastmath={"contract"})
def _add(columns: np.ndarray, weight: float, values: np.ndarray) -> None:
    """columns <- columns + weight * values."""
    wide()
    for j in range(len(columns)):
        columns[j] += weight * values[j]


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1))
def row_sweep(
    pairs: Pairs, start: int, stop: int, epsilon: float, g: np.ndarray, a: np.ndarray, b: np.ndarray, f: np.ndarray,
    columns: np.ndarray,
) -> None:  # fmt: skip
    """f_i <- F_i, which makes rows exact, for the rows start..stop.

    columns (m,) receives the column sums of these rows of a_i b_j exp((f_i + g_j - c_ij) / epsilon).
    """
    m = len(b)
    costs, values, found = _plane(m), _plane(m), np.empty((4, GROUP))
    columns[:] = 0.0
    for i in range(start, stop, GROUP):
        _rows(pairs, i, epsilon, g, b, costs, values, found)
        last = min(GROUP, stop - i)
        f[i : i + last] = found[0][:last]
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            for k in range(last):
                _add(columns[low:high], a[i + k] / found[1, k], values[k][low:high])


@compiled(types.float64(_F1, _F1, _F, _F1), fastmath={"contract", "reassoc", "nnan", "nsz"})
def _spend(values: np.ndarray, costs: np.ndarray, weight: float, columns: np.ndarray) -> float:
    """columns <- columns + weight * values; what these masses cost."""
    wide()
    total = 0.0
    for q in range(len(values)):
        mass = weight * values[q]
        columns[q] += mass
        total += mass * costs[q]
    return total


@compiled(types.void(_F1, _F, _F, _F, _F1))  # as written: each rounding is accounted for
def _cheapest(costs: np.ndarray, shrink: float, lower: float, f: float, best: np.ndarray) -> None:
    """best <- min(best, costs * shrink - lower - f)."""
    wide()
    for j in range(len(best)):
        best[j] = min(best[j], (costs[j] * shrink - lower) - f)


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _F1, _F, _F, _F1, _F1))
def measured_sweep(
    pairs: Pairs, start: int, stop: int, epsilon: float, g: np.ndarray, a: np.ndarray, b: np.ndarray, f: np.ndarray,
    columns: np.ndarray, spent: np.ndarray, shrink: float, lower: float, least: np.ndarray, best: np.ndarray,
) -> None:  # fmt: skip
    """`row_sweep` and, of the same costs, what the plan spends by row and what `transforms` finds for g."""
    m = len(b)
    costs, values, found = _plane(m), _plane(m), np.empty((4, GROUP))
    columns[:], best[:] = 0.0, np.inf
    for i in range(start, stop, GROUP):
        _rows(pairs, i, epsilon, g, b, costs, values, found)
        last = min(GROUP, stop - i)
        f[i : i + last], least[i : i + last], spent[i : i + last] = found[0][:last], -found[2][:last], 0.0
        for low in range(0, m, TILE):
            high = min(low + TILE, m)
            for k in range(last):
                cost = costs[k][low:high]
                spent[i + k] += _spend(values[k][low:high], cost, a[i + k] / found[1, k], columns[low:high])
                _cheapest(cost, shrink, lower, least[i + k], best[low:high])


@compiled(types.void(_F1, _F1, _F, _F, _SINGLES), fastmath={"contract"})
def _exponents(costs: np.ndarray, offset: np.ndarray, inverse: float, shift: float, out: np.ndarray) -> None:
    """out <- offset - costs / epsilon + shift, the difference being taken in double precision."""
    wide()
    for q in range(TILE):
        out[q] = np.float32((offset[q] - costs[q] * inverse) + shift)


@compiled(types.void(_SINGLES), fastmath={"contract"})
def _exponentials32(values: np.ndarray) -> None:
    """values <- exp(values)."""
    wide()
    for q in range(TILE):
        values[q] = _exp32(values[q])


@compiled(types.float64(_SINGLES), fastmath={"contract", "reassoc", "nnan", "nsz"})
def _sum32(values: np.ndarray) -> float:
    wide()
    total = np.float32(0.0)
    for q in range(TILE):
        total += values[q]
    return np.float64(total)


@compiled(types.void(_F1, _SINGLE, _I, _F, _F, _F, _F), fastmath={"contract", "reassoc"})
def _add32(
    columns: np.ndarray, rows: np.ndarray, at: int, w0: float, w1: float, w2: float, w3: float
) -> None:  # fmt: skip
    """columns <- columns + the weighted sum of four rows, all in the columns at..at+TILE."""
    wide()
    c = columns[at : at + TILE]
    v0, v1, v2, v3 = rows[0][at : at + TILE], rows[1][at : at + TILE], rows[2][at : at + TILE], rows[3][at : at + TILE]
    for q in range(TILE):
        c[q] += (w0 * v0[q] + w1 * v1[q]) + (w2 * v2[q] + w3 * v3[q])


@compiled(types.void(PAIRS, _I, _F, _F1, _F1, _F2, _SINGLE, _F1))
def _guided_rows(
    pairs: Pairs, i: int, inverse: float, offset: np.ndarray, shift: np.ndarray, costs: np.ndarray, rows: np.ndarray,
    totals: np.ndarray,
) -> None:  # fmt: skip
    """rows (4, m) <- exp(offset_j - c_ij / epsilon + shift_i) of the rows i..i+4; their sums."""
    totals[:] = 0.0
    for low in range(0, len(offset), TILE):
        _tile(pairs, i, low // TILE, costs, 0)
        for k in range(GROUP):
            values = rows[k][low : low + TILE]
            _exponents(costs[k], offset[low : low + TILE], inverse, shift[k], values)
            _exponentials32(values)
            totals[k] += _sum32(values)


@compiled(types.void(PAIRS, _I, _F, _F1, _F2, _F1))
def _peaks(
    pairs: Pairs, i: int, inverse: float, offset: np.ndarray, costs: np.ndarray, shift: np.ndarray
) -> None:  # fmt: skip
    """shift_i <- -max_j offset_j - c_ij / epsilon for the rows i..i+4."""
    shift[:] = np.inf
    for low in range(0, len(offset), TILE):
        _tile(pairs, i, low // TILE, costs, 0)
        for k in range(GROUP):
            for q in range(TILE):
                shift[k] = min(shift[k], costs[k, q] * inverse - offset[low + q])


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _SINGLE))
def guided_sweep(
    pairs: Pairs, start: int, stop: int, inverse: float, offset: np.ndarray, a: np.ndarray, alpha: np.ndarray,
    columns: np.ndarray, kernel: np.ndarray,
) -> None:  # fmt: skip
    """alpha_i <- -log sum_j exp(offset_j - c_ij / epsilon) for the rows start..stop, begun at the given alpha.

    columns receives their column sums of a_i exp(alpha_i + offset_j - c_ij / epsilon), and `kernel`, unless it is
    empty, multiples of the rows of the same over a_i. offset and columns are filled up to whole tiles, with -inf and
    anything; the number of rows of `kernel` is a multiple of four.
    """
    width = len(offset)
    costs, totals, shift = _room(GROUP * TILE).reshape(GROUP, TILE), np.empty(GROUP), np.empty(GROUP)
    costs[:] = 0.0
    scratch = _room32(0 if len(kernel) else GROUP * width).reshape(GROUP, -1)
    columns[:] = 0.0
    for i in range(start, stop, GROUP):
        rows = kernel[i : i + GROUP] if len(kernel) else scratch
        for k in range(GROUP):
            shift[k] = alpha[min(i + k, stop - 1)]
        _guided_rows(pairs, i, inverse, offset, shift, costs, rows, totals)
        if not (totals.min() > 1 / FAR and totals.max() < FAR):
            _peaks(pairs, i, inverse, offset, costs, shift)
            _guided_rows(pairs, i, inverse, offset, shift, costs, rows, totals)
        for k in range(GROUP):
            if i + k < stop:
                alpha[i + k] = shift[k] - np.log(totals[k])
                totals[k] = a[i + k] / totals[k]
            else:
                totals[k] = 0.0
        for low in range(0, width, TILE):
            _add32(columns, rows, low, totals[0], totals[1], totals[2], totals[3])


@compiled(types.float64(_F1, _F, _F, _F1, _F1, _F, _F1), fastmath={"contract"})
def _plan_row(
    costs: np.ndarray, f: float, a: float, g: np.ndarray, b: np.ndarray, inverse: float, out: np.ndarray
) -> float:  # fmt: skip
    """out <- a b exp((f + g - costs) / epsilon), at most a; its sum, by tiles."""
    wide()
    total = 0.0
    for j in range(len(g)):
        out[j] = a * min(b[j] * _exp(min((f - costs[j] + g[j]) * inverse, LARGEST)), 1.0)
    for low in range(0, len(g), TILE):
        total += _sum(out[low : min(low + TILE, len(g))])
    return total


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F2))
def plan_rows(
    pairs: Pairs, start: int, stop: int, epsilon: float, f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """The Gibbs plan (n, m), as `plan_sums` sums it."""
    costs = _plane(len(b))
    for first in range(start, stop, GROUP):
        _costs(pairs, first, costs)
        for i in range(first, min(first + GROUP, stop)):
            _plan_row(costs[i - first], f[i], a[i], g, b, 1.0 / epsilon, out[i])


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _F1, _F1))
def plan_sums(
    pairs: Pairs, start: int, stop: int, epsilon: float, f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray,
    rows: np.ndarray, factors: np.ndarray, columns: np.ndarray,
) -> None:  # fmt: skip
    """Row sums of the Gibbs plan, the factors that take them down to a, and the column sums of the plan so scaled."""
    m = len(b)
    costs, values = _plane(m), _room(m)
    columns[:] = 0.0
    for first in range(start, stop, GROUP):
        _costs(pairs, first, costs)
        for i in range(first, min(first + GROUP, stop)):
            rows[i] = _plan_row(costs[i - first], f[i], a[i], g, b, 1.0 / epsilon, values)
            factors[i] = factor = a[i] / rows[i] if rows[i] > a[i] else 1.0
            _add(columns, factor, values)


@compiled(types.void(PAIRS, _I, _I, _F, _F1, _F1, _F1, _F1, _F1, _F1, _F1, _F1, _F1))
def rounded_sums(
    pairs: Pairs, start: int, stop: int, epsilon: float, f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray,
    row_factors: np.ndarray, column_factors: np.ndarray, rows: np.ndarray, columns: np.ndarray, spent: np.ndarray,
) -> None:  # fmt: skip
    """Row sums, column sums and the cost by row of the Gibbs plan scaled by both factors; no sum is reordered here."""
    m = len(b)
    costs, values = _plane(m), _room(m)
    columns[:] = 0.0
    for first in range(start, stop, GROUP):
        _costs(pairs, first, costs)
        for i in range(first, min(first + GROUP, stop)):
            _plan_row(costs[i - first], f[i], a[i], g, b, 1.0 / epsilon, values)
            rows[i], spent[i] = 0.0, 0.0
            for low in range(0, m, TILE):
                high = min(low + TILE, m)
                tile, factor, sums, cost = (
                    values[low:high], column_factors[low:high], columns[low:high], costs[i - first][low:high]
                )  # fmt: skip
                for q in range(high - low):
                    tile[q] = row_factors[i] * tile[q] * factor[q]
                    sums[q] += tile[q]
                rows[i] += _sum(tile)
                for q in range(high - low):
                    tile[q] *= cost[q]
                spent[i] += _sum(tile)


@compiled(types.void(PAIRS, _I, _I, _F, _F, _F1, _F1, _F1))
def transforms(
    pairs: Pairs, start: int, stop: int, shrink: float, lower: float, g: np.ndarray, f: np.ndarray, best: np.ndarray
) -> None:
    """f_i = min_j c_ij - g_j for rows start..stop, and best_j = min_i c_ij shrink - lower - f_i.

    Whatever rounding makes of f, it and best, rounded down, are feasible for costs that may be lower by so much.
    """
    m = len(g)
    costs, values = _plane(m), _room(m)
    best[:] = np.inf
    for i in range(start, stop, GROUP):
        _costs(pairs, i, costs)
        for k in range(min(GROUP, stop - i)):
            f[i + k] = -_range(costs[k], g, values)[1]
            _cheapest(costs[k], shrink, lower, f[i + k], best)
