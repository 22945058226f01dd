r"""Closed forms, registered per divergence and family pair.

KL, reverse KL, Jeffreys, Pearson, Neyman, squared Hellinger and every alpha divergence are sums of weight times

    D_a(p, q) = (∫ p^a q^(1-a) - 1) / (a (a - 1)) = expm1(-J_a) / (a (a - 1)),  D_1 = KL, D_0 = reverse KL,

so one affinity J_a per family (`_families`) serves them all, infinities included. Total variation has its own forms.
"""

from collections.abc import Callable, Sequence
from math import atan, erf, exp, expm1, inf, isfinite, isinf, log, log1p, pi, sqrt
from typing import Any

import numpy as np
from scipy.special import pdtr

from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.densities._families import FAMILIES, Parameters, cauchy_pearson
from divergences.densities._integrand import Pair
from divergences.densities._law import Member
from divergences.densities._logdensities import poisson

ROUNDING = 1e-13
CANCELLING = 1e-12  # the Dirichlet form subtracts the term of the sum of the concentrations
LARGEST = log(np.finfo(float).max)
SECOND_ORDER = 1e-30  # what the rounding of an intermediate member leaves in an affinity, which is stationary in it

Factors = Sequence[tuple[str, Parameters, Parameters]]


def factors(p: Member | None, q: Member | None) -> Factors | None:
    """The pair as independent pairs of univariate members of one family each; None if it is not of that form."""
    if p is None or q is None or p.family != q.family or p.frame != q.frame:
        return None
    if p.family == "multivariate normal":
        return _whitened(p.parameters, q.parameters)
    if p.family == "product":
        inner = [factors(a, b) for a, b in zip(p.parameters, q.parameters, strict=True)]
        return [pair for part in inner if part for pair in part] if all(inner) else None
    if p.family == "dirichlet" and len(p.parameters) != len(q.parameters):
        return None
    return [(p.family, p.parameters, q.parameters)] if p.family in FAMILIES else None


def _whitened(p: Parameters, q: Parameters) -> Factors | None:
    """Both covariances diagonal at once: N(δ_i, 1 + e_i) against N(0, 1), with e taken from their difference."""
    (mean_p, cov_p), (mean_q, cov_q) = p, q
    if len(mean_p) != len(mean_q):
        return None
    root = np.linalg.inv(np.linalg.cholesky(cov_q))
    excess, vectors = np.linalg.eigh(root @ (cov_p - cov_q) @ root.T)
    shift = vectors.T @ (root @ (mean_p - mean_q))
    return [("whitened", (float(m), float(e)), (0.0, 0.0)) for m, e in zip(shift, excess, strict=True)]


def affinity(parts: Factors, order: float) -> float | None:
    """J_a of a product: the sum of the factors'; None where one is not known."""
    values = [FAMILIES[family].affinity(p, q, order) for family, p, q in parts]
    return None if any(v is None for v in values) else sum(v for v in values if v is not None)


def kl(parts: Factors) -> float | None:
    """KL of a product: the sum of the factors'."""
    values = [FAMILIES[family].kl(p, q) for family, p, q in parts]
    return None if any(v is None for v in values) else sum(v for v in values if v is not None)


def closed_form(pair: Pair) -> Estimate | None:
    """The value by a registered form, or None."""
    d, p, q = pair.divergence, pair.p.member, pair.q.member
    if p is None or q is None or p.frame != q.frame or p.family != q.family:
        return None
    label = f"closed form ({p.family}, {q.family})"
    if p.family in ATOMIC:
        atoms = ATOMIC[p.family](p.parameters, q.parameters)
        with quiet():
            costs = d.cost(*(np.array(column) for column in zip(*atoms, strict=True)))
        costs = np.where([a == b for a, b, _ in atoms], 0.0, costs)
        return exact(float(np.sum(costs)), label, shift=d.f_at_one, note="one law has mass where the other has none")
    if d.name == "total_variation":
        value = _total_variation(p, q)
        return None if value is None else exact(value, label)
    parts = factors(p, q)
    alphas = getattr(d, "alphas", ())
    if not alphas or parts is None:
        return None
    return _alphas(alphas, parts, label)


def exact(value: float, label: str, *, shift: float = 0.0, extra: float = 0.0, note: str = "") -> Estimate:
    """An estimate that is off by rounding only."""
    bound = ROUNDING * abs(value) + extra if isfinite(value) else 0.0
    interval = Interval(max(value - bound, 0.0) + shift, value + bound + shift)
    notes = (f"infinite: {note}",) if isinf(value) and note else ()
    return Estimate(value + shift, confidence_interval=interval, method=label, notes=notes)


def _alphas(alphas: Sequence[tuple[float, float]], parts: Factors, label: str) -> Estimate | None:
    value = extra = 0.0
    for weight, order in alphas:
        if order in (0.0, 1.0):
            term = kl(parts) if order == 1 else kl([(family, q, p) for family, p, q in parts])
        else:
            height = affinity(parts, order)
            if height is None:
                return None
            if -height > 700 and isfinite(height):
                logarithm = -height + log(weight / (order * (order - 1)))
                if logarithm > LARGEST:
                    return beyond(logarithm, label)
            term = inf if height == -inf else expm1(-height) / (order * (order - 1))
            extra += weight * SECOND_ORDER / abs(order * (order - 1))
        if term is None:
            return None
        value += weight * term
    if isfinite(value) and any(family == "dirichlet" for family, _, _ in parts):
        extra += CANCELLING * value
    return exact(value, label, extra=extra, note="the integral of p^a q^(1-a) diverges")


