"""Laws that every distance between samples obeys; each law rejects a planted error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from divergences.samples import energy_distance, mmd

Distance = Callable[[Any, Any], Any]

# name -> the distance and the power of a scale factor it takes up (the bandwidth of mmd scales with the data).
DISTANCES: dict[str, tuple[Distance, int]] = {"energy_distance": (energy_distance, 1), "mmd": (mmd, 0)}
every_distance = pytest.mark.parametrize(("distance", "power"), DISTANCES.values(), ids=list(DISTANCES))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two samples of one to three columns, with ties."""
    d = draw(st.integers(1, 3))
    values = st.integers(-20, 20).map(lambda k: k / 4)
    return tuple(draw(arrays(float, (draw(st.integers(2, 9)), d), elements=values)) for _ in "xy")  # type: ignore[return-value]


def asymmetry(distance: Distance, x: np.ndarray, y: np.ndarray) -> float:
    """|D(x, y) − D(y, x)|."""
    return abs(float(distance(x, y)) - float(distance(y, x)))


def drift(distance: Distance, x: np.ndarray, y: np.ndarray, shift: float) -> float:
    """|D(x + t, y + t) − D(x, y)|."""
    return abs(float(distance(x + shift, y + shift)) - float(distance(x, y)))


def misscaling(distance: Distance, power: int, x: np.ndarray, y: np.ndarray, c: float) -> float:
    """|D(c x, c y) − c^power D(x, y)|, relative to the scale."""
    return abs(float(distance(c * x, c * y)) - c**power * float(distance(x, y))) / c**power


def order_dependence(distance: Distance, x: np.ndarray, y: np.ndarray) -> float:
    """|D(x, y) − D(x reversed, y)|: samples have no order."""
    return abs(float(distance(x[::-1], y)) - float(distance(x, y)))


def gradient_error(distance: Distance, x: np.ndarray, y: np.ndarray) -> float:
    """Of autograd in x_0 against a central difference; a kernel with a fixed bandwidth is the caller's business."""
    tensor = torch.tensor(x, requires_grad=True)
    (gradient,) = torch.autograd.grad(distance(tensor, torch.tensor(y)), tensor)
    step = np.zeros_like(x)
    step[0, 0] = 1e-5
    slope = (float(distance(x + step, y)) - float(distance(x - step, y))) / 2e-5
    return abs(float(gradient[0, 0]) - slope)


@every_distance
@given(pair=pairs())
def test_symmetric(distance, power, pair):
    """D(x, y) = D(y, x)."""
    assert asymmetry(distance, *pair) <= 1e-12


@every_distance
@given(pair=pairs(), shift=st.sampled_from([-3.5, 1024.0, 1e8]))
def test_translation_invariant(distance, power, pair, shift):
    """D(x + t, y + t) = D(x, y), far from zero too."""
    assert drift(distance, pair[0], pair[1], shift) <= 1e-6


@every_distance
@given(pair=pairs(), c=st.sampled_from([2.0**-30, 0.5, 4.0, 2.0**30]))
def test_scales(distance, power, pair, c):
    """D(c x, c y) = c^power D(x, y)."""
    assert misscaling(distance, power, pair[0], pair[1], c) <= 1e-11


@every_distance
@given(pair=pairs())
def test_a_sample_has_no_order(distance, power, pair):
    """Reversing the rows changes nothing."""
    assert order_dependence(distance, *pair) <= 1e-12


@given(pair=pairs())
def test_energy_distance_is_zero_only_between_equal_multisets(pair):
    """Never negative, zero at x = x, positive where the sorted rows differ and sizes agree."""
    x, y = pair
    assert energy_distance(x, x[::-1]) <= 1e-13
    assert energy_distance(x, y) >= 0
    k = min(len(x), len(y))
    x, y = x[:k], y[:k]
    if not np.array_equal(x[np.lexsort(x.T)], y[np.lexsort(y.T)]):
        assert energy_distance(x, y) > 1e-6


@given(pair=pairs())
def test_energy_by_sorting_is_energy_by_pairs(pair):
    """The one-column algorithm equals the many-column one on a column of zeros beside it."""
    x, y = (values[:, :1] for values in pair)
    wide = energy_distance(*(np.hstack([values, np.zeros_like(values)]) for values in (x, y)))
    assert abs(float(energy_distance(x, y)) - float(wide)) <= 1e-12


@pytest.mark.parametrize("columns", [1, 3])
def test_gradients_of_energy_are_slopes(columns):
    """Autograd through sorting and through pairs."""
    rng = np.random.default_rng(0)
    assert gradient_error(energy_distance, rng.normal(size=(5, columns)), rng.normal(size=(4, columns))) < 1e-8


PLANTED = {
    "asymmetric": (lambda x, y: energy_distance(x, y) + 0.01 * x.mean(), asymmetry),
    "moves with the origin": (
        lambda x, y: energy_distance(x, y) + 0.01 * abs(x.mean()),
        lambda d, x, y: drift(d, x, y, 1024.0),
    ),
    "of the wrong degree": (
        lambda x, y: energy_distance(x, y) ** 2,
        lambda d, x, y: misscaling(d, 1, x, y, 4.0),
    ),
    "depends on the order": (lambda x, y: energy_distance(x[:-1], y), order_dependence),
    "cut off from its gradient": (
        lambda x, y: energy_distance(x, y) + 0 * x.sum() if isinstance(x, np.ndarray) else 0 * x.sum(),
        gradient_error,
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_law_bites(name):
    """A distance with a planted error breaks its law by far more than the tolerance."""
    planted, law = PLANTED[name]
    rng = np.random.default_rng(0)
    assert law(planted, rng.normal(1, 1, (6, 2)), rng.normal(0, 1, (5, 2))) > 1e-4
