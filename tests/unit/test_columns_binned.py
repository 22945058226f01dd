"""Binned divergences of a column: their null law, their intervals, and thresholds that are judged by them."""

import numpy as np
import pytest

from divergences.f_divergences.catalogue import CATALOGUE, jeffreys, js, kl, total_variation
from divergences.samples.columns import compare_counts
from divergences.samples.columns.binned import bin_count, binned, commonest
from divergences.samples.estimators.histogram import counted, histogram_null

NAMES = {"js_distance": "js", "kl": "kl", "psi": "jeffreys"}


def draws(n: int, m: int, k: int, repetitions: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Counts of two samples of the even law on k bins."""
    rng = np.random.default_rng(seed)
    even = np.full(k, 1 / k)
    return list(zip(rng.multinomial(n, even, repetitions), rng.multinomial(m, even, repetitions), strict=True))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "m"), [(2000, 3000), (100_000, 50_000)])
def test_the_null_is_the_chi_square_law(name: str, n: int, m: int):
    """Where bins hold many counts: E PSI = (bins - 1)(1/n + 1/m), and its 95% quantile; below and above the kernels."""
    ((x, y),) = draws(n, m, 10, 1)
    null = binned((x, y), (x, y), np.random.default_rng(0))["nulls"][name]
    mean, quantile = histogram_null(CATALOGUE[NAMES[name]], n, m, 10)
    if name == "js_distance":
        assert null.quantile_95**2 == pytest.approx(quantile, rel=0.2)
    else:
        assert null.mean == pytest.approx(mean, rel=0.12)
        assert null.quantile_95 == pytest.approx(quantile, rel=0.2)


@pytest.mark.parametrize("name", ["js_distance", "total_variation", "kl", "psi"])
@pytest.mark.parametrize(("n", "m", "k"), [(100, 100, 10), (40, 900, 12)])
def test_the_null_is_what_new_samples_of_one_law_give(name: str, n: int, m: int, k: int):
    """At small counts too, where the chi-square law is off: mean and 95% quantile over 400 fresh pairs."""
    found = [binned(pair, pair, np.random.default_rng(1))["nulls"][name] for pair in draws(n, m, k, 12)]
    entry = {**NAMES, "total_variation": "total_variation"}[name]
    root = np.sqrt if name == "js_distance" else np.asarray
    fresh = []
    for x, y in draws(n, m, k, 2000, seed=5):
        p, q = (x + 0.5) / (n + k / 2), (y + 0.5) / (m + k / 2)
        fresh.append(float(root(CATALOGUE[entry](p, q))))
    assert np.mean([null.mean for null in found]) == pytest.approx(np.mean(fresh), rel=0.06)
    assert np.mean([null.quantile_95 for null in found]) == pytest.approx(np.quantile(fresh, 0.95), rel=0.08)


def test_folklore_thresholds_are_judged():
    """PSI above 0.1 between two samples of one law is usual at n = 100, as its null says; at 100,000 0.001 is not."""
    pairs = draws(100, 100, 10, 60)
    nulls = [binned(pair, pair, np.random.default_rng(0))["nulls"]["psi"] for pair in pairs]
    assert np.mean([null.observed > 0.1 for null in nulls]) > 0.6
    assert np.mean([null.observed > null.quantile_95 for null in nulls]) < 0.2
    ((x, y),) = draws(100_000, 100_000, 10, 1)
    y = y + np.array([250, -250] * 5)
    null = binned((x, y), (x, y), np.random.default_rng(0))["nulls"]["psi"]
    assert null.quantile_95 < 0.0005 < null.observed < 0.1


def test_one_bootstrap_gives_what_each_divergence_alone_gives():
    """The same draws: a divergence among others is the divergence by itself; kernels change nothing but bits."""
    for n in (300, 30_000):
        ((x, _),) = draws(n, n, 12, 1)
        ((y, _),) = draws(n, n, 12, 1, seed=9)
        together = counted(x, y, (js, total_variation, kl, jeffreys), np.random.default_rng(0))
        for d, one in zip((js, total_variation, kl, jeffreys), together, strict=True):
            (alone,) = counted(x, y, (d,), np.random.default_rng(0))
            assert alone.estimate == one.estimate
            assert one.plug_in == pytest.approx(float(d((x + 0.5) / (n + 6), (y + 0.5) / (n + 6))), rel=1e-12)
            np.testing.assert_allclose(
                one.null, [float(d(p, q)) for p, q in zip(*null_shares(x, y), strict=True)], rtol=1e-9, atol=1e-15
            )


def null_shares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed shares behind `Counted.null`, drawn again: two draws from the samples, then two pooled ones."""
    rng, k, n, m = np.random.default_rng(0), len(x), int(x.sum()), int(y.sum())
    smooth = lambda c: (c + 0.5) / (c.sum(axis=-1, keepdims=True) + k / 2)
    for counts in (x, y):
        rng.multinomial(int(counts.sum()), smooth(counts), 400)
    pooled = smooth(x + y)
    return smooth(rng.multinomial(n, pooled, 400)), smooth(rng.multinomial(m, pooled, 400))


@pytest.mark.parametrize("name", ["js_distance", "total_variation", "kl", "psi"])
def test_intervals_hold_the_truth(name: str):
    """Of 120 pairs of different laws on eight bins, about 95% (at least 88%) of the intervals hold the truth."""
    p, q = np.arange(1, 9) / 36, np.arange(8, 0, -1) / 36
    entry = CATALOGUE[{**NAMES, "total_variation": "total_variation"}[name]]
    truth = float(entry(p, q)) ** (0.5 if name == "js_distance" else 1)
    rng, held = np.random.default_rng(0), 0
    for _ in range(120):
        pair = rng.multinomial(400, p), rng.multinomial(700, q)
        low, high = binned(pair, pair, rng)[name].confidence_interval
        held += low <= truth <= high
    assert held >= 106


def test_the_number_of_bins():
    """The rule of `Histogram`, but at most 64."""
    assert [bin_count(n, n) for n in (1, 8, 1000, 32_768, 10**8)] == [2, 4, 20, 64, 64]
    assert bin_count(10**8, 27) == 6


def test_beyond_256_categories_the_rare_ones_are_one():
    """Counts are kept, the commonest by themselves, and the divergences are at most those of all categories."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 50, 1000), rng.integers(0, 50, 1000)
    a, b = commonest(x, y)
    assert (len(a), a.sum(), b.sum()) == (256, x.sum(), y.sum())
    assert (a + b)[:255].tolist() == sorted(x + y, reverse=True)[:255]
    whole = np.abs(x / x.sum() - y / y.sum()).sum() / 2
    found = compare_counts(
        "a", list(map(str, range(1000))), x, y, kind="category", permutations=19, rng=np.random.default_rng(0)
    )
    assert found.nulls["total_variation"].observed < whole
