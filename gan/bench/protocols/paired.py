"""The paired-discriminator study: a ring and a grid with modes wide enough for a CPU, five seeds, strict counting."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binom

from gan.bench.protocol import Cell, Column, Protocol, Published, Rule
from gan.config import Config
from gan.data.mixtures import GRID25_PAIRED, RING8, GaussianMixture
from gan.measures.modes import ceiling
from gan.networks import Architecture
from gan.runs import Run

TARGETS = {"ring8": RING8, "grid25-paired": GRID25_PAIRED}
SAMPLES = 10_000
_MEASURES = ("modes_1pct", "modes", "high_quality", "mode_reverse_kl", "sliced_w1")
# 2x128 LeakyReLU networks and Adam 2e-4 (0.5, 0.999) are what these recipes have anyway.
_ZERO: dict[str, Any] = {"batch": 256, "latent": 16}
_STUDY = _ZERO | dict.fromkeys(("generator", "critic"), Architecture(start="torch"))
_OURS: dict[str, Any] = {"latent": 5, "batch": 128, "critic_steps": 2}

# The row, its recipe, its settings. The last two differ in their networks, and in Adam's betas, alone.
_ROWS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("GAN", "nonsaturating", _STUDY),
    ("GAN, biases from zero", "nonsaturating", _ZERO),
    ("GAN, generator ten times as fast", "nonsaturating", _STUDY | {"lr": 2e-4, "generator_lr": 2e-3}),
    ("RSGAN", "relativistic", _STUDY),
    ("PacGAN2", "pacgan", _STUDY),
    ("R3GAN, gamma 0.03", "r3gan", _STUDY | {"lr": 1e-3, "penalty_weight": 0.03}),
    ("WGAN-GP", "wgan-gp", _OURS | {"lr": 1e-3, "generator_lr": 2e-3, "penalty_weight": 1.0}),
    ("WGAN-GP, waves and mixture", "wgan-gp-mixture", _OURS),
)


def mode_tv(cell: Cell, folder: Path, run: Run) -> np.ndarray:
    """Total variation between the shares of the modes, samples of low quality apart, and the target's weights: (S,)."""
    return np.array([_variation(points, TARGETS[cell.data]) for points in run.samples])


def _variation(points: np.ndarray, data: GaussianMixture) -> float:
    if not np.isfinite(points).all():
        return np.nan
    mode, good = data.assign(torch.from_numpy(points.astype(np.float64)))
    share = np.bincount(mode[good].numpy(), minlength=data.mode_count) / len(points)
    # The class of low quality, of weight zero, has no deficit: the deficits of the modes are the whole distance.
    return float(np.maximum(np.asarray(data.weights) - share, 0).sum())


def mode_tv_floor(data: GaussianMixture, n: int = SAMPLES) -> float:
    """What `mode_tv` is on average for `n` samples of the target itself: exact, from the binomial law of each mode.

    >>> round(mode_tv_floor(RING8), 4), round(mode_tv_floor(GRID25_PAIRED), 4)
    (0.0171, 0.0255)
    """
    hits = np.arange(n + 1)
    deficits = lambda w: float(binom.pmf(hits, n, ceiling(data.dimension) * w) @ np.maximum(w - hits / n, 0))
    return sum(map(deficits, data.weights))


def _cells(data: str, *, modes: int, quality: float) -> tuple[Cell, ...]:
    success = (Rule("modes_1pct", ">=", modes), Rule("high_quality", ">=", quality))
    exact = {"mode_tv": mode_tv_floor(TARGETS[data])}
    return tuple(
        Cell(name, Config(recipe=recipe, data=data, steps=50_000, **settings), _MEASURES, SAMPLES, success, exact)
        for name, recipe, settings in _ROWS
    )


def _row(
    modes: float, quality: float, tv: float, errors: tuple[float | None, float | None, float]
) -> dict[str, tuple[float, float | None]]:
    values = {"modes_1pct": modes, "high_quality": quality, "mode_tv": tv}
    return {name: (value, error) for (name, value), error in zip(values.items(), errors, strict=True)}


PROTOCOL = Protocol(
    name="paired",
    description="The paired-discriminator study (2026): a ring of radius 2 and a grid of spacing 1.5, sigma 0.1; 2x128 "
    "LeakyReLU networks, 16 latent dimensions, batch 256, Adam 2e-4, 50,000 updates. A mode is covered by 1 % of "
    "10,000 samples within 3 sigma. Here a tenth of the updates, unless a budget of 1 is asked for. A seed succeeds "
    "with all modes covered and 90 % (ring) or 80 % (grid) of its samples within 3 sigma.",
    cells=(*_cells("ring8", modes=8, quality=0.9), *_cells("grid25-paired", modes=25, quality=0.8)),
    columns=(
        "modes_1pct",
        "high_quality",
        Column(
            "mode_tv",
            mode_tv,
            meaning="Total variation between the shares of the modes, low quality apart, and equal shares.",
        ),
        "mode_reverse_kl",
        "modes",
        "sliced_w1",
    ),
    published=(
        Published(
            "brycesandlund/paired-discriminator (2026): means of 5 seeds after 50,000 updates",
            {
                ("ring8", "GAN"): _row(6.80, 0.927, 0.183, (0.84, 0.016, 0.074)),
                ("ring8", "RSGAN"): _row(7.40, 0.930, 0.198, (1.34, 0.017, 0.220)),
                ("ring8", "paired"): _row(8.00, 0.931, 0.069, (0.00, 0.020, 0.020)),
                ("grid25-paired", "GAN"): _row(7.2, 0.737, 0.718, (None, None, 0.023)),
                ("grid25-paired", "RSGAN"): _row(7.8, 0.735, 0.686, (None, None, 0.039)),
                ("grid25-paired", "paired"): _row(24.4, 0.758, 0.242, (None, None, 0.050)),
                ("grid25-paired", "PacGAN2"): _row(24.6, 0.784, 0.216, (None, 0.034, 0.028)),
            },
            error="standard deviation over 5 seeds",
        ),
    ),
    faults=(
        "At best 98.889 % of a perfect generator's samples lie within 3 sigma: a share above that comes of samples "
        "narrower than the target.",
        "The mode-TV calls those others wrong as well: a perfect generator gets 0.017 on the ring and 0.026 on the "
        "grid at 10,000 samples, not 0. The study states the floor of its fine-grid TV only (0.111 and 0.191), "
        "a measure that is not taken here.",
        "A mode that holds 0.9 % of the samples counts as lost, though a perfect generator's holds 4 % on the grid.",
        "What a tenth of the updates leaves of the study's own settings is in part a blur that covers few modes, and "
        "not collapse, which shows as few modes of high quality.",
        "How weights begin decides as much as the objective: the study has torch's own start, whose scattered biases "
        "place the bends of the first layer. From zero biases, as `he` has them, the same plain GAN collapses on the "
        "ring and stays a blur on the grid.",
    ),
    differences=(
        "The last two rows and `GAN, biases from zero` begin with weights scaled to the width and zero biases.",
        "The last two rows take 2 steps of the critic per update on batches of 128: as many points as one of 256.",
        "`WGAN-GP, waves and mixture` is not of the study's networks: its critic sees waves of the points, its "
        "generator draws from a learned mixture of 100 components. It knows that the target is in pieces and how "
        "fine they are. Its settings were chosen by some 30 short runs of one or two seeds, nearly all on the grid.",
    ),
    budget=0.1,
    seeds=5,
)
