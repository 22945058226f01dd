"""Multilayer perceptrons for many seeds at once.

The parameters of one network for all its seeds are a single tensor (S, size): an optimiser step, a clip, a copy
or a checkpoint is then one operation, whatever the number of layers and seeds.
"""

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from gan.networks.chain import ACTIVATIONS, Matrices, Network
from gan.random import Stream, normal, uniform

STARTS = ("he", "torch")  # how weights and biases begin; see `Perceptron.initial`


@dataclass(frozen=True)
class Perceptron(Network):
    """A chain of affine maps with a nonlinearity between them; `widths` runs from input to output.

    >>> net = Perceptron((2, 8, 1))
    >>> parameters = net.initial(torch.arange(3), Stream.CRITIC_WEIGHTS, dtype=torch.float32)
    >>> net.size, tuple(parameters.shape), tuple(net(parameters, torch.zeros(3, 5, 2)).shape)
    (33, (3, 33), (3, 5, 1))
    """

    widths: tuple[int, ...]
    activation: str = "leaky-relu"
    start: str = "he"

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """The (inputs, outputs) of each affine map."""
        return tuple(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def size(self) -> int:
        return sum((inputs + 1) * outputs for inputs, outputs in self.layers)

    @property
    def matrices(self) -> Matrices:
        starts = accumulate(((inputs + 1) * outputs for inputs, outputs in self.layers), initial=0)
        return tuple((start, *layer) for start, layer in zip(starts, self.layers, strict=False))

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Weights N(0, gain^2 / inputs) and zero biases; or, as torch begins, all uniform in +-1 / sqrt(inputs).

        With zero biases every unit of a rectifier's first layer bends at the origin, and it takes thousands of steps
        to move the bends to where the detail is; see docs/paired.md. (S,) -> (S, size).
        """
        gain = ACTIVATIONS[self.activation].gain
        pieces = []
        for layer, (inputs, outputs) in enumerate(self.layers):
            if self.start == "torch":
                u = uniform(seeds, stream, layer, ((inputs + 1) * outputs,))
                pieces.append(((2 * u - 1) / math.sqrt(inputs)).to(dtype))
                continue
            weights = normal(seeds, stream, layer, (inputs * outputs,), dtype=dtype) * (gain / math.sqrt(inputs))
            pieces += [weights, weights.new_zeros(len(seeds), outputs)]
        return torch.cat(pieces, dim=1)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        function = ACTIVATIONS[self.activation].function
        for layer, (weights, bias) in enumerate(self._pieces(parameters)):
            x = torch.baddbmm(bias, function(x) if layer else x, weights)
        return x

    def slope(self, parameters: Tensor, x: Tensor) -> Tensor:
        """The gradient of the first output at `x`: (S, size), (S, batch, inputs) -> (S, batch, inputs).

        Written out as the product of the layers' derivatives, so that a penalty on it needs first derivatives only.

        >>> net = Perceptron((2, 1))
        >>> net.slope(torch.tensor([[3.0, 4.0, 0.0]]), torch.zeros(1, 1, 2))
        tensor([[[3., 4.]]])
        """
        activation, pieces = ACTIVATIONS[self.activation], self._pieces(parameters)
        derivatives = []
        for weights, bias in pieces[:-1]:
            x = torch.baddbmm(bias, x, weights)
            derivatives.append(activation.derivative(x))
            x = activation.function(x)
        slope = pieces[-1][0][..., :1].transpose(1, 2).expand(-1, x.shape[1], -1)
        for (weights, _), derivative in zip(reversed(pieces[:-1]), reversed(derivatives), strict=True):
            slope = torch.bmm(slope * derivative, weights.transpose(1, 2))
        return slope

    def _pieces(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Weights (S, inputs, outputs) and bias (S, 1, outputs) of each layer, as views."""
        sizes = [length for i, o in self.layers for length in (i * o, o)]
        flat = parameters.split(sizes, dim=1)
        return [
            (flat[2 * k].view(-1, inputs, outputs), flat[2 * k + 1][:, None, :])
            for k, (inputs, outputs) in enumerate(self.layers)
        ]
