"""The Fenchel conjugate of a curve: S(u) = t solved for u, then f*(t) = t u - f(u)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from divergences._numerics import quiet
from divergences.errors import DataError
from divergences.f_divergences._generator.curve import Curve
from divergences.f_divergences._generator.limits import Growth

HALVINGS = 52


def conjugate(c: Curve, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(f*(t), the u at which the supremum is reached) for 1-D t up to f'(∞)."""
    with quiet():
        kind = c.source.dtype
        slope = t.astype(kind) - kind(c.slope)
        xs, table = c.table
        value, at = np.full(len(t), np.nan), np.full(len(t), np.nan)
        below, above = slope <= table[0], slope > table[-1]
        inside = ~(below | above)
        if inside.any():
            value[inside], at[inside] = _inside(c, t[inside], slope[inside])
        if below.any():
            value[below], at[below] = _below(c, t[below], slope[below], np.exp(kind(xs[0])))
        if above.any():
            value[above], at[above] = _above(c, t[above])
    return value, at


def _inside(c: Curve, t: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S is inverted between neighbours of the table; an error of u counts squared in the value."""
    xs, table = c.table
    i = np.clip(np.searchsorted(table, slope), 1, len(xs) - 1)
    x = _root(lambda x, k: c.slopes(np.exp(x), np.expm1(x)) - slope[k], xs[i - 1], xs[i])
    u, e = np.exp(x), np.expm1(x)
    # t u - f(u) keeps small values small; beside 1 the centred form does.
    centred = c.slope + slope * u - c.excess(u, e)
    return np.where(c.beside(e), centred, t * u - c.value(u)), u


def _root(rise: Callable[[np.ndarray, np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where each increasing `rise(x, which)` changes sign: secants between bisections, which a kink needs."""
    kind = rise(low, np.arange(len(low))).dtype
    low, high, x = low.astype(kind), high.astype(kind), (low + high).astype(kind) / 2
    below, above = rise(low, np.arange(len(low))), rise(high, np.arange(len(low)))
    open_ = np.arange(len(low))
    for step in range(2 * HALVINGS):
        a, b, fa, fb = low[open_], high[open_], below[open_], above[open_]
        middle = (a + b) / 2
        secant = a - fa * (b - a) / (fb - fa)
        trial = np.where((step % 2 == 0) & (secant > a) & (secant < b), secant, middle)
        f = rise(trial, open_)
        x[open_] = trial
        left = f < 0
        low[open_], below[open_] = np.where(left, trial, a), np.where(left, f, fa)
        high[open_], above[open_] = np.where(left, b, trial), np.where(left, fb, f)
        unit = np.finfo(kind).eps
        width = high[open_] - low[open_]
        open_ = open_[(f != 0) & (np.abs(f) > 4 * unit * np.abs(fb - fa)) & (width > 2 * unit * np.abs(trial) + 1e-19)]
        if not len(open_):
            break
    return x


def _below(c: Curve, t: np.ndarray, slope: np.ndarray, least: Any) -> tuple[np.ndarray, np.ndarray]:
    """Slopes that f has at u = 0 only, or so near to it that u is below `least`."""
    if np.isfinite(c.at_zero):
        end = np.full_like(t, c.slope - c.at_zero)
        at = np.where(slope > c.slope_at_zero, least, 0.0)
        if c.close is not None and c.close.a:
            at = np.where(at > 0, np.exp(-np.maximum(c.close.inverse(slope.astype(float)), c.close.x)), 0.0)
        at = np.where(np.isneginf(t), 0.0, at)
        u = np.maximum(at.astype(c.source.dtype), np.exp(c.source.dtype(c.low)))
        return np.maximum(end, np.where(np.isneginf(t), -np.inf, t * u - c.value(u)).astype(float)), at
    if c.growth_left is None:
        if np.all(np.isneginf(t)):
            return t, np.zeros_like(t)
        raise DataError(
            f"The conjugate is known for t >= {float(c.table[1][0] + c.slope):.6g}, below which f leaves the floats; "
            f"got t = {t.min():g}."
        )
    y = _solve(c.growth_left, np.log(-slope).astype(float), -c.low)
    g, rate = np.exp(c.growth_left.log(y)), c.growth_left.rate(y)
    return np.where(np.isneginf(t), -np.inf, c.slope - g * (1 + rate)), np.exp(-y)


def _solve(law: Growth, target: np.ndarray, start: float) -> np.ndarray:
    """The y >= start with y + log G(y) + log(G'(y)/G(y)) = target, increasing in y, by bisection."""
    low, high = np.full_like(target, start), np.maximum(np.minimum(target, 1e6), start + 1)
    for _ in range(64):
        y = (low + high) / 2
        rises = y + law.log(y) + np.log(law.rate(y)) < target
        low, high = np.where(rises, y, low), np.where(rises, high, y)
    return high


def _above(c: Curve, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes reached beyond the table only: by the far law, or at a u beyond the floats, where f* is too."""
    if c.far is None:
        return np.full_like(t, np.inf), np.full_like(t, np.inf)
    left = c.end - t
    x = c.far.x + np.where(left > 0, np.log(c.far.rest / np.maximum(left, 5e-324)) / c.far.k, np.inf)
    x = np.maximum(np.where(np.isnan(x), c.far.x, x), c.far.x)
    value = np.where(left > 0, c.far.at(np.where(np.isfinite(x), x, c.far.x)), c.conjugate_end)
    return c.slope + value, np.exp(x)
