"""Part D: how much of W1 critics find whose generator stays as it is; bounds as in `test_part_d_training`.

As published, the generator is the data plus standard normal noise. A clipped critic counts over its steepest slope, the
penalised one, with the one-sided penalty, as it is: its slope is meant to be 1. Numbers are shares of W1 of samples.

The claims are for the one-sided penalty. Of twelve other seeds the two-sided one finds 0.62 (ring), 0.72 (grid) and
0.83 (roll), against 0.42, 0.64 and 0.59 for clipping, but on the grid one seed of them is far off, by 1.3 of W1.
"""

import numpy as np
import pytest
import torch

import divergences as dv
from gan.data import DATASETS
from gan.networks import Perceptron
from gan.penalties import PENALTIES
from gan.random import Stream, normal, uniform
from tests.claims import figures
from tests.claims.critics import fitted
from tests.claims.seeds import mean_at_least, mean_at_most

NET = Perceptron((2, 32, 32, 32, 1), "relu")
JUDGED = 10**6  # a step that no training reaches
KINDS = {
    "clipped": {"clip": 0.01, "rate": 1e-3},
    "penalised": {"penalty": PENALTIES["one-sided"], "rate": 2e-3},
}
GAINS = {"ring8-wgan-gp": 0.16, "grid25-wgan-gp": 0.08, "swissroll": 0.16}  # what other seeds promise


def laws(data):
    """A function of seeds and step: points of the data, and others of it with noise."""
    law = DATASETS[data]

    def points(seeds, step, count=128):
        real, other = (law.sample(seeds, stream, step, count) for stream in (Stream.REAL, Stream.LATENT))
        return real, other + normal(seeds, Stream.NOISE, step, (count, 2), dtype=torch.float64)

    return points


def distance(points):
    """W1 between 1,000 points of each, the mean of four pairs."""
    pairs = zip(*(x.numpy() for x in points(torch.arange(4), JUDGED, 1000)), strict=True)
    return float(np.mean([dv.wasserstein(x, y).cost for x, y in pairs]))


def steepest(theta, seeds, real, fake):
    """The largest slope of each critic at the points and on lines between them: (S,)."""
    u = uniform(seeds, Stream.PENALTY, JUDGED, (real.shape[1], 1))
    places = torch.cat((real, fake, torch.lerp(real, fake, u), torch.lerp(real, real.roll(1, 1), u)), 1)
    return NET.slope(theta, places).norm(dim=-1).amax(1)


def critics(data, seeds):
    """By kind: critics trained for 500 steps, the share of W1 that each finds, as it is and over its slope: (S,)."""
    points, seeds = laws(data), torch.tensor(seeds)
    truth = distance(points)
    real, fake = points(seeds, JUDGED, 4000)
    found = {}
    for kind, options in KINDS.items():
        theta = fitted(NET, seeds, 500, points, anneal=True, **options)
        value = (NET(theta, real) - NET(theta, fake)).mean((1, 2)) / truth
        found[kind] = theta, value.numpy(), (value / steepest(theta, seeds, real, fake)).numpy()
    return found


def surfaces(fits):
    """Real points of each law and the critics of the first seed."""
    panels = {}
    for data, found in fits.items():
        real = laws(data)(torch.tensor([0]), JUDGED, 500)[0][0].numpy()
        for kind, (theta, *_) in found.items():
            value = lambda x, theta=theta: NET(theta[:1], torch.tensor(x)[None])[0, :, 0].numpy()
            panels[f"{data.split('-')[0]}, {kind}"] = real, value
    return figures.surfaces(panels)


@pytest.mark.claim("D18")
def test_clipped_critics_find_less(claim):
    """Of W1 between a ring and itself with noise, a clipped critic finds less than one with the one-sided penalty."""
    claim.source("I")
    found = critics("ring8-wgan-gp", range(300, 304))
    clipped, penalised = found["clipped"][2], found["penalised"][1]
    mean_at_most(claim, "clipped at 0.01, over its steepest slope: share of W1", clipped, 0.51)
    mean_at_least(claim, "one-sided penalty, as it is: share of W1", penalised, 0.56)
    mean_at_least(claim, "by how much clipped is farther from W1", abs(1 - clipped) - abs(1 - penalised), 0.12)


@pytest.mark.slow
@pytest.mark.claim("D18")
def test_clipped_critics_find_less_of_three_laws(claim):
    """With the one-sided penalty critics are nearer to W1 than clipped ones; on the grid not if over their slopes."""
    claim.source("I")
    fits = {data: critics(data, range(300, 308)) for data in GAINS}
    for data, gain in GAINS.items():
        clipped, penalised = fits[data]["clipped"][2], fits[data]["penalised"][1]
        farther = abs(1 - clipped) - abs(1 - penalised)
        mean_at_least(claim, f"{data}: by how much clipped is farther from W1, of W1", farther, gain)
    (_, _, clipped), (_, _, penalised) = fits["grid25-wgan-gp"].values()
    mean_at_most(claim, "grid, both over their steepest slopes: penalised less clipped", penalised - clipped, -0.018)
    claim.figure(lambda: surfaces(fits), "level lines of critics of data against data with noise, first seed")
