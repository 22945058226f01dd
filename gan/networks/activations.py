"""The nonlinearities of networks."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

SLOPE = 0.2  # of the leaky rectifier, as in DCGAN (Radford et al. 2016)


@dataclass(frozen=True)
class Activation:
    """A nonlinearity, its derivative, and the gain that keeps variances (He et al. 2015, Glorot & Bengio 2010)."""

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    gain: float


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
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
)
"""Every nonlinearity by name; the softplus is that of Gulrajani et al. (2017), softplus(2x + 2)/2 - 1."""
