r"""Compiled sums of f-divergences, and their slopes: one pass over memory, which sees what it must not touch.

Costs are logarithms of q/p = 2^k m, where k is the rounded difference of the bits of q and p, exponents first, so that
m = q'/p is in [2/3, 3/2], q' = 2^-k q. With d' = q' - p, which is exact, and s = d'/(q' + p), |s| <= 1/5,

    log m = 2 s + s R(s²),  R(z) = 2 z/3 + 2 z²/5 + 2 z³/7 + ...,      hence  d' - p log m = s (d' - p R(s²))

without the first order, by one division and no other: p near q (k = 0) keeps its relative accuracy, and for k ≠ 0 what
is added is far from zero. Without a branch, loops become vector instructions. Masses are 0 or at least 2^-900; a row
with others is left to the general path, and so is NaN.
"""

from typing import Any

import numpy as np
from numba import njit, types

from divergences._compiler import bits, compiled, from_bits

KINDS = ("kl", "jeffreys", "weighted_js", "total_variation", "pearson", "squared_hellinger", "le_cam")
KL, JEFFREYS, WEIGHTED_JS, TOTAL_VARIATION, PEARSON, SQUARED_HELLINGER, LE_CAM = range(len(KINDS))

LONG = (KL, JEFFREYS, WEIGHTED_JS)  # per atom

TILE = 1024  # atoms whose costs wait in the first-level cache to be summed
SMALLEST = 2.0**-900  # of the positive masses; too large a mass shows in its sum
LOG2 = float(np.log(2.0))
HALF = 1 << 51  # of a unit of the exponent
R1, R2, R3, R4, R5 = 2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11
R6, R7, R8, R9, R10 = 2 / 13, 2 / 15, 2 / 17, 2 / 19, 2 / 21  # the next is below 2^-60 of the logarithm

_inline = njit(inline="always", error_model="numpy")


@_inline
def _split(p: float, q: float, d: float) -> tuple[int, float, float, float]:
    """(k, d', s, R(s²)) of two positive masses with the difference d = q - p, which may be more exact than they are."""
    i = bits(q)
    k = (i - bits(p) + HALF) >> 52
    near = from_bits(i - (k << 52))
    d = d if k == 0 else near - p
    s = d / (near + p)
    z = s * s
    w = z * z
    odd = R1 + w * (R3 + w * (R5 + w * (R7 + w * R9)))
    even = R2 + w * (R4 + w * (R6 + w * (R8 + w * R10)))
    return k, d, s, z * odd + w * even


@_inline
def _kl(p: float, q: float, d: float) -> float:
    """p log(p/q) - p + q, with d = q - p."""
    k, near, s, r = _split(p, q, d)
    cost = s * (near - p * r) + (0.0 if k == 0 else (d - near) - p * (k * LOG2))
    cost = d if p == 0.0 else cost
    return np.inf if (q == 0.0) & (p > 0.0) else cost


@_inline
def _log_ratio(p: float, q: float, d: float) -> float:
    """log(q/p), with d = q - p."""
    k, _, s, r = _split(p, q, d)
    return s * (2.0 + r) + k * LOG2


@_inline
def _jeffreys(p: float, q: float) -> float:
    """(q - p) log(q/p)."""
    d = q - p
    cost = np.inf if (p == 0.0) | (q == 0.0) else d * _log_ratio(p, q, d)
    return 0.0 if d == 0.0 else cost


@_inline
def _weighted_js(p: float, q: float, w: float) -> float:
    """w kl(p, m) + (1-w) kl(q, m), m = w p + (1-w) q; m - p and m - q are multiples of q - p."""
    v, d = 1.0 - w, q - p
    m = w * p + v * q
    cost = w * _kl(p, m, v * d) + v * _kl(q, m, -w * d)
    return 0.0 if d == 0.0 else cost


@_inline
def _pearson(p: float, q: float) -> float:
    d = p - q
    root = d / np.sqrt(q)
    return 0.0 if d == 0.0 else root * root


@_inline
def _squared_hellinger(p: float, q: float) -> float:
    d = p - q
    root = d / (np.sqrt(p) + np.sqrt(q))
    return 0.0 if d == 0.0 else root * root


@_inline
def _le_cam(p: float, q: float) -> float:
    d = p - q
    return 0.0 if d == 0.0 else 0.5 * (d * (d / (p + q)))


# Only in these two loops may additions change their order: as many lanes as vector registers hold.


