"""Where a log density lives, from its values alone: edges of its support and the place and scale of its bumps."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from divergences._numerics import quiet
from divergences.densities._law import Law
from divergences.errors import DataError

DYADIC = 2.0 ** np.arange(-80, 200)
UNDERFLOW = -600.0  # a log density that was taken of a density is -inf below -745


def grid(low: float, high: float) -> np.ndarray:
    """Points that come close to every place and scale of an interval: dyadic from its ends and from 0, and even."""
    parts = [DYADIC, -DYADIC, [0.0], np.linspace(-32, 32, 257)]
    for end, sign in ((low, 1), (high, -1)):
        if np.isfinite(end):
            parts.append(end + sign * DYADIC)
    if np.isfinite(low) and np.isfinite(high):
        parts.append(np.linspace(low, high, 258)[1:-1])
    x = np.unique(np.concatenate(parts))
    return x[(x > low) & (x < high)]


Intervals = tuple[tuple[float, float], ...]


def find_edges(law: Law, name: str) -> tuple[tuple[float, float], tuple[float, ...], Intervals]:
    """The hull of {density > 0}, the inner points where it begins or ends, and the pieces on which it is positive.

    Where the log density falls to -inf only because the density itself underflowed, there is no edge.
    """
    low, high = law.support
    x = grid(low, high)
    value = law.log_density(x)
    alive = np.isfinite(value)
    if not alive.any():
        raise DataError(
            f"The log density of {name} is infinite at all of {len(x)} points tried between {low:g} and {high:g}. "
            "Pass support=(low, high), close around its mass."
        )
    edges = []
    for i in np.flatnonzero(alive[1:] != alive[:-1]):
        inner, outer = (x[i], x[i + 1]) if alive[i] else (x[i + 1], x[i])
        edge = _bisect(law, inner, outer)
        beside = edge + (inner - edge) * 1e-3
        if beside == edge or law.log_density(np.array([beside]))[0] > UNDERFLOW:
            edges.append(edge)
    first, last = int(np.argmax(alive)), len(x) - 1 - int(np.argmax(alive[::-1]))
    begins = [e for e in edges if e <= x[first]]
    ends = [e for e in edges if e >= x[last]]
    hull = (max(begins, default=low), min(ends, default=high))
    inside = tuple(sorted({e for e in edges if hull[0] < e < hull[1]}))
    pieces = list(pairwise((hull[0], *inside, hull[1])))
    positive = tuple(piece for piece in pieces if np.any(alive & (x > piece[0]) & (x < piece[1])))
    return hull, inside, positive


def _bisect(law: Law, inner: float, outer: float) -> float:
    """The last point between two at which the density is positive."""
    while True:
        middle = inner / 2 + outer / 2
        if middle in (inner, outer) or abs(inner - outer) < 1e-150:
            return float(outer) if abs(outer) < 1e-150 else float(inner)
        if np.isfinite(law.log_density(np.array([middle]))[0]):
            inner = middle
        else:
            outer = middle


def find_centres(law: Law, name: str) -> tuple[tuple[float, float], ...]:
    """The local maxima of the log density, each with the distance over which it drops by 1/2."""
    x = grid(*law.support)
    value = law.log_density(x)
    value = np.where(np.isnan(value) | (value == np.inf), -np.inf, value)
    padded = np.concatenate([[-np.inf], value, [-np.inf]])
    starts = np.flatnonzero(value > padded[:-2])  # of runs of equal values, which end before the next change
    ends = np.flatnonzero(value > padded[2:])
    stops = ends[np.searchsorted(ends, starts).clip(0, len(ends) - 1)] if len(ends) else starts
    flat = value[starts] == value[stops]
    peaks = (starts[flat] + stops[flat]) // 2
    peaks = peaks[np.argsort(-value[peaks], kind="stable")][:24]
    found = [_refine(law, x, int(i)) for i in peaks]
    if not found:
        raise DataError(f"The log density of {name} has no finite maximum where tried. Pass support=(low, high).")
    return tuple(dict.fromkeys(found))


def _refine(law: Law, x: np.ndarray, i: int) -> tuple[float, float]:
    left, right = x[max(i - 1, 0)], x[min(i + 1, len(x) - 1)]

    def depth(point: float) -> float:
        value = -float(law.log_density(np.array([point]))[0])
        return value if np.isfinite(value) else 1e300

    with quiet():
        best: Any = minimize_scalar(
            depth, bounds=(left, right), method="bounded", options={"xatol": 1e-14 * (right - left)}
        )
    place = float(best.x) if best.fun < depth(x[i]) else float(x[i])
    steps = DYADIC[np.abs(place) * 1e-15 < DYADIC]
    top = -depth(place)
    origin = np.zeros_like(steps)
    drops = np.maximum(top - law.at(origin, place + steps), top - law.at(origin, place - steps))
    wide = np.flatnonzero(drops > 0.5)
    return place, float(steps[wide[0]]) if len(wide) else max(1.0, abs(place))
