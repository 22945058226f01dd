"""Convolutional networks against torch's modules, seed by seed, and against DCGAN's rules (lecture row D42)."""

import pytest
import torch

from divergences.errors import DataError
from gan.networks.batchwise import BatchNorm
from gan.networks.chain import Affine, Chain, Network, Pointwise
from gan.networks.convolutional import Convolution, TransposedConvolution, dcgan_critic, dcgan_generator
from gan.random import Stream, normal

SEEDS = torch.arange(2)
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 25, 25), (1, 28, 28), (3, 32, 32), (2, 9, 14)]


def drawn(*shape: int, step: int = 0) -> torch.Tensor:
    return normal(SEEDS, Stream.REAL, step, shape)


def twin(chain: Chain, parameters: torch.Tensor) -> torch.nn.Sequential:
    """The same network of torch's modules, for one seed: (size,) -> a module on (batch, c, h, w) or (batch, latent)."""
    modules = []
    for part in chain.parts:
        if isinstance(part, Affine):
            following = next((p.shape for p in chain.parts if isinstance(p, TransposedConvolution)), None)
            modules += [torch.nn.Flatten(), torch.nn.Linear(part.inputs, part.outputs, bias=part.bias)]
            modules += [torch.nn.Unflatten(1, following)] if following else []
        elif isinstance(part, Convolution):
            options = {"stride": part.stride, "padding": part.padding, "bias": part.bias}
            modules.append(torch.nn.Conv2d(part.shape[0], part.channels, part.kernel, **options))
        elif isinstance(part, TransposedConvolution):
            padding = (part.kernel - part.stride + 1) // 2
            extra = [
                out - ((n - 1) * part.stride - 2 * padding + part.kernel)
                for n, out in zip(part.shape[1:], part.output[1:], strict=True)
            ]
            options = {"stride": part.stride, "padding": padding, "output_padding": tuple(extra), "bias": part.bias}
            modules.append(torch.nn.ConvTranspose2d(part.shape[0], part.output[0], part.kernel, **options))
        elif isinstance(part, BatchNorm):
            modules.append(torch.nn.BatchNorm2d(part.channels))
        elif isinstance(part, Pointwise):
            kinds = {"relu": torch.nn.ReLU(), "leaky-relu": torch.nn.LeakyReLU(0.2), "tanh": torch.nn.Tanh()}
            modules.append(kinds[part.activation])
    net = torch.nn.Sequential(*modules).double()
    start = 0
    for module in net:
        for p in module.parameters():
            piece = parameters[start : start + p.numel()]
            linear = isinstance(module, torch.nn.Linear) and p.ndim == 2
            p.data = piece.view(p.shape[::-1]).T.contiguous() if linear else piece.view(p.shape).clone()
            start += p.numel()
    assert start == len(parameters)
    return net