@njit(error_model="numpy", fastmath={"reassoc"})
def _total(terms: np.ndarray) -> float:
    total = 0.0
    for i in range(len(terms)):
        total += terms[i]
    return total


@njit(error_model="numpy", fastmath={"reassoc"})
def _total_mass(masses: np.ndarray) -> float:
    """The sum, or NaN if a mass is NaN, negative or tiny."""
    total = 0.0
    for i in range(len(masses)):
        x = masses[i]
        total += x if (x == 0.0) | (x >= SMALLEST) else np.nan
    return total


@njit(error_model="numpy", fastmath={"contract"})
def _fill(kind: int, weight: float, p: np.ndarray, q: np.ndarray, costs: np.ndarray) -> None:
    """The cost of each atom of a tile."""
    if kind == KL:
        for i in range(len(costs)):
            costs[i] = _kl(p[i], q[i], q[i] - p[i])
    elif kind == JEFFREYS:
        for i in range(len(costs)):
            costs[i] = _jeffreys(p[i], q[i])
    elif kind == WEIGHTED_JS:
        for i in range(len(costs)):
            costs[i] = _weighted_js(p[i], q[i], weight)
    elif kind == TOTAL_VARIATION:
        for i in range(len(costs)):
            costs[i] = 0.5 * abs(p[i] - q[i])
    elif kind == PEARSON:
        for i in range(len(costs)):
            costs[i] = _pearson(p[i], q[i])
    elif kind == SQUARED_HELLINGER:
        for i in range(len(costs)):
            costs[i] = _squared_hellinger(p[i], q[i])
    elif kind == LE_CAM:
        for i in range(len(costs)):
            costs[i] = _le_cam(p[i], q[i])


@_inline
def _part(tile: np.ndarray, row: int, k: int, begin: int) -> np.ndarray:
    """What a tile that begins at atom `begin` has of a row of k atoms."""
    return tile[max(row * k - begin, 0) : min((row + 1) * k - begin, len(tile))]


@_inline
def _add_masses(p: np.ndarray, q: np.ndarray, first: int, last: int, k: int, begin: int, sums: np.ndarray) -> None:
    for row in range(first, last):
        sums[row, 1] += _total_mass(_part(p, row, k, begin))
        sums[row, 2] += _total_mass(_part(q, row, k, begin))


_MASSES = types.Array(types.float64, 2, "C", readonly=True)  # writable arrays are accepted too
_SUMS = types.Array(types.float64, 2, "C")


