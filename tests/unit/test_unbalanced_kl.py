"""Kullback-Leibler penalties: closed forms, other minimisers, both ends at 50 digits, limits, gradients, refusals."""

from typing import Any

import mpmath as mp
import numpy as np
import ot
import pytest
import torch
from scipy.optimize import minimize

import divergences as dv
from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport import Exact
from divergences.optimal_transport._interior import lower_end, upper_end

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 2)), RNG.normal(size=(9, 2)) + 0.5
A, B = RNG.uniform(0.1, 1, 12), RNG.uniform(0.1, 1, 9)


def kl(x: Any = None, y: Any = None, p: float = 2, *, price: float = 0.7, **more: Any) -> Any:
    """Unbalanced transport with the penalty under test."""
    return dv.unbalanced_transport(x, y, p, marginal_cost=price, penalty="kl", **more)


def objective(plan: Any, cost: Any, a: Any, b: Any, price: float) -> Any:
    """The objective at a plan, to 50 digits, zeros by their limits."""
    with mp.workdps(50):
        exact = [[mp.mpf(float(v)) for v in row] for row in plan]
        value = sum((v * mp.mpf(float(c)) for row, costs in zip(exact, cost, strict=True)
                     for v, c in zip(row, costs, strict=True)), mp.mpf(0))  # fmt: skip
        for sums, masses in (([sum(row) for row in exact], a), ([sum(v) for v in zip(*exact, strict=True)], b)):
            for kept, mass in zip(sums, (mp.mpf(float(v)) for v in masses), strict=True):
                value += price * (kept * mp.log(kept / mass) - kept + mass if kept else mass)
        return value


def dual(potentials: Any, a: Any, b: Any, price: float) -> Any:
    """The dual value of potentials, to 50 digits."""
    f, g = potentials
    with mp.workdps(50):
        return sum((-price * mp.mpf(float(m)) * mp.expm1(-mp.mpf(float(v)) / price)
                    for m, v in [*zip(a, f, strict=True), *zip(b, g, strict=True)]), mp.mpf(0))  # fmt: skip


@pytest.mark.parametrize("price", [1e-3, 0.05, 1.0, 1e2, 1e7])
def test_both_ends_at_fifty_digits(price):
    """No end is on the wrong side of what proves it, potentials are feasible, and the gap is 1e-9."""
    cost = np.linalg.norm(X[:, None] - Y, axis=2)
    result = kl(cost=cost, a=A, b=B, price=price)
    assert objective(result.plan, cost, A, B, price) <= result.upper
    assert dual(result.potentials, A, B, price) >= result.lower
    f, g = result.potentials
    assert (f[:, None] + g <= cost).all()
    assert 0 <= result.gap <= 1e-9 * result.cost
    assert result.converged
    assert result.cost == pytest.approx(float(objective(result.plan, cost, A, B, price)), rel=1e-14)


def test_ends_of_any_plan_and_any_potentials():
    """Rough ones too: empty rows, rows far from their mass or next to it, tiny and huge potentials."""
    rng = np.random.default_rng(1)
    for trial in range(60):
        n, m, price = *rng.integers(1, 5, 2), float(rng.choice([1e-2, 1.0, 33.0]))
        cost, a, b = rng.uniform(0, 2, (n, m)), rng.uniform(size=n), rng.uniform(size=m)
        plan = np.outer(a, b) * rng.choice([0.0, 1e-17, 1.0, 1e5], (n, m))
        if trial % 3 == 0:
            plan = np.outer(a, b) / b.sum() * (1 + 1e-15 * rng.normal(size=(n, m)))
        high = upper_end(plan, cost, (0.0, 0.0), a, b, price)
        truth = objective(plan, cost, a, b, price)
        assert truth <= high <= truth * (1 + mp.mpf(1e-13)) + 1e-14 * price * (a.sum() + b.sum())
        f, g = rng.normal(size=n) * 10.0 ** rng.integers(-12, 2), rng.normal(size=m)
        low = lower_end(f, g, a, b, price)
        truth = dual((f, g), a, b, price)
        assert low <= max(truth, 0)
        assert low == 0 or low >= truth - mp.mpf(1e-13) * (abs(truth) + price * (a.sum() + b.sum()))
    assert upper_end(np.eye(1), np.eye(1), (1e-3, 0.0), np.ones(1), np.ones(1), 1.0) >= 1.001


def test_one_point_on_each_side():
    """price (a + b - 2 sqrt(a b) exp(-c / 2 price))."""
    for price, a, b, c in ((0.5, 1.0, 4.0, 1.0), (2.0, 1e-6, 3.0, 0.1), (1e3, 2.0, 2.0, 7.0), (1.0, 1.0, 1.0, 0.0)):
        best = price * (a + b - 2 * np.sqrt(a * b) * np.exp(-c / (2 * price)))
        result = kl(cost=[[c]], a=[a], b=[b], price=price)
        assert result.cost == pytest.approx(best, rel=1e-9, abs=1e-14 * price)


