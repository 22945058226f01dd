"""The worst direction: brute force, laws, gradients, refusals."""

from typing import Any

import numpy as np
import ot
import pytest
import torch
from scipy.stats import wasserstein_distance

import divergences as dv
from divergences.errors import DataError
from divergences.optimal_transport import max_sliced as module
from divergences.optimal_transport import max_sliced_wasserstein, wasserstein
from divergences.optimal_transport._ascent import Slices, coupling


def normals(n: int, m: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples of different spread."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) * np.linspace(1, 2, d)


@pytest.mark.parametrize("p", [1, 2, 3.5])
@pytest.mark.parametrize(("n", "m"), [(3, 3), (20, 20), (17, 30)])
def test_no_direction_of_a_grid_in_the_plane_is_worse(n, m, p):
    """SciPy or POT along 2,000 directions: the one found has at least as much, and what is said about it is true."""
    for seed in range(3):
        x, y = normals(n, m, 2, seed)
        found = max_sliced_wasserstein(x, y, p)
        angles = np.linspace(0, np.pi, 2000)
        most = max(along(x, y, u, p) for u in directions(angles))
        assert found.value >= most * (1 - 1e-9)
        assert found.value == pytest.approx(most, rel=1e-3)
        assert found.value <= found.upper
        assert along(x, y, found.direction, p) == pytest.approx(found.value)


def along(x: np.ndarray, y: np.ndarray, u: np.ndarray, p: Any) -> float:
    """POT's W_p of the projections on u."""
    cost: Any = ot.wasserstein_1d(x @ u, y @ u, p=p)
    return float(cost) ** (1 / p)


def directions(angles: np.ndarray) -> list[np.ndarray]:
    """Directions of the plane."""
    return [np.array([np.cos(a), np.sin(a)]) for a in angles]


def test_a_shift_is_found_in_many_dimensions():
    """POT's largest of random directions misses it; more dimensions than points are no obstacle."""
    rng = np.random.default_rng(0)
    for d, n in ((100, 200), (300, 40)):
        x = rng.normal(size=(n, d))
        found = max_sliced_wasserstein(x, x + 5 * np.eye(d)[7])
        assert found.value == pytest.approx(5, rel=1e-9)
        assert found.direction[7] == pytest.approx(1)
        assert found.upper == pytest.approx(5, rel=1e-6)
        assert ot.max_sliced_wasserstein_distance(x, x + 5 * np.eye(d)[7], n_projections=50, seed=0) < 2.5


def test_a_spread_is_found_where_means_agree():
    """One coordinate of twenty is three times as wide."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 20))
    y[:, 11] *= 3
    assert abs(max_sliced_wasserstein(x, y, 2).direction).argmax() == 11


def test_on_the_line_it_is_the_distance():
    """The only direction; 1-D arrays are a column."""
    x, y = normals(30, 20, 1)
    assert max_sliced_wasserstein(x[:, 0], y[:, 0]).value == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]))
    assert max_sliced_wasserstein(x, y, 2).value == pytest.approx(wasserstein(x, y, 2).distance)


def test_laws():
    """Symmetric, scales, blind to rotations and shifts, at least every slice, at most W_p, 0 for equal samples."""
    x, y = normals(40, 40, 4)
    found = max_sliced_wasserstein(x, y, 2)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    for other in (
        max_sliced_wasserstein(y, x, 2).value,
        max_sliced_wasserstein(x @ rotation + 1e6, y @ rotation + 1e6, 2).value,
        max_sliced_wasserstein(x * 1e200, y * 1e200, 2).value / 1e200,
        max_sliced_wasserstein(x * 1e-200, y * 1e-200, 2).value / 1e-200,
    ):
        assert other == pytest.approx(found.value, rel=1e-6)
    assert dv.sliced_wasserstein(x, y, 2, rng=0).value < found.value <= wasserstein(x, y, 2).distance
    assert found.upper <= wasserstein(x, y, 2).distance * (1 + 1e-9)
    assert np.linalg.norm(found.direction) == pytest.approx(1, rel=1e-12)
    assert max_sliced_wasserstein(x, x[::-1]).value == pytest.approx(0, abs=1e-12)
    assert max_sliced_wasserstein([[1.0, 2.0]], [[1.0, 2.0]]).value == 0.0
    assert max_sliced_wasserstein([[0.0, 0.0]], [[3.0, 4.0]]).value == pytest.approx(5)
    assert max_sliced_wasserstein(x, y, rng=3).value == max_sliced_wasserstein(x, y, rng=3).value


def test_an_upper_end_below_the_value_is_noticed():
    """The bound holds along every direction; that of a coupling which is not one (planted) does not."""
    x, y = normals(15, 15, 3)
    found = max_sliced_wasserstein(x, y, 2)
    for u in np.random.default_rng(0).normal(size=(500, 3)):
        u /= np.linalg.norm(u)
        assert np.sqrt(np.mean((np.sort(x @ u) - np.sort(y @ u)) ** 2)) <= found.upper
    nearest = (x[:, None] - y)[np.arange(15), np.square(x[:, None] - y).sum(axis=2).argmin(axis=1)]
    assert np.linalg.norm(nearest / np.sqrt(15), 2) < found.value


@pytest.mark.parametrize(("n", "m"), [(6, 6), (5, 8)])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_slopes_are_those_of_the_sum(n, m, p):
    """In the direction and in the points, by differences."""
    rng = np.random.default_rng(0)
    slices, theta = Slices(rng.normal(size=(n + m, 3)), n, p), rng.normal(size=(1, 3))
    label = (np.arange(n + m) < n)[None]
    value, slope = slices.costs(label, theta)
    assert value[0] == pytest.approx(along(slices.points[:n], slices.points[n:], theta[0], p) ** p)
    for k in range(3):
        step = 1e-6 * np.eye(3)[k]
        ends = [slices.costs(label, theta + s * step)[0][0] for s in (1, -1)]
        assert slope[0, k] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)
    rows, columns, mass = coupling(n, m)
    np.testing.assert_allclose(np.bincount(rows, mass), 1 / n)
    np.testing.assert_allclose(np.bincount(columns, mass), 1 / m)


def directional(x: np.ndarray, y: np.ndarray, p: float, move: np.ndarray) -> tuple[float, float]:
    """The derivative of the value along a move of the pooled points: from the gradients, and by differences."""
    n, h = len(x), 1e-4
    left, right = (torch.tensor(v, requires_grad=True) for v in (x, y))
    max_sliced_wasserstein(left, right, p).value.backward()
    told = float((np.concatenate([slope(left), slope(right)]) * move).sum())
    ends = [float(max_sliced_wasserstein(x + s * h * move[:n], y + s * h * move[n:], p)) for s in (1, -1)]
    return told, (ends[0] - ends[1]) / (2 * h)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_gradients_on_ridges(p, monkeypatch):
    """Few points: the maximum lies where couplings change. Taking the slope of any one of them (planted) is noticed."""
    wrong = 0
    for seed, (n, m, d) in enumerate([(7, 7, 2), (6, 5, 2), (7, 7, 3), (6, 5, 5)] * 3):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.5
        move = rng.normal(size=(n + m, d))
        told, found = directional(x, y, p, move)
        assert told == pytest.approx(found, abs=2e-5)
        with monkeypatch.context() as patch:
            patch.setattr(module, "FLAT", np.inf)
            wrong += abs(directional(x, y, p, move)[0] - found) > 1e-3
    assert wrong


def slope(tensor: Any) -> Any:
    """Its gradient."""
    return tensor.grad


def test_torch_in_torch_out_with_gradients():
    """Autograd's along the fixed direction, but for few points that a ridge shares out; and the slope of the value."""
    x, y = (torch.tensor(v, requires_grad=True) for v in normals(200, 200, 3))
    found = max_sliced_wasserstein(x, y, 2)
    found.value.backward()
    assert isinstance(found.direction, torch.Tensor)
    x_fixed, y_fixed = (v.detach().requires_grad_() for v in (x, y))
    torch.sqrt(
        torch.mean((torch.sort(x_fixed @ found.direction)[0] - torch.sort(y_fixed @ found.direction)[0]) ** 2)
    ).backward()
    for moving, fixed in ((x, x_fixed), (y, y_fixed)):
        assert np.isclose(slope(moving), slope(fixed), rtol=1e-5, atol=0).mean() > 0.97
    move = 1e-3 * torch.tensor(np.random.default_rng(0).normal(size=(200, 3)))
    ends = [float(max_sliced_wasserstein((x + s * move).detach(), y.detach(), 2)) for s in (1, -1)]
    assert float((slope(x) * move).sum()) == pytest.approx((ends[0] - ends[1]) / 2, rel=2e-3)
    same = torch.ones(3, 2, dtype=torch.float32, requires_grad=True)
    zero = max_sliced_wasserstein(same, same.detach())
    assert zero.value.dtype == torch.float32
    zero.value.backward()
    assert not slope(same).any()


def test_what_is_refused():
    """By name."""
    for x, y, p, told in (
        (np.ones((3, 2)), np.ones((3, 3)), 1, "same number of columns"),
        ([np.nan, 1.0], [1.0], 1, "NaN"),
        ([], [1.0], 1, "n, d >= 1"),
        ([1.0], [1.0], 0.5, "p must be"),
        ([1.0], torch.ones(2), 1, "one kind"),
    ):
        with pytest.raises(DataError, match=told):
            max_sliced_wasserstein(x, y, p)
    with pytest.raises(DataError, match="rng"):
        max_sliced_wasserstein(np.ones((2, 3)), np.ones((2, 3)), rng=-1)
    with pytest.raises(DataError, match="overflow"):
        max_sliced_wasserstein([[1.7e308, 0.0]], [[-1.7e308, 0.0], [-1.7e308, 0.0], [-1.7e308, 0.0]])
