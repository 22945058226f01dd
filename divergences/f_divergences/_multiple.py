"""A positive multiple of an f-divergence, part by part."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from divergences._arrays import Array
    from divergences.f_divergences.f_divergence import FDivergence


def multiple(d: FDivergence, c: float) -> dict[str, Any]:
    """The fields of `c * d` that differ from those of `d`."""
    return {
        "name": f"{c:g}*{d.name}",
        "f": lambda u: c * d.f(u),
        "f_prime": lambda u: c * d.f_prime(u),
        "f_star": lambda t: c * d.f_star(t / c),
        "high": c * d.high,
        "g": lambda v: c * d.g(v),
        "f_star_g": lambda v: c * d.f_star_g(v),
        "cost": lambda p, q, e: c * d.cost(p, q, e),
        "partials": lambda p, q, e: tuple(c * s for s in d.partials(p, q, e)),
        "tail": None if d.tail is None else partial(_shifted, d.tail, c),
        "fused": None if d.fused is None else replace(d.fused, factor=c * d.fused.factor),
        "f_at_one": c * d.f_at_one,
        "slope_at_one": c * d.slope_at_one,
        "mirror": None if d.mirror is None else lambda: c * d.reverse,
        "alphas": tuple((c * weight, order) for weight, order in d.alphas),
        "found": None,  # it speaks of the generator before it was multiplied
    }


def _shifted(tail: Callable[[Array], tuple[Array, Array]], factor: float, delta: Array) -> tuple[Array, Array]:
    logarithm, slope = tail(delta)
    return logarithm + math.log(factor), slope
