"""The preset `paired`: its own column by hand, that column's floor by simulation, and its cells."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gan.bench.protocols.paired import PROTOCOL, SAMPLES, TARGETS, mode_tv, mode_tv_floor
from gan.game import Game
from gan.measures.modes import ceiling
from gan.optimisers import Adam
from gan.random import Stream


def variation(data, points):
    """`mode_tv` of one seed's points."""
    cell = next(cell for cell in PROTOCOL.cells if cell.data == data)
    run: Any = SimpleNamespace(samples=np.asarray(points)[None])
    return float(mode_tv(cell, Path(), run)[0])


def test_mode_tv_by_hand():
    """Half of the sum of differences, over the modes and the class of low quality."""
    means = np.array(TARGETS["ring8"].means)
    assert variation("ring8", means) == 0
    means.flags.writeable = False  # as what is read from a run folder
    assert variation("ring8", means) == 0
    assert variation("ring8", np.repeat(means[:1], 16, axis=0)) == pytest.approx(7 / 8)
    assert variation("ring8", np.zeros((5, 2))) == 1
    half = np.concatenate([means, np.full((8, 2), 9.0)])  # every mode 1/16, low quality 1/2
    assert variation("ring8", half) == pytest.approx((8 * (1 / 8 - 1 / 16) + 1 / 2) / 2)
    assert np.isnan(variation("ring8", np.full((5, 2), np.nan)))


@pytest.mark.parametrize("data", list(TARGETS))
def test_the_floor_of_mode_tv(data):
    """Samples of the target get what the floor says, within 5 standard errors."""
    draws = TARGETS[data].sample(torch.arange(40), Stream.FLOOR, 0, SAMPLES)
    found = np.array([variation(data, points) for points in draws])
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert abs(found.mean() - mode_tv_floor(TARGETS[data])) < 5 * error
    assert found.mean() - (1 - ceiling(2)) > 5 * error  # low quality alone is not the floor: modes fluctuate


def test_the_cells():
    """The study's settings are those of its own rows; both rows of ours differ in the networks that they name."""
    rows = {(cell.data, cell.name): Game(replace(cell.config, seeds=(0,))) for cell in PROTOCOL.cells}
    assert len(rows) == 16
    for data in TARGETS:
        for name in ("GAN", "RSGAN", "PacGAN2"):
            game = rows[data, name]
            assert (game.batch, game.critic_steps, game.config.latent, game.config.steps) == (256, 1, 16, 50_000)
            assert [rate.item() for rate in game.rates] == pytest.approx([2e-4, 2e-4])
            assert game.recipe.optimiser == Adam(game.recipe.optimiser.rate, betas=(0.5, 0.999))
        plain, ours = rows[data, "WGAN-GP"], rows[data, "WGAN-GP, waves and mixture"]
        for part in ("batch", "critic_steps", "penalties"):
            assert getattr(plain, part) == getattr(ours, part)
        assert [r.item() for r in plain.rates] == [r.item() for r in ours.rates]
        assert set(PROTOCOL.published[0].rows) >= {(data, "GAN"), (data, "RSGAN")}