@pytest.mark.parametrize("price", [0.2, 1.0, 5.0])
def test_against_other_minimisers(price):
    """L-BFGS on square roots of the plan, and POT's multiplicative updates."""
    rng = np.random.default_rng(3)
    cost, a, b = rng.uniform(0, 2, (3, 4)), rng.uniform(0.2, 1, 3), rng.uniform(0.2, 2, 4)

    def value(roots: np.ndarray) -> tuple[float, np.ndarray]:
        plan = roots.reshape(3, 4) ** 2
        rows, columns = plan.sum(axis=1), plan.sum(axis=0)
        penalty = np.sum(rows * np.log(rows / a) - rows + a) + np.sum(columns * np.log(columns / b) - columns + b)
        slope = cost + price * (np.log(rows / a)[:, None] + np.log(columns / b))
        return float(np.sum(plan * cost) + price * penalty), (2 * slope * roots.reshape(3, 4)).ravel()

    options = {"maxiter": 20000, "ftol": 1e-16, "gtol": 1e-12}
    least = min(minimize(value, rng.uniform(0.2, 1, 12), jac=True, method="L-BFGS-B", options=options).fun
                for _ in range(3))  # fmt: skip
    result = kl(cost=cost, a=a, b=b, price=price)
    assert result.lower * (1 - 1e-9) <= least
    assert result.cost == pytest.approx(least, rel=1e-8)
    plan: Any = ot.unbalanced.mm_unbalanced(a, b, cost, price, div="kl", numItermax=100000, stopThr=1e-14)
    np.testing.assert_allclose(result.plan, plan, atol=1e-5)


def test_limits():
    """A price of nothing destroys all; an infinite one balances equal totals; the cost rises with the price."""
    even = np.full(12, 1.5), np.full(9, 2.0)
    balanced = dv.wasserstein(X, Y, 2, a=even[0], b=even[1])
    assert kl(X, Y, a=even[0], b=even[1], price=1e9).cost == pytest.approx(balanced.cost, rel=1e-7)
    assert kl(X, Y, a=A, b=B, price=1e-6).cost == pytest.approx(1e-6 * (A.sum() + B.sum()), rel=1e-6)
    prices = (1e-3, 0.1, 1.0, 10.0, 1e4)
    costs = [kl(X, Y, a=A, b=B, price=t) for t in prices]
    assert (np.diff([r.cost for r in costs]) > 0).all()
    # A concave function of the price, as a minimum of straight lines: slopes fall.
    slopes = [(r.cost - r.transport_cost) / t for r, t in zip(costs, prices, strict=True)]
    assert (np.diff(slopes) < 0).all()
    away = (np.sqrt(A.sum()) - np.sqrt(B.sum())) ** 2
    assert slopes[-1] == pytest.approx(away, rel=1e-4)
    for price in (0.1, 1.0, 1e5):
        assert kl(X, X, a=A, b=A, price=price).cost == pytest.approx(0, abs=1e-14 * price * A.sum())


@pytest.mark.parametrize("scale", [1e-150, 1e140])
def test_units_do_not_matter(scale):
    """Lengths, masses, and costs far above the price."""
    usual = kl(X, Y, 1, a=A, b=B)
    assert kl(X * scale, Y * scale, 1, a=A, b=B, price=0.7 * scale).cost / scale == pytest.approx(usual.cost, rel=2e-9)
    heavy = kl(X, Y, 1, a=A * scale, b=B * scale)
    assert heavy.cost / scale == pytest.approx(usual.cost, rel=2e-9)
    assert heavy.plan.sum() / scale == pytest.approx(usual.mass, rel=1e-6)
    far = kl(cost=[[1e-3, 1e300], [1e300, 1e300]], a=[1.0, 2.0], b=[1.0, 3.0], price=1.0)
    assert far.cost == pytest.approx(2 - 2 * np.exp(-5e-4) + 5, rel=1e-9)


@pytest.mark.parametrize("cost", [0.0, 1e-17, 1e-30])
@pytest.mark.parametrize("more", [1.0, 2.0, 1e6, 1e250])
def test_costs_that_drown_beside_different_totals(cost, more):
    """What is left is the price of the totals, and no end is NaN: (sqrt(sum a) - sqrt(sum b))^2."""
    b = np.array([1.0, 3.0, 0.5]) * more
    result = kl(cost=np.full((2, 3), cost), a=[1.0, 2.0], b=b, price=1.0)
    assert result.cost == pytest.approx((np.sqrt(3.0) - np.sqrt(b.sum())) ** 2, rel=1e-9)


