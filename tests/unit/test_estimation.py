"""Estimates from two samples: the choice of a method, what every method says, and the histogram."""

import numpy as np
import pytest
from scipy import stats

from divergences import CATALOGUE
from divergences.errors import DataError
from divergences.samples import estimate
from divergences.samples.estimators.histogram import Histogram, bin_edges, histogram_null


def words(e) -> str:
    """The notes in one line."""
    return "; ".join(e.notes)


def normals(n: int, m: int, shift: float, seed: int, d: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples, the second shifted."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (n, d)), rng.normal(shift, 1, (m, d))


@pytest.mark.parametrize("name", ["kl", "js", "total_variation", "squared_hellinger"])
def test_the_interval_covers_the_binned_divergence(name):
    """Of 200 nominal 95% intervals for N(0,1) against N(0.5,1), n = 400, at least 91% hold the exact binned value."""
    hits = 0
    for seed in range(200):
        x, y = normals(400, 400, 0.5, seed)
        cut = np.concatenate([[-np.inf], bin_edges(x[:, 0], y[:, 0]), [np.inf]])
        truth = float(CATALOGUE[name](np.diff(stats.norm.cdf(cut)), np.diff(stats.norm.cdf(cut - 0.5))))
        interval = estimate(x, y, name, method="histogram", rng=seed).confidence_interval
        assert interval is not None
        hits += interval.low <= truth <= interval.high
    assert hits >= 0.91 * 200


def test_the_estimate_has_little_bias_and_knows_its_spread():
    """For unequal sizes and KL(p, q) far from KL(q, p); and for close laws, where the counts alone are biased."""
    for name, n, m, shift, scale in (("kl", 150, 900, 1.0, 2.0), ("js", 100, 100, 0.7, 1.0)):
        errors, spreads = [], []
        for seed in range(100):
            x, y = normals(n, m, shift / scale, seed)
            cut = np.concatenate([[-np.inf], bin_edges(x[:, 0], scale * y[:, 0], 8), [np.inf]])
            truth = CATALOGUE[name](np.diff(stats.norm.cdf(cut)), np.diff(stats.norm.cdf(cut, shift, scale)))
            e = estimate(x, scale * y, name, method=Histogram(8), rng=seed)
            errors.append(e.value - float(truth))
            spreads.append(e.standard_error)
        assert abs(np.mean(errors)) < 0.3 * np.std(errors), name
        assert np.mean(spreads) == pytest.approx(np.std(errors), rel=0.2), name


def test_estimate_says_what_it_targets():
    """Binning, empty bins, ties and tiny samples are in the notes; equality is inside the interval under the null."""
    e = estimate([0.0] * 10 + [1.0] * 10, [5.0] * 10 + [6.0] * 10, "kl", rng=0, method=Histogram(10))
    notes = " ".join(e.notes)
    for words in ("lower bound", "empty on one side", "distinct values", "of the 10 bins", "only 20 values"):
        assert words in notes
    x, y = normals(300, 300, 0.0, 5)
    e = estimate(x, y, "total_variation", method="histogram", rng=0)
    assert e.confidence_interval is not None
    assert e.confidence_interval.low == 0.0
    assert "not to be told from two samples of one law" in e.notes


@pytest.mark.parametrize("name", CATALOGUE)
def test_estimate_takes_every_name_and_stays_in_range(name):
    """Bounded below by the value at equality, also for constant data."""
    x, y = normals(50, 60, 0.3, 2)
    least = float(CATALOGUE[name]([0.5, 0.5], [0.5, 0.5]))
    assert estimate(x, y, name, rng=0).value >= least
    assert estimate([1.0, 1.0], [1.0, 1.0], name, rng=0).value == pytest.approx(least, abs=1e-15)


def test_estimate_is_repeatable_and_strict():
    """The same seed gives the same bits; a typo is answered with the nearest name."""
    x, y = normals(50, 60, 0.3, 3)
    assert estimate(x, y, "js", rng=7) == estimate(x, y, "js", rng=7)
    with pytest.raises(DataError, match="Did you mean 'jeffreys'"):
        estimate(x, y, "jefreys")
    with pytest.raises(DataError, match="method must be one of"):
        estimate(x, y, "js", method="kernel")
    with pytest.raises(DataError, match="one variable"):
        estimate(np.ones((3, 2)), np.ones((3, 2)), "js", method="histogram")
    for bins in (0, -3, 10**9, 2.5):
        with pytest.raises(DataError, match="bins must be"):
            estimate(x, y, "js", method=Histogram(bins))  # type: ignore[arg-type]


def test_an_empty_bin_leaves_an_unbounded_divergence_without_an_upper_end():
    """KL needs y in every bin, reverse KL x, JS neither; the lower end still holds."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 500), rng.uniform(-1, 1, 500)
    ends = {}
    for name in ("kl", "reverse_kl", "js", "pearson"):
        interval = estimate(x, y, name, method="histogram", rng=0).confidence_interval
        assert interval is not None
        ends[name] = np.isfinite(interval.high)
        assert interval.low > 0
    assert ends == {"kl": False, "reverse_kl": True, "js": True, "pearson": False}
    e = estimate(x, np.append(y, [-9.0, 9.0]), "kl", method="histogram", rng=0)  # nothing of x is out of y's range
    assert "a bin has fewer than 5 points of y: the interval has no upper end" in words(e)
    assert e.confidence_interval is not None
    assert e.confidence_interval.high == np.inf


def test_the_null_of_the_histogram_is_simulations():
    """Mean and 95% quantile of PSI and JS for two samples of one law in ten bins."""
    rng = np.random.default_rng(0)
    n, m, cells = 400, 900, np.full(10, 0.1)
    p, q = rng.multinomial(n, cells, 20000) / n, rng.multinomial(m, cells, 20000) / m
    for name in ("jeffreys", "js", "kl", "pearson", "squared_hellinger"):
        mean, quantile = histogram_null(CATALOGUE[name], n, m, 10)
        values = CATALOGUE[name](p, q)
        assert mean == pytest.approx(np.mean(values), rel=0.03), name
        assert quantile == pytest.approx(np.quantile(values, 0.95), rel=0.04), name
    mean, quantile = histogram_null(CATALOGUE["jeffreys"], 100, 200, 10)
    assert mean == pytest.approx(9 * (1 / 100 + 1 / 200))
    assert quantile == pytest.approx(stats.chi2.ppf(0.95, 9) * (1 / 100 + 1 / 200))
    with pytest.raises(DataError, match="smooth generator at 1"):
        histogram_null(CATALOGUE["total_variation"], 10, 10, 5)
    for wrong in (dict(n=0), dict(m=1.5), dict(bins=1), dict(level=1.0)):
        with pytest.raises(DataError, match="must be"):
            histogram_null(CATALOGUE["js"], **{"n": 10, "m": 10, "bins": 5, "level": 0.9} | wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------- choice and general notes


def test_the_choice_names_its_reason():
    """By dimension, ties, size and divergence; a method that is asked for is not explained."""
    x, y = normals(200, 200, 0.5, 0, d=3)
    assert estimate(x, y, "kl").notes[0] == "method: nearest_neighbour, because 3 variables, no ties"
    assert (
        estimate(x[:, 0], y[:, 0], "pearson").notes[0].startswith("method: histogram, because 1 variable, and pearson")
    )
    assert "few distinct values" in estimate(np.round(x[:, 0]), np.round(y[:, 0]), "kl").notes[0]
    assert "98% of values tied" in estimate(np.round(x[:, 0], 1), np.round(y[:, 0], 1), "kl").notes[0]
    assert "only 4 points" in estimate(x[:4, 0], y[:4, 0], "kl").notes[0]
    assert "method:" not in words(estimate(x, y, "kl", method="nearest_neighbour"))


def test_mass_outside_the_other_support_is_told_and_has_no_upper_end():
    """On the line by the range, in the plane by the distances; a bounded divergence keeps its interval."""
    rng = np.random.default_rng(0)
    for d, told in ((1, "outside the range of y"), (2, "outside the support of y")):
        x, y = rng.normal(0, 3, (500, d)), rng.normal(0, 1, (500, d))
        kl, js = (estimate(x, y, name, method="nearest_neighbour") for name in ("kl", "js"))
        assert told in words(kl)
        assert "no upper end: mass outside" in words(kl)
        assert kl.confidence_interval is not None
        assert js.confidence_interval is not None
        assert kl.confidence_interval.high == np.inf
        assert js.confidence_interval.high < np.log(2)
        mirrored = estimate(y, x, "kl", method="nearest_neighbour").confidence_interval
        assert mirrored is not None
        assert np.isfinite(mirrored.high), "KL(q, p) does not care where p reaches farther"
        x = rng.normal(0, 1, (500, d))
        assert "no upper end" not in words(estimate(x, y, "kl", method="nearest_neighbour"))


def test_saturation_is_told():
    """KL 18 from 500 points: what they can certify is about log 500, and the interval has no upper end."""
    x, y = normals(500, 500, 6.0, 0)
    for method in ("nearest_neighbour", "histogram"):
        e = estimate(x, y, "kl", method=method, rng=0)
        assert e.confidence_interval is not None
        assert e.confidence_interval.low < np.log(500)
        assert e.confidence_interval.high == np.inf
    assert "500 points cannot certify much more than 6.19" in words(estimate(x, y, "kl"))


def test_disjoint_discrete_samples_are_infinitely_far_apart():
    """Duel 7: {0, 1} against {2, 3} is +inf; one shared value, a bounded divergence or untied values are not."""
    e = estimate([0, 1] * 50, [2, 3] * 50, "kl", rng=0)
    assert e.value == np.inf
    assert e.confidence_interval is not None
    assert e.confidence_interval.low > 3
    assert "share none: for discrete laws the divergence is the largest" in words(e)
    assert np.isfinite(estimate([0, 1] * 50, [1, 2] * 50, "kl", rng=0).value)
    assert 0.6 < estimate([0, 1] * 50, [2, 3] * 50, "js", rng=0).value <= np.log(2)
    x, y = normals(100, 100, 100.0, 0)
    assert np.isfinite(estimate(x, y, "kl", rng=0).value)


@pytest.mark.parametrize("d", [1, 2])
def test_atoms_and_a_density_have_nothing_in_common(d):
    """Normal values against some of them rounded: KL is infinite both ways, JS log 2; nothing is said of mixtures."""
    x, y = normals(2000, 1500, 0.0, 0, d=d)
    y = np.round(y, 1)[:30].repeat(50, axis=0)
    for first, second, atoms in ((x, y, "y"), (y, x, "x")):
        for name, most in (("kl", np.inf), ("js", np.log(2))):
            e = estimate(first, second, name, method="nearest_neighbour")
            assert e.value == pytest.approx(most)
            assert e.confidence_interval is not None
            assert e.confidence_interval.high == pytest.approx(most)
            assert f"{atoms} repeats its values" in words(e)
    for other in (np.concatenate([y[:700], x[:800]]), np.concatenate([y, y[:1], x[:1], x[:1]])):
        assert estimate(x, other, "js", method="nearest_neighbour").value < 0.6


def test_few_points_for_the_dimension_and_repeats_are_told():
    """Five points per orthant are the least that passes without a word."""
    assert "30 points on a side are few for 5 variables" in words(estimate(*normals(30, 30, 0.0, 0, d=5), "kl"))
    assert "are few" not in words(estimate(*normals(170, 170, 0.0, 0, d=5), "kl"))
    x, y = normals(100, 100, 0.0, 0)
    assert "repeated values: 0.5 of a column" in words(estimate(x, np.concatenate([x[:50], y[:50]]), "kl"))


def test_tensors_are_samples_but_not_beside_arrays():
    """The same numbers give the same estimate; a mixture is refused."""
    import torch

    x, y = normals(50, 60, 0.3, 3)
    assert estimate(torch.tensor(x), torch.tensor(y), "js", rng=7) == estimate(x, y, "js", rng=7)
    with pytest.raises(DataError, match="torch"):
        estimate(torch.tensor(x), y, "js")
