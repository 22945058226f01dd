"""Each law of the f-divergences rejects a planted error: a law that cannot fail proves nothing."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import divergences as dv
from tests.laws import f_divergence_laws as laws
from tests.laws import test_every_f_divergence as every
from tests.laws import test_every_perspective as every_perspective

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
R, S = np.array([0.1, 0.1, 0.8]), np.array([0.6, 0.2, 0.2])
CHANNEL = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])


def test_flipped_sign_of_the_cost():
    """A flipped sign is below the minimum and no perspective of f."""
    wrong = replace(dv.js, cost=lambda p, q, d: -dv.js.cost(p, q, d))
    assert laws.below_minimum(wrong, P, Q) > 0
    assert laws.perspective_gap(wrong, 2.0) > 1e-11


def test_nan_is_a_violation():
    """0 log 0 computed naively is NaN, and the law sees it."""
    wrong = replace(dv.kl, cost=lambda p, q, d: p * np.log(p / q))
    assert laws.below_minimum(wrong, np.array([0.0, 1.0]), np.array([0.5, 0.5])) > 0


def test_too_large_a_value():
    """The square of the total variation exceeds no maximum, its square root does."""
    wrong = replace(dv.total_variation, cost=lambda p, q, d: np.sqrt(np.abs(p - q)) / 2)
    p, q = np.full(8, 1 / 8), np.eye(8)[0]
    assert laws.above_maximum(wrong, p, q) > 1e-12


def test_swapped_zero_convention():
    """Forgetting f'(inf) P(q = 0) breaks data processing: merging outcomes would increase the divergence."""
    wrong = replace(dv.js, cost=lambda p, q, d: np.where(q == 0, 0.0, dv.js.cost(p, q, d)))
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])
    merge = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    swapped = replace(dv.js, cost=lambda p, q, d: (p - q) ** 2)
    assert laws.data_processing_excess(wrong, p, q, merge) <= 1e-9  # not this channel,
    assert laws.oracle_error("js", wrong(p, q), p, q) > 1e-13  # but the oracle sees it
    duplicate = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert laws.data_processing_excess(swapped, P, Q, duplicate) > 1e-9


def test_concave_cost():
    """The root of an f-divergence is not jointly convex."""
    wrong = replace(dv.total_variation, cost=lambda p, q, d: np.sqrt(np.abs(p - q)))
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
    """p log p - p log q loses nine digits where p and q agree to nine: the oracle law rejects it."""
    wrong = replace(dv.kl, cost=lambda p, q, d: p * np.log(p) - p * np.log(q) - p + q)
    p, q = np.array([0.3, 0.7]), np.array([0.3 * (1 + 1e-9), 0.7 - 3e-10])
    assert laws.oracle_error("kl", wrong(p, q), p, q) > 1e-13
    assert laws.oracle_error("kl", dv.kl(p, q), p, q) <= 1e-13


@pytest.mark.parametrize("side", [0, 1])
def test_wrong_gradient(side):
    """A flipped sign in either partial derivative is caught by finite differences."""

    def flipped(p, q, d):
        slopes = list(dv.kl.partials(p, q, d))
        slopes[side] = -slopes[side]
        return tuple(slopes)

    assert laws.gradient_gap(replace(dv.kl, partials=flipped), P, Q) > 1e-5


def test_gradient_that_cancels():
    """The logarithm of p over a rounded mean loses the digits in which p and q differ: the precise law rejects it."""
    wrong = replace(dv.js, partials=lambda p, q, d: tuple(np.log(a / (p / 2 + q / 2)) / 2 for a in (p, q)))
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
        assert laws.gradient_gap(d, P, R) <= 1e-5  # P/Q hits a kink


# ---- every law, by its own test, on one planted error -------------------------------------------------------


class Planted(dv.FDivergence):
    """Errors that no literal can hold, because they sit in the methods."""

    def __call__(self, p, q, *, normalize=False, log=False):
        """A value that is off by 1e-9, for tensors by more."""
        return super().__call__(p, q, normalize=normalize, log=log) + (1e-8 if isinstance(p, torch.Tensor) else 1e-9)

    def __rmul__(self, factor):
        """A multiple that forgets its factor."""
        return self

    @classmethod
    def into(cls, d):
        """The entry `d` with these errors."""
        return cls(**{field.name: getattr(d, field.name) for field in fields(d)})


def draws(*values):
    """What hypothesis would hand to a law as `data`, with these values."""
    remaining = iter(values)
    return SimpleNamespace(draw=lambda strategy: next(remaining))


NEGATIVE = replace(dv.js, cost=lambda p, q, d: -dv.js.cost(p, q, d))
ROOT = replace(dv.total_variation, cost=lambda p, q, d: np.sqrt(np.abs(p - q)) / 2)
TEXTBOOK = replace(dv.kl, cost=lambda p, q, d: p * np.log(p) - p * np.log(q) - p + q)
SMALL_CONJUGATE = replace(dv.kl, f_star=lambda t: dv.kl.f_star(t) - 0.1)
LARGE_CONJUGATE = replace(dv.kl, f_star=lambda t: dv.kl.f_star(t) + 0.1)
FLIPPED = replace(dv.kl, partials=lambda p, q, d: tuple(-s for s in dv.kl.partials(p, q, d)))
PRINTED = replace(dv.pearson, f_star=lambda t: t**2 / 4 + t)
UNIFORM, CORNER = np.full(8, 1 / 8), np.eye(8)[0]
FORGETFUL = replace(dv.js, cost=lambda p, q, d: np.where(q == 0, 0.0, dv.js.cost(p, q, d)))
WRONG_TAIL = replace(dv.kl, tail=dv.jeffreys.tail)
FAR_APART = np.array([0.5, 0.5]), np.array([1e-60, 1.0])
MERGE = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

