"""Divergences from a user's own generator: as exact as stated, and refused with the point where it is none."""

import math

import mpmath as mp
import numpy as np
import pytest
import torch

import divergences as dv
from divergences.f_divergences._generator.analysis import analyse_source
from divergences.f_divergences._generator.conjugate import conjugate
from divergences.f_divergences._generator.source import source
from tests import generators
from tests.laws import f_divergence_laws as laws
from tests.strategies import simplex_grid

make = dv.FDivergence.from_generator
PAIRS = [(name, f) for name, twins in generators.TWINS.items() for f in twins]
TWINS = pytest.mark.parametrize(("name", "f"), PAIRS, ids=[f.__name__ for _, f in PAIRS])
P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])

# What docs/own-divergence.md states, by the way f is called: of values, conjugates and slopes, relative.
STATED = {
    "arrays": {"value": 1e-14, "conjugate": 1e-13, "slope": 1e-9},
    "tensors": {"value": 1e-12, "conjugate": 1e-11, "slope": 1e-7},
    "scalars": {"value": 1e-10, "conjugate": 1e-10, "slope": 1e-5},
}


def found(d):
    """What was found about a divergence that was made."""
    assert d.found is not None
    return d.found


def relative(measured, expected, smallest=0.0):
    """The worst error relative to `expected` (and to `smallest` where that is larger)."""
    measured, expected = np.asarray(measured, float), np.asarray(expected, float)
    differs = measured != expected
    gap = np.abs(measured[differs] - expected[differs]) / np.maximum(np.abs(expected[differs]), smallest or 5e-324)
    return gap.max(initial=0.0)


def random_pairs():
    rng = np.random.default_rng(5)
    return rng.dirichlet(np.full(5, 0.5), 300), rng.dirichlet(np.full(5, 0.5), 300)


@TWINS
def test_values_are_those_of_the_catalogue(name, f):
    """On the grid from subnormals to one, zeros and nearly equal masses included, in both directions."""
    d, entry = make(f), dv.CATALOGUE[name]
    for p, q in (simplex_grid(), simplex_grid()[::-1], random_pairs()):
        for mine, true in ((d, entry), (d.reverse, entry.reverse)):
            assert relative(mine(p, q), true(p, q), 1e-308) <= STATED[found(d).calls]["value"]


@TWINS
def test_conjugates_are_those_of_the_catalogue(name, f):
    """At the slopes of ratios from 1e-4 to 1e4, at -inf, and at the end of the domain."""
    d, entry = make(f), dv.CATALOGUE[name]
    stated = STATED[found(d).calls]["conjugate"]
    for mine, true in ((d, entry), (d.reverse, entry.reverse)):
        assert relative(mine.high, true.high, 1.0) <= stated
        t = true.derivative(np.geomspace(1e-4, 1e4, 300))
        if true.high < np.inf:
            t = t[t <= true.high - 1e-9]
        assert relative(mine.conjugate(t), true.conjugate(t), 1.0) <= stated
        assert mine.conjugate(-np.inf) == pytest.approx(float(true.conjugate(-np.inf)), abs=1e-12)
        assert mine.conjugate(np.inf) == np.inf
        if true.high < np.inf:
            end, expected = mine.conjugate(mine.high), true.conjugate(true.high)
            assert end == expected or end == pytest.approx(expected, rel=1e-7)


@TWINS
def test_slopes_are_those_of_the_catalogue(name, f):
    """The gradient on random pairs, and the optimal critic."""
    d, entry = make(f), dv.CATALOGUE[name]
    p, q = random_pairs()
    for mine, true in ((d, entry), (d.reverse, entry.reverse)):
        for measured, expected in zip(mine.gradient(p, q), true.gradient(p, q), strict=True):
            assert relative(measured, expected, 1e-3) <= STATED[found(d).calls]["slope"]
        with np.errstate(over="ignore"):
            assert relative(mine.optimal_critic(p, q), true.optimal_critic(p, q), 1e-3) <= 1e-5


@TWINS
def test_limits_are_those_of_the_catalogue(name, f):
    """f(0), f'(1) and f'(inf), and what follows from them."""
    facts, entry = found(make(f)), dv.CATALOGUE[name]
    assert facts.at_zero == pytest.approx(float(entry.generator(0.0)), abs=1e-10)
    assert facts.slope_at_one == pytest.approx(entry.slope_at_one, abs=1e-10)
    assert facts.slope_at_infinity == pytest.approx(entry.high, abs=1e-10)
    assert facts.symmetric == (entry.mirror is None)
    assert facts.separates
    assert facts.kinks == ((1.0,) if name == "total_variation" else ())


