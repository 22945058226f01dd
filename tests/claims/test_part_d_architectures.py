"""Part D: which objectives learn with which architectures; bounds as in `test_part_d_training`.

The lecture's seven pairs of networks, as perceptrons on a ring of eight modes: widths stand for numbers of filters. For
WGAN-GP a critic is not normalised, as its paper advises: the penalty is on each point by itself.
"""

from collections.abc import Mapping

import numpy as np
import pytest

from gan.bench.purposes.purpose import Plan, alive, trained
from gan.measures import Reference
from gan.networks import Architecture
from tests.claims import figures
from tests.claims.seeds import mean_at_least, mean_at_most

FUNNEL, BACK = (16, 32, 64), (64, 32, 16)
PAIRS: Mapping[str, tuple[Architecture, Architecture]] = {
    "baseline": (Architecture(BACK, "relu", batch_norm=True), Architecture(FUNNEL, batch_norm=True)),
    "G constant, no norm": (Architecture((32,) * 3, "relu"), Architecture(FUNNEL, batch_norm=True)),
    "G perceptron of 4": (Architecture((64,) * 4, "relu"), Architecture(FUNNEL, batch_norm=True)),
    "no norm": (Architecture(BACK, "relu"), Architecture(FUNNEL)),
    "constant, no norm": (Architecture((32,) * 3, "relu"), Architecture((32,) * 3)),
    "tanh": (Architecture(BACK, "tanh", batch_norm=True), Architecture(FUNNEL, "tanh", batch_norm=True)),
    "ten layers": (Architecture((32,) * 10, "relu"), Architecture((32,) * 10)),
}
# The first is DCGAN's objective, optimiser and batch normalisation; its networks are the baseline.
OBJECTIVES = {"DCGAN": "nonsaturating", "LSGAN": "lsgan", "WGAN": "wgan", "WGAN-GP": "wgan-gp"}
SETTINGS = {"WGAN-GP": {"penalty_weight": 1.0}}
STEPS = 150
BAR = 2 / 3  # of W1 left: below it a training is a success
LEFT = {
    ("WGAN", "no norm"): 0.87,
    ("WGAN", "constant, no norm"): 0.87,
    ("WGAN-GP", "baseline"): 0.66,
    ("WGAN-GP", "G constant, no norm"): 0.79,
    ("WGAN-GP", "G perceptron of 4"): 0.85,
    ("WGAN-GP", "no norm"): 0.75,
    ("WGAN-GP", "constant, no norm"): 0.73,
    ("WGAN-GP", "tanh"): 0.72,
    ("WGAN-GP", "ten layers"): 0.58,
}  # what other seeds promise


def left(objective, pair, plan):
    """The share of W1 that is left after a training: (S,)."""
    generator, critic = PAIRS[pair]
    if objective == "WGAN-GP":
        critic = Architecture(critic.hidden, critic.activation)
    networks = {"generator": generator, "critic": critic}
    path = trained(plan.config(OBJECTIVES[objective], steps=STEPS, **networks, **SETTINGS.get(objective, {})))
    reference = Reference.of(path[0].game.target, path[0].game.seeds, 500, ("w1",))
    first, last = (reference.evaluate(snapshot.sample(500))["w1"] for snapshot in (path[0], path[-1]))
    return alive(path[-1], np.asarray(last) / np.asarray(first))


@pytest.mark.claim("D43")
def test_wgan_without_normalisation(claim):
    """Without batch normalisation and with constant widths WGAN learns; clipping stops a critic that is normalised."""
    claim.source("I")
    plan, plain = Plan(range(300, 304)), "constant, no norm"
    mean_at_most(claim, "constant, no norm: WGAN, share of W1 left", left("WGAN", plain, plan), LEFT["WGAN", plain])
    mean_at_most(claim, "constant, no norm: WGAN-GP", left("WGAN-GP", plain, plan), LEFT["WGAN-GP", plain])
    mean_at_most(claim, "baseline: WGAN-GP", left("WGAN-GP", "baseline", plan), LEFT["WGAN-GP", "baseline"])
    mean_at_least(claim, "baseline: WGAN, its norms' scales clipped as well", left("WGAN", "baseline", plan), 0.99)


@pytest.mark.slow
@pytest.mark.claim("D43")
def test_architectures_and_objectives(claim):
    """Of seven architectures WGAN-GP learns with every one, WGAN with the two of few layers and no norm."""
    claim.source("I")
    plan = Plan(range(300, 304))
    shares = {name: {pair: left(name, pair, plan) for pair in PAIRS} for name in OBJECTIVES}
    for (name, pair), bound in LEFT.items():
        mean_at_most(claim, f"{pair}: {name}, share of W1 left", shares[name][pair], bound)
    counts = {name: [int((share < BAR).sum()) for share in row.values()] for name, row in shares.items()}
    claim.figure(
        lambda: figures.table(counts, list(PAIRS), most=4),
        f"seeds of 4 with less than two thirds of W1 left after {STEPS} steps, ring of 8 modes",
    )
