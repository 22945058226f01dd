"""Families of f-divergences: the parameters they take and refuse, and where they meet other entries."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import divergences as dv
from divergences._numerics import exact_product

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])


@pytest.mark.parametrize("weight", [0.0, 1.0, -0.1, 1e-31, np.nan, "half", True])
def test_weighted_js_refuses_weights_outside(weight):
    """The weight lies strictly between 0 and 1."""
    with pytest.raises(dv.DataError, match="weight must be"):
        dv.weighted_js(weight)


def test_weighted_js_at_one_half_is_js():
    """weighted_js(½) = js, and its reverse exchanges the weight."""
    assert dv.weighted_js(0.5)(P, Q) == pytest.approx(dv.js(P, Q), rel=1e-14)
    assert dv.weighted_js(0.2).reverse(P, Q) == pytest.approx(dv.weighted_js(0.2)(Q, P), rel=1e-14)


@pytest.mark.parametrize("weight", [1e-30, 1e-12, 0.3, 1 - 1e-12])
@pytest.mark.parametrize("reverse", [False, True])
def test_weighted_js_generator_at_extreme_weights(weight, reverse):
    """f and f' by their formulas in 80 digits: the smaller weight is not lost beside 1."""
    divergence = dv.weighted_js(weight).reverse if reverse else dv.weighted_js(weight)
    with mp.workdps(80):
        w = 1 - mp.mpf(weight) if reverse else mp.mpf(weight)
        for u in (1e-300, 1e-5, 0.5, 1 + 1e-7, 2.0, 1e5, 1e307):
            middle = 1 - w + w * mp.mpf(u)
            value, slope = w * u * mp.log(u) - middle * mp.log(middle), w * mp.log(u / middle)
            assert divergence.generator(u) == pytest.approx(float(value), rel=1e-13, abs=0)
            assert divergence.derivative(u) == pytest.approx(float(slope), rel=1e-8, abs=0)


def test_conjugates_where_their_exponential_is_small():
    """-log(1 - e^t) keeps its digits far below 0, and weighted_js at a small weight, which rests on it."""
    assert dv.gan_value.conjugate(-40.0) == pytest.approx(np.exp(-40), rel=1e-14, abs=0)
    assert dv.gan_value.conjugate(-1e-20) == pytest.approx(20 * np.log(10), rel=1e-14)
    small = dv.weighted_js(1e-12)
    assert small.conjugate(small.derivative(3.0)) == pytest.approx(1.999999999996e-12, rel=1e-12, abs=0)


@pytest.mark.parametrize("order", [np.nan, np.inf, "half", None, True])
def test_alpha_refuses_orders_that_are_no_numbers(order):
    """Any finite real order, and only that."""
    with pytest.raises(dv.DataError, match="order must be a finite number; got"):
        dv.alpha(order)


@pytest.mark.parametrize("level", [0, -1, np.nan, np.inf, "two", True])
def test_hockey_stick_refuses_levels_outside(level):
    """The level is positive and finite."""
    with pytest.raises(dv.DataError, match="level must be a finite number above 0; got"):
        dv.hockey_stick(level)


def test_exact_products():
    """A product and what rounding took from it are exact, as fractions show; so is p - γ q beside its kink."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=100)
    for c in (1.0001, np.e, 1 / 3, 1e300, 1e-5):
        for number, product, rest in zip(x, *exact_product(c, x), strict=True):
            assert Fraction(product) + Fraction(rest) == Fraction(c) * Fraction(number)
    for level in (1.0001, np.e, 0.7):
        q = np.full(4, 0.3)
        p = level * q * (1 + np.array([1e-16, 1e-15, -1e-15, 1e-12]))
        exact = np.array([float(Fraction(a) - Fraction(level) * Fraction(b)) for a, b in zip(p, q, strict=True)])
        expected = np.maximum(exact if level > 1 else -exact, 0)
        d = dv.hockey_stick(level)
        assert d.cost(p, q, p - q).tolist() == d.reverse.cost(q, p, q - p).tolist() == expected.tolist()
        assert expected.any()


def test_families_at_special_parameters():
    """Alpha meets its neighbours, the hockey stick total variation; both are reversed by a parameter."""
    for order, d, factor in (
        (2, dv.pearson, 0.5),
        (1, dv.kl, 1),
        (0.5, dv.squared_hellinger, 2),
        (0, dv.reverse_kl, 1),
        (-1, dv.neyman, 0.5),
    ):
        assert dv.alpha(order)(P, Q) == pytest.approx(factor * d(P, Q), rel=1e-14)
    for limit, d in ((1, dv.kl), (0, dv.reverse_kl)):
        for step in (-1e-12, 1e-12):
            assert dv.alpha(limit + step)(P, Q) == pytest.approx(d(P, Q), rel=1e-11)
    assert dv.alpha(3.7).reverse(P, Q) == pytest.approx(dv.alpha(-2.7)(P, Q), rel=1e-13)
    assert dv.hockey_stick(1)(P, Q) == pytest.approx(dv.total_variation(P, Q), rel=1e-14)
    assert dv.hockey_stick(0.4)(P, Q) == pytest.approx(0.4 * dv.hockey_stick(2.5)(Q, P), abs=1e-16)
    assert [dv.hockey_stick(g).separates for g in (0.5, 1, 2)] == [False, True, False]
    assert dv.hockey_stick(3)([0.6, 0.4], [0.5, 0.5]) == 0


@pytest.mark.parametrize("make", [lambda a: dv.renyi([0.5, 0.5], [0.2, 0.8], a), dv.alpha, dv.hockey_stick])
def test_text_that_looks_like_a_number_is_none(make):
    """A parameter read from a file as text is refused rather than guessed."""
    with pytest.raises(dv.DataError, match="number"):
        make("2")
