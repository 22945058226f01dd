"""Networks made of networks, their parameters one after the other in one vector per seed, and the plainest parts."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, cast

import torch
from torch import Tensor

from divergences._checks import count
from gan.random import Stream, normal

SLOPE = 0.2  # of the leaky rectifier, as in DCGAN (Radford et al. 2016)


@dataclass(frozen=True)
class Activation:
    """A nonlinearity, its derivative, and the gain that keeps variances (He et al. 2015, Glorot & Bengio 2010)."""

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    gain: float


ACTIVATIONS: Mapping[str, Activation] = {
    "leaky-relu": Activation(
        lambda x: torch.nn.functional.leaky_relu(x, SLOPE),
        # A step function: its own derivative is zero, which is what differentiating a penalty needs.
        lambda x: (x > 0).to(x.dtype) * (1 - SLOPE) + SLOPE,
        math.sqrt(2 / (1 + SLOPE**2)),
    ),
    "relu": Activation(torch.relu, lambda x: (x > 0).to(x.dtype), math.sqrt(2)),
    "softplus": Activation(
        lambda x: torch.nn.functional.softplus(2 * x + 2) / 2 - 1, lambda x: torch.sigmoid(2 * x + 2), math.sqrt(2)
    ),
    "tanh": Activation(torch.tanh, lambda x: 1 - torch.tanh(x).square(), 1.0),
}
"""Every nonlinearity by name; the softplus is that of Gulrajani et al. (2017), softplus(2x + 2)/2 - 1."""


Matrices = tuple[tuple[int, int, int], ...]


class Network(ABC):
    """A function of one flat vector of parameters per seed, and of points.

    It consists of the networks `inside`, whose parameters stand one after the other; a part with parameters of its own
    overrides `size`, `matrices` and `initial`.
    """

    blends: ClassVar[bool] = False
    """Whether the output at one point depends on the others of its batch, by what is done here."""

    @property
    def inside(self) -> tuple["Network", ...]:
        """The networks that this one is made of."""
        return ()

    @property
    def size(self) -> int:
        """The number of parameters of one seed."""
        return sum(net.size for net in self.inside)

    @property
    def matrices(self) -> Matrices:
        """Where the weight matrices lie in the parameters: (offset, rows, columns), row after row."""
        starts = accumulate((net.size for net in self.inside), initial=0)
        each = zip(starts, self.inside, strict=False)
        return tuple((start + offset, rows, columns) for start, net in each for offset, rows, columns in net.matrices)

    @property
    def couples(self) -> bool:
        """Whether points of a batch see each other, here or inside: real and fake ones then pass separately."""
        return self.blends or any(net.couples for net in self.inside)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """The parameters before the first step, from a stream for each network inside: (S,) -> (S, size)."""
        pieces = [net.initial(seeds, part_stream(stream, k), dtype=dtype) for k, net in enumerate(self.inside)]
        return torch.cat([torch.zeros(len(seeds), 0, dtype=dtype, device=seeds.device), *pieces], dim=1)

    def split(self, parameters: Tensor) -> tuple[Tensor, ...]:
        """The parameters of each network inside: (S, size) -> (S, its size) each."""
        return parameters.split([net.size for net in self.inside], dim=1)

    @abstractmethod
    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """The outputs at `x`: (S, size), (S, batch, inputs) -> (S, batch, outputs)."""


def part_stream(stream: Stream, part: int) -> Stream:
    """The stream of the k-th part of a network whose stream is given: two parts never draw the same numbers.

    The numbers 256 (stream + 1) + k, k < 256, are distinct for distinct (stream, k), and lie above every member of
    `Stream`, so that parts of parts have streams of their own too.
    """
    return cast("Stream", 256 * (stream + 1) + part)


@dataclass(frozen=True)
class Wrapped(Network):
    """A network with the parameters of the one inside, drawn from the same stream; subclasses say how it is called."""

    inner: Network

    @property
    def inside(self) -> tuple[Network, ...]:
        return (self.inner,)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        return self.inner.initial(seeds, stream, dtype=dtype)


@dataclass(frozen=True)
class Chain(Network):
    """One network after the other.

    >>> net = Chain((Affine(2, 8), Pointwise("relu"), Affine(8, 1)))
    >>> parameters = net.initial(torch.arange(3), Stream.CRITIC_WEIGHTS, dtype=torch.float32)
    >>> net.size, net.matrices, tuple(net(parameters, torch.zeros(3, 5, 2)).shape)
    (33, ((0, 2, 8), (24, 8, 1)), (3, 5, 1))
    """

    parts: tuple[Network, ...]

    @property
    def inside(self) -> tuple[Network, ...]:
        return self.parts

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        for part, own in zip(self.parts, self.split(parameters), strict=True):
            x = part(own, x)
        return x


class Layer(Network):
    """A network with one weight matrix, normal at first, and biases behind it, zero at first."""

    @property
    @abstractmethod
    def form(self) -> tuple[int, int, int]:
        """Rows and columns of the matrix, and how many biases."""

    @property
    @abstractmethod
    def spread(self) -> float:
        """The standard deviation of the initial weights."""

    @property
    def size(self) -> int:
        rows, columns, biases = self.form
        return rows * columns + biases

    @property
    def matrices(self) -> Matrices:
        return ((0, *self.form[:2]),)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        rows, columns, biases = self.form
        drawn = normal(seeds, stream, 0, (rows * columns,), dtype=dtype) * self.spread
        return torch.cat((drawn, drawn.new_zeros(len(seeds), biases)), dim=1)

    def split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (S, rows * columns) and biases (S, biases)."""
        biases = self.form[2]
        return parameters[:, : self.size - biases], parameters[:, self.size - biases :]


def he(fan_in: int, deviation: float | None) -> float:
    """`deviation`, or for None the one of He et al. (2015), which keeps the variance through rectifiers."""
    return math.sqrt(2 / fan_in) if deviation is None else deviation


@dataclass(frozen=True)
class Affine(Layer):
    """x W + b. Initial weights N(0, deviation^2), where None is the variance 2 / inputs of He et al. (2015); b is 0.

    Without bias where a normalisation follows, which would subtract it again.
    """

    inputs: int
    outputs: int
    bias: bool = True
    deviation: float | None = None

    @property
    def form(self) -> tuple[int, int, int]:
        return self.inputs, self.outputs, self.bias * self.outputs

    @property
    def spread(self) -> float:
        return he(self.inputs, self.deviation)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        weights, bias = self.split(parameters)
        weights = weights.view(-1, self.inputs, self.outputs)
        return torch.baddbmm(bias[:, None], x, weights) if self.bias else torch.bmm(x, weights)


@dataclass(frozen=True)
class Pointwise(Network):
    """A nonlinearity of `ACTIVATIONS`, on every coordinate."""

    activation: str

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation].function(x)


@dataclass(frozen=True)
class Maxout(Network):
    """The largest of each `pieces` neighbouring coordinates: (S, b, pieces n) -> (S, b, n). Goodfellow et al. 2013."""

    pieces: int

    def __post_init__(self) -> None:
        count(self.pieces, "pieces")

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.pieces)).max(-1).values


@dataclass(frozen=True)
class Identity(Network):
    """The points themselves, the critic of losses that compare points directly."""

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        # A sum of no numbers is zero. It ties the output to the parameters, whose (empty) gradient then exists.
        return x + parameters.sum(1)[:, None, None]
