r"""Compiled sums of f-divergences: one pass over memory that adds up costs and masses and sees what it must not touch.

Per atom the cost q f̃(p/q) is built, like the general one, on the excess e(x) = x - log(1 + x) at x = (q-p)/p. With
1 + x = q/p = 2^k m, m in [√½, √2) and f = m - 1, the logarithm of fdlibm (`__ieee754_log`) gives

    log m = f - (f²/2 - s (f²/2 + R(s²))),  s = f / (2 + f),      hence  e(f) = f²/2 - s (f²/2 + R(s²))

without the first order, and e(x) = e(f) + (x - f) - k log 2. For k = 0 the quotient x itself is taken for f, so that p
near q keeps its relative accuracy; for k ≠ 0 the correction is far from zero. Without a branch, loops become vector
instructions. Masses are 0 or at least 2^-900; a row with others is left to the general path, and so is NaN.
"""

import numpy as np
from numba import njit, types

from divergences._compiler import bits, compiled, from_bits

KINDS = ("kl", "jeffreys", "weighted_js", "total_variation", "pearson", "squared_hellinger", "le_cam")
KL, JEFFREYS, WEIGHTED_JS, TOTAL_VARIATION, PEARSON, SQUARED_HELLINGER, LE_CAM = range(len(KINDS))

TILE = 1024  # atoms whose costs wait in the first-level cache to be summed
SMALLEST = 2.0**-900  # of the positive masses; too large a mass shows in its sum
LOG2 = float(np.log(2.0))
ROOT_HALF = int(np.sqrt(np.float64(0.5)).view(np.int64))
# Minimax coefficients of R, published in fdlibm: log((1+s)/(1-s)) = 2s + s R(s²) to 2^-58.45 for s <= 0.1716.
R1, R2, R3, R4 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01
R5, R6, R7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01

_inline = njit(inline="always", error_model="numpy")


@_inline
def _split(x: float, ratio: float) -> tuple[int, float, float]:
    """(k, f, e(f)) of ratio = 1 + x > 0."""
    i = bits(ratio)
    k = (i - ROOT_HALF) >> 52
    f = from_bits(i - (k << 52)) - 1.0
    f = x if k == 0 else f
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = z * (R1 + w * (R3 + w * (R5 + w * R7))) + w * (R2 + w * (R4 + w * R6))
    h = 0.5 * f * f
    return k, f, h - s * (h + r)


@_inline
def _kl(p: float, q: float) -> float:
    """p log(p/q) - p + q."""
    d = q - p
    x = d / p
    k, f, excess = _split(x, q / p)
    cost = p * (excess + (0.0 if k == 0 else (x - f) - k * LOG2))
    cost = d if p == 0.0 else cost
    return np.inf if (q == 0.0) & (p > 0.0) else cost


@_inline
def _jeffreys(p: float, q: float) -> float:
    """(q - p) log(q/p)."""
    d = q - p
    k, f, excess = _split(d / p, q / p)
    cost = d * ((f - excess) + (0.0 if k == 0 else k * LOG2))
    cost = np.inf if (p == 0.0) | (q == 0.0) else cost
    return 0.0 if d == 0.0 else cost


@_inline
def _entropy_term(x: float, ratio: float) -> float:
    """(1 + x) log(1 + x) - x >= 0 at ratio = 1 + x; 1 at ratio 0, where the logarithm of the bits is finite."""
    k, f, excess = _split(x, ratio)
    return f * f - excess * (1.0 + f) if k == 0 else ratio * ((f - excess) + k * LOG2) - x


@_inline
def _weighted_js(p: float, q: float, w: float) -> float:
    """w kl(p, m) + (1-w) kl(q, m), m = w p + (1-w) q; p/m and q/m differ from one by multiples of (p - q)/m."""
    v, d = 1.0 - w, p - q
    m = w * p + v * q
    inverse = 1.0 / m
    x = d * inverse
    cost = m * (w * _entropy_term(v * x, p * inverse) + v * _entropy_term(-w * x, q * inverse))
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
            costs[i] = _kl(p[i], q[i])
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
            _fill(kind, weight, tile_p, tile_q, tile)
            for row in range(first, last):
                low = max(row * k - begin, 0)
                high = min((row + 1) * k - begin, end - begin)
                sums[row, 0] += _total(tile[low:high])
                sums[row, 1] += _total_mass(tile_p[low:high])
                sums[row, 2] += _total_mass(tile_q[low:high])
