"""Rényi, Bhattacharyya and Chernoff divergences: values, limits and gradients against mpmath; what they refuse."""

import mpmath as mp
import numpy as np
import pytest
import torch

import divergences as dv
from tests import mp_oracle
from tests.strategies import simplex_grid

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
ORDERS = [0.0, 1e-9, 0.3, 0.5, 1 - 1e-12, 1.0, 1 + 1e-9, 2.0, 3.7, 50.0, np.inf]
PAIRS = [
    (P, Q),
    (P, P * (1 + 1e-9 * np.array([1.0, -2.0, 0.5]))),
    (P, P * (1 + 1e-14 * np.array([1.0, -2.0, 0.5]))),
    (np.array([0.0, 0.6, 0.4]), np.array([0.3, 0.3, 0.4])),
    (np.array([0.3, 0.3, 0.4]), np.array([0.0, 0.6, 0.4])),
    (np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])),
    (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.5, 0.5])),
    (np.array([1 - 1e-30, 1e-30, 0.0]), np.array([1e-300, 1.0, 0.0])),
    (np.array([5e-324, 1.0, 1e-320]), np.array([1.0, 5e-324, 1e-310])),
]


def log_power_sum(p, q, a):
    """log Σ p^a q^(1-a) in mpmath; near 0 with the sums of p and q taken to be one, as the definition has it."""
    total = difference = mp.mpf(0)
    for x, y in zip(p, q, strict=True):
        x, y = mp.mpf(x), mp.mpf(y)
        power = mp.mpf(0)
        if y == 0 < x:
            power = mp.inf if a > 1 else power
        elif x > 0:
            power = y * (x / y) ** a
        total += power
        difference += power - a * x - (1 - a) * y
    if abs(difference) < 0.5:
        return mp.log1p(difference)
    return mp.log(total) if total else -mp.inf


def true_renyi(p, q, order):
    """Rényi's divergence by its definition, at 700 digits."""
    with mp.workdps(700):
        if order == np.inf:
            ratios = [mp.mpf(x) / mp.mpf(y) if y else mp.inf for x, y in zip(p, q, strict=True) if x]
            return max(mp.log(max(ratios)), mp.mpf(0))
        if order == 1:
            return mp_oracle.value("kl", p, q)[0]
        a = mp.mpf(order)
        if a == 0:
            inside = 1 - mp.fsum(mp.mpf(y) for x, y in zip(p, q, strict=True) if x == 0)
            return -mp.log(inside) if inside > 0 else mp.inf
        return log_power_sum(p, q, a) / (a - 1)


def true_chernoff(p, q):
    """The maximum over λ by golden section, at 60 digits."""
    with mp.workdps(60):
        value = lambda w: -log_power_sum(p, q, w)
        low, high, golden = mp.mpf(0), mp.mpf(1), (mp.sqrt(5) - 1) / 2
        for _ in range(140):
            left, right = high - golden * (high - low), low + golden * (high - low)
            if value(left) < value(right):
                low = left
            else:
                high = right
        return value(low)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_renyi_against_mpmath(p, q, order):
    """Every order, its limits, near equality, at zeros and on nearly disjoint supports."""
    expected, measured = true_renyi(p, q, order), float(dv.renyi(p, q, order))
    if mp.isinf(expected):
        assert measured == np.inf
    else:
        assert measured == pytest.approx(float(expected), rel=2e-13, abs=1e-300)


