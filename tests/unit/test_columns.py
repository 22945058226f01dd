"""One column of a comparison: permutations, p-values and distances on the line."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from divergences.optimal_transport import wasserstein
from divergences.samples.columns import Line
from divergences.samples.permutation import benjamini_hochberg, labels, null_95, pvalue


def normals(n: int, m: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples, the second shifted."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (n, 1)), rng.normal(shift, 1, (m, 1))


def test_permutation_pvalues_are_uniform_under_the_null():
    """Of 200 comparisons of one law with itself, about 10% have p <= 0.1 (binomial 99.9% range)."""
    hits = 0
    for seed in range(200):
        x, y = normals(20, 25, 0.0, seed)
        line = Line.of(x[:, 0], y[:, 0])
        w1 = np.concatenate([line.w1(b) for b in labels(20, 25, 99, np.random.default_rng(seed))])
        hits += pvalue(w1) <= 0.1
    low, high = stats.binom.ppf([0.0005, 0.9995], 200, 0.1)
    assert low <= hits <= high


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


def test_one_column_by_the_line():
    """W₁ is transport's, KS is SciPy's, ties included; the standard error is that of the spread over samples."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 30).astype(float), rng.integers(1, 8, 40).astype(float)
    line, observed = Line.of(x, y), np.arange(70)[None] < 30
    assert line.w1(observed)[0] == pytest.approx(float(wasserstein(x, y).cost), rel=1e-12)
    peer: Any = stats.ks_2samp(x, y)
    assert line.ks(observed)[0] == pytest.approx(float(peer.statistic), rel=1e-12)
    values, errors = [], []
    for seed in range(300):
        x, y = normals(40, 160, 0.3, seed)
        line = Line.of(x[:, 0], 2 * y[:, 0])  # F − G changes its sign
        observed = np.arange(200)[None] < 40
        values.append(line.w1(observed)[0])
        errors.append(line.standard_error(observed))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
