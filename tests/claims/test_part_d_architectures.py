"""Part D: which objectives learn with which architectures; bounds as in `test_part_d_training`.

The lecture's seven pairs of networks, as perceptrons on a ring of eight modes: widths stand for numbers of filters. For
WGAN-GP a critic is not normalised, as its paper advises: the penalty is on each point by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
import torch

from gan.bench.purposes.purpose import Plan, trained
from gan.bench.purposes.statistics import alive
from gan.constraints import WeightClipping
from gan.measures import Reference
from gan.networks import Architecture, batchwise
from tests.claims import figures
from tests.claims.games import trained_with
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
NORMALISED = {"weights": 0.89, "norms' scales and shifts": 0.93, "1e-12 added": 0.95}  # of the baseline, the same


def config(objective, pair, plan):
    """A training of one cell."""
    generator, critic = PAIRS[pair]
    if objective == "WGAN-GP":
        critic = Architecture(critic.hidden, critic.activation)
    networks = {"generator": generator, "critic": critic}
    return plan.config(OBJECTIVES[objective], steps=STEPS, **networks, **SETTINGS.get(objective, {}))


def remaining(path):
    """The share of W1 that is left after a training: (S,)."""
    reference = Reference.of(path[0].game.target, path[0].game.seeds, 500, ("w1",))
    first, last = (reference.evaluate(snapshot.sample(500))["w1"] for snapshot in (path[0], path[-1]))
    return alive(path[-1], np.asarray(last) / np.asarray(first))


def left(objective, pair, plan):
    """The share of W1 that a cell leaves: (S,)."""
    return remaining(trained(config(objective, pair, plan)))


@pytest.mark.claim("D43")
def test_wgan_without_normalisation(claim):
    """Without batch normalisation and with constant widths WGAN learns; clipped whole, a normalised critic stops."""
    claim.source("I")
    plan, plain = Plan(range(300, 304)), "constant, no norm"
    mean_at_most(claim, "constant, no norm: WGAN, share of W1 left", left("WGAN", plain, plan), LEFT["WGAN", plain])
    mean_at_most(claim, "constant, no norm: WGAN-GP", left("WGAN-GP", plain, plan), LEFT["WGAN-GP", plain])
    mean_at_most(claim, "baseline: WGAN-GP", left("WGAN-GP", "baseline", plan), LEFT["WGAN-GP", "baseline"])
    mean_at_least(claim, "baseline: WGAN, weights and norms' scales clipped", left("WGAN", "baseline", plan), 0.99)


@dataclass(frozen=True)
class PartClipping(WeightClipping):
    """Clips the weight matrices alone, or all but them: the scales and shifts of the norms, and the last bias."""

    matrices: bool = True

    def after_step(self, parameters, memory, network):
        chosen = torch.full(parameters.shape[1:], not self.matrices)
        for start, rows, columns in network.matrices:
            chosen[start : start + rows * columns] = self.matrices
        with torch.no_grad():
            parameters.copy_(torch.where(chosen, parameters.clamp(-self.bound, self.bound), parameters))
        return memory


@pytest.mark.slow
@pytest.mark.claim("D43")
def test_what_stops_a_clipped_and_normalised_critic(claim):
    """Clipped weights do not stop a normalised critic, nor clipped scales; both do, with the 1e-5 that a norm adds."""
    claim.source("I")
    baseline = config("WGAN", "baseline", Plan(range(300, 304)))
    stopped = trained(baseline)
    mean_at_least(claim, "weights and scales clipped: share of W1 left", remaining(stopped), 0.99)
    slope = stopped[-1].slope.double().max().item()
    claim.at_most("the same: steepest critic of the seeds", measured=slope, bound=1e-12)
    for what, matrices in (("weights", True), ("norms' scales and shifts", False)):
        path = trained_with(baseline, constraint=PartClipping(matrices=matrices))
        mean_at_most(claim, f"{what} alone clipped: share of W1 left", remaining(path), NORMALISED[what])
    with patch.object(batchwise, "EPSILON", 1e-12):
        path = trained_with(baseline)
        mean_at_most(claim, "both clipped, 1e-12 added: share of W1 left", remaining(path), NORMALISED["1e-12 added"])


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
