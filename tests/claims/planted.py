"""Errors to plant in what the claims measure: a claim that cannot fail shows nothing.

An error replaces an attribute of its owners by `wrong(right)`; the claims of its rows must then fail.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

import divergences as dv
import gan.game
from divergences.f_divergences.f_divergence import FDivergence
from divergences.optimal_transport import Exact, LinearProgram, Univariate
from gan.bench.protocols import robustness
from gan.conditions import Codes, Labels, Translation
from gan.constraints import WeightClipping
from gan.data import GaussianMixture
from gan.networks import Perceptron
from gan.networks.chain import Pointwise
from gan.networks.convolutional import dcgan_generator
from gan.objectives.scores import Minimax, NonSaturating, Relativistic, Variational, Wasserstein
from gan.optimisers import RMSProp
from gan.penalties import GradientPenalty
from tests.claims import (
    test_part_a_implicit,
    test_part_b_family,
    test_part_c_lipschitz,
    test_part_d,
    test_part_d_dynamics,
    test_part_d_gradients,
    test_part_d_moments,
    test_part_d_practice,
    test_part_d_quality,
)
from tests.claims.wrongs import (
    Wrong,
    backwards,
    changed,
    detached,
    exchanged,
    half_gradient,
    hasty,
    independent,
    loose,
    mirrored,
    mislabelled,
    noisy,
    only,
    raised,
    scaled,
)


@dataclass(frozen=True)
class Error:
    """One planted error, and the rows that must notice."""

    owners: tuple[Any, ...]
    name: str
    wrong: Wrong
    rows: str


CALL = "__call__"
SOLVERS = (Univariate, Exact, LinearProgram)

DIVERGENCES = {
    "KL with its arguments exchanged": Error(
        (FDivergence,), CALL, only("kl", lambda d, p, q: d(q, p)), "A1 A6 A7 A9 A12 B2 B13 D12 D30"
    ),
    "reverse KL that is KL": Error(
        (FDivergence,), CALL, only("reverse_kl", lambda d, p, q: d(q, p)), "A1 A6 A7 A13 B2 D11 D33"
    ),
    "KL tripled": Error((FDivergence,), CALL, only("kl", lambda d, p, q: 3 * d(p, q)), "A14 B5 D30"),
    "JSD without its ½": Error(
        (FDivergence,),
        CALL,
        only("js", lambda d, p, q: 2 * d(p, q)),
        "A1 A3 A4 A5 A18 B8 B12 B13 C12 D2 D3 D11 D13 D30 D33",
    ),
    "JSD with the wrong sign": Error(
        (FDivergence,), CALL, only("js", lambda d, p, q: -d(p, q)), "A1 A2 A3 A4 A5 A6 A18 B8 C12 D2 D13 D33 D35"
    ),
    "every value a little too large": Error((FDivergence,), CALL, raised(1e-6), "A2 A8 B1 B2 B5 B7 B9 B12 B15 D36"),
    "contributions without a factor": Error((FDivergence,), "contributions", scaled(0.5), "A7 A8"),
    "generators without a factor": Error((FDivergence,), "generator", scaled(0.5), "A8 B1 B3 B9"),
    "conjugates with the wrong sign": Error((FDivergence,), "conjugate", mirrored, "B1 B3 B8 B10 B12 B14 B15"),
    "activations with the wrong sign": Error((FDivergence,), "activation", mirrored, "B5 B6"),
    "optimal critics of q and p": Error((FDivergence,), "optimal_critic", exchanged, "B4 B5 B15 D37"),
    "the GAN value without its constant": Error(
        (FDivergence,), CALL, only("gan", lambda d, p, q: d(p, q) + 2 * np.log(2)), "B2 B9 D2 D15 D29 D36 D37 D45"
    ),
    "Pearson and Neyman as printed": Error(
        (FDivergence,), CALL, only("pearson neyman", lambda d, p, q: d(q, p)), "B2 B7"
    ),
    "weights exchanged": Error((dv,), "weighted_js", lambda right: lambda w: right(1 - w), "B12 B13 D39"),
    "estimates of a shifted sample": Error(
        (dv,), "estimate", lambda right: lambda x, y, *args, **options: right(x, y + 0.3, *args, **options), "A10"
    ),
    "a Parzen window that counts twice": Error((test_part_a_implicit,), "logsumexp", raised(0.7), "A17"),
    "f-GAN dated as GAN": Error(
        (test_part_b_family,), "RECIPES", changed(**{"fgan-js": {"source": "Nowozin (2014)"}}), "B11"
    ),
}

TRANSPORT = {
    "a feasible plan that is not optimal": Error(SOLVERS, "solve", independent, "A3 A5 A18 C1 C2 C3 C4 C7 C8 C10 C12"),
    "potentials that are feasible and not optimal": Error(SOLVERS, "solve", loose, "C1 C5 C6"),
    "distances squared": Error(
        (dv,),
        "wasserstein",
        lambda right: lambda x, y, **options: right(x, y, 2, **options),
        "A3 A5 A10 A18 C3 C6 C7 C8 C10 C12",
    ),
    "W with half its gradient": Error((dv,), "wasserstein", half_gradient, "A3 C9"),
    "costs halved": Error(
        (dv,), "transport", lambda right: lambda c, *args, **options: right(c / 2, *args, **options), "C4 C5 C15 C16"
    ),
    "the critic of y and x": Error((dv,), "kantorovich_rubinstein", backwards, "C7 C8 C10 C11"),
    "a network twenty times as steep": Error((Perceptron,), CALL, scaled(20.0), "C13 C14"),
    "a generator with noise of its own": Error((Perceptron,), CALL, noisy, "A11"),
    "no clipping": Error((WeightClipping,), "after_step", lambda right: lambda self, p, memory, net: memory, "C14 D17"),
    "a penalty without its weight": Error((GradientPenalty,), CALL, scaled(0.1), "C18 D23"),
    "steps twice as long": Error((RMSProp,), "direction", hasty, "C20"),
    "one critic step too many": Error((gan.game,), "RECIPES", changed(**{"wgan-gp": {"critic_steps": 6}}), "C19"),
    "W's loss with the wrong sign": Error((Wasserstein,), "critic_loss", scaled(-1.0), "C14 C18 C21 D19 D43"),
    "an activation of slope two": Error(
        (test_part_c_lipschitz,), "ACTIVATIONS", lambda right: {"twice": lambda x: 2 * torch.relu(x)}, "C17"
    ),
    "no spectral normalisation": Error(
        (torch.nn.utils.parametrizations,), "spectral_norm", lambda right: lambda layer: layer, "C21"
    ),
}

GAME = {
    "real and fake exchanged": Error((Minimax,), "critic_loss", exchanged, "A4 D1 D5 D8 D15 D35 D44"),
    "the critic's loss halved": Error((Minimax,), "critic_loss", scaled(0.5), "B6 D2 D3 D5 D29 D30 D34"),
    "the value without its second half": Error(
        (Minimax,), "estimate", lambda right: lambda self, real, fake: real.sigmoid().log().mean(-1), "B6 D4 D15"
    ),
    "a generator with the wrong sign": Error((Minimax,), "generator_loss", scaled(-1.0), "D5 D8 D14 D32 D33 D40 D41"),
    "a generator with half its gradient": Error((Minimax,), "generator_loss", scaled(0.5), "D5 D8 D14 D15 D33 D40 D41"),
    "a generator forty times too steep": Error((Minimax,), "generator_loss", scaled(40.0), "A4 D9"),
    "generators without a gradient": Error(
        (Minimax, NonSaturating), "generator_loss", detached, "A15 A16 D8 D9 D11 D14 D16 D21 D25 D33"
    ),
    "saturating for non-saturating": Error(
        (NonSaturating,), "generator_loss", lambda right: Minimax.generator_loss, "D8 D11 D38"
    ),
    "non-saturating with the wrong sign": Error((NonSaturating,), "generator_loss", scaled(-1.0), "D8 D11 D21 D33"),
    "W's generator with the wrong sign": Error((Wasserstein,), "generator_loss", scaled(-1.0), "D20 D21"),
    "f-GAN with the wrong sign": Error((Variational,), "estimate", scaled(-1.0), "B6"),
    "densities without a factor": Error((GaussianMixture,), "log_density", scaled(0.5), "D37"),
    "data of one mode": Error(
        (GaussianMixture,),
        "sample",
        lambda right: lambda self, *args: right(replace(self, means=self.means[:1] * 8, sigmas=(0.0,) * 8), *args),
        "D44 D45",
    ),
    "recipes with other constants": Error(
        (test_part_d_practice,), "RECIPES", changed(wgan={"critic_steps": 6}, minimax={"batch": 64}), "D22"
    ),
    "pure strategies": Error(
        (test_part_d_dynamics,),
        "best_mixed",
        lambda right: lambda a: (np.eye(len(a))[a.min(axis=1).argmax()], a.min(axis=1).max()),
        "D6",
    ),
    "steps of y with the wrong sign": Error(
        (test_part_d_dynamics,),
        "simultaneous",
        lambda right: lambda h: lambda s: (s[0] - h * s[1], s[1] - h * s[0]),
        "D7",
    ),
    "an extragradient step that is longer": Error(
        (test_part_d_dynamics,), "extragradient", lambda right: lambda h: right(1.2 * h), "D7"
    ),
    "a discriminator farther away than it says": Error(
        (test_part_d_gradients,), "near_optimal", lambda right: lambda epsilon: right(min(3 * epsilon, 1.9)), "D9"
    ),
    "a discriminator with a slope on the supports": Error(
        (test_part_d_gradients,), "boxes", lambda right: lambda x: (1 + x, 1 + 0 * x), "D10"
    ),
    "the lemma with a and b exchanged": Error(
        (test_part_d,), "lemma", lambda right: lambda a, b, y: right(b, a, y), "D31"
    ),
}


def bare_generator(inputs, shape, chosen):
    """DCGAN's generator without batch normalisation."""
    return dcgan_generator(inputs, chosen.hidden, shape, normalise=False)


TRAINING = {
    "a generator without normalisation": Error(
        (gan.game,), "RECIPES", changed(dcgan={"generator": bare_generator}), "D42"
    ),
    "images of any size": Error((Pointwise,), CALL, scaled(1.5), "D42"),
    "labels that are not those of their points": Error((Labels,), "real", mislabelled, "D24"),
    "half a round trip": Error((Translation,), "generator_term", scaled(0.0), "D26"),
    "a pair that the lecture did not draw": Error(
        (robustness,), "PRINTED", lambda right: {**right, "both": (193, 110, 42, 5, 0)}, "D28"
    ),
    "a bar that all pass": Error((robustness,), "counts", lambda right: lambda a, b, bar: right(a, b, bar - 9), "D28"),
    "critics that were never trained": Error(
        (test_part_d_moments, test_part_d_quality),
        "fitted",
        lambda right: lambda net, seeds, steps, *rest, **options: right(net, seeds, 0, *rest, **options),
        "D18 D19",
    ),
    "a relativistic generator without a gradient": Error((Relativistic,), "generator_loss", detached, "D27"),
    "no information term": Error((Codes,), "generator_term", scaled(0.0), "D46"),
}

ERRORS = DIVERGENCES | TRANSPORT | GAME | TRAINING