def flat_gradients(net: torch.nn.Sequential, loss: torch.Tensor) -> torch.Tensor:
    grads = iter(torch.autograd.grad(loss, list(net.parameters())))
    pieces = []
    for module in net:
        for p in module.parameters():
            g = next(grads)
            pieces.append((g.T if isinstance(module, torch.nn.Linear) and p.ndim == 2 else g).reshape(-1))
    return torch.cat(pieces)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_critic_is_torchs_modules(shape, normalise):
    """Values and gradients, also the gradient of a gradient penalty, of each seed."""
    net = dcgan_critic(shape, (2, 3), 2, normalise=normalise)
    parameters = (0.3 * drawn(net.size)).requires_grad_()
    x = drawn(4, shape[0] * shape[1] * shape[2], step=1).requires_grad_()
    y = net(parameters, x)
    assert y.shape == (2, 4, 2)
    (slope,) = torch.autograd.grad(y[..., 0].sum(), x, create_graph=True)
    (gradient,) = torch.autograd.grad((slope.square().sum(-1) - 1).square().sum() + y.square().sum(), parameters)
    for s in range(2):
        other = twin(net, parameters[s].detach())
        points = x[s].detach().view(4, *shape).requires_grad_()
        out = other(points)
        assert torch.allclose(y[s], out, rtol=1e-11, atol=1e-12)
        (steep,) = torch.autograd.grad(out[:, 0].sum(), points, create_graph=True)
        assert torch.allclose(slope[s], steep.flatten(1), rtol=1e-10, atol=1e-11)
        loss = (steep.flatten(1).square().sum(-1) - 1).square().sum() + out.square().sum()
        expected = flat_gradients(other, loss)
        assert torch.allclose(gradient[s], expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_generator_is_torchs_modules(shape, normalise):
    """Images of exactly the shape asked for, values in [-1, 1], and the gradients, of each seed."""
    net = dcgan_generator(3, (2, 3), shape, normalise=normalise)
    parameters, z = (0.3 * drawn(net.size)).requires_grad_(), drawn(4, 3, step=1)
    y = net(parameters, z)
    assert y.shape == (2, 4, shape[0] * shape[1] * shape[2])
    assert float(y.detach().abs().max()) < 1
    (gradient,) = torch.autograd.grad(y.square().sum(), parameters)
    for s in range(2):
        other = twin(net, parameters[s].detach())
        out = other(z[s])
        assert out.shape == (4, *shape)
        assert torch.allclose(y[s], out.flatten(1), rtol=1e-11, atol=1e-12)
        expected = flat_gradients(other, out.square().sum())
        assert torch.allclose(gradient[s], expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("sides", [(8, 8), (9, 6), (7, 12)])
def test_up_is_the_adjoint_of_down(kernel, sides):
    """<conv x, y> = <x, transposed conv y> for the same weights."""
    down = Convolution((2, *sides), 3, kernel, bias=False)
    up = TransposedConvolution(down.output, down.shape, kernel, bias=False)
    assert down.matrices == up.matrices
    assert down.size == up.size
    weights, x = drawn(down.size), drawn(4, 2 * sides[0] * sides[1], step=1)
    once = down(weights, x)
    y = drawn(*once.shape[1:], step=2)
    assert torch.allclose((once * y).sum(-1), (x * up(weights, y)).sum(-1), rtol=1e-11, atol=1e-11)


def weights(layer: Network) -> int:
    """How many numbers of a layer are in its matrices."""
    return sum(rows * columns for _, rows, columns in layer.matrices)


@pytest.mark.parametrize(("shape", "sides"), [((1, 8, 8), (4, 2)), ((1, 25, 25), (12, 6)), ((1, 28, 28), (14, 7))])
def test_dcgans_rules(shape, sides):
    """Transposed convolutions up, strided down, ReLU and tanh in G, LeakyReLU in D, batch norm but at two places."""
    critic, generator = dcgan_critic(shape, (16, 32)), dcgan_generator(10, (16, 32), shape)
    downs = [part for part in critic.parts if isinstance(part, Convolution)]
    ups = [part for part in generator.parts if isinstance(part, TransposedConvolution)]
    assert [part.stride for part in (*downs, *ups)] == [2, 2, 2, 2]
    assert [part.output[1:] for part in downs] == [(side, side) for side in sides]
    assert [(up.shape, up.output) for up in reversed(ups)] == [(down.output, down.shape) for down in downs]
    assert {part.activation for part in critic.parts if isinstance(part, Pointwise)} == {"leaky-relu"}
    assert [p.activation for p in generator.parts if isinstance(p, Pointwise)] == ["relu", "relu", "tanh"]
    after = {id(a): b for chain in (critic, generator) for a, b in zip(chain.parts, chain.parts[1:], strict=False)}
    layers = (*downs, generator.parts[0], *ups)
    assert [isinstance(after[id(layer)], BatchNorm) for layer in layers] == [False, True, True, True, False]
    # A bias before a normalisation would be subtracted again.
    assert [layer.size > weights(layer) for layer in layers] == [True, False, False, False, True]
    bare = dcgan_generator(10, (16, 32), shape, normalise=False)
    assert all(layer.size > weights(layer) for layer in bare.parts if layer.matrices)


def test_weights_start_as_published():
    """N(0, 0.02) by default, and on request the variance that He et al. keep."""
    net = dcgan_critic((3, 32, 32), (16, 32))
    initial = net.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    for offset, rows, columns in net.matrices:
        weights = initial[:, offset : offset + rows * columns]
        assert float(weights.std()) == pytest.approx(0.02, rel=5 / (2 * weights.numel()) ** 0.5)
    for part in (Convolution((8, 16, 16), 32), TransposedConvolution((32, 8, 8), (8, 16, 16))):
        weights = part.initial(SEEDS, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
        x = drawn(50, part.shape[0] * part.shape[1] * part.shape[2])
        inside = part(weights, x).view(2, 50, *part.output)[..., 2:-2, 2:-2]  # away from the zeros of the border
        assert float(inside.square().mean()) == pytest.approx(2, rel=0.1)


def test_too_many_layers_are_refused():
    with pytest.raises(DataError, match=r"halved 3 times; got 4"):
        dcgan_critic((1, 8, 8), (2, 2, 2, 2))
    with pytest.raises(DataError, match="hidden layers"):
        dcgan_generator(3, (), (1, 8, 8))
    with pytest.raises(DataError, match="No convolution takes"):
        TransposedConvolution((2, 4, 4), (1, 11, 8))
