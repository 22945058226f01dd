"""Laws that hold for every entry of the catalogue. An entry joins them by existing.

Each law is a function that returns by how much it is violated (0 or less: it holds), so that
`test_laws_bite.py` can show that it rejects a planted error.
"""

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests import entries, mp_oracle
from tests.laws import f_divergence_laws as laws
from tests.strategies import channels, coarse, pmf_pairs, pmfs, ratios, scores, simplex_grid

EVERY = pytest.mark.parametrize("d", entries.EVERY.values(), ids=list(entries.EVERY))
NAMED = pytest.mark.parametrize(("name", "d"), entries.NAMED.items(), ids=list(entries.NAMED))


@EVERY
@given(pair=pmf_pairs())
def test_at_least_its_minimum(d, pair):
    """D(p, q) >= f(1), and no NaN."""
    assert laws.below_minimum(d, *pair) <= 0


@EVERY
@given(p=pmfs())
def test_identity(d, p):
    """D(p, p) = f(1), to the bit."""
    assert d(p, p) == d.f_at_one


@EVERY
@given(pair=pmf_pairs())
def test_separates(d, pair):
    """D(p, q) > f(1) where p and q differ by more than the square of rounding can hide."""
    p, q = pair
    if d.separates and np.abs(p - q).max() > 1e-6:
        assert d(p, q) > d.f_at_one


@EVERY
@given(pair=pmf_pairs())
def test_largest_value(d, pair):
    """D(p, q) <= f~(0) + f~'(inf) + f(1), reached on disjoint supports."""
    assert laws.above_maximum(d, *pair) <= 1e-12


@EVERY
@given(data=st.data(), pair=pmf_pairs())
def test_data_processing(d, data, pair):
    """A channel cannot increase a divergence."""
    p, q = map(coarse, pair)
    assert laws.data_processing_excess(d, p, q, data.draw(channels(len(p)))) <= 1e-9


@EVERY
@given(data=st.data(), pair=pmf_pairs(), weight=st.floats(1e-3, 1.0))
def test_joint_convexity(d, data, pair, weight):
    """D is jointly convex in (p, q)."""
    p, q = map(coarse, pair)
    r, s = (coarse(data.draw(pmfs(size=len(p)))) for _ in "rs")
    assert laws.convexity_excess(d, p, q, r, s, weight) <= 1e-9


@EVERY
@given(u=ratios, v=scores)
def test_fenchel_young(d, u, v):
    """f(u) + f*(t) >= t u for every ratio and every admissible t."""
    assert laws.fenchel_young_violation(d, u, v) <= 1e-9


@EVERY
@given(u=st.floats(1e-3, 40.0))
def test_fenchel_young_equality(d, u):
    """f(u) + f*(f'(u)) = u f'(u): the optimal critic makes the bound tight."""
    assert laws.fenchel_young_gap(d, u) <= 1e-9


@NAMED
@pytest.mark.parametrize("v", [-3.0, -1.0, -0.1, 0.0, 0.3, 1.0, 2.0])
def test_conjugate_is_the_supremum(name, d, v):
    """f* equals a brute-force supremum over u >= 0."""
    t = float(d.activation(v))
    assert float(d.conjugate(t)) == pytest.approx(float(mp_oracle.conjugate(name, mp.mpf(t))), rel=1e-10, abs=1e-10)


@EVERY
@given(v=scores)
def test_conjugate_of_activation(d, v):
    """The stable f*(g(v)) equals the composition, where the composition has digits left."""
    assert laws.composition_gap(d, v) <= 1e-6


@EVERY
@given(v=scores, step=st.floats(1e-3, 5.0))
def test_activation_increases_into_the_domain(d, v, step):
    """g increases, and f* is finite on its range."""
    assert d.activation(v) <= d.activation(v + step)
    assert d.activation(-5.0) < d.activation(-4.0) < d.activation(4.0)
    assert np.isfinite(d.conjugate(d.activation(v)))
    assert d.activation(v) < d.domain[1]


