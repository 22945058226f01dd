"""f-divergences with a parameter: functions that return the literal at one value of it.

Their rows of formulas stand in the table at the top of `catalogue.py`.
"""

from functools import partial
from math import log, log1p

from divergences._arrays import Array, namespace
from divergences._checks import positive, real_number
from divergences._numerics import (
    exact_product,
    kl_cost,
    log_one_minus_exp,
    log_ratio,
    softplus,
)
from divergences.errors import DataError
from divergences.f_divergences._fused import Fused
from divergences.f_divergences._powers import alpha_cost, alpha_tail, deformed_log, weighted_deformed_log
from divergences.f_divergences.f_divergence import FDivergence


def weighted_js(weight: float) -> FDivergence:
    """w KL(p‖m) + (1-w) KL(q‖m) with m = wp + (1-w)q, for a weight w in (0, 1); w = ½ is `js`.

    Raises DataError for a weight outside (0, 1). Source: Lin (1991); lecture row B12.

    >>> print(weighted_js(0.3)([0.5, 0.5], [1.0, 0.0]))
    0.214764933638007
    """
    w = positive(weight, "weight")
    if not 1e-30 <= w < 1:  # smaller weights of small masses underflow
        raise DataError(
            f"weight must be strictly between 0 and 1, and at least 1e-30; got {weight!r}. The limits are 0 and 0; "
            "those of D/w and D/(1-w) are kl and reverse_kl."
        )
    return _weighted_js(w, 1 - w)


def _weighted_js(w: float, v: float) -> FDivergence:
    """Weights w of p and v = 1 - w of q, each as exact as it is known: the mirror exchanges them."""

    def cost(p: Array, q: Array, d: Array) -> Array:
        m = w * p + v * q
        return w * kl_cost(p, m, v * d) + v * kl_cost(q, m, -w * d)

    def partials(p: Array, q: Array, d: Array) -> tuple[Array, Array]:
        m = w * p + v * q
        return w * log_ratio(p, m, v * d), v * log_ratio(q, m, -w * d)

    def f(u: Array) -> Array:
        larger = namespace(u).clip(u, min=1.0)
        return larger * cost(u / larger, 1 / larger, (u - 1) / larger)

    def f_prime(u: Array) -> Array:  # w log(u/(v + wu)), in which the smaller weight must not be lost beside 1
        xp = namespace(u)
        return -w * (xp.log(v / u + w) if w <= v else xp.log1p(v * (1 / u - 1)))

    # The kernel takes one weight: the smaller has the digits of the other.
    fused = Fused("weighted_js", weight=min(w, v), swapped=w > v) if min(w, v) > 2.0**-50 else None
    log_w, log_v = (log(x) if x < y else log1p(-y) for x, y in ((w, v), (v, w)))
    return FDivergence(
        name=f"weighted_js({w:g})",
        f=f,
        f_prime=f_prime,
        f_star=lambda t: v * (log_v - log_one_minus_exp(t / w + log_w)),
        high=-w * log_w,
        g=lambda s: -w * log_w - w * softplus(-s),
        f_star_g=lambda s: v * (log_v + softplus(s)),
        cost=cost,
        partials=partials,
        fused=fused,
        mirror=lambda: _weighted_js(v, w),
    )


def alpha(order: float) -> FDivergence:
    """(Σ p^a q^(1-a) - 1)/(a(a-1)) for any real order a: the alpha divergence in Cressie & Read's scale.

    Its generator (u^a - a u + a - 1)/(a(a-1)) has f''(1) = 1 at every order. Order 1 is KL and 0 reverse KL, reached
    continuously; 2 is pearson/2, -1 neyman/2, ½ is 2 squared_hellinger. The reverse of order a is order 1 - a.

    Raises DataError unless the order is finite. Source: Cressie & Read (1984), whose λ is a - 1; Amari's α is 2a - 1.

    >>> p, q = [0.5, 0.5], [0.25, 0.75]
    >>> print(alpha(2)(p, q), alpha(1)(p, q), alpha(1 - 1e-12)(p, q))
    0.16666666666666666 0.143841036225890 0.143841036225873
    """
    a = real_number(order, "order")
    return _alpha(a, a - 1)


