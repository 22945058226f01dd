"""The lecture's robustness sweep (claim D28): a GAN and a WGAN-GP on random architectures, counted at score bars.

Gulrajani et al. (2017), table 1, drew 200 of 9216 architectures and counted how often only the GAN, only the WGAN-GP,
both or neither reached an inception score. Here the networks are perceptrons on a ring of eight modes, and the score is
the number of modes covered.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from gan.bench.protocol import Cell, Protocol, Summary
from gan.config import Config
from gan.networks import Architecture

PAIRS = 200
BARS = (1, 3, 5, 7, 8)
LEARNING_RATE = 1e-3
_CHOICES = itertools.product(("relu", "leaky-relu", "softplus", "tanh"), (4, 8, 12, 20), (False, True), (32, 64, 128))
ARCHITECTURES = tuple(Architecture((width,) * depth, kind, norm) for kind, depth, norm, width in _CHOICES)
"""Nonlinearity, depth, batch normalisation and width: 96 networks, hence 9216 pairs."""

PRINTED = {
    "only GAN": (0, 1, 0, 1, 0),
    "only WGAN-GP": (8, 88, 147, 104, 0),
    "both": (192, 110, 42, 5, 0),
    "neither": (0, 1, 11, 90, 200),
}
"""The lecture's counts, at inception scores 1, 3, 5, 7, 9."""


def pairs(count: int) -> list[tuple[Architecture, Architecture]]:
    """The first of `PAIRS` different pairs (generator, critic), drawn once for all.

    >>> len(ARCHITECTURES) ** 2, len(set(map(str, pairs(200))))
    (9216, 200)
    """
    drawn = np.random.default_rng(0).choice(len(ARCHITECTURES) ** 2, PAIRS, replace=False)[:count]
    return [(ARCHITECTURES[k // len(ARCHITECTURES)], ARCHITECTURES[k % len(ARCHITECTURES)]) for k in drawn]


def counts(gan: Sequence[float], wgan_gp: Sequence[float], bar: float) -> tuple[int, int, int, int]:
    """Pairs in which only the first, only the second, both or neither reach the bar; NaN reaches none.

    >>> counts([8.0, 3.0, 1.0], [2.0, 8.0, float("nan")], 3)
    (1, 0, 1, 1)
    """
    one, two = np.asarray(gan) >= bar, np.asarray(wgan_gp) >= bar
    return int((one & ~two).sum()), int((two & ~one).sum()), int((one & two).sum()), int((~one & ~two).sum())


def summary(scores: Mapping[str, Sequence[float]]) -> Summary:
    """The table in the lecture's form, of the pairs of which both are finished; the printed one beside it."""
    both = [k for k in range(PAIRS) if {f"GAN {k:03d}", f"WGAN-GP {k:03d}"} <= set(scores)]
    one, two = ([scores[f"{name} {k:03d}"][0] for k in both] for name in ("GAN", "WGAN-GP"))
    ours = [counts(one, two, bar) for bar in BARS]
    rows = [[what, *(row[k] for row in ours), *PRINTED[what]] for k, what in enumerate(PRINTED)]
    header = ["", *(f"{bar} modes" for bar in BARS), *(f"printed, score {bar}" for bar in (1, 3, 5, 7, 9))]
    return Summary(f"{len(both)} pairs of architectures, and the lecture's {PAIRS}", header, rows)


def _cells() -> tuple[Cell, ...]:
    cells = []
    for k, (generator, critic) in enumerate(pairs(PAIRS)):
        shared = {"generator": generator, "critic": critic, "lr": LEARNING_RATE, "steps": 1000, "batch": 64}
        for name, recipe in (("GAN", "nonsaturating"), ("WGAN-GP", "wgan-gp")):
            cells.append(Cell(f"{name} {k:03d}", Config(recipe=recipe, data="ring8", **shared), ("modes_1pct",)))
    return tuple(cells)


PROTOCOL = Protocol(
    name="robustness",
    description="GAN and WGAN-GP on random architectures: nonlinearity, depth 4 to 20, width 32 to 128, batch "
    "normalisation or none, drawn for each player. Runs as long as it is given: see --seconds.",
    cells=_cells(),
    columns=("modes_1pct",),
    summary=summary,
    faults=(
        "The lecture's score is the inception score of 32x32 images after 200,000 steps; ours is modes covered of "
        "eight by perceptrons after at most 1,000, so only the form of the table is comparable.",
        "One seed per architecture: a pair is a sample of two runs, not a property of the pair.",
    ),
    differences=(
        f"Learning rate {LEARNING_RATE:g} and batch 64 for both; batch normalisation stays on under the penalty.",
    ),
    seeds=1,
    snapshots=2,
)
