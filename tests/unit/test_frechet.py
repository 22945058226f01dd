"""W₂ of normal laws and the Fréchet distance: oracles, digits near equality, gradients, refusals."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import linalg

from divergences import frechet_distance, gaussian_wasserstein
from divergences.errors import DataError

RNG = np.random.default_rng(0)
sqrtm: Any = linalg.sqrtm  # its stubs cannot tell arrays from tuples


def textbook(x: np.ndarray, y: np.ndarray) -> float:
    """FID as published code writes it: the matrix root of a product of covariances."""
    a, b = (np.atleast_2d(np.cov(v.T)) for v in (x, y))
    return float(np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * sqrtm(a @ b).real))


def exact(mean0, cov0, mean1, cov1) -> Any:
    """W₂ by its formula at 60 digits."""
    with mp.workdps(60):
        a, b = (mp.matrix(np.asarray(c).tolist()) for c in (cov0, cov1))
        root = lambda values: [mp.sqrt(max(v, mp.mpf(0))) for v in values]
        values, vectors = mp.eigsy(a)
        half = vectors * mp.diag(root(values)) * vectors.T
        inner = mp.fsum(root(mp.eigsy(half * b * half)[0]))
        trace = mp.fsum(a[i, i] + b[i, i] for i in range(a.rows))
        gap = mp.fsum((mp.mpf(float(s)) - mp.mpf(float(t))) ** 2 for s, t in zip(mean0, mean1, strict=True))
        return mp.sqrt(gap + trace - 2 * inner)


def covariance(d: int) -> np.ndarray:
    """A random positive definite matrix."""
    factor = RNG.normal(size=(d, d))
    return factor @ factor.T


@pytest.mark.parametrize(("n", "m", "d"), [(5, 7, 1), (20, 30, 3), (100, 60, 20)])
def test_frechet_is_the_published_formula(n, m, d):
    """With SciPy's matrix root, for unequal sizes."""
    x, y = RNG.normal(size=(n, d)), RNG.normal(size=(m, d)) @ RNG.normal(size=(d, d)) + 0.3
    assert float(frechet_distance(x, y)) == pytest.approx(textbook(x, y), rel=1e-9)


def test_frechet_takes_more_columns_than_rows():
    """The root of a singular product has lost half its digits; the oracle is the formula at 60 digits."""
    x, y = RNG.normal(size=(4, 6)), 2 * RNG.normal(size=(3, 6)) + 1
    oracle = exact(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T)) ** 2
    assert float(frechet_distance(x, y)) == pytest.approx(float(oracle), rel=1e-7)  # np.cov itself rounds
    scaled = x[:, :1] * np.eye(1, 6)  # one column that varies, in six
    assert float(frechet_distance(scaled, 3 * scaled)) == pytest.approx(
        4 * x[:, 0].mean() ** 2 + 4 * x[:, 0].var(ddof=1), rel=1e-12
    )


@pytest.mark.parametrize("step", [1.0, 1e-3, 1e-6, 1e-9, 1e-12])
def test_gaussian_wasserstein_keeps_its_digits_near_equality(step):
    """An absolute error of some roundings of the scale, where the formula with traces would lose half the digits."""
    cov0, gap = covariance(4), RNG.normal(size=4) * step
    cov1 = cov0 + step * np.diag(RNG.uniform(size=4))
    oracle = float(exact(np.ones(4), cov0, np.ones(4) + gap, cov1))
    found = float(gaussian_wasserstein(np.ones(4), cov0, np.ones(4) + gap, cov1))
    assert abs(found - oracle) < 1e-14 * np.sqrt(np.trace(cov0))
    traces = np.trace(cov0 + cov1 - 2 * sqrtm(cov0 @ cov1).real) + gap @ gap
    if step == 1e-9:
        assert abs(np.sqrt(abs(traces)) - oracle) > 1e-9  # what the plain formula gives


def test_gaussian_wasserstein_of_singular_covariances():
    """Points, lines and what lies between: W₂ to a point is the root of mean and trace."""
    cov = covariance(3)
    line = np.outer([1.0, 2.0, 2.0], [1.0, 2.0, 2.0])
    zero, mean = np.zeros(3), np.array([1.0, -2.0, 0.5])
    assert gaussian_wasserstein(zero, cov, mean, 0 * cov) == pytest.approx(np.sqrt(mean @ mean + np.trace(cov)))
    assert gaussian_wasserstein(zero, line, zero, 16 * line) == pytest.approx(9.0, rel=1e-14)
    assert gaussian_wasserstein(zero, line, zero, cov) == pytest.approx(float(exact(zero, line, zero, cov)), rel=1e-7)
    assert gaussian_wasserstein(zero, np.diag([1, 1, -1e-13]), zero, np.diag([1, 1, 0])) < 1e-12


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1.0, 1e300])
def test_any_scale(scale):
    """Squares that would leave the floats are not formed."""
    cov = covariance(3)
    plain = gaussian_wasserstein(np.ones(3), cov, -np.ones(3), 2 * cov)
    root = np.sqrt(scale)
    found = gaussian_wasserstein(root * np.ones(3), scale * cov, -root * np.ones(3), scale * (2 * cov))
    assert found == pytest.approx(root * plain, rel=1e-12)


