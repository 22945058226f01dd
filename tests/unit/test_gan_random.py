"""Counter-based randomness: its quality, and that it is a pure function of (seed, stream, step, index)."""

import numpy as np
import pytest
import torch
from scipy import stats

from divergences.errors import DataError
from gan.random import Stream, check_seeds, normal, uniform

SEEDS = torch.tensor([0, 1, 2**62, 2**63 - 1])


@pytest.mark.parametrize(("draw", "law"), [(uniform, "uniform"), (normal, "norm")])
def test_law(draw, law):
    """Every seed, stream and step passes Kolmogorov-Smirnov against its law, as do neighbours pooled."""
    for stream in (Stream.REAL, Stream.LATENT):
        for step in (0, 1, 10**9):
            x = draw(SEEDS, stream, step, (20_000,)).numpy()
            assert min(stats.kstest(row, law).pvalue for row in x) > 1e-4
    many = draw(torch.arange(20_000), Stream.REAL, 0, (1,)).numpy()[:, 0]
    steps = np.array([float(draw(torch.tensor([7]), Stream.REAL, step, (1,))) for step in range(3000)])
    assert min(stats.kstest(many, law).pvalue, stats.kstest(steps, law).pvalue) > 1e-4


def test_law_bites():
    """The test above sees a normal of 10 % too large a spread."""
    assert stats.kstest(1.1 * normal(SEEDS, Stream.REAL, 0, (20_000,))[0].numpy(), "norm").pvalue < 1e-4


def test_uncorrelated():
    """Neighbouring seeds, streams, steps and indices are unrelated, as are uniform and normal numbers of one place."""
    n = 40_000
    one = torch.tensor([3])
    base = normal(one, Stream.REAL, 5, (n,))[0].numpy()
    others = {
        "seed": normal(torch.tensor([4]), Stream.REAL, 5, (n,))[0],
        "stream": normal(one, Stream.LATENT, 5, (n,))[0],
        "step": normal(one, Stream.REAL, 6, (n,))[0],
        "next index": torch.as_tensor(np.roll(base, 1)),
        "other half of the word": torch.as_tensor(np.roll(base, n // 2)),
        "kind": uniform(one, Stream.REAL, 5, (n,))[0],
    }
    for name, other in others.items():
        for a, b in ((base, other.numpy()), (base**2, other.numpy() ** 2)):
            assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(n), name


def test_a_seed_draws_the_same_alone():
    """What a seed draws depends on no other seed, bit for bit, and not on the run."""
    for shape in ((5,), (1001, 3), (33, 2, 2)):
        together = normal(SEEDS, Stream.LATENT, 9, shape)
        for k in range(len(SEEDS)):
            assert torch.equal(together[k], normal(SEEDS[k : k + 1], Stream.LATENT, 9, shape)[0])
    expected = [0.1947, -1.9642, -1.2783]
    assert normal(torch.tensor([0]), Stream.REAL, 0, (3,))[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_float32_rounds_float64():
    """A float32 run draws the float64 run's numbers."""
    wide, narrow = (normal(SEEDS, Stream.REAL, 0, (100,), dtype=d) for d in (torch.float64, torch.float32))
    assert torch.equal(wide.float(), narrow)


@pytest.mark.parametrize("seeds", [[], [-1], [2**63], [1.5], [True], "x", ["1"], [1, 1], None])
def test_bad_seeds(seeds):
    """Seeds are distinct whole numbers from 0 to 2**63 - 1."""
    with pytest.raises(DataError, match="seed"):
        check_seeds(seeds)


def test_many_steps_at_once():
    """A step per seed draws what each step draws by itself, bit for bit."""
    steps = torch.tensor([0, 7, 10**9, 10**15])
    for draw in (uniform, normal):
        together = draw(SEEDS, Stream.LATENT, steps, (5, 3))
        for k, step in enumerate(steps.tolist()):
            assert torch.equal(together[k], draw(SEEDS[k : k + 1], Stream.LATENT, step, (5, 3))[0])
