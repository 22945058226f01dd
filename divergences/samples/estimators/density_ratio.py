"""The ratio of the densities learned directly: a logistic classifier, or unconstrained least squares (uLSIF)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from divergences._checks import choice
from divergences._results import Estimate
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples.estimators import _logistic
from divergences.samples.estimators._critic import LogRatios, cross_fitted, judged, standardised
from divergences.samples.estimators._pair import Pair

MODELS = ("logistic", "ulsif")
WIDTHS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5)  # of the Gaussian, in units of the median distance
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
CENTRES = 100


@dataclass(frozen=True)
class DensityRatio:
    """log p/q fitted on four fifths of the rows and used on the other fifth, in turn; any divergence, any dimension.

    The value is E_p T − E_q f*(T) for the critic T = f'(r̂), the one-step corrected plug-in: it misses what the fit
    misses and claims nothing more. Bounded divergences get a two-sided interval, others a lower bound.

    Attributes:
        model: "logistic", a classifier on linear, quadratic or kernel features, chosen by its held-out log-loss
            (the log-ratio of two normal laws is quadratic); or "ulsif", Gaussian kernels by least squares, width and
            penalty chosen by the closed-form leave-one-out error.

    Source: Menon & Ong (2016) for the classifier; Kanamori, Hido & Sugiyama (2009) for uLSIF.

    """

    model: str = "logistic"

    def __post_init__(self) -> None:
        choice(self.model, MODELS, "model")

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """As `Method.estimate`; at least 10 rows on each side."""
        x, y = standardised(pair, self.model)
        if x.shape[1] == 0:
            zeros = LogRatios(*(np.zeros(len(v)) for v in (x, y, x, y)))
            return judged(pair, divergence, zeros, self.model, ("all rows are equal",))
        if self.model == "logistic":
            _, ratios, chosen = logistic(x, y, rng)
            return judged(pair, divergence, ratios, self.model, (f"log-ratio fitted by {chosen} features",))
        centres = x[rng.choice(len(x), min(CENTRES, len(x)), replace=False)]
        width, penalty = _tuned(x, y, centres)
        ratios = cross_fitted(lambda a, b: ulsif(a, b, centres, width, penalty), x, y, rng)
        found = f"ratio fitted by {len(centres)} Gaussians of width {width:.2g}"
        return judged(pair, divergence, ratios, self.model, (found,), ended=False)  # 0 to 67% of the ends held


def logistic(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[_logistic.Features, LogRatios, str]:
    """The features with the least held-out log-loss, their log-ratios, and their name."""
    offset = math.log(len(x) / len(y))
    tried = []
    for features in _logistic.candidates(np.concatenate([x, y]), rng):
        ratios = cross_fitted(lambda a, b, features=features: _logistic.fit(features, a, b), x, y, rng)
        margins = np.concatenate([ratios.held_x + offset, -ratios.held_y - offset])
        tried.append((_logistic.loss(margins), features, ratios))
    best = min(range(len(tried)), key=lambda k: tried[k][0])
    return *tried[best][1:], ("linear", "quadratic", "kernel")[best]


def ulsif(
    x: np.ndarray, y: np.ndarray, centres: np.ndarray, width: float, penalty: float
) -> Callable[[np.ndarray], np.ndarray]:
    """log p̂/q̂ of points, at least −log n, p̂/q̂ = Σ α_l K(·, c_l) with α >= 0 near the least E_q (r − p̂/q̂)² + λ‖α‖²."""
    numerator, denominator = _bumps(x, centres, width), _bumps(y, centres, width)
    gram = denominator.T @ denominator / len(y) + penalty * np.eye(len(centres))
    alpha = np.maximum(np.linalg.solve(gram, numerator.mean(axis=0)), 0.0)
    floor = 1 / len(x)
    return lambda points: np.log(np.maximum(_bumps(points, centres, width) @ alpha, floor))


def _bumps(points: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-cdist(points, centres, "sqeuclidean") / (2 * width**2))


def _tuned(x: np.ndarray, y: np.ndarray, centres: np.ndarray) -> tuple[float, float]:
    """The width and penalty of the least leave-one-out error."""
    unit = float(np.median(cdist(centres, centres)[np.triu_indices(len(centres), 1)])) or 1.0
    best = (math.inf, unit, PENALTIES[-1])
    for width in (share * unit for share in WIDTHS):
        numerator, denominator = _bumps(x, centres, width), _bumps(y, centres, width)
        for penalty in PENALTIES:
            best = min(best, (_leave_one_out(numerator, denominator, penalty), width, penalty))
    return best[1:]


def _leave_one_out(numerator: np.ndarray, denominator: np.ndarray, penalty: float) -> float:
    """½ E_q r̂² − E_p r̂ with the i-th rows of both samples left out of the fit of r̂ they judge (Kanamori et al., §3.3).

    Without row i of y, (m G − h hᵀ)/(m − 1) + λI is inverted by the Sherman-Morrison formula.
    """
    m, n = len(denominator), len(numerator)
    k = min(m, n)
    gram = denominator.T @ denominator * (1 / (m - 1)) + penalty * np.eye(denominator.shape[1])
    mean = numerator.mean(axis=0)
    rows, tops = denominator[:k], numerator[:k]
    target = (n * mean - tops) / (n - 1)  # (k, centres)
    solved = np.linalg.solve(gram, np.concatenate([rows, target]).T).T
    by_row, by_target = solved[:k], solved[k:]
    shrink = 1 - np.sum(rows * by_row, axis=1) / (m - 1)
    weights = by_target + by_row * (np.sum(by_row * target, axis=1) / ((m - 1) * shrink))[:, None]
    weights = np.maximum(weights, 0.0)
    at_y, at_x = np.sum(weights * rows, axis=1), np.sum(weights * tops, axis=1)
    return float(np.mean(at_y**2) / 2 - np.mean(at_x))
