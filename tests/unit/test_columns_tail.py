"""The tail of W₁ beyond what permutations show: beside exact laws, and never below them."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from divergences.samples.columns.numeric import mean_difference, normal_tail, scores_test
from divergences.samples.columns.steps import Steps, steps_of
from tests.unit.test_columns_numeric import SAMPLES, grid, numbers


def test_the_scale_of_the_tail_is_the_spread_of_the_mean_difference():
    """Under re-labelling, exactly: the mean difference of all 252 splits of ten values."""
    values = np.array([0.0, 1.0, 1.0, 2.0, 5.0, 5.0, 6.0, 9.0, 11.0, 30.0])
    splits = [np.isin(range(10), pick) for pick in combinations(range(10), 5)]
    spread = np.std([values[s].mean() - values[~s].mean() for s in splits])
    (steps,) = steps_of(values[:5], values[5:])
    assert mean_difference(steps) == pytest.approx((spread, 0.0), rel=1e-12)
    splits = [np.isin(range(10), pick) for pick in combinations(range(10), 3)]
    found = [values[s].mean() - values[~s].mean() for s in splits]
    (steps,) = steps_of(values[:3], values[3:])
    assert mean_difference(steps) == pytest.approx((np.std(found), stats.skew(found)), rel=1e-12)


@pytest.mark.parametrize("law", [*SAMPLES, "skewed"])
@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (1000, 50_000)])
def test_the_tail_bounds_what_permutations_do(law: str, n: int, m: int):
    """The largest of 20,000 permutations have bounds above their share; three times as far, next to none."""
    rng = np.random.default_rng(1)
    draw = SAMPLES.get(law, lambda rng, n: rng.lognormal(0, 2, n))
    steps = grid(draw(rng, n), draw(rng, m))
    drawn = steps.permuted_w1(20_000, rng)
    largest = np.sort(drawn)[::-1]
    for k in (6, 20, 60, 200):
        first = drawn[:999]
        assert normal_tail(largest[k], first[first < largest[k]], *mean_difference(steps)) > k / 20_000
    far = normal_tail(3 * drawn.max(), drawn[:999], *mean_difference(steps))
    assert far < (1e-8 if law not in ("skewed", "heavy") or n == m else 1.1)


def test_the_tail_of_a_skewed_count():
    """600 of 51,000 values are 1 and the reference has 1,000: the exact tail is hypergeometric, far from normal.

    The bound is above it at every count; without its factor for the skewness it is not.
    """
    n, m, k = 1000, 50_000, 600
    steps = Steps.of_counts(np.array([0.0, 1.0]), np.array([n - 12, 12]), np.array([m - k + 12, k - 12]))
    law: Any = stats.hypergeom(n + m, k, n)
    counts = np.arange(k + 1)
    values = np.abs(counts / n - (k - counts) / m)
    drawn, (scale, skewness) = steps.permuted_w1(999, np.random.default_rng(0)), mean_difference(steps)
    honest, plain = [], []
    for count in range(25, 80):
        exact = float(law.pmf(counts)[values >= values[count]].sum())
        honest.append(normal_tail(values[count], drawn, scale, skewness) >= exact)
        plain.append(normal_tail(values[count], drawn, scale, 0.0) >= exact)
    assert all(honest)
    assert not all(plain)


def test_a_strong_shift_is_told_below_one_in_a_thousand():
    """Where no permutation reaches it, by the tail: small enough for a thousand columns. Not for few values."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=2000), rng.normal(0.3, 1, 2000)
    found = numbers(x, y, permutations=199)
    assert found.pvalue < 1e-5
    assert "Gaussian bound" in found.test
    assert numbers(x[:500], y[:500] + 1, permutations=199).pvalue == 1 / 200


def test_bridges_have_the_law_of_permutations():
    """The mean and the 95% quantile of W₁; where counts are too large to be drawn, they stand in."""
    rng = np.random.default_rng(0)
    steps = grid(rng.normal(size=20_000), rng.normal(size=15_000))
    a, b = steps.permuted_w1(4000, rng), steps.bridged_w1(4000, rng)
    assert b.mean() == pytest.approx(a.mean(), rel=0.03)
    assert np.quantile(b, 0.95) == pytest.approx(np.quantile(a, 0.95), rel=0.05)
    many = Steps.of_counts(np.arange(3.0), *np.array([[5, 4, 3], [4, 5, 3]]) * 10**9)
    assert scores_test(many, False, 199, rng)[0] < 1e-9
