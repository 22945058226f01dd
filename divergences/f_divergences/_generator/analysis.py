"""From a user's f to its `Curve`: the centre, the two ends, the limits there, and what was found on the way."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from divergences._numerics import quiet
from divergences.errors import DataError
from divergences.f_divergences._generator.checks import check_generator
from divergences.f_divergences._generator.curve import Curve, Far
from divergences.f_divergences._generator.found import Found, report
from divergences.f_divergences._generator.limits import FRACTIONS, Growth, Limit, growth, limit
from divergences.f_divergences._generator.near import near
from divergences.f_divergences._generator.source import Source, source, with_panels

REACH = {np.float64: 690.0, np.longdouble: 760.0}
"""How far |log u| is followed: ratios of floats where the precision has them, else as far as floats go safely."""


def analyse(f: Any, at_zero: float | None, slope_at_infinity: float | None) -> tuple[Curve, Found]:
    """The curve of f and what was found; DataError where f is no generator or a limit is not decided."""
    s = source(f)
    if s.dtype is not np.float64:
        with suppress(DataError):
            return analyse_source(s, at_zero, slope_at_infinity)
        # A function that rounds to float64 inside looks rough, or discontinuous, to more digits than it has.
        s = source(f, np.float64)
    return analyse_source(s, at_zero, slope_at_infinity)


def analyse_source(s: Source, at_zero: float | None, slope_at_infinity: float | None) -> tuple[Curve, Found]:
    u, values, scale = check_generator(s)
    low, high = _ends(s, np.log(u[[0, -1]]).astype(float))
    s = with_panels(s, low, high, scale)
    c = _centre(s, float(values[u == 1][0]), low, high)
    c, notes = _limits(c, at_zero, slope_at_infinity)
    c = replace(c, table=_table(c))
    x = np.log(u).astype(float)
    return c, report(c, x, values, notes)


def _ends(s: Source, reached: np.ndarray) -> tuple[float, float]:
    """The last steps from x = 0 to either side, out to the reach, at which f and f' are still finite."""
    reach, ends = REACH[s.dtype], []
    for side, start in ((-1, -reached[0]), (1, reached[1])):
        wide = start if start < 27.6 else reach
        x = np.linspace(0.0, wide, 1401)
        u = np.exp((side * x).astype(s.dtype))
        good = np.isfinite(s.value(u))
        with quiet():
            good &= np.isfinite(s.value(u) * np.minimum(1 / u, 1))
            if s.jet is not None:
                good &= np.isfinite(s.jet(u)[1] * np.maximum(u, 1))
        ends.append(side * float(x[int(np.argmin(np.append(good, False))) - 1]))
    return ends[0], ends[1]


def _centre(s: Source, at_one: float, low: float, high: float) -> Curve:
    """f'(1), or the one-sided slopes of a kink there, and the quotients beside it."""
    assert s.jet is not None  # noqa: S101 - `with_panels` has run
    jet = s.jet
    steps = np.array([2.0**-50, 2.0**-30])
    down, up = (jet((1 + side * steps).astype(s.dtype))[1].astype(float) for side in (-1, 1))
    here = float(jet(np.ones(1, s.dtype))[1][0])
    noise = 1e-9 * max(abs(up[0]), abs(down[0]))
    if up[0] - down[0] > max(0.5 * (up[1] - down[1]), noise):  # a jump does not shrink as the step does
        slope = min(max(0.0, down[0]), up[0])
    else:
        slope = here if down[1] <= here <= up[1] else (down[0] + up[0]) / 2
        down, up = np.full(2, slope), np.full(2, slope)
    # Differences of values leave noise in f'' that is no curvature; exact derivatives of a line are 0.
    beside = s.value(np.exp(np.linspace(-0.25, 0.25, 21).astype(s.dtype)))
    if s.by_differences:
        tolerance, noise = 1e-9, 1e-9 * float(np.abs(beside).max())
    else:
        tolerance, noise = (1e-12 if s.dtype is np.float64 else 1e-14), 0.0
    left, right = (
        near(lambda u: jet(u.astype(s.dtype)), side, slope, jump - slope, tolerance, noise)
        for side, jump in ((-1, float(down[0])), (1, float(up[0])))
    )
    return Curve(s, at_one, slope, left, right, low, high)


def _limits(c: Curve, at_zero: float | None, slope_at_infinity: float | None) -> tuple[Curve, list[str]]:
    """f̃(0), f̃'(0), f̃'(∞) and A(∞), from the values towards either end."""
    kind, notes = c.source.dtype, []
    noise = 1e-9 if c.source.by_differences else 1e-12 if kind is np.float64 else 1e-15
    left, right = (np.exp((end * FRACTIONS).astype(kind)) for end in (c.low, c.high))
    with quiet():
        zero = limit(c.excess(left, left - 1).astype(float), noise)
        steep = limit(c.slopes(right, right - 1).astype(float), noise, earliest=True)
    given = None if at_zero is None else at_zero + c.slope
    f_zero = _decide(zero, given, "f(0)", "at_zero", c.slope, notes)
    given = None if slope_at_infinity is None else slope_at_infinity - c.slope
    end = _decide(steep, given, "f'(inf)", "slope_at_infinity", -c.slope, notes)
    c = replace(c, at_zero=f_zero, steepest=end)
    c = _far(c, notes) if np.isfinite(end) else replace(c, growth_right=_growth(c, c.high))
    return (_close(c, notes) if np.isfinite(f_zero) else replace(c, growth_left=_growth(c, c.low))), notes