@compiled(types.void(types.int64, types.float64, _MASSES, _MASSES, _SUMS))
def row_sums(kind: int, weight: float, p: np.ndarray, q: np.ndarray, sums: np.ndarray) -> None:
    """Per row of p and q, shape (n, k): Σ cost, Σ p and Σ q (NaN for an unfit mass) into `sums`, shape (n, 3)."""
    n, k = p.shape
    p, q = p.reshape(n * k), q.reshape(n * k)
    costs = np.empty(TILE)
    group = max(1, TILE // k)  # short rows share a tile, a long row takes several
    sums[:] = 0.0
    for first in range(0, n, group):
        last = min(first + group, n)
        for begin in range(first * k, last * k, TILE):
            end = min(begin + TILE, last * k)
            tile_p, tile_q, tile = p[begin:end], q[begin:end], costs[: end - begin]
            # A short loop runs ahead of the memory, a long one waits for it on each page: the short one goes first.
            if kind in LONG:
                _add_masses(tile_p, tile_q, first, last, k, begin, sums)
            _fill(kind, weight, tile_p, tile_q, tile)
            if kind not in LONG:
                _add_masses(tile_p, tile_q, first, last, k, begin, sums)
            for row in range(first, last):
                sums[row, 0] += _total(_part(tile, row, k, begin))


def _slopes(of_atom: Any) -> Any:
    """A loop over atoms: `asked` times the two slopes (p, q, weight) -> (by p, by q) of a cost, by the rules for zeros.

    -inf becomes 0, and where both masses are 0 the slopes are `empty`. It returns whether all masses are 0 or large.
    """
    of_atom = _inline(of_atom)

    @njit(error_model="numpy", fastmath={"contract"})
    def fill(weight: float, asked: float, empty: Any, p: Any, q: Any, out_p: Any, out_q: Any) -> bool:
        fit = True
        for i in range(len(p)):
            by_p, by_q = of_atom(p[i], q[i], weight)
            none = (p[i] == 0.0) & (q[i] == 0.0)
            by_p = empty[0] if none else 0.0 if by_p == -np.inf else by_p
            by_q = empty[1] if none else 0.0 if by_q == -np.inf else by_q
            out_p[i], out_q[i] = asked * by_p, asked * by_q
            fit &= ((p[i] == 0.0) | (p[i] >= SMALLEST)) & ((q[i] == 0.0) | (q[i] >= SMALLEST))
        return fit

    return fill


@_slopes
def _kl_slopes(p: float, q: float, _weight: float) -> tuple[float, float]:
    by_p = -np.inf if p == 0.0 else -_log_ratio(p, q, q - p)
    return np.inf if q == 0.0 else by_p, (q - p) / q


@_slopes
def _jeffreys_slopes(p: float, q: float, _weight: float) -> tuple[float, float]:
    d, ratio = q - p, _log_ratio(p, q, q - p)
    by_p = -np.inf if p == 0.0 else -ratio - d / p
    by_q = -np.inf if q == 0.0 else ratio + d / q
    return np.inf if q == 0.0 else by_p, np.inf if p == 0.0 else by_q


@_slopes
def _weighted_js_slopes(p: float, q: float, w: float) -> tuple[float, float]:
    v, d = 1.0 - w, q - p
    m = w * p + v * q
    by_p, by_q = -w * _log_ratio(p, m, v * d), -v * _log_ratio(q, m, -w * d)
    return -np.inf if p == 0.0 else by_p, -np.inf if q == 0.0 else by_q


@_slopes
def _total_variation_slopes(p: float, q: float, _weight: float) -> tuple[float, float]:
    by_q = 0.0 if p == q else 0.5 if q > p else -0.5
    return -by_q, by_q


@_slopes
def _pearson_slopes(p: float, q: float, _weight: float) -> tuple[float, float]:
    x = (p - q) / q
    return 2.0 * x, -x * (1.0 + p / q)


@_slopes
def _squared_hellinger_slopes(p: float, q: float, _weight: float) -> tuple[float, float]:
    root_p, root_q = np.sqrt(p), np.sqrt(q)
    gap = (p - q) / (root_p + root_q)
    return gap / root_p, -gap / root_q


@_slopes
def _le_cam_slopes(p: float, q: float, _weight: float) -> tuple[float, float]:
    inverse = 1.0 / (p + q)
    x = (p - q) * inverse
    return 0.5 * (x * (1.0 + 2.0 * (q * inverse))), -0.5 * (x * (1.0 + 2.0 * (p * inverse)))


_PAIR, _VALUES, _FLAGS = types.UniTuple(types.float64, 2), types.float64[::1], types.boolean[::1]


@compiled(types.void(types.int64, types.float64, _VALUES, _PAIR, _MASSES, _MASSES, _SUMS, _SUMS, _FLAGS))
def row_slopes(
    kind: int,
    weight: float,
    asked: np.ndarray,
    empty: tuple[float, float],
    p: np.ndarray,
    q: np.ndarray,
    by_p: np.ndarray,
    by_q: np.ndarray,
    fit: np.ndarray,
) -> None:
    """`asked` (n,) times the slopes of the rows of p and q, (n, k), into `by_p` and `by_q`; 0 where nothing is asked.

    `empty` are the slopes where both masses are 0. Rows with a mass that is tiny or none are not `fit`.
    """
    for row in range(len(p)):
        times, a, b, out_p, out_q = asked[row], p[row], q[row], by_p[row], by_q[row]
        fit[row] = True
        if times == 0.0:
            out_p[:], out_q[:] = 0.0, 0.0
        elif kind == KL:
            fit[row] = _kl_slopes(weight, times, empty, a, b, out_p, out_q)
        elif kind == JEFFREYS:
            fit[row] = _jeffreys_slopes(weight, times, empty, a, b, out_p, out_q)
        elif kind == WEIGHTED_JS:
            fit[row] = _weighted_js_slopes(weight, times, empty, a, b, out_p, out_q)
        elif kind == TOTAL_VARIATION:
            fit[row] = _total_variation_slopes(weight, times, empty, a, b, out_p, out_q)
        elif kind == PEARSON:
            fit[row] = _pearson_slopes(weight, times, empty, a, b, out_p, out_q)
        elif kind == SQUARED_HELLINGER:
            fit[row] = _squared_hellinger_slopes(weight, times, empty, a, b, out_p, out_q)
        elif kind == LE_CAM:
            fit[row] = _le_cam_slopes(weight, times, empty, a, b, out_p, out_q)
