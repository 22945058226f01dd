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
JUDGES = 1000  # rows of each sample that are left out in turn


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
        squares_x, squares_y = (cdist(v, centres, "sqeuclidean") for v in (x, y))
        unit = float(np.median(cdist(centres, centres)[np.triu_indices(len(centres), 1)])) or 1.0
        width, penalty = _tuned(squares_x, squares_y, unit, rng)
        ratios = cross_fitted(
            lambda a, b: ulsif(a, b, penalty), _bumps(squares_x, width), _bumps(squares_y, width), rng
        )
        found = f"ratio fitted by {len(centres)} Gaussians of width {width:.2g}"
        return judged(pair, divergence, ratios, self.model, (found,), ended=False)  # 0 to 67% of the ends held


def logistic(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[_logistic.Features, LogRatios, str]:
    """The features with the least held-out log-loss, their log-ratios, and their name."""
    offset = math.log(len(x) / len(y))
    tried = []
    for features in _logistic.candidates(np.concatenate([x, y]), rng):
        first, second = features(x), features(y)
        near = _logistic.fit(first, second).weights
        ratios = cross_fitted(lambda a, b, near=near: _logistic.fit(a, b, near), first, second, rng)
        margins = np.concatenate([ratios.held_x + offset, -ratios.held_y - offset])
        tried.append((_logistic.loss(margins), features, ratios))
    best = min(range(len(tried)), key=lambda k: tried[k][0])
    return *tried[best][1:], ("linear", "quadratic", "kernel")[best]


def ulsif(x: np.ndarray, y: np.ndarray, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    """log p̂/q̂ of rows of kernels, at least −log n: α >= 0 near the least E_q (r − p̂/q̂)² + λ‖α‖², p̂/q̂ = row @ α.

    x and y are the values of the kernels at the points of each sample.
    """
    gram = y.T @ y / len(y) + penalty * np.eye(y.shape[1])
    alpha = np.maximum(np.linalg.solve(gram, x.mean(axis=0)), 0.0)
    floor = 1 / len(x)
    return lambda rows: np.log(np.maximum(rows @ alpha, floor))


def _bumps(squares: np.ndarray, width: float) -> np.ndarray:
    """Gaussians of squared distances."""
    return np.exp(squares * (-1 / (2 * width**2)))


def _tuned(x: np.ndarray, y: np.ndarray, unit: float, rng: np.random.Generator) -> tuple[float, float]:
    """The width and penalty of the least leave-one-out error, from squared distances to the centres."""
    k = min(len(x), len(y), JUDGES)
    left_x, left_y = (rng.choice(len(v), k, replace=False) for v in (x, y))
    best = (math.inf, unit, PENALTIES[-1])
    for width in (share * unit for share in WIDTHS):
        numerator, denominator = _bumps(x, width), _bumps(y, width)
        errors = _leave_one_out(numerator, denominator, left_x, left_y)
        best = min(best, *((error, width, penalty) for error, penalty in zip(errors, PENALTIES, strict=True)))
    return best[1:]


def _leave_one_out(
    numerator: np.ndarray, denominator: np.ndarray, left_x: np.ndarray, left_y: np.ndarray
) -> list[float]:
    """½ E_q r̂² − E_p r̂ for each of PENALTIES, the rows left_x[i] and left_y[i] left out of the fit of r̂ they judge.

    Without row h of y, (m G − h hᵀ)/(m − 1) + λI is inverted by the Sherman-Morrison formula, in the eigenvectors of G,
    which serve every penalty. Source: Kanamori, Hido & Sugiyama (2009), section 3.3.
    """
    m, n = len(denominator), len(numerator)
    values, vectors = np.linalg.eigh(denominator.T @ denominator * (1 / (m - 1)))
    values = np.maximum(values, 0.0)
    rows, tops = denominator[left_y], numerator[left_x]
    turned = rows @ vectors
    target = (n * numerator.mean(axis=0) - tops) / (n - 1) @ vectors
    errors = []
    for penalty in PENALTIES:
        by_row = turned / (values + penalty)
        shrink = 1 - np.einsum("ij,ij->i", turned, by_row) / (m - 1)
        share = np.einsum("ij,ij->i", by_row, target) / ((m - 1) * shrink)
        weights = (target / (values + penalty) + by_row * share[:, None]) @ vectors.T
        np.maximum(weights, 0.0, out=weights)
        at_y, at_x = np.einsum("ij,ij->i", weights, rows), np.einsum("ij,ij->i", weights, tops)
        errors.append(float(np.mean(at_y**2) / 2 - np.mean(at_x)))
    return errors
