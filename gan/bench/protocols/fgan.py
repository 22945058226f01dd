"""f-GAN's experiment: a Gaussian fitted to a mixture on the line under each divergence, whose best fit is known."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan import runs
from gan.bench.gaussian_fits import divergence, nearest
from gan.bench.protocol import Cell, Column, Protocol, Published, Rule
from gan.config import Config
from gan.networks import Architecture
from gan.runs import Run

# The cell, its recipe, the divergence that it minimises.
FITS = (
    ("KL", "fgan-kl", "kl"),
    ("reverse KL", "fgan-reverse-kl", "reverse_kl"),
    ("JS", "fgan-js", "js"),
    ("Jeffreys", "fgan-jeffreys", "jeffreys"),
    ("Pearson", "fgan-pearson", "pearson"),
    ("Neyman", "fgan-neyman", "neyman"),
    ("squared Hellinger", "fgan-squared-hellinger", "squared_hellinger"),
    ("total variation", "hinge", "total_variation"),
    ("Le Cam", "fgan-le-cam", "le_cam"),
    ("GAN", "fgan-gan", "gan"),
    ("W1", "wgan-gp-onesided", "w1"),
    ("W2", "sinkhorn-gan", "w2"),
)
MINIMISED = {name: divergence for name, _, divergence in FITS}

# Table 2 of the paper: mean and sd of the fit, the critic's estimate. Its JS is twice ours.
PAPER = {
    "KL": (1.0335, 1.8236, 0.2801),
    "reverse KL": (1.5624, 1.6403, 0.2415),
    "JS": (1.2854, 1.7659, 0.1226 / 2),
    "Jeffreys": (1.2295, 1.8087, 0.5151),
    "Pearson": (0.6157, 1.9031, 0.6379),
}
# The optima that stand beside them there.
PAPER_OPTIMA = {
    "KL": (1.0100, 1.8308, 0.2831),
    "reverse KL": (1.5782, 1.6319, 0.2480),
    "JS": (1.3070, 1.7542, 0.1280 / 2),
    "Jeffreys": (1.3218, 1.7034, 0.5705),
    "Pearson": (0.5737, 1.9274, 0.6457),
}


def paper_errors(name: str) -> tuple[float, float]:
    """The paper's own errors of mean and sd; for a fit that is not in it, the largest of those that are."""
    errors = {
        key: (abs(PAPER[key][0] - PAPER_OPTIMA[key][0]), abs(PAPER[key][1] - PAPER_OPTIMA[key][1])) for key in PAPER
    }
    return errors.get(name) or (max(e[0] for e in errors.values()), max(e[1] for e in errors.values()))


