"""Numbers and dates: W₁, Kolmogorov-Smirnov, the rank effect size and a permutation test on normal scores."""

from collections.abc import Iterable
from math import exp, isfinite, sqrt
from typing import Any

import numpy as np
from scipy.special import betaincinv, log_ndtr, ndtri

from divergences.errors import DataError
from divergences.samples.columns.binned import PSI_BINS, bin_count, binned
from divergences.samples.columns.steps import Steps, steps_of
from divergences.samples.columns.walk import even, tailed, walk
from divergences.samples.comparison import Unseen
from divergences.samples.permutation import sequential

EXACT = 5_000  # values in all up to which each is permuted by itself; beyond, cells cost less and lose nothing
CELLS = 256
DAY = 86_400.0  # dates are in seconds
NORMAL_FROM = 1000  # values on a side from which the mean difference is normal enough for a tail
TAIL_RANK, TAIL_DOUBT = 10, 1e-12


def of_samples(name: str, kind: str, x: np.ndarray, y: np.ndarray, permutations: int, rng: Any) -> dict[str, Any]:
    """The fields of a `ColumnComparison` that values decide, from samples without gaps; their p-value unadjusted.

    Raises:
        DataError: infinite values, or a span beyond the floats.

    """
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    return _fields(name, kind, steps_of(x, y), len(x), len(y), (float(low), float(high)), permutations, rng)


def of_counts(
    name: str, kind: str, values: np.ndarray, x: np.ndarray, y: np.ndarray, permutations: int, rng: Any
) -> dict[str, Any]:
    """The same from rising values and their counts."""
    steps = Steps.of_counts(values, x, y)
    return _fields(name, kind, [steps], steps.n, steps.m, (float(values[0]), float(values[-1])), permutations, rng)


