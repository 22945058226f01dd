"""Compiled sweeps on a stored kernel: each is one reading of it, in single precision."""

import numpy as np
from numba import types

from divergences._compiler import compiled, wide

GROUP = 4  # rows of a stored kernel that share a pass over the scalings
_F, _I, _F1, _SINGLE = types.float64, types.int64, types.float64[::1], types.float32[:, ::1]


@compiled(types.Tuple((_F, _F, _F, _F))(_SINGLE, _I, _F1), fastmath={"contract", "reassoc"})
def _products(kernel: np.ndarray, i: int, v: np.ndarray) -> tuple[float, float, float, float]:
    """Four rows of the kernel times v."""
    wide()
    k0, k1, k2, k3 = kernel[i], kernel[i + 1], kernel[i + 2], kernel[i + 3]
    s0 = s1 = s2 = s3 = 0.0
    for j in range(len(v)):
        s0 += k0[j] * v[j]
        s1 += k1[j] * v[j]
        s2 += k2[j] * v[j]
        s3 += k3[j] * v[j]
    return s0, s1, s2, s3


@compiled(types.void(_SINGLE, _I, _I, _F1, _F1, _F1), fastmath={"contract"})
def scaled_sweep(
    kernel: np.ndarray, start: int, stop: int, v: np.ndarray, a: np.ndarray, columns: np.ndarray
) -> None:  # fmt: skip
    """Column sums (m,) of the rows start..stop of a / (K v) K: what makes the rows of K v exact.

    One reading of the kernel does both. The number of rows of `kernel` is a multiple of four, and its rows may be
    longer than v (m,).
    """
    wide()
    m = len(v)
    sums = np.empty(GROUP)
    columns[:] = 0.0
    for i in range(start, stop, GROUP):
        sums[0], sums[1], sums[2], sums[3] = _products(kernel, i, v)
        for k in range(GROUP):
            if i + k < stop:
                sums[k] = a[i + k] / sums[k]
            else:
                sums[k] = 0.0
        w0, w1, w2, w3 = sums[0], sums[1], sums[2], sums[3]
        k0, k1, k2, k3 = kernel[i], kernel[i + 1], kernel[i + 2], kernel[i + 3]
        for j in range(m):
            columns[j] += (w0 * k0[j] + w1 * k1[j]) + (w2 * k2[j] + w3 * k3[j])
