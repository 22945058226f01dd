"""What was found about a generator, for the user to read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from divergences._numerics import quiet
from divergences.f_divergences._generator.curve import Curve


@dataclass(frozen=True)
class Found:
    """What was derived from a generator, and how.

    Attributes:
        calls: "arrays", "scalars" or "tensors": how f is called; digits: the decimal digits it is evaluated in.
        derivatives: where f' comes from.
        at_zero, slope_at_zero, slope_at_one, slope_at_infinity: f(0), f'(0), f'(1) (0 at a kink, where that is a
            subgradient) and f'(∞), the end of the domain of f*.
        kinks: where f' jumps.
        symmetric: D(p, q) = D(q, p). separates: D(p, q) = 0 only at p = q.
        ratios: between which u the function is called; beyond, `growth_at_zero` (of f as 1/u grows) and
            `growth_at_infinity` (of f(u)/u) take over, where f or its slope is infinite.
        accuracy: an estimate of the relative error of f(u) - f'(1)(u - 1), the worst on 1e-12 <= u <= 1e12.
        notes: what a user must know.

    """

    calls: str
    digits: int
    derivatives: str
    at_zero: float
    slope_at_zero: float
    slope_at_one: float
    slope_at_infinity: float
    kinks: tuple[float, ...]
    symmetric: bool
    separates: bool
    ratios: tuple[float, float]
    growth_at_zero: str | None
    growth_at_infinity: str | None
    accuracy: float
    notes: tuple[str, ...]


def report(c: Curve, x: np.ndarray, values: np.ndarray, notes: list[str]) -> Found:
    """What was found, and what more can be seen on the grid x of log u where f takes these values."""
    kind = c.source.dtype
    e = np.expm1(x)
    u = np.exp(x.astype(kind))
    with quiet():
        tilde = c.excess(u, e).astype(float)
        mirrored = (u * c.excess(1 / u, np.expm1(-x))).astype(float)
        size = np.abs(values).astype(float) + abs(c.slope * e) + abs(c.at_one)
        symmetric = bool(np.all(np.abs(tilde - mirrored) <= 1e-11 * (tilde + mirrored) + 1e-14 * size))
        kinks = _kinks(c, x)
        accuracy = _accuracy(c, x, tilde, size)
    if c.left.radius == 0 or c.right.radius == 0:
        notes.append("f'' is rough beside u = 1, so that small differences of p and q cost digits")
    with quiet():
        ratios = (float(np.exp(np.longdouble(c.low))), float(np.exp(np.longdouble(c.high))))
    return Found(
        calls=c.source.calls,
        digits=int(np.finfo(kind).precision),
        derivatives=c.source.derivatives,
        at_zero=c.at_zero - c.slope,
        slope_at_zero=c.slope_at_zero + c.slope,
        slope_at_one=c.slope,
        slope_at_infinity=c.end,
        kinks=kinks,
        symmetric=symmetric,
        separates=_separates(c),
        ratios=ratios,
        growth_at_zero=None if c.growth_left is None else str(c.growth_left).replace("u", "(1/u)"),
        growth_at_infinity=None if c.growth_right is None else str(c.growth_right),
        accuracy=accuracy,
        notes=tuple(notes),
    )


def _separates(c: Curve) -> bool:
    """f̃ = 0 on both sides of 1 leaves room for p != q; on one side it does not, as both have the same sum.

    It is flat where f' does not rise: seen at 1 ± 2^-30, or where f' comes from differences of values at 1 ± 2^-7.
    """
    step, unit = (2.0**-7, 1e-10) if c.source.by_differences else (2.0**-30, 64 * float(np.finfo(c.source.dtype).eps))
    e = np.array([-step, step, -0.5, 1.0])
    rise = np.abs(c.slopes((1 + e).astype(c.source.dtype), e))
    exact = c.beside(e[:2]) & (not c.source.by_differences)
    noise = np.where(exact, 0.0, unit * (rise[2:].max() + abs(c.slope)))
    return bool(np.any(rise[:2] > noise))


def _accuracy(c: Curve, x: np.ndarray, tilde: np.ndarray, size: np.ndarray) -> float:
    """The rounding of f beside what is left of it, and the disagreement of the two ways to f̃ where both serve."""
    unit = float(np.finfo(c.source.dtype).eps)
    away = ~c.beside(np.expm1(x)) & (tilde > 0) & (x != 0) & np.isfinite(size)
    rounding = 4 * unit * size[away] / tilde[away]
    worst = max(float(rounding.max(initial=0.0)), 2.0**-52)
    for side, sign in ((c.left, -1), (c.right, 1)):
        if side.radius:
            e = sign * side.radius * np.array([0.7, 0.9, 1.0])
            u = (1 + e).astype(c.source.dtype)
            direct = c.value(u) - c.source.dtype(c.slope) * (u - 1)
            near = c.excess(u, (u - 1).astype(float))
            rounded = 8 * unit * (np.abs(c.value(u)) + np.abs(c.slope * (u - 1)) + abs(c.at_one))
            gap = np.maximum(np.abs(near - direct) - rounded, 0) / np.maximum(np.maximum(near, direct), 1e-300)
            worst = max(worst, float(gap.max()))
    return worst


def _kinks(c: Curve, x: np.ndarray) -> tuple[float, ...]:
    """Where f' jumps."""
    at_one = [1.0] if c.left.jump < 0 or c.right.jump > 0 else []
    if c.source.panels is not None:
        elsewhere = c.source.panels.kinks()
    else:
        elsewhere = _jumps(lambda x: c.slopes(np.exp(x.astype(c.source.dtype)), np.expm1(x)), x)
    return tuple(sorted({*at_one, *(float(f"{v:.9g}") for v in np.exp(elsewhere) if abs(v - 1) > 1e-9)}))


def _jumps(slope: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Where S rises by as much over ever smaller steps: each cell of the grid halved towards its larger rise."""
    a, b = x[:-1], x[1:]
    a, b = np.where(a == 0, 2.0**-40, a), np.where(b == 0, -(2.0**-40), b)  # a jump at 1 itself is known already
    low, high = slope(a), slope(b)
    whole = high - low
    finite = np.abs(low[(np.abs(a) < 1) & np.isfinite(low)])
    noise = 1e-12 * float(finite.max(initial=0.0))
    for _ in range(36):
        notable = (high - low > 0.6 * whole) & (whole > 1e-7 * (np.abs(low) + np.abs(high)) + noise)
        a, b, low, high, whole = a[notable], b[notable], low[notable], high[notable], whole[notable]
        if not len(a):
            break
        middle = (a + b) / 2
        at = slope(middle)
        first = at - low > high - at
        a, b = np.where(first, a, middle), np.where(first, middle, b)
        low, high = np.where(first, low, at), np.where(first, at, high)
    return (a + b) / 2
