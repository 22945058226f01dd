"""The joint distances: oracles, exact tests, and errors that must be noticed."""

from typing import Any

import numpy as np
import ot
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from divergences.errors import DataError
from divergences.files import Table
from divergences.optimal_transport import sinkhorn_divergence
from divergences.samples import JointComparison, energy_distance, mmd, mmd_test
from divergences.samples.joint import (
    Embedding,
    classification,
    classifier,
    compare_jointly,
    energy,
    kernel_mmd,
    max_sliced,
    quadratic,
    sinkhorn,
    sliced,
    transport,
    transported,
)
from divergences.samples.joint.permuted import resolved

DISTANCES = {
    "w1": lambda points, count, rng: transported(points, 1, count, rng)[0],
    "w2": lambda points, count, rng: transported(points, 2, count, rng)[0],
    "sinkhorn_divergence": sinkhorn,
    "sliced_w2": sliced,
    "max_sliced_w2": max_sliced,
    "energy_distance": energy,
    "mmd": kernel_mmd,
    "classifier_auc": classifier,
}


def normals(n: int, m: int, shift: float, seed: int, d: int = 2) -> Embedding:
    """Two normal samples, the second shifted in its first coordinate."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    y[:, 0] += shift
    return Embedding.of(x, y)


# ---------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 45)])
def test_values_are_those_of_others(n, m):
    """POT, the public functions, and scikit-learn's AUC where the folds' scores can be had."""
    points, rng = normals(n, m, 0.8, 0, d=3), np.random.default_rng(0)
    x, y = points.split()
    a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    w1, w2 = (DISTANCES[name](points, 2, rng) for name in ("w1", "w2"))
    assert w1.value == pytest.approx(ot.emd2(a, b, cdist(x, y)), rel=1e-9)
    assert w2.value**2 == pytest.approx(ot.emd2(a, b, cdist(x, y, "sqeuclidean")), rel=1e-9)
    assert w2.lower <= w2.cost <= w2.upper
    assert energy(points, 2, rng).value == pytest.approx(float(energy_distance(x, y)), rel=1e-12)
    assert kernel_mmd(points, 2, rng).value == pytest.approx(float(mmd(x, y)), rel=1e-12)
    assert sinkhorn(points, 2, rng).value == pytest.approx(float(sinkhorn_divergence(x, y)), rel=1e-6)
    many = ot.sliced_wasserstein_distance(x, y, n_projections=5000, p=2, seed=0)
    assert sliced(points, 2, rng).value == pytest.approx(many, rel=0.1)
    assert transport.optimal(cdist(x, y)).total == pytest.approx(w1.value, rel=1e-9)


def test_the_mmd_p_value_is_that_of_the_public_test(monkeypatch):
    """Looked up by row number, but the same kernels and the same permutations."""
    points = normals(20, 25, 0.6, 3)
    found = quadratic.aggregated(points, quadratic.median(points), 99, np.random.default_rng(5))
    assert found == mmd_test(*points.split(), permutations=99, rng=np.random.default_rng(5)).pvalue
    monkeypatch.setattr(quadratic, "aggregated", lambda *_: 0.125)
    assert kernel_mmd(points, 9, np.random.default_rng(0)).pvalue == 0.125


def test_the_auc_is_the_one_of_the_held_out_scores():
    """One fold at a time against scikit-learn; the scores by ridge regression written out."""
    points, rng = normals(40, 30, 1.0, 1), np.random.default_rng(0)
    folds = np.array_split(rng.permutation(70), 5)
    wins = pairs = 0.0
    label = points.observed
    for fold, smoother in zip(folds, classification.smoothers(points, folds), strict=True):
        scores = classification.scores(smoother, label[None])[0]
        n = label[fold].sum()
        wins += roc_auc_score(label[fold], scores) * n * (len(fold) - n)
        pairs += n * (len(fold) - n)
        assert not smoother[:, fold].any()
    assert classifier(points, 9, np.random.default_rng(0)).value == pytest.approx(wins / pairs, rel=1e-12)


def test_standard_errors_are_the_spread_over_samples():
    """For laws that differ, the influence functions predict the spread of each distance over new samples."""
    found: dict[str, list[JointComparison]] = {}
    rng = np.random.default_rng(0)
    for seed in range(80):
        x, y = np.random.default_rng(seed).normal(size=(2, 60, 2))
        points = Embedding.of(x[:50], y + 1.5)
        for name in ("energy_distance", "mmd", "sinkhorn_divergence", "w2", "classifier_auc"):
            found.setdefault(name, []).append(DISTANCES[name](points, 1, rng))
    for name, entries in found.items():
        spread = np.std([entry.value for entry in entries])
        assert np.mean([entry.standard_error or np.nan for entry in entries]) == pytest.approx(spread, rel=0.3), name


# ---------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("name", DISTANCES)
def test_p_values_are_uniform_under_the_null(name):
    """Over many tables of one law P(p <= a) is a, up to chance."""
    rng, count = np.random.default_rng(7), 60 if name in ("sinkhorn_divergence", "max_sliced_w2") else 200
    found = np.array([DISTANCES[name](normals(8, 11, 0.0, seed), 19, rng).pvalue for seed in range(count)])
    for level in (0.05, 0.1, 0.3, 0.5):
        assert np.mean(found <= level + 1e-9) < level + 4 * np.sqrt(level * (1 - level) / count), level
    assert np.mean(found <= 0.5) > 0.3


@pytest.mark.parametrize("name", DISTANCES)
def test_a_shift_is_found(name):
    """By every distance, at p = 1/20."""
    entry = DISTANCES[name](normals(40, 50, 1.5, 0, d=4), 19, np.random.default_rng(0))
    assert entry.pvalue == pytest.approx(0.05)
    assert entry.value > entry.null_95


@pytest.mark.parametrize("name", DISTANCES)
def test_swapping_the_samples_changes_no_value(name):
    """Only the random directions and folds may."""
    points = normals(30, 30, 1.0, 2, d=3)
    x, y = points.split()
    swapped = Embedding.of(y, x)
    one, other = (DISTANCES[name](p, 2, np.random.default_rng(0)).value for p in (points, swapped))
    assert one == pytest.approx(other, rel=0.05 if name == "classifier_auc" else 1e-6)


@pytest.mark.parametrize("name", DISTANCES)
def test_points_that_coincide_are_at_no_distance(name):
    """All equal: zero, p = 1, and an AUC of a half."""
    entry = DISTANCES[name](Embedding.of(np.zeros((5, 2)), np.zeros((6, 2))), 9, np.random.default_rng(0))
    assert entry.value == (0.5 if name == "classifier_auc" else 0.0)
    assert entry.pvalue == 1.0


def test_a_test_that_sees_the_labels_is_noticed():
    """Sinkhorn's ε fixed from the data, or a search that is longer for the data, would not be exact: planted here."""
    rng, points = np.random.default_rng(0), [normals(8, 8, 0.0, seed) for seed in range(150)]

    def biased(e: Embedding) -> Any:
        w = np.random.default_rng(1).normal(size=(1, 2))
        honest = lambda block: np.array([abs((w @ (e.points[s].mean(0) - e.points[~s].mean(0)))[0]) for s in block])
        planted = lambda block: honest(block) + 0.3 * (block == e.observed).all(axis=1)
        return [resolved(f, e, 19, rng, lambda part: None)["pvalue"] for f in (honest, planted)]

    fair, planted = np.array([biased(e) for e in points]).T
    assert np.mean(fair <= 0.1) < 0.2 < np.mean(planted <= 0.1)


