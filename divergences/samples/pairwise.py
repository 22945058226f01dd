"""Sums over all pairs of points, in blocks of rows, for NumPy and torch."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist, pdist

from divergences._arrays import Array, is_torch, namespace
from divergences._checks import points, same_dimension

Kernel = Callable[[Array, Array], Array]

BLOCK = 2**22  # entries of a block: 32 MiB in float64


def samples(x: Any, y: Any) -> tuple[Array, Array, Array]:
    """`x` and `y` as (n, d) and (m, d) float64 arrays around their common centre, and the centre.

    Centring comes first because differences of large numbers lose the digits that distances are made of.
    """
    x, _ = points(x, "x")
    y, _ = points(y, "y")
    xp = namespace(x, y)
    same_dimension(x, y)
    # Halved before they are added, so that the sum cannot overflow before the distances do.
    centre = xp.mean(x, axis=0) / 2 + xp.mean(y, axis=0) / 2
    centre = centre.detach() if is_torch(centre) else centre
    return x - centre, y - centre, centre


def distances(x: Array, y: Array) -> Array:
    """‖x_i − y_j‖, shape (n, m), by differences: the formula with squares loses close points far from zero.

    Points so large or small that squares would overflow or vanish are first divided by a power of two.
    """
    unit = _unit(max(float(abs(v.detach() if is_torch(v) else v).max()) for v in (x, y)))
    if is_torch(x):
        import torch

        return torch.cdist(x / unit, y / unit, compute_mode="donot_use_mm_for_euclid_dist") * unit
    return cdist(x, y) if unit == 1 else cdist(x / unit, y / unit) * unit


def pair_distances(x: np.ndarray) -> np.ndarray:
    """‖x_i − x_j‖ of the pairs i < j, as `distances`."""
    unit = _unit(float(abs(x).max(initial=0.0)))
    return pdist(x) if unit == 1 else pdist(x / unit) * unit


def _unit(reach: float) -> float:
    exponent = math.frexp(reach)[1]
    return 2.0**exponent if 300 < abs(exponent) < 1022 else 1.0


def blocks(kernel: Kernel, x: Array, y: Array) -> Iterator[tuple[int, Array]]:
    """The matrix kernel(x, y) in blocks of rows, each with its first row; torch gets one block, for autograd."""
    step = x.shape[0] if is_torch(x) else max(1, BLOCK // y.shape[0])
    for start in range(0, x.shape[0], step):
        yield start, kernel(x[start : start + step], y)


def total(kernel: Kernel, x: Array, y: Array) -> Array:
    """Σ_ij kernel(x_i, y_j)."""
    return sum(block.sum() for _, block in blocks(kernel, x, y))


def off_diagonal_total(kernel: Kernel, x: Array) -> Array:
    """Σ_{i≠j} kernel(x_i, x_j)."""
    out: Any = 0.0
    for start, block in blocks(kernel, x, x):
        diagonal = block.diagonal(start)[: block.shape[0]]
        out = out + (block.sum() - diagonal.sum())
    return out


def median_distance(x: np.ndarray, most: int = 2000) -> float:
    """The median distance between two different rows of `x`; beyond `most` rows, of evenly spaced ones
    of the rows in lexical order, so that neither the order of rows nor that of the samples matters.

    Where more than half of the pairs coincide the median is 0, which is no scale: then the median of the
    positive distances, and 1 where there are none.
    """
    x = x[np.lexsort(x.T)] if len(x) > most else x
    rows = x[np.linspace(0, len(x) - 1, min(len(x), most)).astype(int)]
    d = pair_distances(rows)
    if d.size == 0 or not d.any():
        return 1.0
    middle = float(np.median(d))
    return middle if middle > 0 else float(np.median(d[d > 0]))