@pytest.mark.parametrize(("cost", "a", "b", "price"), [
    ([[1e300, 0.0], [0.0, 1e300]], [1.0, 1e150], [1e150, 1.0], 5e-324),
    ([[0.0, 6.0], [0.0, 0.0]], [9e9, 1e-323], [9e9, 9e9], 4.5e-8),
    ([[1e300], [1e-308], [2.0]], [5e-324, 5e-324, 0.25], [5e-324], 7e-5),
])  # fmt: skip
def test_ends_are_finite_at_hostile_sizes(cost, a, b, price):
    """Nothing is warned of, and what leaving all mass behind costs is a bound from above."""
    result = kl(cost=cost, a=a, b=b, price=price, strict=False)
    assert 0 <= result.lower <= result.upper <= price * (sum(a) + sum(b)) * (1 + 1e-12) + 1e-300
    assert np.isfinite(result.plan).all()


def test_places_without_mass_take_no_part():
    """Their rows stay empty; the answer is that without them."""
    a = np.where(np.arange(12) % 3 == 0, 0.0, A)
    result = kl(X, Y, a=a, b=B)
    assert result.cost == pytest.approx(kl(X[a > 0], Y, a=a[a > 0], b=B).cost, rel=2e-9)
    assert not result.plan[a == 0].any()
    assert np.isfinite(result.potentials[0]).all()
    assert kl(Y, X, a=B, b=a).cost == pytest.approx(result.cost, rel=2e-9)


def test_gradients():
    """With respect to points, costs and masses, in any direction."""
    for name in ("x", "y", "a", "b", "cost"):
        at = {"x": X, "y": Y, "a": A, "b": B}
        if name == "cost":
            at = {"cost": np.linalg.norm(X[:, None] - Y, axis=2), "a": A, "b": B}
        move = RNG.normal(size=at[name].shape)
        leaves: Any = {k: torch.tensor(v, requires_grad=k == name) for k, v in at.items()}
        (gradient,) = torch.autograd.grad(kl(**leaves, tolerance=1e-12).cost, leaves[name])
        ends = [kl(**{**at, name: at[name] + s * 1e-5 * move}, tolerance=1e-12).cost for s in (1, -1)]
        assert float((gradient * torch.tensor(move)).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)
    empty = torch.tensor(np.where(np.arange(12) == 0, 0.0, A), requires_grad=True)
    (gradient,) = torch.autograd.grad(kl(torch.tensor(X), torch.tensor(Y), a=empty).cost, empty)
    assert torch.isfinite(gradient).all()


def test_what_is_refused_and_what_stops_early():
    """A solver, bad tolerances, negative costs; too few steps leave a true bracket."""
    refused: list[tuple[str, Any]] = [
        ("solver is for penalty='tv'", {"solver": Exact()}),
        ("tolerance must be", {"tolerance": 0}),
        ("max_iterations must be", {"max_iterations": 0}),
    ]
    for told, more in refused:
        with pytest.raises(DataError, match=told):
            kl(X, Y, **more)
    with pytest.raises(DataError, match="cost must not be negative"):
        kl(cost=[[-1.0, 2.0]])
    with pytest.raises(DataError, match=r"1\.8e308"):
        kl(X, Y, a=np.full(12, 1e308), b=B)
    assert kl(np.zeros((40, 2)), np.zeros((30, 2))).cost == pytest.approx(0, abs=1e-14)
    best = kl(X, Y, a=A, b=B)
    with pytest.raises(ConvergenceError, match="this bracket is true") as caught:
        kl(X, Y, a=A, b=B, max_iterations=3)
    for result in (caught.value.result, kl(X, Y, a=A, b=B, max_iterations=9, strict=False)):
        assert result.lower <= best.upper
        assert best.lower <= result.upper
        assert result.gap > 1e-9 * result.cost


def test_a_cost_that_underflows_is_not_negative():
    """Its lower end is 0, not a subnormal number below."""
    a, b = np.array([0.7, 0.3]) * 1e-200, np.array([0.4, 0.6]) * 1e-200
    result = dv.unbalanced_transport(
        cost=np.array([[1.0, 2.0], [3.0, 1.0]]) * 1e-200, a=a, b=b, marginal_cost=1e-200, penalty="kl", strict=False
    )
    assert result.lower == 0
    assert 0 < result.upper < 1e-322


@pytest.mark.parametrize(("n", "m", "more"), [(2, 4, 1.0), (5, 1, 1.0), (3, 3, 2.5), (1, 1, 1e-8)])
def test_costs_that_are_all_zero(n, m, more):
    """Only the totals A and B count: price (A^1/2 - B^1/2)^2, whatever the masses."""
    rng = np.random.default_rng(n)
    a, b = rng.dirichlet(np.ones(n)), more * rng.dirichlet(np.ones(m))
    result = dv.unbalanced_transport(cost=np.zeros((n, m)), a=a, b=b, marginal_cost=1e-9, penalty="kl")
    expected = 1e-9 * (np.sqrt(a.sum()) - np.sqrt(b.sum())) ** 2
    assert result.lower <= expected * (1 + 1e-14) + 1e-40
    assert expected * (1 - 1e-14) <= result.upper
    assert result.plan.sum() == pytest.approx(np.sqrt(a.sum() * b.sum()), rel=1e-14)
