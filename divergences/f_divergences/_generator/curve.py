"""A convex function on u > 0 with all that an f-divergence asks of it, from its values and derivatives.

With s = f'(1), f̃(u) = f(u) - f(1) - s(u - 1) >= 0, S(u) = f̃'(u) and A(u) = u S(u) - f̃(u) = f̃*(S(u)), both 0 at
u = 1 and increasing. Per atom of an f-divergence at u = p/q: cost q f̃(u), slopes S(u) and -A(u).
"""

from dataclasses import dataclass, replace

import numpy as np

from divergences._numerics import log_ratio, quiet
from divergences.errors import DataError
from divergences.f_divergences._generator.limits import Growth
from divergences.f_divergences._generator.near import Near
from divergences.f_divergences._generator.source import Source

LOG_LARGEST = float(np.log(np.finfo(np.float64).max))


@dataclass(frozen=True)
class Far:
    """A power law that takes over from a difference that has no digits left: u S - f̃ far out where f'(∞) is finite.

    At u = e^±y, y > x: value + a (e^(b (y - x)) - 1) / b, constant if a = 0. `rest` and `k` are those of what is left
    to the slope's end, rest e^(-k (y - x)).
    """

    x: float
    value: float
    a: float = 0.0
    b: float = 0.0
    rest: float = 0.0
    k: float = 1.0

    def at(self, y: np.ndarray) -> np.ndarray:
        """The law at distance y."""
        step = y - self.x
        return self.value + self.a * (np.expm1(self.b * step) / self.b if self.b else step)

    def inverse(self, value: np.ndarray) -> np.ndarray:
        """The y at which the law has this value; only where a != 0."""
        part = (value - self.value) / self.a
        return self.x + (np.log1p(self.b * part) / self.b if self.b else part)


