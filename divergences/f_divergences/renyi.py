"""Divergences that are logarithms of Σ p^a q^(1-a): Rényi's, Bhattacharyya's, Chernoff's; in nats.

Near p = q the sum is one minus an alpha divergence, which keeps all digits; elsewhere it is a log-sum-exp, in which
nothing overflows. Gradients are those of the function of p/Σp and q/Σq: their mean under p (q) is zero.
"""

from functools import partial
from typing import Any

import numpy as np

from divergences._arrays import Array, is_torch, namespace, row_sums, scalar
from divergences._checks import mass_pair, scalar_or_nan
from divergences._numerics import log_sum_exp, quiet
from divergences.densities.mixture import is_distribution
from divergences.errors import DataError
from divergences.f_divergences import _perspective as perspective
from divergences.f_divergences._atoms import Atoms, atoms, tilted
from divergences.f_divergences.families import alpha

_ZERO = 1e-100  # u**1e-100 is one for every ratio of floats but 0


def renyi(p: Any, q: Any, order: float, *, normalize: bool = False, log: bool = False) -> Array:
    """log(Σ p^a q^(1-a))/(a-1) for an order a in [0, inf]: Rényi's divergence, increasing in a.

    Order 0 is -log Q(p > 0), 1 is KL, inf is log max p/q. Exactly 0 at p = q, inf where that is right; where the value
    is infinite, and at order inf where it is 0, the gradient returned is 0.

    Args:
        p, q: probability vectors on the last axis; leading axes broadcast.
        order: a >= 0, inf included.
        normalize, log: as for every f-divergence: divide by the sum; log-probabilities.

    Raises:
        DataError: a negative order, and what `kl` refuses. NotNormalizedError: sums beyond the tolerance.

    Of two distributions, given as for `FDivergence.between`, for 0 < a < inf: an `Estimate` by the same rules.

    Source: Rényi (1961); van Erven & Harremoës (2014).

    >>> print(renyi([0.5, 0.5], [0.25, 0.75], 2))
    0.287682072451781
    >>> print(renyi([0.0, 1.0], [0.5, 0.5], 0), renyi([0.5, 0.5], [0.25, 0.75], float("inf")))
    0.693147180559945 0.693147180559945

    """
    a = _order(order)
    if is_distribution(p) or is_distribution(q):
        return _between().renyi_between(p, q, a)
    return _answer(partial(_renyi, a, log), partial(_renyi_slopes, a, log), p, q, normalize, log)


