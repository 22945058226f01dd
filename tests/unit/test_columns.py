"""One column of a comparison: permutations, p-values, and what every kind of column is told."""

import json
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from divergences.errors import DataError
from divergences.files import Column
from divergences.samples.columns import adjust, compare_column, compare_counts
from divergences.samples.columns.steps import Steps, steps_of
from divergences.samples.permutation import benjamini_hochberg, labels, null_95, sequential


def compared(x: Any, y: Any, kind: str = "number", permutations: int = 199, seed: int = 0, **options: Any) -> Any:
    """A column of two arrays, or of two lists of codes."""
    dtype = np.float64 if kind in ("number", "date") else np.int32
    a, b = (Column("a", np.asarray(v, dtype), kind, **options) for v in (x, y))
    return compare_column(a, b, permutations=permutations, rng=np.random.default_rng(seed))


def test_labels_keep_the_sizes_and_start_with_the_observed_ones():
    """Every row has n True; the first is the data."""
    rows = np.concatenate(list(labels(3, 5, 40, np.random.default_rng(0))))
    assert rows.shape == (41, 8)
    assert (rows.sum(axis=1) == 3).all()
    assert rows[0].tolist() == [True] * 3 + [False] * 5
    assert len(np.unique(rows, axis=0)) > 10


def test_benjamini_hochberg_is_scipys():
    """An oracle that shares no code."""
    p = np.random.default_rng(0).uniform(size=30) ** 2
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p), rtol=1e-12)


def test_the_null_quantile_leaves_the_observed_value_out():
    """95% of what the permutations gave; none gives nothing."""
    assert null_95(np.concatenate([[1e6], np.arange(101.0)])) == 95.0
    assert np.isnan(null_95(np.array([1.0])))


def uniform_pvalues(hits: int, first: int, slack: float = 0.0) -> np.ndarray:
    """4,000 sequential p-values of a statistic that is exchangeable with its permutations."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4000):
        found.append(sequential(rng.normal() + slack, lambda rows: rng.normal(size=rows), 199, first=first, hits=hits))
    return np.array([f.pvalue for f in found])


@pytest.mark.parametrize("first", [1, 5, 60, 199])
def test_early_stopping_keeps_the_level(first: int):
    """P(p <= a) <= a within three standard errors at every level, equality at h/l; whatever the batches."""
    pvalues = uniform_pvalues(10, first)
    for level in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9):
        assert np.mean(pvalues <= level) <= level + 3 * np.sqrt(level * (1 - level) / 4000)
    assert np.mean(pvalues <= 0.1) >= 0.1 - 3 * np.sqrt(0.09 / 4000)


def test_a_statistic_that_leans_is_noticed():
    """The law above rejects p-values of an observed value that is a little larger than its permutations."""
    assert np.mean(uniform_pvalues(10, 60, slack=0.2) <= 0.05) > 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_early_stopping_by_hand():
    """p = h/l at the h-th hit, though the batch went on; else (1 + g)/(1 + B); ties and rounding are hits."""
    given = iter(np.array([1.0, 0.0, 2.0, 1.0 - 1e-12, 0.0, 5.0, 0.0, 0.0]))
    found = sequential(1.0, lambda rows: np.array([next(given) for _ in range(rows)]), 8, first=5, hits=3)
    assert (found.pvalue, len(found.values), found.hits) == (3 / 4, 5, 3)
    given = iter(np.zeros(9))
    found = sequential(1.0, lambda rows: np.array([next(given) for _ in range(rows)]), 9, first=2, hits=3)
    assert (found.pvalue, len(found.values)) == (1 / 10, 9)


def test_gaps_are_a_test_of_their_own():
    """Twice the smaller p-value: Fisher's of the gaps, and that of the values; the shares and the words say so."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=200), rng.normal(size=100)
    y[:30] = np.nan
    found, whole = compared(x, y), compared(x, y[30:])
    peer: Any = stats.fisher_exact([[0, 200], [30, 70]])
    assert found.pvalue == pytest.approx(2 * min(peer.pvalue, whole.pvalue), rel=1e-9)
    assert (found.missing_reference, found.missing_current, found.m) == (0.0, 0.3, 70)
    assert "gaps" in found.test
    assert found.w1 == whole.w1
    assert "gaps" not in whole.test


