"""Atoms of two distributions with everything that powers p^a q^(1-a) need: masses, logarithms, and their ratio."""

from __future__ import annotations

from dataclasses import dataclass

from divergences._arrays import Array, namespace
from divergences._numerics import log_ratio
from divergences.f_divergences._perspective import relative, scaled
from divergences.f_divergences._powers import exp_excess


@dataclass(frozen=True)
class Atoms:
    """Masses p and q, d = p - q, log q and log p, log p/q (±inf at a single zero, 0 where both are), broadcast."""

    p: Array
    q: Array
    d: Array
    log_p: Array
    log_q: Array
    ratio: Array

    @property
    def p_empty(self) -> Array:
        """Where p = 0."""
        return self.log_p == -namespace(self.p).inf

    @property
    def q_empty(self) -> Array:
        """Where q = 0."""
        return self.log_q == -namespace(self.q).inf

    @property
    def close(self) -> Array:
        """Where |log p/q| <= 1, so that differences of powers are taken by series."""
        return (namespace(self.p).abs(self.ratio) <= 1) & ~self.p_empty

    def exponent(self, a: Array | float) -> Array:
        """log of p^a q^(1-a), at a = 0 and 1 its limit from between: -inf at zeros, inf where q = 0 < p and a > 1."""
        xp = namespace(self.p)
        both = ~(self.p_empty | self.q_empty)
        ratio = xp.where(both, self.ratio, xp.zeros_like(self.ratio))
        inside = xp.where(ratio > 0, self.log_p + (a - 1) * ratio, self.log_q + a * ratio)
        lonely = xp.where(~self.p_empty & self.q_empty & (xp.zeros_like(ratio) + a > 1), xp.inf, -xp.inf)
        return xp.where(both, inside, lonely)

    def excess(self, z: Array) -> Array:
        """e^z - 1 - z where the atom is `close`, else 0."""
        xp = namespace(z)
        small = xp.where(self.close, z, xp.zeros_like(z))
        return small * small * exp_excess(small)


def atoms(p: Array, q: Array, log: bool) -> Atoms:
    """The atoms of two arrays of probabilities, or of log-probabilities."""
    xp = namespace(p, q)
    p, q = xp.broadcast_arrays(p, q)
    zero = xp.zeros_like(p)
    if not log:
        ratio = xp.where(p == q, zero, log_ratio(p, q, p - q))
        return Atoms(p, q, p - q, xp.log(p), xp.log(q), ratio)
    pair = relative(p, q)
    return Atoms(xp.exp(p), xp.exp(q), scaled(pair.d, pair.top), p, q, xp.where(p == q, zero, p - q))


def tilted(x: Atoms, a: Array | float, c: Array | float, log_sum: Array, log: bool) -> tuple[Array, Array]:
    """w/p - 1 and w/q - 1, with w = p^a q^(1-a)/Σ the tilted distribution; with `log`, w - p and w - q. c = a - 1."""
    xp = namespace(x.p)
    nothing = x.p_empty & x.q_empty
    above, below = xp.where(nothing, xp.inf, x.ratio), xp.where(nothing, -xp.inf, x.ratio)
    by_p, by_q = c * above - log_sum, a * below - log_sum
    if not log:
        return xp.expm1(by_p), xp.expm1(by_q)
    weight = xp.exp(x.exponent(a) - log_sum)
    near = (xp.where(xp.abs(y) < 1, m * xp.expm1(y), weight - m) for y, m in ((by_p, x.p), (by_q, x.q)))
    first, second = near
    return first, second
