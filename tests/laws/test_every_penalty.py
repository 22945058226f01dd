"""Laws over every penalty; each law is also shown to reject a planted error, of every penalty."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from divergences.errors import DataError
from gan.networks import Perceptron
from gan.penalties import PENALTIES, GradientPenalty, autograd_slope, between, excess, one_sided
from gan.random import Stream, normal, uniform

EVERY = pytest.mark.parametrize("name", PENALTIES)
SEEDS = torch.tensor([3, 1, 2])


def draws(penalty, batch=6, d=2, dtype=torch.float64):
    """Real and fake points (S, batch, d), and what the penalty draws for them."""
    real = normal(SEEDS, Stream.REAL, 0, (batch, d), dtype=dtype)
    fake = 2 + 0.5 * normal(SEEDS, Stream.LATENT, 0, (batch, d), dtype=dtype)
    return real, fake, uniform(SEEDS, Stream.PENALTY, 0, (batch, penalty.draws(d)), dtype=dtype)


def bowl(x):
    """T(x) = |x|^2 / 3, whose slope 2x/3 has norms on both sides of one."""
    return x.square().sum(-1) / 3


# Name -> where one real x and fake y are looked at, u being what is drawn and s the batch's deviation; what is charged
LOOKS = {
    "gradient-penalty": (lambda x, y, u, s: u * x + (1 - u) * y, lambda n: (n - 1) ** 2),
    "one-sided": (lambda x, y, u, s: u * x + (1 - u) * y, lambda n: max(0.0, n - 1) ** 2),
    "one-sided-linear": (lambda x, y, u, s: u * x + (1 - u) * y, lambda n: max(0.0, n - 1)),
    "r1": (lambda x, y, u, s: x, lambda n: n**2 / 2),
    "r2": (lambda x, y, u, s: y, lambda n: n**2 / 2),
    "dragan": (lambda x, y, u, s: x + 0.5 * s * u, lambda n: (n - 1) ** 2),
    "zero-centred": (lambda x, y, u, s: u * x + (1 - u) * y, lambda n: n**2),
}


def by_hand(name, real, fake, u):
    """10 E charge of the bowl's slope, point by point in NumPy."""
    where, charge = LOOKS[name]
    points = lambda x, y, u: [where(*one, np.std(x)) for one in zip(x, y, u, strict=True)]
    return [
        10 * np.mean([charge(2 / 3 * np.sqrt(np.sum(z**2))) for z in points(*seed)])
        for seed in zip(real.numpy(), fake.numpy(), u.numpy(), strict=True)
    ]


def penalty_error(name, penalty):
    """The largest error of a penalty, per seed, for a critic of known slope."""
    real, fake, u = draws(PENALTIES[name])
    found = penalty(autograd_slope(bowl), real, fake, u)
    return float((found.detach() - torch.tensor(by_hand(name, real, fake, u))).abs().max())


def pooled_norm(slope):
    """Slopes as unit vectors times the norm over batch and coordinates."""
    return slope / slope.norm(dim=-1, keepdim=True) * slope.norm(dim=(-2, -1), keepdim=True)


@EVERY
def test_penalty_of_a_known_slope(name):
    """A bowl's slope at the points where the penalty is to look, charged as its name says."""
    assert penalty_error(name, PENALTIES[name]) < 1e-13


@EVERY
def test_penalty_of_a_known_slope_bites(name):
    """Real and fake exchanged, a norm over the batch, a factor, a sign and another place are each rejected."""
    right = PENALTIES[name]
    wrongs = (
        lambda slope, real, fake, u: right(slope, fake, real, u),
        lambda slope, real, fake, u: right(lambda x: pooled_norm(slope(x)), real, fake, u),
        lambda slope, real, fake, u: right(slope, real, fake, u) / 2,
        lambda slope, real, fake, u: -right(slope, real, fake, u),
        lambda slope, real, fake, u: right(slope, real + 0.1, fake + 0.1, u),
    )
    for wrong in wrongs:
        assert penalty_error(name, wrong) > 0.01


def test_dragan_is_spread_by_each_seeds_own_batch():
    """The deviation is one number per seed over points and coordinates; a batch of one point in 1-D has none."""
    real = torch.tensor([[[0.0], [4.0]], [[1.0], [1.0]]])
    seen = []
    PENALTIES["dragan"](lambda x: seen.append(x) or torch.ones_like(x), real, real, torch.ones_like(real))
    assert seen[0].tolist() == [[[1.0], [5.0]], [[1.0], [1.0]]]  # deviation 2, times 1/2


