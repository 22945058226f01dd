"""Penalties: what is added to a critic's loss so that its slope stays where theory or practice wants it.

A penalty is where it looks (`between`, `at_real`, `at_fake`, `around_real`) and what it charges for the slope there
(`two_sided`, `one_sided`, `half_square`, ...): weight * E charge(grad T(x)). A slope is given as a function, so that
a network that knows its own slope need not be differentiated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from divergences._checks import positive
from divergences.errors import DataError

Critic = Callable[[Tensor], Tensor]  # points (..., batch, d) -> scores (..., batch)
Slope = Callable[[Tensor], Tensor]  # points (..., batch, d) -> gradient of the score there (..., batch, d)
Charge = Callable[[Tensor], Tensor]  # slopes (..., batch, d) -> (..., batch)

AROUND = 0.5  # DRAGAN's noise, in standard deviations of the batch


def autograd_slope(critic: Critic) -> Slope:
    """The slope of any critic, differentiable in the critic's parameters.

    >>> slope = autograd_slope(lambda x: x.square().sum(-1))
    >>> slope(torch.tensor([[3.0, 4.0]])).tolist()
    [[6.0, 8.0]]
    """

    def slope(x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            # Scores of different points do not interact, so the gradient of their sum holds every point's own.
            (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return gradient

    return slope


@dataclass(frozen=True)
class Place:
    """Where a penalty looks: `points(real, fake, u)` of shape (..., batch, d), from `draws(d)` uniforms per point.

    It `couples` if a place depends on other points of the batch.
    """

    draws: Callable[[int], int]
    points: Callable[[Tensor, Tensor, Tensor], Tensor]
    couples: bool = False


def _around(real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
    # One standard deviation for the whole batch, as published; the population's, so that a batch of one has 0.
    return real + AROUND * real.std(dim=(-2, -1), correction=0, keepdim=True) * u


between = Place(lambda d: 1, lambda real, fake, u: torch.lerp(fake, real, u))
at_real = Place(lambda d: 0, lambda real, fake, u: real)
at_fake = Place(lambda d: 0, lambda real, fake, u: fake)
around_real = Place(lambda d: d, _around, couples=True)


def norm(slope: Tensor) -> Tensor:
    """The Euclidean norm over the coordinates of each point."""
    return torch.linalg.vector_norm(slope, dim=-1)


def two_sided(slope: Tensor) -> Tensor:
    """(|grad| - 1)^2: slopes below one are charged as well."""
    return (norm(slope) - 1).square()


def one_sided(slope: Tensor) -> Tensor:
    """max(0, |grad| - 1)^2: only what breaks the Lipschitz bound is charged. Gulrajani et al. (2017), section 4."""
    return (norm(slope) - 1).clamp(min=0).square()


def excess(slope: Tensor) -> Tensor:
    """max(0, |grad| - 1), as lecture row D23 prints the one-sided penalty."""
    return (norm(slope) - 1).clamp(min=0)


def square(slope: Tensor) -> Tensor:
    """|grad|^2: any slope is charged."""
    return slope.square().sum(-1)


def half_square(slope: Tensor) -> Tensor:
    """|grad|^2 / 2, so that the weight is the gamma of Mescheder et al. (2018)."""
    return slope.square().sum(-1) / 2


@dataclass(frozen=True)
class GradientPenalty:
    """weight * E charge(grad T(x)), the mean over points x that `place` chooses, one per point of the batch.

    By default that of WGAN-GP, Gulrajani et al. (2017), Algorithm 1: 10 E (|grad T(x)| - 1)^2 at points
    x = u real + (1 - u) fake, u uniform in (0, 1) and drawn per point. The norm is over the coordinates of one point.

    Args: slope, see above; real, fake (..., batch, d); u (..., batch, draws(d)), uniform in (0, 1).
    Returns one penalty per leading index. The weight may be a tensor that broadcasts over the leading indices.

    >>> slope_two = autograd_slope(lambda x: 2 * x[..., 0])
    >>> GradientPenalty(weight=10)(slope_two, torch.ones(5, 3), torch.zeros(5, 3), torch.rand(5, 1))
    tensor(10.)
    """

    weight: float | Tensor = 10.0
    place: Place = between
    charge: Charge = two_sided

    def __post_init__(self) -> None:
        if not isinstance(self.weight, Tensor):
            positive(self.weight, "weight")
        elif not bool((self.weight.isfinite() & (self.weight > 0)).all()):
            raise DataError(f"weight must hold finite numbers above 0; got a least of {self.weight.min().item():g}.")

    def draws(self, d: int) -> int:
        """How many uniform numbers a point of `d` coordinates needs."""
        return self.place.draws(d)

    def __call__(self, slope: Slope, real: Tensor, fake: Tensor, u: Tensor) -> Tensor:
        x = self.place.points(real, fake, u).detach()
        return self.weight * self.charge(slope(x)).mean(-1)


PENALTIES: Mapping[str, GradientPenalty] = MappingProxyType(
    {
        "gradient-penalty": GradientPenalty(),
        "one-sided": GradientPenalty(10.0, between, one_sided),
        "one-sided-linear": GradientPenalty(10.0, between, excess),
        "r1": GradientPenalty(10.0, at_real, half_square),  # Mescheder, Geiger & Nowozin (2018), gamma = 10
        "r2": GradientPenalty(10.0, at_fake, half_square),
        "dragan": GradientPenalty(10.0, around_real, two_sided),  # Kodali et al. (2017)
        "zero-centred": GradientPenalty(10.0, between, square),  # Thanh-Tung, Tran & Venkatesh (2019)
    }
)
"""Every penalty by name, with its published weight."""
