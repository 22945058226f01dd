"""A game as a vector field: where gradient play moves the players, and how fast small deviations turn and decay."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from divergences._checks import finite, real_array
from divergences.errors import DataError

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class DifferentiableGame:
    """Two players on a state s = (generator's coordinates, critic's coordinates) of n numbers, both minimising.

    The field is v(s) = (-d L_G / d generator, -d L_C / d critic): gradient play is ds/dt = v(s).

    Attributes:
        generator_loss, critic_loss: (..., n) -> (...) each; states of leading indices do not mix.
        split: how many coordinates are the generator's; they come first.
        equilibrium: (n,), where both are at rest.
        project: what is done to a state after each step of the critic (clipping); None for nothing.

    >>> game = bilinear([[2.0]])
    >>> game.field(torch.tensor([1.0, 3.0], dtype=torch.float64))  # min over x, max over y of 2xy
    tensor([-6.,  2.], dtype=torch.float64)

    """

    generator_loss: Loss
    critic_loss: Loss
    split: int
    equilibrium: Tensor
    project: Callable[[Tensor], Tensor] | None = None

    def field(self, state: Tensor) -> Tensor:
        """v at states (..., n); differentiable if the state asks for gradients."""
        return torch.cat((self.generator_pull(state), self.critic_pull(state)), dim=-1)

    def generator_pull(self, state: Tensor) -> Tensor:
        """The generator's coordinates of v: (..., split)."""
        return _descent(self.generator_loss, state)[..., : self.split]

    def critic_pull(self, state: Tensor) -> Tensor:
        """The critic's coordinates of v: (..., n - split)."""
        return _descent(self.critic_loss, state)[..., self.split :]

    def projected(self, state: Tensor) -> Tensor:
        """The state after `project`."""
        return state if self.project is None else self.project(state)


def _descent(loss: Loss, state: Tensor) -> Tensor:
    at = state if state.requires_grad else state.detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(at).sum(), at, create_graph=state.requires_grad, materialize_grads=True)
    return -slope


def bilinear(matrix: Any) -> DifferentiableGame:
    """min over x, max over y of x'Ay, the game in which plain gradient steps never converge (lecture row D7).

    Raises DataError unless A is a finite real matrix.
    """
    a = torch.as_tensor(finite(real_array(matrix, "matrix"), "matrix"), dtype=torch.float64)
    if a.ndim != 2 or 0 in a.shape:
        raise DataError(f"matrix must have rows for x and columns for y; got shape {tuple(a.shape)}.")
    rows, columns = a.shape

    def payoff(state: Tensor) -> Tensor:
        return ((state[..., :rows] @ a) * state[..., rows:]).sum(-1)

    rest = torch.zeros(rows + columns, dtype=torch.float64)
    return DifferentiableGame(payoff, lambda state: -payoff(state), rows, rest)


def jacobian(function: Callable[[Tensor], Tensor], state: Tensor) -> Tensor:
    """The derivative of (..., n) -> (..., m) at `state`, by reverse differentiation: (..., m, n).

    >>> jacobian(lambda s: s.square(), torch.tensor([1.0, 3.0]))
    tensor([[2., 0.],
            [0., 6.]])
    """
    at = state if state.requires_grad else state.detach().requires_grad_()
    value = function(at)
    if not value.requires_grad:
        return value.new_zeros((*value.shape, state.shape[-1]))
    keep = state.requires_grad
    rows = [
        torch.autograd.grad(value[..., i].sum(), at, create_graph=keep, retain_graph=True, materialize_grads=True)[0]
        for i in range(value.shape[-1])
    ]
    return torch.stack(rows, dim=-2)


def derivative(function: Callable[[Tensor], Tensor], state: Tensor, *, step: float = 1e-5) -> Tensor | None:
    """The derivative at a state (n,) if there is one: (m, n). None at a kink.

    Autograd answers at a kink too, by one of its slopes, and with NaN at some points that are none (a norm that is
    squashed to a constant around 0). Differences from both sides tell, and stand in for autograd's NaN.

    >>> derivative(torch.abs, torch.zeros(1, dtype=torch.float64)) is None
    True
    """
    exact, here = jacobian(function, state), function(state.detach()).detach()

    def slopes(size: float) -> list[Tensor]:
        shifts = size * torch.eye(len(state), dtype=state.dtype)
        return [((function(state + sign * shifts).detach() - here) / (sign * size)).T for sign in (1, -1)]

    (after, before), (nearer, _) = slopes(step), slopes(step / 10)
    slack = 1e-3 * (1 + after.abs().max())
    # Slopes that differ between the two sides are a kink; those that grow as the step shrinks are a jump.
    if bool(((after - before).abs() > slack).any() | ((after - nearer).abs() > slack).any()):
        return None
    return exact if bool(exact.isfinite().all()) else (after + before) / 2


def eigenvalues(matrix: Tensor) -> Tensor:
    """Complex eigenvalues (n,), ordered by real and then imaginary part.

    >>> eigenvalues(torch.tensor([[1.0, 2.0], [0.0, -3.0]]))
    tensor([-3.+0.j,  1.+0.j], dtype=torch.complex128)
    """
    found = torch.linalg.eigvals(matrix.to(torch.float64)).tolist()
    return torch.tensor(sorted(found, key=lambda z: (round(z.real, 9), z.imag)), dtype=torch.complex128)