# name of the law -> the planted error, and the arguments at which the law must reject it.
PLANTED = {
    "at_least_its_minimum": (NEGATIVE, {"pair": (P, Q)}),
    "identity": (Planted.into(dv.js), {"p": P}),
    "separates": (replace(dv.js, cost=lambda p, q, d: 0 * p), {"pair": (P, Q)}),
    "largest_value": (ROOT, {"pair": (UNIFORM, CORNER)}),
    "data_processing": (
        replace(dv.js, cost=lambda p, q, d: (p - q) ** 2),
        {"pair": (P, Q), "data": lambda: draws(MERGE)},
    ),
    "joint_convexity": (ROOT, {"pair": (P, P), "data": lambda: draws(P, Q), "weight": 0.5}),
    "fenchel_young": (SMALL_CONJUGATE, {"u": 1.0, "v": 1.0}),
    "fenchel_young_equality": (LARGE_CONJUGATE, {"u": 1.0}),
    "conjugate_is_the_supremum": (PRINTED, {"name": "pearson", "v": -3.0}),
    "conjugate_of_activation": (replace(dv.kl, f_star_g=dv.kl.g), {"v": 3.0}),
    "activation_increases_into_the_domain": (replace(dv.kl, g=lambda v: -v), {"v": 0.0, "step": 1.0}),
    "derivative": (replace(dv.kl, f_prime=np.log), {"name": "kl", "u": 2.0}),
    "generator_near_one": (
        replace(dv.squared_hellinger, f=lambda u: (np.sqrt(u) - 1) ** 2),
        {"name": "squared_hellinger", "u": 1 + 1e-9},
    ),
    "generator": (replace(dv.kl, f=lambda u: dv.kl.f(u) + u - 1), {"name": "kl", "u": 7.0}),
    "conjugate_at_the_ends": (replace(dv.kl, f_star_g=lambda v: np.exp(v - 1) * np.exp(-v) * np.exp(v)), {}),
    "cost_is_the_perspective": (NEGATIVE, {"u": 2.0}),
    "reverse": (replace(dv.kl, mirror=None), {"pair": (P, Q)}),
    "multiples": (Planted.into(dv.kl), {"pair": (P, Q), "v": 1.0}),
    "bound_is_tight_at_the_optimal_critic": (replace(dv.kl, slope_at_one=0.0), {"pair": (P, Q)}),
    "bound_is_tight_at_zeros": (replace(dv.js, slope_at_one=-1.0), {"library": np.array}),
    "bound_survives_a_critic_at_the_end_of_the_domain": (replace(dv.js, slope_at_one=-1.0), {}),
    "bound_is_a_bound": (SMALL_CONJUGATE, {"pair": (P, Q), "v": list(dv.kl.optimal_critic(P, Q))}),
    "against_mpmath_from_subnormals_to_one": (TEXTBOOK, {"name": "kl"}),
    "torch_equals_numpy": (Planted.into(dv.kl), {"pair": (P, Q)}),
    "gradient_matches_finite_differences": (FLIPPED, {"pair": (P, Q)}),
    "gradient_against_mpmath_from_subnormals_to_one": (FLIPPED, {"name": "kl"}),
    "gradient_is_never_nan": (replace(dv.kl, partials=lambda p, q, d: (p / 0.0 - q / 0.0, q)), {"pair": (P, Q)}),
    "gradient_through_softmax": (FLIPPED, {}),
    "biconjugate": (SMALL_CONJUGATE, {"u": 1.7}),
    "limits_of_the_generator": (FORGETFUL, {"name": "js"}),
    "products": (
        replace(dv.pearson, cost=lambda p, q, d: 2 * dv.pearson.cost(p, q, d)),
        {"pair": (P, Q), "other": (R, S)},
    ),
    "log_equals_linear": (WRONG_TAIL, {"pair": FAR_APART}),
    "log_against_mpmath": (WRONG_TAIL, {"name": "kl"}),
    "log_gradient_against_mpmath": (WRONG_TAIL, {"name": "kl"}),
    "gradient_reaches_every_logit": (FLIPPED, {"name": "kl", "log": True}),
}
LAWS = {
    name.removeprefix("test_"): law
    for module in (every, every_perspective)
    for name, law in vars(module).items()
    if name.startswith("test_")
}


def check(law, d, arguments):
    """Run a law's own test on one divergence and one case."""
    test = getattr(law, "hypothesis", None)
    case = {key: value() if key == "data" else value for key, value in arguments.items()}
    (test.inner_test if test else law)(d=d, **case)


def test_every_law_has_a_planted_error():
    """A law joins this file with the error that it rejects."""
    assert set(PLANTED) == set(LAWS)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", PLANTED)
def test_law_rejects_its_planted_error(name):
    """The law fails on the planted error, and at the same arguments holds for the entry it was planted in."""
    wrong, arguments = PLANTED[name]
    with pytest.raises(AssertionError):
        check(LAWS[name], wrong, arguments)
    check(LAWS[name], dv.CATALOGUE[wrong.name], arguments)
