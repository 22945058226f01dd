"""Points in k-d order, and boxes around every cell of them with bounds on a potential inside.

The order makes the tree implicit: cell k of level l holds the points [n k >> l, n (k + 1) >> l), and its children are
cells 2k and 2k + 1 of level l + 1. It is number 2**l - 1 + k of all cells. Inside a cell a potential g lies below the
trend alpha + beta . (y - centre), which follows it far more closely than its maximum does: an optimal potential is
nearly linear across a small cell, and its slope is that of the cost to the partner.
"""

from typing import NamedTuple

import numpy as np
from numba import typeof

from divergences._compiler import compiled

LEAF, WIDE_LEAF = 64, 256  # points in a leaf; long loops are worth more than the pruning of small boxes
FEW_DIMENSIONS = 3  # where leaves are the small ones
UNIT = 2.0**-53


class Cells(NamedTuple):
    """Points (d, n) in k-d order, a potential g (n,) on them, and per cell its box and the bounds of g inside."""

    points: np.ndarray  # (d, n)
    g: np.ndarray  # (n,)
    depth: int
    center: np.ndarray  # (cells, d)
    half: np.ndarray  # (cells, d)
    beta: np.ndarray  # (cells, d)
    alpha: np.ndarray  # (cells,)
    top: np.ndarray  # (cells,)


_PLANE, _LINE = np.zeros((1, 1)), np.zeros(1)
CELLS = typeof(Cells(_PLANE, _LINE, 0, _PLANE, _PLANE, _PLANE, _LINE, _LINE))


@compiled("void(float64[::1], int64[::1], int64, int64, int64)")
def _select(key: np.ndarray, index: np.ndarray, low: int, high: int, rank: int) -> None:
    """Partition key[low:high] around its order statistic at position `rank`, `index` along with it (Hoare)."""
    high -= 1
    while high > low:
        first, middle, last = key[low], key[(low + high) >> 1], key[high]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, j = low, high
        while i <= j:
            while key[i] < pivot:
                i += 1
            while key[j] > pivot:
                j -= 1
            if i <= j:
                key[i], key[j] = key[j], key[i]
                index[i], index[j] = index[j], index[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            return


@compiled("int64[::1](float64[:, ::1], int64)")
def kd_order(x: np.ndarray, leaf: int) -> np.ndarray:
    """The permutation of the points x (n, d) into k-d order: each cell is halved along its widest side."""
    n, d = x.shape
    index = np.arange(n)
    key = np.empty(n)
    level = 0
    while (n >> level) > leaf:
        for k in range(1 << level):
            low, high = (n * k) >> level, (n * (k + 1)) >> level
            widest, axis = -1.0, 0
            for t in range(d):
                smallest, largest = np.inf, -np.inf
                for q in range(low, high):
                    smallest = min(smallest, x[index[q], t])
                    largest = max(largest, x[index[q], t])
                if largest - smallest > widest:
                    widest, axis = largest - smallest, t
            for q in range(low, high):
                key[q] = x[index[q], axis]
            _select(key, index, low, high, (n * (2 * k + 1)) >> (level + 1))
        level += 1
    return index


@compiled("void(float64[:, ::1], int64, float64[:, ::1], float64[:, ::1])")
def _boxes(points: np.ndarray, depth: int, center: np.ndarray, half: np.ndarray) -> None:
    """Centres and half widths of all cells; each box holds its points in real arithmetic."""
    d, n = points.shape
    for level in range(depth + 1):
        for k in range(1 << level):
            v = (1 << level) - 1 + k
            for t in range(d):
                smallest, largest = np.inf, -np.inf
                for q in range((n * k) >> level, (n * (k + 1)) >> level):
                    smallest, largest = min(smallest, points[t, q]), max(largest, points[t, q])
                center[v, t] = 0.5 * smallest + 0.5 * largest
                half[v, t] = max(center[v, t] - smallest, largest - center[v, t]) * (1.0 + 4.0 * UNIT)


@compiled(
    "void(float64[:, ::1], int64, float64[:, ::1], float64[::1], float64[:, ::1], float64[:, ::1], float64[::1],"
    " float64[::1])",
)
def _trends(
    points: np.ndarray, depth: int, center: np.ndarray, g: np.ndarray, slope: np.ndarray, beta: np.ndarray,
    alpha: np.ndarray, top: np.ndarray,
) -> None:  # fmt: skip
    """beta: the mean slope of a cell; alpha, rounded upwards: the height of the trend above all g inside it."""
    d, n = points.shape
    for level in range(depth + 1):
        for k in range(1 << level):
            v = (1 << level) - 1 + k
            low, high = (n * k) >> level, (n * (k + 1)) >> level
            for t in range(d):
                mean = 0.0
                for q in range(low, high):
                    mean += slope[t, q]
                beta[v, t] = mean / (high - low)
            alpha[v], top[v] = -np.inf, -np.inf
            for q in range(low, high):
                height, size = g[q], abs(g[q])
                for t in range(d):
                    step = beta[v, t] * (points[t, q] - center[v, t])
                    height -= step
                    size += abs(step)
                if g[q] > -np.inf:
                    alpha[v] = max(alpha[v], height + (2 * d + 8) * UNIT * size)
                    top[v] = max(top[v], g[q])


def cells(points: np.ndarray, g: np.ndarray, slope: np.ndarray) -> Cells:
    """The cells of points (n, d) that are in k-d order, for the potential g (n,) with about this slope (n, d)."""
    n, d = points.shape
    leaf = LEAF if d <= FEW_DIMENSIONS else WIDE_LEAF
    depth = max((n // leaf).bit_length() - 1, 0)
    rows = np.ascontiguousarray(points.T)
    center, half, beta = np.empty((3, (2 << depth) - 1, d))
    alpha, top = np.empty((2, (2 << depth) - 1))
    _boxes(rows, depth, center, half)
    _trends(rows, depth, center, g, np.ascontiguousarray(slope.T), beta, alpha, top)
    return Cells(rows, g, depth, center, half, beta, alpha, top)
