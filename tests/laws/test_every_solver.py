"""Laws that hold for every transport solver; one joins by its line in `divergences.optimal_transport.SOLVERS`."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divergences.optimal_transport import EXACT_SOLVERS, SOLVERS, Exact, Sinkhorn, Univariate, transport, wasserstein
from tests.laws import solver_laws as laws
from tests.oracles import exact_costs, transport_optimum

SPARSE = Exact(dense=0)  # without the matrix of costs, whatever the size
OWN = Exact(compiled=0)  # by our own simplex, whatever the size
CERTAIN = (*EXACT_SOLVERS, SPARSE, OWN)
# The last two often stop early: their brackets are true.
ALL = (*SOLVERS, SPARSE, OWN, Sinkhorn(epsilon=0.05, max_iterations=30), Exact(dense=0, max_iterations=1))
EVERY = pytest.mark.parametrize("solver", ALL, ids=lambda s: type(s).__name__)
EXACT = pytest.mark.parametrize("solver", CERTAIN, ids=lambda s: type(s).__name__)
MATRIX = pytest.mark.parametrize(
    "solver", [s for s in ALL if not isinstance(s, Univariate)], ids=lambda s: type(s).__name__
)

# Multiples of 1/8, so that moving and scaling points is exact; few of them, so that there are ties.
grid = st.integers(-20, 20).map(lambda k: k / 8)
signed_costs = st.one_of(st.integers(-9, 9).map(float), st.floats(-10, 10), st.sampled_from([0.0, 1e-7, 1e6]))


@st.composite
def masses(draw, n, m):
    """Two mass vectors of one total with zeros in them, whole or divided by it (equal to rounding), or None."""
    kind = draw(st.sampled_from(["uniform", "whole", "whole", "normalised", "unbalanced"]))
    if kind == "uniform":
        return None, None
    a = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n).filter(any))
    cuts = sorted(draw(st.lists(st.integers(0, sum(a)), min_size=m - 1, max_size=m - 1)))
    a, b = np.array(a, float), np.diff([0, *cuts, sum(a)]).astype(float)
    if kind == "unbalanced":
        return a, b * (1 + 3e-10)  # within the tolerance of the border, far beyond rounding
    return (a, b) if kind == "whole" else (a / a.sum(), b / b.sum())


@st.composite
def lines(draw):
    """Two weighted samples on the line: x, y, a, b, p."""
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, y = (np.array(draw(st.lists(grid, min_size=k, max_size=k))) for k in (n, m))
    return x, y, *draw(masses(n, m)), draw(st.sampled_from([1, 2, 3]))


@st.composite
def matrices(draw):
    """A cost matrix of either sign with masses: cost, a, b."""
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    cost = np.array(draw(st.lists(signed_costs, min_size=n * m, max_size=n * m))).reshape(n, m)
    return cost, *draw(masses(n, m))


def on_line(solver, x, y, a, b, p):
    """The result on a line problem."""
    return wasserstein(x, y, p, a=a, b=b, solver=solver, strict=False)


def permuted(values, order):
    """Values in another order; None stays None."""
    return None if values is None else values[order]


@EVERY
@given(problem=lines())
def test_everything_on_the_line(solver, problem):
    """Marginals, nonnegativity, bracket, feasible potentials and cost = <plan, c>, against exact arithmetic."""
    x, y, a, b, p = problem
    result = on_line(solver, *problem)
    cost = exact_costs(x[:, None], y[:, None], p)
    assert laws.marginal_excess(result, a, b) <= 0
    assert laws.negative_mass(result) <= 0
    assert laws.bracket_violation(result, transport_optimum(cost, a, b)) <= 0
    assert laws.infeasibility(result, cost) <= 0
    assert laws.cost_mismatch(result, cost) <= 0


@MATRIX
@given(problem=matrices())
def test_everything_for_a_matrix(solver, problem):
    """The same for cost matrices of either sign."""
    cost, a, b = problem
    result = transport(cost, a, b, solver=solver, strict=False)
    assert laws.marginal_excess(result, a, b) <= 0
    assert laws.negative_mass(result) <= 0
    assert laws.bracket_violation(result, transport_optimum(cost, a, b)) <= 0
    assert laws.infeasibility(result, cost) <= 0
    assert laws.cost_mismatch(result, cost) <= 0


@MATRIX
@given(
    x=st.lists(st.tuples(grid, grid), min_size=1, max_size=3),
    y=st.lists(st.tuples(grid, grid), min_size=1, max_size=3),
    p=st.sampled_from([1, 1.5, 2]),
    metric=st.sampled_from(["euclidean", "cityblock", "chebyshev"]),
)
def test_everything_in_the_plane(solver, x, y, p, metric):
    """The bracket and the potentials hold for the true distances, not only for the computed ones."""
    x, y = np.array(x), np.array(y)
    result = wasserstein(x, y, p, metric=metric, solver=solver, strict=False)
    cost = exact_costs(x, y, p, metric)
    assert laws.bracket_violation(result, transport_optimum(cost)) <= 0
    assert laws.infeasibility(result, cost) <= 0


@EXACT
@given(problem=lines())
def test_exact_solvers_close_the_gap(solver, problem):
    """An exact solver converges, to 1e-9 max(cost, 1e-6 mean cost)."""
    x, y, a, _, p = problem
    result = on_line(solver, *problem)
    assert result.converged
    assert laws.gap_excess(result, np.abs(x[:, None] - y) ** p, a) <= 0


@given(problem=lines())
def test_exact_solvers_agree(problem):
    """The brackets of all exact solvers meet."""
    results = [on_line(solver, *problem) for solver in CERTAIN]
    assert all(laws.disjointness(results[0], other) <= 0 for other in results[1:])


@EVERY
@given(problem=lines())
def test_symmetry(solver, problem):
    """Exchanging the two measures does not change the value."""
    x, y, a, b, p = problem
    assert laws.disjointness(on_line(solver, *problem), on_line(solver, y, x, b, a, p)) <= 0


@EVERY
@given(problem=lines(), seed=st.integers(0, 99))
def test_order_of_points(solver, problem, seed):
    """The order in which points are listed does not matter."""
    x, y, a, b, p = problem
    rng = np.random.default_rng(seed)
    i, j = rng.permutation(len(x)), rng.permutation(len(y))
    shuffled = x[i], y[j], permuted(a, i), permuted(b, j), p
    assert laws.disjointness(on_line(solver, *problem), on_line(solver, *shuffled)) <= 0


@EVERY
@given(problem=lines(), shift=grid, factor=st.sampled_from([0.25, 2.0, 1024.0]), heavier=st.sampled_from([1, 3]))
def test_translation_and_scaling(solver, problem, shift, factor, heavier):
    """Moving all points changes nothing; stretching them by s multiplies the cost by s**p, masses by t by t."""
    x, y, a, b, p = problem
    a, b = (np.ones(len(x)) * len(y), np.ones(len(y)) * len(x)) if a is None else (a, b)
    first = on_line(solver, x, y, a, b, p)
    second = on_line(solver, factor * (x + shift), factor * (y + shift), heavier * a, heavier * b, p)
    # Masses that are no whole numbers have rounded when they were multiplied; the value then scales only so far.
    if np.all(np.rint(a) == a) or heavier == 1:
        assert laws.disjointness(first, second, factor=Fraction(factor) ** p * heavier) <= 0


@MATRIX
@given(cost=st.lists(st.integers(-9, 9).map(float), min_size=6, max_size=6), constant=st.sampled_from([-7.0, 0.5, 1e6]))
def test_a_constant_added_to_the_cost(solver, cost, constant):
    """Adding a constant to every cost adds it, times the mass, to the value."""
    cost, a, b = np.array(cost).reshape(2, 3), np.array([2.0, 4.0]), np.array([1.0, 2.0, 3.0])
    first, second = (transport(c, a, b, solver=solver, strict=False) for c in (cost, cost + constant))
    assert laws.disjointness(first, second, shift=6 * Fraction(constant)) <= 0


@EVERY
@given(problem=lines())
def test_equal_measures(solver, problem):
    """The value between equal measures is 0: the bracket holds it and no distance is negative."""
    x, _, _, _, p = problem
    assert laws.distance_of_nothing(on_line(solver, x, x, None, None, p)) <= 0


@EXACT
@given(problem=lines())
def test_equal_measures_cost_nothing(solver, problem):
    """An exact solver answers 0 there, to the bit."""
    x, _, _, _, p = problem
    result = on_line(solver, x, x, None, None, p)
    assert result.cost == result.distance == result.lower == 0


@EVERY
@given(problem=lines())
def test_splitting_an_atom_and_atoms_without_mass(solver, problem):
    """Two halves at one point are one atom; an atom of mass 0 anywhere is none."""
    x, y, a, b, p = problem
    a, b = (np.ones(len(x)) * len(y), np.ones(len(y)) * len(x)) if a is None else (a, b)
    whole = on_line(solver, x, y, a, b, p)
    halves = np.concatenate([[a[0] / 2, a[0] / 2], a[1:]])
    split = on_line(solver, np.concatenate([x[:1], x]), y, halves, b, p)
    idle = on_line(solver, np.append(x, 50.0), np.append(y, -50.0), np.append(a, 0.0), np.append(b, 0.0), p)
    assert laws.disjointness(whole, split) <= 0
    assert laws.disjointness(whole, idle) <= 0
