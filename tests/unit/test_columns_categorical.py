"""Categories and booleans: tests of tables beside SciPy's, many and rare categories, and what the reference lacks."""

import time
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from divergences.files import Column
from divergences.samples.columns import compare_column, compare_counts
from divergences.samples.columns.categorical import fisher, pearson, permuted_pearson, share_test, table_test

SEED = np.random.default_rng(0)


def counted(x: Any, y: Any, kind: str = "category", permutations: int = 199, **options: Any) -> Any:
    """A column of counts of categories named 0, 1, ..."""
    return compare_counts(
        "a",
        tuple(map(str, range(len(x)))),
        np.asarray(x),
        np.asarray(y),
        kind=kind,
        permutations=permutations,
        rng=np.random.default_rng(0),
        **options,
    )


@pytest.mark.parametrize(
    ("a", "n", "b", "m"),
    [
        (8, 10, 1, 6),
        (0, 5, 0, 7),
        (5, 5, 7, 7),
        (3, 1000, 9, 900),
        (120, 9000, 30, 900),
        (0, 3, 40, 19_000),
        (1, 1, 0, 1),
    ],
)
def test_fisher_is_scipys(a: int, n: int, b: int, m: int):
    """Small and large tables, empty rows and columns."""
    peer: Any = stats.fisher_exact([[a, n - a], [b, m - b]])
    assert fisher(a, n, b, m) == pytest.approx(float(peer.pvalue), rel=1e-8)
    assert share_test(a, n, b, m) == pytest.approx(float(peer.pvalue), rel=1e-8)


def test_fisher_sums_equal_probabilities_on_both_sides():
    """A symmetric table: both tails, the observed one and its mirror image."""
    assert fisher(3, 10, 7, 10) == pytest.approx(2 * stats.hypergeom(20, 10, 10).cdf(3), rel=1e-9)


def test_pearson_is_scipys():
    """The statistic in its one-row form, at even and uneven sizes."""
    for _ in range(20):
        x, y = SEED.integers(5, 50, 6), SEED.integers(50, 900, 6)
        peer: Any = stats.chi2_contingency([x, y], correction=False)
        assert pearson(x, y) == pytest.approx(float(peer.pvalue), rel=1e-9)


def test_a_sparse_table_is_permuted():
    """Its p-value is the share of all labellings, weighted by how many there are, with a statistic as large."""
    x, y = np.array([3, 0, 1, 2]), np.array([0, 2, 2, 1])
    pooled, n = x + y, 6
    chi = lambda a: (((a - n * pooled / 11) ** 2 / pooled).sum()) * 121 / 30
    law = stats.multivariate_hypergeom(pooled, n)
    tables = [np.array(t) for t in product(*(range(k + 1) for k in pooled)) if sum(t) == n]
    exact = sum(law.pmf(t) for t in tables if chi(t) >= chi(x) - 1e-9)
    found = [permuted_pearson(x, y, 4999, np.random.default_rng(seed))[0] for seed in range(40)]
    assert np.mean(found) == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("counts", [([60_000, 0, 9], [0, 60_000, 9]), ([9000, 0], [0, 9000])])
def test_no_pvalue_is_zero(counts: tuple[list[int], list[int]]):
    """Where it is below the floats, the least of them is told."""
    assert 0 < counted(*counts).pvalue < 1e-300


def test_which_test_is_used():
    """Said in words, and by the rule: Fisher, the law, permutations, or common and rare categories apart."""
    ours = [
        (([3, 5], [4, 6]), "Fisher's exact test"),
        (([30_000, 5], [40_000, 1]), "Fisher's exact test"),
        (([30_000, 500], [40_000, 600]), "Pearson's chi-square, 1 degrees of freedom"),
        (([30, 50, 20], [40, 60, 30]), "Pearson's chi-square, 2 degrees of freedom"),
        (([30, 50, 2], [40, 60, 3]), "permutations"),
        (([30_000, 5000, 2, 1], [40_000, 6000, 1, 1]), "2 common categories, and of 2 rare ones by"),
        (([7], [9]), "none: one category only"),
    ]
    for (x, y), words in ours:
        assert words in counted(x, y).test
        p, test = table_test(np.array(x), np.array(y), 99, np.random.default_rng(0))
        assert words in test
        assert 0 < p <= 1


