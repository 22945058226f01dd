"""The laws of the objectives, each a number that is small (or of a sign) when the law holds."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from gan.objectives import Objective

Score = Callable[[Tensor, Tensor], Tensor]


def weighted_loss(objective: Objective, scores: Tensor, p: np.ndarray, q: np.ndarray) -> Tensor:
    """The critic's loss for pmfs p, q: it is a mean over samples, hence linear in the masses of the atoms.

    A loss that is a sum of a real and a fake part is evaluated atom by atom against a common partner atom.
    """
    real, fake = torch.as_tensor(p), torch.as_tensor(q)
    column = scores[:, None]  # a batch of one atom
    # loss(i, j) = a(i) + b(j), so that the expectation over independent i ~ p and j ~ q is p @ loss @ q
    table = objective.critic_loss(column[:, None, :], column[None, :, :])
    return real @ table @ fake


def best_critic(objective: Objective, p: np.ndarray, q: np.ndarray) -> tuple[float, np.ndarray]:
    """The least critic loss over free scores on a finite space, and the scores that reach it."""

    def loss_and_slope(v: np.ndarray) -> tuple[float, np.ndarray]:
        scores = torch.tensor(v, requires_grad=True)
        loss = weighted_loss(objective, scores, p, q)
        (slope,) = torch.autograd.grad(loss, scores)
        return float(loss.detach()), slope.numpy()

    found = minimize(
        loss_and_slope, np.zeros(len(p)), jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 5000}
    )
    return float(found.fun), found.x


def best_critic_error(objective: Objective, value: float, p: np.ndarray, q: np.ndarray) -> float:
    """How far the least critic loss is from `value`, the number that theory computes."""
    return abs(best_critic(objective, p, q)[0] - value)


def wrong_direction(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """The largest slope of the generator's loss in a fake score: negative if the generator is pulled to real."""
    fake = fake.clone().requires_grad_()
    (slope,) = torch.autograd.grad(objective.generator_loss(real, fake).sum(), fake)
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
    """True if the critic's loss does not notice that real and fake are exchanged."""
    return bool((objective.critic_loss(real, fake) - objective.critic_loss(fake, real)).abs().max() < 1e-6)


def precision_error(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """The largest relative difference between the losses in float32 and in float64."""
    worst = 0.0
    for loss in (objective.critic_loss, objective.generator_loss, objective.estimate):
        exact, single = loss(real, fake), loss(real.float(), fake.float()).double()
        worst = max(worst, float(((exact - single).abs() / (1 + exact.abs())).max()))
    return worst


def mixing_of_seeds(objective: Objective, real: Tensor, fake: Tensor) -> float:
    """The largest difference between the losses of stacked seeds (S, batch) and of each seed by itself."""
    worst = 0.0
    for loss in (objective.critic_loss, objective.generator_loss, objective.estimate):
        alone = torch.stack([loss(r, f) for r, f in zip(real, fake, strict=True)])
        stacked = loss(real, fake)
        worst = max(worst, float((stacked - alone).abs().max()) if stacked.shape == alone.shape else np.inf)
    return worst
