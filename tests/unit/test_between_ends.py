"""Divergences between laws with singular ends, ends a hair apart, and families that need no parameters."""

from math import exp, inf, log, pi, sqrt

import numpy as np
import pytest
from scipy import stats
from scipy.special import beta

import divergences as dv


@pytest.mark.parametrize(
    ("p", "entropy", "width"),
    [(stats.arcsine(-1, 2), log(pi / 2), 2.0), (stats.arcsine(3, 0.5), log(pi / 8), 0.5)],
)
def test_singular_upper_end(p, entropy, width):
    q = stats.uniform(p.support()[0], width)
    # The entropy of the arcsine law on an interval of length w is log(π w / 4).
    result = dv.kl.between(p, q)
    assert result.value == pytest.approx(log(width) - entropy, rel=1e-6)


def test_interval_holds_the_truth_at_a_singular_upper_end():
    low, high = dv.squared_hellinger.between(stats.arcsine(), stats.uniform()).confidence_interval or (inf, -inf)
    assert low <= 2 - 2 * beta(0.75, 0.75) / sqrt(pi) <= high  # ∫ √p = B(¾, ¾) / √π
    assert high - low < 1e-6


def test_levy_near_zero():
    forward = dv.js.between(stats.levy(), stats.halfcauchy())
    assert forward.value == pytest.approx(dv.js.between(stats.halfcauchy(), stats.levy()).value, rel=1e-12)
    assert 0 < forward.value < log(2)


def test_levy_kl_of_scales():
    # log(p/q) = ½ log(1/s) - (1 - s) / (2x), and 1/X has mean 1 under the standard Lévy law.
    truth = 0.5 * log(1 / 3) - (1 - 3) / 2
    low, high = dv.kl.between(stats.levy(), stats.levy(scale=3)).confidence_interval or (inf, -inf)
    assert low <= truth <= high
    assert high - low < 1e-9


def test_ends_a_hair_apart():
    start = exp(1)
    p, q = stats.pareto(1, scale=start), stats.expon(loc=np.nextafter(start, 9))
    assert dv.kl.between(p, q).value == inf
    assert dv.kl.between(q, p).value == pytest.approx(dv.kl.between(stats.expon(loc=start), p).value, rel=1e-12)

    def strictly_above(x):
        return np.where(x > start, start - x, -np.inf)

    # An edge that bisection found one float further out is no reason for an infinite answer.
    exact = dv.reverse_kl.between(stats.expon(loc=start), stats.expon(loc=start, scale=2)).value
    found = dv.reverse_kl.between(strictly_above, stats.expon(loc=start, scale=2))
    assert found.value == pytest.approx(exact, rel=1e-12)


def test_families_without_parameters():
    assert dv.kl.between(stats.norm, stats.norm(1)).value == pytest.approx(0.5, rel=1e-14)
    three = stats.rv_discrete(values=([0, 1, 2], [0.2, 0.3, 0.5]))
    truth = 0.2 * log(0.8) + 0.3 * log(0.6) + 0.5 * log(2)
    assert dv.kl.between(three, stats.binom(2, 0.5)).value == pytest.approx(truth, rel=1e-13)
    with pytest.raises(dv.DataError, match=r"stats\.gamma\(a\)"):
        dv.kl.between(stats.gamma, stats.norm())
