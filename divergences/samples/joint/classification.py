"""The classifier two-sample test: can held-out rows be told apart?"""

from math import exp, sqrt
from typing import cast

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from divergences._results import Interval
from divergences.samples.comparison import JointComparison
from divergences.samples.joint.embedding import Embedding
from divergences.samples.joint.permuted import batched, normal
from divergences.samples.joint.quadratic import median

FOLDS = 5
ROWS_EACH = 10  # rows for each degree of freedom of the classifier


def classifier(points: Embedding, permutations: int, rng: np.random.Generator) -> JointComparison:
    """The AUC of a cross-fitted classifier: how often it gives a held-out row of the reference the higher score.

    The classifier is kernel ridge regression on the labels (the kernel Fisher discriminant), with the Gaussian kernel
    of the median pooled distance and a ridge that leaves one degree of freedom per ten rows. Kernel, ridge and folds
    see no labels, and the scores of a fold are linear in the labels of the others, so that every permutation trains all
    classifiers anew by one matrix product: the p-value is exact. The AUC is the mean over folds, weighted by their
    pairs; its standard error takes the classifiers as given.

    Source: Lopez-Paz & Oquab (2017); Mika et al. (1999) for the classifier; DeLong et al. (1988) for the error.
    """
    folds = np.array_split(rng.permutation(len(points.points)), FOLDS)
    fitted = smoothers(points, folds)

    def statistic(label: np.ndarray) -> np.ndarray:
        wins, pairs = np.zeros(len(label)), np.zeros(len(label))
        for fold, smoother in zip(folds, fitted, strict=True):
            won, of = _wins(scores(smoother, label), label[:, fold])
            wins, pairs = wins + won, pairs + of
        return np.where(pairs > 0, wins / np.maximum(pairs, 1), 0.5)

    value, tested = batched(statistic, points, permutations, rng)
    error = _standard_error(points, folds, fitted)
    low, high = (None, None) if error is None else normal(value, error)
    if error == 0:  # all held-out rows are told apart, or none: at most three in k are not, the rule of three
        low, high = value - 3 / min(points.n, points.m), value + 3 / min(points.n, points.m)
    return JointComparison(
        name="classifier_auc",
        value=value,
        unit="probability",
        method=f"AUC of a kernel Fisher discriminant on held-out rows, {FOLDS} folds; every permutation trains anew; "
        "0.5 is chance",
        standard_error=error,
        confidence_interval=None if low is None or high is None else Interval(max(low, 0.0), min(high, 1.0)),
        **tested,
    )


def smoothers(points: Embedding, folds: list[np.ndarray]) -> list[np.ndarray]:
    """For each fold the matrix (held out, all rows) that turns centred labels into scores; 0 at the fold's own rows."""
    kernel = np.exp(-points.squared / (2 * median(points) ** 2))
    kernel -= kernel.mean(axis=0)
    kernel -= kernel.mean(axis=1)[:, None]
    ridge = _ridge(np.linalg.eigvalsh(kernel))
    out = []
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(kernel)), fold)
        smoother = np.zeros((len(fold), len(kernel)))
        if ridge > 0 and len(rest):
            factor = cho_factor(kernel[np.ix_(rest, rest)] + ridge * np.eye(len(rest)))
            smoother[:, rest] = cho_solve(factor, kernel[np.ix_(rest, fold)]).T
            smoother[:, rest] -= smoother[:, rest].mean(axis=1)[:, None]  # labels are centred over the other folds
        out.append(smoother)
    return out


def _ridge(eigenvalues: np.ndarray) -> float:
    """The ridge that leaves one degree of freedom Σ e/(e + ridge) per ten rows, or half of what there are."""
    from scipy.optimize import brentq  # slow to import

    positive = eigenvalues[eigenvalues > 1e-10 * max(eigenvalues[-1], 1e-10)]
    if not len(positive):
        return 0.0  # all rows are equal
    wanted = min(len(eigenvalues) / ROWS_EACH, len(positive) / 2)
    freedom = lambda log: float((positive / (positive + np.exp(log))).sum()) - wanted
    low, high = float(np.log(positive[0])) - 40, float(np.log(positive[-1])) + 40
    return exp(cast(float, brentq(freedom, low, high)))


def scores(smoother: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Scores of the held-out rows (k, held out) under labellings (k, n + m); equal rows have equal scores."""
    return np.round(label @ smoother.T, 10)


def _wins(score: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a reference and a current row in which the first scores higher, a tie being half; and all pairs."""
    from scipy.stats import rankdata  # slow to import

    n = own.sum(axis=1)
    ranks = rankdata(score, axis=1)
    return (ranks * own).sum(axis=1) - n * (n + 1) / 2, n * (own.shape[1] - n)


def _standard_error(points: Embedding, folds: list[np.ndarray], fitted: list[np.ndarray]) -> float | None:
    """By DeLong's placements in each fold; None where a fold has a single row of a side."""
    variance, pairs = 0.0, 0.0
    for fold, smoother in zip(folds, fitted, strict=True):
        own, score = points.observed[fold], scores(smoother, points.observed[None])[0]
        x, y = score[own], score[~own]
        if min(len(x), len(y)) < 2:
            return None
        won = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        of = float(won.size)
        variance += of**2 * (won.mean(axis=1).var(ddof=1) / len(x) + won.mean(axis=0).var(ddof=1) / len(y))
        pairs += of
    return sqrt(variance) / pairs