@NAMED
@given(u=st.floats(1e-3, 1e3))
@example(u=0.5)
@example(u=2.0)
def test_derivative(name, d, u):
    """f' is the derivative of the textbook generator, where it has one."""
    if all(abs(u - kink) > 1e-9 * kink for kink in (1.0, *entries.KINKS.get(d.name, ()))):
        expected = float(mp_oracle.derivative(name, u))
        assert float(d.derivative(u)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@NAMED
@pytest.mark.parametrize("u", [0.0, 5e-324, 1e-310, 1e-8, 0.3, 1 - 1e-9, 1.0, 1 + 1e-9, 7.0, 1e8, 1e150, 1e200, 1e307])
def test_generator(name, d, u):
    """f is the textbook generator, from 0 to the largest floats; inf where it overflows."""
    f, _, _, at_zero, _ = mp_oracle.GENERATORS[name]
    with mp.workdps(700):
        expected, measured = (f(mp.mpf(u)) if u else at_zero), float(d.generator(u))
    if expected > np.finfo(float).max:
        assert measured == np.inf
    else:
        assert abs(measured - expected) <= 1e-14 * (1 + abs(expected))


@NAMED
@pytest.mark.parametrize("u", [1 - 1e-9, 1 - 1e-3, 1 + 2.0**-52, 1 + 1e-9, 1 + 1e-3])
def test_generator_near_one(name, d, u):
    """Where f and its slope vanish at 1, f is small beside 1 and still right to its last digits."""
    f, at_one, slope, _, _ = mp_oracle.GENERATORS[name]
    if at_one or slope:
        pytest.skip("does not vanish at 1 to second order")
    expected = f(mp.mpf(u))
    assert abs(float(d.generator(u)) - expected) <= 1e-14 * abs(expected)


@EVERY
def test_conjugate_at_the_ends(d):
    """f*(-inf) = -f(0), f*(inf) = inf, alone and behind the activation: no NaN."""
    at_zero = float(d.generator(0.0))
    assert d.conjugate(-np.inf) == d.conjugate_activation(-np.inf) == pytest.approx(-at_zero)
    assert d.conjugate(np.inf) == np.inf
    assert d.conjugate_activation(np.inf) == pytest.approx(float(d.conjugate(d.domain[1])))


@EVERY
@given(u=st.floats(1e-3, 50.0))
def test_cost_is_the_perspective(d, u):
    """cost(u, 1) = f(u) - f(1) - f'(1)(u - 1)."""
    assert laws.perspective_gap(d, u) <= 1e-11


@EVERY
@given(pair=pmf_pairs())
def test_reverse(d, pair):
    """d.reverse(p, q) = d(q, p), and reversing twice is the identity."""
    p, q = pair
    assert laws.reversal_gap(d, p, q) <= 1e-12
    assert d.reverse.reverse(p, q) == pytest.approx(d(p, q), rel=1e-12, abs=1e-300)


@EVERY
@given(pair=pmf_pairs(), v=scores)
def test_multiples(d, pair, v):
    """3 d has three times the value and is an f-divergence with all its parts."""
    triple = 3 * d
    rounding = 1e-300 + 1e-14 * abs(d.f_at_one)
    assert laws.composition_gap(triple, v) <= 1e-6
    assert laws.fenchel_young_gap(triple, 2.5) <= 1e-9
    assert triple.domain[1] == 3 * d.domain[1]
    with np.errstate(over="ignore"):
        assert triple(*pair) == pytest.approx(3 * d(*pair), rel=1e-12, abs=rounding)
        assert triple.reverse(*pair) == pytest.approx(3 * d.reverse(*pair), rel=1e-12, abs=1e-14)
        assert np.allclose(triple.optimal_critic(*pair), 3 * d.optimal_critic(*pair), rtol=1e-12)
    for thrice, once in zip(triple.gradient(*pair), d.gradient(*pair), strict=True):
        inside = np.abs(once) < 1e307  # what leaves the floats below is returned as 0
        assert np.allclose(thrice[inside], 3 * once[inside], rtol=1e-12)


@EVERY
@given(pair=pmf_pairs())
def test_bound_is_tight_at_the_optimal_critic(d, pair):
    """E_p T* - E_q f*(T*) = D(p, q) where both are positive."""
    p, q = ((x + 0.1) / (x + 0.1).sum() for x in pair)
    critic = d.optimal_critic(p, q)
    assert d.lower_bound(critic, critic, p=p, q=q) == pytest.approx(d(p, q), rel=1e-9, abs=1e-12)


@EVERY
@pytest.mark.parametrize("library", [np.array, torch.tensor])
def test_bound_is_tight_at_zeros(d, library):
    """The optimal critic is infinite at zeros of p or q, and the bound is still the divergence."""
    p, q = library([0.0, 0.5, 0.3, 0.2, 0.0]), library([0.5, 0.0, 0.1, 0.4, 0.0])
    for a, b in ((p, q), (q, p), (p[[0, 2, 3, 4]] * 2, q[[0, 2, 3, 4]])):
        a, b = a / a.sum(), b / b.sum()
        critic = d.optimal_critic(a, b)
        assert float(d.lower_bound(critic, critic, p=a, q=b)) == pytest.approx(float(d(a, b)), rel=1e-6)


@EVERY
def test_bound_survives_a_critic_at_the_end_of_the_domain(d):
    """Where q is so small that f'(p/q) rounds to the end, the critic stays inside and the bound is not lost."""
    p, q = np.array([0.9, 0.1]), np.array([1e-40, 1.0])
    critic = d.optimal_critic(p, q)
    bound = d.lower_bound(critic, critic, p=p, q=q)
    assert d.f_at_one < bound <= d(p, q) * (1 + 1e-12) + 1e-12
    assert bound == pytest.approx(d(p, q), rel=1e-9)


@EVERY
@given(pair=pmf_pairs(), v=st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_bound_is_a_bound(d, pair, v):
    """Any critic in the domain stays below the divergence."""
    p, q = pair
    critic = d.activation(np.array(v[: len(p)]))
    assert d.lower_bound(critic, critic, p=p, q=q) <= d(p, q) + 1e-9


@NAMED
def test_against_mpmath_from_subnormals_to_one(name, d):
    """Within 1e-13 of the sum of absolute terms of a 60-digit evaluation."""
    ps, qs = simplex_grid()
    for p, q, measured in zip(ps, qs, d(ps, qs), strict=True):
        assert laws.oracle_error(name, measured, p, q) <= 1e-13, (p, q)


@EVERY
@given(pair=pmf_pairs())
def test_torch_equals_numpy(d, pair):
    """Tensors give the same numbers, batched or not."""
    p, q = pair
    tensors = torch.tensor(np.stack([p, q])), torch.tensor(np.stack([q, p]))
    batched = d(*tensors)
    assert batched.shape == (2,)
    assert float(batched[0]) == pytest.approx(d(p, q), rel=1e-14, abs=1e-320)
    assert float(batched[1]) == pytest.approx(d(q, p), rel=1e-14, abs=1e-320)


@EVERY
@given(pair=pmf_pairs())
def test_gradient_matches_finite_differences(d, pair):
    """Inside the simplex, autograd equals central differences of the cost."""
    p, q = ((x + 0.1) / (x + 0.1).sum() for x in pair)
    if any(np.abs(p - kink * q).min() < 1e-3 for kink in entries.KINKS.get(d.name, ())):
        return  # at the kink there is no derivative to compare with
    assert laws.gradient_gap(d, p, q) <= 1e-5


@NAMED
def test_gradient_against_mpmath_from_subnormals_to_one(name, d):
    """Within 1e-12 of itself, where p and q nearly agree and where both are subnormal too."""
    masses = [5e-324, 1e-310, 1e-200, 1e-16, 0.3, 0.3 * (1 + 1e-15), 0.3 * (1 + 1e-9), 0.45]
    p, q = (grid.ravel() for grid in np.meshgrid(masses, masses))
    for a, b in zip(p, q, strict=True):
        assert laws.gradient_error(name, d, np.array([a, 1 - a]), np.array([b, 1 - b])) <= 1e-12, (a, b)


@EVERY
@given(pair=pmf_pairs())
def test_gradient_is_never_nan(d, pair):
    """At zeros the gradient is a one-sided derivative, 0 where that is -inf; never NaN."""
    p, q = (torch.tensor(x, requires_grad=True) for x in pair)
    for gradient in torch.autograd.grad(d(p, q), (p, q)):
        assert not torch.isnan(gradient).any()
        assert (gradient > -torch.inf).all()


@EVERY
def test_gradient_through_softmax(d):
    """A logit of -inf gives p = 0: the gradient that reaches the logits is finite where the value is."""
    logits = torch.tensor([-torch.inf, 0.3, -1.2], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    p = torch.softmax(logits, 0)
    value = d(p, q)
    (gradient,) = torch.autograd.grad(value, logits)
    if torch.isfinite(value):
        assert torch.isfinite(gradient).all()
        shifted = logits.detach() + torch.tensor([0.0, 1e-6, 0.0])
        slope = (d(torch.softmax(shifted, 0), q) - value.detach()) / 1e-6
        assert float(gradient[1]) == pytest.approx(float(slope), rel=1e-4, abs=1e-5 + 1e-9 * float(value.detach()))
