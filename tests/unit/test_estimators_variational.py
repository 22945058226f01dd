"""The lower bound by a bet: its promise checked by enumeration and by coverage, and that it says something."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from divergences import CATALOGUE, estimate
from divergences.samples.estimators import DonskerVaradhan, Variational
from divergences.samples.estimators.variational import _Bet, _donsker_varadhan, _Half

NARROW = {"kl": 0.5, "js": 0.11142148218473618, "total_variation": 0.382924922548026, "pearson": math.e - 1}


def violations(bet: _Bet, surprise: float, gains, charges, n: int, m: int) -> float:
    """P(bound > E gain + E charge), exactly, for laws of two values each: (low, high, probability of high)."""
    (a0, a1, p), (b0, b1, q) = gains, charges
    truth = a0 + (a1 - a0) * p + b0 + (b1 - b0) * q
    found = 0.0
    for i, j in product(range(n + 1), range(m + 1)):
        gain, charge = np.array([a1] * i + [a0] * (n - i)), np.array([b1] * j + [b0] * (m - j))
        if bet.bound(gain, charge, surprise) > truth:
            found += float(stats.binom.pmf(i, n, p) * stats.binom.pmf(j, m, q))
    return found


@pytest.mark.parametrize("gains", [(-1.0, 3.0, 0.3), (0.0, 1.0, 0.9), (-9.0, 1.0, 0.02), (-9.0, 1.0, 0.97)])
@pytest.mark.parametrize("charges", [(-2.0, 0.1, 0.5), (-20.0, 1.0, 0.98)])
def test_the_bet_keeps_its_promise_exactly(gains, charges):
    """At most α, for good and for bad centres and stakes, by enumeration; without its price it is broken."""
    n, m = 9, 6
    means = [low + (high - low) * share for low, high, share in (gains, charges)]
    broken = 0.0
    for off_a, off_b, part in product((-0.5, 0.0, 0.7), (-0.5, 0.0, 0.7), (0.05, 0.3, 0.6, 0.9)):
        a, b = means[0] + off_a, means[1] + off_b
        cap = min(n / max(a - gains[0], 1e-3), m / max(b - charges[0], 1e-3))
        bet = _Bet(1.0, 1.0, a, b, part * cap)
        for alpha in (0.05, 0.3):
            assert violations(bet, -math.log(alpha), gains, charges, n, m) <= alpha
        broken = max(broken, violations(bet, 0.0, gains, charges, n, m))
    assert broken > 0.3


@pytest.mark.parametrize("name", NARROW)
def test_the_lower_end_covers(name):
    """Of 100 bounds at 80% confidence, N(0,1) against N(1,1), n = 60, no more than chance allows exceed the truth."""
    above, values = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=60), rng.normal(1, 1, 60)
        found = estimate(x, y, name, method=Variational(confidence=0.8), rng=seed)
        assert found.confidence_interval is not None
        above += found.confidence_interval.low > NARROW[name]
        values.append(found.value)
    assert above <= stats.binom.ppf(0.999, 100, 0.2)
    assert 0.3 * NARROW[name] < np.mean(values) < NARROW[name] * 1.05


@pytest.mark.parametrize(
    ("d", "kl", "least"), [(1, 0.5, 0.8), (1, 2.0, 0.75), (2, 0.5, 0.8), (10, 0.5, 0.75), (10, 2.0, 0.7)]
)
def test_the_bound_is_not_trivial(d, kl, least):
    """At n = m = 5,000 it reaches most of KL between normal laws, in ten dimensions too."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5000, d)), rng.normal(math.sqrt(2 * kl / d), 1, (5000, d))
    found = estimate(x, y, "kl", method="variational", rng=0)
    assert found.confidence_interval is not None
    assert least * kl < found.confidence_interval.low < kl
    assert found.confidence_interval.high == math.inf
    notes = " ".join(found.notes)
    for words in ("lower bound at 0.95 confidence", "log-ratio clipped", "Donsker-Varadhan", "biased upward"):
        assert words in notes


def test_more_confidence_is_a_lower_bound():
    """And the Donsker-Varadhan number of the notes is that of the method."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=400), rng.normal(1, 1, 400)
    ends = [estimate(x, y, "kl", method=Variational(c), rng=1).confidence_interval for c in (0.5, 0.95, 0.999)]
    assert all(end is not None for end in ends)
    lows = [end.low for end in ends if end is not None]
    assert lows[0] > lows[1] > lows[2] > 0
    other = estimate(x, y, "kl", method="donsker_varadhan", rng=1)
    assert f"biased upward: {other.value:.4g}" in " ".join(estimate(x, y, "kl", method="variational", rng=1).notes)


def test_donsker_varadhan_is_biased_upward_and_says_so():
    """Judged by the exact log-ratio, it lies above KL on average, by about the bias that it states."""
    values, stated = [], []
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        x, y = 0.5 - rng.normal(size=100), 0.5 - rng.normal(1, 1, 100)  # log p/q of N(0,1) against N(1,1)
        value, _, bias = _donsker_varadhan(_Half(x[:0], y[:0], x, y, "exact"))
        values.append(value)
        stated.append(bias)
    error = float(np.std(values)) / math.sqrt(2000)
    assert np.mean(values) - 0.5 > 2 * error
    assert np.mean(values) - 0.5 == pytest.approx(np.mean(stated), abs=3 * error)
    x, y = np.random.default_rng(0).normal(size=(2, 60))
    found = estimate(x, y, "kl", method=DonskerVaradhan(), rng=0)
    assert found.confidence_interval is None
    assert "biased upward, by about" in found.notes[0]


def test_every_divergence_has_a_bound_below_its_value():
    """Over the catalogue: the lower end of laws two apart is positive and below the exact value of a fine binning."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=2000), rng.normal(2, 1, 2000)
    edges = np.concatenate([[-np.inf], np.linspace(-8, 10, 4000), [np.inf]])
    p, q = np.diff(stats.norm.cdf(edges)), np.diff(stats.norm.cdf(edges, 2, 1))
    for name, d in CATALOGUE.items():
        found = estimate(x, y, name, method="variational", rng=0)
        assert found.confidence_interval is not None
        assert d.f_at_one < found.confidence_interval.low < float(d(p, q, normalize=True)), name
