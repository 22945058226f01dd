"""Floating-point sums that know their own error.

Every bracket of this package is true in real arithmetic because each sum in it comes with a proven radius.
The building blocks are error-free: `x + y = s + e` and `x * y = p + e` hold exactly (Dekker 1971, Knuth 1969), so
a sum is carried as a pair and its error is of second order (Ogita, Rump and Oishi 2005). Where every operation was
exact the radius is exactly 0.
"""

import math

import numpy as np

UNIT = 2.0**-53  # the relative error of one rounded operation in float64
EXTENDED = np.longdouble  # 64-bit mantissa on x86; where it equals float64 the bounds are wider, not wrong
EXTENDED_UNIT = float(np.finfo(EXTENDED).eps) / 2
SUBNORMAL = 2.0**-1074  # the smallest positive float64: the absolute error of an underflow
FEW = 512  # terms up to which `math.fsum` is quicker than passes over arrays
_SPLITTER = 2.0**27 + 1


def two_sum(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(s, e)` with s = fl(x + y) and s + e = x + y exactly."""
    s = x + y
    back = s - x
    return s, (x - (s - back)) + (y - back)


def two_product(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(p, e)` with p = fl(x y) and p + e = x y exactly, barring underflow."""
    p = x * y
    x_high, x_low = _split(x)
    y_high, y_low = _split(y)
    return p, ((x_high * y_high - p) + x_high * y_low + x_low * y_high) + x_low * y_low


def _split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of 26 bits each with high + low = x exactly."""
    scaled = _SPLITTER * x
    high = scaled - (scaled - x)
    return high, x - high


def dot(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """`(value, radius)` with |value - sum_k x_k y_k| <= radius, for one-dimensional arrays below 2**400.

    >>> dot(np.array([1e16, 1.0, -1e16]), np.ones(3))
    (1.0, 0.0)
    """
    products, errors = two_product(x, y)
    underflow = np.count_nonzero((np.abs(products) < 2.0**-960) & (x != 0) & (y != 0))
    value, radius = _tree_sum(products, errors)
    return value, radius + 4 * SUBNORMAL * int(underflow)


def total(x: np.ndarray) -> tuple[float, float]:
    """`(value, radius)` with |value - sum_k x_k| <= radius."""
    return _tree_sum(np.asarray(x, dtype=np.float64), np.zeros(len(x)))


def _tree_sum(s: np.ndarray, e: np.ndarray) -> tuple[float, float]:
    """Sum of s + e by halving: the rounding errors of s are exact and join e; those of e are of second order.

    Few terms are summed exactly and rounded once, which is quicker.
    """
    if len(s) <= FEW:
        terms = s.tolist() + e.tolist()
        value = math.fsum(terms)
        return value, abs(math.fsum([*terms, -value])) * (1 + 2.0**-52)
    magnitude = np.abs(e)
    depth = 2
    while len(s) > 1:
        if len(s) % 2:
            s, e, magnitude = (np.append(v, 0.0) for v in (s, e, magnitude))
        half = len(s) // 2
        s, lost = two_sum(s[:half], s[half:])
        e = e[:half] + e[half:] + lost
        magnitude = magnitude[:half] + magnitude[half:] + np.abs(lost)
        depth += 1
    value, lost = two_sum(s, e)
    return float(value[0]), abs(float(lost[0])) + 5 * depth * UNIT * float(magnitude[0])


def cumulative(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Running sums of `x` as pairs (high, low), about 2**-100 accurate, in blocks of sqrt(n)."""
    n = len(x)
    width = max(1, math.isqrt(max(n - 1, 0)) + 1)
    columns = np.zeros(width * width)
    columns[:n] = x
    columns = np.ascontiguousarray(columns.reshape(width, width).T)  # columns[k] holds entry k of every block
    high, low = columns.copy(), np.zeros_like(columns)
    for k in range(1, width):
        high[k], lost = two_sum(high[k - 1], columns[k])
        low[k] = low[k - 1] + lost
    start_high, start_low = np.zeros(width), np.zeros(width)
    for block in range(1, width):
        s, lost = two_sum(start_high[block - 1], high[-1, block - 1])
        start_high[block], start_low[block] = s, start_low[block - 1] + low[-1, block - 1] + lost
    high, lost = two_sum(high, start_high)
    high, low = two_sum(high, low + start_low + lost)
    return high.T.ravel()[:n], low.T.ravel()[:n]


def extended_cumulative(x: np.ndarray) -> tuple[np.ndarray, int]:
    """Running sums of an extended-precision array in blocks of sqrt(n), and that width w.

    Entry k is off by at most (2 w + 2) EXTENDED_UNIT times the sum of the absolute values up to k.
    """
    n = len(x)
    width = max(1, math.isqrt(max(n - 1, 0)) + 1)
    blocks = np.zeros(width * width, dtype=EXTENDED)
    blocks[:n] = x
    blocks = np.cumsum(blocks.reshape(width, width), axis=1)
    starts = np.concatenate([np.zeros(1, dtype=EXTENDED), np.cumsum(blocks[:-1, -1])])
    return (blocks + starts[:, None]).ravel()[:n], width


def above(value: float, extra: float) -> float:
    """A float64 at least value + extra (extra >= 0), equal to value where extra is 0."""
    return value if extra == 0 else math.nextafter(value + extra * (1 + 2.0**-48), math.inf)


def below(value: float, extra: float) -> float:
    """A float64 at most value - extra (extra >= 0), equal to value where extra is 0."""
    return -above(-value, extra)
