r"""The catalogue: one literal per f-divergence, in nats, with r = p/q; those with a parameter come from `families.py`.

| name | D(p, q) | f(u) | f*(t), t in | T* |
|---|---|---|---|---|
| kl | Σ p log(p/q) | u log u | e^(t-1), R | 1 + log r |
| reverse_kl | Σ q log(q/p) | -log u | -1 - log(-t), t < 0 | -1/r |
| js | ½ KL(p‖m) + ½ KL(q‖m), m = (p+q)/2 | half of u log u - (u+1) log((u+1)/2) | -½ log(2 - e^(2t)), t < ½ log 2 | ½ log(2r/(1+r)) |
| total_variation | ½ Σ abs(p-q) | ½ abs(u-1) | max(t, -½), t <= ½ | ½ sign(r-1) |
| pearson | Σ (p-q)²/q | (u-1)² | t²/4 + t for t >= -2, -1 below | 2(r-1) |
| neyman | Σ (p-q)²/p | (1-u)²/u | 2 - 2√(1-t), t <= 1 | 1 - 1/r² |
| squared_hellinger | Σ (√p-√q)² | (√u-1)² | t/(1-t), t < 1 | 1 - 1/√r |
| jeffreys | Σ (p-q) log(p/q) | (u-1) log u | 1/ω - log ω - 1, ω = W(e^(1-t)), R | log r + 1 - 1/r |
| le_cam | ½ Σ (p-q)²/(p+q) | (u-1)²/(2(u+1)) | 2 - t - 2√(1-2t) for t >= -3/2, -½ below, t <= ½ | ½ - 2/(1+r)² |
| gan | 2 JS(p, q) - log 4 | u log u - (u+1) log(u+1) | -log(1 - e^t), t < 0 | log(r/(1+r)) |
| weighted_js(w) | w KL(p‖m) + (1-w) KL(q‖m), m = wp + (1-w)q | wu log u - (1-w+wu) log(1-w+wu) | (1-w) log((1-w)/(1-w e^(t/w))), t < -w log w | w log(r/(1-w+wr)) |
| alpha(a) | (Σ p^a q^(1-a) - 1)/(a(a-1)) | (u^a - au + a - 1)/(a(a-1)) | (x^a - 1)/a, x = (1+(a-1)t)^(1/(a-1)) | (r^(a-1) - 1)/(a-1) |
| hockey_stick(γ) | Σ max(p - γq, 0) | max(u-γ, 0) | max(γt, 0), t <= 1 | 1 where r > γ, else 0 |

Source: lecture part B, corrected; Nowozin, Cseke & Tomioka (2016), tables 1, 2 and 6. f-GAN's "JS" is `2 * js`.
"""

from collections.abc import Mapping
from math import log
from types import MappingProxyType
from typing import Any

from divergences._arrays import Array, namespace, scalar
from divergences._numerics import kl_cost, log_omega, log_one_minus_exp, log_ratio, mirrored_above_one, softplus, xlogx
from divergences.f_divergences._fused import Fused, total_cost
from divergences.f_divergences.f_divergence import FDivergence
from divergences.f_divergences.families import alpha, hockey_stick, weighted_js

LOG2 = log(2.0)


def _log(x: Array) -> Array:
    return namespace(x).log(x)


def _exp(x: Array) -> Array:
    return namespace(x).exp(x)


def _sqrt(x: Array) -> Array:
    return namespace(x).sqrt(x)


def _log1p(x: Array) -> Array:
    return namespace(x).log1p(x)


def _tanh(x: Array) -> Array:
    return namespace(x).tanh(x)


def _sign(x: Array) -> Array:
    return namespace(x).sign(x)


def _identity(v: Array) -> Array:
    return v


kl = FDivergence(
    name="kl",
    f=xlogx,
    f_prime=lambda u: 1 + _log(u),
    f_star=lambda t: _exp(t - 1),
    g=_identity,
    f_star_g=lambda v: _exp(v - 1),
    cost=kl_cost,
    partials=lambda p, q, d: (log_ratio(p, q, d), -d / q),
    tail=lambda delta: (_log(delta - 1), 1 / (delta - 1)),
    fused=Fused("kl"),
    slope_at_one=1.0,
    mirror=lambda: reverse_kl,
    alphas=((1.0, 1.0),),
)

