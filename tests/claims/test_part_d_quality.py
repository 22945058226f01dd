"""Part D: which critic's number follows the quality of the samples; bounds as in `test_part_d_training`.

The generators are snapshots of one training by WGAN-GP. For each of them a critic and a discriminator are trained
afresh, so that no number is that of a critic which the generator has left behind.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import divergences as dv
from gan.bench.purposes.purpose import Plan, trained
from gan.networks import Perceptron
from gan.objectives import OBJECTIVES
from gan.penalties import PENALTIES
from gan.random import Stream
from tests.claims import figures
from tests.claims.critics import fitted
from tests.claims.seeds import mean_at_least, mean_at_most

JUDGED = 10**6  # a step that no training reaches: points that no critic has met
LATENT = {"digits": 16, "ring8": 4}


@dataclass(frozen=True)
class Quality:
    """Along a training, (snapshots, seeds) each: W1 of samples, the critic's estimate of it, the discriminator's JSD.

    `meet` is the share of generated points that are data points as well.
    """

    steps: tuple[int, ...]
    w1: np.ndarray
    critic: np.ndarray
    jsd: np.ndarray
    meet: float


def quality(plan, data, *, steps, snapshots, fit, width=64, judges=2048):
    """Train a generator; at its snapshots train a critic of W1 and a discriminator for `fit` steps each."""
    config = plan.config(
        "wgan-gp", data=data, steps=steps, snapshots=snapshots, penalty_weight=1.0, latent=LATENT[data]
    )
    path = trained(config)
    game, shape = path[0].game, (len(path), len(path[0].game.seeds))
    seeds = game.seeds.repeat(len(path))
    generators = torch.cat([snapshot.state.generator.parameters for snapshot in path])

    def points(seeds, step, count=64, streams=(Stream.REAL, Stream.LATENT)):
        with torch.no_grad():
            fake = game.generator(generators, game.latent(streams[1], step, count, seeds))
        return game.real(streams[0], step, count, seeds), fake

    judged = points(seeds, JUDGED, judges, (Stream.MEASURE_REAL, Stream.MEASURE_LATENT))
    net = Perceptron((game.target.dimension, width, width, 1))
    found = {}
    for name, penalty in (("wasserstein", PENALTIES["one-sided"]), ("minimax", None)):
        objective = OBJECTIVES[name]
        loss = objective.critic_loss
        theta = fitted(net, seeds, fit, points, loss=loss, penalty=penalty, rate=2e-3, anneal=True)
        real, fake = (net(theta, x)[..., 0] for x in judged)
        found[name] = objective.estimate(real, fake).double().numpy().reshape(shape)
    pairs = [tuple(x[:400].double().numpy() for x in pair) for pair in zip(*judged, strict=True)]
    return Quality(
        steps=tuple(snapshot.step for snapshot in path),
        w1=np.reshape([dv.wasserstein(x, y).cost for x, y in pairs], shape),
        critic=found["wasserstein"],
        jsd=(found["minimax"] + np.log(4)) / 2,
        meet=float(np.mean([(y[:, None] == x).all(-1).any(-1).mean() for x, y in pairs])),
    )


def ranks(estimate, truth):
    """Spearman's rank correlation along the training: (snapshots, S) twice -> (S,)."""
    return np.array([spearmanr(a, b)[0] for a, b in zip(estimate.T, truth.T, strict=True)])


def fall(values):
    """The share of its first value that a number loses by the last snapshot: (snapshots, S) -> (S,)."""
    return 1 - values[-1] / values[0]


def followed(claim, found):
    """W1, its estimate and JSD over their first values, the mean over seeds, as a picture."""
    over = lambda values: (values / values[0]).mean(1)
    curves = {"W1": over(found.w1), "critic's estimate of W1": over(found.critic), "JSD": over(found.jsd)}
    claim.figure(
        lambda: figures.curves(found.steps, curves, xlabel="steps of the generator", ylabel="over its first value"),
        "fresh critics of a generator of digits along its training, mean of the seeds",
    )


@pytest.mark.claim("D19")
def test_estimate_follows_quality(claim):
    """Along a training on digits a fresh critic's estimate falls with W1; JSD starts at log 2 and hardly leaves it."""
    claim.source("I")
    found = quality(Plan(range(300, 304)), "digits", steps=100, snapshots=5, fit=200)
    claim.check("generated points that are data points: none, so that JSD is log 2", expected=0, measured=found.meet)
    mean_at_least(claim, "W1 of samples falls by, share", fall(found.w1), 0.43)
    mean_at_least(claim, "rank correlation of W1 and the critic's estimate", ranks(found.critic, found.w1), 0.9)
    mean_at_least(claim, "the critic's estimate falls by", fall(found.critic), 0.65)
    claim.check(
        "log 2 less the first JSD, largest", expected=0, measured=(np.log(2) - found.jsd[0]).max(), tolerance=1e-3
    )
    mean_at_most(claim, "a discriminator's JSD falls by", fall(found.jsd), 0.09)
    unlearned = ranks(found.jsd, found.w1)  # at its optimum it would be a constant, which has no ranks
    mean_at_least(claim, "rank correlation of W1 and what the discriminator has not learned", unlearned, 0.9)


@pytest.mark.slow
@pytest.mark.claim("D19")
def test_estimate_follows_quality_longer(claim):
    """Trained longer, a discriminator's JSD stays at log 2 all along; in the plane, where laws overlap, it falls."""
    claim.source("I")
    found = quality(Plan(range(300, 304)), "digits", steps=100, snapshots=5, fit=800, width=128)
    mean_at_least(claim, "digits: W1 of samples falls by, share", fall(found.w1), 0.43)
    mean_at_least(claim, "digits: rank correlation of W1 and the estimate", ranks(found.critic, found.w1), 0.9)
    mean_at_least(claim, "digits: the estimate over W1", (found.critic / found.w1).mean(0), 0.94)
    mean_at_most(claim, "digits: the same from above", (found.critic / found.w1).mean(0), 1.06)
    mean_at_most(claim, "digits: a discriminator's JSD falls by", fall(found.jsd), 1e-3)
    followed(claim, found)
    found = quality(Plan(range(300, 308)), "ring8", steps=100, snapshots=5, fit=300)
    estimate, jsd = ranks(found.critic, found.w1), ranks(found.jsd, found.w1)
    mean_at_least(claim, "ring of 8: rank correlation of W1 and the estimate", estimate, 0.38)
    mean_at_least(claim, "ring of 8: by how much JSD's is less", estimate - jsd, 0.04)
    mean_at_least(claim, "ring of 8: JSD falls by", fall(found.jsd), 0.56)
