"""Laws of partial and unbalanced transport, each shown to reject a planted error."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array

import divergences as dv
from tests import relaxed_oracles as oracle
from tests.laws import relaxed_laws as laws
from tests.oracles import exact_costs

eighths = st.integers(0, 40).map(lambda k: k / 8)
signed = st.one_of(st.integers(-9, 9).map(float), st.floats(-10, 10), st.sampled_from([0.0, 1e-7, 1e6]))
masses = st.one_of(st.integers(0, 5).map(float), st.floats(0, 3), st.sampled_from([1e-9, 1 / 3, 1e4]))


@st.composite
def problems(draw, costs, most=3):
    """A cost matrix and two positive mass vectors of any totals."""
    n = draw(st.integers(1, 2))
    m = draw(st.integers(1, most if n == 1 else 2))
    cost = np.array(draw(st.lists(costs, min_size=n * m, max_size=n * m))).reshape(n, m)
    return cost, *(np.array(draw(st.lists(masses, min_size=k, max_size=k).filter(any))) for k in (n, m))


@given(problem=problems(signed), share=st.sampled_from([0.0, 1e-12, 0.25, 1 / 3, 0.999, 1.0]))
def test_partial_transport_by_all_vertices(problem, share):
    """The bracket holds the optimum in fractions; the plan and the dual are feasible; the gap is closed."""
    cost, a, b = problem
    mass = share * float(min(sum(map(Fraction, a)), sum(map(Fraction, b))))
    mass = min(mass, np.nextafter(mass, 0)) if share == 1.0 else mass
    result = dv.partial_transport(cost=cost, a=a, b=b, mass=mass, strict=False)
    assert laws.outside(result, oracle.optimum(*oracle.partial_program(cost, a, b, mass))) <= 0
    assert laws.overdrawn(result, a, b) <= 0
    assert laws.dual_excess(result, cost) <= 0
    assert laws.looseness(result, np.abs(cost).max() * mass) <= 0
    assert laws.dual_shortfall(result, a, b, mass, np.abs(cost).max() * (a.sum() + b.sum())) <= 0
    assert result.mass == pytest.approx(mass, rel=1e-13)


@given(problem=problems(signed.map(abs)), price=st.sampled_from([1e-8, 0.3, 1.0, 2.5, 1e3, 1e9]))
def test_total_variation_by_all_vertices(problem, price):
    """The same for unbalanced transport; the program lets rows and columns grow as well as shrink."""
    cost, a, b = problem
    result = dv.unbalanced_transport(cost=cost, a=a, b=b, marginal_cost=price, penalty="tv")
    assert laws.outside(result, oracle.optimum(*oracle.variation_program(cost, a, b, price))) <= 0
    assert laws.overdrawn(result, a, b) <= 0
    assert laws.dual_excess(result, cost) <= 0
    assert laws.looseness(result, (np.abs(cost).max() + price) * (a.sum() + b.sum())) <= 0
    assert laws.dual_shortfall(result, a, b, 0.0, (np.abs(cost).max() + price) * (a.sum() + b.sum())) <= 0
    penalties = price * (np.abs(result.removed).sum() + np.abs(result.added).sum())
    scale = (price + np.abs(cost).max()) * (a.sum() + b.sum())
    assert result.transport_cost + penalties == pytest.approx(result.cost, rel=1e-9, abs=1e-13 * scale)


@pytest.mark.parametrize(("cost", "a", "b", "mass"), [
    ([[0.0, -24278402464.0]], [7.0], [1e300, 7.0], 7e-12),  # a huge mass of which next to nothing can be used
    ([[9.0], [6e107]], [3877907.0, 0.875], [4e255], 3.5e-94),
    ([[-1.5e214]], [1e300], [2.8e249], 2.8e-51),
    ([[1e300, -1e-150], [0.0, 0.0]], [0.75, 0.75], [1.0, 0.75], 1.5),  # a negative cost beside huge ones
    ([[1e-224, -1e300]], [2.5e-45], [5e9, 0.0], 2.5e-57),
])  # fmt: skip
def test_partial_transport_of_hostile_sizes(cost, a, b, mass):
    """What scaling takes from small masses and costs beside enormous ones never makes the bracket false."""
    cost, a, b = np.array(cost), np.array(a), np.array(b)
    result = dv.partial_transport(cost=cost, a=a, b=b, mass=mass, strict=False)
    assert laws.outside(result, oracle.optimum(*oracle.partial_program(cost, a, b, mass))) <= 0
    assert laws.dual_excess(result, cost) <= 0


@pytest.mark.parametrize(("cost", "a", "b", "price"), [
    ([[1e-323], [2.5e-323]], [1e-11, 2.5e-323], [1e-11], 0.542),  # a subnormal amount is left behind
    ([[0.9, 5.0]], [1.0], [2e-323, 1e64], 0.555),
    ([[1e300]], [6e11], [8e5], 2e-323),  # a price far below what rounding may take from costs
    ([[1e150], [1e300]], [0.9, 1e300], [3.0], 5e-324),
])  # fmt: skip
def test_total_variation_of_hostile_sizes(cost, a, b, price):
    """The same, and no end is infinite."""
    cost, a, b = np.array(cost), np.array(a), np.array(b)
    result = dv.unbalanced_transport(cost=cost, a=a, b=b, marginal_cost=price, strict=False)
    assert np.isfinite([result.lower, result.upper, *result.potentials[0], *result.potentials[1]]).all()
    assert laws.outside(result, oracle.optimum(*oracle.variation_program(cost, a, b, price))) <= 0
    assert laws.dual_excess(result, cost) <= 0


def test_masses_far_above_the_part():
    """Their rounding leaves a gap above 1e-15 of the part that is transported, and that is as good as solved."""
    rng = np.random.default_rng(4)
    cost = rng.integers(0, 3, (29, 13)).astype(float)
    a, b = 10.0 ** rng.uniform(-6, 3, 29), rng.integers(1, 4, 13).astype(float)
    result = dv.partial_transport(cost=cost, a=a, b=b, mass=0.999999 * b.sum())
    assert result.converged
    assert 0 <= result.upper - result.lower <= 1e-15 * a.sum()


tenths = st.integers(-30, 30).map(lambda k: k / 10)


@given(
    x=st.lists(st.tuples(tenths, tenths), min_size=2, max_size=2),
    y=st.lists(st.tuples(tenths, tenths), min_size=2, max_size=2),
    p=st.sampled_from([1, 1.5, 2]),
    metric=st.sampled_from(["euclidean", "cityblock"]),
    share=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
)
def test_between_points_by_all_vertices(x, y, p, metric, share):
    """Costs are rounded, and the brackets and potentials are those of the true ones."""
    x, y, a = np.array(x), np.array(y), np.array([0.5, 0.5])
    cost = exact_costs(x, y, p, metric)
    part = dv.partial_transport(x, y, p, mass=share, a=a, b=a, metric=metric, strict=False)
    assert laws.outside(part, oracle.optimum(*oracle.partial_program(cost, a, a, share))) <= 0
    assert laws.dual_excess(part, cost) <= 0
    varied = dv.unbalanced_transport(x, y, p, marginal_cost=1.3, a=a, b=a, metric=metric, strict=False)
    assert laws.outside(varied, oracle.optimum(*oracle.variation_program(cost, a, a, 1.3))) <= 0
    assert laws.dual_excess(varied, cost) <= 0


def solved():
    """A problem with a known answer: two of three units go to where they lie; and its optimum."""
    cost = np.abs(np.subtract.outer([0.0, 1.0, 9.0], [0.5, 1.25]))
    return cost, dv.partial_transport(cost=cost, a=np.ones(3), b=np.ones(2), mass=2.0), Fraction(3, 4)


def test_planted_errors_are_rejected():
    """Ends moved by one unit in the last place, a plan that overdraws, potentials too high, a wide gap, a dent."""
    cost, right, optimum = solved()
    assert laws.outside(right, optimum) <= 0
    assert laws.overdrawn(right, np.ones(3), np.ones(2)) <= 0
    assert laws.dual_excess(right, cost) <= 0
    assert laws.looseness(right, 1.0) <= 0
    assert laws.outside(replace(right, upper=np.nextafter(0.75, 0)), optimum) > 0
    assert laws.outside(replace(right, lower=np.nextafter(0.75, 1)), optimum) > 0
    twice = coo_array(([2.0], ([0], [0])), shape=(3, 2))
    assert laws.overdrawn(replace(right, plan=twice), np.ones(3), np.ones(2)) > 0
    assert laws.dual_excess(replace(right, multiplier=right.multiplier + 1e-12), cost) > 0
    assert laws.looseness(replace(right, lower=0.7), 1.0) > 0
    assert laws.dual_shortfall(right, np.ones(3), np.ones(2), 2.0, 1.0) <= 0
    assert laws.dual_shortfall(replace(right, multiplier=0.0), np.ones(3), np.ones(2), 2.0, 1.0) > 0
    assert laws.concavity((0.0, 0.6, 1.0)) > 0


def clouds(n=30, m=20, seed=0):
    """Two weighted clouds of different totals."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 1, rng.uniform(size=n), 2 * rng.uniform(size=m)


