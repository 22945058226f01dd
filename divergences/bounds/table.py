"""The inequalities, one literal each: what is on either side of ≤, where it is found, and when it applies.

V is the total variation in [0, 1], H² the squared Hellinger distance in [0, 2], L = ½ Σ (p-q)²/(p+q) Le Cam's,
J = KL(p‖q) + KL(q‖p), χ² Pearson's, B and C Bhattacharyya's and Chernoff's, R_a Rényi's divergence. To add one, add a
literal here and, in tests/laws/test_inequalities.py, the pair on which it is tight.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from divergences.bounds.measures import Measures, atanh_excess, capacity

LOG2 = math.log(2.0)
Side = Callable[[Measures], float]


@dataclass(frozen=True)
class Bound:
    """left <= right for every pair that meets the condition `unless`, which otherwise says why not."""

    name: str
    formula: str
    left: Side
    right: Side
    source: str
    unless: Callable[[Measures], str] = lambda m: ""


def _needs_points(m: Measures) -> str:
    return "" if m.w1 is not None else "needs points="


def _least_mass(m: Measures) -> str:
    return "" if m.least_q > 0 else "needs q > 0 wherever p > 0: an outcome of p has q = 0"


def _quotient(a: float, b: float) -> float:
    return a / b if b > 0 else math.inf


def _w1(m: Measures, end: int) -> float:
    return m.w1[end] if m.w1 is not None else math.nan


def _times(distance: float | None, v: float) -> float:
    return distance * v if distance is not None else math.nan


TABLE = (
    Bound("pinsker", "V ≤ √(KL/2)", lambda m: m.tv, lambda m: math.sqrt(m.kl / 2), "Pinsker 1964; Csiszár 1967"),
    Bound(
        "kullback",
        "2V² + 4V⁴/9 ≤ KL",
        lambda m: 2 * m.tv**2 + 4 / 9 * m.tv**4,
        lambda m: m.kl,
        "Kullback 1967, 1970",
    ),
    Bound(
        "vajda",
        "log((1+V)/(1-V)) - 2V/(1+V) ≤ KL",
        lambda m: 2 * atanh_excess(m.tv) + 2 * m.tv**2 / (1 + m.tv) if m.tv < 0.5 else _vajda(m),
        lambda m: m.kl,
        "Vajda 1970",
    ),
    Bound(
        "bretagnolle_huber",
        "V ≤ √(1 - e^-KL)",
        lambda m: m.tv,
        lambda m: math.sqrt(-math.expm1(-m.kl)),
        "Bretagnolle & Huber 1979",
    ),
    Bound(
        "bretagnolle_huber_weak",
        "V ≤ 1 - ½e^-KL",
        lambda m: m.tv,
        lambda m: 0.5 - math.expm1(-m.kl) / 2,
        "Bretagnolle & Huber 1979; Tsybakov 2009, (2.25)",
    ),
    Bound(
        "reverse_pinsker",
        "KL ≤ log(1 + 2V²/min q)",
        lambda m: m.kl,
        lambda m: math.log1p(2 * m.tv * _quotient(m.excess, m.least_q)),
        "Sason & Verdú 2015; Csiszár & Talata 2006",
        _least_mass,
    ),
    Bound(
        "le_cam_lower", "H²/2 ≤ V", lambda m: m.squared_hellinger / 2, lambda m: m.tv, "Le Cam 1986; Tsybakov 2009, 2.3"
    ),
    Bound(
        "le_cam_upper",
        "V ≤ √(H²(1 - H²/4))",
        lambda m: m.tv,
        lambda m: math.sqrt(m.squared_hellinger * (1 - m.squared_hellinger / 4)),
        "Le Cam 1986; Tsybakov 2009, 2.3",
    ),
    Bound("hellinger_kl", "H² ≤ KL", lambda m: m.squared_hellinger, lambda m: m.kl, "Tsybakov 2009, 2.4"),
    Bound("hellinger_jeffreys", "4H² ≤ J", lambda m: 4 * m.squared_hellinger, lambda m: m.jeffreys, "Taneja 2005"),
    Bound(
        "renyi_half_kl",
        "R_½ = -2 log(1 - H²/2) ≤ KL",
        lambda m: m.renyi_half,
        lambda m: m.kl,
        "van Erven & Harremoës 2014, Theorem 3",
    ),
    Bound(
        "kl_log_pearson",
        "KL ≤ log(1 + χ²) = R_2",
        lambda m: m.kl,
        lambda m: m.log1p_pearson,
        "van Erven & Harremoës 2014, Theorem 3; Gibbs & Su 2002",
    ),
    Bound("kl_pearson", "KL ≤ χ²", lambda m: m.kl, lambda m: m.pearson, "Gibbs & Su 2002"),
    Bound(
        "renyi_order",
        "R_2 ≤ R_∞",
        lambda m: m.renyi_2,
        lambda m: m.renyi_inf,
        "van Erven & Harremoës 2014, Theorem 3",
    ),
    Bound("pearson_tv", "4V² ≤ χ²", lambda m: 4 * m.tv**2, lambda m: m.pearson, "Gibbs & Su 2002"),
    Bound(
        "pearson_tv_region",
        "4V² (V ≤ ½), V/(1-V) (V > ½) ≤ χ²",
        lambda m: 4 * m.tv**2 if m.tv <= 0.5 else _quotient(m.tv, m.overlap),
        lambda m: m.pearson,
        "Sason & Verdú 2016; the joint range is exactly this",
    ),
    Bound("jeffreys_tv", "4V² ≤ J", lambda m: 4 * m.tv**2, lambda m: m.jeffreys, "twice Pinsker"),
    Bound(
        "jeffreys_tv_region",
        "2V log((1+V)/(1-V)) ≤ J",
        lambda m: 2 * m.tv * _log_odds(m),
        lambda m: m.jeffreys,
        "Gilardoni 2006; Sason 2015; the joint range is exactly this",
    ),
    Bound("js_tv_upper", "JS ≤ V log 2", lambda m: m.js, lambda m: LOG2 * m.tv, "Lin 1991"),
    Bound("js_tv_lower", "V²/2 ≤ JS", lambda m: m.tv**2 / 2, lambda m: m.js, "Topsøe 2000; Pinsker for both halves"),
    Bound(
        "js_tv_region",
        "log 2 - h((1-V)/2) ≤ JS",
        lambda m: capacity(m.tv, m.overlap),
        lambda m: m.js,
        "Topsøe 2000; Briët & Harremoës 2009",
    ),
    Bound(
        "js_hellinger_lower",
        "H² log(2)/2 ≤ JS",
        lambda m: LOG2 / 2 * m.squared_hellinger,
        lambda m: m.js,
        "Topsøe 2000; Sason & Verdú 2016",
    ),
    Bound(
        "js_hellinger_upper",
        "JS ≤ H²/2",
        lambda m: m.js,
        lambda m: m.squared_hellinger / 2,
        "Taneja 2005",
    ),
    Bound("js_jeffreys", "JS ≤ J/8", lambda m: m.js, lambda m: m.jeffreys / 8, "Taneja 2005"),
    Bound(
        "js_jeffreys_crooks",
        "JS ≤ log(2/(1 + e^(-J/2)))",
        lambda m: m.js,
        lambda m: -math.log1p(math.expm1(-m.jeffreys / 2) / 2),
        "Crooks 2008",
    ),
    Bound("js_le_cam_lower", "L/2 ≤ JS", lambda m: m.le_cam / 2, lambda m: m.js, "Topsøe 2000"),
    Bound("js_le_cam_upper", "JS ≤ L log 2", lambda m: m.js, lambda m: LOG2 * m.le_cam, "Topsøe 2000"),
    Bound("le_cam_tv_lower", "V² ≤ L", lambda m: m.tv**2, lambda m: m.le_cam, "Topsøe 2000"),
    Bound("le_cam_tv_upper", "L ≤ V", lambda m: m.le_cam, lambda m: m.tv, "Topsøe 2000"),
    Bound(
        "le_cam_hellinger_lower",
        "H²/2 ≤ L",
        lambda m: m.squared_hellinger / 2,
        lambda m: m.le_cam,
        "Le Cam 1986; Topsøe 2000",
    ),
    Bound(
        "le_cam_hellinger_upper",
        "L ≤ H²",
        lambda m: m.le_cam,
        lambda m: m.squared_hellinger,
        "Le Cam 1986; Topsøe 2000",
    ),
    Bound("hockey_stick_tv", "E_2 ≤ V", lambda m: m.hockey_stick_2, lambda m: m.excess, "Sason & Verdú 2016"),
    Bound("chernoff_lower", "B ≤ C", lambda m: m.bhattacharyya, lambda m: m.chernoff, "Chernoff 1952"),
    Bound(
        "chernoff_upper",
        "C ≤ min(KL(p‖q), KL(q‖p))",
        lambda m: m.chernoff,
        lambda m: min(m.kl, m.reverse_kl),
        "Cover & Thomas 2006, 11.9",
    ),
    Bound(
        "wasserstein_upper",
        "W1 ≤ diameter · V",
        lambda m: _w1(m, 0),
        lambda m: _times(m.diameter, m.excess),
        "Villani 2009, Theorem 6.15; Gibbs & Su 2002",
        _needs_points,
    ),
    Bound(
        "wasserstein_lower",
        "least distance · V ≤ W1",
        lambda m: _times(m.separation, m.common),
        lambda m: _w1(m, 1),
        "Gibbs & Su 2002",
        _needs_points,
    ),
)


def _log_odds(m: Measures) -> float:
    """log((1+V)/(1-V))."""
    if m.tv < 0.5:
        return 2 * math.atanh(m.tv)
    return math.log1p(m.tv) - math.log(m.overlap) if m.overlap > 0 else math.inf


def _vajda(m: Measures) -> float:
    return _log_odds(m) - 2 * m.tv / (1 + m.tv)