def test_rare_categories_that_differ_are_noticed():
    """Thousands of words of two occurrences each, none on both sides, beside two common ones that agree."""
    k = 15_000
    x, y = np.zeros(2 * k + 2, np.int64), np.zeros(2 * k + 2, np.int64)
    x[:2], y[:2] = (20_000, 30_000), (20_000, 30_000)
    x[2 : k + 2] = y[k + 2 :] = 2
    assert counted(x, y).pvalue <= 2 / 200
    y[2:] = x[2:] = 1
    assert counted(x, y).pvalue > 0.5


def test_identifiers_do_not_differ():
    """Every value its own category: no permutation looks otherwise, and the unseen share is said."""
    k = 30_000
    x, y = np.repeat([1, 0], k), np.repeat([0, 1], k)
    found = counted(x, y)
    assert found.pvalue == 1.0
    assert found.unseen.share == 1.0
    assert "lower bounds" in found.notes[0]


def test_many_categories_take_little_time():
    """100,000 of them, a million values a side."""
    mass = 1 / np.arange(1, 100_001)
    rng = np.random.default_rng(0)
    x, y = (rng.multinomial(10**6, mass / mass.sum()) for _ in range(2))
    names = tuple(map(str, range(100_000)))
    start = time.process_time()
    found = compare_counts("a", names, x, y, kind="category", permutations=999, rng=rng)
    assert time.process_time() - start < 10
    assert found.pvalue > 0.001


def test_what_the_reference_lacks_is_named():
    """The share and the five commonest of the current data's new categories; categories nobody has do not count."""
    x, y = [50, 0, 0, 0, 0, 0, 0, 0], [30, 1, 2, 3, 4, 5, 6, 0]
    found = counted(x, y)
    assert found.unseen.share == pytest.approx(21 / 51)
    assert found.unseen.names == ("6", "5", "4", "3", "2")
    assert counted(y, x).unseen.share == 0.0
    assert counted([*x, 0], [*y, 0]).pvalue == found.pvalue


def test_kl_has_a_direction_and_says_where_it_would_be_infinite():
    """A category the current data lack makes KL of the reference infinite; one that is new does not."""
    gone, new = counted([50, 50, 9], [60, 49, 0]), counted([60, 49, 0], [50, 50, 9])
    assert any("infinite without smoothing" in note for note in gone.kl.notes)
    assert not any("infinite without smoothing" in note for note in new.kl.notes)
    for found in (gone, new):
        assert any("infinite without smoothing" in note for note in found.psi.notes)
        assert np.isfinite([found.kl.value, found.psi.value]).all()


def test_names_do_not_matter_but_counts_do():
    """Permuted categories: the same numbers. A column told by codes is the column told by counts."""
    x, y = np.array([30, 20, 50, 7]), np.array([20, 30, 45, 9])
    order = [2, 0, 3, 1]
    a, b = counted(x, y), counted(x[order], y[order])
    for name, null in a.nulls.items():
        assert b.nulls[name].observed == pytest.approx(null.observed, rel=1e-9)
    assert b.pvalue == pytest.approx(a.pvalue, rel=1e-9)
    codes = [np.repeat(np.arange(4, dtype=np.int32), counts) for counts in (x, y)]
    columns = [Column("a", SEED.permutation(c), "category", ("0", "1", "2", "3")) for c in codes]
    assert compare_column(*columns, permutations=199, rng=np.random.default_rng(0)) == a


def test_booleans_have_no_lengths():
    """They are categories with two values: what needs a unit is None."""
    found = counted([30, 20], [10, 40], "boolean")
    lengths = ("w1", "w1_lower", "standard_error", "null_95", "ks", "mean_shift", "superiority")
    assert [getattr(found, name) for name in lengths] == [None] * 7
    assert found.total_variation.value == pytest.approx(0.4, abs=0.03)
    peer: Any = stats.fisher_exact([[30, 20], [10, 40]])
    assert found.pvalue == pytest.approx(float(peer.pvalue))


def test_common_and_rare_categories_share_the_level():
    """Two tests, so twice the smaller p-value: here that of the common ones, the rare joined to the rarest of them."""
    found = counted([30_000, 5000, 2, 1], [40_000, 6000, 1, 1])
    peer: Any = stats.chi2_contingency([[30_000, 5003], [40_000, 6002]], correction=False)
    assert found.pvalue == pytest.approx(2 * float(peer.pvalue), rel=1e-9)
