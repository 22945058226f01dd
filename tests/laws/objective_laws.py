"""The laws of the objectives, each a number that is small (or of a sign) when the law holds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar
from torch import Tensor

from gan.objectives import Objective

Loss = Callable[[Tensor, Tensor], Tensor]


def expected(loss: Loss, scores: Tensor, p: np.ndarray | Tensor, q: np.ndarray | Tensor) -> Tensor:
    """A loss for pmfs p, q: it is a mean over independent pairs of samples, hence linear in the masses of the atoms."""
    column = scores[:, None]  # a batch of one atom
    table = loss(column[:, None, :], column[None, :, :])  # of real atom i and fake atom j
    return torch.as_tensor(p) @ table.expand(len(p), len(q)) @ torch.as_tensor(q)


def best_critic(
    objective: Objective, p: np.ndarray, q: np.ndarray, *, reach: float | None = None
) -> tuple[float, np.ndarray]:
    """The least critic loss over free scores on a finite space (within +-reach), and the scores that reach it."""

    def loss_and_slope(v: np.ndarray) -> tuple[float, np.ndarray]:
        scores = torch.tensor(v, requires_grad=True)
        loss = expected(objective.critic_loss, scores, p, q)
        (slope,) = torch.autograd.grad(loss, scores)
        return float(loss.detach()), slope.numpy()

    start = np.zeros(len(p))
    if reach is None:
        found = minimize(loss_and_slope, start, jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 5000})
    else:
        found = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", bounds=[(-reach, reach)] * len(p))
    return float(found.fun), found.x


def best_critic_by_atom(
    objective: Objective, p: np.ndarray, q: np.ndarray, reach: tuple[float, float]
) -> tuple[float, np.ndarray]:
    """The same for a loss with kinks whose real and fake parts are apart: each atom's score is found by itself."""
    zero = torch.zeros(1, dtype=torch.float64)
    loss = lambda r, f: float(objective.critic_loss(torch.full_like(zero, r), torch.full_like(zero, f)))
    cost = lambda v, a, b: a * loss(v, 0.0) + b * loss(0.0, v) - (a + b) * loss(0.0, 0.0)
    options = {"xatol": 1e-11}
    found: list[Any] = [
        minimize_scalar(cost, args=(a, b), bounds=reach, options=options) for a, b in zip(p, q, strict=True)
    ]
    return sum(float(one.fun) for one in found) + loss(0.0, 0.0), np.array([one.x for one in found])


def disorder(scores: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """How far the best critic's scores are from growing with p/q: 0 or less if they grow strictly."""
    return float(-np.diff(scores[np.argsort(p / q)]).min())


def wrong_direction(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """The largest slope of the generator's loss in a fake score: negative if the generator is pulled to real.

    For features, the largest slope along a shift of all fake points towards the real mean.
    """
    fake = fake.clone().requires_grad_()
    (slope,) = torch.autograd.grad(objective.generator_loss(real, fake).sum(), fake)
    if objective.outputs != 1:
        slope = (slope * (real.mean(-2) - fake.detach().mean(-2))[..., None, :]).sum((-2, -1))
    return float(slope.max())


def not_finite(objective: Objective, real: Tensor, fake: Tensor) -> int:
    """How many losses, estimates and gradients are not finite."""
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    bad = 0
    for loss in (objective.critic_loss, objective.generator_loss, objective.estimate):
        value = loss(real, fake)
        slopes = torch.autograd.grad(value.sum(), (real, fake), allow_unused=True)
        bad += sum(int((~x.isfinite()).sum()) for x in (value, *slopes) if x is not None)
    return bad


def order_blindness(objective: Objective, real: Tensor, fake: Tensor) -> bool:
    """True if no loss notices that real and fake are exchanged."""
    losses = (objective.critic_loss, objective.generator_loss)
    return all(float((loss(real, fake) - loss(fake, real)).abs().max()) < 1e-6 for loss in losses)


def precision_error(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """The largest relative difference between the losses in float32 and in float64."""
    worst = 0.0
    for loss in (objective.critic_loss, objective.generator_loss, objective.estimate):
        exact, single = loss(real, fake), loss(real.float(), fake.float())
        assert single.dtype == torch.float32
        worst = max(worst, float(((exact - single.double()).abs() / (1 + exact.abs())).max()))
    return worst


def mixing_of_seeds(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """The largest difference between the losses of stacked seeds and of each seed by itself, one being NaN."""
    worst = 0.0
    real = torch.cat((real, torch.full_like(real[:1], torch.nan)))
    fake = torch.cat((fake, torch.full_like(fake[:1], torch.nan)))
    for loss in (objective.critic_loss, objective.generator_loss, objective.estimate):
        alone = torch.stack([loss(r, f) for r, f in zip(real, fake, strict=True)])
        stacked = loss(real, fake)
        if stacked.shape != alone.shape or not bool(stacked[:-1].isfinite().all() & stacked[-1].isnan()):
            return np.inf
        worst = max(worst, float((stacked - alone)[:-1].abs().max()))
    return worst


def coupling(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """How far the losses of a batch are from the means of its halves' losses."""
    axis = -1 if objective.outputs == 1 else -2
    halves = list(zip(real.chunk(2, axis), fake.chunk(2, axis), strict=True))
    losses = (objective.critic_loss, objective.generator_loss)
    return max(float((loss(real, fake) - sum(loss(*half) for half in halves) / 2).abs().max()) for loss in losses)
