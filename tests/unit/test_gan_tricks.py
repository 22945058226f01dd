"""What a recipe adds to its losses and remembers between steps, against the same written out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import divergences
import gan
from gan.config import Config
from gan.game import Game
from gan.networks import Architecture
from gan.objectives import OBJECTIVES
from gan.recipes import RECIPES
from gan.snapshot import MEASURED

TINY = Architecture((8,))
SMALL = {"generator": TINY, "critic": TINY, "batch": 12, "latent": 2, "dtype": "float64"}


def close(one, other):
    """Equal up to rounding."""
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_history_is_the_mean_of_all_steps():
    """Both players are drawn to the mean of their parameters so far, the first ones among them."""
    snapshots = list(gan.train(Config(recipe="historical-averaging", steps=3, every=1, **SMALL)))
    state, game = snapshots[-1].state, snapshots[-1].game
    for name in ("critic", "generator"):
        seen = torch.stack([getattr(snapshot.state, name).parameters for snapshot in snapshots])
        close(state.memory[f"history.{name}"], seen.mean(0))
    bare = Game(game.config)
    object.__setattr__(bare, "recipe", replace(game.recipe, history=0.0))
    batch = game.measured(0, 12)
    fake = game.generator(state.generator.parameters, batch.latent)
    for name, parts in (("critic", {"batch": batch, "fake": fake}), ("generator", {"batch": batch})):
        own = getattr(state, name).parameters
        losses = [getattr(g, f"{name}_loss")(own, **parts, state=state, sigma=0.0) for g in (game, bare)]
        pull = 0.01 * (own - state.memory[f"history.{name}"]).square().sum(-1)
        assert float(pull) > 1e-9
        torch.testing.assert_close(losses[0] - losses[1], pull, rtol=0, atol=1e-12)


def test_equilibrium_follows_the_energies():
    """BEGAN's k moves by 0.001 (E real energy / 2 - E fake energy), as the critic is after its step."""
    config = Config(recipe="began", steps=1, every=1, **SMALL)
    first = next(gan.train(config))
    first.state.memory["k"].fill_(0.5)  # away from the ends of its range
    (last,) = gan.train(config, first.state)
    (_, batches), *_ = last.game.batches(1, 1)
    points = batches[0].real, last.game.generator(first.state.generator.parameters, batches[0].latent)
    real, fake = (-last.game.critic(last.state.critic.parameters, x)[..., 0].mean(-1) for x in points)
    close(last.state.memory["k"], 0.5 + 0.001 * (real / 2 - fake))


def test_instance_noise_is_seen_by_both():
    """The critic sees real and fake points with noises of their own, in its loss and in the generator's."""
    game = Game(Config(recipe="instance-noise", **SMALL))
    state, batch = game.start(), game.measured(0, 12)
    fake = game.generator(state.generator.parameters, batch.latent)
    noise = batch.noise.split(2, dim=-1)
    assert not torch.equal(*noise)
    seen = [x + 0.3 * e for x, e in zip((batch.real, fake), noise, strict=True)]
    scores = [game.critic(state.critic.parameters, x)[..., 0] for x in seen]
    objective, parts = OBJECTIVES["nonsaturating"], {"batch": batch, "state": state, "sigma": 0.3}
    paid = game.critic_loss(state.critic.parameters, fake=fake, **parts)
    close(paid, objective.critic_loss(*scores))
    close(game.generator_loss(state.generator.parameters, **parts), objective.generator_loss(*scores))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("nonsaturating", "2 JSD - log 4"),
        ("pacgan", "2 JSD - log 4 of packs of 2"),
        ("pacgan3", "2 JSD - log 4 of packs of 3"),
        ("pacgan4", "2 JSD - log 4 of packs of 4"),
        ("minibatch-discrimination", "2 JSD - log 4 of points seen with their batch"),
        ("instance-noise", "2 JSD - log 4, by a critic of noisy points"),
        ("cgan", "2 JSD - log 4 of points with labels"),
        ("cyclegan", "Le Cam, both domains' sum"),
        ("mmd-gan", "MMD^2 in the critic's present kernel"),
    ],
)
def test_what_is_estimated_is_named(recipe, said):
    """The estimate is of the laws that the critic sees, and is not taken for one of points."""
    assert RECIPES[recipe].measures == said