def _alpha(a: float, c: float) -> FDivergence:
    """Order a with c = a - 1, each as exact as it is known: near order 0 it is a that has the digits."""
    a, c = (0.0 if abs(x) < 1e-100 else x for x in (a, c))  # u**1e-100 is one for every ratio of floats

    def cost(p: Array, q: Array, d: Array) -> Array:
        return alpha_cost(p, q, d, c) if a >= 0.5 else alpha_cost(q, p, -d, -a)

    def f_star(t: Array) -> Array:
        if c == 0:
            return deformed_log(t, a)
        xp = namespace(t)
        inside = c * t > -1
        log_u = xp.log1p(xp.where(inside, c * t, xp.zeros_like(t))) / c
        at_end = -1 / a if c > 0 or a < 0 else xp.inf
        return xp.where(inside, deformed_log(log_u, a), xp.full_like(t, at_end))

    return FDivergence(
        name=f"alpha({a:.15g})",
        f=lambda u: cost(u, namespace(u).ones_like(u), u - 1),
        f_prime=lambda u: deformed_log(namespace(u).log(u), c),
        f_star=f_star,
        high=-1 / c if c < 0 else float("inf"),
        # A bounded domain is entered at the score v = log u, where f'(u) and f*(f'(u)) are deformed logarithms.
        g=(lambda v: deformed_log(v, c)) if c < 0 else (lambda v: v),
        f_star_g=(lambda v: deformed_log(v, a)) if c < 0 else f_star,
        cost=cost,
        partials=lambda p, q, d: (weighted_deformed_log(1.0, p, q, d, c), weighted_deformed_log(1.0, q, p, -d, -a)),
        tail=partial(alpha_tail, c=c) if c > -0.5 else None,
        mirror=None if a == 0.5 else lambda: _alpha(-c, -a),
        alphas=((1.0, a if abs(c) > 0.5 else 1 + c),),
    )


def hockey_stick(level: float) -> FDivergence:
    """E_γ(p, q) = Σ max(p - γ q, 0) at level γ >= 1: the δ of (log γ, δ) differential privacy. Total variation at 1.

    For γ < 1 the constant 1 - γ is subtracted, so that D(p, p) = 0: the value is then Σ max(γ q - p, 0). Zero does not
    mean p = q unless γ = 1 (`separates`). At the kink the slope of the flat side, 0, is returned.

    Raises DataError unless the level is finite and positive. Source: Polyanskiy, Poor & Verdú (2010); Sason & Verdú
    (2016).

    >>> print(hockey_stick(2)([0.9, 0.1], [0.3, 0.7]), hockey_stick(1)([0.9, 0.1], [0.3, 0.7]))
    0.3 0.6
    """
    return _ramp(positive(level, "level"), mirrored=False)


def _ramp(level: float, *, mirrored: bool) -> FDivergence:
    """max(±(m u - n), 0), flat at u = 1: (m, n) = (1, γ), or (γ, 1) in the mirror, which exchanges p and q."""
    m, n = (level, 1.0) if mirrored else (1.0, level)
    sign = 1.0 if (level >= 1) is not mirrored else -1.0  # rising or falling

    def excess(p: Array, q: Array, d: Array) -> Array:
        return -sign * _excess(q, p, -d, level) if mirrored else sign * _excess(p, q, d, level)

    def positive_part(x: Array) -> Array:
        return namespace(x).clip(x, min=0.0)

    def slopes(p: Array, q: Array, d: Array) -> tuple[Array, Array]:
        steep = namespace(p, q).astype(excess(p, q, d) > 0, d.dtype)
        return sign * m * steep, -sign * n * steep

    def sigmoid(v: Array) -> Array:
        return sign * namespace(v).exp(-softplus(-sign * v))

    return FDivergence(
        name=f"{'reverse ' if mirrored else ''}hockey_stick({level:.15g})",
        f=lambda u: positive_part(sign * (m * u - n)),
        f_prime=lambda u: sign * m * namespace(u).astype(sign * (m * u - n) > 0, u.dtype),
        f_star=lambda t: namespace(t).clip(t * (n / m), min=0.0 if sign > 0 else -n),
        high=m if sign > 0 else 0.0,
        g=lambda v: m * sigmoid(v),
        f_star_g=lambda v: n * sigmoid(v),
        cost=lambda p, q, d: positive_part(excess(p, q, d)),
        partials=slopes,
        mirror=lambda: _ramp(level, mirrored=not mirrored),
        separates=level == 1,
    )


def _excess(p: Array, q: Array, d: Array, level: float) -> Array:
    """p - γ q to full relative accuracy, though the two nearly agree; d = p - q."""
    if level == 1:
        return d
    xp = namespace(p, q)
    product, rest = exact_product(level, q)
    value = (p - product) - rest
    if not 0.5 <= level <= 2:
        return value
    # Here γ - 1 is exact, and d may know more about the difference than p and q do.
    product, rest = exact_product(level - 1, q)
    return xp.where(xp.abs(d) <= q / 2, (d - product) - rest, value)
