"""Each law of the f-divergences rejects a planted error: a law that cannot fail proves nothing."""

from dataclasses import replace

import numpy as np
import pytest

import divergences as dv
from tests.laws import f_divergence_laws as laws

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
R, S = np.array([0.1, 0.1, 0.8]), np.array([0.6, 0.2, 0.2])
CHANNEL = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])


def test_flipped_sign_of_the_cost():
    """A flipped sign is below the minimum and no perspective of f."""
    wrong = replace(dv.js, cost=lambda p, q: -dv.js.cost(p, q))
    assert laws.below_minimum(wrong, P, Q) > 0
    assert laws.perspective_gap(wrong, 2.0) > 1e-11


def test_nan_is_a_violation():
    """0 log 0 computed naively is NaN, and the law sees it."""
    wrong = replace(dv.kl, cost=lambda p, q: p * np.log(p / q))
    assert laws.below_minimum(wrong, np.array([0.0, 1.0]), np.array([0.5, 0.5])) > 0


def test_too_large_a_value():
    """The square of the total variation exceeds no maximum, its square root does."""
    wrong = replace(dv.total_variation, cost=lambda p, q: np.sqrt(np.abs(p - q)) / 2)
    p, q = np.full(8, 1 / 8), np.eye(8)[0]
    assert laws.above_maximum(wrong, p, q) > 1e-12


def test_swapped_zero_convention():
    """Forgetting f'(inf) P(q = 0) breaks data processing: merging outcomes would increase the divergence."""
    wrong = replace(dv.js, cost=lambda p, q: np.where(q == 0, 0.0, dv.js.cost(p, q)))
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])
    merge = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    swapped = replace(dv.js, cost=lambda p, q: (p - q) ** 2)
    assert laws.data_processing_excess(wrong, p, q, merge) <= 1e-9  # not this channel,
    assert laws.oracle_error("js", wrong(p, q), p, q) > 1e-13  # but the oracle sees it
    duplicate = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert laws.data_processing_excess(swapped, P, Q, duplicate) > 1e-9


def test_concave_cost():
    """The root of an f-divergence is not jointly convex."""
    wrong = replace(dv.total_variation, cost=lambda p, q: np.sqrt(np.abs(p - q)))
    assert laws.convexity_excess(wrong, P, P, P, Q, 0.5) > 1e-9


def test_conjugate_too_small():
    """A conjugate that is too small violates Fenchel-Young; one that is too large loses its equality."""
    small = replace(dv.kl, f_star=lambda t: dv.kl.f_star(t) - 0.1)
    large = replace(dv.kl, f_star=lambda t: dv.kl.f_star(t) + 0.1)
    assert laws.fenchel_young_violation(small, 1.0, 1.0) > 1e-9
    assert laws.fenchel_young_gap(large, 1.0) > 1e-9


def test_printed_pearson_conjugate():
    """The conjugate printed in the lecture, valid for t >= -2 only, is rejected below."""
    printed = replace(dv.pearson, f_star=lambda t: t**2 / 4 + t)
    assert laws.composition_gap(printed, -5.0) > 1e-6


def test_wrong_derivative():
    """A dropped constant in f' is no optimal critic."""
    wrong = replace(dv.kl, f_prime=lambda u: np.log(u))
    assert laws.fenchel_young_gap(wrong, 2.0) > 1e-9


def test_swapped_arguments():
    """A divergence that calls itself symmetric and is not is caught by reversal."""
    wrong = replace(dv.kl, mirror=None)
    assert laws.reversal_gap(wrong, P, Q) > 1e-12


def test_rounding_of_the_textbook_formula():
    """P log p - p log q loses nine digits where p and q agree to nine: the oracle law rejects it."""
    wrong = replace(dv.kl, cost=lambda p, q: p * np.log(p) - p * np.log(q) - p + q)
    p, q = np.array([0.3, 0.7]), np.array([0.3 * (1 + 1e-9), 0.7 - 3e-10])
    assert laws.oracle_error("kl", wrong(p, q), p, q) > 1e-13
    assert laws.oracle_error("kl", dv.kl(p, q), p, q) <= 1e-13


@pytest.mark.parametrize("side", [0, 1])
def test_wrong_gradient(side):
    """A flipped sign in either partial derivative is caught by finite differences."""

    def flipped(p, q):
        slopes = list(dv.kl.partials(p, q))
        slopes[side] = -slopes[side]
        return tuple(slopes)

    assert laws.gradient_gap(replace(dv.kl, partials=flipped), P, Q) > 1e-5


def test_gradient_that_cancels():
    """The logarithm of p over a rounded mean loses the digits in which p and q differ: the precise law rejects it."""
    wrong = replace(dv.js, partials=lambda p, q: tuple(np.log(a / (p / 2 + q / 2)) / 2 for a in (p, q)))
    p, q = np.array([0.3, 0.7]), np.array([0.3 * (1 + 1e-9), 0.7 - 3e-10])
    assert laws.gradient_error("js", wrong, p, q) > 1e-12
    assert laws.gradient_error("js", dv.js, p, q) <= 1e-12


def test_the_true_entries_pass_the_same_cases():
    """The cases above condemn the planted errors, not the catalogue."""
    for d in dv.CATALOGUE.values():
        assert laws.below_minimum(d, P, Q) <= 0
        assert laws.data_processing_excess(d, P, Q, CHANNEL) <= 1e-9
        assert laws.convexity_excess(d, P, Q, R, S, 0.5) <= 1e-9
        assert laws.composition_gap(d, -5.0) <= 1e-6
        assert laws.reversal_gap(d, P, Q) <= 1e-12
        assert laws.gradient_gap(d, P, Q) <= 1e-5
