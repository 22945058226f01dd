"""One training step against the same step written out by hand, and that training learns."""

import numpy as np
import pytest
import torch

import gan
from gan.config import Config
from gan.game import Game
from gan.measures import Reference
from gan.networks import Architecture
from gan.random import Stream, normal, uniform


def test_a_step_is_algorithm_1():
    """A step of wgan-gp is five critic steps, each on a batch of its own, then one generator step, by torch.optim."""
    shape = {"generator": Architecture((5,)), "critic": Architecture((5,)), "latent": 2}
    config = Config(recipe="wgan-gp", seeds=(3,), steps=1, batch=6, lr=0.01, dtype="float64", **shape)
    game, state = Game(config), Game(config).start()
    critic, generator = (p.parameters.clone().requires_grad_() for p in (state.critic, state.generator))
    adams = [torch.optim.Adam([p], lr=0.01, betas=(0.0, 0.9)) for p in (critic, generator)]
    seed = torch.tensor([3])
    real = game.target.sample(seed, Stream.REAL, 1, 36).split(6, dim=1)
    latent = normal(seed, Stream.LATENT, 1, (36, 2)).split(6, dim=1)
    mixing = uniform(seed, Stream.PENALTY, 1, (36, 1)).split(6, dim=1)
    for x, z, u in zip(real[:5], latent[:5], mixing[:5], strict=True):
        y = game.generator(generator, z).detach()
        between = (u * x + (1 - u) * y).requires_grad_()
        (slope,) = torch.autograd.grad(game.critic(critic, between).sum(), between, create_graph=True)
        penalty = 10 * (slope.pow(2).sum(-1).sqrt() - 1).pow(2).mean()
        loss = game.critic(critic, y).mean() - game.critic(critic, x).mean() + penalty
        adams[0].zero_grad()
        loss.backward()
        adams[0].step()
    adams[1].zero_grad()
    (-game.critic(critic, game.generator(generator, latent[5])).mean()).backward()
    adams[1].step()

    last = list(gan.train(config))[-1].state
    critic, generator = critic.detach(), generator.detach()
    # Biases that only shift the critic have slope 0; Adam divides the rounding of it, 1e-16, by epsilon = 1e-8.
    rounding = 0.01 * 1e-16 / 1e-8
    assert float((last.critic.parameters - critic).abs().max()) < 10 * rounding
    assert float((last.generator.parameters - generator).abs().max()) < 10 * rounding


@pytest.mark.parametrize("recipe", ["nonsaturating", "wgan-gp"])
def test_training_learns(recipe):
    """After 800 steps the distance is less than half of that at the start, over eight seeds: single ones swing."""
    weight = 1 if recipe == "wgan-gp" else None
    shape = {"generator": Architecture((32, 32)), "critic": Architecture((32, 32)), "batch": 64, "lr": 1e-3}
    config = Config(
        recipe=recipe, data="mixture1d", seeds=range(8), steps=800, every=800, penalty_weight=weight, **shape
    )
    first, last = gan.train(config)
    reference = Reference.of(first.game.target, first.game.seeds, 500, ("w1",))
    before, after = (np.array(reference.evaluate(snapshot.sample(500))["w1"]) for snapshot in (first, last))
    assert np.mean(after / before) < 0.5