reverse_kl = FDivergence(
    name="reverse_kl",
    f=lambda u: -_log(u),
    f_prime=lambda u: -1 / u,
    f_star=lambda t: -1 - _log(-t),
    high=0.0,
    g=lambda v: -_exp(-v),
    f_star_g=lambda v: v - 1,
    cost=lambda p, q, d: kl_cost(q, p, -d),
    partials=lambda p, q, d: (d / p, log_ratio(q, p, -d)),
    fused=Fused("kl", swapped=True),
    slope_at_one=-1.0,
    mirror=lambda: kl,
    alphas=((1.0, 0.0),),
)

total_variation = FDivergence(
    name="total_variation",
    f=lambda u: abs(u - 1) / 2,
    f_prime=lambda u: _sign(u - 1) / 2,
    f_star=lambda t: namespace(t).clip(t, min=-0.5),
    high=0.5,
    g=lambda v: namespace(v).tanh(v) / 2,
    f_star_g=lambda v: namespace(v).tanh(v) / 2,
    cost=lambda p, q, d: abs(d) / 2,
    partials=lambda p, q, d: (_sign(d) / 2, _sign(-d) / 2),
    fused=Fused("total_variation"),
)

pearson = FDivergence(
    name="pearson",
    f=lambda u: (u - 1) ** 2,
    f_prime=lambda u: 2 * (u - 1),
    f_star=lambda t: _pearson_conjugate(t),
    g=_identity,
    f_star_g=lambda v: _pearson_conjugate(v),
    cost=lambda p, q, d: (d / _sqrt(q)) ** 2,  # neither the square nor the ratio alone leaves the floats
    partials=lambda p, q, d: (2 * (d / q), -d / q * (1 + p / q)),
    tail=lambda delta: (delta, namespace(delta).ones_like(delta)),
    fused=Fused("pearson"),
    mirror=lambda: neyman,
    alphas=((2.0, 2.0),),
)


def _pearson_conjugate(t: Array) -> Array:
    """t²/4 + t; constant below t = -2, where the supremum over u >= 0 is reached at u = 0."""
    t = namespace(t).clip(t, min=-2.0)
    return t * t / 4 + t


neyman = FDivergence(
    name="neyman",
    f=lambda u: (1 - u) * ((1 - u) / u),
    f_prime=lambda u: 1 - 1 / u**2,
    f_star=lambda t: 2 - 2 * _sqrt(1 - t),
    high=1.0,
    g=lambda v: 1 - _exp(-v),
    f_star_g=lambda v: 2 - 2 * _exp(-v / 2),
    cost=lambda p, q, d: (d / _sqrt(p)) ** 2,
    partials=lambda p, q, d: (d / p * (1 + q / p), 2 * (-d / p)),
    fused=Fused("pearson", swapped=True),
    mirror=lambda: pearson,
    alphas=((2.0, -1.0),),
)

squared_hellinger = FDivergence(
    name="squared_hellinger",
    f=lambda u: ((u - 1) / (_sqrt(u) + 1)) ** 2,
    f_prime=lambda u: 1 - 1 / _sqrt(u),
    f_star=lambda t: _hellinger_conjugate(t),
    high=1.0,
    g=lambda v: 1 - _exp(-v),
    f_star_g=lambda v: namespace(v).expm1(v),
    cost=lambda p, q, d: (d / (_sqrt(p) + _sqrt(q))) ** 2,  # √p - √q without its cancellation
    partials=lambda p, q, d: tuple(e / (_sqrt(p) + _sqrt(q)) / _sqrt(a) for a, e in ((p, d), (q, -d))),
    fused=Fused("squared_hellinger"),
    alphas=((0.5, 0.5),),
)


def _hellinger_conjugate(t: Array) -> Array:
    """t/(1-t), with its limit -1 at -inf."""
    t = namespace(t).clip(t, min=-1e300)
    return t / (1 - t)


jeffreys = FDivergence(
    name="jeffreys",
    f=lambda u: (u - 1) * _log(u),
    f_prime=lambda u: _log(u) + 1 - 1 / u,
    f_star=lambda t: _jeffreys_conjugate(t),
    g=_identity,
    f_star_g=lambda v: _jeffreys_conjugate(v),
    cost=lambda p, q, d: d * log_ratio(p, q, d),
    partials=lambda p, q, d: (log_ratio(p, q, d) + d / p, log_ratio(q, p, -d) - d / q),
    tail=lambda delta: (_log(delta), 1 / delta),
    fused=Fused("jeffreys"),
    alphas=((1.0, 1.0), (1.0, 0.0)),
)


