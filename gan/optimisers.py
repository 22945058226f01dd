"""Optimisers as formulas on one tensor.

They are elementwise, so one step on the stacked parameters (S, size) is exactly S independent steps, each at its
own rate if need be, and their whole state is a dictionary of tensors that a checkpoint can hold. The formulas are
those of `torch.optim`, which tests compare against. A `direction` is differentiable in the gradient and the moments:
whoever looks some steps ahead, as unrolling does, differentiates through the scale as well.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from divergences._checks import positive
from divergences.errors import DataError

Moments = dict[str, Tensor]


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba (2015): x -= rate * m / (sqrt(v) + epsilon) with bias-corrected moments m and v."""

    rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        positive(self.rate, "rate")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise DataError(f"betas must lie in [0, 1); got {self.betas!r}.")

    def initial(self, parameters: Tensor) -> Moments:
        """Moments before the first step."""
        return {"mean": parameters.new_zeros(parameters.shape), "square": parameters.new_zeros(parameters.shape)}

    def direction(self, gradient: Tensor, moments: Moments, updates: int) -> tuple[Tensor, Moments]:
        """What step number `updates` (from 1) subtracts, for a rate of one, and the moments after it."""
        first, second = self.betas
        mean = moments["mean"].lerp(gradient, 1 - first)
        square = (moments["square"] * second).addcmul_(gradient, gradient, value=1 - second)
        scale = _root(square).div(math.sqrt(1 - second**updates)).add_(self.epsilon)
        return mean.div(scale * (1 - first**updates)), {"mean": mean, "square": square}


@dataclass(frozen=True)
class RMSProp:
    """Tieleman & Hinton (2012): x -= rate * gradient / (sqrt(v) + epsilon) with v a running mean of its squares."""

    rate: float
    smoothing: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        positive(self.rate, "rate")
        if not 0 <= self.smoothing < 1:
            raise DataError(f"smoothing must lie in [0, 1); got {self.smoothing!r}.")

    def initial(self, parameters: Tensor) -> Moments:
        """Moments before the first step."""
        return {"square": parameters.new_zeros(parameters.shape)}

    def direction(self, gradient: Tensor, moments: Moments, updates: int) -> tuple[Tensor, Moments]:
        """What a step subtracts, for a rate of one, and the moments after it."""
        square = (moments["square"] * self.smoothing).addcmul_(gradient, gradient, value=1 - self.smoothing)
        return gradient / (_root(square) + self.epsilon), {"square": square}


Optimiser = Adam | RMSProp


def _root(square: Tensor) -> Tensor:
    """The square root; its slope at 0, where a gradient has always been 0, is taken to be 0 and not infinite."""
    if not square.requires_grad:
        return square.sqrt()
    zero = square == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, square).sqrt())