def test_the_two_one_sided_penalties():
    """D23: slopes 1/2, 1, 3 pay 0, 0, 2 as the lecture prints it and 0, 0, 4 squared, as published."""
    real, fake, u = draws(PENALTIES["one-sided"])
    for charge, expected in ((excess, [0, 0, 2]), (one_sided, [0, 0, 4])):
        penalty = GradientPenalty(1.0, between, charge)
        critics = [autograd_slope(lambda x, s=s: s * (0.6 * x[..., 0] - 0.8 * x[..., 1])) for s in (0.5, 1.0, 3.0)]
        paid = [float(penalty(critic, real, fake, u)[0].detach()) for critic in critics]
        assert paid == pytest.approx(expected, abs=1e-12)


@EVERY
def test_seeds_do_not_mix(name):
    """Stacked seeds get the penalties that each gets by itself, NaN included; a weight may differ between seeds."""
    weights = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    penalty = replace(PENALTIES[name], weight=weights)
    real, fake, u = draws(penalty)
    together = penalty(autograd_slope(bowl), real, fake, u)
    parts = zip(weights, real, fake, u, strict=True)
    alone = [replace(penalty, weight=w)(autograd_slope(bowl), *own) for w, *own in parts]
    assert torch.allclose(together, torch.stack(alone), rtol=1e-14, atol=0)
    real, fake = real.clone(), fake.clone()
    real[1], fake[1] = torch.nan, torch.nan
    assert penalty(autograd_slope(bowl), real, fake, u).isnan().tolist() == [False, True, False]


@EVERY
def test_single_precision_agrees(name):
    """float32 and float64 agree to float32's precision, in float32."""
    exact = PENALTIES[name](autograd_slope(bowl), *draws(PENALTIES[name]))
    single = PENALTIES[name](autograd_slope(bowl), *draws(PENALTIES[name], dtype=torch.float32))
    assert single.dtype == torch.float32
    assert float((exact - single).detach().abs().max()) < 3e-6 * float(exact.detach().max())


def gradient_error(name, slope_of):
    """How far the penalty's gradient in a critic's parameters is from finite differences."""
    penalty, net = PENALTIES[name], Perceptron((2, 5, 1), "tanh")
    real, fake, u = draws(penalty)
    parameters = 1.5 * net.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=torch.float64)  # slopes about one
    value = lambda p: penalty(slope_of(lambda x: net(p, x)[..., 0]), real, fake, u).sum()
    x = parameters.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(x), x, allow_unused=True)
    if gradient is None:
        return np.inf
    h, finite = 1e-5, torch.empty_like(parameters)
    for i in np.ndindex(*parameters.shape):
        step = torch.zeros_like(parameters)
        step[i] = h
        finite[i] = float((value(parameters + step) - value(parameters - step)).detach()) / (2 * h)
    return float((gradient - finite).abs().max() / finite.abs().max())


@EVERY
def test_gradient_in_the_parameters(name):
    """The gradient with respect to the critic's parameters is right, per seed; a slope without a graph is rejected."""
    assert gradient_error(name, autograd_slope) < 1e-6
    bare = lambda critic: lambda x: autograd_slope(critic)(x).detach() + 0 * critic(x)[..., None]
    assert gradient_error(name, bare) > 0.1


def test_a_slope_of_ones_own():
    """A network that knows its slope gives the penalty that autograd gives."""
    net = Perceptron((2, 8, 8, 1))
    parameters = net.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    for penalty in PENALTIES.values():
        real, fake, u = draws(penalty)
        own = penalty(lambda x: net.slope(parameters, x), real, fake, u)
        assert torch.allclose(own, penalty(autograd_slope(lambda x: net(parameters, x)[..., 0]), real, fake, u))


def test_a_slope_can_be_measured_without_a_graph():
    """Where gradients are switched off, as for a measure, the slope is still found."""
    with torch.no_grad():
        assert autograd_slope(bowl)(torch.tensor([[3.0, 6.0]])).tolist() == [[2.0, 4.0]]


@EVERY
def test_penalty_has_gradients_at_slope_zero(name):
    """A critic that is flat has a finite penalty and a finite gradient."""
    w = torch.zeros(2, requires_grad=True, dtype=torch.float64)
    penalty = PENALTIES[name](autograd_slope(lambda x: x @ w), *draws(PENALTIES[name]))
    (gradient,) = torch.autograd.grad(penalty.sum(), w)
    assert penalty.tolist() == [10.0 if name in {"gradient-penalty", "dragan"} else 0.0] * 3
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("weight", [0, -1.0, float("nan"), float("inf"), "10", True, torch.tensor([1.0, -2.0])])
def test_bad_weights(weight):
    """A weight is a finite number above 0, or a tensor of such."""
    with pytest.raises(DataError, match="weight must"):
        GradientPenalty(weight)