def test_packs_say_more_than_points():
    """The best critic of packs of two pays for JSD(p x p, q x q), which is above JSD(p, q): another quantity."""
    score = torch.log(torch.tensor([0.7, 0.3], dtype=torch.float64) / torch.tensor([0.3, 0.7], dtype=torch.float64))
    real, fake = (torch.tensor([0] * a + [1] * (10 - a)) for a in (7, 3))
    objective = OBJECTIVES["nonsaturating"]
    one = objective.estimate(score[real], score[fake])
    packs = [(score[x][:, None] + score[x]).flatten() for x in (real, fake)]
    p, q = np.array([0.7, 0.3]), np.array([0.3, 0.7])
    two = 2 * divergences.js(np.outer(p, p).ravel(), np.outer(q, q).ravel()) - np.log(4)
    assert float(objective.estimate(*packs)) == pytest.approx(float(two), rel=1e-12)
    assert float(one) == pytest.approx(float(2 * divergences.js(p, q) - np.log(4)), rel=1e-12)
    assert float(one) < float(two) - 0.05


def test_an_mmd_is_in_the_critics_kernel():
    """Of the same two clouds, whose distances stand still, two critics have different estimates."""
    game = Game(Config(recipe="mmd-gan", **SMALL))
    state, batch = game.start(), game.measured(0, 12)
    fake = game.generator(state.generator.parameters, batch.latent)
    objective, found = game.recipe.objective, []
    for scale in (1, 10):
        found.append(
            float(objective.estimate(*(game.critic(scale * state.critic.parameters, x) for x in (batch.real, fake))))
        )
    assert abs(found[1] - found[0]) > 0.1 * abs(found[0])


def test_unrolling_goes_on_with_the_optimiser():
    """The step ahead is the critic's next step of Adam, from its moments and its count."""
    state = list(gan.train(Config(recipe="unrolled", steps=3, every=3, **SMALL)))[-1].state
    game = Game(Config(recipe="unrolled", steps=9, **SMALL))
    object.__setattr__(game, "recipe", replace(game.recipe, unroll=1))
    batch, critic = game.measured(5, 12), state.critic.parameters.clone().requires_grad_()
    fake = game.generator(state.generator.parameters, batch.latent)
    loss = game.critic_loss(critic, batch=batch, fake=fake, state=state, sigma=0.0)
    (gradient,) = torch.autograd.grad(loss.sum(), critic)
    mean = 0.5 * state.critic.moments["mean"] + 0.5 * gradient
    square = 0.999 * state.critic.moments["square"] + 0.001 * gradient.square()
    step = mean / (1 - 0.5**4) / ((square / (1 - 0.999**4)).sqrt() + 1e-8)
    close(game._unrolled(fake, batch, state, 0.0), critic.detach() - 1e-4 * step)


def test_the_first_step_of_divergence_is_kept():
    """`diverged` is the step at which a replica was stopped, and stays so; from then on it stands still."""
    config = Config(recipe="fgan-kl", steps=12, every=1, seeds=(0, 1), lr=(1e-3, 1e3), **SMALL)
    snapshots = list(gan.train(config))
    steps = snapshots[-1].diverged.tolist()
    assert steps[:2] == [0, 0]
    for replica in (2, 3):
        assert 0 < steps[replica] < 12
        for snapshot in snapshots:
            stopped = snapshot.step >= steps[replica]
            assert int(snapshot.diverged[replica]) == (steps[replica] if stopped else 0)
            if stopped:
                ours, last = (s.state.generator.parameters[replica] for s in (snapshot, snapshots[-1]))
                assert torch.equal(ours, last)


def test_slope_is_measured_between():
    """A snapshot's slope is the critic's, in the middle of pairs of a real and a fake point."""
    (first, *_) = gan.train(Config(recipe="wgan-gp", steps=1, every=1, **SMALL))
    game, state = first.game, first.state
    batch = game.measured(0, MEASURED)
    middle = ((batch.real + game.generator(state.generator.parameters, batch.latent)) / 2).detach().requires_grad_()
    (slope,) = torch.autograd.grad(game.critic(state.critic.parameters, middle).sum(), middle)
    assert float(first.slope) == pytest.approx(float(slope.norm(dim=-1).mean()), rel=1e-10)