@pytest.mark.parametrize("p", [1, 2, 1.5])
def test_partial_cost_is_monotone_convex_and_ends_in_balance(p):
    """From 0 at no mass, by slopes that grow, to balanced transport for all of it; the slope is the multiplier."""
    x, y, a, b = clouds()
    b *= a.sum() / b.sum()
    steps = np.linspace(0, a.sum(), 21)
    results = [dv.partial_transport(x, y, p, mass=s, a=a, b=b) for s in steps]
    costs = [r.cost for r in results]
    assert costs[0] == 0.0
    assert all(np.diff(costs) >= 0)
    assert max(laws.concavity(costs[k : k + 3]) for k in range(19)) <= 1e-12
    whole = dv.wasserstein(x, y, p, a=a, b=b)
    assert costs[-1] == pytest.approx(whole.cost, rel=1e-9)
    for k in range(1, 20):
        assert costs[k] - costs[k - 1] <= results[k].multiplier * steps[1] * (1 + 1e-9)
        assert costs[k + 1] - costs[k] >= results[k].multiplier * steps[1] * (1 - 1e-9)


def test_penalties_from_nothing_to_balance():
    """A price towards 0 costs as much as all mass, one above the largest cost gives transport of all that there is."""
    x, y, a, b = clouds()
    free = dv.unbalanced_transport(x, y, 2, marginal_cost=1e-9, penalty="tv", a=a, b=b)
    assert free.cost == pytest.approx(1e-9 * (a.sum() + b.sum()), rel=1e-9)
    assert free.mass == 0.0
    costs = [dv.unbalanced_transport(x, y, 2, marginal_cost=t, penalty="tv", a=a, b=b).cost for t in (0.1, 1, 2, 9)]
    assert all(np.diff(costs) > 0)
    least = dv.partial_transport(x, y, 2, mass=min(a.sum(), b.sum()), a=a, b=b)
    dear = dv.unbalanced_transport(x, y, 2, marginal_cost=1e6, penalty="tv", a=a, b=b)
    assert dear.transport_cost == pytest.approx(least.cost, rel=1e-9)
    assert dear.cost == pytest.approx(least.cost + 1e6 * abs(a.sum() - b.sum()), rel=1e-12)
    even = np.ones(30), np.full(20, 1.5)
    balanced = dv.wasserstein(x, y, 2, a=even[0], b=even[1])
    for price in (1e2, 1e300):
        same = dv.unbalanced_transport(x, y, 2, marginal_cost=price, penalty="tv", a=even[0], b=even[1])
        assert same.cost == pytest.approx(balanced.cost, rel=1e-9)


@pytest.mark.parametrize("call", [
    lambda *args, **more: dv.partial_transport(*args, mass=5.0, **more),
    lambda *args, **more: dv.unbalanced_transport(*args, marginal_cost=1.0, penalty="tv", **more),
    lambda *args, **more: dv.unbalanced_transport(*args, marginal_cost=1.0, penalty="kl", **more),
])  # fmt: skip
def test_order_sides_offsets_and_split_points_do_not_matter(call):
    """Permuted, exchanged, moved together, with one point split into two: the same cost; a wrong one is noticed."""
    x, y, a, b = clouds()
    cost = call(x, y, 2, a=a, b=b).cost
    order = np.random.default_rng(1).permutation(30)
    others = [
        call(x[order], y, 2, a=a[order], b=b),
        call(y, x, 2, a=b, b=a),
        call(x + 1024.0, y + 1024.0, 2, a=a, b=b),
        call(np.vstack([x, x[:1]]), y, 2, a=np.r_[a[0] / 4, a[1:], a[0] * 3 / 4], b=b),
    ]
    assert [r.cost for r in others] == pytest.approx([cost] * 4, rel=2e-9)
    assert call(x[order], y, 2, a=a, b=b).cost != pytest.approx(cost, rel=1e-9)
