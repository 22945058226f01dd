"""What happens towards an end of a piece: is the integrand integrable there, and how much is left beyond a point.

On the axis u = log of the distance (to a finite end, or from the centre for an infinite one) the integral is ∫ e^H du
with H = log integrand + log distance. H is sampled at steps of log 2; `read` decides from its slopes.
"""

from typing import NamedTuple

import numpy as np

STEP = float(np.log(2.0))
NEGLIGIBLE = -50.0  # e**-50 of the largest is below what is kept
FLAT = -1e-9  # a slope that rounding may have made of 0


class Tail(NamedTuple):
    """Where to stop on the ladder, log of what lies beyond and of how far that may be wrong, and why infinite."""

    stop: int
    rest: float
    error: float
    verdict: str  # "finite", "infinite", "unknown"
    why: str = ""


def read(heights: np.ndarray, distance: np.ndarray) -> Tail:
    """Judge one ladder of heights H_0, H_1, ... at distances in ratio 2, towards the end."""
    overflow = np.isposinf(heights)
    if overflow.any():
        first = int(np.argmax(overflow))
        if first < 4 or not heights[first - 1] > 100:
            return Tail(first, np.inf, np.inf, "infinite", "one law has mass where the other has none")
        heights = heights[:first]  # it has grown out of the floats
    n = len(heights)
    if n == 0:
        return Tail(0, -np.inf, np.inf, "unknown", "a log density is -inf where its support says otherwise")
    alive = np.flatnonzero(heights > -np.inf)
    if len(alive) == 0:
        return Tail(0, -np.inf, -np.inf, "finite")
    last, top = int(alive[-1]), float(np.max(heights))
    keep = np.flatnonzero(heights >= top + NEGLIGIBLE)
    stop = min(int(keep[-1]) + 1, n - 1)
    if last < n - 1:  # it falls to zero exactly
        return Tail(stop, -np.inf, -np.inf, "finite")
    if last < 3:
        return Tail(last, top, top, "unknown", "too few points before rounding takes over")
    first = int(np.max(np.flatnonzero(np.isneginf(heights[:last])), initial=-1)) + 1
    if last - first < 3:
        return Tail(last, top, top, "unknown", "too few points before rounding takes over")
    slopes = np.diff(heights[first : last + 1]) / STEP
    late, slope = slopes[-6:], float(slopes[-1])
    if heights[last] < top + 4 * NEGLIGIBLE and slope < 0:
        return Tail(stop, -np.inf, -np.inf, "finite")
    if np.all(late > FLAT):
        return Tail(last, np.inf, np.inf, "infinite", _growth(late, distance[: last + 1], heights))
    if np.any(late >= 0):
        return Tail(last, top, np.inf, "unknown", "its decay is not settled where the floats end")
    # A power of the distance has a constant slope, a power of its logarithm one that halves as u doubles.
    drift = float(abs(slopes[len(slopes) // 2] / slope - 1)) if len(slopes) >= 8 else 1.0
    rest, stop = float(heights[last] - np.log(-slope)), max(stop, last) if stop >= last else stop
    power = slope * STEP * last
    if drift < 0.05 or np.all(np.diff(late) <= -FLAT) or slope < -0.5:
        return Tail(stop, rest, rest + float(np.log(min(1.0, drift + 1e-9))), "finite")
    if power > -0.8:
        return Tail(last, np.inf, np.inf, "infinite", "the integrand falls like x^-1, or slower")
    if power > -1.2:
        return Tail(last, top, np.inf, "unknown", "its decay is too slow to tell from none")
    return Tail(stop, rest, rest + float(np.log(-power / (-power - 1) + 1)), "finite")


def _growth(slopes: np.ndarray, distance: np.ndarray, heights: np.ndarray) -> str:
    """In words: how the integrand grows, or how slowly it falls."""
    inward = distance[-1] < distance[0]
    power = float(np.log2(slopes[-1] / slopes[-2])) if slopes[-2] > 0 else 0.0
    if power > 0.2:
        with np.errstate(all="ignore"):
            factor = (heights[len(distance) - 1] - heights[len(distance) - 2]) / (
                distance[-1] ** power - distance[-2] ** power
            )
        size = f"{factor:.4g} " if np.isfinite(factor) and factor > 0 else ""
        return f"the log integrand grows like {size}x^{-power if inward else power:.3g}"
    exponent = round((-1 if inward else 1) * float(slopes[-1]) - 1, 6) + 0.0
    return f"the integrand behaves like x^{exponent:g}, which is not integrable"
