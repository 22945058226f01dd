"""MMD with several kernels, and the test that aggregates them: level, power, ties, refusals."""

import numpy as np
import pytest
import torch
from scipy import stats

from divergences import mmd, mmd_test
from divergences.errors import DataError
from divergences.samples import Gaussian, kernel_test
from divergences.samples.kernel_test import _ranks, _statistics
from tests.bench.mmd_power import bump, density, rejects

RNG = np.random.default_rng(0)
KERNELS = [Gaussian(0.3), Gaussian(1.0), Gaussian(3.0)]


def linear(a, b):
    """A kernel that is not translation invariant."""
    return a @ b.T


def test_several_kernels_are_their_mean():
    """MMD² is linear in the kernel; also for torch, with gradients."""
    x, y = RNG.normal(size=(9, 2)), RNG.normal(1, 1, (7, 2))
    each = [float(mmd(x, y, k)) for k in [*KERNELS, linear]]
    assert float(mmd(x, y, [*KERNELS, linear])) == pytest.approx(np.mean(each), rel=1e-12)
    leaf = torch.tensor(x, requires_grad=True)
    value = mmd(leaf, torch.tensor(y), KERNELS)
    assert value.item() == pytest.approx(np.mean(each[:3]), rel=1e-12)
    assert torch.isfinite(torch.autograd.grad(value, leaf)[0]).all()


@pytest.mark.parametrize("block", [kernel_test.BLOCK, 40])
def test_statistics_of_labellings_are_mmd(monkeypatch, block):
    """Each labelling's value is that of `mmd` on the samples it makes, tile by tile too."""
    monkeypatch.setattr(kernel_test, "BLOCK", block)
    rows, centre = RNG.normal(size=(13, 2)), np.array([3.0, 4.0])
    drawn = np.array([RNG.permutation(13) < 5 for _ in range(300)])
    kernels = (Gaussian(0.7), linear)
    for kernel, values in zip(kernels, _statistics(kernels, rows - centre, centre, drawn, 5), strict=True):
        direct = [float(mmd(rows[row], rows[~row], kernel)) for row in drawn]
        np.testing.assert_allclose(values, direct, rtol=1e-10, atol=1e-13)


def test_ranks_count_ties_against_the_value():
    """1 for the largest; equal values share the larger rank."""
    assert _ranks(np.array([2.0, 5.0, 2.0, 1.0])).tolist() == [3, 1, 3, 4]


def test_the_level_is_exact_and_the_adjustment_is_needed():
    """Of 400 tests of one law with itself about 5% have p <= 0.05; the smallest of the kernels' own p more often."""
    adjusted, bare = [], []
    kernels = [Gaussian(0.02), Gaussian(0.2), Gaussian(2.0), Gaussian(20.0)]
    for seed in range(400):
        rng = np.random.default_rng(seed)
        found = mmd_test(rng.normal(size=20), rng.normal(size=30), kernels=kernels, permutations=99, rng=rng)
        adjusted.append(found.pvalue)
        bare.append(min(found.pvalues))
    most = stats.binom.ppf(0.999, 400, 0.05)
    assert 0 < np.sum(np.array(adjusted) <= 0.05) <= most
    assert np.sum(np.array(bare) <= 0.05) > most
    assert stats.kstest(np.array(adjusted) + 0.005, "uniform").pvalue > 1e-4
    assert all(a >= b for a, b in zip(adjusted, bare, strict=True))


def test_every_scale_is_found():
    """A shift, a change of scale, and a fine wave that the median bandwidth does not see."""
    for x, y in (
        (RNG.normal(size=100), RNG.normal(0.8, 1, 120)),
        (RNG.normal(size=100), RNG.normal(0, 2.5, 100)),
        (RNG.integers(0, 12, 150) + RNG.uniform(0, 0.2, 150), RNG.uniform(0, 12, 150)),
    ):
        assert mmd_test(x, y, permutations=199, rng=0).pvalue <= 0.02
    x, y = RNG.integers(0, 12, 150) + RNG.uniform(0, 0.2, 150), RNG.uniform(0, 12, 150)
    found = mmd_test(x, y, permutations=199, rng=0)
    assert isinstance(found.kernel, Gaussian)
    assert found.kernel.bandwidth < 0.5
    assert mmd_test(x, y, kernels=found.kernels[4], permutations=199, rng=0).pvalue > 0.2  # the median alone
    assert found.statistic == found.statistics[found.kernels.index(found.kernel)]
    assert found.statistic == pytest.approx(float(mmd(x, y, found.kernel)), rel=1e-9)


