"""The energy distance."""

from typing import Any

import numpy as np

from divergences._arrays import Array, is_torch, like, namespace
from divergences._checks import points, real_array, same_dimension
from divergences._parallel import run_blocks
from divergences.errors import DataError
from divergences.samples.pairwise import distances, samples, total

COMPILED = 200_000  # numbers from which a compiled sort is worth its loading


def energy_distance(x: Any, y: Any) -> Array:
    """Energy distance 2E‖X−Y‖ − E‖X−X'‖ − E‖Y−Y'‖ of the empirical laws (SciPy's is its root).

    A V-statistic: zero exactly when the samples are the same multiset, never negative, in the unit of the data.
    One column takes O((n + m) log(n + m)) by sorting, as 2 ∫(F − G)²; more columns take O((n + m)² d).

    Args:
        x, y: (n, d) and (m, d) arrays or tensors, or 1-D arrays (one column).

    Raises:
        DataError: empty, not finite, or of different d.

    >>> print(energy_distance([0.0, 1.0], [0.0, 3.0]))
    1.0

    Source: Székely & Rizzo (2013).

    """
    example = real_array(x, "x")
    if example.ndim == 1 or example.shape[-1] == 1:
        return like_input(_on_a_line(x, y), example)
    x, y, _ = samples(x, y)
    n, m = x.shape[0], y.shape[0]
    crossed = total(distances, x, y) / (n * m)
    within_x, within_y = total(distances, x, x) / n**2, total(distances, y, y) / m**2
    # In this order equal samples give exactly zero; rounding below zero is cut off.
    value = (crossed - within_x) + (crossed - within_y)
    return like_input(value if value > 0 else 0 * value, example)


def _on_a_line(x: Any, y: Any) -> Array:
    """2 ∫(F − G)² of one column each; not centred, because only differences of neighbours enter."""
    (x, _), (y, _) = points(x, "x"), points(y, "y")
    xp = namespace(x, y)
    same_dimension(x, y)
    x, y = x[:, 0], y[:, 0]
    largest = max(float(abs(v.detach() if is_torch(v) else v).max()) for v in (x, y))
    unit = 1.0 if largest < 2.0**1000 else 2.0**50  # a gap between neighbours may exceed the largest float
    if unit != 1:
        x, y = x / unit, y / unit
    compiled = not is_torch(x) and len(x) + len(y) >= COMPILED
    value = _compiled(x, y) if compiled else _by_sorting(x, y, xp)
    if value.item() > np.finfo(float).max / unit:
        raise DataError("energy_distance is beyond the largest float64; divide the data by their scale first.")
    return value * unit


def _by_sorting(x: Array, y: Array, xp: Any) -> Array:
    z = xp.concat([x, y])
    ahead = xp.concat([xp.ones_like(x), xp.zeros_like(y)])
    order = xp.argsort(z)
    z, ahead = z[order], xp.cumulative_sum(ahead[order], axis=0)
    behind = xp.cumulative_sum(xp.ones_like(z), axis=0) - ahead
    difference = (ahead / len(x) - behind / len(y))[:-1]  # F − G between neighbours, from counts: exactly 0 at ties
    return 2 * xp.sum(difference**2 * (z[1:] - z[:-1]))


def _compiled(x: np.ndarray, y: np.ndarray) -> np.float64:
    """As `_by_sorting`, without an argsort: each side sorted by itself, in a thread of its own, then merged."""
    from divergences._sorting import sorted_copy, squared_gap

    sides = [np.ascontiguousarray(x), np.ascontiguousarray(y)]

    def sort(start: int, stop: int) -> None:
        for k in range(start, stop):
            sides[k] = sorted_copy(sides[k])

    run_blocks(sort, total=2, size=1)
    return np.float64(2 * squared_gap(*sides) / (float(len(x)) * float(len(y))) ** 2)


def like_input(value: Array, example: Array) -> Array:
    """`value` in the kind and dtype of the input, with its gradient."""
    if is_torch(value):
        return value.to(example.dtype) if example.dtype.is_floating_point else value
    return like(value, example)
