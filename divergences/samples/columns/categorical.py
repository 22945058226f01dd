"""Categories and booleans: tests of a table of counts with two rows."""

import sys
from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from scipy.special import chdtrc, gammaln

from divergences.samples.columns.binned import CATEGORIES, binned, commonest
from divergences.samples.comparison import Unseen
from divergences.samples.permutation import sequential

EXACT = 20_000  # values in all up to which sparse tables are permuted whole
SCARCE = 5  # expected counts below which the chi-square law is not trusted
BUDGET = 2 * 10**7  # counts drawn for one table: some two seconds
BATCH = 2**20
SHOWN = 5
LEAST = sys.float_info.min  # what is told where a probability is below the floats: none is zero


def of_counts(
    categories: Sequence[str], x: np.ndarray, y: np.ndarray, permutations: int, rng: np.random.Generator
) -> dict[str, Any]:
    """The fields of a `ColumnComparison` that categories decide, from their counts in the two samples."""
    seen = (x + y) > 0
    labels = np.flatnonzero(seen)
    x, y = x[seen], y[seen]
    pvalue, test = table_test(x, y, permutations, rng)
    counts = commonest(x, y)
    new = np.flatnonzero(x == 0)
    new = new[np.argsort(-y[new], kind="stable")]
    names = tuple(str(categories[k]) for k in labels[new[:SHOWN]].tolist())
    notes = []
    if len(x) > CATEGORIES:
        notes.append(
            f"js_distance, total_variation, kl and psi take the {CATEGORIES - 1} commonest of {len(x)} categories one "
            "by one and the others together: lower bounds"
        )
    return {
        "unit": "",
        "w1_sd": in_deviations(*counts),
        **binned(counts, counts, rng),
        "unseen": Unseen(float(y[new].sum() / y.sum()), names),
        "pvalue": pvalue,
        "test": test,
        "notes": tuple(notes),
    }


def in_deviations(x: np.ndarray, y: np.ndarray) -> float:
    """W₁ between two laws of categories, any two of them one step apart, in standard deviations.

    It is the total variation times √2 / √(1 - Σ p²), p the pooled law: for two categories the difference of the shares
    over the standard deviation of the indicator, so that it is beside the `w1_sd` of numbers what a coding by 0 and 1
    would give.

    >>> in_deviations(np.array([5, 5]), np.array([0, 10])), float(0.5 / np.std([1] * 5 + [0] * 15))
    (1.155, 1.155)
    """
    pooled = (x + y) / (x + y).sum()
    spread = 1.0 - float(pooled @ pooled)
    moved = float(np.abs(x / x.sum() - y / y.sum()).sum()) / 2
    return moved * sqrt(2 / spread) if spread > 0 else 0.0


def table_test(x: np.ndarray, y: np.ndarray, permutations: int, rng: np.random.Generator) -> tuple[float, str]:
    """The p-value of "both rows of counts come from one law", and which test gave it; every category was seen.

    Two categories: Fisher's exact test, or the chi-square law for more than 20,000 values of which 5 and more are
    expected in every cell. More categories: Pearson's chi-square, by its law where 5 and more are expected in every
    cell. Else by permutation: of the whole table up to 20,000 values in all; of more, the categories that fall short
    are one category of the first table, tested by the law, and a second table by themselves, permuted, and
    p = min(1, 2 min(p, p')).
    """
    n, m = int(x.sum()), int(y.sum())
    if len(x) < 2:
        return 1.0, "none: one category only"
    scarce = (x + y) * (min(n, m) / (n + m)) < SCARCE
    if len(x) == 2 and (n + m <= EXACT or scarce.any()):
        return fisher(int(x[0]), n, int(y[0]), m), "Fisher's exact test"
    if not scarce.any():
        return pearson(x, y), f"Pearson's chi-square, {len(x) - 1} degrees of freedom"
    if n + m <= EXACT:
        p, draws = permuted_pearson(x, y, permutations, rng)
        return p, f"Pearson's chi-square, {draws} permutations"
    together = np.array([np.append(counts[~scarce], counts[scarce].sum()) for counts in (x, y)])
    if together[:, -1].sum() * (min(n, m) / (n + m)) < SCARCE and together.shape[1] > 1:
        rarest = int(together[:, :-1].sum(axis=0).argmin())
        together[:, rarest] += together[:, -1]
        together = together[:, :-1]
    common = pearson(*together) if len(together[0]) > 1 else 1.0
    rare, draws = permuted_pearson(x[scarce], y[scarce], permutations, rng)
    told = f"Pearson's chi-square of {len(together[0])} common categories, and of {scarce.sum()} rare ones by {draws}"
    return min(1.0, 2 * min(common, rare)), f"{told} permutations: twice the smaller p-value"


def statistic(drawn: np.ndarray, pooled: np.ndarray, n: int) -> np.ndarray:
    """Pearson's chi-square of tables (..., k) of counts of the first row, whose columns sum to `pooled`.

    Both rows in one: Σ (x - n t/N)² N²/(n m t), as the deviations of the second row are those of the first.
    """
    total = int(pooled.sum())
    m = total - n
    return ((drawn - n * (pooled / total)) ** 2 / pooled).sum(axis=-1) * (total / n) * (total / m)


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """The p-value of Pearson's chi-square by its law.

    >>> round(pearson(np.array([30, 20, 50]), np.array([40, 30, 30])), 6)
    0.014783
    """
    return max(LEAST, float(chdtrc(len(x) - 1, statistic(x, x + y, int(x.sum())))))


def permuted_pearson(x: np.ndarray, y: np.ndarray, permutations: int, rng: np.random.Generator) -> tuple[float, int]:
    """The p-value of Pearson's chi-square by permutations of the values, and how many were drawn."""
    pooled, n = x + y, int(x.sum())
    if n in (0, int(pooled.sum())) or len(x) < 2 or pooled.max() == 1:  # the same for every permutation
        return 1.0, 0

    def draw(rows: int) -> np.ndarray:
        step = max(1, BATCH // len(pooled))
        parts = []
        for k in range(0, rows, step):
            size = min(step, rows - k)
            parts.append(statistic(rng.multivariate_hypergeometric(pooled, n, size, method="marginals"), pooled, n))
        return np.concatenate(parts)

    most = min(permutations, max(99, BUDGET // len(pooled)))
    found = sequential(float(statistic(x, pooled, n)), draw, most, first=19)
    return found.pvalue, len(found.values)


def fisher(a: int, n: int, b: int, m: int) -> float:
    """Fisher's exact test, two-sided: are a of n and b of m the same share?

    The probability, given a + b, of all counts that are at most as probable as a.

    >>> round(fisher(8, 10, 1, 6), 6)
    0.034965
    """
    k = a + b
    low, high = max(0, k - m), min(k, n)
    counts = np.arange(low, high + 1)
    logs = -(gammaln(counts + 1) + gammaln(n - counts + 1) + gammaln(k - counts + 1) + gammaln(m - k + counts + 1))
    mass = np.exp(logs - logs.max())
    return min(1.0, max(LEAST, float(mass[logs <= logs[a - low] + 1e-7].sum() / mass.sum())))


def share_test(a: int, n: int, b: int, m: int) -> float:
    """The p-value of "a of n and b of m are the same share": Fisher's, or for much data the chi-square law."""
    x, y = np.array([a, n - a]), np.array([b, m - b])
    if (x + y).min() == 0:
        return 1.0
    return table_test(x, y, 0, np.random.default_rng(0))[0]
