"""Part D: what trained games do, over seeds; bounds are what other seeds promise of these.

A bound is the mean over the 8 to 64 seeds of a trial, less t(0.999) standard deviations times sqrt(1/trial + 1/here),
rounded away: the mean over other seeds falls beyond it once in 1,000 draws. Where the statistic has a long tail, as the
round trips have, it is the outer one of that and the 0.999 quantile of means of as many seeds drawn from the trial's.
"""

import numpy as np
import pytest
import torch

from gan.bench.purposes import conditions
from gan.bench.purposes.purpose import Plan, trained
from gan.random import Stream
from tests.claims import figures
from tests.claims.seeds import mean_at_least, mean_at_most

FOUR, EIGHT = Plan(range(300, 304)), Plan(range(300, 308))


def rejects(config):
    """The chance that the critic finds a real point with its label more real than one with another's: (S,)."""
    last = trained(config)[-1]
    data, game = last.game.target, last.game
    x, told = game.real(Stream.MEASURE_REAL, 0, conditions.N).split((data.dimension, data.classes), -1)
    view = game.view(last.state.critic.parameters, last.state.memory)
    honest, mixed = (view(torch.cat((x, label), -1))[..., 0] for label in (told, told.roll(1, -1)))
    return (honest > mixed).double().mean(-1).numpy()


@pytest.mark.slow
@pytest.mark.claim("D24")
def test_generated_digits_are_of_their_class(claim):
    """Digits that a conditional GAN was told to make are recognised as such by a classifier that it never met."""
    claim.source("W")
    told, untold = conditions.digit_labels(EIGHT)
    mean_at_least(claim, "digits told, recognised", told, 0.25)
    mean_at_most(claim, "digits of a plain GAN, a label at random", untold, 0.13)
    mean_at_least(claim, "gain", told - untold, 0.18)


@pytest.mark.claim("D24")
def test_points_are_of_their_class(claim):
    """A conditional GAN makes points of the class told, and its discriminator rejects real points with another's."""
    claim.source("W")
    told, untold = conditions.labels(FOUR)
    mean_at_least(claim, "ring of 8 modes, points of the mode told", told, 0.95)
    mean_at_most(claim, "points of a plain GAN, a mode at random", untold, 0.17)
    chance = rejects(FOUR.config("cgan", data="ring8", steps=400))
    mean_at_least(claim, "real points preferred with their own label", chance, 0.9)


def translators(plan):
    """A CycleGAN between a ring and a disc, before and after training."""
    return trained(plan.config("cyclegan", data=("ring8", "gaussian"), steps=300))


def translations(plan):
    """Of these: round trips, and W1 of the translated points after and before training."""
    snapshots = translators(plan)
    return conditions.round_trip(snapshots[-1]), *(conditions.translated(snapshots[k]) for k in (-1, 0))


@pytest.mark.claim("D26")
def test_translation_there_and_back(claim):
    """From unpaired sets of a ring and a disc, a CycleGAN learns to translate one to the other and back."""
    claim.source("S")
    trips, after, before = translations(FOUR)
    mean_at_most(claim, "round trip, over the distance of two points", trips, 0.12)
    mean_at_most(claim, "W1 of translated to real points", after, 2.4)
    mean_at_least(claim, "log of W1 before training over W1 after", np.log(before / after), 0.07)
    claim.figure(
        lambda: translated_points(translators(FOUR)[-1]),
        "points of each domain, translated, and back again; first seed",
    )


def translated_points(last, count=300):
    """Real points of both domains, those translated into it, and real points after the round trip."""
    game = last.game
    sizes = [target.dimension for target in game.space.targets]
    real = game.latent(Stream.SAMPLE, 0, count)
    there = last.outputs(count)
    with torch.no_grad():
        back = game.generator(last.state.generator.parameters, there)
    real, there, back = ([part[0].numpy() for part in x.split(sizes, -1)] for x in (real, there, back))
    panels = {}
    for k, name in enumerate(("ring", "disc")):
        panels[f"to the {name}"] = {"real": real[k], "translated": there[k]}
    panels["ring, there and back"] = {"real": real[0], "returned": back[0]}
    return figures.clouds(panels)


@pytest.mark.claim("D46")
def test_codes_control_factors(claim):
    """With an information term two of the generator's inputs can be read off its points; a plain GAN's cannot."""
    claim.source("N")
    ours, plain = conditions.codes(EIGHT)
    mean_at_least(claim, "R² of two codes read off the points", ours, 0.55)
    mean_at_most(claim, "R² of two inputs of the plain GAN", plain, 0.51)
    mean_at_least(claim, "gain", ours - plain, 0.19)