def test_what_was_found_can_be_read():
    """How f is called and differentiated, its kinks, its growth, and its accuracy."""
    facts = found(make(lambda u: u * np.log(u)))
    assert (facts.calls, facts.derivatives) == ("arrays", "automatic differentiation")
    assert facts.growth_at_infinity == "1 u^0 (log u -1)"
    assert facts.accuracy < 1e-14
    assert found(make(generators.kl_of_one_number)).derivatives == "differences of its values"
    assert found(make(generators.js_of_tensors)).derivatives == "torch.autograd"
    assert found(make(generators.piecewise_linear)).kinks == (0.5, 1.0, 3.0)
    assert found(make(lambda u: max(abs(u - 1) - 0.1, 0.0))).kinks == (0.9, 1.1)
    assert found(make(generators.square_times_logarithm)).growth_at_infinity == "1 u^1 log u"


def test_flat_beside_one_does_not_separate():
    """f = 0 about 1 cannot tell near distributions apart; flat on one side only, it still can: both have one sum."""
    flat = make(lambda u: np.maximum(abs(u - 1) - 0.1, 0))
    assert not flat.separates
    assert flat([0.5, 0.5], [0.48, 0.52]) == 0
    one_sided = make(generators.one_sided_square)
    assert one_sided.separates
    assert one_sided([0.5, 0.5], [0.48, 0.52]) > 0


def test_a_multiple_of_u_minus_one_adds_nothing():
    """Tilting f moves f' and the conjugate, and neither the value nor the cost of an atom."""
    plain, tilted = make(lambda u: u * np.log(u)), make(lambda u: u * np.log(u) + 3 * (u - 1))
    assert tilted.slope_at_one == pytest.approx(4)
    assert np.allclose(tilted.contributions(P, Q), plain.contributions(P, Q), rtol=1e-13)
    assert tilted.conjugate(2.0) == pytest.approx(float(plain.conjugate(-1.0)) + 3, rel=1e-13)


def test_steep_growth_against_mpmath():
    """cosh(u - 1) - 1: exact to u = 700, and inf where e^u is beyond the floats."""
    d = make(generators.hyperbolic_cosine)
    for p, q in ((P, Q), (np.array([0.7, 0.3]), np.array([0.001, 0.999]))):
        exact = mp.fsum(mp.mpf(b) * (mp.cosh(mp.mpf(a) / mp.mpf(b) - 1) - 1) for a, b in zip(p, q, strict=True))
        assert d(p, q) == pytest.approx(float(exact), rel=1e-13)
    assert d([0.5, 0.5], [1e-9, 1 - 1e-9]) == np.inf
    assert d.conjugate(np.sinh(2.0)) == pytest.approx(3 * np.sinh(2.0) - np.cosh(2.0) + 1, rel=1e-13)


def textbook(f, p, q):
    """Σ q f(p/q) at 60 digits, for f with f'(1) = 0 and positive masses."""
    return mp.fsum(mp.mpf(b) * f(mp.mpf(a) / mp.mpf(b)) for a, b in zip(p.tolist(), q.tolist(), strict=True))


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_the_scale_of_f_is_no_matter(scale):
    """Nothing is called zero because it is small beside one."""
    d = make(lambda u: scale * (u - 1) ** 2)
    assert d.separates
    assert d(P, Q) == pytest.approx(scale * dv.pearson(P, Q), rel=1e-14)
    assert d.conjugate(0.5 * scale) == pytest.approx(scale * dv.pearson.conjugate(0.5), rel=1e-13)


def test_steep_powers():
    """u^50 is 10^26 at u = 4, beside which its curvature at 1 must not be lost."""
    a = 50.0
    d = make(lambda u: (u**a - a * u + a - 1) / (a * (a - 1)))
    near = np.array([0.5 + 1e-9, 0.5 - 1e-9])
    for p, q in ((near, np.array([0.5, 0.5])), (P, Q), (np.array([0.5, 0.5]), np.array([0.01, 0.99]))):
        exact = float(textbook(lambda u: (u**50 - 50 * u + 49) / 2450, p, q))
        assert d(p, q) == pytest.approx(exact, rel=1e-13)
    assert d.separates


