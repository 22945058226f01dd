"""Constraints: what keeps a critic in its class by its weights alone, without a term in its loss.

Parameters are (S, size) for S seeds; a constraint's memory is a dictionary of tensors whose leading axis is the seeds.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from divergences._checks import positive

Memory = dict[str, Tensor]


class Constraint(Protocol):
    """What training asks of a constraint."""

    def initial(self, parameters: Tensor, network: Any) -> Memory:
        """The memory before the first step; parameters are projected in place where the constraint projects."""
        ...

    def effective(self, parameters: Tensor, memory: Memory, network: Any) -> Tensor:
        """The parameters that the network is evaluated with, differentiable in `parameters`."""
        ...

    def after_step(self, parameters: Tensor, memory: Memory, network: Any) -> Memory:
        """The memory after a step of the optimiser; parameters are projected in place where the constraint projects."""
        ...


@dataclass(frozen=True)
class WeightClipping:
    """Every weight of the critic is clipped to [-bound, bound]: K-Lipschitz for some unknown K. Arjovsky et al. (2017).

    >>> weights = torch.tensor([[-1.0, 0.005]])
    >>> WeightClipping(0.01).after_step(weights, {}, None); weights
    {}
    tensor([[-0.0100,  0.0050]])
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        positive(self.bound, "bound")

    def initial(self, parameters: Tensor, network: Any) -> Memory:
        return self.after_step(parameters, {}, network)

    def effective(self, parameters: Tensor, memory: Memory, network: Any) -> Tensor:
        return parameters

    def after_step(self, parameters: Tensor, memory: Memory, network: Any) -> Memory:
        with torch.no_grad():
            parameters.clamp_(-self.bound, self.bound)
        return memory
