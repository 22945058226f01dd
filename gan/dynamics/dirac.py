"""Dirac-GAN: the smallest GAN, on which Mescheder, Geiger & Nowozin (2018) show what converges and what does not.

The data is a point at 0, the generator a point at theta, the critic T(x) = psi x + v0. The constant v0 is the neutral
score, at which the critic's bias is at rest when both points agree: 0 for most objectives, 1/2 for least squares, the
v with g(v) = f'(1) for an f-GAN. Equilibrium: theta = psi = 0.
"""

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from divergences._checks import count, positive
from divergences.errors import DataError
from gan.dynamics.games import DifferentiableGame
from gan.objectives import Objective
from gan.objectives.scores import BoundaryEquilibrium, EnergyBased
from gan.penalties import GradientPenalty

NODES = 16  # of Gauss-Hermite quadrature: exact for polynomials of degree 31 in the noise


def neutral_score(objective: Objective) -> float:
    """The score v0 at which a critic's loss on equal real and fake scores is at rest.

    >>> from gan.objectives import OBJECTIVES
    >>> neutral_score(OBJECTIVES["minimax"]), neutral_score(OBJECTIVES["fgan-kl"])
    (0.0, 1.0)

    Raises DataError where there is none: such a critic drifts away even when real and fake agree.
    """

    def slope(v: float) -> float:
        at = torch.tensor([v], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(objective.critic_loss(at, at), at)
        return float(gradient)

    if slope(0.0) == 0:
        return 0.0
    low, high = next(((-r, r) for r in (1.0, 4.0, 16.0) if slope(-r) * slope(r) <= 0), (0.0, 0.0))
    if low == high:
        raise DataError("the objective has no neutral score between -16 and 16: with equal points its critic drifts.")
    return float(brentq(slope, low, high, xtol=1e-15))  # pyright: ignore[reportArgumentType]  # stubs: a pair, on request


def dirac(
    objective: Objective,
    penalties: Sequence[GradientPenalty] = (),
    *,
    noise: float = 0.0,
    clip: float | None = None,
    unroll: int = 0,
    unroll_rate: float = 1.0,
) -> DifferentiableGame:
    """The Dirac-GAN of an objective: a game on (theta, psi).

    Args:
        objective: any whose losses are means over the batch of functions of one score, or of one real-fake pair.
        penalties: added to the critic's loss.
        noise: standard deviation of the instance noise added to both points; its expectation is by quadrature.
        clip: psi is clipped to [-clip, clip] after each step of the critic.
        unroll, unroll_rate: the generator sees the critic after so many more of its gradient steps of that rate, and
            differentiates through them. Metz et al. (2017).

    Raises:
        DataError: the objective needs more than one number per point, couples the points of a batch, remembers, or
            has no neutral score.

    >>> from gan.objectives import OBJECTIVES
    >>> from gan.dynamics.games import eigenvalues, jacobian
    >>> game = dirac(OBJECTIVES["minimax"])
    >>> eigenvalues(jacobian(game.field, game.equilibrium)).tolist()  # f'(0) = 1/2: circles
    [-0.5j, 0.5j]

    """
    _fits(objective)
    positive(noise, "noise", strict=False)
    positive(unroll_rate, "unroll_rate")
    steps = count(unroll, "unroll", minimum=0)
    bias, shifts, weights = neutral_score(objective), *_pairs(noise)

    def points(theta: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = shifts[:, 0].expand(*theta.shape, -1), theta[..., None] + shifts[:, 1]
        return real[..., None], fake[..., None]  # (..., pairs, 1): each pair of noises is a batch of its own

    def critic_loss(theta: Tensor, psi: Tensor) -> Tensor:
        real, fake = points(theta)
        slope = psi[..., None, None]
        loss = objective.critic_loss(slope * real + bias, slope * fake + bias) @ weights
        # The critic is linear: its slope is psi wherever a penalty looks, so where it looks need not be drawn.
        for penalty in penalties:
            u = real.new_full((*real.shape[:-1], penalty.draws(1)), 0.5)
            loss = loss + penalty(slope.expand_as, real, fake, u)
        return loss

    def generator_loss(state: Tensor) -> Tensor:
        theta, ahead = state[..., 0], state[..., 1]
        for _ in range(steps):
            (pull,) = torch.autograd.grad(critic_loss(theta, ahead).sum(), ahead, create_graph=True)
            ahead = ahead - unroll_rate * pull
        real, fake = points(theta)
        slope = ahead[..., None, None]
        return objective.generator_loss(slope * real + bias, slope * fake + bias) @ weights

    return DifferentiableGame(
        generator_loss=generator_loss,
        critic_loss=lambda state: critic_loss(state[..., 0], state[..., 1]),
        split=1,
        equilibrium=torch.zeros(2, dtype=torch.float64),
        project=None if clip is None else _clipping(positive(clip, "clip")),
    )


def _fits(objective: Objective) -> None:
    """Raise DataError for an objective that a critic on the line cannot play."""
    if objective.couples:
        raise DataError("the objective couples the points of a batch; a Dirac-GAN has one point of each kind.")
    if objective.outputs != 1:
        raise DataError("the objective needs more than one number per point; a Dirac-GAN's critic gives one.")
    if isinstance(objective, EnergyBased | BoundaryEquilibrium):
        raise DataError("the objective needs energies that are never negative; a linear critic gives both signs.")


def _pairs(noise: float) -> tuple[Tensor, Tensor]:
    """Independent noises of a real and a fake point (pairs, 2), and the weight of each pair."""
    if noise == 0:
        return torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = torch.as_tensor(weights / sqrt(2 * np.pi))
    shifts = noise * torch.as_tensor(nodes)
    return torch.cartesian_prod(shifts, shifts), torch.outer(weights, weights).reshape(-1)


def _clipping(bound: float) -> Callable[[Tensor], Tensor]:
    low, high = torch.tensor([[-torch.inf, -bound], [torch.inf, bound]], dtype=torch.float64)
    return lambda state: torch.clamp(state, low, high)
