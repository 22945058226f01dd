"""Laws over every network: what a network must keep, whatever it computes; each law rejects a planted error."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from scipy.stats import kstest

from divergences.errors import DataError
from gan.networks.architecture import (
    autoencoder,
    discriminating,
    encoded,
    exposed,
    identity,
    maxout,
    mixed,
    normalised,
    packed,
    perceptron,
    virtually_normalised,
)
from gan.networks.batchwise import BatchNorm
from gan.networks.chain import Chain, Identity, Network
from gan.networks.convolutional import dcgan_critic, dcgan_generator
from gan.networks.perceptron import Perceptron
from gan.networks.wrappers import Both, Labelled, Swap
from gan.random import Stream, normal


def domains(kind: Any, inputs, hidden, outputs, split_at) -> Any:
    """Two networks, each for one of two domains, that share inputs and outputs."""
    reads, ends = (split_at, inputs - split_at), (split_at, outputs - split_at)
    one, other = reads[::-1] if kind is Swap else reads
    return kind(perceptron(one, hidden, ends[0]), perceptron(other, hidden, ends[1]), split_at)


VECTORS = {
    "perceptron": perceptron,
    "normalised": normalised,
    "virtually_normalised": partial(virtually_normalised, reference=5),
    "maxout": partial(maxout, pieces=2),
    "discriminating": partial(discriminating, kernels=2, width=2),
    "packed": packed,
    "autoencoder": autoencoder,
    "autoencoder-l1": partial(autoencoder, power=1),
    "exposed": exposed,
    "identity": identity,
    "encoded": partial(encoded, frequencies=(0.5, 2.0)),
    "mixed": partial(mixed, components=3),
}
NETWORKS: dict[str, tuple[Network, int]] = {name: (make(3, (4, 5), 4), 3) for name, make in VECTORS.items()} | {
    "linear": (perceptron(3, (), 2), 3),
    "labelled": (Labelled(perceptron(3, (4, 5), 3), 1), 3),
    "swap": (domains(Swap, 3, (4, 5), 4, 1), 3),
    "both": (domains(Both, 3, (4, 5), 4, 1), 3),
    "dcgan_critic": (dcgan_critic((1, 8, 8), (2, 3)), 64),
    "dcgan_critic-bare": (dcgan_critic((2, 5, 4), (2, 3), normalise=False, deviation=None), 40),
    "dcgan_generator": (dcgan_generator(3, (2, 3), (1, 5, 4)), 3),
    "dcgan_generator-bare": (dcgan_generator(3, (2, 3), (1, 8, 8), normalise=False, deviation=None), 3),
}
CASES = pytest.mark.parametrize(("network", "inputs"), NETWORKS.values(), ids=list(NETWORKS))
BATCH = 6


def points(seeds: torch.Tensor, inputs: int, step: int = 0) -> torch.Tensor:
    return normal(seeds, Stream.REAL, step, (BATCH, inputs))


def start(network: Network, seeds: torch.Tensor, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Initial parameters, moved off the zeros and ones of biases and scales."""
    parameters = network.initial(seeds, Stream.CRITIC_WEIGHTS, dtype=dtype)
    return parameters + 0.1 * normal(seeds, Stream.PENALTY, 0, (network.size,), dtype=dtype)


