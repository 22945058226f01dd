"""A game as a vector field: where gradient play moves the players, six ways to step it, and what each does near rest.

A step takes (game, state, rate) and maps states (..., n) to the next. Its linear part at the equilibrium decides: the
players converge if all its eigenvalues are inside the unit circle, and at the rate of the largest.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from divergences._checks import count, finite, positive, real_array
from divergences.errors import ConvergenceError, DataError

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


NEWTON = 50  # steps

Update = Callable[[DifferentiableGame, Tensor, float], Tensor]


def simultaneous(game: DifferentiableGame, state: Tensor, rate: float) -> Tensor:
    """s + h v(s): both players step from where they are."""
    return game.projected(state + rate * game.field(state))


def alternating(
    game: DifferentiableGame, state: Tensor, rate: float, *, critic_steps: int = 1, generator_steps: int = 1
) -> Tensor:
    """The critic steps, `critic_steps` times; then the generator sees the new critic. What training does."""
    split = game.split
    for _ in range(critic_steps):
        critic = state[..., split:] + rate * game.critic_pull(state)
        state = game.projected(torch.cat((state[..., :split], critic), dim=-1))
    for _ in range(generator_steps):
        generator = state[..., :split] + rate * game.generator_pull(state)
        state = torch.cat((generator, state[..., split:]), dim=-1)
    return state


def extragradient(game: DifferentiableGame, state: Tensor, rate: float) -> Tensor:
    """s + h v(s + h v(s)): the slope after a trial step. Korpelevich (1976)."""
    return game.projected(state + rate * game.field(state + rate * game.field(state)))


def optimistic(game: DifferentiableGame, state: Tensor, rate: float) -> Tensor:
    """s + 2h v(s) - h v(last s), on states (s, last s) of 2n numbers; a state of n numbers is its own past.

    Daskalakis et al. (2018), also known as the past extragradient step.
    """
    n = len(game.equilibrium)
    now, last = state[..., :n], state[..., -n:]
    ahead = now + rate * (2 * game.field(now) - game.field(last))
    return torch.cat((game.projected(ahead), now), dim=-1)


def consensus(game: DifferentiableGame, state: Tensor, rate: float, *, weight: float = 1.0) -> Tensor:
    """s + h (v - w J'v): the players also minimise w |v|^2 / 2. Mescheder, Nowozin & Geiger (2017)."""
    at = state if state.requires_grad else state.detach().requires_grad_()
    v = game.field(at)
    (pull,) = torch.autograd.grad(v.square().sum() / 2, at, create_graph=state.requires_grad)
    return game.projected(state + rate * (v if state.requires_grad else v.detach()) - rate * weight * pull)


def proximal(game: DifferentiableGame, state: Tensor, rate: float) -> Tensor:
    """The s' with s' = s + h v(s'), by Newton's method: the implicit step. Rockafellar (1976).

    Raises ConvergenceError where Newton's method finds none.
    """
    identity = torch.eye(state.shape[-1], dtype=state.dtype)

    def newton(guess: Tensor, start: Tensor) -> Tensor:
        linear = identity - rate * jacobian(game.field, guess)
        return guess - torch.linalg.solve(linear, guess - start - rate * game.field(guess))

    found = start = state.detach()
    for _ in range(NEWTON):
        last, found = found, newton(found, start)
        if bool(((found - last).abs() <= 1e-14 * (1 + found.abs())).all()):
            # One more step, of which autograd sees only `state`: exactly the derivative of the implicit function.
            return game.projected(newton(found, state))
    raise ConvergenceError(
        f"no proximal step of rate {rate:g} was found in {NEWTON} of Newton's steps. Take a smaller rate.", found
    )


UPDATES: Mapping[str, Update] = {
    "simultaneous": simultaneous,
    "alternating": alternating,
    "extragradient": extragradient,
    "optimistic": optimistic,
    "consensus": consensus,
    "proximal": proximal,
}
"""Every update by name, with one step of each player and consensus weight 1."""


def linear_part(game: DifferentiableGame, update: Update, rate: float) -> Tensor | None:
    """The Jacobian of one step at the equilibrium: (n, n), or (2n, 2n) for an update that remembers. None at a kink.

    >>> from gan.dynamics.games import bilinear
    >>> linear_part(bilinear([[1.0]]), simultaneous, 0.5)
    tensor([[ 1.0000, -0.5000],
            [ 0.5000,  1.0000]], dtype=torch.float64)

    Raises DataError unless the rate is positive.
    """
    positive(rate, "rate")
    rest = update(game, game.equilibrium, rate).detach()
    return derivative(lambda state: update(game, state, rate), rest)


def contraction(game: DifferentiableGame, update: Update, rate: float) -> float:
    """The largest modulus of an eigenvalue of `linear_part`: what steps do to a small deviation, in the long run.

    NaN at a kink, where there is no linear part.

    >>> from gan.dynamics.games import bilinear
    >>> contraction(bilinear([[1.0]]), extragradient, 0.5)
    0.9013878
    """
    linear = linear_part(game, update, rate)
    return math.nan if linear is None else float(torch.linalg.eigvals(linear).abs().max())


def trajectory(game: DifferentiableGame, update: Update, rate: float, start: Tensor, steps: int) -> Tensor:
    """States (steps + 1, ..., n) from `start` (..., n) on, without the past that an update may remember.

    A state that leaves the floats stays there as NaN or inf: the caller sees that the players diverged.
    """
    positive(rate, "rate")
    n = len(game.equilibrium)
    state = torch.as_tensor(start, dtype=torch.float64)
    if state.ndim == 0 or state.shape[-1] != n or not bool(state.isfinite().all()):
        raise DataError(f"start must be finite states of {n} numbers on the last axis; got {start!r}.")
    states = [state]
    for _ in range(count(steps, "steps")):
        state = update(game, state, rate).detach()
        states.append(state[..., :n])
    return torch.stack(states)
