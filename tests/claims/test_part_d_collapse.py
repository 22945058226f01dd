"""Part D: what keeps a game in balance, and what keeps its modes; bounds as in `test_part_d_training`."""

import pytest

from gan.bench.purposes import RING, Plan
from gan.bench.purposes.purpose import trained
from gan.bench.purposes.statistics import N, alive, measured, modes
from gan.networks import Architecture
from tests.claims.seeds import mean_at_least, mean_at_most

FOUR, EIGHT = Plan(range(300, 304)), Plan(range(300, 308))
SIXTEEN = Plan(range(300, 316))
SMALL = Architecture((64, 64))


def ring(plan, steps, **turns):
    """A GAN on eight modes."""
    return plan.config("nonsaturating", data="ring8", steps=steps, generator=SMALL, critic=SMALL, latent=2, **turns)


def widening(config):
    """log10 of how far the generator's points lie apart at the end, over the start: (S,)."""
    first, last = (trained(config)[k].sample(N).std(1).norm(dim=-1) for k in (0, -1))
    return (last / first).log10().numpy()


def push(plan, steps, **turns):
    """log10 of the norm of the gradient that a minimax generator gets on digits after these steps: (S,)."""
    config = plan.config("minimax", data="digits", steps=steps, **turns)
    return trained(config)[-1].generator_gradient.log10().numpy()


def balance(claim, plan, steps, turns, *, covered, gap):
    """Play evenly, with 500 generator steps per discriminator step, and the other way round."""
    claim.source("N")
    mean_at_least(claim, f"{steps} balanced steps: modes of 8", modes(trained(ring(plan, steps))), covered)
    greedy = ring(plan, turns, generator_steps=500)
    mean_at_most(claim, f"{turns} x 500 generator steps: modes of 8", modes(trained(greedy)), 1)
    mean_at_least(claim, "the points do not merge: log10 of their spread over that before", widening(greedy), -0.3)
    even, starved = push(plan, 40), push(plan, turns if turns < 4 else 2, critic_steps=500)
    mean_at_least(claim, "digits, 40 balanced steps: log10 of the generator's gradient", even, -0.45)
    mean_at_least(claim, "decades lost to 500 discriminator steps", even - starved, gap)


@pytest.mark.slow
@pytest.mark.claim("D16")
def test_balance_of_steps_in_full(claim):
    """Balanced steps learn all modes; 500 discriminator steps starve the generator; 500 generator steps lose all."""
    balance(claim, EIGHT, 2000, 4, covered=7.5, gap=2)


@pytest.mark.claim("D16")
def test_balance_of_steps(claim):
    """Balanced steps learn modes; 500 discriminator steps starve the generator; 500 generator steps lose all modes."""
    balance(claim, FOUR, 1000, 1, covered=3.8, gap=1.5)


def wasserstein_and_plain(claim, plan, against, ours, plain, gain):
    """Modes of WGAN-GP and, over seeds of its own, of the GAN at equal rates, after 500 steps."""
    claim.source("I")
    shared = {"data": "ring8", "generator": SMALL, "critic": SMALL, "lr": 2e-3, "steps": 500}
    found = modes(trained(plan.config("wgan-gp", penalty_weight=1.0, **shared)))
    mean_at_least(claim, "WGAN-GP: modes of 8", found, ours)
    vanilla = modes(trained(against.config("nonsaturating", **shared)))
    mean_at_most(claim, "GAN: modes of 8", vanilla, plain)
    mean_at_least(claim, "WGAN-GP's modes beyond the mean of the GAN's", found - vanilla.mean(), gain)


@pytest.mark.slow
@pytest.mark.claim("D20")
def test_modes_of_wgan_in_full(claim):
    """At equal rates WGAN-GP covers more modes than the vanilla GAN, which collapses to some of them."""
    many = Plan(range(300, 324))
    wasserstein_and_plain(claim, many, many, ours=6.5, plain=3.9, gain=3)


@pytest.mark.claim("D20")
def test_modes_of_wgan(claim):
    """At equal rates WGAN-GP covers more modes than the vanilla GAN."""
    wasserstein_and_plain(claim, FOUR, SIXTEEN, ours=5.7, plain=4.1, gain=2.4)


def held(config):
    """Modes covered, the mean over the second half of ten snapshots, for the plain GAN runs from mode to mode: (S,)."""
    snapshots = trained(config)
    late = snapshots[len(snapshots) // 2 :]
    return alive(late[-1], measured(late, "modes_1pct", N).mean(axis=0))


def against_collapse(claim, plan, recipe, steps, batch, ours, gain):
    """Modes that a recipe holds on a ring where the generator learns faster than its critic, and the plain GAN's."""
    make = lambda name: plan.config(name, **{**RING, "steps": steps, "batch": batch}, snapshots=10)
    found = held(make(recipe))
    mean_at_least(claim, f"{recipe}, {steps} steps: modes of 8", found, ours)
    mean_at_least(claim, f"{recipe}: gain over the vanilla GAN", found - held(make("nonsaturating")), gain)


@pytest.mark.slow
@pytest.mark.claim("D25")
def test_tricks_against_collapse_in_full(claim):
    """Unrolling, and judging points in packs, hold modes that the vanilla GAN loses."""
    claim.source("S")
    against_collapse(claim, EIGHT, "pacgan", 1500, 64, ours=3.6, gain=0.9)
    against_collapse(claim, SIXTEEN, "unrolled", 1000, 32, ours=3, gain=0.3)


@pytest.mark.claim("D25")
def test_packs_against_collapse(claim):
    """Judging points in packs holds modes that the vanilla GAN loses."""
    claim.source("S")
    against_collapse(claim, FOUR, "pacgan", 1500, 64, ours=3.1, gain=0.4)
