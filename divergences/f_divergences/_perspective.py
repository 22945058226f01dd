"""The cost q f̃(p/q) of an atom and its slopes, to the edge of the floats: on masses and on their logarithms.

On logarithms an atom is (1, e^-δ) or (e^-δ, 1) times its larger mass, which is multiplied back at the end; where the
ratio itself is of no use (far apart, or the cost overflows before it is scaled back) an entry's `tail` takes over.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from divergences._arrays import Array, elementwise, is_torch, namespace
from divergences._numerics import NARROW, exp_of_sum, in_blocks, quiet, two_difference, unit_scale
from divergences.errors import DataError

if TYPE_CHECKING:
    from divergences.f_divergences.f_divergence import FDivergence

FAR = 40.0  # beyond it e**-δ is below the rounding of whatever it is added to
LAST = 700.0  # the largest δ at which e**-δ has all its digits


def contributions(divergence: FDivergence, p: Array, q: Array, *, log: bool = False) -> Array:
    """The cost of each atom, by blocks; tensors carry gradients."""
    terms = partial(in_blocks, partial(log_cost if log else cost, divergence))
    if not is_torch(p):
        return terms(p, q)
    return elementwise(terms, partial(log_gradient if log else gradient, divergence), p, q)


def cost(divergence: FDivergence, p: Array, q: Array) -> Array:
    """The cost q f̃(p/q) of each atom, 0 where p = q."""
    xp = namespace(p, q)
    scale = unit_scale(p, q)
    with quiet():
        value = divergence.cost(p * scale, q * scale, (p - q) * scale) / scale
    return xp.where(p == q, xp.zeros_like(value), value)


def slopes(divergence: FDivergence, p: Array, q: Array) -> tuple[Array, Array]:
    """The partial derivatives of the cost, homogeneous of degree zero; NaN or anything where p = q = 0."""
    scale = unit_scale(p, q)
    with quiet():
        return divergence.partials(p * scale, q * scale, (p - q) * scale)


def gradient(divergence: FDivergence, p: Array, q: Array) -> tuple[Array, Array]:
    """The slopes with their limits at zeros: one-sided, and 0 for -inf everywhere and for inf where p = q = 0."""
    xp = namespace(p, q)
    zero = xp.zeros((), dtype=p.dtype, device=p.device)
    if bool(xp.all(xp.maximum(p, q) >= NARROW)):  # no atom is empty, none needs a scale
        with quiet():
            by_p, by_q = divergence.partials(p, q, p - q)
    else:
        empty = (p == 0) & (q == 0)
        pairs = zip(empty_slopes(divergence), slopes(divergence, p, q), strict=True)
        by_p, by_q = (xp.where(empty, zero + z, s) for z, s in pairs)
    return xp.where(by_p == -np.inf, zero, by_p), xp.where(by_q == -np.inf, zero, by_q)


def empty_slopes(divergence: FDivergence) -> tuple[float, float]:
    """The one-sided slopes f̃'(inf) and f̃(0) where p = q = 0, 0 for inf."""
    one, zero = np.ones(1), np.zeros(1)
    with quiet():
        at_zero = divergence.cost(one, zero, one), divergence.cost(zero, one, -one)
    by_p, by_q = (0.0 if np.isinf(slope[0]) else float(slope[0]) for slope in at_zero)
    return by_p, by_q


class _Atom(NamedTuple):
    """Masses relative to the larger one, from their logarithms."""

    top: Array  # the logarithm of the larger mass
    distance: Array  # δ >= 0, by how much the other logarithm is smaller
    residue: Array  # what rounding left of δ
    p: Array
    q: Array
    d: Array  # p - q


def relative(lp: Array, lq: Array) -> _Atom:
    """The masses of each atom over the larger of the two, from logarithms."""
    xp = namespace(lp, lq)
    lp, lq = xp.broadcast_arrays(lp, lq)
    first = lp >= lq
    top, low = xp.where(first, lp, lq), xp.where(first, lq, lp)
    distance, residue = two_difference(top, low)
    empty = top == -np.inf
    distance = xp.where(empty, xp.zeros_like(distance), distance)
    residue = xp.where(xp.isfinite(distance) & ~empty, residue, xp.zeros_like(residue))
    small = xp.exp(-distance) * (1 - residue)
    gap = residue * small - xp.expm1(-distance)
    one = xp.ones_like(small)
    return _Atom(
        top, distance, residue, xp.where(first, one, small), xp.where(first, small, one), xp.where(first, gap, -gap)
    )


def scaled(value: Array, top: Array) -> Array:
    """value e**top in two steps, because that power alone may underflow."""
    xp = namespace(value)
    half = xp.exp(top / 2)
    return xp.where((value == 0) | xp.isinf(value), value, value * half * half)


