"""Log-probabilities and logits: what they take, what they refuse, where ratios leave the floats."""

from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
import torch

import divergences as dv
from divergences.f_divergences import _perspective as perspective
from tests import mp_oracle

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
LP, LQ = np.log(P), np.log(Q)


def test_ratios_beyond_the_floats():
    """Pearson's e^100 from logarithms of -700 and -1500; KL's e^lp (1e6 + lp - 1) where log q is -1e6."""
    assert dv.pearson.contributions([-700.0, 0.0], [-1500.0, 0.0], log=True)[0] == pytest.approx(np.exp(100), rel=1e-13)
    rest = np.log1p(-np.exp(-3.0))
    expected = np.exp(-3.0) * (1e6 - 3 - 1)
    assert dv.kl.contributions([-3.0, rest], [-1e6, 0.0], log=True)[0] == pytest.approx(expected, rel=1e-13)
    expected = [float(mp_oracle.atom("neyman", mp.exp(a), mp.exp(b))) for a, b in ((-1500, -700), (0, 0))]
    measured = dv.neyman.contributions([-1500.0, 0.0], [-700.0, 0.0], log=True)
    assert measured == pytest.approx(expected, rel=1e-13)
    expected = np.exp(-700 + 500 - np.log(2450.0))
    assert dv.alpha(50).contributions([-690.0, 0.0], [-700.0, 0.0], log=True)[0] == pytest.approx(expected, rel=1e-13)


def test_high_orders_to_thirteen_digits():
    """alpha(50) raises the rounding of a difference of logarithms by fifty, were it not made good."""
    rng = np.random.default_rng(0)
    lp, lq = -14 * rng.uniform(size=(2, 200))
    for a, b, measured in zip(lp, lq, perspective.log_cost(dv.alpha(50), lp, lq), strict=True):
        u = mp.exp(mp.mpf(a) - mp.mpf(b))
        expected = mp.exp(mp.mpf(b)) * (u**50 - 50 * u + 49) / 2450
        assert abs(measured - expected) <= 2e-14 * expected


def test_small_divergences_of_logits():
    """Shifting logits by a constant changes nothing; a shift of one logit by 1e-9 is seen to nine digits."""
    assert dv.kl(LP, LP, log=True) == 0
    assert dv.js(LP + 3, LP - 1000, log=True, normalize=True) < 1e-25
    moved = LP + np.array([1e-9, 0, 0])
    expected = (P[0] - P[0] ** 2) * 1e-18 / 2
    assert dv.kl(LP, moved, log=True, normalize=True) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("p", "error", "message"),
    [
        ([np.nan, 0.0], dv.DataError, r"p must hold log-probabilities, finite or -inf; got 1 NaN or inf of 2"),
        ([np.inf, 0.0], dv.DataError, "p must hold log-probabilities"),
        ([-np.inf, -np.inf], dv.NotNormalizedError, "p must give some outcome a positive probability"),
        (
            [0.0, 0.0],
            dv.NotNormalizedError,
            r"log-sum-exp of 0\.693147181 instead of 0.*normalize=True if these are logits",
        ),
        ([1e308, 1e308], dv.NotNormalizedError, "log-sum-exp of 1e.308"),
        ([0.5, 0.5], dv.NotNormalizedError, "log-sum-exp"),
        ([], dv.DataError, "at least one outcome"),
        (0.0, dv.DataError, r"shape \(\)"),
        ([0.0], dv.DataError, "same number of outcomes"),
        ([1j, 0.0], dv.DataError, "real numbers"),
        (torch.zeros(2), dv.DataError, "log-sum-exp|beside torch"),
    ],
)
def test_refused_with_a_reason(p, error, message):
    """Unusable logarithms are named, measured and given a remedy."""
    with pytest.raises(error, match=message):
        dv.kl(p, np.log([0.5, 0.5]), log=True)


def test_extreme_logits():
    """Logits of ±1e308 and of single precision: no overflow, no NaN."""
    assert dv.total_variation([1e308, -1e308], [-1e308, 1e308], log=True, normalize=True) == 1
    assert dv.kl([1e308, -1e308], [1e308, -1e308], log=True, normalize=True) == 0
    assert dv.js([np.float32(3e38), 0.0], [0.0, 0.0], log=True, normalize=True) == pytest.approx(
        dv.js([1, 0], [0.5, 0.5])
    )


