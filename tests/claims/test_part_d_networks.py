"""Part D: which networks the lectures prescribe."""

from typing import Any

import numpy as np
import pytest
import torch

from gan.bench.protocols import robustness
from gan.bench.purposes.purpose import trained
from gan.bench.purposes.statistics import modes
from gan.config import Config
from gan.game import Game
from gan.networks import Architecture
from gan.random import Stream
from tests.claims import figures

KINDS = ("Affine", "Convolution", "TransposedConvolution", "BatchNorm", "Pointwise")


def counts(parts):
    """How many parts of each kind there are, and how many of any other."""
    names = [type(part).__name__ for part in parts]
    return [*(names.count(kind) for kind in KINDS), sum(name not in KINDS for name in names)]


def values(part):
    """A nonlinearity at -10, -1, 0, 1, 10."""
    return part(torch.zeros(1, 0), torch.tensor([[[-10.0, -1.0, 0.0, 1.0, 10.0]]])).ravel()


@pytest.mark.claim("D42")
def test_rules_of_dcgan(claim):
    """DCGAN goes up by transposed and down by strided convolutions, normalises the layers inside, and never pools."""
    claim.source("I")
    layers = Architecture((8, 16, 32))
    game: Any = Game(Config(recipe="dcgan", data="digits", seeds=range(2), generator=layers, critic=layers, latent=10))
    up, down = game.generator.parts, game.critic.parts
    claim.check("G: affine, convolutions, transposed, norms, nonlinearities, others", expected=[1, 0, 3, 3, 4, 0],
                measured=counts(up))  # fmt: skip
    claim.check("D: affine, convolutions, transposed, norms, nonlinearities, others", expected=[1, 3, 0, 2, 3, 0],
                measured=counts(down))  # fmt: skip
    raises = [part for part in up if type(part).__name__ == "TransposedConvolution"]
    lowers = [part for part in down if type(part).__name__ == "Convolution"]
    claim.check("strides", expected=2, measured=[part.stride for part in (*raises, *lowers)])
    claim.check("G: sides", expected=[1, 2, 4, 8], measured=[raises[0].shape[1], *(p.output[1] for p in raises)])
    claim.check("D: sides", expected=[8, 4, 2, 1], measured=[lowers[0].shape[1], *(p.output[1] for p in lowers)])
    weighted = lambda parts: [k for k, part in enumerate(parts) if type(part).__name__ in KINDS[:3]]
    followed = lambda parts: [type(parts[k + 1]).__name__ == "BatchNorm" for k in weighted(parts)]
    claim.check("G: layer followed by a norm, not the output", expected=[1, 1, 1, 0], measured=followed(up))
    claim.check(
        "D: the same, not the input, nor the score",
        expected=[0, 1, 1, 0],
        measured=followed((*down, None)),
    )
    kinks = lambda parts: [values(part).numpy() for part in parts if type(part).__name__ == "Pointwise"]
    claim.check("G inside: ReLU", expected=[0, 0, 0, 1, 10], measured=kinks(up)[:-1])
    claim.check("G's output: tanh", expected=np.tanh([-10, -1, 0, 1, 10]), measured=kinks(up)[-1], tolerance=1e-6)
    claim.check("D: LeakyReLU 0.2", expected=[-2, -0.2, 0, 1, 10], measured=kinks(down), tolerance=1e-6)
    score = torch.tensor([-3.0, 0.5, 2.0], dtype=torch.float64)
    loss = [float(game.recipe.objective.critic_loss(s[None], torch.full((1,), -1e4))) for s in score]
    sigmoid = 1 / (1 + np.exp(-score.numpy()))
    claim.check("D's output: sigmoid of the score", expected=sigmoid, measured=np.exp(-np.array(loss)), tolerance=1e-12)
    theta = game.generator.initial(game.seeds, Stream.GENERATOR_WEIGHTS, dtype=torch.float32)
    images = game.generator(30 * theta, game.latent(Stream.LATENT, 0, 16))
    claim.at_most("thirty times the weights: largest pixel", measured=float(images.abs().max()), bound=1)


def sweep(claim, count, steps):
    """Modes of the ring that a GAN and a WGAN-GP cover on the first random pairs of architectures: the counts."""
    claim.source("I")
    claim.check("the lecture's rows: pairs", expected=200, measured=np.sum(list(robustness.PRINTED.values()), axis=0))
    shared = {"data": "ring8", "lr": robustness.LEARNING_RATE, "batch": 64, "steps": steps, "every": steps}
    reached = []
    for k, (generator, critic) in enumerate(robustness.pairs(count)):
        pair = {"generator": generator, "critic": critic, "seeds": (300 + k,), **shared}
        reached.append([modes(trained(Config(recipe=name, **pair)))[0] for name in ("nonsaturating", "wgan-gp")])
    gan, wgan_gp = np.transpose(reached)
    table = np.transpose([robustness.counts(gan, wgan_gp, bar) for bar in robustness.BARS])
    at = lambda scores, bar: {k for k in range(count) if scores[k] >= bar}
    a, b = ([at(scores, bar) for bar in robustness.BARS] for scores in (gan, wgan_gp))
    pairs = list(zip(a, b, strict=True))
    claim.check("1, 3, 5, 7, 8 modes: only GAN", expected=[len(g - w) for g, w in pairs], measured=table[0])
    claim.check("only WGAN-GP", expected=[len(w - g) for g, w in pairs], measured=table[1])
    claim.check("both", expected=[len(g & w) for g, w in pairs], measured=table[2])
    claim.check("neither", expected=[count - len(g | w) for g, w in pairs], measured=table[3])
    return dict(zip(robustness.PRINTED, table, strict=True))


@pytest.mark.slow
@pytest.mark.claim("D28")
def test_robustness_sweep_in_full(claim):
    """Two dozen random pairs of architectures, counted as the lecture counts its 200, after 100 steps each."""
    counted = sweep(claim, 24, 100)
    tables = {
        "the lecture's 200 pairs, inception score at least": ((1, 3, 5, 7, 9), robustness.PRINTED),
        "two dozen of ours, modes of 8 at least": (robustness.BARS, counted),
    }
    claim.figure(lambda: figures.counted_pairs(tables), "pairs of architectures that reach a bar, with which recipe")


@pytest.mark.claim("D28")
def test_robustness_sweep(claim):
    """The lecture's counts are of 200 pairs at each bar; three pairs of ours, after 30 steps, counted as those."""
    sweep(claim, 3, 30)