def test_curvature_that_vanishes_at_one():
    """(u - 1)^6 is 1e-54 where p and q agree to nine digits, and not the rounding of an interpolant."""
    d = make(lambda u: (u - 1) ** 6)
    p, q = np.array([0.5 + 2.0**-30, 0.5 - 2.0**-30]), np.array([0.5, 0.5])
    assert d(p, q) == pytest.approx(float(textbook(lambda u: (u - 1) ** 6, p, q)), rel=1e-9)
    assert found(d).accuracy < 1e-13


def test_a_kink_beside_one():
    """At 1.0001 it is found, and no f'' is interpolated across it."""
    d = make(lambda u: np.maximum(u - 1.0001, 0))
    assert found(d).kinks == (1.0001,)
    assert not d.separates
    assert d([0.50004, 0.49996], [0.5, 0.5]) == 0
    assert d([0.6, 0.4], [0.5, 0.5]) == pytest.approx(0.5 * (1.2 - 1.0001), rel=1e-13)


@pytest.mark.parametrize("f", [generators.hyperbolic_cosine, generators.piecewise_linear, generators.cubic])
@pytest.mark.parametrize("u", [1e-6, 0.3, 0.7, 1.0, 1.3, 2.7, 9.0])
def test_fenchel_young_is_tight_at_the_derivative(f, u):
    """f(u) + f*(f'(u)) = u f'(u), at kinks too."""
    for d in (make(f), make(f).reverse):
        if np.isfinite(d.derivative(u)):
            assert laws.fenchel_young_gap(d, u) <= 1e-12


def test_conjugate_at_a_kink():
    """Between the slopes -1 and 1/2 the supremum stays at the kink u = 1: a line of slope 1."""
    d = make(generators.piecewise_linear)
    t = np.array([-5.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.4, 0.5, 1.0, 2.0])
    candidates = np.array([0.0, 0.5, 1.0, 3.0])
    expected = (t[:, None] * candidates - generators.piecewise_linear(candidates)).max(axis=1)
    assert np.allclose(d.conjugate(t), expected, rtol=1e-13, atol=1e-14)
    assert d.conjugate(2.0 + 1e-9) == np.inf


def test_activation():
    """v = 0 is the critic that sees no difference; the end of the domain is approached and never reached."""
    for d in (make(lambda u: (np.sqrt(u) - 1) ** 2), make(lambda u: u * np.log(u)), make(generators.one_sided_square)):
        v = np.linspace(-50, 1e6, 10_001)
        t = d.activation(v)
        assert np.all(np.diff(t) > 0)
        assert np.all(t < d.high)
    assert make(lambda u: (np.sqrt(u) - 1) ** 2).activation(0.0) == 0
    assert make(lambda u: u * np.log(u)).activation(0.0) == 1


def test_conjugate_beside_the_end_of_its_domain():
    """Where f'(u) has no digits left before f'(inf) = 0, at u = 10^12 and beyond, a power law has."""
    d = make(generators.reverse_kl_of_arrays)
    t = -np.array([1e-6, 1e-9, 1e-12, 1e-15, 1e-100])
    assert relative(d.conjugate(t), dv.reverse_kl.conjugate(t)) <= 1e-8
    squared = make(generators.squared_hellinger_of_arrays)
    t = 1 - np.array([1e-3, 1e-6, 2.0**-40])
    assert relative(squared.conjugate(t), dv.squared_hellinger.conjugate(t)) <= 1e-6


def test_conjugate_activation_keeps_its_digits():
    """f*(g(v)) at large scores, against t / (1 - t) of the same t."""
    d = make(lambda u: (np.sqrt(u) - 1) ** 2)
    for v in (10.0, 1e3, 1e6):
        t = float(d.activation(v))
        assert d.conjugate_activation(v) == pytest.approx(t / (1 - t), rel=1e-8)


def test_log_probabilities():
    """Ratios far beyond the floats, by the law of growth of f."""
    lp, lq = np.array([-700.0, math.log1p(-math.exp(-700))]), np.array([-1500.0, 0.0])
    assert make(lambda u: (u - 1) ** 2)(lp, lq, log=True) == pytest.approx(math.exp(100), rel=1e-12)
    far = make(lambda u: u * np.log(u))([-1.0, math.log1p(-math.exp(-1))], [-1e6, 0.0], log=True)
    assert far == pytest.approx(float(dv.kl([-1.0, math.log1p(-math.exp(-1))], [-1e6, 0.0], log=True)), rel=1e-12)
    steep = make(generators.square_times_logarithm)
    assert steep.tail is not None
    assert steep.tail(np.array([1e3]))[0] == pytest.approx(math.log(1e3) + 1e3, rel=1e-12)  # f(u)/u ~ u log u