@pytest.mark.parametrize("order", [0.3, 0.5, 2.0, 50.0])
def test_renyi_on_the_grid(order):
    """From subnormals to one, within 1e-12 of itself."""
    ps, qs = simplex_grid()
    for p, q, measured in zip(ps[::5], qs[::5], dv.renyi(ps[::5], qs[::5], order), strict=True):
        expected = true_renyi(p, q, order)
        assert measured == (np.inf if mp.isinf(expected) else pytest.approx(float(expected), rel=1e-12, abs=1e-300))


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_chernoff_against_mpmath(p, q):
    """The maximum to full precision, also where it is 1e-29, and where it lies at an end of [0, 1]."""
    measured = float(dv.chernoff(p, q))
    if not np.any((p > 0) & (q > 0)):
        assert measured == np.inf
    else:
        assert measured == pytest.approx(float(true_chernoff(p, q)), rel=1e-12)
        assert measured == pytest.approx(float(dv.chernoff(q, p)), rel=1e-13)


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        ([0.9, 0.1], [0.0, 1.0], np.log(10)),
        ([0.0, 0.75, 0.25], [0.5, 0.0, 0.5], np.log(4)),
        ([0.0, 0.75, 0.25], [0.5, 0.375, 0.125], np.log(2)),
    ],
)
def test_chernoff_where_the_exponent_is_straight(p, q, expected):
    """With one common atom, or one common ratio, the sum is m r^λ and its least value lies at an end."""
    assert dv.chernoff(p, q) == pytest.approx(expected, rel=1e-14)
    assert dv.chernoff(q, p) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("far", [1e6, 1e10, 1e20, 1e200, 1e300])
def test_chernoff_of_log_probabilities_far_apart(far):
    """e^(-λ far) + e^(-(1-λ) 1e5), the least value by hand: one term beside the other is 0 but near its λ."""
    p, q, ratio = [0.0, -far], [-1e5, 0.0], 1e5 / far
    expected = 1e5 * (1 + np.log(ratio) / far) / (1 + ratio) - np.log1p(ratio)
    for pair in ((p, q), (q, p), (p[::-1], q[::-1])):
        assert dv.chernoff(*pair, log=True) == pytest.approx(expected, rel=1e-13)


def test_chernoff_of_nearly_equal_vectors():
    """Where p and q agree to thirteen digits, λ is ½ and the value an eighth of chi2, though the sums round by more."""
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(1000), 20)
    q = p * (1 + 1e-13 * rng.normal(size=p.shape))
    assert np.any(p.sum(-1) != q.sum(-1))
    assert np.allclose(dv.chernoff(p, q), ((p - q) ** 2 / q).sum(-1) / 8, rtol=1e-6, atol=0)


def test_golden_values():
    """Unit-variance normal laws one apart, binned finely: a/2, 1/8 and 1/8; Bernoulli laws by hand."""
    x = np.linspace(-30, 31, 61_001)
    p, q = (np.exp(-((x - m) ** 2) / 2) for m in (0.0, 1.0))
    for order in (0.25, 1.0, 2.0, 7.0):
        assert dv.renyi(p, q, order, normalize=True) == pytest.approx(order / 2, rel=1e-12)
    assert dv.bhattacharyya(p, q, normalize=True) == pytest.approx(1 / 8, rel=1e-12)
    assert dv.chernoff(p, q, normalize=True) == pytest.approx(1 / 8, rel=1e-12)
    assert dv.bhattacharyya(P, Q) == pytest.approx(-np.log(np.sqrt(P * Q).sum()), rel=1e-14)
    assert dv.bhattacharyya(P, Q) == pytest.approx(-np.log1p(-dv.squared_hellinger(P, Q) / 2), rel=1e-14)


def test_exactly_zero_and_never_negative():
    """0 at p = q for every order, and at least 0 one rounding apart."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(50), 20)
    q = p * (1 + 1e-16 * rng.integers(-3, 4, p.shape))
    for order in ORDERS:
        assert np.all(dv.renyi(p, p, order) == 0)
        assert np.all(dv.renyi(p, q, order, normalize=True) >= 0)
    assert np.all(dv.chernoff(p, p) == 0)
    assert np.all(dv.chernoff(p, q, normalize=True) >= 0)


def test_increasing_in_the_order():
    """Rényi's divergence increases with its order, from 0 to inf."""
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.full(6, 0.3), (2, 200))
    values = np.stack([dv.renyi(p, q, order) for order in ORDERS])
    assert np.all(values[1:] >= values[:-1] * (1 - 1e-11))


