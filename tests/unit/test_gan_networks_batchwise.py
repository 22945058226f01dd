"""Parts that look at the batch, against torch's modules and against loops over points."""

import math

import pytest
import torch

from divergences.errors import DataError
from gan.networks.architecture import discriminating, normalised, virtually_normalised
from gan.networks.batchwise import BatchNorm, MinibatchDiscrimination, ReferenceNorm
from gan.random import Stream, normal

SEEDS = torch.arange(2)


def drawn(*shape: int, step: int = 0) -> torch.Tensor:
    return normal(SEEDS, Stream.REAL, step, shape)


def test_batch_normalisation_is_torchs_per_seed():
    """A whole perceptron with BatchNorm1d in training mode, its values and its gradients."""
    net = normalised(3, (4, 5), 2)
    parameters, x = drawn(net.size).requires_grad_(), 3 + drawn(7, 3, step=1)
    y = net(parameters, x)
    (gradient,) = torch.autograd.grad(y.square().sum(), parameters)
    for s in range(2):
        layers = [torch.nn.Linear(3, 4, bias=False), torch.nn.BatchNorm1d(4), torch.nn.ReLU()]
        layers += [torch.nn.Linear(4, 5, bias=False), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Linear(5, 2)]
        twin = torch.nn.Sequential(*layers).double()
        pieces = iter(parameters[s].detach().split([12, 4, 4, 20, 5, 5, 10, 2]))
        for p in twin.parameters():
            p.data = next(pieces).view(p.shape[::-1]).permute(*range(p.ndim)[::-1]).contiguous()
        out = twin(x[s])
        assert torch.allclose(y[s], out, rtol=1e-12, atol=1e-13)
        grads = torch.autograd.grad(out.square().sum(), list(twin.parameters()))
        flat = torch.cat([g.permute(*range(g.ndim)[::-1]).reshape(-1) for g in grads])
        assert torch.allclose(gradient[s], flat, rtol=1e-10, atol=1e-11)


def test_an_images_channel_is_normalised_over_its_pixels():
    net, twin = BatchNorm(3, sites=4), torch.nn.BatchNorm2d(3).double()
    x = drawn(5, 12) * 2 + 1
    y = net(net.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=x.dtype), x)
    for s in range(2):
        assert torch.allclose(y[s].view(5, 3, 2, 2), twin(x[s].view(5, 3, 2, 2)), rtol=1e-12, atol=1e-14)


def test_one_point_has_no_variance():
    net = normalised(3, (4,), 1)
    with pytest.raises(DataError, match="at least two points"):
        net(drawn(net.size), drawn(1, 3))
    image = BatchNorm(1, sites=2)
    assert torch.isfinite(image(drawn(2), drawn(1, 2))).all()


@pytest.mark.parametrize("sites", [1, 4])
def test_a_reference_norm_takes_the_statistics_of_the_reference_and_the_point(sites):
    """Salimans et al. (2016), 3.5: each point is normalised with the reference batch and itself, in a loop."""
    net = ReferenceNorm(3, sites, reference=5)
    parameters, x = drawn(6), drawn(9, 3 * sites, step=1) * 2 + 4
    y = net(parameters, x).view(2, 9, 3, sites)
    for s in range(2):
        scale, shift = parameters[s, :3], parameters[s, 3:]
        for i in range(9):
            union = x[s, :5].view(5, 3, sites)
            if i >= 5:
                union = torch.cat((union, x[s, i].view(1, 3, sites)))
            for c in range(3):
                mean, variance = union[:, c].mean(), union[:, c].var(correction=0)
                expected = scale[c] * (x[s, i].view(3, sites)[c] - mean) / (variance + 1e-5).sqrt() + shift[c]
                assert torch.allclose(y[s, i, c], expected, rtol=1e-11, atol=1e-12)


def test_a_reference_norm_is_exact_far_from_zero():
    """At an offset of 1e8 the statistics are those of the centred numbers, to the rounding of the inputs."""
    net = ReferenceNorm(3, reference=5)
    parameters = net.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    x = (drawn(9, 3) * 2**20).round() / 2**20
    assert torch.allclose(net(parameters, x + 2**27), net(parameters, x), atol=1e-6)


def test_a_virtually_normalised_point_is_the_same_in_any_batch():
    net = virtually_normalised(3, (4, 5), 2, reference=6)
    parameters, x = drawn(net.size), drawn(7, 3, step=1)
    assert not net.couples
    assert torch.allclose(net(parameters, x)[:, 2:3], net(parameters, x[:, 2:3]), rtol=1e-12)
    # The reference is the same for every seed: equal parameters and points give equal outputs.
    same = net(parameters[:1].expand(2, -1), x[:1].expand(2, -1, -1))
    assert torch.equal(same[0], same[1])


def test_minibatch_discrimination_is_the_papers_sum():
    net = MinibatchDiscrimination(3, kernels=2, width=4)
    parameters, x = 0.3 * drawn(net.size), drawn(5, 3, step=1)
    y = net(parameters, x)
    assert torch.equal(y[..., :3], x)
    for s in range(2):
        t = parameters[s].view(3, 2, 4)
        m = [
            [[sum(float(x[s, i, a] * t[a, k, w]) for a in range(3)) for w in range(4)] for k in range(2)]
            for i in range(5)
        ]
        for i in range(5):
            for k in range(2):
                o = sum(math.exp(-sum(abs(p - q) for p, q in zip(m[i][k], m[j][k], strict=True))) for j in range(5))
                assert float(y[s, i, 3 + k]) == pytest.approx(o, rel=1e-12)


def test_minibatch_discrimination_sees_collapse():
    """A collapsed batch gives o = batch, far points o = 1, and a critic can be moved by it alone."""
    net = MinibatchDiscrimination(3, kernels=2, width=4)
    parameters = drawn(net.size)
    assert torch.equal(net(parameters, torch.ones(2, 5, 3).double())[..., 3:], torch.full((2, 5, 2), 5.0).double())
    far = 1e3 * torch.arange(5.0).double()[None, :, None] * drawn(1, 3)
    assert torch.allclose(net(parameters, far)[..., 3:], torch.ones(2, 5, 2).double())
    assert discriminating(3, (4,), 1).couples