def test_a_usual_value_stops_the_draws():
    """After ten hits; a rare one goes on to the end; both show a null quantile."""
    rng = np.random.default_rng(0)
    usual, rare = (transported(normals(20, 20, shift, 1), 1, 99, rng)[0] for shift in (0.0, 3.0))
    assert usual.permutations < 99
    assert usual.pvalue > 0.1
    assert (rare.permutations, rare.pvalue) == (99, 0.01)


def test_no_permutation_sees_the_observed_labels(monkeypatch):
    """Sinkhorn's epsilon is that of each split by itself, without which the test would not be exact."""
    seen = []
    solve = transport.Sinkhorn
    monkeypatch.setattr(
        transport, "Sinkhorn", lambda epsilon, tolerance: seen.append(epsilon) or solve(epsilon, tolerance)
    )
    points = normals(5, 6, 1.5, 0)
    sinkhorn(points, 3, np.random.default_rng(0))
    assert len(seen) == 1 + 4
    assert seen[0] == seen[1] == 0.05 * points.distances[:5, 5:].mean()
    assert len(set(seen)) == 4


# ---------------------------------------------------------------------------------------------- tables


def test_tables_of_every_kind_have_every_distance():
    """Few rows, one row, equal rows; large tables are thinned and say so."""
    rng = np.random.default_rng(0)
    x = Table.numbers(("a", "b"), rng.normal(size=(60, 2)), "x.csv")
    y = Table.numbers(("a", "b"), rng.normal(size=(15, 2)), "y.csv")
    found = compare_jointly(x, y, rows=20, permutations=3, rng=rng)
    assert set(found.entries) == set(DISTANCES)
    assert (len(found.rows_used[0]), len(found.rows_used[1]), found.plan.shape) == (20, 15, (20, 15))
    assert any("20 random rows of 60" in note for note in found.notes)
    alone = compare_jointly(x.take(np.array([0])), y.take(np.array([0])), permutations=3, rng=rng)
    assert alone.entries["w1"].value == pytest.approx(2 * np.sqrt(2))  # two standardised columns, ±1 each
    assert "mmd" not in alone.entries
    constant = Table.numbers(("a",), np.ones((4, 1)), "c.csv")
    nothing = compare_jointly(constant, constant, permutations=3, rng=rng)
    assert all(entry.pvalue == 1 for entry in nothing.entries.values())
    assert nothing.attribution.columns == {}
    with pytest.raises(DataError, match="rows must be a whole number"):
        compare_jointly(x, y, rows=0, rng=rng)