@pytest.mark.parametrize("order", [0.0, 0.3, 0.5, 1.0, 2.0, 50.0, np.inf])
def test_additive_over_independent_pairs(order):
    """Rényi's divergence of products is the sum; Chernoff's is at most that."""
    rng = np.random.default_rng(3)
    p, q, r, s = rng.dirichlet(np.full(5, 0.5), (4, 30))
    p[:5, 0] = 0
    p /= p.sum(-1, keepdims=True)
    first, second = (np.einsum("ni,nj->nij", *pair).reshape(30, 25) for pair in ((p, r), (q, s)))
    parts = dv.renyi(p, q, order) + dv.renyi(r, s, order)
    assert np.allclose(dv.renyi(first, second, order, normalize=True), parts, rtol=1e-11)
    assert np.all(dv.chernoff(first, second, normalize=True) <= (dv.chernoff(p, q) + dv.chernoff(r, s)) * (1 + 1e-12))


@pytest.mark.parametrize("order", [0.0, 0.3, 1.0, 2.0, 50.0, np.inf])
def test_log_probabilities(order):
    """The same numbers from logarithms and from logits; nothing overflows at order 50."""
    assert dv.renyi(np.log(P), np.log(Q), order, log=True) == pytest.approx(dv.renyi(P, Q, order), rel=1e-13)
    shifted = np.log(P) + 1000, np.log(Q) - 1e4
    assert dv.renyi(*shifted, order, log=True, normalize=True) == pytest.approx(dv.renyi(P, Q, order), rel=1e-10)
    p, q = [0.0, -800.0, -np.inf], [-5000.0, 0.0, -np.inf]
    expected = {0.0: 0.0, 0.3: 0.3 * 800 / 0.7}.get(order, 5000.0)
    assert dv.renyi(p, q, order, log=True) == pytest.approx(expected, rel=1e-12)


def test_chernoff_of_log_probabilities():
    """Logits of ±1000: the best λ is where both exponents agree."""
    p, q = [0.0, -800.0], [-2000.0, 0.0]
    weights = 2000 / 2800 + np.linspace(-1e-3, 1e-3, 2_000_001)
    expected = -np.logaddexp((1 - weights) * -2000, weights * -800).min()
    assert dv.chernoff(p, q, log=True) == pytest.approx(expected, rel=1e-12)
    assert dv.chernoff(np.log(P), np.log(Q), log=True) == pytest.approx(dv.chernoff(P, Q), rel=1e-12)


def through_softmax(function, x, y, h=1e-5):
    """Largest error of the gradient with respect to logits, from probabilities and from logits, by differences."""
    from_masses = lambda a, b: function(torch.softmax(a, -1), torch.softmax(b, -1))
    from_logits = lambda a, b: function(a, b, log=True, normalize=True)
    worst = 0.0
    for value in (from_masses, from_logits):
        tensors = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, y)]
        gradients = torch.autograd.grad(value(*tensors), tensors)
        for side, gradient in enumerate(gradients):
            assert torch.isfinite(gradient).all()
            for i in range(len(x)):
                if np.isinf(tensors[side][i].item()):
                    assert gradient[i] == 0
                    continue
                ends = []
                for sign in (-1, 1):
                    moved = [t.detach().clone() for t in tensors]
                    moved[side][i] += sign * h
                    ends.append(float(value(*moved)))
                slope = (ends[1] - ends[0]) / (2 * h)
                worst = max(worst, abs(float(gradient[i]) - slope) / (1 + abs(slope)))
    return worst


