"""Compiled sums of Gaussian kernels over a sample: no matrix of them is ever held.

The exponential is e^x = 2^k e^r with |r| <= log(2)/2 and Taylor's polynomial of e^r to degree 12, which is right to two
units in the last place and becomes vector instructions.
"""

import numpy as np
from numba import njit, types

from divergences._compiler import bits, compiled, from_bits

TILE, GROUP = 512, 64  # rows whose distances stay in the first-level cache; points that share a tile of rows
INVERSE_LOG2 = 1.4426950408889634
LOG2_HIGH, LOG2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the high part has 33 bits
MAGIC = 1.5 * 2.0**52  # adding it rounds to a whole number, in the low bits
SMALLEST = -708.0  # below, e^x is a subnormal or 0: taken as 0

_F, _I, _F1, _F2 = types.float64, types.int64, types.float64[::1], types.float64[:, ::1]
_ENDS = types.int64[::1]


@njit(inline="always", error_model="numpy")
def _exp(x: float) -> float:
    """e^x for x <= 0; 0 below -708."""
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


@njit(_F(_F1), error_model="numpy", fastmath={"contract", "reassoc"})
def _total(squares: np.ndarray) -> float:
    """Σ exp(−squares/2)."""
    total = 0.0
    for q in range(len(squares)):
        total += _exp(-0.5 * squares[q])
    return total


@njit(types.void(_F, _F1, _F1), error_model="numpy", fastmath={"contract"})
def _add_square(u: float, column: np.ndarray, squares: np.ndarray) -> None:
    for q in range(len(squares)):
        gap = u - column[q]
        squares[q] += gap * gap


@compiled(types.void(_F2, _I, _I, _F2, _ENDS, _F2))
def sums(points: np.ndarray, start: int, stop: int, columns: np.ndarray, ends: np.ndarray, out: np.ndarray) -> None:
    """Into out[start:stop], (., groups): Σ exp(−‖point − row‖²/2) over each group of rows.

    The rows are the columns of `columns`, (d, n); group k holds those from ends[k] to ends[k + 1].
    """
    space = np.empty(TILE)
    out[start:stop] = 0.0
    for first in range(start, stop, GROUP):
        last = min(first + GROUP, stop)
        for k in range(len(ends) - 1):
            for low in range(ends[k], ends[k + 1], TILE):
                high = min(low + TILE, ends[k + 1])
                squares = space[: high - low]
                for i in range(first, last):
                    squares[:] = 0.0
                    for t in range(len(columns)):
                        _add_square(points[i, t], columns[t, low:high], squares)
                    out[i, k] += _total(squares)