def _beyond(atom: _Atom, side: Array) -> Array:
    """The atoms on one side that are the tail's: far apart, but not at a zero, where the cost itself is right."""
    return side & (atom.distance > FAR) & namespace(side).isfinite(atom.distance)


def _tails(divergence: FDivergence, lp: Array, lq: Array) -> list[tuple[Array, FDivergence]]:
    """Which atoms lie to either side, and whose tail serves them."""
    return [(lp > lq, divergence), (lp < lq, divergence.reverse)]


def log_cost(divergence: FDivergence, lp: Array, lq: Array) -> Array:
    """The cost q f̃(p/q) at p = e**lp, q = e**lq; -inf allowed."""
    with quiet():
        atom = relative(lp, lq)
        xp = namespace(atom.p)
        near = divergence.cost(atom.p, atom.q, atom.d)
        value = scaled(near, atom.top)
        for side, entry in _tails(divergence, lp, lq):
            lost = side & ~xp.isfinite(near) & xp.isfinite(atom.distance)
            if entry.tail is None:
                _refuse_if_undecided(entry, side, lost, atom)
                continue
            exponent, slope = entry.tail(atom.distance)
            far = exp_of_sum(atom.top, exponent, slope * atom.residue)
            value = xp.where(_beyond(atom, side) | lost, far, value)
        return xp.where(lp == lq, xp.zeros_like(value), value)


def _refuse_if_undecided(entry: FDivergence, side: Array, lost: Array, atom: _Atom) -> None:
    """Without a tail, a ratio beyond the floats is no reason to answer inf: the larger mass may be tiny."""
    xp = namespace(side)
    one, zero = xp.ones_like(atom.top[..., :1]), xp.zeros_like(atom.top[..., :1])
    if bool(xp.all(xp.isfinite(entry.cost(one, zero, one)))):
        return
    undecided = lost | (side & (atom.distance > LAST) & xp.isfinite(atom.distance))
    if bool(xp.any(undecided)):
        raise DataError(
            f"{entry.name} has no `tail`, so log-probabilities must be within {LAST:g} of one another; "
            f"got a difference of {float(xp.max(xp.where(undecided, atom.distance, atom.distance * 0))):g}. "
            "Give one, or clip the log-probabilities."
        )


def log_gradient(divergence: FDivergence, lp: Array, lq: Array) -> tuple[Array, Array]:
    """The derivatives of the cost in lp and lq: p and q times its slopes; 0 at -inf, and 0 for -inf."""
    with quiet():
        atom = relative(lp, lq)
        xp = namespace(atom.p)
        pairs = zip((atom.p, atom.q), divergence.partials(atom.p, atom.q, atom.d), strict=True)
        near = [xp.where(mass == 0, mass, mass * slope) for mass, slope in pairs]
        found = [scaled(x, atom.top) for x in near]
        for larger, (side, entry) in enumerate(_tails(divergence, lp, lq)):
            if entry.tail is None:
                continue
            exponent, slope = entry.tail(atom.distance)
            far = exp_of_sum(atom.top, exponent, slope * atom.residue)
            by_larger, by_smaller = far * (1 + slope), -far * slope
            for k, value in ((larger, by_larger), (1 - larger, by_smaller)):
                use = _beyond(atom, side) | (side & ~xp.isfinite(near[k]) & xp.isfinite(atom.distance))
                found[k] = xp.where(use, value, found[k])
        none = [(x == -np.inf) | (lp == lq) | (y == -np.inf) for x, y in zip((lp, lq), found, strict=True)]
        by_p, by_q = (xp.where(n, xp.zeros_like(y), y) for n, y in zip(none, found, strict=True))
        return by_p, by_q


def log_ratio_slope(divergence: FDivergence, lp: Array, lq: Array) -> Array:
    """f̃'(p/q), the slope of the cost in p itself, from logarithms; 0 where p = q = 0."""
    with quiet():
        atom = relative(lp, lq)
        xp = namespace(atom.p)
        value = divergence.partials(atom.p, atom.q, atom.d)[0]
        (above, here), (below, there) = _tails(divergence, lp, lq)
        if here.tail is not None:
            exponent, slope = here.tail(atom.distance)
            value = xp.where(_beyond(atom, above), xp.exp(exponent) * (1 + slope), value)
        if there.tail is not None:
            exponent, slope = there.tail(atom.distance)
            far = -exp_of_sum(atom.distance, exponent, xp.zeros_like(exponent)) * slope
            # Where the slope underflows beside an overflow, the value at 0 is the right infinity.
            value = xp.where(_beyond(atom, below) & ~xp.isnan(far), far, value)
        return xp.where(lp == lq, xp.zeros_like(value), value)