def _jeffreys_conjugate(t: Array) -> Array:
    """1/ω - log ω - 1 with ω = W(e^(1-t)), which overflows only where the value does."""
    y = log_omega(1 - t)
    return _exp(-y) - y - 1


js = FDivergence(
    name="js",
    f=lambda u: _js_cost(u, u * 0 + 1, u - 1),  # differences of large terms would cancel near u = 1
    f_prime=lambda u: (LOG2 - _log1p(1 / u)) / 2,
    f_star=lambda t: -(LOG2 + log_one_minus_exp(2 * t - LOG2)) / 2,
    high=LOG2 / 2,
    g=lambda v: (LOG2 - softplus(-v)) / 2,
    f_star_g=lambda v: (softplus(v) - LOG2) / 2,
    cost=lambda p, q, d: _js_cost(p, q, d),
    partials=lambda p, q, d: tuple(log_ratio(a, p / 2 + q / 2, e / 2) / 2 for a, e in ((p, d), (q, -d))),
    fused=Fused("weighted_js"),
)


def _js_cost(p: Array, q: Array, d: Array) -> Array:
    middle = p / 2 + q / 2
    return (kl_cost(p, middle, d / 2) + kl_cost(q, middle, -d / 2)) / 2


le_cam = FDivergence(
    name="le_cam",
    f=lambda u: (u - 1) * ((u - 1) / (u + 1)) / 2,
    f_prime=lambda u: 0.5 - 2 / (u + 1) ** 2,
    f_star=lambda t: _le_cam_conjugate(t),
    high=0.5,
    # At the score v = log u both are polynomials in h = (u - 1)/(u + 1) = tanh(v/2).
    g=lambda v: _tanh(v / 2) * (2 - _tanh(v / 2)) / 2,
    f_star_g=lambda v: _tanh(v / 2) * (2 + _tanh(v / 2)) / 2,
    cost=lambda p, q, d: (d / _sqrt(p + q)) ** 2 / 2,
    partials=lambda p, q, d: tuple(e / (p + q) * (1 + 2 * b / (p + q)) / 2 for b, e in ((q, d), (p, -d))),
    fused=Fused("le_cam"),
)


def _le_cam_conjugate(t: Array) -> Array:
    """(1-s)(3-s)/2 with s = √(1-2t); constant below t = -3/2, where the supremum is reached at u = 0."""
    t = namespace(t).clip(t, min=-1.5)
    s = _sqrt(1 - 2 * t)
    return t * (3 - s) / (1 + s)


def _gan_generator(u: Array) -> Array:
    return xlogx(u) - (u + 1) * _log1p(u)


gan_value = FDivergence(
    name="gan",
    f=lambda u: mirrored_above_one(_gan_generator, u),
    f_prime=lambda u: -_log1p(1 / u),
    f_star=lambda t: -log_one_minus_exp(t),
    high=0.0,
    g=lambda v: -softplus(-v),
    f_star_g=softplus,
    cost=lambda p, q, d: 2 * _js_cost(p, q, d),
    partials=lambda p, q, d: tuple(2 * s for s in js.partials(p, q, d)),
    fused=Fused("weighted_js", factor=2.0),
    f_at_one=-2 * LOG2,
    slope_at_one=-LOG2,
)


CATALOGUE: Mapping[str, FDivergence] = MappingProxyType(
    {
        "kl": kl,
        "reverse_kl": reverse_kl,
        "js": js,
        "total_variation": total_variation,
        "pearson": pearson,
        "neyman": neyman,
        "squared_hellinger": squared_hellinger,
        "jeffreys": jeffreys,
        "le_cam": le_cam,
        "gan": gan_value,
        "weighted_js": weighted_js(0.3),
        "alpha": alpha(0.5),
        "hockey_stick": hockey_stick(2.0),
    }
)


def js_distance(p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> Array:
    """√JS(p, q), a metric in [0, √log 2]; its gradient at p = q is returned as 0. Arguments as for `js`.

    Source: Endres & Schindelin (2003).

    >>> print(js_distance([1.0, 0.0], [0.5, 0.5]))
    0.464501404
    """
    value, dtype = total_cost(js, p, q, normalize=normalize, log=log)  # in float64: a narrow dtype can underflow
    xp = namespace(value)
    zero = value == 0
    root = xp.where(zero, value, _sqrt(xp.where(zero, xp.ones_like(value), value)))
    return scalar(xp.astype(root, dtype))