def _fields(
    name: str,
    kind: str,
    blocks: Iterable[Steps],
    n: int,
    m: int,
    ends: tuple[float, float],
    permutations: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    low, high = ends
    if not (isfinite(low) and isfinite(high)):
        raise DataError(f"Column {name!r} must be finite; it reaches from {low} to {high}. Remove the infinite rows.")
    if not high / 2 - low / 2 < 1e300:
        raise DataError(
            f"Column {name!r} overflows: it must span less than 2e300; got {low:g} to {high:g}. Rescale it."
        )
    bins, exact = bin_count(n, m), n + m <= EXACT
    cuts = even(bins, n + m), even(min(PSI_BINS, bins), n + m), np.arange(n + m) if exact else tailed(CELLS, n + m)
    line = walk(blocks, n, m, low, high, cuts)
    many, ten, steps = line.cells
    pvalue, null_95, test = scores_test(steps, exact, permutations, rng)
    told = binned(many.counts, ten.counts, rng)
    unit = DAY if kind == "date" else 1.0
    return {
        "unit": "days" if kind == "date" else "",
        **dict.fromkeys(("w1", "w1_lower", "w1_upper"), line.w1 / unit),
        "w1_sd": line.w1_sd,
        "standard_error": line.standard_error / unit,
        "null_95": null_95 / unit,
        "ks": line.ks,
        "mean_shift": line.mean_shift / unit,
        "superiority": line.superiority,
        **told,
        "unseen": Unseen(line.outside),
        "pvalue": pvalue,
        "test": test,
    }


def scores_test(steps: Steps, exact: bool, permutations: int, rng: np.random.Generator) -> tuple[float, float, str]:
    """The p-value of two samples on a line, the 95% quantile of W₁ under one law, and what was done.

    The statistic is W₁ between the normal scores of the pooled sample: W₁ after the column has been pulled into a
    normal shape by a rising map. So no outlier drowns the others, and neither the unit nor a logarithm matters. For a
    column that is normal already it is W₁ itself. For more than 5,000 values in all some 300 cells stand for them,
    each at its pooled mean: 256 of equal pooled mass, the outermost parted further down to the extreme values. Scores
    and cells depend on the pooled sample alone, so that the permutation test is exact at every n and m; a permutation
    of counts is a draw from the multivariate hypergeometric law.

    Where none of B permutations reaches the observed T and both samples have 1,000 values, 1/(1 + B) says too little
    for many columns at once. F - G under re-labelling is then close to a Gaussian process H with the covariance
    (min(s, t) - s t)(1/n + 1/m), and T = Σ gap |H| is a Lipschitz function of it: T = sup over signs of Σ ± gap H, so
    its constant is the largest standard deviation of these sums, σ. As the covariance is nonnegative, that is at equal
    signs, Σ gap H = the difference of the means of the scores: σ² = (1/n + 1/m) times their pooled variance. By the
    Gaussian isoperimetric inequality P(T >= t + u) <= 1 - Φ(Φ⁻¹(a) + u/σ) wherever P(T <= t) >= a. Here t is the tenth
    largest of the draws; that a is less than the Beta quantile used has a probability of 1e-12, which is added to p.
    For n and m far apart the mean difference is skewed: with its skewness γ the bound at u standard deviations is
    multiplied by exp(|γ| u³/6). The smaller of bound and 1/(1 + B) is given: at levels above 1/(1 + B) the
    permutations decide alone.

    Source: Borell (1975), Sudakov & Tsirelson (1974) for the inequality; Cramér (1938) for the skewness.

    """
    n, m = steps.n, steps.m
    scores, drawn = steps.scores, []
    observed = float(steps.w1(steps.ahead_x[1:], scores[None])[0])

    def draw(rows: int) -> np.ndarray:
        drawn.append(steps.permuted_w1(rows, rng, np.stack([scores, steps.values[1:]])))
        return drawn[-1][:, 0]

    found = sequential(observed, draw, permutations)
    draws, null_95 = len(found.values), float(np.quantile(np.concatenate(drawn)[:, 1], 0.95))
    where = "" if exact else f" on {len(scores)} cells"
    test = f"permutation test of W₁ between normal scores{where}, {draws} permutations"
    if found.hits or min(n, m) < NORMAL_FROM or draws < 2 * TAIL_RANK:
        return found.pvalue, null_95, test
    tail = normal_tail(observed, found.values, *mean_difference(Steps.of_counts(scores, *steps.counts)))
    if tail >= found.pvalue:
        return found.pvalue, null_95, test
    return tail, null_95, f"{test}; none reached the observed value: Gaussian bound of the tail"


def mean_difference(steps: Steps) -> tuple[float, float]:
    """The standard deviation and the skewness of the difference of the means under re-labelling, exact."""
    n, m = steps.n, steps.m
    x, y = steps.counts
    total = n + m
    places = steps.values[1:] - steps.values[0]
    peak = float(places[-1])
    if total < 3 or peak == 0:
        return 0.0, 0.0
    share, places = (x + y) / total, places / peak
    places = places - share @ places
    variance = float(share @ places**2)
    skewness = float(share @ places**3) / variance**1.5 * (total - 2 * n) * sqrt((total - 1) / n / m) / (total - 2)
    return peak * sqrt(variance * total / (total - 1) * (1 / n + 1 / m)), skewness


def normal_tail(observed: float, draws: np.ndarray, scale: float, skewness: float) -> float:
    """An upper bound of P(T >= observed) for a Lipschitz function T of nearly normal variables; see `scores_test`."""
    if scale == 0:
        return 1.0
    kth = float(np.sort(draws)[-TAIL_RANK])
    level = float(betaincinv(len(draws) + 1 - TAIL_RANK, TAIL_RANK, TAIL_DOUBT))
    far = max(0.0, float(ndtri(level)) + (observed - kth) / scale)
    return min(1.0, exp(float(log_ndtr(-far)) + min(700.0, abs(skewness) * far**3 / 6)) + TAIL_DOUBT)