def bhattacharyya(p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> Array:
    """-log Σ √(p q), half of Rényi's divergence of order ½: 0 at p = q, inf on disjoint supports.

    Arguments and errors as for `renyi`. Source: Bhattacharyya (1943).

    >>> print(bhattacharyya([0.5, 0.5], [0.25, 0.75]))
    0.03466823209753695
    """
    if is_distribution(p) or is_distribution(q):
        return _between().bhattacharyya_between(p, q)
    return renyi(p, q, 0.5, normalize=normalize, log=log) / 2


def chernoff(p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> Array:
    """max over λ in [0, 1] of -log Σ p^λ q^(1-λ): the best error exponent of a test between p and q.

    At the ends of [0, 1] the limits are meant: the sum runs over the common support. Symmetric, 0 at p = q, inf on
    disjoint supports, where the gradient returned is 0. Arguments and errors as for `renyi`. Source: Chernoff (1952).

    >>> print(chernoff([0.5, 0.5], [0.25, 0.75]))
    0.034688185232017
    """
    if is_distribution(p) or is_distribution(q):
        return _between().chernoff_between(p, q)
    return _answer(partial(_chernoff, log), partial(_chernoff_slopes, log), p, q, normalize, log)


def _between() -> Any:
    from divergences.densities import between  # imported here because it needs scipy.stats, which is slow to import

    return between


def _order(order: Any) -> float:
    a = scalar_or_nan(order)
    if not a >= 0:
        raise DataError(f"order must be a number of at least 0, or inf; got {order!r}.")
    return 0.0 if a < _ZERO else a


def _answer(value: Any, slopes: Any, p: Any, q: Any, normalize: bool, log: bool) -> Array:
    p, q, dtype = mass_pair(p, q, normalize=normalize, log=log)
    result = row_sums(value, slopes, p, q) if is_torch(p) else value(p, q)
    return scalar(namespace(result).astype(result, dtype))


# ---- Rényi ---------------------------------------------------------------------------------------------------------


def _renyi(a: float, log: bool, p: Array, q: Array) -> Array:
    with quiet():
        x = atoms(p, q, log)
        xp = namespace(x.p)
        if a == np.inf:
            value = xp.max(xp.where(x.p_empty, -xp.inf, x.ratio), axis=-1)
        elif a == 0:
            value = -_log_one_minus(*_split(x.q, x.p_empty))
        else:
            cost = (perspective.log_cost if log else perspective.cost)(alpha(a), p, q)
            total = xp.sum(cost, axis=-1)
            if a == 1:
                return total
            difference = a * (a - 1) * total  # Σ p^a q^(1-a) - 1
            near = xp.abs(difference) <= 0.5
            small = xp.log1p(xp.where(near, difference, xp.zeros_like(difference)))
            value = xp.where(near, small, log_sum_exp(x.exponent(a))) / (a - 1)
        return xp.clip(value, min=0.0)


def _split(mass: Array, outside: Array) -> tuple[Array, Array]:
    """The mass outside a set and the mass inside it."""
    xp = namespace(mass)
    zero = xp.zeros_like(mass)
    return xp.sum(xp.where(outside, mass, zero), axis=-1), xp.sum(xp.where(outside, zero, mass), axis=-1)


def _log_one_minus(x: Array, rest: Array) -> Array:
    """log(1 - x) where rest = 1 - x is known too: each is accurate where it is the smaller."""
    xp = namespace(x)
    return xp.where(x <= 0.5, xp.log1p(-xp.clip(x, max=0.5)), xp.log(rest))


def _renyi_slopes(a: float, log: bool, p: Array, q: Array) -> tuple[Array, Array]:
    value = _renyi(a, log, p, q)[..., None]
    with quiet():
        x = atoms(p, q, log)
        xp = namespace(x.p)
        if a == np.inf:
            best = (x.ratio == value) & ~x.p_empty
            weight = xp.astype(best, xp.float64)
            weight = weight / xp.sum(weight, axis=-1, keepdims=True)
            by_p, by_q = (weight - m if log else weight / m - 1 for m in (x.p, x.q))
            slopes = xp.where(best | log, by_p, -xp.ones_like(by_p)), xp.where(best | log, -by_q, xp.ones_like(by_q))
            still = (value == 0) | (value == xp.inf)
        elif a == 1:
            slopes = x.ratio - value, -xp.expm1(x.ratio)
            if log:
                slopes = x.p * slopes[0], -x.d
            still = value == xp.inf
        else:
            by_p, by_q = tilted(x, max(a, 1e-300), a - 1, (a - 1) * value, log)
            slopes = by_p * (a / (a - 1)), -by_q
            still = value == xp.inf
        return _settled(x, slopes, still, log)


def _settled(x: Atoms, slopes: tuple[Array, Array], still: Array, log: bool) -> tuple[Array, Array]:
    """The slopes by the rules at zeros: 0 for -inf, for inf where p = q = 0, and for rows that stand still."""
    xp = namespace(x.p)
    settled = []
    for mass, s in zip((x.p_empty, x.q_empty), slopes, strict=True):
        empty = mass if log else x.p_empty & x.q_empty & ~xp.isfinite(s)
        settled.append(xp.where(still | empty | (s == -xp.inf) | xp.isnan(s), xp.zeros_like(s), s))
    return settled[0], settled[1]


# ---- Chernoff ------------------------------------------------------------------------------------------------------


def _chernoff(log: bool, p: Array, q: Array) -> Array:
    with quiet():
        x = atoms(p, q, log)
        return _information(x, _best_weight(x))[..., 0]


def _information(x: Atoms, weight: Array) -> Array:
    """-log Σ p^λ q^(1-λ) at one λ per row, of shape (..., 1)."""
    xp = namespace(x.p)
    gap = _gap(x, weight)
    near = gap <= 0.5
    small = -xp.log1p(-xp.where(near, gap, xp.zeros_like(gap)))
    return xp.clip(xp.where(near, small, -log_sum_exp(x.exponent(weight))[..., None]), min=0.0)


def _gap(x: Atoms, weight: Array) -> Array:
    """1 - Σ p^λ q^(1-λ) = Σ (λ p + (1-λ) q - p^λ q^(1-λ)), its terms without their first order."""
    xp = namespace(x.p)
    first = weight <= 0.5
    w, base, z = xp.where(first, weight, 1 - weight), xp.where(first, x.q, x.p), xp.where(first, x.ratio, -x.ratio)
    close = base * (w * x.excess(z) - x.excess(w * z))
    apart = weight * x.p + (1 - weight) * x.q - xp.exp(x.exponent(weight))
    return xp.sum(xp.where(x.close, close, apart), axis=-1, keepdims=True)


def _best_weight(x: Atoms) -> Array:
    """The λ that maximises the information: Newton's method within a bracket, for all rows at once; ends included.

    Near p = q the derivative of the gap, without its first order, is used instead of that of the logarithm: rounding in
    the sums of p and q would drown the latter. Where one atom outweighs all, both are straight: then bisection.
    """
    xp = namespace(x.p)
    half = xp.full_like(x.p[..., :1], 0.5)
    low, high, last = xp.zeros_like(half), xp.ones_like(half), xp.ones_like(half)
    near = _gap(x, half) <= 0.5
    excess = x.excess(x.ratio)
    rising, falling = _descent(x, low, near, excess)[0] >= 0, _descent(x, high, near, excess)[0] <= 0
    weight = xp.where(rising & falling, half, xp.where(rising, low, xp.where(falling, high, half)))
    for _ in range(100):
        slope, curvature = _descent(x, weight, near, excess)
        low, high = xp.where(slope < 0, weight, low), xp.where(slope > 0, weight, high)
        step = -slope / curvature
        newton = weight + step
        fine = (newton > low) & (newton < high) & (xp.abs(step) <= xp.abs(last) / 2)
        done = (slope == 0) | (xp.abs(step * slope) <= 1e-18 * _information(x, weight))
        following = xp.where(fine, newton, (low + high) / 2)
        last = xp.where(fine, step, (high - low) / 2)
        moved = xp.where(done, weight, following)
        if not bool(xp.any(moved != weight)):
            break
        weight = moved
    middle = (low + high) / 2
    better = xp.where(_information(x, low) >= _information(x, high), low, high)
    # Between neighbouring floats the information can still be steep.
    return xp.where((middle == low) | (middle == high), better, weight)


def _descent(x: Atoms, weight: Array, near: Array, excess: Array) -> tuple[Array, Array]:
    """First and second derivative in λ of what is minimised: -gap near p = q, else log Σ p^λ q^(1-λ)."""
    xp = namespace(x.p)
    zero = xp.zeros_like(x.p)
    ratio = xp.where(x.p_empty | x.q_empty, zero, x.ratio)
    exponent = x.exponent(weight)
    power = xp.exp(exponent)
    small = xp.where(x.close, ratio, zero)
    close = x.q * (small * xp.expm1(weight * small) - excess)
    by_gap = xp.sum(xp.where(x.close, close, ratio * power - x.d), axis=-1, keepdims=True)
    curvature = xp.sum(ratio * ratio * power, axis=-1, keepdims=True)
    share = xp.exp(exponent - log_sum_exp(exponent)[..., None])
    share = xp.where(xp.isnan(share), zero, share)
    mean = xp.sum(share * ratio, axis=-1, keepdims=True)
    variance = xp.sum(share * (ratio - mean) ** 2, axis=-1, keepdims=True)
    return xp.where(near, by_gap, mean), xp.where(near, curvature, variance)


def _chernoff_slopes(log: bool, p: Array, q: Array) -> tuple[Array, Array]:
    with quiet():
        x = atoms(p, q, log)
        xp = namespace(x.p)
        weight = _best_weight(x)
        value = _information(x, weight)
        by_p, by_q = tilted(x, xp.clip(weight, min=1e-300), xp.clip(weight - 1, max=-1e-300), -value, log)
        return _settled(x, (-weight * by_p, (weight - 1) * by_q), value == xp.inf, log)
