"""Numbers between samples keep their digits at any scale, any offset and any epsilon."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from divergences.comparing import compare
from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport import (
    Exact,
    Sinkhorn,
    kantorovich_rubinstein,
    sinkhorn_divergence,
    sliced_wasserstein,
    transport,
    wasserstein,
)
from divergences.samples import energy_distance, estimate, mmd

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(8, 2)), RNG.normal(size=(9, 2)) + 1
SCALES = pytest.mark.parametrize("scale", [2.0**660, 2.0**-660])


@SCALES
def test_distances_between_samples(scale):
    """Each takes up the factor of its unit, where squares would overflow or vanish; torch gives the same."""
    sliced, reference = (sliced_wasserstein(s * X, s * Y, 2, rng=0) for s in (scale, 1.0))
    assert sliced.value == pytest.approx(scale * reference.value, rel=1e-12)
    assert sliced.standard_error == pytest.approx(scale * reference.standard_error, rel=1e-12)
    assert sliced.confidence_interval is not None
    assert reference.confidence_interval is not None
    assert sliced.confidence_interval == pytest.approx([scale * v for v in reference.confidence_interval], rel=1e-12)
    for kind in (np.asarray, torch.tensor):
        x, y = kind(scale * X), kind(scale * Y)
        assert float(energy_distance(x, y)) == pytest.approx(scale * energy_distance(X, Y), rel=1e-12)
        assert float(mmd(x, y)) == pytest.approx(mmd(X, Y), rel=1e-12)


@SCALES
@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_critic(scale, metric):
    """The critic, its value and its slopes."""
    k = kantorovich_rubinstein(scale * X, scale * Y, metric=metric)
    plain = kantorovich_rubinstein(X, Y, metric=metric)
    z = RNG.normal(size=(20, 2))
    assert k.value == pytest.approx(scale * plain.value, rel=1e-12)
    assert k.lower == pytest.approx(k.value, rel=1e-12)
    assert 0.999 < k.lipschitz <= 1
    assert k.critic(scale * X).mean() - k.critic(scale * Y).mean() == pytest.approx(k.value, rel=1e-12)
    leaf = torch.tensor(scale * z, requires_grad=True)
    phi = k.critic(leaf)
    np.testing.assert_allclose(phi.detach().numpy(), k.critic(scale * z), rtol=0, atol=1e-13 * scale)
    (gradient,) = torch.autograd.grad(phi.sum(), leaf)
    dual = {"euclidean": 2, "cityblock": np.inf, "chebyshev": 1}[metric]
    np.testing.assert_allclose(np.linalg.norm(gradient.numpy(), ord=dual, axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize(("scale", "p"), [(2.0**660, 1), (2.0**-660, 1), (2.0**-660, 2), (2.0**200, 2)])
def test_gradients(scale, p):
    """The gradient of W_p with respect to the points has no unit: it is the same at every scale."""
    found = []
    for s in (scale, 1.0):
        x = torch.tensor(s * X, requires_grad=True)
        found.append(torch.autograd.grad(wasserstein(x, torch.tensor(s * Y), p).distance, x)[0])
    assert torch.allclose(found[0], found[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("p", [1.1, 3])
@pytest.mark.parametrize("scale", [1e-25, 1e20, 1e25])
def test_roots_far_from_one(p, scale):
    """1/p is itself rounded: the bracket of the distance must allow for it."""
    r = wasserstein([0.0], [scale], p)
    assert r.distance_lower <= scale <= r.distance_upper
    assert r.distance_upper - r.distance_lower <= 1e-13 * scale


def test_a_far_point_without_mass():
    """A sentinel of mass 0 widens no bracket."""
    x, y = [0.0, 1.0, 2.0, 1e9], [0.5, 1.5, 2.6]
    r = wasserstein(x, y, 2, a=[1 / 3, 1 / 3, 1 / 3, 0.0], b=[1 / 3, 1 / 3, 1 / 3], solver=Exact())
    assert r.lower == pytest.approx(0.86 / 3, rel=1e-9)


def test_sliced_far_from_zero():
    """A common offset takes no digits."""
    x, y = (RNG.integers(-9, 9, (k, 2)) / 8 for k in (8, 9))
    near, far = (sliced_wasserstein(x + t, y + t, rng=0).value for t in (0.0, 2.0**45))
    assert far == pytest.approx(near, rel=1e-12)


@pytest.mark.parametrize("epsilon", [1e10, 1e14, 1e18])
def test_large_epsilon(epsilon):
    """The entropic value tends to the mean cost, the Sinkhorn divergence to half of the energy distance."""
    mean = np.mean(np.linalg.norm(X[:, None] - Y, axis=2))
    regularized = wasserstein(X, Y, solver=Sinkhorn(epsilon)).regularized  # type: ignore[attr-defined]
    assert regularized == pytest.approx(mean, rel=1e-9)
    assert sinkhorn_divergence(X, Y, epsilon=epsilon) == pytest.approx(energy_distance(X, Y) / 2, rel=1e-9)


def test_a_gap_below_rounding():
    """A bracket narrower than float64 can prove is not reached, and what is returned is a true one."""
    with pytest.raises(ConvergenceError) as caught:
        transport([[1 / 3, 0.7], [0.1, 0.2]], solver=Sinkhorn(gap=1e-30))
    result = caught.value.result
    assert result.lower <= 0.8 / 3 <= result.upper <= 0.8 / 3 + 1e-12
    assert "rounding does not let the bracket reach gap" in result.notes
    with pytest.raises(DataError, match="epsilon must be at least"):
        transport([[1.0, 2.0]], solver=Sinkhorn(epsilon=1e-310))


def test_energy_of_tied_samples_is_exactly_zero():
    """Equal multisets of unequal counts too: the distribution functions are compared as counts."""
    for k in range(1, 9):
        x = np.repeat(np.arange(4.0), k) / 7
        assert energy_distance(x, x[::-1]) == 0
        assert energy_distance(x, np.arange(4.0) / 7) == 0


def test_mmd_of_many_rows_has_no_order():
    """Where the bandwidth is taken from some of the rows, which ones does not depend on their order."""
    x, y = RNG.normal(size=(1500, 2)), RNG.normal(size=(900, 2)) + 0.1
    value = float(mmd(x, y))
    assert float(mmd(x[RNG.permutation(1500)], y)) == pytest.approx(value, abs=1e-12)
    assert float(mmd(y, x)) == pytest.approx(value, abs=1e-12)


def test_compare_columns_of_many_magnitudes():
    """What depends on the order of values alone is not rounded away by one large value."""
    x = np.append(10.0 ** -RNG.uniform(20, 30, 40), 1.0)
    y = np.append(10.0 ** -RNG.uniform(30, 40, 50), 1.0)
    column = compare(x, y, rng=0, permutations=2).columns["column_1"]
    assert (column.ks or 0.0) > 0.9
    assert float(column.total_variation or 0.0) == pytest.approx(
        estimate(x, y, "total_variation", method="histogram", rng=1).value, abs=0.05
    )


@SCALES
def test_compare(scale):
    """Standardised numbers have no unit, the others take it up."""
    plain, scaled = (compare(s * X, s * Y, rng=0, permutations=5) for s in (1.0, scale))
    for name, column in plain.columns.items():
        other = scaled.columns[name]
        assert other.w1_sd == pytest.approx(column.w1_sd, rel=1e-12)
        assert other.standard_error == pytest.approx(scale * column.standard_error, rel=1e-12)
    for name, entry in plain.joint.items():
        assert scaled.joint[name].value == pytest.approx(entry.value, rel=1e-9), name


@pytest.mark.parametrize("solver", [Exact(), Exact(dense=0), Sinkhorn()], ids=["dense", "sparse", "Sinkhorn"])
@pytest.mark.parametrize(("crumb", "far"), [(1.65166145e-120, 1e3), (1e-130, 1e60)])
def test_masses_that_scaling_rounds(solver, crumb, far):
    """Beside 1e200 a mass becomes subnormal, or 0, inside: the bracket still holds what it costs to move it."""
    r = wasserstein(
        np.array([[0.0], [far]]), np.zeros((1, 1)), a=[1e200, crumb], b=[1e200], solver=solver, strict=False
    )
    assert Fraction(r.lower) <= Fraction(crumb) * Fraction(far) <= Fraction(r.upper)