def test_sums_within_tolerance():
    """A log-sum-exp of 1e-9 is rescaled by rule; float32 logarithms are rounded by more and keep their dtype."""
    assert dv.kl(LP + 1e-9, LQ, log=True) == pytest.approx(dv.kl(P, Q), rel=1e-14)
    logits = torch.randn(3, 1000, generator=torch.manual_seed(0))
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        lp, lq = (torch.log_softmax(x.to(dtype), -1) for x in (logits, -logits))
        value = dv.kl(lp, lq, log=True)
        assert value.dtype == dtype
        assert torch.allclose(value.double(), dv.kl(lp.double(), lq.double(), log=True, normalize=True), rtol=2e-2)


def test_batches_and_kinds():
    """Leading axes broadcast, blocks change nothing, tensors equal arrays, integers are logits too."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 1, 1000)), rng.normal(size=(3, 1000))
    values = dv.js(x, y, log=True, normalize=True)
    assert values.shape == (40, 3)
    assert values[7, 2] == pytest.approx(dv.js(x[7, 0], y[2], log=True, normalize=True), rel=1e-13)
    tensors = dv.js(torch.tensor(x), torch.tensor(y), log=True, normalize=True)
    assert np.allclose(tensors.numpy(), values, rtol=1e-13)
    assert dv.kl([1, 2], [2, 1], log=True, normalize=True) == pytest.approx(np.tanh(0.5), rel=1e-14)


@pytest.mark.parametrize("d", dv.CATALOGUE.values(), ids=str)
def test_the_other_methods(d):
    """contributions, gradient and optimal critic agree with their forms on probabilities."""
    assert np.allclose(d.contributions(LP, LQ, log=True), d.contributions(P, Q), rtol=1e-12)
    for by_log, by_mass, mass in zip(d.gradient(LP, LQ, log=True), d.gradient(P, Q), (P, Q), strict=True):
        assert np.allclose(by_log, by_mass * mass, rtol=1e-12)
    if d.name != "hockey_stick(2)":  # p = 2 q at its kink
        assert np.allclose(d.optimal_critic(LP, LQ, log=True), d.optimal_critic(P, Q), rtol=1e-12)
    critic = d.optimal_critic([-np.inf, -2000.0, 0.0], [-np.inf, 0.0, -2000.0], log=True)
    assert critic[0] == d.slope_at_one
    assert critic[1] < critic[2]


def test_optimal_critic_far_away():
    """1 + log r for KL, -1/r for its reverse, where r leaves the floats."""
    lp, lq = [0.0, -700.0], [-3000.0, 0.0]
    assert dv.kl.optimal_critic(lp, lq, log=True) == pytest.approx([3001, -699], rel=1e-14)
    assert dv.js_distance(lp, lq, log=True) == pytest.approx(np.sqrt(np.log(2)))
    critic = dv.reverse_kl.optimal_critic([-50.0, 0.0], [0.0, -50.0], log=True)
    assert critic == pytest.approx([-np.exp(50), 0], rel=1e-14)


def test_a_generator_without_tail():
    """Where nobody can know the value, an error names the remedy; where the larger side is finite, there is a value."""
    user = replace(dv.kl, name="mine", tail=None, mirror=lambda: dv.reverse_kl)
    assert user([0.0, -600.0], [-600.0, 0.0], log=True) == pytest.approx(dv.kl([0.0, -600.0], [-600.0, 0.0], log=True))
    assert user([0.0, -9999.0], [0.0, -9999.0], log=True) == 0
    assert user([-9999.0, 0.0], [0.0, -3.0], log=True, normalize=True) < np.inf
    with pytest.raises(dv.DataError, match=r"mine has no `tail`.*within 700 .*got a difference of 1000.*clip"):
        user([0.0, -1000.0], [-1000.0, 0.0], log=True)
    assert user([0.0, -np.inf], [-np.inf, 0.0], log=True) == np.inf


def test_gradients_with_respect_to_logits():
    """p - q in the logits of q for KL: cross entropy's gradient; rows that nothing asks about stay out."""
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([1.0, -1e4, 0.0], [0.0, 3.0, -np.inf]))
    (gradient,) = torch.autograd.grad(dv.js(x, y, log=True, normalize=True), y, retain_graph=True)
    assert gradient[2] == 0
    z = torch.tensor([0.3, 0.1, 2.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(dv.kl(torch.tensor(LP), z, log=True, normalize=True), z)
    assert torch.allclose(gradient, torch.softmax(z.detach(), 0) - torch.tensor(P))