def test_equal_inputs_give_zero_and_offsets_do_not_matter():
    """Exactly zero; and the digits survive an offset of 1e8."""
    x, y = RNG.normal(size=(30, 3)), RNG.normal(size=(40, 3)) * [1, 2, 3]
    assert frechet_distance(x, x) == 0.0
    assert gaussian_wasserstein(np.ones(3), np.cov(y.T), np.ones(3), np.cov(y.T)) == 0.0
    assert frechet_distance(x + 2.0**27, y + 2.0**27) == pytest.approx(frechet_distance(x, y), rel=1e-6)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-12)
    assert gaussian_wasserstein(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T)) ** 2 == pytest.approx(
        frechet_distance(x, y), rel=1e-12
    )


@pytest.mark.parametrize(("n", "m", "d"), [(6, 5, 3), (6, 5, 1), (4, 3, 6), (3, 5, 6)])
def test_gradients_of_frechet(n, m, d):
    """Against differences, with more columns than rows too."""
    x = torch.tensor(RNG.normal(size=(n, d)), requires_grad=True)
    y = torch.tensor(2 * RNG.normal(size=(m, d)) + 1, requires_grad=True)
    assert torch.autograd.gradcheck(frechet_distance, (x, y))


def test_gradients_of_gaussian_wasserstein():
    """By all four inputs, through factors that keep the covariances symmetric; 0 at equality, not NaN."""
    shapes = ((3,), (3, 3), (3,), (3, 3))
    arguments = [torch.tensor(RNG.normal(size=shape), requires_grad=True) for shape in shapes]
    value = lambda m0, f0, m1, f1: gaussian_wasserstein(m0, f0 @ f0.T, m1, f1 @ f1.T)
    assert torch.autograd.gradcheck(value, arguments)
    mean, cov = torch.zeros(2, requires_grad=True), torch.eye(2, requires_grad=True)
    distance = gaussian_wasserstein(mean, cov, torch.zeros(2), torch.eye(2))
    assert distance.dtype == torch.float32
    distance.backward()
    assert mean.grad is not None
    assert cov.grad is not None
    assert mean.grad.tolist() == [0, 0]
    assert cov.grad.tolist() == [[0, 0], [0, 0]]


def test_float32_keeps_its_kind():
    """Computed in float64; a covariance with rounding errors of float32 is accepted in float32 only."""
    x, y = (RNG.normal(size=(50, 2)).astype(np.float32) for _ in "xy")
    assert frechet_distance(x, y).dtype == np.float32
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(x.astype(float), y.astype(float)), rel=1e-6)
    crooked = np.array([[1.0, 1.0], [1.0 + 1e-7, 1.0]])
    assert gaussian_wasserstein(np.zeros(2, "f"), crooked.astype("f"), np.zeros(2, "f"), np.eye(2, dtype="f")) > 0
    with pytest.raises(DataError, match="symmetric"):
        gaussian_wasserstein(np.zeros(2), crooked, np.zeros(2), np.eye(2))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 0], [[1, 2], [2, 1]], [0, 0], np.eye(2)), r"cov0 must be positive semi-definite; got .* -1"),
        (([0, 0], np.eye(2), [0, 0], [[1, 2], [0, 1]]), r"cov1 must be symmetric; got entries that differ by 2 .* eig"),
        (([0, 0], np.eye(3), [0, 0], np.eye(2)), r"cov0 must have shape \(2, 2\)"),
        (([0, 0], np.eye(2), [0, 0, 0], np.eye(3)), "mean0 and mean1 must have the same length; got 2 and 3"),
        (([[0, 0]], np.eye(2), [0, 0], np.eye(2)), r"mean0 must be a vector .* got shape \(1, 2\)"),
        (([], np.empty((0, 0)), [], np.empty((0, 0))), "mean0 must be a vector"),
        (([0, np.nan], np.eye(2), [0, 0], np.eye(2)), "mean0 must be finite"),
        (([0, 0], np.full((2, 2), np.inf), [0, 0], np.eye(2)), "cov0 must be finite"),
        ((torch.zeros(2), np.eye(2), [0, 0], np.eye(2)), "one kind"),
        (([1.7e308], [[1.0]], [-1.7e308], [[1.0]]), "beyond the largest float64"),
        (([0j, 0], np.eye(2), [0, 0], np.eye(2)), "real numbers"),
    ],
)
def test_what_gaussian_wasserstein_refuses(arguments, words):
    """Each with what was required, what was received, and what to do."""
    with pytest.raises(DataError, match=words):
        gaussian_wasserstein(*arguments)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1.0], [1.0, 2.0], "needs n >= 2 points on each side"),
        (np.ones((3, 2)), np.ones((3, 3)), "same number of columns"),
        ([np.nan, 1.0], [1.0, 2.0], "x must be finite"),
        ([], [1.0, 2.0], "x must be samples"),
        ([1e200, -1e200], [3e200, 1.0], "beyond the largest float64"),
        (np.array([0, 1], "f"), np.array([3e38, 1e38], "f"), "beyond the largest float32"),
    ],
)
def test_what_frechet_refuses(x, y, words):
    """Each with a message that says what is needed."""
    with pytest.raises(DataError, match=words):
        frechet_distance(x, y)