def seeds_do_not_mix(network: Network, inputs: int) -> bool:
    """Initial parameters, outputs and both gradients of each seed are those of the seed alone."""

    def run(seeds: torch.Tensor) -> list[torch.Tensor]:
        initial = network.initial(seeds, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
        parameters, x = start(network, seeds).requires_grad_(), points(seeds, inputs).requires_grad_()
        y = network(parameters, x)
        return [initial, y, *torch.autograd.grad(y.square().sum(), (parameters, x))]

    together = run(torch.tensor([3, 1, 7]))
    alone = [torch.cat(seeds) for seeds in zip(*(run(torch.tensor([s])) for s in (3, 1, 7)), strict=True)]
    return all(torch.allclose(a, b, rtol=1e-11, atol=1e-13) for a, b in zip(together, alone, strict=True))


def couples(network: Network, inputs: int) -> bool:
    """Whether moving the last point of a batch changes the output at the first."""
    seeds = torch.tensor([5])
    x, parameters = points(seeds, inputs), start(network, seeds)
    moved = x.clone()
    moved[:, 1:] += 0.5 * points(seeds, inputs, step=1)[:, 1:]
    return not torch.allclose(network(parameters, x)[:, 0], network(parameters, moved)[:, 0], rtol=1e-12, atol=1e-14)


def matrices_hold_the_weights(network: Network) -> bool:
    """Outside its matrices a network starts with zeros and ones; inside, all numbers differ."""
    (initial,) = network.initial(torch.tensor([2]), Stream.GENERATOR_WEIGHTS, dtype=torch.float64)
    inside = torch.zeros(network.size, dtype=torch.int64)
    for offset, rows, columns in network.matrices:
        if offset + rows * columns > network.size:
            return False
        inside[offset : offset + rows * columns] += 1
    weights, rest = initial[inside == 1], initial[inside == 0]
    constant = bool(((rest == 0) | (rest == 1)).all())
    return constant and int(inside.sum()) == int((inside > 0).sum()) and distinct(weights)


def distinct(weights: torch.Tensor) -> bool:
    return len(weights.unique()) == len(weights)


@CASES
def test_seeds_do_not_mix(network, inputs):
    assert seeds_do_not_mix(network, inputs)


@CASES
def test_couples_is_true_exactly_where_points_look_at_one_another(network, inputs):
    assert couples(network, inputs) == network.couples


@CASES
def test_matrices_hold_the_weights(network, inputs):
    assert matrices_hold_the_weights(network)


@CASES
def test_the_first_and_second_derivatives(network, inputs):
    """Against finite differences, in the parameters and in the points: penalties differentiate a gradient."""
    seeds = torch.tensor([4])
    arguments = (start(network, seeds).requires_grad_(), points(seeds, inputs).requires_grad_())
    assert torch.autograd.gradcheck(network, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(network, arguments, fast_mode=True)


@CASES
def test_float32_is_float64_rounded(network, inputs):
    seeds = torch.arange(2)
    exact, rounded = (network.initial(seeds, Stream.CRITIC_WEIGHTS, dtype=d) for d in (torch.float64, torch.float32))
    assert rounded.dtype == torch.float32
    assert torch.allclose(rounded, exact.float(), rtol=1e-6)
    x = points(seeds, inputs)
    y = network(exact, x)
    assert torch.allclose(network(rounded, x.float()), y.float(), atol=1e-4 * float(y.abs().max()))


@dataclass(frozen=True)
class Mixing(Network):
    """An error planted: every seed sees the mean over the seeds."""

    def __call__(self, parameters: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


@dataclass(frozen=True)
class Twice(Perceptron):
    """An error planted: both layers draw the same numbers."""

    def initial(self, seeds: torch.Tensor, stream: Stream, *, dtype: torch.dtype) -> torch.Tensor:
        return torch.cat([layer.initial(seeds, stream, dtype=dtype) for layer in map(Perceptron, self.layers)], dim=1)


class Silent(BatchNorm):
    """An error planted: a normalisation that denies looking at the batch."""

    blends = False


class Shifted(Perceptron):
    """An error planted: the matrices begin one number late."""

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        return tuple((start + 1, *shape) for start, *shape in super().matrices)  # pyright: ignore[reportReturnType]


def test_the_laws_reject_planted_errors():
    assert not seeds_do_not_mix(Chain((perceptron(3, (4,), 2), Mixing())), 3)
    assert couples(Silent(3), 3) != Silent(3).couples
    assert not matrices_hold_the_weights(Twice((3, 3, 3)))
    assert not matrices_hold_the_weights(Shifted((3, 4, 2)))


def test_identity_gives_the_points_and_an_empty_gradient():
    x = torch.arange(6.0).view(1, 3, 2)
    parameters = Identity().initial(torch.arange(1), Stream.CRITIC_WEIGHTS, dtype=x.dtype).requires_grad_()
    y = Identity()(parameters, x)
    assert torch.equal(y, x)
    assert torch.autograd.grad(y.sum(), parameters)[0].shape == (1, 0)


def test_packs_are_neighbours():
    """The score of a pack is the inner network's at its points, one after the other; a remainder is refused."""
    net = packed(2, (4,), 1, count=3)
    parameters, x = start(net, torch.arange(2)), normal(torch.arange(2), Stream.REAL, 0, (6, 2))
    joined = torch.stack([torch.cat([x[:, 3 * k + j] for j in range(3)], dim=-1) for k in range(2)], dim=1)
    assert torch.equal(net(parameters, x), net.inner(parameters, joined))
    with pytest.raises(DataError, match=r"multiple of 3, .* got 4"):
        net(parameters, x[:, :4])


@pytest.mark.parametrize("power", [1, 2])
def test_an_autoencoders_score_is_minus_its_error(power):
    net = autoencoder(3, (4, 2), power=power)
    assert net.inner == Perceptron((3, 4, 2, 4, 3))
    parameters, x = start(net, torch.arange(2)), normal(torch.arange(2), Stream.REAL, 0, (BATCH, 3))
    for s in range(2):
        for i in range(BATCH):
            seen = net.inner(parameters[s : s + 1], x[s : s + 1, i : i + 1])[0, 0]
            error = sum(abs(float(a - b)) ** power for a, b in zip(x[s, i], seen, strict=True)) / 3
            assert float(net(parameters, x)[s, i, 0]) == pytest.approx(-error, rel=1e-13)


def test_labels_are_passed_on():
    net = Labelled(perceptron(5, (4,), 1), 3)
    x = torch.cat((torch.randn(1, 2, 2), torch.eye(3)[None, :2]), dim=-1)
    y = net(start(net, torch.arange(1), torch.float32), x)
    assert torch.equal(y[..., 1:], x[..., 2:])
    assert not torch.equal(y[0, 0, :1], y[0, 1, :1])


def test_domains_are_swapped_and_judged_apart():
    """a is translated by the second network and judged by the first critic, b the other way round."""
    seeds, x = torch.arange(2), normal(torch.arange(2), Stream.REAL, 0, (BATCH, 5))
    translate, judge = domains(Swap, 5, (4,), 5, 2), Both(perceptron(2, (4,), 1), perceptron(3, (4,), 1), 2)
    parameters = start(translate, seeds)
    first, second = translate.split(parameters)
    expected = torch.cat((translate.first(first, x[..., 2:]), translate.second(second, x[..., :2])), dim=-1)
    assert torch.equal(translate(parameters, x), expected)
    parameters = start(judge, seeds)
    first, second = judge.split(parameters)
    expected = torch.cat((judge.first(first, x[..., :2]), judge.second(second, x[..., 2:])), dim=-1)
    assert torch.equal(judge(parameters, x), expected)


def test_numbers_of_things_are_whole_and_positive():
    """Each would otherwise divide by zero or give NaN: no points in a pack or a reference, no pieces, no domain."""
    cases = [(packed, "count"), (virtually_normalised, "reference"), (maxout, "pieces")]
    cases += [(discriminating, "kernels"), (discriminating, "width")]
    for make, name in cases:
        for value in (0, -1, 1.5):
            with pytest.raises(DataError, match=name):
                make(3, (4,), 4, **{name: value})
    for value in (0, -1, 1.5):
        with pytest.raises(DataError, match="split_at"):
            Swap(perceptron(2, (4,), 1), perceptron(1, (4,), 2), value)  # pyright: ignore[reportArgumentType]


def test_exposed_features_make_the_score():
    """Outputs are (score, features), and the score is that of the perceptron with the same numbers."""
    net, plain = exposed(3, (4, 5), 1), perceptron(3, (4, 5), 1)
    parameters, x = start(net, torch.arange(2)), normal(torch.arange(2), Stream.REAL, 0, (BATCH, 3))
    y = net(parameters, x)
    assert y.shape == (2, BATCH, 6)
    assert torch.allclose(y[..., :1], plain(parameters, x), rtol=1e-13)
    last = plain.matrices[-1][0]
    weights, bias = parameters[:, last:-1, None], parameters[:, None, -1:]
    assert torch.allclose(torch.baddbmm(bias, y[..., 1:], weights), y[..., :1], rtol=1e-13)


def test_maxout_takes_the_largest_of_neighbours():
    net = maxout(2, (3,), 1, pieces=4)
    x = normal(torch.arange(1), Stream.REAL, 0, (BATCH, 12))
    largest = torch.tensor([[max(row[4 * k : 4 * k + 4]) for k in range(3)] for row in x[0].tolist()], dtype=x.dtype)
    assert torch.equal(net.parts[1](torch.zeros(1, 0), x)[0], largest)


def test_maxout_is_an_activation_of_perceptrons_and_packs_alone():
    """As PacGAN's critic has it; other networks say that they have no such layers."""
    assert perceptron(2, (3,), 1, activation="maxout") == maxout(2, (3,), 1)
    assert packed(2, (3,), 1, activation="maxout", count=3).inner == maxout(6, (3,), 1)
    for make in (autoencoder, normalised, discriminating, exposed):
        with pytest.raises(DataError, match="activation of this network must be one of"):
            make(2, (3,), 1, activation="maxout")


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "maxout"])
def test_every_factory_takes_an_activation(name):
    """As `Architecture` passes one; those built on rectifiers or tanh then differ, of equal size."""
    make = VECTORS[name]
    smooth, sharp = (make(3, (4, 5), 4, activation=kind) for kind in ("tanh", "relu"))
    assert smooth.size == sharp.size
    parameters, x = start(sharp, torch.arange(2)), points(torch.arange(2), 3)
    assert torch.equal(smooth(parameters, x), sharp(parameters, x)) == (make is identity)


@pytest.mark.parametrize(
    ("make", "variances"),
    [
        (partial(normalised, activation="tanh"), (1 / 50, 1 / 60, 2 / 70)),
        (partial(exposed, activation="relu"), (2 / 50, 2 / 60, 2 / 70)),
        (partial(discriminating, kernels=7, width=5, activation="tanh"), (1 / 50, 1 / 60, 2 / 70, 2 / 77)),
        (partial(maxout, pieces=3), (1 / 50, 1 / 60, 2 / 70)),
    ],
)
def test_weights_start_with_the_variance_that_keeps_signals(make, variances):
    """gain^2 / inputs, the gain being the nonlinearity's: five standard errors of the variance over 40 seeds."""
    net = make(50, (60, 70), 9)
    initial = net.initial(torch.arange(40), Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    for (offset, rows, columns), variance in zip(net.matrices, variances, strict=True):
        weights = initial[:, offset : offset + rows * columns]
        assert float(weights.square().mean()) == pytest.approx(variance, rel=5 * (2 / weights.numel()) ** 0.5)


@CASES
def test_nothing_depends_on_data_or_on_the_cpu(network, inputs):
    """Tensors without contents pass through: no control flow by values, and every tensor made is on the device of x."""
    seeds = torch.arange(2, device="meta")
    parameters = network.initial(seeds, Stream.CRITIC_WEIGHTS, dtype=torch.float32).requires_grad_()
    y = network(parameters, torch.zeros(2, BATCH, inputs, device="meta"))
    (gradient,) = torch.autograd.grad(y.sum(), parameters)
    assert gradient.shape == (2, network.size)
    assert y.device.type == gradient.device.type == "meta"


def test_torchs_start_is_torchs():
    """Weights and biases of each layer are as large, and as flat, as those of `torch.nn.Linear`."""
    torch.manual_seed(0)
    layers = (torch.nn.Linear(2, 500), torch.nn.Linear(500, 50))
    theirs = torch.cat([part.detach().flatten() for layer in layers for part in (layer.weight, layer.bias)])
    kinds = {start: perceptron(2, (500,), 50, start=start) for start in ("torch", "he")}
    begin = lambda start, dtype: kinds[start].initial(torch.arange(2), Stream.CRITIC_WEIGHTS, dtype=dtype)
    ours = begin("torch", torch.float64)
    for part in (slice(0, 1500), slice(1000, 1500), slice(1500, None)):
        assert kstest(ours[0, part], theirs[part]).pvalue > 1e-3
    assert kstest(begin("he", torch.float64)[0, :1500], theirs[:1500]).pvalue < 1e-6
    assert torch.equal(begin("torch", torch.float32), ours.float())
    assert (ours[0] != ours[1]).all()
