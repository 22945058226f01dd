"""Six ways to step a game, each a map from states (..., n) to the next, and what each does near rest.

A step takes (game, state, rate). Its linear part at the equilibrium is what decides: the players converge if all its
eigenvalues are inside the unit circle, and at the rate of the largest.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from divergences._checks import count, positive
from divergences.errors import ConvergenceError, DataError
from gan.dynamics.fields import DifferentiableGame, derivative, jacobian

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


UPDATES: Mapping[str, Update] = MappingProxyType(
    {
        "simultaneous": simultaneous,
        "alternating": alternating,
        "extragradient": extragradient,
        "optimistic": optimistic,
        "consensus": consensus,
        "proximal": proximal,
    }
)
"""Every update by name, with one step of each player and consensus weight 1."""


def linear_part(game: DifferentiableGame, update: Update, rate: float) -> Tensor | None:
    """The Jacobian of one step at the equilibrium: (n, n), or (2n, 2n) for an update that remembers. None at a kink.

    >>> from gan.dynamics.fields import bilinear
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

    >>> from gan.dynamics.fields import bilinear
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
