"""Chains: networks made of parts, each part a network, their parameters one after the other in one vector."""

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, cast

import torch
from torch import Tensor

from divergences._checks import count
from gan.networks.perceptron import ACTIVATIONS
from gan.random import Stream, normal

Matrices = tuple[tuple[int, int, int], ...]


class Network(Protocol):
    """What every network is: a function of one flat vector of parameters per seed, and of points.

    Attributes:
        size: the number of parameters of one seed.
        matrices: where its weight matrices lie in them: (offset, rows, columns), row after row.
        couples: True if the output at one point depends on the others of its batch: real and fake points are then
            passed separately.

    """

    @property
    def size(self) -> int: ...
    @property
    def matrices(self) -> Matrices: ...
    @property
    def couples(self) -> bool: ...
    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """The parameters before the first step: (S,) -> (S, size)."""
        ...

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """The outputs at `x`: (S, size), (S, batch, inputs) -> (S, batch, outputs)."""
        ...


def part_stream(stream: Stream, part: int) -> Stream:
    """The stream of the k-th part of a network whose stream is given: two parts never draw the same numbers.

    The numbers 256 (stream + 1) + k, k < 256, are distinct for distinct (stream, k), and lie above every member of
    `Stream`, so that parts of parts have streams of their own too.
    """
    return cast("Stream", 256 * (stream + 1) + part)


def joined(networks: tuple[Network, ...], seeds: Tensor, stream: Stream, dtype: torch.dtype) -> Tensor:
    """The initial parameters of several networks, one after the other: (S,) -> (S, sum of sizes)."""
    pieces = [net.initial(seeds, part_stream(stream, k), dtype=dtype) for k, net in enumerate(networks)]
    return torch.cat([torch.zeros(len(seeds), 0, dtype=dtype, device=seeds.device), *pieces], dim=1)


def shifted(networks: tuple[Network, ...]) -> Matrices:
    """The matrices of several networks whose parameters stand one after the other."""
    starts = accumulate((net.size for net in networks), initial=0)
    each = zip(starts, networks, strict=False)
    return tuple((start + offset, rows, columns) for start, net in each for offset, rows, columns in net.matrices)


@dataclass(frozen=True)
class Wrapped:
    """A network with the parameters of the one inside; subclasses say how it is called."""

    inner: Network

    @property
    def size(self) -> int:
        """That of the network inside."""
        return self.inner.size

    @property
    def matrices(self) -> Matrices:
        """Those of the network inside."""
        return self.inner.matrices

    @property
    def couples(self) -> bool:
        """Whether the network inside couples the points of a batch."""
        return self.inner.couples

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Those of the network inside: (S,) -> (S, size)."""
        return self.inner.initial(seeds, stream, dtype=dtype)


@dataclass(frozen=True)
class Chain:
    """One network after the other.

    >>> net = Chain((Affine(2, 8), Pointwise("relu"), Affine(8, 1)))
    >>> parameters = net.initial(torch.arange(3), Stream.CRITIC_WEIGHTS, dtype=torch.float32)
    >>> net.size, net.matrices, tuple(net(parameters, torch.zeros(3, 5, 2)).shape)
    (33, ((0, 2, 8), (24, 8, 1)), (3, 5, 1))
    """

    parts: tuple[Network, ...]

    @property
    def size(self) -> int:
        """The number of parameters of one seed."""
        return sum(part.size for part in self.parts)

    @property
    def matrices(self) -> Matrices:
        """The matrices of all parts."""
        return shifted(self.parts)

    @property
    def couples(self) -> bool:
        """Whether any part couples the points of a batch."""
        return any(part.couples for part in self.parts)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Each part's own, from streams of their own: (S,) -> (S, size)."""
        return joined(self.parts, seeds, stream, dtype)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """The outputs of the last part: (S, size), (S, batch, inputs) -> (S, batch, outputs)."""
        for part, own in zip(self.parts, parameters.split([part.size for part in self.parts], dim=1), strict=True):
            x = part(own, x)
        return x


@dataclass(frozen=True)
class Affine:
    """x W + b. Initial weights N(0, deviation^2), where None is the variance 2 / inputs of He et al. (2015); b is 0.

    Without bias where a normalisation follows, which would subtract it again.
    """

    inputs: int
    outputs: int
    bias: bool = True
    deviation: float | None = None
    couples = False

    @property
    def size(self) -> int:
        """Weights (inputs, outputs), then the bias."""
        return (self.inputs + self.bias) * self.outputs

    @property
    def matrices(self) -> Matrices:
        """The weights."""
        return ((0, self.inputs, self.outputs),)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Normal weights and a zero bias: (S,) -> (S, size)."""
        weights, biases = self.inputs * self.outputs, self.bias * self.outputs
        deviation = he(self.inputs, self.deviation)
        return gaussian(seeds, stream, weights=weights, biases=biases, deviation=deviation, dtype=dtype)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, inputs) -> (S, batch, outputs)."""
        weights, bias = parameters.split((self.inputs * self.outputs, self.bias * self.outputs), dim=1)
        weights = weights.view(-1, self.inputs, self.outputs)
        return torch.baddbmm(bias[:, None], x, weights) if self.bias else torch.bmm(x, weights)


def gaussian(
    seeds: Tensor, stream: Stream, *, weights: int, biases: int, deviation: float, dtype: torch.dtype
) -> Tensor:
    """N(0, deviation^2) weights, then zero biases: (S,) -> (S, weights + biases)."""
    drawn = normal(seeds, stream, 0, (weights,), dtype=dtype) * deviation
    return torch.cat((drawn, drawn.new_zeros(len(seeds), biases)), dim=1)


def he(fan_in: int, deviation: float | None) -> float:
    """`deviation`, or for None the one of He et al. (2015), which keeps the variance through rectifiers."""
    return math.sqrt(2 / fan_in) if deviation is None else deviation


class Parameterless:
    """The half of `Network` that a part without parameters needs."""

    size = 0
    matrices = ()
    couples = False

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Nothing: (S,) -> (S, 0)."""
        return torch.zeros(len(seeds), 0, dtype=dtype, device=seeds.device)


@dataclass(frozen=True)
class Pointwise(Parameterless):
    """A nonlinearity of `ACTIVATIONS`, on every coordinate."""

    activation: str

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Of the shape of `x`."""
        return ACTIVATIONS[self.activation].function(x)


@dataclass(frozen=True)
class Maxout(Parameterless):
    """The largest of each `pieces` neighbouring coordinates: (S, b, pieces n) -> (S, b, n). Goodfellow et al. 2013."""

    pieces: int

    def __post_init__(self) -> None:
        count(self.pieces, "pieces")

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, batch, pieces * n) -> (S, batch, n)."""
        return x.unflatten(-1, (-1, self.pieces)).max(-1).values


@dataclass(frozen=True)
class Identity(Parameterless):
    """The points themselves, the critic of losses that compare points directly."""

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """`x`."""
        # A sum of no numbers is zero. It ties the output to the parameters, whose (empty) gradient then exists.
        return x + parameters.sum(1)[:, None, None]
