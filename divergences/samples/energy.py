"""The energy distance."""

from typing import Any

from divergences._arrays import Array, is_torch, like, namespace
from divergences._checks import real_array
from divergences.samples.pairwise import distances, samples, total


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
    x, y, _ = samples(x, y)
    xp = namespace(x, y)
    if x.shape[1] == 1:
        return like_input(_by_sorting(x[:, 0], y[:, 0], xp), example)
    n, m = x.shape[0], y.shape[0]
    crossed = total(distances, x, y) / (n * m)
    within_x, within_y = total(distances, x, x) / n**2, total(distances, y, y) / m**2
    # In this order equal samples give exactly zero; rounding below zero is cut off.
    value = (crossed - within_x) + (crossed - within_y)
    return like_input(value if value > 0 else 0 * value, example)


def _by_sorting(x: Array, y: Array, xp: Any) -> Array:
    z = xp.concat([x, y])
    ahead = xp.concat([xp.ones_like(x), xp.zeros_like(y)])
    order = xp.argsort(z)
    z, ahead = z[order], xp.cumulative_sum(ahead[order], axis=0)
    behind = xp.cumulative_sum(xp.ones_like(z), axis=0) - ahead
    difference = (ahead / len(x) - behind / len(y))[:-1]  # F − G between neighbours, from counts: exactly 0 at ties
    return 2 * xp.sum(difference**2 * (z[1:] - z[:-1]))


def like_input(value: Array, example: Array) -> Array:
    """`value` in the kind and dtype of the input, with its gradient."""
    if is_torch(value):
        return value.to(example.dtype) if example.dtype.is_floating_point else value
    return like(value, example)
