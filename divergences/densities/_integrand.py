"""The integrand q f̃(p/q) of a pair of laws, as a logarithm, with the part of it that rounding may have made."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, log1p
from typing import NamedTuple

import numpy as np

from divergences._numerics import quiet
from divergences.densities._law import Law, Member
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence

FAR = 40.0  # beyond it e**-δ is below the rounding of whatever it is added to
LAST = 700.0


class Values(NamedTuple):
    """Logarithms at some points: of the integrand, of what rounding may change in it, and of both densities."""

    cost: np.ndarray
    noise: np.ndarray
    p: np.ndarray
    q: np.ndarray


def log_cost(divergence: FDivergence, lp: np.ndarray, lq: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """log of q f̃(p/q) at p = e^lp, q = e^lq, where delta = lp - lq, at least as accurate as that subtraction."""
    with quiet():
        top, distance = np.maximum(lp, lq), np.abs(delta)
        small, gap = np.exp(-distance), -np.expm1(-distance)
        first = delta >= 0
        one = np.ones_like(small)
        near = divergence.cost(np.where(first, one, small), np.where(first, small, one), np.where(first, gap, -gap))
        value = np.where(delta == 0, -np.inf, np.log(near))
        for side, entry in ((first, divergence), (~first, divergence.reverse)):
            far = side & (distance > FAR)
            if far.any():
                value[far] = _far(entry, distance[far], value[far])
        return np.where(top == -np.inf, -np.inf, top + value)


def _far(divergence: FDivergence, distance: np.ndarray, value: np.ndarray) -> np.ndarray:
    """log f̃(u)/u at u = e^distance for large distances: by the entry's `tail`, else its limit, else its power law."""
    if divergence.tail is not None:
        tail = divergence.tail(np.where(np.isinf(distance), LAST, distance))[0]
        return np.where(np.isinf(distance), np.inf, tail)
    one, zero = np.ones(1), np.zeros(1)
    limit = np.log(divergence.cost(one, zero, one))[0]
    if limit < np.inf:
        return np.where(distance > LAST, limit, value)
    ends = np.array([LAST - 100, LAST])
    low, high = np.log(divergence.cost(np.ones(2), np.exp(-ends), -np.expm1(-ends)))
    return np.where(distance > LAST, high + (high - low) / 100 * (distance - LAST), value)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two laws and the divergence between them; with an `order` a, the integrand is p^a q^(1-a) instead."""

    divergence: FDivergence
    p: Law
    q: Law
    order: float | None = None

    def values(self, edge: np.ndarray, t: np.ndarray, active: tuple[bool, bool] = (True, True)) -> Values:
        """At the points edge + t of a piece of the line; a law that is not active has no mass there."""
        nothing = np.full(t.shape, -np.inf)
        lp = self.p.at(edge, t) if active[0] else nothing
        lq = self.q.at(edge, t) if active[1] else nothing
        return self.of_logs(lp, lq, self._accurate_delta(edge, t) if all(active) else None)

    def of_logs(self, lp: np.ndarray, lq: np.ndarray, delta: np.ndarray | None = None) -> Values:
        """From both log densities, and their difference where it is known better than by subtraction."""
        unit = 4 * max(self.p.unit, self.q.unit)
        with quiet():
            sizes = [np.where(np.isfinite(part), np.abs(part), 0.0) for part in (lp, lq)]
            bulk = unit * (2 + np.where(lp > lq, *sizes))  # the larger density multiplies the whole
            blur = unit * (2 + sizes[0] + sizes[1])
            if delta is not None:
                blur = unit * np.abs(delta)
            else:
                delta = np.where(lp == lq, 0.0, lp - lq)
            moved = np.concatenate([delta, delta - blur, delta + blur])
            value, *sides = np.split(self._log_cost(np.tile(lp, 3), np.tile(lq, 3), moved), 3)
            top = np.maximum(np.maximum(*sides), value)
            change = np.exp(np.maximum(*sides) - top) - np.exp(np.minimum(*sides) - top)
            noise = np.where(np.isfinite(top), top + np.log(np.maximum(change, 0) + bulk), -np.inf)
        return Values(value, noise, lp, lq)

    def _log_cost(self, lp: np.ndarray, lq: np.ndarray, delta: np.ndarray) -> np.ndarray:
        if self.order is None:
            return log_cost(self.divergence, lp, lq, delta)
        a = self.order
        value = np.where(delta > 0, lp + (a - 1) * delta, lq + a * delta)
        empty = np.isneginf(lp) & (a > 0) | np.isneginf(lq) & (a < 1)
        return np.where(empty, -np.inf, np.where(np.isneginf(lq), np.inf, value))

    def _accurate_delta(self, edge: np.ndarray, t: np.ndarray) -> np.ndarray | None:
        p, q = self.p.member, self.q.member
        if p is None or q is None or (p.family, p.frame) != (q.family, q.frame) or p.frame[:1] == ("log",):
            return None
        form = DIFFERENCES.get(p.family)
        with quiet():
            return None if form is None else form(p, q, edge, t)


def log_quotient(a: float, b: float) -> float:
    """log(a/b) of positive numbers, to rounding near a = b too."""
    return log1p((a - b) / b) if abs(a - b) < b / 2 else log(a) - log(b)


def _normal_difference(p: Member, q: Member, edge: np.ndarray, t: np.ndarray) -> np.ndarray:
    (mean_p, sd_p), (mean_q, sd_q) = p.parameters, q.parameters
    u = ((edge - mean_p) + t) / sd_p
    step = (mean_p - mean_q) / sd_q + u * ((sd_p - sd_q) / sd_q)  # the standardised point of q, less u
    return step * (u + step / 2) + log_quotient(sd_q, sd_p)


def _laplace_difference(p: Member, q: Member, edge: np.ndarray, t: np.ndarray) -> np.ndarray:
    (loc_p, b_p), (loc_q, b_q) = p.parameters, q.parameters
    u, v = (edge - loc_p) + t, (edge - loc_q) + t
    further = np.where(u * v > 0, np.sign(u) * (loc_p - loc_q), np.abs(v) - np.abs(u))
    return further / b_q + np.abs(u) / b_p * ((b_p - b_q) / b_q) + log_quotient(b_q, b_p)


def _gamma_difference(p: Member, q: Member, edge: np.ndarray, t: np.ndarray) -> np.ndarray | None:
    (shape_p, scale_p), (shape_q, scale_q) = p.parameters, q.parameters
    if shape_p != shape_q:
        return None
    x = (edge - p.frame[0]) + t
    return x / scale_p * ((scale_p - scale_q) / scale_q) + shape_p * log_quotient(scale_q, scale_p)


def _poisson_difference(p: Member, q: Member, edge: np.ndarray, t: np.ndarray) -> np.ndarray:
    (a,), (b,) = p.parameters, q.parameters
    return ((edge - p.frame[0]) + t) * log_quotient(a, b) - (a - b)


DIFFERENCES: dict[str, Callable[[Member, Member, np.ndarray, np.ndarray], np.ndarray | None]] = {
    "normal": _normal_difference,
    "laplace": _laplace_difference,
    "gamma": _gamma_difference,
    "poisson": _poisson_difference,
}


def limits(divergence: FDivergence) -> tuple[float, float]:
    """(f̃(0), f̃'(∞)): the cost of mass where only q, or only p, has any."""
    one, zero = np.ones(1), np.zeros(1)
    with quiet():
        return float(divergence.cost(zero, one, -one)[0]), float(divergence.cost(one, zero, one)[0])


def refuse_underflow(name: str, place: float) -> None:
    """An infinite cost that only an underflowed density makes is not an answer."""
    raise DataError(
        f"The log density of {name} is -inf at {place:.6g}, inside its support; it seems to be the logarithm of a "
        "density that underflowed. Pass a callable that computes the log density itself, or a support that ends before."
    )
