"""Permutation tests: which sample a row came from is shuffled, and the statistic taken again."""

from collections.abc import Iterator

import numpy as np

CHUNK = 2**22  # entries of a block of labels


def labels(n: int, m: int, permutations: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Blocks of boolean rows of length n + m with n True each: the observed labelling first, then shuffled ones."""
    observed = np.arange(n + m) < n
    yield observed[None]
    step = max(1, CHUNK // (n + m))
    for start in range(0, permutations, step):
        rows = min(step, permutations - start)
        yield rng.permuted(np.broadcast_to(observed, (rows, n + m)), axis=1)


def pvalue(statistics: np.ndarray) -> float:
    """(1 + number of permuted statistics at least the observed one) / (1 + permutations); the observed one is first.

    A permuted value within rounding of the observed one counts as a hit, so that ties never look significant.

    >>> pvalue(np.array([2.0, 1.0, 3.0, 2.0]))
    0.75
    """
    observed, permuted = statistics[0], statistics[1:]
    slack = 1e-10 * abs(observed)
    return float((1 + (permuted >= observed - slack).sum()) / (1 + len(permuted)))


def null_95(statistics: np.ndarray) -> float:
    """The 95% quantile of the permuted statistics; the observed one is first. Of none: NaN."""
    return float(np.quantile(statistics[1:], 0.95)) if len(statistics) > 1 else float("nan")


def benjamini_hochberg(pvalues: np.ndarray) -> np.ndarray:
    """P-values adjusted so that rejecting those <= q keeps the false discovery rate at q.

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.04, 0.04])

    Source: Benjamini & Hochberg (1995).
    """
    k = len(pvalues)
    order = np.argsort(pvalues)
    scaled = pvalues[order] * k / np.arange(1, k + 1)
    adjusted = np.empty(k)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
