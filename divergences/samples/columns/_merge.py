"""The compiled kernel that walks two sorted samples at once."""

import numpy as np

from divergences._compiler import compiled


@compiled("UniTuple(int64, 3)(float64[::1], float64[::1], int64, int64, float64[::1], int64[::1], int64[::1])")
def merge(
    x: np.ndarray, y: np.ndarray, i: int, j: int, values: np.ndarray, ahead_x: np.ndarray, ahead_y: np.ndarray
) -> tuple[int, int, int]:
    """Distinct values of sorted x and y from x[i], y[j] on, and how many of each sample are at most that.

    Fills the arrays from index 1 on; returns where it stopped in x and in y, and the last index filled.
    """
    n, m, k, last = len(x), len(y), 0, len(values) - 1
    while k < last and (i < n or j < m):
        value = x[i] if j == m or (i < n and x[i] <= y[j]) else y[j]
        while i < n and x[i] == value:
            i += 1
        while j < m and y[j] == value:
            j += 1
        k += 1
        values[k], ahead_x[k], ahead_y[k] = value, i, j
    return i, j, k
