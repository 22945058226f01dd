"""Optimisers as formulas on one tensor.

They are elementwise, so one step on the stacked parameters (S, size) is exactly S independent steps, and their
whole state is a dictionary of tensors that a checkpoint can hold. The formulas and their order of rounding
are those of `torch.optim`, which tests compare against.
"""

import math
from dataclasses import dataclass

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

    def step(self, parameters: Tensor, gradient: Tensor, moments: Moments, updates: int) -> None:
        """Step number `updates` (from 1), in place on `parameters` and `moments`."""
        first, second = self.betas
        moments["mean"].lerp_(gradient, 1 - first)
        moments["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        scale = moments["square"].sqrt().div_(math.sqrt(1 - second**updates)).add_(self.epsilon)
        parameters.addcdiv_(moments["mean"], scale, value=-self.rate / (1 - first**updates))


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

    def step(self, parameters: Tensor, gradient: Tensor, moments: Moments, updates: int) -> None:
        """One step, in place on `parameters` and `moments`."""
        moments["square"].mul_(self.smoothing).addcmul_(gradient, gradient, value=1 - self.smoothing)
        parameters.addcdiv_(gradient, moments["square"].sqrt().add_(self.epsilon), value=-self.rate)


Optimiser = Adam | RMSProp
