"""Critics of fixed laws: trained for their own sake, against generators that do not learn."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gan.constraints import WeightClipping
from gan.networks import Perceptron
from gan.objectives import OBJECTIVES
from gan.optimisers import Adam
from gan.penalties import GradientPenalty
from gan.random import Stream, uniform

Points = Callable[[Tensor, int], tuple[Tensor, Tensor]]  # seeds, step -> real and fake points, (S, b, d) each
Loss = Callable[[Tensor, Tensor], Tensor]


def fitted(
    net: Perceptron,
    seeds: Tensor,
    steps: int,
    points: Points,
    *,
    loss: Loss = OBJECTIVES["wasserstein"].critic_loss,
    rate: float,
    clip: float | None = None,
    penalty: GradientPenalty | None = None,
    anneal: bool = False,
) -> Tensor:
    """The parameters, (S, size), of critics that minimise the loss: clipped after each step, penalised, or neither."""
    dtype = points(seeds, 0)[0].dtype
    theta = net.initial(seeds, Stream.CRITIC_WEIGHTS, dtype=dtype)
    optimiser = Adam(rate, betas=(0.0, 0.9))
    moments: dict[str, Any] = optimiser.initial(theta)
    clipping = WeightClipping(clip) if clip else None
    if clipping:
        clipping.after_step(theta, {}, net)
    for step in range(1, steps + 1):
        real, fake = points(seeds, step)
        theta = theta.detach().requires_grad_()
        value = loss(net(theta, real)[..., 0], net(theta, fake)[..., 0])
        if penalty:
            u = uniform(seeds, Stream.PENALTY, step, (real.shape[1], 1), dtype=dtype)
            value = value + penalty(lambda x, theta=theta: net.slope(theta, x), real, fake, u)
        (slope,) = torch.autograd.grad(value.sum(), theta)
        direction, moments = optimiser.direction(slope, moments, step)
        theta = theta.detach() - rate * (1 - (step - 1) / steps if anneal else 1) * direction
        if clipping:
            clipping.after_step(theta, {}, net)
    return theta
