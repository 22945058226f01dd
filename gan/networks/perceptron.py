"""Multilayer perceptrons for many seeds at once.

The parameters of one network for all its seeds are a single tensor (S, size): an optimiser step, a clip, a copy
or a checkpoint is then one operation, whatever the number of layers and seeds.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan.random import Stream, normal

SLOPE = 0.2  # of the leaky rectifier, as in DCGAN (Radford et al. 2016)


@dataclass(frozen=True)
class Perceptron:
    """A chain of affine maps with leaky rectifiers between them; `widths` runs from input to output.

    >>> net = Perceptron((2, 8, 1))
    >>> parameters = net.initial(torch.arange(3), Stream.CRITIC_WEIGHTS, dtype=torch.float32)
    >>> net.size, tuple(parameters.shape), tuple(net(parameters, torch.zeros(3, 5, 2)).shape)
    (33, (3, 33), (3, 5, 1))
    """

    widths: tuple[int, ...]

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """The (inputs, outputs) of each affine map."""
        return tuple(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def size(self) -> int:
        """The number of parameters of one seed."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.layers)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """He et al. (2015) weights, N(0, gain^2 / inputs), and zero biases: (S,) -> (S, size)."""
        gain = math.sqrt(2 / (1 + SLOPE**2))
        pieces = []
        for layer, (inputs, outputs) in enumerate(self.layers):
            weights = normal(seeds, stream, layer, (inputs * outputs,), dtype=dtype) * (gain / math.sqrt(inputs))
            pieces += [weights, weights.new_zeros(len(seeds), outputs)]
        return torch.cat(pieces, dim=1)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """The outputs at `x`: (S, size), (S, batch, inputs) -> (S, batch, outputs)."""
        sizes = [length for i, o in self.layers for length in (i * o, o)]
        pieces = parameters.split(sizes, dim=1)
        for layer, (inputs, outputs) in enumerate(self.layers):
            if layer:
                x = torch.nn.functional.leaky_relu(x, SLOPE)
            weights = pieces[2 * layer].view(-1, inputs, outputs)
            x = torch.baddbmm(pieces[2 * layer + 1][:, None, :], x, weights)
        return x
