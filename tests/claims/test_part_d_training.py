"""Part D: what trained games do, over seeds; bounds are what other seeds promise of these.

A bound is the mean over the 8 to 64 seeds of a trial, less t(0.999) standard deviations times sqrt(1/trial + 1/here),
rounded away: the mean over other seeds falls beyond it once in 1,000 draws. Where the statistic has a long tail, as the
round trips have, it is the outer one of that and the 0.999 quantile of means of as many seeds drawn from the trial's.
"""

import numpy as np
import pytest
import torch

from gan.bench.purposes import PURPOSES, Plan
from gan.bench.purposes.purpose import trained
from gan.bench.purposes.statistics import N, alive, obeyed
from gan.conditions import Codes, Unconditional
from gan.random import Stream
from tests.claims.games import trained_with
from tests.claims.seeds import mean_at_least, mean_at_most

FOUR, EIGHT = Plan(range(300, 304)), Plan(range(300, 308))
SWEEP = np.linspace(-2, 2, 41)


def rejects(config):
    """The chance that the critic finds a real point with its label more real than one with another's: (S,)."""
    last = trained(config)[-1]
    data, game = last.game.target, last.game
    x, told = game.real(Stream.MEASURE_REAL, 0, N).split((data.dimension, data.classes), -1)
    view = game.view(last.state.critic.parameters, last.state.memory)
    honest, mixed = (view(torch.cat((x, label), -1))[..., 0] for label in (told, told.roll(1, -1)))
    return (honest > mixed).double().mean(-1).numpy()


@pytest.mark.slow
@pytest.mark.claim("D24")
def test_generated_digits_are_of_their_class(claim):
    """Digits that a conditional GAN was told to make are recognised as such by a classifier that it never met."""
    claim.source("W")
    shared = {"data": "digits", "steps": 600, "latent": 16}
    told, untold = (obeyed(trained(EIGHT.config(name, **shared))) for name in ("cgan", "nonsaturating"))
    mean_at_least(claim, "digits told, recognised", told, 0.25)
    mean_at_most(claim, "digits of a plain GAN, a label at random", untold, 0.13)
    mean_at_least(claim, "gain", told - untold, 0.18)


@pytest.mark.claim("D24")
def test_points_are_of_their_class(claim):
    """A conditional GAN makes points of the class told, and its discriminator rejects real points with another's."""
    claim.source("W")
    told, untold = PURPOSES["cgan"].measure(FOUR)
    mean_at_least(claim, "ring of 8 modes, points of the mode told", told, 0.95)
    mean_at_most(claim, "points of a plain GAN, a mode at random", untold, 0.17)
    chance = rejects(FOUR.config("cgan", data="ring8", steps=400))
    mean_at_least(claim, "real points preferred with their own label", chance, 0.9)


class Unread(Codes):
    """Codes in the same networks, and nobody asked to read them off."""

    critic_term = Unconditional.critic_term
    generator_term = Unconditional.generator_term


def told_codes(plan, condition):
    """The game of InfoGAN on a ring after its training, with the condition in the place of its own."""
    return trained_with(plan.config("infogan", data="ring8", steps=400, latent=4), condition=condition)[-1]


def sweeps(last, count=200):
    """Correlations of codes, swept from -2 to 2, with factors: that of a code with its own, and with the other: (S,).

    The factor of a code is the place of a point along one direction, that of the least squares of points on codes as
    they are drawn in training. The sweep is then with fresh noise, `count` values of it, all in one correlation.
    """
    game, theta = last.game, last.state.generator.parameters
    with torch.no_grad():
        made = lambda z: game.generator(theta, z).double().numpy()
        drawn, fresh = game.latent(Stream.SAMPLE, 0, 1000), game.latent(Stream.MEASURE_LATENT, 0, count)
        fits = zip(drawn.double().numpy()[..., -2:], made(drawn), strict=True)
        directions = np.stack([np.linalg.lstsq(c - c.mean(0), x - x.mean(0))[0] for c, x in fits])
        own, other = [], []
        for code in (0, 1):
            swept = fresh[:, :, None].repeat(1, 1, len(SWEEP), 1)
            swept[..., code - 2] = torch.tensor(SWEEP, dtype=swept.dtype)
            factors = np.einsum("sbd,scd->scb", made(swept.flatten(1, 2)), directions)
            told = np.tile(SWEEP, count)
            found = np.array([[np.corrcoef(told, factor)[0, 1] for factor in pair] for pair in factors])
            own.append(found[:, code])
            other.append(abs(found[:, 1 - code]))
    return alive(last, np.mean(own, axis=0)), alive(last, np.mean(other, axis=0))


@pytest.mark.claim("D46")
def test_codes_control_factors(claim):
    """With an information term each of two codes, swept from -2 to 2, moves points along a line; without it less so."""
    claim.source("N")
    ours, plain = PURPOSES["infogan"].measure(EIGHT)
    mean_at_least(claim, "R² of two codes read off the points", ours, 0.55)
    mean_at_most(claim, "R² of two inputs of the plain GAN", plain, 0.51)
    mean_at_least(claim, "gain", ours - plain, 0.19)
    (moved, mixed), (unread, _) = (sweeps(told_codes(EIGHT, condition)) for condition in (Codes(), Unread()))
    mean_at_least(claim, "correlation of a code, swept from -2 to 2, and its factor", moved, 0.83)
    mean_at_most(claim, "of the same with the factor of the other code", mixed, 0.52)
    mean_at_most(claim, "plain GAN with the same networks: of a code and its factor", unread, 0.67)
    mean_at_least(claim, "gain in correlation", moved - unread, 0.28)
