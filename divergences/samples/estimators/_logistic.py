"""Logistic regression of "from p or from q" on polynomials and kernels: its logit is log p/q, up to log n/m."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

Features = Callable[[np.ndarray], np.ndarray]
PENALTY = 1.0  # ridge on the weights of standardised features, in units of one observation
CENTRES = 50


def linear(points: np.ndarray) -> np.ndarray:
    """1 and the coordinates: the log-ratio of normal laws with one covariance."""
    return np.column_stack([np.ones(len(points)), points])


def quadratic(points: np.ndarray) -> np.ndarray:
    """1, the coordinates and their products, scaled to deviation one under the normal law."""
    d = points.shape[1]
    i, j = np.triu_indices(d)
    products = points[:, i] * points[:, j] - (i == j)
    return np.column_stack([linear(points), products / np.where(i == j, math.sqrt(2), 1.0)])


def kernels(centres: np.ndarray) -> Features:
    """The quadratic features and a Gaussian bump, of half the median distance, at each of the centres."""
    apart = cdist(centres, centres)[np.triu_indices(len(centres), 1)]
    width = float(np.median(apart)) / 2 or 1.0

    def features(points: np.ndarray) -> np.ndarray:
        return np.column_stack([quadratic(points), np.exp(-cdist(points, centres, "sqeuclidean") / (2 * width**2))])

    return features


def candidates(points: np.ndarray, rng: np.random.Generator) -> list[Features]:
    """The features worth trying on so many rows, the smallest set first."""
    n, d = points.shape
    found: list[Features] = [linear]
    if d * (d + 3) / 2 <= n / 10:
        found.append(quadratic)
        k = min(CENTRES, n // 20)
        if k >= 3:
            found.append(kernels(points[rng.choice(n, k, replace=False)]))
    return found


@dataclass(frozen=True, eq=False)
class Logit:
    """The function log p̂/q̂ = design @ weights − offset of rows of features."""

    weights: np.ndarray
    offset: float

    def __call__(self, design: np.ndarray) -> np.ndarray:
        return design @ self.weights - self.offset


def fit(x: np.ndarray, y: np.ndarray, start: np.ndarray | None = None) -> Logit:
    """From the features of both samples, by Newton's method on the penalised likelihood; the intercept is free.

    The likelihood has one maximum, so weights to start from only save steps.
    """
    design = np.concatenate([x, y])
    label, offset = np.arange(len(design)) < len(x), math.log(len(x) / len(y))
    ridge = np.full(design.shape[1], PENALTY)
    ridge[0] = 1e-9
    weights = np.zeros(design.shape[1]) if start is None else start
    if start is None:
        weights[0] = offset
    logit = design @ weights
    objective = _objective(logit, label, ridge, weights)
    for _ in range(50):
        share = 0.5 + 0.5 * np.tanh(logit / 2)
        slope = design.T @ (label - share) - ridge * weights
        root = design * np.sqrt(share * (1 - share))[:, None]
        curvature = root.T @ root + np.diag(ridge)
        step = cho_solve(cho_factor(curvature), slope)
        size = 1.0
        while size > 1e-6:
            trial = weights + size * step
            logit = design @ trial
            value = _objective(logit, label, ridge, trial)
            if value <= objective:
                break
            size /= 2
        else:
            break
        weights, gained, objective = trial, objective - value, value
        if gained <= 1e-9 * len(design):
            break
    return Logit(weights, offset)


def _objective(logit: np.ndarray, label: np.ndarray, ridge: np.ndarray, weights: np.ndarray) -> float:
    return loss(np.where(label, logit, -logit)) + float(ridge @ weights**2) / 2


def loss(margin: np.ndarray) -> float:
    """Σ log(1 + e^−margin): the log-loss of logits that should be positive."""
    return float(np.logaddexp(0.0, -margin).sum())