def _decide(found: Limit, given: float | None, what: str, option: str, shift: float, notes: list[str]) -> float:
    """The limit found, or the one given if f does not contradict it."""
    if given is None:
        if found.value is None:
            raise DataError(
                f"{what} cannot be told from the values of f: it changes too slowly towards the end to see whether it "
                f"is finite. Pass {option}=, a number or inf."
            )
        if found.error > 1e-9 * max(1.0, abs(found.value)) and np.isfinite(found.value):
            notes.append(f"{what} is reached slowly: known to about {found.error:.1g} only; pass {option}= if you know")
        return found.value
    if (
        found.value is not None
        and np.isfinite(found.value)
        and not abs(given - found.value) <= 1e-6 * (1 + abs(found.value)) + 2 * found.error
    ):
        raise DataError(
            f"{option} must agree with f, which tends to {found.value - shift:.9g} there; got {given - shift:.9g}."
        )
    notes.append(f"{what} = {given - shift:g} as given")
    return given


def _growth(c: Curve, end: float) -> Growth | None:
    """The law of G where f̃(0) or f̃'(∞) is infinite."""
    if abs(end) < 60:
        return None
    x = abs(end) * np.linspace(0.5, 1.0, 25)
    u = np.exp((np.sign(end) * x).astype(c.source.dtype))
    with quiet():
        y = np.log(c.excess(u, u - 1)) - np.maximum(np.log(u), 0)
    return growth(x, y.astype(float), 1e-12 if c.source.dtype is np.longdouble else 1e-11)


def _far(c: Curve, notes: list[str]) -> Curve:
    """A(∞) and the law of A where f'(∞) is finite, from ratios at which u S - f̃ still has half its digits."""
    x = min(float(-np.log(np.finfo(c.source.dtype).eps)) / 2, c.high)

    def at(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = np.exp(x.astype(c.source.dtype))
        return c.conjugates(u, u - 1).astype(float), (c.steepest - c.slopes(u, u - 1)).astype(float)

    end = limit(at(x * FRACTIONS)[0], 1e-6)
    law = _law(x, end, lambda x: at(x)[0])
    if end.value is None:
        notes.append("whether f*(f'(inf)) is finite is not decided by the values of f; inf is assumed")
    rest, later = at(np.array([x / 2, x / 2 + 1]))[1]
    k = float(np.log(rest / later)) if rest > later > 0 else 1.0
    law = replace(law, rest=float(max(rest, 5e-324) * np.exp(-k * x / 2)), k=max(k, 1e-3))
    return replace(c, far=law, conjugate_end=np.inf if law.a else law.value)


def _close(c: Curve, notes: list[str]) -> Curve:
    """f̃'(0) where f(0) is finite, and the law of S before it where values of f that hardly differ do not tell it."""
    x = -c.low if not c.source.by_differences else min(14.0, -c.low)

    def at(x: np.ndarray) -> np.ndarray:
        u = np.exp(-x.astype(c.source.dtype))
        return c.slopes(u, u - 1).astype(float)

    end = limit(at(x * FRACTIONS), 1e-6 if c.source.by_differences else 1e-12)
    if end.value is None:
        notes.append("whether f'(0) is finite is not decided by the values of f; -inf is assumed")
    law = _law(x, end, at)
    if not c.source.by_differences:
        return replace(c, under=law, slope_at_zero=-np.inf if end.value is None else end.value)
    return replace(c, under=law, close=law, slope_at_zero=-np.inf if law.a else law.value)


def _law(x: float, end: Limit, at: Callable[[np.ndarray], np.ndarray]) -> Far:
    """The law through values at x - 2, x - 1 and x, or the limit where it is finite, extrapolated from nearer by."""
    finite = end.value is not None and bool(np.isfinite(end.value))
    before, middle, last = at((0.75 * x if finite else x) - np.array([2.0, 1.0, 0.0]))
    if finite:
        step, earlier = last - middle, middle - before
        return Far(
            x,
            float(
                last + step * step / (earlier - step) if 0 < step < 0.9 * earlier or 0.9 * earlier < step < 0 else last
            ),
        )
    # Steps of the law grow by e^b for each unit of x.
    b = (last - middle) / (middle - before)
    b = float(np.clip(np.log(b), 0.0, 1.0)) if b > 1 + 1e-9 else 0.0
    return Far(x, float(last), float((last - middle) * (b / -np.expm1(-b) if b else 1.0)), b)


def _table(c: Curve) -> tuple[np.ndarray, np.ndarray]:
    """x and S(e^x) at steps of ½ and on both sides of 1; rounding may not make it fall."""
    high = c.high if c.far is None else c.far.x
    low = c.low if c.close is None else -c.close.x
    left = np.linspace(low, 0.0, max(2, int(-2 * low)) + 1)
    right = np.linspace(0.0, high, max(2, int(2 * high)) + 1)
    x = np.unique(np.concatenate([left, [-(2.0**-52), 2.0**-52], right]))
    with quiet():
        s = c.slopes(np.exp(x.astype(c.source.dtype)), np.expm1(x))
    return x, np.maximum.accumulate(s)
