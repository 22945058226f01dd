"""What the claims of part D ask of the game: losses under known laws, and discriminators trained on fixed points."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

import gan.game
from gan.config import Config
from gan.networks import Perceptron
from gan.objectives import OBJECTIVES
from gan.optimisers import Adam
from gan.random import Stream
from gan.snapshot import Snapshot
from gan.train import train
from tests.claims.laws import gaussian, gradient, log_density

MINIMAX, NONSATURATING = OBJECTIVES["minimax"], OBJECTIVES["nonsaturating"]
Z = torch.linspace(-12, 12, 2401, dtype=torch.float64)
WEIGHTS = gaussian(Z)


def per_sample(loss, scores):
    """A generator's loss on each fake score by itself: its expectation under any law is a weighted sum."""
    return loss(torch.zeros_like(scores)[..., None], scores[..., None])


def log_ratio(mean=0.7, sd=0.8, noise=0.0):
    """log p/q of N(0, 1) and N(mean, sd²), both with noise added: the score of the optimal discriminator."""
    wide = lambda s: (s**2 + noise**2) ** 0.5
    return lambda x: log_density(x, 0.0, wide(1.0)) - log_density(x, mean, wide(sd))


def pull(loss, score, mean=0.7, sd=0.8):
    """The derivatives in mean and sd of E loss(score(mean + sd z)), z standard normal, with the score held fixed."""
    return gradient(lambda m, s: WEIGHTS @ per_sample(loss, score(m + s * Z)), mean, sd)


def separated_lines(count, apart=1.0):
    """Points of two parallel line segments, `apart` from each other: (count, 2) each."""
    heights = torch.linspace(0, 1, count, dtype=torch.float64)
    line = lambda x: torch.stack([torch.full_like(heights, x), heights], dim=1)
    return line(0.0), line(apart)


def trained_discriminators(real, fake, steps, seeds=8, rate=1e-2):
    """Discriminators of several seeds, trained on all points for `steps` steps: a function (b, d) -> (seeds, b)."""
    net = Perceptron((real.shape[1], 16, 16, 1))
    parameters = net.initial(torch.arange(seeds), Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    optimiser = Adam(rate)
    moments = optimiser.initial(parameters)
    scores = lambda theta, x: net(theta, x.expand(seeds, *x.shape))[..., 0]
    for step in range(1, steps + 1):
        theta = parameters.requires_grad_()
        loss = MINIMAX.critic_loss(scores(theta, real), scores(theta, fake)).sum()
        (slope,) = torch.autograd.grad(loss, theta)
        direction, moments = optimiser.direction(slope, moments, step)
        parameters = theta.detach() - rate * direction
    return lambda x: scores(parameters, x)


def push_on_samples(loss, discriminators, fake: Tensor) -> np.ndarray:
    """The norm of the gradient that a generator gets through each discriminator when it shifts all its samples."""
    shift = torch.zeros(fake.shape[1], dtype=fake.dtype, requires_grad=True)
    values = discriminators(fake + shift)
    slopes = [torch.autograd.grad(loss(v.detach(), v), shift, retain_graph=True)[0] for v in values]
    return torch.stack(slopes).norm(dim=1).numpy()


def trained_with(config: Config, **parts: Any) -> list[Snapshot]:
    """The snapshots of a training in which the recipe has other parts than its own."""
    recipes = gan.game.RECIPES
    with patch.object(gan.game, "RECIPES", {**recipes, config.recipe: replace(recipes[config.recipe], **parts)}):
        return list(train(config))
