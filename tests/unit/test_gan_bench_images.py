"""The presets on images: what their columns count, by hand, and that their cells train."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gan.bench import bench, table
from gan.bench.protocols import protocol
from gan.bench.protocols.stacked_digits import PROTOCOL as STACKED
from gan.bench.protocols.stacked_digits import modes_read
from gan.data import dataset
from gan.data.classifier import classifier
from gan.random import Stream
from gan.runs import Run


def finished(samples):
    """A run of which nothing is asked but its samples."""
    return Run(STACKED.cells[0].config, [], samples, {}, True)


def test_modes_read_counts_readings():
    """One for a collapsed generator, most for the target, and hundreds for noise: the fault that the preset names."""
    real = dataset("stacked-digits").sample(torch.tensor([0]), Stream.REAL, 0, 26_000)[0].numpy()
    noise = np.random.default_rng(0).uniform(-1, 1, real.shape)
    samples = np.stack((np.tile(real[:1], (26_000, 1)), real, noise))
    found = modes_read(STACKED.cells[0], Path(), finished(samples))
    assert found[0] == 1
    assert found[1] == 1000
    assert 850 < found[2] < 950
    assert any("898" in fault for fault in STACKED.faults)


def test_modes_read_is_per_replica():
    """A replica's count is that of its own samples, read one channel at a time."""
    x = dataset("stacked-digits").sample(torch.arange(2), Stream.REAL, 0, 40)
    digits = [classifier(dataset("digits")).classify(part) for part in x.reshape(2, 40, 3, 64).unbind(2)]
    expected = [len({tuple(int(d[s, i]) for d in digits) for i in range(40)}) for s in range(2)]
    assert list(modes_read(STACKED.cells[0], Path(), finished(x.numpy()))) == expected
    assert expected[0] > 20


@pytest.mark.parametrize("name", ["stacked-digits", "images"])
def test_presets_on_images_run(name, tmp_path):
    """Every cell trains, is measured, and has a floor; one step and few samples, for time."""
    ready = protocol(name).at(budget=1e-9, seeds=2)
    ready = replace(ready, cells=tuple(replace(cell, n=100) for cell in ready.cells))
    bench.claim(ready, tmp_path / "out")
    bench.run_cells(ready, tmp_path / "out")
    results = table.collect(ready, tmp_path / "out")
    assert [result.cell for result in results] == list(ready.cells)
    always = "modes_read" if name == "stacked-digits" else "frechet_features"
    for (row, _), cell in zip((row for result in results for row in result.rows), ready.cells, strict=True):
        assert row.steps == 1
        assert None not in row.values[always]
        assert set(row.perfect) == set(cell.measures)
        assert None not in row.perfect.values()
