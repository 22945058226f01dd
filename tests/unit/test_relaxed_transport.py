"""Partial and unbalanced transport: linear programs, POT, hostile input, gradients, messages."""

from typing import Any

import numpy as np
import ot
import pytest
import torch

import divergences as dv
from divergences.errors import ConvergenceError, DataError, NotNormalizedError
from divergences.optimal_transport import Exact, LinearProgram
from tests import relaxed_oracles as oracle

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 2)), RNG.normal(size=(9, 2)) + 0.5
A, B = RNG.uniform(0.1, 1, 12), RNG.uniform(0.1, 1, 9)


def partial(x: Any = None, y: Any = None, p: float = 2, **more: Any) -> Any:
    """Partial transport of 1.3 units."""
    return dv.partial_transport(x, y, p, mass=1.3, **more)


def varied(x: Any = None, y: Any = None, p: float = 2, **more: Any) -> Any:
    """Unbalanced transport at half a unit of cost for a unit of mass."""
    return dv.unbalanced_transport(x, y, p, marginal_cost=0.5, penalty="tv", **more)


BOTH = pytest.mark.parametrize("call", [partial, varied])


@pytest.mark.parametrize("seed", range(20))
def test_against_linear_programs(seed):
    """HiGHS on the programs as they are written, without added points."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 15, 2)
    cost, a, b = rng.uniform(0, 2, (n, m)), rng.uniform(size=n), rng.uniform(size=m)
    mass = rng.uniform() * min(a.sum(), b.sum())
    result = dv.partial_transport(cost=cost - 1, a=a, b=b, mass=mass)
    assert result.cost == pytest.approx(oracle.highs(*oracle.partial_program(cost - 1, a, b, mass)), abs=1e-9)
    for price in (0.1, 0.7, 30.0):
        result = dv.unbalanced_transport(cost=cost, a=a, b=b, marginal_cost=price, penalty="tv")
        assert result.cost == pytest.approx(oracle.highs(*oracle.variation_program(cost, a, b, price)), rel=1e-9)
        assert result.converged


def test_against_pot():
    """POT's partial transport, which solves the same reduction with a price of its own."""
    cost = ot.dist(X, Y)
    expected: Any = ot.partial.partial_wasserstein2(A, B, cost, m=1.3)
    assert partial(X, Y, a=A, b=B).cost == pytest.approx(float(expected), rel=1e-9)
    assert partial(cost=cost, a=A, b=B).cost == pytest.approx(float(expected), rel=1e-9)


def test_an_outlier_is_left_behind():
    """What is far away stays, and is told."""
    x, y = np.array([0.0, 1.0, 2.0, 1e6]), np.array([0.5, 1.5, 2.5, -1e6])
    result = dv.partial_transport(x, y, mass=0.75)
    assert result.cost == pytest.approx(0.375)
    assert result.removed.tolist() == pytest.approx([0, 0, 0, 0.25])
    assert result.added.tolist() == pytest.approx([0, 0, 0, 0.25])
    assert result.multiplier == pytest.approx(0.5) or result.multiplier > 0.5
    paid = dv.unbalanced_transport(x, y, marginal_cost=10.0, penalty="tv")
    assert paid.cost == pytest.approx(0.375 + 2 * 10 * 0.25)
    assert paid.transport_cost == pytest.approx(0.375)


@BOTH
@pytest.mark.parametrize("scale", [1e-160, 1e150])
def test_units_do_not_matter(call, scale):
    """Lengths and masses near the ends of the floats: the bracket scales with them."""
    usual = call(X, Y, 1, a=A, b=B)
    masses = dv.partial_transport(X, Y, 1, mass=1.3 * scale, a=A * scale, b=B * scale)
    assert masses.cost / scale == pytest.approx(partial(X, Y, 1, a=A, b=B).cost, rel=1e-9)
    if call is partial:
        moved = call(X * scale, Y * scale, 1, a=A, b=B)
    else:
        moved = dv.unbalanced_transport(X * scale, Y * scale, 1, marginal_cost=0.5 * scale, penalty="tv", a=A, b=B)
    assert moved.cost / scale == pytest.approx(usual.cost, rel=1e-9)
    assert moved.gap <= 1e-9 * moved.cost
    f, g = moved.potentials
    assert A @ f / scale + B @ g / scale + 1.3 * moved.multiplier / scale == pytest.approx(usual.cost, rel=1e-9)