@pytest.mark.parametrize("kind", ["number", "date", "boolean", "category"])
def test_a_side_without_values(kind: str):
    """Nothing but the gaps is compared; no side with values is no difference."""
    gap = np.nan if kind in ("number", "date") else -1
    options: Any = {} if kind in ("number", "date") else {"categories": ("no", "yes")}
    found = compared([0, 1, 0, 1, 0], [gap] * 5, kind, **options)
    assert found.w1 is None
    assert found.js_distance is None
    assert found.pvalue == pytest.approx(2 / 252)
    assert found.test == "shares of gaps only"
    assert "current data" in found.notes[0]
    assert compared([gap] * 4, [gap] * 5, kind, **options).pvalue == 1.0
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("kind", ["number", "date", "boolean", "category"])
def test_what_is_the_same_is_not_different(kind: str):
    """Constant columns, one row a side, and a column against itself: p = 1, no NaN, no warning."""
    options: Any = {} if kind in ("number", "date") else {"categories": ("no", "yes")}
    for x, y in (([1, 1, 1], [1, 1]), ([0], [1]), ([0, 1, 1, 0] * 9, [0, 1, 1, 0] * 9)):
        found = compared(x, y, kind, **options)
        assert found.pvalue == 1.0
        numbers = [v for v in found.to_dict().values() if isinstance(v, float)]
        assert not np.isnan(numbers).any()
        assert set(found.nulls) == {"js_distance", "total_variation", "kl", "psi"}


def test_columns_that_do_not_match_are_refused():
    """Kinds and categories must agree; the message names the column and the remedy."""
    with pytest.raises(DataError, match=r"'a' must be of one kind .* a number and boolean of 2 categories.*aligned"):
        compare_column(
            Column("a", np.ones(3)),
            Column("a", np.zeros(3, np.int32), "boolean", ("false", "true")),
            permutations=9,
            rng=np.random.default_rng(0),
        )


def test_adjusted_over_columns_by_name():
    """The order and all other fields stay."""
    rng = np.random.default_rng(0)
    columns = [compared(rng.normal(size=60), rng.normal(size=60) + shift) for shift in (0.0, 2.0)]
    first, second = columns
    told = adjust([first.__class__(**{**vars(first), "name": "b"}), second])
    assert list(told) == ["b", "a"]
    assert told["a"].pvalue_adjusted == pytest.approx(min(1.0, 2 * second.pvalue))
    assert told["a"].w1 == second.w1


def test_counts_are_the_same_column():
    """What a profile knows gives what the values give, for numbers and for categories."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 60).astype(float), rng.integers(1, 12, 70).astype(float)
    values = np.arange(13.0)
    counts = [np.bincount(v.astype(int), minlength=13) for v in (x, y)]
    by_counts = compare_counts("a", values, *counts, permutations=199, rng=np.random.default_rng(0))
    assert by_counts == compared(x, y)
    names = tuple("abcdefghijklm")
    codes = compared(x, np.append(y, -1), "category", categories=names)
    by_counts = compare_counts(
        "a", names, *counts, kind="category", missing=(0, 1), permutations=199, rng=np.random.default_rng(0)
    )
    assert by_counts == codes
    with pytest.raises(DataError, match="must rise"):
        compare_counts("a", values[::-1], *counts, permutations=9, rng=np.random.default_rng(0))


def test_the_same_seed_gives_the_same_bits():
    """Another seed does not."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=50), rng.normal(size=50)
    assert compared(x, y, seed=3) == compared(x, y, seed=3)
    assert compared(x, y, seed=3).null_95 != compared(x, y, seed=4).null_95


def test_relabelling_is_uniform():
    """Both ways of drawing, labels and counts, give each of the 10 splits of five values, tied or not, its share."""
    steps = Steps.of_counts(np.arange(5.0), np.array([1, 0, 1, 0, 0]), np.array([0, 1, 0, 1, 1]))
    drawn = np.concatenate(list(steps.relabelled(20_000, np.random.default_rng(0))))
    splits = {tuple(np.cumsum(np.isin(range(5), pair))): 0 for pair in combinations(range(5), 2)}
    for row in drawn.tolist():
        splits[tuple(row)] += 1
    assert stats.chisquare(list(splits.values())).pvalue > 1e-3
    tied = Steps.of_counts(np.array([0.0, 1.0]), np.array([30, 10]), np.array([5, 25]))
    drawn = np.concatenate(list(tied.relabelled(20_000, np.random.default_rng(0))))[:, 0]
    law = stats.hypergeom(70, 35, 40)
    assert drawn.mean() == pytest.approx(law.mean(), abs=4 * law.std() / np.sqrt(20_000))
    assert drawn.std() == pytest.approx(law.std(), rel=0.03)


def test_steps_in_blocks_are_the_steps_at_once():
    """More values than one block holds, with ties within and between the samples, walk the same line."""
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(size=60_000), 5), np.round(rng.normal(size=50_000), 5)
    blocks = list(steps_of(x, y))
    assert len(blocks) > 1
    values = np.concatenate([b.values[1:] for b in blocks])
    np.testing.assert_array_equal(values, np.unique(np.concatenate([x, y])))
    for sample, ahead in ((x, [b.ahead_x for b in blocks]), (y, [b.ahead_y for b in blocks])):
        np.testing.assert_array_equal(
            np.concatenate([a[1:] for a in ahead]), np.searchsorted(np.sort(sample), values, side="right")
        )
