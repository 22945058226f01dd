r"""Kullback–Leibler divergences and affinities of parametric families, without cancellation near equality.

In an exponential family with log-partition A, the affinity of order a,

    J_a(p, q) = -log ∫ p^a q^(1-a) = a A(θ_p) + (1-a) A(θ_q) - A(a θ_p + (1-a) θ_q),

is a KL(m‖p) + (1-a) KL(m‖q) with m the member at a θ_p + (1-a) θ_q: a sum of terms that are each small where J is, and
stationary in m, so that the rounding of m does not matter. It is -inf where m leaves the natural domain.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import cosh, exp, expm1, inf, isinf, log, log1p, sinh
from typing import Any

import numpy as np
from scipy.special import exprel

from divergences._numerics import log_excess as _log_excess
from divergences._numerics import quiet

Parameters = tuple[Any, ...]


@dataclass(frozen=True)
class Family:
    """KL(p‖q) from the parameters of a pair, and J_a(p, q); None where a form is not known or not accurate."""

    kl: Callable[[Parameters, Parameters], float | None]
    affinity: Callable[[Parameters, Parameters, float], float | None]


def log_excess(x: float, ratio: float | None = None) -> float:
    """X - log(1 + x); inf at -1. `ratio` is 1 + x, which x near -1 has rounded away."""
    with quiet():
        if ratio is not None and x < -0.5:
            return float(x - np.log(ratio))
        return float(_log_excess(np.float64(x)))


def _inside(order: float, u: float, v: float, power: int = 1) -> bool:
    """Whether order * u^power + (1 - order) * v^power > 0, exactly: at the boundary a divergence turns infinite."""
    a, b, c = Fraction(order), Fraction(u) ** power, Fraction(v) ** power
    return a * b + (1 - a) * c > 0


def _exponential_family(
    kl: Callable[[Parameters, Parameters], float],
    path: Callable[[Parameters, Parameters, float], Parameters | None],
) -> Family:
    """The affinity from KL and the member at a θ_p + (1-a) θ_q (None outside the natural domain)."""

    def affinity(p: Parameters, q: Parameters, order: float) -> float:
        middle = path(p, q, order)
        if middle is None:
            return -inf
        to_p, to_q = kl(middle, p), kl(middle, q)
        if isinf(to_p) or isinf(to_q):  # one is infinite only where the parameters left the floats
            return inf if 0 < order < 1 else -inf
        return order * to_p + (1 - order) * to_q

    return Family(kl, affinity)


def normal_kl(p: Parameters, q: Parameters) -> float:
    """½ (r - 1 - log r + ((μ_p - μ_q)/σ_q)²), r = (σ_p/σ_q)²."""
    (mean_p, sd_p), (mean_q, sd_q) = p, q
    excess = (sd_p - sd_q) / sd_q * ((sd_p + sd_q) / sd_q)
    spread = log_excess(excess) if excess > -0.5 else excess - 2 * (log(sd_p) - log(sd_q))
    shift = (mean_p - mean_q) / sd_q
    return (spread + shift * shift) / 2


def _normal_path(p: Parameters, q: Parameters, order: float) -> Parameters | None:
    """Precisions add: 1/σ² = a/σ_p² + (1-a)/σ_q². Means are taken from that of q, which `_normal` has put at 0."""
    (mean_p, sd_p), (_, sd_q) = p, q
    if not _inside(order, sd_q, sd_p, power=2):
        return None
    ratio = sd_p / sd_q
    total = order + (1 - order) * ratio * ratio
    return (mean_p * (order / total), sd_p / total**0.5) if 0 < total < inf else None


_NORMAL = _exponential_family(normal_kl, _normal_path)


def _normal_affinity(p: Parameters, q: Parameters, order: float) -> float | None:
    return _NORMAL.affinity((p[0] - q[0], p[1]), (0.0, q[1]), order)


# Stirling's series of log Γ(z) - (z - ½) log z + z - ½ log 2π: coefficients of 1/z, 1/z³, ...
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
SHIFT = 12


def gamma_excess(b: float, a: float, d: float) -> float:
    """H(b) - H(a) - (b - a) H'(a) >= 0 with the convex H(z) = log Γ(z) - z log z + z; d = b - a, exact.

    log Γ is moved up to arguments above 12 by its recurrence, which adds terms x - log(1 + x) >= 0; there Stirling's
    series is used, whose differences need no subtraction: y^m - 1 + m x = x² Σ_j (m + 1 - j) y^j with y = 1/(1 + x).
    """
    steps = SHIFT if min(a, b) < SHIFT else 0
    value = sum(log_excess(d / (a + k), (b + k) / (a + k)) for k in range(steps))
    if steps:
        if 2 * abs(d) > b:  # far apart both excesses are about d, which must not be subtracted
            value += (b + steps) * log((b + steps) / (a + steps)) - b * log(b / a)
        else:
            value += _entropy_excess(b + steps, a + steps, d) - _entropy_excess(b, a, d)
    x, y, z = d / (a + steps), (a + steps) / (b + steps), a + steps
    value += log_excess(x, (b + steps) / (a + steps)) / 2
    for i, coefficient in enumerate(STIRLING):
        m = 2 * i + 1
        value += coefficient * x * x * sum((m + 1 - j) * y**j for j in range(1, m + 1)) / z**m
    return max(value, 0.0)


def _entropy_excess(b: float, a: float, d: float) -> float:
    """The Bregman divergence of z log z - z: b log(b/a) - d, d = b - a."""
    return b * log_excess(-d / b, a / b)


def gamma_kl(p: Parameters, q: Parameters) -> float:
    """Shapes and scales; in the orthogonal parameters shape and mean both terms are nonnegative."""
    (shape_p, scale_p), (shape_q, scale_q) = p, q
    shift = ((shape_p - shape_q) / shape_q * scale_p + (scale_p - scale_q)) / scale_q  # ratio of means, less one
    shapes = gamma_excess(shape_q, shape_p, shape_q - shape_p) if shape_p != shape_q else 0.0
    return shapes + shape_q * log_excess(shift, shape_p / shape_q * (scale_p / scale_q))


def _gamma_path(p: Parameters, q: Parameters, order: float) -> Parameters | None:
    (shape_p, scale_p), (shape_q, scale_q) = p, q
    if not (_inside(order, shape_p, shape_q) and _inside(order, scale_q, scale_p)):
        return None
    ratio = scale_p / scale_q
    return order * shape_p + (1 - order) * shape_q, scale_p / (order + (1 - order) * ratio)


def dirichlet_kl(p: Parameters, q: Parameters) -> float:
    """n_q KL(means of q‖means of p) + Σ excess(α_q; α_p) - excess(n_q; n_p), n the sum of the concentrations α."""
    alpha_p, alpha_q = np.array(p, dtype=float), np.array(q, dtype=float)
    n_p, n_q = float(alpha_p.sum()), float(alpha_q.sum())
    d = alpha_p - alpha_q
    difference = (d - alpha_p * (d.sum() / n_p)) / alpha_q  # (mean_p - mean_q) / mean_q
    ratios = (alpha_p / n_p) / (alpha_q / n_q)
    excess = [log_excess(x, ratio) for x, ratio in zip(difference.tolist(), ratios.tolist(), strict=True)]
    means = float(np.sum(alpha_q * excess))
    shapes = sum(gamma_excess(b, a, b - a) for a, b in zip(alpha_p.tolist(), alpha_q.tolist(), strict=True))
    return max(means + shapes - gamma_excess(n_q, n_p, float(-d.sum())), 0.0)


def _dirichlet_path(p: Parameters, q: Parameters, order: float) -> Parameters | None:
    if not all(_inside(order, a, b) for a, b in zip(p, q, strict=True)):
        return None
    return tuple(order * a + (1 - order) * b for a, b in zip(p, q, strict=True))


def poisson_kl(p: Parameters, q: Parameters) -> float:
    """λ_p log(λ_p/λ_q) - λ_p + λ_q."""
    (a,), (b,) = p, q
    return a * log_excess((b - a) / a, b / a)


def _poisson_path(p: Parameters, q: Parameters, order: float) -> Parameters | None:
    rate = order * log(p[0]) + (1 - order) * log(q[0])
    return (exp(rate),) if -700 < rate < 700 else None


def _poisson_affinity(p: Parameters, q: Parameters, order: float) -> float | None:
    rate = order * log(p[0]) + (1 - order) * log(q[0])
    if rate > 700:
        return -inf
    if rate < -700:
        return order * p[0] + (1 - order) * q[0]
    return _POISSON.affinity(p, q, order)


_POISSON = _exponential_family(poisson_kl, _poisson_path)


def laplace_kl(p: Parameters, q: Parameters) -> float:
    """r - 1 - log r + r (e^-t - 1 + t), r = b_p/b_q, t = abs(μ_p - μ_q)/b_p."""
    (loc_p, b_p), (loc_q, b_q) = p, q
    t = abs(loc_p - loc_q) / b_p
    return log_excess((b_p - b_q) / b_q, b_p / b_q) + b_p / b_q * _exp_excess(t)


def _exp_excess(t: float) -> float:
    """e^-t - 1 + t >= 0 for t >= 0, by its series near 0."""
    if t > 0.5:
        return expm1(-t) + t
    value = 0.0
    for k in range(16, 1, -1):
        value = (1 - value) * t / k
    return value * t


def _laplace_affinity(p: Parameters, q: Parameters, order: float) -> float | None:
    """The scales' own affinity, and that of the shift: m - log(cosh h + m sinh(h)/h), x = aΔ/b_p, y = (1-a)Δ/b_q."""
    (loc_p, b_p), (loc_q, b_q) = p, q
    if not _inside(order, b_q, b_p):
        return -inf
    scales = _GAMMA.affinity((1.0, b_p), (1.0, b_q), order)
    x, y = order * abs(loc_p - loc_q) / b_p, (1 - order) * abs(loc_p - loc_q) / b_q
    m, h = (x + y) / 2, (y - x) / 2
    if x == y == 0:
        return scales
    if scales is None or min(abs(order), abs(1 - order)) < 1e-3:  # x y is then small beside (x + y)²
        return None
    if abs(m) < 0.5 and abs(h) < 0.5:
        even, odd = 2 * sinh(h / 2) ** 2, _sinhc_excess(h)
        return scales + log_excess(m) - log1p((even + m * odd) / (1 + m))
    if abs(h) < 300:
        return scales + m - log(cosh(h) + m * sinh(h) / h) if h else scales + log_excess(m)
    terms = np.array([-x, -y, log(2 * m) - min(x, y) + float(np.log(exprel(-abs(y - x))))])
    return scales + log(2.0) - float(np.logaddexp.reduce(terms))


