"""Waves before a critic and mixtures before a generator: what they compute, by hand and by NumPy."""

import math

import numpy as np
import pytest
import torch

from divergences.errors import DataError
from gan.networks.architecture import encoded, mixed
from gan.networks.encodings import Encoded, LatentMixture
from gan.networks.perceptron import Perceptron
from gan.penalties import autograd_slope
from gan.random import Stream, normal, uniform

SEEDS = torch.tensor([3, 8])


def test_waves_stand_beside_the_point():
    """An affine map inside shows what it is given: the point, then all sines, then all cosines."""
    x = normal(SEEDS, Stream.REAL, 0, (4, 2))
    net = Encoded(Perceptron((10, 1)), (0.5, 3.0))
    weights = normal(SEEDS, Stream.CRITIC_WEIGHTS, 0, (11,))
    points, w = x.numpy(), weights.numpy()
    for seed in range(2):
        a, b = points[seed, :, 0], points[seed, :, 1]
        columns = [a, b, np.sin(a / 2), np.sin(3 * a), np.sin(b / 2), np.sin(3 * b)]
        columns += [np.cos(a / 2), np.cos(3 * a), np.cos(b / 2), np.cos(3 * b)]
        expected = np.stack(columns, axis=1) @ w[seed, :10] + w[seed, 10]
        assert np.allclose(net(weights, x)[seed, :, 0].numpy(), expected, rtol=1e-13, atol=1e-13)


def test_the_written_slope_is_the_gradient():
    """For any perceptron inside; the slope of a critic without waves is another."""
    net, plain = encoded(3, (7, 5), 2), Perceptron((3, 7, 5, 2))
    x = normal(SEEDS, Stream.REAL, 0, (6, 3))
    parameters = net.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    gradient = autograd_slope(lambda y: net(parameters, y)[..., 0])(x)
    assert torch.allclose(net.slope(parameters, x), gradient, rtol=1e-11, atol=1e-12)
    assert not torch.allclose(plain.slope(plain.initial(SEEDS, Stream.REAL, dtype=torch.float64), x), gradient)


def test_components_share_the_noise_equally():
    """The first number chooses: each of K components takes 1/K of it, and the ends of the line belong to one too."""
    net = LatentMixture(2, components=5)
    means = torch.arange(5.0, dtype=torch.float64)
    parameters = torch.cat((means, torch.zeros(5)))[None]  # scales of zero: the outputs are the means
    z = normal(torch.tensor([1]), Stream.LATENT, 0, (40_000, 2))
    shares = torch.bincount(net(parameters, z).long().flatten(), minlength=5) / 40_000
    assert float((shares - 0.2).abs().max()) < 5 * math.sqrt(0.2 * 0.8 / 40_000)
    ends = torch.tensor([[[-40.0, 0.0], [40.0, 0.0], [-math.inf, 0.0], [math.inf, 0.0]]], dtype=torch.float64)
    assert net(parameters, ends).flatten().tolist() == [0, 4, 0, 4]


def test_a_component_is_normal_about_its_mean():
    """With one component the mixture is mean + width * scale * z."""
    net = LatentMixture(3, components=1, width=0.5)
    z = normal(SEEDS, Stream.LATENT, 0, (9, 3))
    parameters = uniform(SEEDS, Stream.GENERATOR_WEIGHTS, 0, (4,))
    expected = parameters[:, None, :2] + 0.5 * parameters[:, None, 2:] * z[..., 1:]
    assert torch.allclose(net(parameters, z), expected, rtol=1e-14)


def test_only_the_chosen_component_learns():
    """The gradient reaches the component that the noise chose, and no other."""
    net = LatentMixture(2, components=4)
    parameters = net.initial(SEEDS, Stream.GENERATOR_WEIGHTS, dtype=torch.float64).requires_grad_()
    z = torch.tensor([[[-3.0, 1.0]], [[3.0, 1.0]]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad(net(parameters, z).sum(), parameters)
    assert gradient.tolist() == [[1, 0, 0, 0, 0.1, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0.1]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mixed(1, (4,), 2), "latent must be at least 2"),
        (lambda: LatentMixture(3, components=0), "components must be"),
        (lambda: LatentMixture(3, width=math.nan), "width must be"),
        (lambda: encoded(2, (4,), 1, frequencies=()), "frequencies must name at least one"),
        (lambda: encoded(2, (4,), 1, frequencies=(1.0, 0.0)), "a frequency must be"),
        (lambda: encoded(2, (4,), 1, activation="maxout"), "activation of this network"),
    ],
)
def test_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()