@dataclass(frozen=True, eq=False)
class Curve:
    """The function, its centre and its ends.

    Attributes:
        source: values and derivatives of f between the ends `low` and `high` of x = log u.
        at_one, slope: f(1) and s. left, right: what stands beside u = 1.
        at_zero, slope_at_zero, steepest: f̃(0), S(0) and S(∞). conjugate_end: A(∞).
        growth_left, growth_right: laws of f̃(e^-y) and of f̃(e^x)/e^x beyond the ends where these are infinite.
        under: the law of S below the lower end where f(0) is finite.
        far: the law that continues A where S(∞) is finite. close: the one that continues S towards u = 0 where it is
            had from differences of values that hardly differ any more.
        table: x and S(e^x), increasing, to start the inversion of S.

    """

    source: Source
    at_one: float
    slope: float
    left: Near
    right: Near
    low: float
    high: float
    at_zero: float = np.inf
    slope_at_zero: float = -np.inf
    steepest: float = np.inf
    conjugate_end: float = np.inf
    growth_left: Growth | None = None
    growth_right: Growth | None = None
    under: Far | None = None
    far: Far | None = None
    close: Far | None = None
    table: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))

    @property
    def end(self) -> float:
        """f'(∞), the end of the domain of the conjugate."""
        return float(self.steepest + self.slope)

    def value(self, u: np.ndarray) -> np.ndarray:
        """f(u) - f(1) for 1-D u in the dtype of the source."""
        return self.source.value(u) - self.source.dtype(self.at_one)

    def derivative(self, u: np.ndarray) -> np.ndarray:
        """f'(u), likewise."""
        if self.source.jet is None:
            raise NotImplementedError("`with_panels` gives every source derivatives before a curve is made of it")
        return self.source.jet(u)[1]

    def beside(self, e: np.ndarray) -> np.ndarray:
        """Which e = u - 1 are near enough to 1 for the quotients."""
        return (e <= self.right.radius) & (e >= -self.left.radius)

    def excess(self, u: np.ndarray, e: np.ndarray) -> np.ndarray:
        """f̃(u), never negative; e is u - 1, maybe more accurate."""
        out = self.source.dtype(0) * u
        is_near = self.beside(e)
        away = ~is_near
        out[away] = self.value(u[away]) - self.source.dtype(self.slope) * (u[away] - 1)
        for side, mask in ((self.left, is_near & (e < 0)), (self.right, is_near & (e > 0))):
            if mask.any():
                out[mask] = e[mask] * (side.jump + e[mask] * side.quotients(e[mask])[1])
        return np.maximum(out, 0)

    def slopes(self, u: np.ndarray, e: np.ndarray) -> np.ndarray:
        """S(u) = f̃'(u)."""
        out = self.source.dtype(0) * u
        is_near = self.beside(e)
        away = ~is_near
        if away.any():
            out[away] = self.derivative(u[away]) - self.source.dtype(self.slope)
        for side, mask in ((self.left, is_near & (e < 0)), (self.right, is_near & (e > 0))):
            if mask.any():
                out[mask] = side.jump + e[mask] * side.quotients(e[mask])[0]
        if self.close is not None:
            beyond = u < np.exp(-self.close.x)
            out[beyond] = self.close.at(-np.log(u[beyond]))
        return out

    def conjugates(self, u: np.ndarray, e: np.ndarray, slopes: np.ndarray | None = None) -> np.ndarray:
        """A(u) = u S(u) - f̃(u), given S(u) where it is known."""
        out = u * (self.slopes(u, e) if slopes is None else slopes) - self.excess(u, e)
        for side, mask in ((self.left, self.beside(e) & (e < 0)), (self.right, self.beside(e) & (e > 0))):
            if mask.any():
                first, second = side.quotients(e[mask])
                out[mask] = side.jump + e[mask] * (first + e[mask] * (first - second))
        if self.far is not None:
            beyond = u > np.exp(self.far.x)
            out[beyond] = self.far.at(np.log(u[beyond]))
        return out

    def cost(self, p: np.ndarray, q: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Q f̃(p/q) for 1-D float64 masses with difference d, inf where it is or where it exceeds the floats."""
        x, e, inside = self._places(p, q, d)
        kind = self.source.dtype
        out = np.where(q == 0, _times(p, self.steepest), _times(q, self.at_zero))
        u = p[inside].astype(kind) / q[inside]
        out[inside] = q[inside] * self.excess(u, e[inside])
        over, under = (p > 0) & (q > 0) & (x > self.high), (p > 0) & (q > 0) & (x < self.low)
        if over.any():
            out[over] = self._beyond(x[over], p[over], self.growth_right, self.steepest)
        if under.any():
            out[under] = self._beyond(x[under], q[under], self.growth_left, self.at_zero)
        return np.where((p == 0) & (q == 0), 0.0, out)

    def partials(self, p: np.ndarray, q: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The partial derivatives of the cost: S(p/q) and -A(p/q)."""
        x, e, inside = self._places(p, q, d)
        by_p = np.where(q == 0, self.steepest, self.slope_at_zero)
        by_q = np.where(q == 0, -self.conjugate_end, self.at_zero)
        u = p[inside].astype(self.source.dtype) / q[inside]
        slopes = self.slopes(u, e[inside])
        by_p[inside], by_q[inside] = slopes, -self.conjugates(u, e[inside], slopes)
        over, under = (p > 0) & (q > 0) & (x > self.high), (p > 0) & (q > 0) & (x < self.low)
        if over.any():
            by_p[over], by_q[over] = self._slopes_over(x[over])
        if under.any():
            by_p[under], by_q[under] = self._slopes_under(-x[under])
        return by_p, by_q

    def _places(self, p: np.ndarray, q: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """log(p/q), p/q - 1, and where both masses are positive and their ratio between the ends."""
        x = log_ratio(p, q, d)
        return x, d / q, (p > 0) & (q > 0) & (x >= self.low) & (x <= self.high)

    def _beyond(self, x: np.ndarray, mass: np.ndarray, law: Growth | None, end: float) -> np.ndarray:
        """The cost at ratios where f itself leaves the floats: mass * G(|x|), G increasing."""
        if np.isfinite(end):
            return mass * end
        if law is not None:
            return np.exp(np.log(mass) + law.log(np.abs(x)))
        u = np.exp(self.source.dtype([self.high if np.any(x > 0) else self.low]))
        least = np.log(self.excess(u, u - 1)) - max(np.log(u[0]), 0)
        if np.all(np.log(mass) + least > LOG_LARGEST):
            return np.full_like(mass, np.inf)
        raise DataError(
            f"f leaves the floats at a ratio of {float(u[0]):.6g} and follows no power of u or log u before it: "
            f"its value at {np.exp(x[0]):.6g} cannot be told. Give f in a form that does not overflow."
        )

    def _slopes_over(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.far is not None:
            return np.full_like(x, self.steepest), -self.far.at(x)
        if self.growth_right is None:
            return np.full_like(x, np.inf), np.full_like(x, -np.inf)
        g, rate = np.exp(self.growth_right.log(x)), self.growth_right.rate(x)
        return g * (1 + rate), -np.exp(x + self.growth_right.log(x) + np.log(rate))

    def _slopes_under(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if np.isfinite(self.at_zero):
            slopes = np.full_like(y, self.slope_at_zero) if self.under is None else self.under.at(y)
            return slopes, np.full_like(y, self.at_zero)
        if self.growth_left is None:
            return np.full_like(y, -np.inf), np.full_like(y, np.inf)
        g, rate = np.exp(self.growth_left.log(y)), self.growth_left.rate(y)
        return -np.exp(y + self.growth_left.log(y) + np.log(rate)), g * (1 + rate)


def mirrored(c: Curve) -> Source:
    """The function u f(1/u) - (u - 1) f(1) of the reverse divergence.

    Its derivative, f(v) - v f'(v) at v = 1/u, is -A(v) - s: where the difference has no digits left A has its law.
    """

    def value(u: np.ndarray) -> np.ndarray:
        return u * c.value(1 / u)

    def jet(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with quiet():
            v = 1 / u
            bend = c.source.jet(v)[2] if c.source.jet is not None else v
            return value(u), -c.conjugates(v, (1 - u) / u) - c.source.dtype(c.slope), bend * v * v * v

    return replace(c.source, value=value, jet=jet, panels=None)


def _times(mass: np.ndarray, value: float) -> np.ndarray:
    with quiet():
        return np.where(mass == 0, 0.0, mass * value)