def _sinhc_excess(h: float) -> float:
    """sinh(h)/h - 1 for abs(h) < 1/2."""
    value = 0.0
    for k in range(8, 0, -1):
        value = (1 + value) * h * h / ((2 * k) * (2 * k + 1))
    return value


def cauchy_kl(p: Parameters, q: Parameters) -> float:
    """log(1 + χ²/2), χ² = ((γ_p - γ_q)² + (x_p - x_q)²) / (2 γ_p γ_q). Source: Chyzak & Nielsen (2019)."""
    return log1p(cauchy_pearson(p, q) / 2)


def cauchy_pearson(p: Parameters, q: Parameters) -> float:
    """χ², the maximal invariant of two Cauchy laws; it is their Pearson divergence."""
    (x, a), (y, b) = p, q
    return ((a - b) / a * ((a - b) / b) + (x - y) / a * ((x - y) / b)) / 2


_GAMMA = _exponential_family(gamma_kl, _gamma_path)


def _whitened_kl(p: Parameters, q: Parameters) -> float:
    """N(δ, 1 + e) against N(0, 1) or the reverse, by e, the excess of the variance."""
    (mean_p, excess_p), (mean_q, excess_q) = p, q
    variance = 1 + excess_q
    return (
        log_excess((excess_p - excess_q) / variance, (1 + excess_p) / variance) + (mean_p - mean_q) ** 2 / variance
    ) / 2


def _whitened_path(p: Parameters, q: Parameters, order: float) -> Parameters | None:
    (mean, excess), _ = p, q
    total = 1 + (1 - order) * excess
    return (mean * (order / total), order * excess / total) if total > 0 else None


FAMILIES = {
    "normal": Family(normal_kl, _normal_affinity),
    "whitened": _exponential_family(_whitened_kl, _whitened_path),
    "gamma": _GAMMA,
    "dirichlet": _exponential_family(dirichlet_kl, _dirichlet_path),
    "poisson": Family(poisson_kl, _poisson_affinity),
    "laplace": Family(laplace_kl, _laplace_affinity),
    "cauchy": Family(cauchy_kl, lambda p, q, order: -log1p(cauchy_pearson(p, q)) if order in (-1, 2) else None),
}