def test_prices_and_costs_of_very_different_size():
    """What exceeds twice the price plays no part, however large; what is far below it costs next to nothing."""
    cost = np.array([[1e-300, 1e300], [1e300, 1e300]])
    tiny = dv.unbalanced_transport(cost=cost, marginal_cost=1e-10, penalty="tv")
    assert tiny.cost == pytest.approx(1e-10, rel=1e-12)
    assert tiny.mass == 0.5
    points = np.array([0.0, 1e-200])
    near = dv.unbalanced_transport(points, points[::-1] * 3, 2, marginal_cost=1.0, penalty="tv", a=[1.0, 2.0])
    assert near.lower <= near.cost == pytest.approx(2.0)
    with pytest.raises(DataError, match=r"1\.8e308"):
        dv.unbalanced_transport(X, Y, marginal_cost=1e308, penalty="tv", a=A * 1e3, b=B)


def test_degenerate_problems():
    """No mass, one point, equal clouds, all at one place, places without mass."""
    nothing = dv.partial_transport(X, Y, mass=0)
    assert nothing.cost == nothing.mass == 0
    assert nothing.multiplier == pytest.approx(np.linalg.norm(X[:, None] - Y, axis=2).min())
    assert dv.partial_transport([0.0], [3.0], mass=0.5).cost == 1.5
    assert dv.partial_transport(X, X, mass=0.4).cost == pytest.approx(0, abs=1e-15)
    assert dv.unbalanced_transport(X, X, marginal_cost=1.0, penalty="tv").cost == pytest.approx(0, abs=1e-15)
    assert dv.partial_transport(np.zeros(4), np.zeros(7), mass=0.3).cost == 0
    heavy = dv.unbalanced_transport(np.zeros(2), np.zeros(2), marginal_cost=0.5, penalty="tv", a=[3.0, 0.0])
    assert heavy.cost == 1.0
    assert heavy.removed.tolist() == [2.0, 0.0]
    speck = dv.partial_transport(cost=[[0.0], [1.0]], a=[5e-324, 2.0], b=[2.0], mass=1.998)
    assert speck.cost == pytest.approx(1.998, rel=1e-12)
    huge = dv.partial_transport(cost=[[0.0, 1e32], [1e32, 2.0]], mass=0.75)
    assert huge.cost == 0.5


