"""Sinkhorn's solver at the ends of scales, of epsilon and of masses."""

import numpy as np
import pytest

from divergences.optimal_transport import Problem, Sinkhorn, _certificate, _sweeps, wasserstein
from divergences.optimal_transport._scaling import Scaling


def clouds(n: int, m: int, d: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples, the second wider and shifted."""
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, d)), 1.3 * rng.normal(size=(m, d)) + 0.5


@pytest.fixture
def compiled(monkeypatch):
    """Small problems take the compiled passes too."""
    monkeypatch.setattr(_sweeps, "COMPILED_FROM", 0)
    monkeypatch.setattr(_certificate, "COMPILED_FROM", 0)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
@pytest.mark.parametrize("streamed", [None, True])
def test_scales(scale, streamed, compiled):
    """Units of length change nothing but the units."""
    x, y = clouds(30, 40)
    one, other = (wasserstein(s * x, s * y, solver=Sinkhorn(0.1 * s, streamed=streamed)) for s in (1.0, scale))
    assert other.regularized / scale == pytest.approx(one.regularized, rel=1e-12)  # type: ignore[attr-defined]
    assert other.upper / scale == pytest.approx(one.upper, rel=1e-12)


@pytest.mark.parametrize("streamed", [None, True])
@pytest.mark.parametrize(
    ("x", "y", "a", "b"),
    [
        (np.zeros((3, 1)), np.zeros((4, 1)), None, None),
        (np.zeros((1, 2)), np.array([[3.0, 4.0]]), None, None),
        (np.array([[0.0], [0.0], [1.0]]), np.array([[1.0], [1.0], [0.0]]), None, None),
        (np.array([[0.0], [1.0], [1e6]]), np.array([[0.0], [1.0], [1e6]]), [0.5, 0.5, 1e-30], [0.5, 0.5, 1e-30]),
        (np.array([[0.0], [1e5]]), np.array([[1.0], [1e5 + 1]]), None, None),
        (np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [5.0]]), [0.0, 1.0, 0.0], [1.0, 0.0]),
    ],
    ids=["one place", "one point", "duplicates", "a crumb far away", "two islands", "zero masses"],
)
def test_hostile(x, y, a, b, streamed, compiled):
    """Ties, duplicates, islands and crumbs of mass: converged, and the bracket holds the optimum."""
    r = wasserstein(x, y, a=a, b=b, solver=Sinkhorn(0.01, streamed=streamed))
    assert r.converged
    assert r.lower <= wasserstein(x, y, a=a, b=b).cost <= r.upper


@pytest.mark.parametrize("streamed", [None, True])
def test_a_column_that_nothing_reaches(streamed, compiled):
    """Ten thousand epsilons from every row, a column gets its potential from a softmin of its own."""
    problem = Problem.from_samples(np.array([[0.0], [1.0]]), np.array([[0.0], [1e4]]))
    scaling = Scaling(problem, 50, streamed=streamed)
    assert scaling.run(1.0, 1e-9)


@pytest.mark.parametrize("streamed", [None, True])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-2, 1.0, 1e8, 1e300])
def test_extremes_of_epsilon(epsilon, streamed, compiled):
    """From a ten-thousandth of the mean cost to the independent coupling, whose cost is then the value."""
    x, y = clouds(40, 50)
    r = wasserstein(x, y, 2, solver=Sinkhorn(epsilon, streamed=streamed))
    assert r.lower <= wasserstein(x, y, 2).cost <= r.upper
    if epsilon >= 1e8:
        mean = np.mean(np.sum((x[:, None] - y) ** 2, axis=2))
        assert r.regularized == pytest.approx(mean, rel=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("streamed", [None, True])
@pytest.mark.parametrize("quotient", [1e-12, 1e-30])
def test_epsilon_below_rounding(quotient, streamed, compiled, monkeypatch):
    """Where rounding of costs over epsilon spoils the plan, the answer is not called converged; its bracket is true."""
    x, y = clouds(12, 15, 3)
    optimum = wasserstein(x, y).cost
    for size in (0, 2**17):  # the bracket streamed, or from the plan written out
        monkeypatch.setattr(_certificate, "COMPILED_FROM", size)
        solver = Sinkhorn(quotient, 1e-10, max_iterations=20_000, streamed=streamed)
        r = wasserstein(x + 1e3, y + 1e3, solver=solver, strict=False)
        assert r.lower <= optimum * (1 + 1e-12)
        assert optimum * (1 - 1e-12) <= r.upper
        assert not (r.converged and r.marginal_error > 2e-10 + 1e-14)
    # One row and two columns are done in a sweep; its sums are right, the plan at the rounded potentials is not.
    r = wasserstein(np.zeros((1, 2)), np.array([[1.0, 2.0], [0.7, 0.1]]), solver=Sinkhorn(1e-12, 1e-9), strict=False)
    assert r.marginal_error > 1e-8
    assert not r.converged
    assert "rounding" in r.notes[0]


@pytest.mark.parametrize("size", [0, 2**17])
def test_a_crumb_of_subnormal_mass(size, monkeypatch):
    """A column's sum over its mass overflows; its potential is found all the same."""
    monkeypatch.setattr(_sweeps, "COMPILED_FROM", size)
    x, b = np.array([[-1.0], [0.0], [1.0]]), np.array([0.75, 1e-320, 0.25])
    r = wasserstein(x, x, b=b, a=[0.5, 0.25, 0.25], solver=Sinkhorn(1e-9))
    assert r.converged
    assert r.lower <= 0.25 <= r.upper
