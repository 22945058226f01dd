"""Every recipe does what it is for: a number beside the plain GAN's, over seeds.

A new entry is one `Purpose` here and one function of a `Plan` that gives the recipe's statistic and the plain GAN's.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from gan.bench.purposes import collapse, conditions, pictures, slopes, training
from gan.bench.purposes.purpose import Finding, Plan, Purpose

__all__ = ["PURPOSES", "Finding", "Plan", "Purpose"]

_COVER = partial(
    Purpose,
    task=collapse.TASK.format("5e-4", 32, 1000),
    statistic="modes of 8 with 1 % of the samples within 3 sigma",
    better="higher",
)
_REST = partial(
    Purpose,
    purpose="come to rest where the plain GAN circles",
    task=training.TASKS["line"],
    statistic="movement of a generated point from one snapshot to the next",
    better="lower",
)
_WEIGHTED = training.TASKS["line"] + ", penalty weight 1"
_TRUTH = partial(
    Purpose,
    purpose="say a number that falls as the distance does",
    task=training.TASKS["truth"],
    statistic="rank correlation of the critic's estimate with W1 along training",
    better="higher",
)
_ENERGY = partial(
    Purpose,
    purpose="learn where the data are",
    task=training.TASKS["square"],
    statistic="chance that a real point has the better score",
    better="higher",
)

_ALL = (
    Purpose(
        "max-likelihood",
        "fit all of the data, not a part of it",
        training.TASKS["gaussian"],
        "KL(p, q) beyond that of the best Gaussian, nats",
        "lower",
        training.fits("max-likelihood"),
    ),
    _COVER("unrolled", "keep modes by looking ahead", measure=collapse.covers("unrolled")),
    _COVER(
        "pacgan",
        "keep modes by judging pairs",
        task=collapse.TASK.format("5e-4", 64, 1500),
        measure=collapse.covers("pacgan", 1500, batch=64),
    ),
    _COVER(
        "minibatch-discrimination",
        "keep modes by seeing the batch",
        task=collapse.TASK.format("1e-3", 32, 800),
        measure=collapse.covers("minibatch-discrimination", 800, lr=1e-3),
    ),
    _COVER(
        "wgan-gp",
        "keep modes by a distance that does not saturate",
        task=collapse.TASK.format("5e-4", 32, 1000) + ", penalty weight 1, five critic steps",
        measure=collapse.covers("wgan-gp", own={"penalty_weight": 1.0}),
    ),
    Purpose(
        "virtual-batch-norm",
        "normalise without letting points of a batch see each other",
        training.TASKS["batch"],
        "change of an output when the rest of its batch is exchanged, over the outputs' spread",
        "lower",
        training.alone("virtual-batch-norm"),
    ),
    _ENERGY("ebgan", measure=training.knows("ebgan")),
    _TRUTH(
        "began",
        task=training.TASKS["truth"] + ", a critic of 32 and 1",
        measure=training.tells("began", critic=training.BOTTLENECK),
    ),
    Purpose(
        "mmd-gan",
        "learn a kernel's features to match",
        "`digits`, 150 steps; five critic steps, one hidden layer of 256, rates 5e-4 and 1e-3",
        "W1 to the held-out pictures",
        "lower",
        pictures.matches,
    ),
    _TRUTH("sinkhorn-gan", measure=training.tells("sinkhorn-gan", critic_steps=1)),
    Purpose(
        "dragan",
        "keep the critic's slope near 1 around the data",
        training.TASKS["line"],
        "mean distance of the slope from 1, around real points",
        "lower",
        slopes.tame("dragan", slopes.off_one),
    ),
    _REST("r1", task=_WEIGHTED, measure=training.rests("r1", penalty_weight=1.0)),
    _REST("r2", task=_WEIGHTED, measure=training.rests("r2", penalty_weight=1.0)),
    _REST(
        "r3gan",
        task=_WEIGHTED,
        measure=training.rests("r3gan", "relativistic", penalty_weight=1.0),
        against="relativistic alone",
    ),
    _REST("historical-averaging", measure=training.rests("historical-averaging")),
    _REST("feature-matching", measure=training.rests("feature-matching")),
    _REST("instance-noise", measure=training.rests("instance-noise")),
    Purpose(
        "experience-replay",
        "let the critic not forget what it has seen",
        training.TASKS["past"],
        "chance that a fake of 50 steps ago beats a real point",
        "lower",
        training.remembers("experience-replay"),
    ),
    Purpose(
        "label-smoothing",
        "bound the critic's confidence by 0.9",
        training.TASKS["rest"],
        "mean probability of being real, at real points",
        "lower",
        slopes.against_fixed("label-smoothing", slopes.confidence),
    ),
    Purpose(
        "sngan",
        "bound the critic's slope by 1 everywhere",
        training.TASKS["line"] + ", one critic step",
        "product of the spectral norms of the critic's weights",
        "lower",
        slopes.tame("sngan", slopes.lipschitz, critic_steps=1),
    ),
    Purpose(
        "cgan",
        "make what it is told",
        "`ring8`, its modes as labels, 400 steps",
        "share of points of the class that was told",
        "higher",
        conditions.labels,
    ),
    Purpose(
        "infogan",
        "give inputs a meaning that can be read off",
        "`ring8`, two codes of six inputs, 400 steps",
        "R² of two inputs, read off a point by its ten nearest neighbours",
        "higher",
        conditions.codes,
    ),
    Purpose(
        "cyclegan",
        "translate there and back",
        "`ring8` and `gaussian`, unpaired, 300 steps",
        "distance of a point and its round trip, over that of two points",
        "lower",
        conditions.there_and_back,
        against="its cycle term left out",
    ),
    Purpose(
        "dcgan",
        "make pictures by convolutions",
        "`digits`, channels 16, 32 beside a perceptron of 64, 64; batch 32, 300 steps",
        "Fréchet distance in a classifier's features",
        "lower",
        pictures.digits,
    ),
)

PURPOSES: Mapping[str, Purpose] = MappingProxyType({purpose.recipe: purpose for purpose in _ALL})
"""Every purpose by its recipe's name."""
