"""What a function tends to, from its values at u, √u, u^(1/4), ...: decided by a rule, or not decided.

Where y(x), x = log u, changes by Δ between x/2 and x and by Δ' between x/4 and x/2, the quotient Δ/Δ' tells its growth:
2 for log u, more for powers, 2^b for (log u)^b; where y converges it is small, and falls with each doubling.
"""

from dataclasses import dataclass

import numpy as np

from divergences._numerics import quiet

FRACTIONS = 2.0 ** -np.arange(5)[::-1]
CONVERGES, DIVERGES, STEADY = 0.05, 1.5, 0.9


@dataclass(frozen=True)
class Limit:
    """A limit, inf or -inf among them, and how far it may be off; None where the values do not decide it."""

    value: float | None
    error: float = 0.0


def limit(y: np.ndarray, noise: float, *, earliest: bool = False) -> Limit:
    """The limit of a monotone y from its values at `FRACTIONS` of the reach.

    `earliest` takes the first of the values that agree, where later ones carry more rounding.
    """
    with quiet():
        change = np.abs(np.diff(y))
        small = noise * np.abs(y[np.isfinite(y)]).max(initial=0.0)
        if not np.isfinite(y[-1]):
            return Limit(float(np.sign(y[-1]) * np.inf))
        if change[-1] <= small:
            settled = int(np.argmax(np.abs(y - y[-1]) <= 1e-3 * small)) if earliest else -1
            return Limit(_zero_within(y[settled], change[-1]), float(change[-1]))
        now, before = change[-1] / change[-2], change[-2] / change[-3]
    if now <= CONVERGES:
        rest = change[-1] * now
        return Limit(_zero_within(y[-1], change[-1]), float(rest))
    if now >= DIVERGES and not now < STEADY * before:
        return Limit(float(np.sign(y[-1] - y[-2]) * np.inf))
    return Limit(None)


def _zero_within(value: float, error: float) -> float:
    """u log u is not 0 at any u, but closer to it at each: a value no larger than its last change stands for 0."""
    return 0.0 if abs(value) <= error else float(value)


@dataclass(frozen=True)
class Growth:
    """G(x) = e^(a x) (b + c x) for large x: powers of u, log u and their products."""

    a: float
    b: float
    c: float

    def log(self, x: np.ndarray) -> np.ndarray:
        """Log G(x)."""
        return self.a * x + np.log(self.b + self.c * x)

    def rate(self, x: np.ndarray) -> np.ndarray:
        """The derivative of log G, that is G'(x) / G(x)."""
        return self.a + self.c / (self.b + self.c * x)

    def __str__(self) -> str:
        logarithm = "" if self.c == 0 else " log u" if self.b == 0 else f" (log u {self.b / self.c:+.6g})"
        return f"{self.c or self.b:.6g} u^{self.a:.6g}{logarithm}"


def growth(x: np.ndarray, y: np.ndarray, noise: float) -> Growth | None:
    """The law that log G = y follows at equispaced x, to `noise`; None where no law of the family does."""
    third = len(x) // 3
    i = np.array([len(x) - 1 - 2 * third, len(x) - 1 - third, len(x) - 1])
    h = float(x[i[1]] - x[i[0]])
    mean = float(y[i[2]] - y[i[0]]) / (2 * h)  # taken out first: e^y leaves the floats
    with quiet():
        # With λ = e^(a h), G₂ - 2λG₁ + λ²G₀ = 0 for every b and c.
        one, two = np.exp(y[i[1]] - y[i[0]] - mean * h), np.exp(y[i[2]] - y[i[0]] - 2 * mean * h)
        root = np.sqrt(max(one * one - two, 0.0))
        raw = [mean + float(np.log(v)) / h for v in (one, one - root, one + root) if v > 0]
    # Exponents are simple fractions more often than not, and then extrapolation has no error in the exponent.
    candidates = [round(a * 240) / 240 for a in raw] + raw
    laws = [law for a in candidates for law in _given_exponent(x, y, a, i)]
    for law in laws:
        with quiet():
            error = np.abs(law.log(x) - y)
        if np.all(error <= noise * np.maximum(1.0, np.abs(y))):
            return law
    return None


def _given_exponent(x: np.ndarray, y: np.ndarray, a: float, i: np.ndarray) -> list[Growth]:
    with quiet():
        first, last = (np.exp(y[k] - a * x[k]) for k in (i[0], i[2]))
    c = (last - first) / (x[i[2]] - x[i[0]])
    level = first - c * x[i[0]]
    laws = [Growth(a, float(last), 0.0), Growth(a, 0.0, float(last / x[i[2]])), Growth(a, float(level), float(c))]
    return [law for law in laws if np.isfinite(law.b) and np.isfinite(law.c)]