def beyond(logarithm: float, method: str) -> Estimate:
    """A finite value that no float holds."""
    return Estimate(
        inf,
        confidence_interval=Interval(float(np.finfo(float).max), inf),
        method=method,
        notes=(f"finite, but beyond the floats: its logarithm is {logarithm:.12g}",),
    )


Atoms = list[tuple[float, float, float]]  # p, q, p - q


def _uniform_atoms(p: Parameters, q: Parameters) -> Atoms:
    """Two uniform laws are laws on three atoms: the overlap, and what each has for itself."""
    (a, b), (c, d) = p, q
    overlap, outside_p, outside_q = (
        max(0.0, min(b, d) - max(a, c)),
        min(max(0.0, c - a), b - a) + min(max(0.0, b - d), b - a),
        min(max(0.0, a - c), d - c) + min(max(0.0, d - b), d - c),
    )
    wide_p, wide_q = b - a, d - c
    common = overlap / wide_p, overlap / wide_q
    # The widths differ by what lies outside: that difference does not cancel.
    difference = overlap * ((outside_q - outside_p) / wide_p / wide_q)
    alone_p, alone_q = outside_p / wide_p, outside_q / wide_q
    return [(*common, difference), (alone_p, 0.0, alone_p), (0.0, alone_q, -alone_q)]


def _bernoulli_atoms(p: Parameters, q: Parameters) -> Atoms:
    (a,), (b,) = p, q
    return [(a, b, a - b), (1 - a, 1 - b, b - a)]


ATOMIC: dict[str, Callable[[Parameters, Parameters], Atoms]] = {
    "uniform": _uniform_atoms,
    "bernoulli": _bernoulli_atoms,
}


def _total_variation(p: Member, q: Member) -> float | None:
    if p.family == "multivariate normal":
        parts = _whitened(p.parameters, q.parameters)
        if parts is None or any(a[1] != 0 for _, a, _ in parts):
            return None
        return erf(sqrt(sum(a[0] ** 2 for _, a, _ in parts)) / sqrt(8))
    form = TOTAL_VARIATION.get(p.family)
    return None if form is None else form(p.parameters, q.parameters)


def _normal_variation(p: Parameters, q: Parameters) -> float | None:
    """erf(abs(μ_p - μ_q) / √8 σ); with two deviations, from the roots of a quadratic, where that does not cancel."""
    (mean_p, sd_p), (mean_q, sd_q) = p, q
    if sd_p == sd_q:
        return erf(abs(mean_p - mean_q) / sd_p / sqrt(8))
    if sd_p > sd_q:
        return _normal_variation(q, p)
    ratio, shift = sd_p / sd_q, (mean_q - mean_p) / sd_p
    # log p > log q where (1 - r²) z² + 2 r² s z - r² s² + 2 log r < 0, z standardised by p, s the shift, r the ratio.
    a, b, c = 1 - ratio * ratio, ratio * ratio * shift, -((ratio * shift) ** 2) + 2 * log(ratio)
    if a < 1e-2:
        return None
    root = sqrt(b * b - a * c)
    far = -(b + root) / a if b > 0 else (root - b) / a
    ends = sorted((far, c / (a * far)))
    value = sum(side * (_phi(z) - _phi((z - shift) * ratio)) for side, z in zip((-1, 1), ends, strict=True))
    return value if value > 1e-2 else None


def _phi(z: float) -> float:
    return erf(z / sqrt(2)) / 2


def _exponential_variation(p: Parameters, q: Parameters) -> float | None:
    """(1 - 1/t) t^(-1/(t-1)), t the ratio of the scales: survival functions at the crossing."""
    (shape_p, scale_p), (shape_q, scale_q) = p, q
    if not shape_p == shape_q == 1:
        return None
    small, large = sorted((scale_p, scale_q))
    r = (large - small) / small
    return exp(-log1p(r) / r) * (large - small) / large if r else 0.0


def _laplace_variation(p: Parameters, q: Parameters) -> float | None:
    (loc_p, b_p), (loc_q, b_q) = p, q
    return -expm1(-abs(loc_p - loc_q) / b_p / 2) if b_p == b_q else None


def _poisson_variation(p: Parameters, q: Parameters) -> float | None:
    """P(X <= k) - Q(X <= k) at the last k where the smaller rate has more mass; near equality ∫ pmf(k; λ) dλ."""
    low, high = sorted((p[0], q[0]))
    if low == high:
        return 0.0
    k = np.floor((high - low) / log1p((high - low) / low))
    if high - low > 2 * sqrt(low):
        return float(pdtr(k, low) - pdtr(k, high))
    nodes, weights = np.polynomial.legendre.leggauss(30)
    rates = low + (high - low) * (nodes + 1) / 2
    masses = [float(np.exp(poisson(np.array([k]), rate, loc=0.0)[0])) for rate in rates.tolist()]
    return float((high - low) / 2 * np.dot(weights, masses))


def _cauchy_variation(p: Parameters, q: Parameters) -> float:
    """(2/π) arctan √(χ²/2): every f-divergence of two Cauchy laws is a function of χ². Nielsen & Okamura (2022)."""
    return 2 / pi * atan(sqrt(cauchy_pearson(p, q) / 2))


TOTAL_VARIATION: dict[str, Callable[[Any, Any], float | None]] = {
    "normal": _normal_variation,
    "gamma": _exponential_variation,
    "laplace": _laplace_variation,
    "poisson": _poisson_variation,
    "cauchy": _cauchy_variation,
}