def test_tensors_carry_gradients():
    """Those of the catalogue, with respect to masses and through the activation."""
    mine, true = make(generators.js_of_arrays), dv.js
    p, q = (torch.tensor(x, requires_grad=True) for x in (P, Q))
    for a, b in zip(*(torch.autograd.grad(d(p, q), (p, q)) for d in (mine, true)), strict=True):
        assert torch.allclose(a, b, rtol=1e-12)
    v = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(mine.conjugate_activation(v).sum(), v)
    step = 1e-6
    numeric = (mine.conjugate_activation(v.detach() + step) - mine.conjugate_activation(v.detach() - step)) / (2 * step)
    assert torch.allclose(slope, numeric, rtol=1e-7, atol=1e-9)
    assert mine(p.float().detach(), q.float().detach()).dtype == torch.float32


def test_a_second_derivative_is_refused():
    """It is not known, and a gradient without it would be wrong in silence."""
    p, q = (torch.tensor(x, requires_grad=True) for x in (P, Q))
    value = make(generators.js_of_arrays)(p, q)
    with pytest.raises(dv.DataError, match="first derivatives only"):
        torch.autograd.grad(torch.autograd.grad(value, p, create_graph=True)[0].sum(), p)


def test_reverse_of_the_reverse():
    """It is the divergence itself, and multiples have multiples as reverses."""
    d = make(generators.cubic, name="cubic")
    assert d.reverse.reverse is d
    assert d.reverse.name == "reverse of cubic"
    assert (3 * d).reverse(P, Q) == pytest.approx(3 * d(Q, P), rel=1e-14)
    assert d.reverse(P, Q) == d(Q, P)
    assert (3 * d).found is None


@pytest.mark.parametrize("name", ["kl", "reverse_kl", "js", "pearson", "neyman", "jeffreys", "total_variation"])
def test_without_extended_precision(name):
    """Where floats are all there is: f overflows earlier, and its law of growth takes over."""
    f, entry = generators.TWINS[name][0], dv.CATALOGUE[name]
    curve, facts = analyse_source(source(f, np.float64), None, None)
    assert facts.digits == 15
    masses = np.array([5e-324, 1e-310, 1e-200, 1e-100, 1e-9, 0.3, 0.3 * (1 + 1e-9), 0.9])
    p, q = (grid.ravel() for grid in np.meshgrid(masses, masses))
    scale = 2.0**100  # away from the subnormals, as callers do
    with np.errstate(all="ignore"):
        measured = curve.cost(p * scale, q * scale, (p - q) * scale)
        expected = entry.cost(p * scale, q * scale, (p - q) * scale)
        slopes = curve.partials(p * scale, q * scale, (p - q) * scale)
        true_slopes = entry.partials(p * scale, q * scale, (p - q) * scale)
    off = p != q
    assert relative(measured[off], expected[off]) <= 1e-11
    for slope, true in zip(slopes, true_slopes, strict=True):
        in_floats = off & (np.abs(true) < 1e300)
        assert relative(slope[in_floats], true[in_floats], 1e-6) <= 1e-6
    t = entry.derivative(np.geomspace(1e-4, 1e4, 100))
    t = t[t < entry.high]
    assert relative(conjugate(curve, t)[0], entry.conjugate(t), 1.0) <= 1e-10
    steep = np.array([-1e305])  # the slope of -log u at 1e-305, below which f is not called
    assert relative(conjugate(curve, steep)[0], entry.conjugate(steep)) <= 1e-10


@pytest.mark.parametrize(("low", "high"), [(0.2, 3.0), (0.02, 50.0)])
def test_rounding_where_terms_cancel_is_no_want_of_convexity(low, high):
    d = dv.FDivergence.from_generator(lambda u: np.abs(u - high) + np.abs(u - low) - (high - low))
    p, q = np.array([0.6, 0.4, 0.0]), np.array([0.01, 0.89, 0.1])
    # Outside [low, high] f is twice the distance to it.
    expected = 0.01 * 2 * (60 - high) + 0.1 * 2 * low
    assert float(d(p, q)) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(dv.DataError, match="convex"):
        dv.FDivergence.from_generator(lambda u: np.where(u > 1, 1.0, 0.0))
