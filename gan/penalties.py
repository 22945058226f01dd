"""What keeps a critic in its class: penalties are added to its loss, constraints are applied after its steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from divergences._checks import positive

Critic = Callable[[Tensor], Tensor]  # points (..., batch, d) -> scores (..., batch)


@dataclass(frozen=True)
class GradientPenalty:
    """weight * E (|grad T(x)| - 1)^2 at points x = u real + (1 - u) fake, u uniform in (0, 1).

    The norm is over the coordinates of one point and `u` is drawn per point; both are easily got wrong.
    Two-sided, as in Gulrajani et al. (2017), Algorithm 1.

    Args: critic; real, fake (..., batch, d); u (..., batch, 1). Returns one penalty per leading index.

    >>> slope_two = lambda x: 2 * x[..., 0]
    >>> GradientPenalty(weight=10)(slope_two, torch.ones(5, 3), torch.zeros(5, 3), torch.rand(5, 1))
    tensor(10.)
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        positive(self.weight, "weight")

    def __call__(self, critic: Critic, real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
        x = torch.lerp(fake, real, u).detach().requires_grad_()  # (..., b, d)
        # Scores of different points do not interact, so the gradient of their sum holds every point's own gradient.
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)  # (..., b, d)
        return self.weight * (torch.linalg.vector_norm(slope, dim=-1) - 1).square().mean(-1)


@dataclass(frozen=True)
class WeightClipping:
    """Every weight of the critic is clipped to [-bound, bound]: K-Lipschitz for some unknown K. Arjovsky et al. (2017).

    >>> weights = torch.tensor([-1.0, 0.005])
    >>> WeightClipping(0.01)(weights); weights
    tensor([-0.0100,  0.0050])
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        positive(self.bound, "bound")

    def __call__(self, parameters: Tensor) -> None:
        """Clip in place: the critic's parameters belong to the training state."""
        parameters.clamp_(-self.bound, self.bound)


PENALTIES: Mapping[str, GradientPenalty] = MappingProxyType({"gradient-penalty": GradientPenalty()})
"""Every penalty by name, with its published weight."""
