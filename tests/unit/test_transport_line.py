"""The bracket on the line that needs no plan: beside exact fractions, SciPy, and its own plan and potentials."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

import divergences as dv
from divergences.optimal_transport import univariate
from divergences.optimal_transport.univariate import monotone


def exact(x: np.ndarray, y: np.ndarray, p: int) -> Fraction:
    """W_p^p of the samples in exact fractions, quantile by quantile."""
    n, m = len(x), len(y)
    xs, ys = ([Fraction(float(v)) for v in np.sort(side)] for side in (x, y))
    ends = sorted({Fraction(i, n) for i in range(n + 1)} | {Fraction(j, m) for j in range(m + 1)})
    stretches = pairwise(ends)
    return sum(((v - u) * abs(xs[int(u * n)] - ys[int(u * m)]) ** p for u, v in stretches), Fraction(0))


def holds(bracket: Any, x: np.ndarray, y: np.ndarray, p: int) -> bool:
    """Whether the bracket is true."""
    return Fraction(bracket.lower) <= exact(x, y, p) <= Fraction(bracket.upper)


NUMBERS = st.one_of(st.floats(-3, 3), st.integers(-3, 3).map(float), st.floats(-1e30, 1e30), st.floats(-1e-200, 1e-200))
SAMPLE = st.lists(NUMBERS, min_size=1, max_size=9).map(np.array)


@given(SAMPLE, SAMPLE, st.sampled_from([1, 2, 3]))
def test_the_bracket_is_true(x: np.ndarray, y: np.ndarray, p: int):
    """For ties, duplicates, offsets, subnormals and sizes without a common factor; a wrong sum is found out."""
    found = dv.wasserstein(x, y, p=p)
    assert holds(found, x, y, p)
    extent = np.ptp(np.concatenate([x, y]))  # where scales are extreme the long way is taken, which rounds potentials
    assert found.gap <= 1e-13 * (found.upper + extent**p) + 1e-320
    moved = dv.wasserstein(x, np.append(y[1:], y[0] + 1e31), p=p)
    assert not holds(moved, x, y, p)


@given(SAMPLE, SAMPLE, st.sampled_from([1, 2, 3, 1.5]))
def test_compiled_and_written_out_agree(x: np.ndarray, y: np.ndarray, p: float):
    """The two sums over quantiles are one number, within their radii."""
    n, m = len(x), len(y)
    a, b = (route(np.sort(x), np.sort(y), m, n, p) for route in (univariate._compiled, univariate._written_out))
    assert abs(a[0] - b[0]) <= a[1] + b[1] + n * m * 1e-307
    assert a[1] <= 1e-13 * a[0] + 1e-300


@pytest.mark.parametrize(("n", "m"), [(40_000, 40_000), (40_000, 30_011), (70_001, 5)])
@pytest.mark.parametrize("p", [1, 2, 1.5])
def test_large_samples_have_the_value_of_their_own_plan(n: int, m: int, p: float):
    """Plan and potentials come when asked for, and prove the same number; so does SciPy for p = 1."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=n), 2 * rng.normal(0.3, 1, m)
    found = dv.wasserstein(x, y, p=p)
    assert "_whole" not in found.__dict__
    plan, (f, g) = found.plan, found.potentials
    assert not isinstance(plan, np.ndarray)
    paid = float(plan.data @ np.abs(x[plan.row] - y[plan.col]) ** p)
    assert paid == pytest.approx(found.cost, rel=1e-11)
    assert f.mean() + g.mean() == pytest.approx(found.cost, rel=1e-9)
    assert found.gap <= 1e-13 * found.cost
    if p == 1:
        assert found.cost == pytest.approx(wasserstein_distance(x, y), rel=1e-11)


def test_whole_numbers_have_no_rounding():
    """The piles of the lecture, and halves."""
    found = dv.wasserstein(np.array([0.0, 1.0, 1.0, 4.0]), np.array([3.0, 5.5]), p=2)
    assert (found.lower, found.cost, found.upper) == (8.875, 8.875, 8.875)
    same = dv.wasserstein(np.full(3, 0.1), np.full(7, 0.1), p=3)
    assert (same.lower, same.upper, same.distance) == (0, 0, 0)


def test_extreme_scales_and_sizes_take_the_long_way():
    """Where squares would overflow, and where the stretches of quantiles could not be counted in floats."""

    def refuse() -> Any:
        raise AssertionError

    assert monotone(np.array([0.0]), np.array([1e200]), 2, refuse) is None
    assert monotone(np.array([-1.7e308]), np.array([1.7e308]), 1, refuse) is None
    assert monotone(np.zeros(2**27 - 1), np.zeros(2**26 - 1), 1, refuse) is None
    assert dv.wasserstein(np.array([0.0]), np.array([1e150]), p=2).distance == pytest.approx(1e150, rel=1e-14)
    assert dv.wasserstein(np.array([5e-324]), np.array([0.0]), p=2).distance == pytest.approx(5e-324, abs=1e-323)
    with pytest.raises(dv.DataError, match="overflow"):
        dv.wasserstein(np.array([-1.7e308]), np.array([1.7e308]))


def test_a_line_has_no_other_attributes():
    """What is missing is an AttributeError that names it, before and after the plan was made; copies keep working."""
    found: Any = dv.wasserstein(np.array([0.0, 1.0]), np.array([2.0]))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = found.nonsense
    assert "plan" not in repr(found)
    assert found.plan.toarray().tolist() == [[0.5], [0.5]]


def test_a_plan_is_never_that_of_other_samples():
    """The samples are not copied; if they change before the plan is asked for, it is refused."""
    x = np.array([0.0, 1.0, 5.0])
    found = dv.wasserstein(x, np.array([2.0, 3.0, 3.5]))
    x[2] = 5.5
    with pytest.raises(dv.DataError, match="changed"):
        _ = found.plan


def test_both_sorts_give_the_same_bits(monkeypatch):
    """By vectors where the processor has wide ones, by digits elsewhere; ties, zeros of either sign, subnormals."""
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(size=(2, 40_000)), 3)
    x[:4], y[:3] = [0.0, -0.0, 5e-324, 1e300], [-1e300, -0.0, -5e-324]
    found = []
    for wide in (True, False):
        monkeypatch.setattr("divergences.optimal_transport.univariate._sorts_by_vectors", lambda wide=wide: wide)
        result = dv.wasserstein(x, y, 1)
        found.append((result.lower, result.cost, result.distance))
    assert found[0] == found[1]
