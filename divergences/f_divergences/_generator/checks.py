"""What a generator must be, checked where it is given: real, finite on (0, ∞), f(1) = 0 and convex."""

from typing import Any

import numpy as np

from divergences._numerics import quiet
from divergences.errors import DataError
from divergences.f_divergences._generator.source import Source

DECADES = float(np.log(1e12))
_FINE = np.geomspace(1e-4, 0.25, 60)
_X = np.linspace(-DECADES, DECADES, 5527)
GRID = np.unique(np.concatenate([_X, -_FINE, [0.0], _FINE]))
OVERFLOW = 1e190
ZERO = 1e-12


def ratios(dtype: Any) -> np.ndarray:
    """The grid of u, 1e-12 to 1e12, on which a generator is checked; u = 1 is on it exactly."""
    return np.exp(GRID.astype(dtype))


def check_generator(s: Source) -> tuple[np.ndarray, np.ndarray, float]:
    """(u, f(u), the size of f beside 1) on the part of the grid where f stays in the floats; DataError otherwise."""
    u = ratios(s.dtype)
    f = s.value(u)
    _no_nan(u, f)
    middle = f[(u >= 0.5) & (u <= 2)]
    scale = float(np.abs(middle[np.isfinite(middle)]).max(initial=0.0))
    _zero_at_one(f[u == 1][0], scale)
    inside = _finite_part(u, f)
    u, f = u[inside], f[inside]
    _convex(s, u, f, scale)
    return u, f, scale


def _no_nan(u: np.ndarray, f: np.ndarray) -> None:
    bad = np.isnan(f)
    if bad.any():
        raise DataError(
            f"f must be a number at every ratio u > 0; it is NaN at {int(bad.sum())} of {len(u)} ratios between 1e-12 "
            f"and 1e12, the first u = {u[bad][0]:.6g}. Write it so that nothing like inf - inf or inf/inf appears."
        )


def _zero_at_one(f1: Any, scale: float) -> None:
    if not abs(f1) <= ZERO * max(scale, ZERO):
        raise DataError(
            f"f must be 0 at u = 1; got f(1) = {float(f1):.9g}. Pass lambda u: f(u) - f(1), "
            f"here lambda u: f(u) - ({float(f1):.17g})."
        )


def _finite_part(u: np.ndarray, f: np.ndarray) -> slice:
    """The run of finite values around u = 1; what is infinite must have grown out of the floats."""
    one = int(np.argmax(u == 1))
    finite = np.isfinite(f)
    after = one + int(np.argmin(np.append(finite[one:], False)))
    before = one - int(np.argmin(np.append(finite[one::-1], False)))
    for edge, outside in ((after - 1, after), (before + 1, before)):
        if 0 <= outside < len(u) and not abs(f[edge]) > OVERFLOW:
            raise DataError(
                f"f must be finite on (0, inf); it is {f[outside]:g} at u = {u[outside]:.6g} and {f[edge]:.6g} at "
                f"u = {u[edge]:.6g}. If only its parts overflow, write it so that they do not (np.logaddexp, for one)."
            )
    return slice(before + 1, after)


def _cancellation(s: Source, u: np.ndarray, f: np.ndarray) -> float:
    """What f rounds by where its terms cancel: how far values at neighbouring floats lie off a line, at 99% of ratios.

    A jump is off it too, but at few of the ratios.
    """
    unit = np.finfo(s.dtype).eps
    with quiet():
        bends = np.abs(s.value(u * (1 - 4 * unit)) + s.value(u * (1 + 4 * unit)) - 2 * f) / np.maximum(1.0, u)
    bends = np.where(np.isfinite(bends), bends, 0.0).astype(float)
    return float(np.quantile(bends[(u > 1e-3) & (u < 1e3)], 0.99))


def _convex(s: Source, u: np.ndarray, f: np.ndarray, scale: float) -> None:
    """Each value lies below the chord of its neighbours at several spacings, up to the rounding of the values."""
    noise = 64 * float(np.finfo(s.dtype).eps) * (np.abs(f) + scale * np.maximum(1.0, u))
    if _bend(u, f, noise) is None:
        return
    where = _bend(u, f, noise + 8 * _cancellation(s, u, f) * np.maximum(1.0, u))
    if where is None:
        return
    points = ", ".join(f"f({u[k]:.6g}) = {f[k]:.6g}" for k in where)
    left, right = ((f[j] - f[i]) / (u[j] - u[i]) for i, j in (where[:2], where[1:]))
    raise DataError(
        f"f must be convex on u > 0; got {points}, where the slope falls from {left:.6g} to {right:.6g}. "
        "An f that is not convex defines no divergence: it would break data processing."
    )


def _bend(u: np.ndarray, f: np.ndarray, noise: np.ndarray) -> tuple[int, int, int] | None:
    """The three points where f rises most above a chord, in units of the noise; None if nowhere beyond it."""
    worst, where = 0.0, None
    with quiet():
        for step in (1, 8, 64, 512):
            if len(u) <= 2 * step:
                break
            a, b, c = slice(None, -2 * step), slice(step, -step), slice(2 * step, None)
            near, far = (u[c] - u[b]) / (u[c] - u[a]), (u[b] - u[a]) / (u[c] - u[a])
            excess = f[b] - near * f[a] - far * f[c]
            allowed = noise[b] + near * noise[a] + far * noise[c]
            ratio = np.where(excess > allowed, excess / allowed, 0.0)
            if ratio.max() > worst:
                k = int(np.argmax(ratio))
                worst, where = float(ratio[k]), (k, k + step, k + 2 * step)
    return where