@BOTH
@pytest.mark.parametrize("solver", [Exact(), LinearProgram()])
def test_gradients(call, solver):
    """With respect to points, costs and masses, in any direction, against central differences."""
    inputs = {"x": X, "y": Y, "a": A, "b": B}
    for name in ("x", "y", "a", "b", "cost"):
        at = dict(inputs) if name != "cost" else {"cost": np.linalg.norm(X[:, None] - Y, axis=2), "a": A, "b": B}
        move = RNG.normal(size=at[name].shape)
        leaves = {k: torch.tensor(v, requires_grad=k == name) for k, v in at.items()}
        value = call(**leaves, solver=solver).cost
        (gradient,) = torch.autograd.grad(value, leaves[name])
        ends = [call(**{**at, name: at[name] + s * 1e-6 * move}).cost for s in (1, -1)]
        assert float((gradient * torch.tensor(move)).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_mass_has_its_price():
    """The multiplier is the slope in the mass."""
    ends = [dv.partial_transport(X, Y, 2, mass=1.3 + s * 1e-6, a=A, b=B).cost for s in (1, -1)]
    assert partial(X, Y, a=A, b=B).multiplier == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


@BOTH
def test_kinds(call):
    """float32, integers and bools in; torch in, torch out; nothing changed on the way."""
    x, y = np.arange(6).reshape(3, 2), np.ones((2, 2), dtype=bool)
    weights = np.array([1, 2, 3]), np.array([1, 1])
    wide = call(x.astype(float), y.astype(float), a=weights[0].astype(float), b=weights[1].astype(float)).cost
    assert call(x, y, a=weights[0], b=weights[1]).cost == wide
    points = (torch.tensor(v, dtype=torch.float32) for v in (x, y))
    narrow = call(*points, a=torch.tensor(weights[0]), b=torch.tensor(weights[1]))
    assert narrow.cost.dtype == torch.float32
    assert not narrow.cost.requires_grad
    assert float(narrow.cost) == pytest.approx(wide, rel=1e-6)
    assert x.dtype == int


@BOTH
def test_what_is_refused(call):
    """Each by name, with the remedy."""
    for told, args, more in (
        ("either samples x and y, or cost=", (), {}),
        ("either samples x and y, or cost=", (X, Y), {"cost": np.ones((2, 2))}),
        ("either samples x and y, or cost=", (X,), {}),
        ("cost must be a matrix", (), {"cost": np.ones(3)}),
        ("cost must be finite", (), {"cost": [[np.nan]]}),
        ("same number of columns", (X, np.ones((3, 3))), {}),
        ("NaN", ([np.nan, 1.0], [1.0]), {}),
        ("n, d >= 1", ([], [1.0]), {}),
        ("p must be", (X, Y, 0.5), {}),
        ("metric must be one of", (X, Y), {"metric": "cosine"}),
        ("one kind", (X, torch.tensor(Y)), {}),
        ("one kind", (X, Y), {"a": torch.tensor(A)}),
        ("one mass per point", (X, Y), {"a": B}),
        ("positive total", (X, Y), {"a": 0 * A}),
        ("must not be negative", (X, Y), {"a": -A}),
        ("masked", (np.ma.masked_array(X), Y), {}),
    ):
        with pytest.raises(DataError, match=told):
            call(*args, **more)


def test_what_else_is_refused():
    """More mass than there is, prices that are none, costs that pay, unknown penalties, lost gradients."""
    wrong: tuple[Any, ...] = (-1, np.nan, np.inf, "x", True)
    for mass in wrong:
        with pytest.raises(DataError, match="mass must be"):
            dv.partial_transport(X, Y, mass=mass)
    with pytest.raises(NotNormalizedError, match=r"smaller total of a and b, 1; got 1\.1"):
        dv.partial_transport(X, Y[:8], mass=1.1)
    assert dv.partial_transport(X, Y, mass=1 + 1e-12).mass == pytest.approx(1)
    for price in (0, -1, np.inf, None):
        with pytest.raises(DataError, match="marginal_cost must be"):
            dv.unbalanced_transport(X, Y, marginal_cost=price, penalty="tv")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cost must not be negative"):
        dv.unbalanced_transport(cost=[[-1.0, 2.0]], marginal_cost=1, penalty="tv")
    with pytest.raises(DataError, match="penalty must be one of"):
        dv.unbalanced_transport(X, Y, marginal_cost=1, penalty="l2")
    with pytest.raises(DataError, match=r"Masses must be at least 1\.9e-68 where others reach 1e\+300"):
        dv.unbalanced_transport([0.0], [1.0], marginal_cost=1, a=[1e300], b=[1e-100])
    asking: Any = torch.tensor(0.5, requires_grad=True)
    with pytest.raises(DataError, match="mass must be a plain number"):
        dv.partial_transport(X, Y, mass=asking)


@BOTH
def test_a_solver_that_stops_early_tells_a_true_bracket(call):
    """ConvergenceError carries it; strict=False returns it."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(50, 2))
    more = {"a": rng.uniform(size=60), "b": rng.uniform(size=50)}
    best = call(x, y, **more).cost
    with pytest.raises(ConvergenceError, match="this bracket is true") as caught:
        call(x, y, **more, solver=Exact(max_iterations=20))
    stopped = call(x, y, **more, solver=Exact(max_iterations=20), strict=False)
    assert not stopped.converged
    for result in (stopped, caught.value.result):
        assert result.lower <= best <= result.upper
        assert call is not partial or result.mass == pytest.approx(1.3)
        assert np.all(result.removed >= -1e-12)
        assert np.all(result.added >= -1e-12)