@pytest.mark.parametrize("order", [0.3, 0.5, 1 - 1e-12, 1.0, 2.0, 50.0, np.inf])
def test_gradients_of_renyi(order):
    """Autograd reaches logits right, -inf among them."""
    renyi = lambda p, q, **options: dv.renyi(p, q, order, **options)
    assert through_softmax(renyi, [0.3, -1.2, 0.5], [1.0, 0.2, -0.4]) < 1e-6
    assert through_softmax(renyi, [0.3, -np.inf, 0.5], [1.0, 0.2, -0.4]) < 1e-6
    if order < 0.9:  # beyond, the value is near infinite and differences say nothing
        assert through_softmax(renyi, [0.3, -np.inf, 0.5], [-np.inf, 0.2, -0.4]) < 1e-6


def test_gradients_of_order_zero():
    """-log Q(p > 0) moves with q only."""
    p, q = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in ([0.0, 0.6, 0.4], [0.3, 0.3, 0.4]))
    by_p, by_q = torch.autograd.grad(dv.renyi(p, q, 0), (p, q))
    assert by_p.tolist() == [0, 0, 0]
    assert (by_q - by_q[1]).tolist() == pytest.approx([1 / 0.7, 0, 0])


def test_gradients_of_chernoff():
    """The envelope theorem: the best λ need not be differentiated."""
    assert through_softmax(dv.chernoff, [0.3, -1.2, 0.5], [1.0, 0.2, -0.4]) < 1e-6
    assert through_softmax(dv.chernoff, [0.3, -np.inf, 0.5], [-np.inf, 0.2, -0.4]) < 1e-6
    assert through_softmax(dv.chernoff, [3.0, 0.0, -np.inf], [-9.0, 0.0, 2.0]) < 1e-6  # at an end of [0, 1]


ZERO_GRADIENT = [
    dv.chernoff,
    dv.bhattacharyya,
    lambda p, q, **options: dv.renyi(p, q, 0.7, **options),
    lambda p, q, **options: dv.renyi(p, q, np.inf, **options),
]


@pytest.mark.parametrize("function", ZERO_GRADIENT)
def test_no_nan_at_zeros(function):
    """Disjoint supports: inf with gradient 0; atoms that both lack; equal vectors: gradient 0."""
    cases = [([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), ([0.3, 0.7, 0.0], [0.3, 0.7, 0.0]), ([0.5, 0.5, 0.0], [0.2, 0.8, 0.0])]
    for a, b in cases:
        for log in (False, True):
            pair = [torch.tensor(x, dtype=torch.float64) for x in (a, b)]
            pair = [(x.log() if log else x).requires_grad_() for x in pair]
            value = function(*pair, log=log)
            gradients = torch.autograd.grad(value, pair)
            assert not torch.isnan(value)
            assert all(torch.isfinite(g).all() for g in gradients)
            if a == b or value == torch.inf:
                assert all((g[:2] == 0).all() for g in gradients)


def test_batches_kinds_and_dtypes():
    """Leading axes broadcast; tensors and arrays agree; float32 stays float32; one answer per row."""
    rng = np.random.default_rng(2)
    p, q = rng.dirichlet(np.ones(7), (4, 1)), rng.dirichlet(np.ones(7), 3)
    for function in (dv.chernoff, dv.bhattacharyya, lambda a, b: dv.renyi(a, b, 2.5)):
        values = function(p, q)
        assert values.shape == (4, 3)
        assert values[2, 1] == pytest.approx(function(p[2, 0], q[1]), rel=1e-13)
        tensors = function(torch.tensor(p), torch.tensor(q))
        assert np.allclose(tensors.numpy(), values, rtol=1e-13)
        assert function(p.astype(np.float32), q.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("order", [-1, -1e-9, np.nan, "two", None, True])
def test_orders_refused(order):
    """An order is at least 0."""
    with pytest.raises(dv.DataError, match="order must be a number of at least 0, or inf; got"):
        dv.renyi(P, Q, order)


def test_masses_refused():
    """The border is that of the f-divergences."""
    for function in (dv.chernoff, dv.bhattacharyya):
        with pytest.raises(dv.NotNormalizedError, match="sum to one"):
            function(P, 2 * Q)
        with pytest.raises(dv.DataError, match="same number of outcomes"):
            function(P, [1.0])
