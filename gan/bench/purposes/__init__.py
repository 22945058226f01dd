"""Every recipe does what it is for: a number beside the plain GAN's, over seeds.

A new entry is one `Purpose` here: a task, a function of `statistics.py`, and what the two trainings differ in.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from gan.bench.purposes import statistics
from gan.bench.purposes.purpose import Finding, Plan, Purpose
from gan.networks import Architecture

__all__ = ["PURPOSES", "Finding", "Plan", "Purpose"]

_AFFINE = Architecture(())
_WEIGHT = {"penalty_weight": 1.0}

# A generator that learns faster than its critic: the plain one runs from mode to mode.
RING: Mapping[str, Any] = {"data": "ring8", "lr": 5e-4, "generator_lr": 2e-3, "batch": 32, "steps": 1000}
_RING = "`ring8`, generator's rate 2e-3, critic's {}, batch {}, {} steps".format
_COVER = partial(
    Purpose,
    task=_RING("5e-4", 32, 1000),
    statistic="modes of 8 with 1 % of the samples within 3 sigma",
    better="higher",
    value=statistics.modes,
    shared=RING,
)

# A game near its end: an affine generator can be the target, a segment, and the plain one circles around it.
_LINE = {"data": "lines", "batch": 32, "steps": 800, "lr": 5e-3, "snapshots": 16, "generator": _AFFINE}
_ON_LINE = "an affine generator on `lines`, batch 32, rates 5e-3, 800 steps"
_REST = partial(
    Purpose,
    purpose="come to rest where the plain GAN circles",
    task=_ON_LINE,
    statistic="movement of a generated point from one snapshot to the next",
    better="lower",
    value=statistics.movement,
    shared=_LINE,
)
_WEIGHTED = partial(_REST, task=f"{_ON_LINE}, penalty weight 1", own=_WEIGHT)

_LINES = "`lines`, batch 32, 200 steps"
_TRUTH = partial(
    Purpose,
    purpose="say a number that falls as the distance does",
    task=_LINES,
    statistic="rank correlation of the critic's estimate with W1 along training",
    better="higher",
    value=statistics.truthfulness,
    shared={"data": "lines", "steps": 200, "batch": 32, "snapshots": 10},
)

_ALL = (
    Purpose(
        recipe="max-likelihood",
        purpose="fit all of the data, not a part of it",
        task="a Gaussian on `mixture1d`, batch 512, rates 5e-3, 500 steps",
        statistic="KL(p, q) beyond that of the best Gaussian, nats",
        better="lower",
        value=statistics.forward_excess,
        shared={"data": "mixture1d", "latent": 1, "steps": 500, "batch": 512, "lr": 5e-3, "generator": _AFFINE}
        | {"critic": Architecture((32, 32), "tanh")},
    ),
    _COVER(recipe="unrolled", purpose="keep modes by looking ahead"),
    _COVER(
        recipe="pacgan",
        purpose="keep modes by judging pairs",
        task=_RING("5e-4", 64, 1500),
        shared={**RING, "steps": 1500, "batch": 64},
    ),
    _COVER(
        recipe="minibatch-discrimination",
        purpose="keep modes by seeing the batch",
        task=_RING("1e-3", 32, 800),
        shared={**RING, "steps": 800, "lr": 1e-3},
    ),
    _COVER(
        recipe="wgan-gp",
        purpose="keep modes by a distance that does not saturate",
        task=_RING("5e-4", 32, 1000) + ", penalty weight 1, five critic steps",
        own=_WEIGHT,
    ),
    Purpose(
        recipe="virtual-batch-norm",
        purpose="normalise without letting points of a batch see each other",
        task="`ring8`, 200 steps; the plain GAN's generator has batch normalisation",
        statistic="change of an output when the rest of its batch is exchanged, over the outputs' spread",
        better="lower",
        value=statistics.sway,
        shared={"data": "ring8", "steps": 200},
        other={"generator": Architecture((32, 32), batch_norm=True)},
    ),
    Purpose(
        recipe="ebgan",
        purpose="learn where the data are",
        task="`ring8`, 500 steps; other points are drawn evenly from the square around",
        statistic="chance that a real point has the better score",
        better="higher",
        value=statistics.recognises,
        shared={"data": "ring8", "steps": 500, "snapshots": 10},
    ),
    _TRUTH(
        recipe="began",
        task=f"{_LINES}, a critic of 32 and 1",
        own={"critic": Architecture((32, 1))},  # an auto-encoder's bottleneck: a segment has one coordinate
    ),
    Purpose(
        recipe="mmd-gan",
        purpose="learn a kernel's features to match",
        task="`digits`, 150 steps; five critic steps, one hidden layer of 256, rates 5e-4 and 1e-3",
        statistic="W1 to the held-out pictures",
        better="lower",
        value=partial(statistics.at_end, measure="w1", n=statistics.FEW),
        # On points of the plane weights clipped at 0.01 see too little of two coordinates.
        shared={"data": "digits", "latent": 8, "steps": 150, "generator": Architecture((64, 64))},
        own={"critic": Architecture((256,)), "lr": 5e-4, "generator_lr": 1e-3},
        other={"critic": Architecture((64, 64))},
    ),
    _TRUTH(recipe="sinkhorn-gan", own={"critic_steps": 1}),
    Purpose(
        recipe="dragan",
        purpose="keep the critic's slope near 1 around the data",
        task=_ON_LINE,
        statistic="mean distance of the slope from 1, around real points",
        better="lower",
        value=statistics.off_one,
        shared=_LINE,
    ),
    _WEIGHTED(recipe="r1"),
    _WEIGHTED(recipe="r2"),
    _WEIGHTED(recipe="r3gan", than="relativistic", against="relativistic alone"),
    _REST(recipe="historical-averaging"),
    _REST(recipe="feature-matching"),
    _REST(recipe="instance-noise"),
    Purpose(
        recipe="experience-replay",
        purpose="let the critic not forget what it has seen",
        task=_RING("5e-4", 32, 500),
        statistic="chance that a fake of 50 steps ago beats a real point",
        better="lower",
        value=statistics.forgotten,
        shared={**RING, "steps": 500, "snapshots": 20},
    ),
    Purpose(
        recipe="label-smoothing",
        purpose="bound the critic's confidence by 0.9",
        task="an affine generator at rest, `lines`, batch 32, rate 5e-3, 500 steps",
        statistic="mean probability of being real, at real points",
        better="lower",
        value=statistics.confidence,
        # Critics that face a generator at rest come as near to the best critic as they can.
        shared={**_LINE, "generator_lr": 1e-9, "steps": 500, "snapshots": 1},
    ),
    Purpose(
        recipe="sngan",
        purpose="bound the critic's slope by 1 everywhere",
        task=f"{_ON_LINE}, one critic step",
        statistic="product of the spectral norms of the critic's weights",
        better="lower",
        value=statistics.lipschitz,
        shared=_LINE,
        own={"critic_steps": 1},
    ),
    Purpose(
        recipe="cgan",
        purpose="make what it is told",
        task="`ring8`, its modes as labels, 400 steps",
        statistic="share of points of the class that was told",
        better="higher",
        value=statistics.obeyed,
        shared={"data": "ring8", "steps": 400},
    ),
    Purpose(
        recipe="infogan",
        purpose="give inputs a meaning that can be read off",
        task="`ring8`, two codes of six inputs, 400 steps",
        statistic="R² of two inputs, read off a point by its ten nearest neighbours",
        better="higher",
        value=statistics.readable,
        shared={"data": "ring8", "steps": 400},
        own={"latent": 4},
        other={"latent": 6},
    ),
    Purpose(
        recipe="cyclegan",
        purpose="translate there and back",
        task="`ring8` and `gaussian`, unpaired, 300 steps",
        statistic="distance of a point and its round trip, over that of two points",
        better="lower",
        value=statistics.round_trip,
        shared={"data": ("ring8", "gaussian"), "steps": 300},
        than="cyclegan-without-cycle",
        against="its cycle term left out",
    ),
    Purpose(
        recipe="dcgan",
        purpose="make pictures by convolutions",
        task="`digits`, channels 16, 32 beside a perceptron of 64, 64; batch 32, 300 steps",
        statistic="Fréchet distance in a classifier's features",
        better="lower",
        value=partial(statistics.at_end, measure="frechet_features", n=179),  # the rows of digits that are held out
        shared={"data": "digits", "latent": 16, "batch": 32, "steps": 300},
        own={"generator": Architecture((16, 32)), "critic": Architecture((16, 32))},
        other={"generator": Architecture((64, 64)), "critic": Architecture((64, 64))},
    ),
)

PURPOSES: Mapping[str, Purpose] = {purpose.recipe: purpose for purpose in _ALL}
"""Every purpose by its recipe's name."""