def test_wide_tables_are_compared_in_the_subspace_of_their_rows():
    """The same numbers; the worst direction is told by the columns themselves."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 12, 40))
    y[:, 7] += 6
    points = Embedding.of(x, y)
    w2, _ = transported(points, 2, 3, rng)
    assert w2.value**2 == pytest.approx(ot.emd2(np.full(12, 1 / 12), np.full(12, 1 / 12), cdist(x, y, "sqeuclidean")))
    assert any("subspace" in note for note in w2.notes)
    worst = max_sliced(points, 3, rng)
    assert next(iter(worst.loadings or {})) == "column_8"
    assert worst.value > 6


def test_the_same_seed_gives_the_same_bits():
    """All of the joint part."""
    x, y = (Table.numbers(("a", "b"), np.random.default_rng(k).normal(size=(30, 2)), "t") for k in (0, 1))
    one, other = (compare_jointly(x, y, permutations=9, rng=np.random.default_rng(3)) for _ in range(2))
    assert [e.to_dict() for e in one.entries.values()] == [e.to_dict() for e in other.entries.values()]
    assert one.attribution == other.attribution


def test_equal_statistics_are_hits():
    """One row a side: every labelling gives the same W₂, the root of its cost, and p = 1."""
    entry, _ = transported(Embedding.of(np.array([[0.0]]), np.array([[3.0]])), 2, 9, np.random.default_rng(0))
    assert (entry.value, entry.null_95, entry.pvalue) == (3.0, 3.0, 1.0)


def test_the_worst_direction_is_told_with_signs():
    """Opposite shifts have opposite signs; the squares add up to one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200, 2))
    found = max_sliced(Embedding.of(x, y + np.array([4.0, -2.0])), 1, rng).loadings or {}
    assert list(found) == ["column_1", "column_2"]
    assert found["column_1"] == pytest.approx(-2 * found["column_2"], rel=0.15)
    assert sum(value**2 for value in found.values()) == pytest.approx(1)
