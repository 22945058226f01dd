"""Energy distance: oracles, the compiled path, ends of the floats."""

import numpy as np
import pytest
from scipy import stats

from divergences import energy_distance
from divergences._sorting import sorted_copy, squared_gap
from divergences.errors import DataError
from divergences.samples import energy

RNG = np.random.default_rng(0)
AWKWARD = np.array([0.0, -0.0, 5e-324, -5e-324, 1.7e308, -1.7e308, 1.0, 1.0, -1.0, 2.0**-1060, 3e-300])
SAMPLES = {
    "normal": RNG.normal(size=5000),
    "ties": RNG.integers(-20, 20, 5000).astype(float),
    "all scales": RNG.choice([-1.0, 1.0], 5000) * np.exp(RNG.uniform(-700, 700, 5000)),
    "awkward": np.tile(AWKWARD, 7),
    "constant": np.full(9, -3.5),
    "one": np.array([2.0]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_radix_sort_sorts(name):
    """As NumPy does, the input untouched."""
    values = SAMPLES[name].copy()
    np.testing.assert_array_equal(sorted_copy(values), np.sort(values))
    np.testing.assert_array_equal(values, SAMPLES[name])


@pytest.mark.parametrize(
    ("first", "second"), [("normal", "ties"), ("ties", "one"), ("one", "normal"), ("ties", "ties")]
)
def test_the_merge_is_the_integral(first, second):
    """Against SciPy's, which shares no code, and against our NumPy path; blocks of 4,096 are crossed."""
    x, y = SAMPLES[first], SAMPLES[second] + (first == second)
    merged = 2 * squared_gap(np.sort(x), np.sort(y)) / (len(x) * len(y)) ** 2
    assert merged == pytest.approx(stats.energy_distance(x, y) ** 2, rel=1e-12)
    assert merged == pytest.approx(float(energy_distance(x, y)), rel=1e-13)


def test_large_samples_take_the_compiled_path(monkeypatch):
    """With the answer of the other path, whatever the layout; equal samples give exactly 0."""
    x, y = RNG.normal(size=120_000), RNG.normal(0.1, 1.2, 90_000)
    found = energy_distance(x, y)
    for same in (energy_distance(x[:, None], y), energy_distance(x[::-1], y), energy_distance(y, x)):
        assert same == pytest.approx(float(found), rel=1e-13)
    assert energy_distance(x, x[::-1]) == 0.0
    monkeypatch.setattr(energy, "COMPILED", 10**9)
    assert float(found) == pytest.approx(float(energy_distance(x, y)), rel=1e-13)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(energy, "COMPILED", 0)
    assert energy_distance(x, y) == found  # the same bits with one thread


def test_ends_of_the_floats():
    """A gap beyond the largest float is fine while the answer is not."""
    assert energy_distance([1.7e308, 0.0], [-1.7e308, 0.0]) == pytest.approx(1.7e308, rel=1e-15)
    assert energy_distance([5e-324], [0.0]) == 1e-323
    with pytest.raises(DataError, match="beyond the largest float64"):
        energy_distance([1.7e308], [-1.7e308])