def fitted(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd |w| of the affine generators mean + w z that a run holds, slow averages if it has them: (S,) each."""
    _, state = runs.restore(folder)
    parameters = state.memory.get("average", state.generator.parameters).double().cpu()
    return parameters[:, -1].numpy(), torch.linalg.vector_norm(parameters[:, :-1], dim=1).numpy()


def _mean(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    return fitted(folder)[0]


def _sd(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    return fitted(folder)[1]


def _mean_error(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    return np.abs(fitted(folder)[0] - nearest(MINIMISED[cell.name]).mean)


def _sd_error(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    return np.abs(fitted(folder)[1] - nearest(MINIMISED[cell.name]).sd)


def _share(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    if cell.name not in PAPER:
        return np.full(len(cell.config.replicas), np.nan)
    mean, sd = paper_errors(cell.name)
    return np.maximum(_mean_error(cell, folder, run) / mean, _sd_error(cell, folder, run) / sd)


def _divergence(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    of = MINIMISED[cell.name]
    return np.array([divergence(of, m, s) if s > 0 else np.nan for m, s in zip(*fitted(folder), strict=True)])


def _cell(name: str, recipe: str) -> Cell:
    best, errors = nearest(MINIMISED[name]), paper_errors(name)
    exact = {"mean": best.mean, "sd": best.sd, "divergence": best.value, "mean error": 0.0, "sd error": 0.0}
    rules = (Rule("mean error", "<=", errors[0] / 2), Rule("sd error", "<=", errors[1] / 2))
    return Cell(name, Config(recipe=recipe, **{**_SHARED, **_OWN.get(name, {})}), ("w1",), 2048, rules, exact)


_WAVES = (1.0, 2.0, 4.0)  # the narrow mode needs detail
_FLAT = Architecture((32, 32), "tanh", frequencies=_WAVES)
_SHARED = {
    "data": "mixture1d",
    "steps": 2000,
    "batch": 256,
    "critic_steps": 2,
    "lr": 3e-3,
    "generator_lr": 5e-3,
    "betas": (0.5, 0.99),  # e^v has heavy tails: at 0.999 one giant gradient stills the critic for a thousand steps
    "generator": Architecture(()),
    "critic": Architecture((32, 32), "softplus", frequencies=_WAVES),
    "latent": 16,  # mean + w z, a Gaussian of sd |w| near 1.3 at first: one number z would make it next to 0 or wide
    "anneal": True,
    "average": 0.999,
}
_OWN: Mapping[str, dict[str, Any]] = {
    **{name: {"batch": 512} for name in PAPER},  # held to bars of their own, finer than the others'
    "KL": {"batch": 1024},
    # Straight tails run away where q has points and p next to none: e^(-v / 2) is what that pays, without end.
    "Neyman": {"generator_lr": 1e-2, "critic": _FLAT},
    "total variation": {"lr": 1e-2, "critic_steps": 4, "critic": _FLAT},
    "W1": {"lr": 2e-3, "generator_lr": 3e-3, "critic_steps": 5, "betas": None},
    "W2": {
        "lr": 1e-2,
        "generator_lr": None,
        "critic_steps": None,
        "betas": None,
        "batch": 128,
        "steps": 600,
        "average": 0.98,
        "critic": Architecture(()),
    },
}

PROTOCOL = Protocol(
    name="fgan",
    description="The fit of Nowozin, Cseke & Tomioka (2016), section 4.1: a Gaussian mean + sd z for the mixture "
    "0.33 N(-1, 0.255^2) + 0.67 N(2, 1.415^2), once under each divergence. The best fit, by quadrature, stands under "
    "each row; a seed succeeds if both errors are at most half of the paper's.",
    cells=tuple(_cell(name, recipe) for name, recipe, _ in FITS),
    columns=(
        Column("mean error", _mean_error, meaning="distance of the generator's mean from that of the best Gaussian."),
        Column("sd error", _sd_error, meaning="the same of the standard deviation."),
        Column("share of paper's", _share, meaning="the larger of both errors in units of the paper's own."),
        Column("mean", _mean, meaning="of the generator, read from its two parameters."),
        Column("sd", _sd, meaning="of the generator."),
        Column("divergence", _divergence, meaning="between the mixture and the fitted Gaussian, by quadrature."),
        "estimate",
    ),
    published=(
        Published(
            source="Nowozin, Cseke & Tomioka (2016), table 2",
            rows={
                ("mixture1d", name): {
                    "mean": (mean, None),
                    "sd": (sd, None),
                    "estimate": (estimate, None),
                    "mean error": (paper_errors(name)[0], None),
                    "sd error": (paper_errors(name)[1], None),
                }
                for name, (mean, sd, estimate) in PAPER.items()
            },
        ),
    ),
    faults=(
        "The paper does not say which mixture: this one reproduces its fifteen optimal numbers to 3.1e-4.",
        "The paper's JS is twice the Jensen-Shannon divergence; its estimate is halved here.",
        "The paper prints a critic's lower bound where here the exact divergence of the fitted Gaussian stands. It has "
        "five of these divergences; a fit that it lacks is held to half of its largest errors.",
        "Reverse KL and Neyman have a second minimum on the narrow component, at a mean near -0.96 and an sd near 0.3. "
        "Pearson is infinite for an sd below 1.0006, Neyman above 2.0011.",
        "GAN is JS doubled and shifted by log 4: one game at two scales, which Adam does not see.",
        "WGAN-GP's penalty rounds the corners of the best critic: about the integral of (F - G)^2 / 4 lambda rho is "
        "added to W1. Sinkhorn's entropy and finite batch blur W2. So the fixed points of these two are not quite the "
        "optima of W1 and W2. The estimate of W2's row is a squared distance.",
        "W1 has the one-sided penalty: the two-sided one asks for a slope of 1 everywhere, and on the line a slope can "
        "turn from 1 to -1 only through 0, where that penalty is a barrier: the generator runs past its target.",
        "Total variation is fitted by the hinge game, whose best critic pays 2 - 2 TV. f-GAN's own, tanh(v) / 2, "
        "saturates: where it once was sure and the generator moved on, its slope is gone, and two seeds of five were "
        "lost.",
    ),
    differences=(
        "Batches of 256, of 512 where the paper has numbers and of 1024 for KL, instead of 1024; two critic steps; "
        "Adam with rates falling to zero and a second beta of 0.99, and a slow average of the generator, instead of "
        "plain gradient steps of 0.01. At 0.999 one giant gradient of e^v stills a player for a thousand steps.",
        "A critic of 2x32 softplus units, whose tails are straight, instead of 2x64 tanh ones, whose tails are flat; "
        "both see waves of the points. Neyman has tanh: where the fake points have no real ones near, straight tails "
        "run away; so has total variation, whose best critic is flat but for steps.",
        "Settings were chosen on seeds 100 to 114, those of KL, Neyman, total variation and W1 after others had failed "
        "on seeds 0 to 4.",
    ),
    seeds=5,
)