def test_the_published_alternatives():
    """Perturbed uniforms, n = m = 500: one perturbation is always found, two nearly always (published 1 and 0.974)."""
    grid = (np.arange(100_000) + 0.5) / 100_000
    assert np.mean(density(grid, np.array([1.0, -1.0, 1.0]))) == pytest.approx(1, abs=1e-9)
    assert density(grid, np.ones(1)).min() > 0
    assert bump(np.array([-0.75, -0.25, 0.0, 0.3])).tolist() == [np.exp(-1), -np.exp(-1), 0, 0]
    assert all(rejects(1, 500, 99, seed) for seed in range(3))
    assert sum(rejects(2, 500, 99, seed) for seed in range(8)) >= 6


def test_equal_and_tied_data_are_no_evidence():
    """Constant data, and samples that are one multiset: the largest p-value; never NaN."""
    found = mmd_test(np.zeros(5), np.zeros(6), permutations=50, rng=0)
    assert found.pvalue == 1.0
    assert found.statistic == pytest.approx(0, abs=1e-15)
    x = RNG.integers(0, 3, 40).astype(float)
    assert mmd_test(x, x[::-1], permutations=99, rng=0).pvalue > 0.9
    assert mmd_test([0.0, 0.0, 1.0], [5.0, 5.0], permutations=200, rng=0).pvalue >= 0.04  # 1/10, of 10 labellings


def test_the_same_seed_gives_the_same_answer():
    """And no p-value is below 1 / (1 + permutations); torch, float32 and offsets change nothing."""
    x, y = RNG.normal(size=(30, 2)), RNG.normal(2, 1, (40, 2))
    found = mmd_test(x, y, permutations=99, rng=5)
    assert found.pvalue == 0.01
    for a, b in ((torch.tensor(x), torch.tensor(y)), (x + 2.0**20, y + 2.0**20)):
        again = mmd_test(a, b, permutations=99, rng=5)
        assert again.pvalues == found.pvalues
        assert again.statistics == pytest.approx(found.statistics, rel=1e-6)


def test_a_kernel_of_ones_own_sees_the_data_where_they_are():
    """Not centred, as in `mmd`: a kernel need not be translation invariant."""
    x, y = RNG.normal(10, 1, (20, 2)), RNG.normal(12, 1, (30, 2))
    square = lambda a, b: (a @ b.T) ** 2
    found = mmd_test(x, y, kernels=square, permutations=19, rng=0)
    assert found.statistic == pytest.approx(float(mmd(x, y, square)), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": [1.0]}, "needs n >= 2 points on each side"),
        ({"x": [1.0, np.nan]}, "x must be finite"),
        ({"x": np.ones((3, 2))}, "same number of columns"),
        ({"kernels": []}, "sequence of them; got \\[\\]"),
        ({"kernels": 1.0}, "must be a function"),
        ({"kernels": lambda a, b: np.full((len(a), len(b)), np.nan)}, "finite values on the pooled rows"),
        ({"permutations": 0}, "permutations must be a whole number of at least 1"),
        ({"rng": -1}, "rng must be"),
    ],
)
def test_what_the_test_refuses(change, words):
    """Each with what was required and what was received."""
    arguments = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0]} | change
    with pytest.raises(DataError, match=words):
        mmd_test(arguments.pop("x"), arguments.pop("y"), **arguments)
    with pytest.raises(DataError, match="sequence of them"):
        mmd([1.0, 2.0], [1.0, 2.0], [])
