"""Each law of the solvers rejects a planted error, and no solver can talk the certificate into a wrong bracket."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import coo_array

from divergences.errors import ConvergenceError
from divergences.optimal_transport import Exact, Problem, Solution, transport, wasserstein
from tests.laws import solver_laws as laws
from tests.oracles import exact_costs, transport_optimum

COST = np.array([[1.0, 4.0, 3.0], [2.0, 0.0, 5.0]])
A, B = np.array([3.0, 2.0]), np.array([1.0, 2.0, 2.0])
BEST = transport_optimum(COST, A, B)


def solved():
    """The right answer, to be spoilt."""
    return transport(COST, A, B)


def test_the_right_answer_passes():
    """None of the laws rejects the unspoilt result."""
    r = solved()
    violations = (
        laws.marginal_excess(r, A, B),
        laws.negative_mass(r),
        laws.bracket_violation(r, BEST),
        laws.infeasibility(r, COST),
        laws.cost_mismatch(r, COST),
        laws.gap_excess(r, COST, A),
        laws.disjointness(r, r),
    )
    assert max(violations) <= 0


def test_dropped_marginal_constraint():
    """A plan that sends every row to its cheapest column has the wrong columns."""
    cheapest = coo_array((A, ([0, 1], [0, 1])), shape=COST.shape)
    assert laws.marginal_excess(replace(solved(), _raw=cheapest), A, B) > 0


def test_a_little_mass_missing():
    """A millionth of a millionth of the mass is missed."""
    r = solved()
    assert laws.marginal_excess(replace(r, _raw=coo_array(laws.entries(r) * (1 - 1e-12))), A, B) > 0


def test_negative_mass():
    """A cycle of negative mass keeps the marginals and is still refused."""
    plan = np.array([[2.0, 2.0, -1.0], [-1.0, 0.0, 3.0]])
    spoilt = replace(solved(), _raw=coo_array(plan))
    assert laws.marginal_excess(spoilt, A, B) <= 0
    assert laws.negative_mass(spoilt) > 0


def test_suboptimal_plan_claimed_optimal():
    """A feasible plan that is not optimal, reported as its own lower bound, does not bracket the optimum."""
    value = 3.0 * 4 + 2.0 * 2
    assert laws.bracket_violation(replace(solved(), lower=value, upper=value), BEST) > 0


@pytest.mark.parametrize("change", [{"upper": -1}, {"lower": 1}])
def test_bracket_one_ulp_off(change):
    """One unit in the last place on the wrong side is a violation: the comparison is exact."""
    end, side = next(iter(change.items()))
    value = float(BEST)
    assert Fraction(value) == BEST
    assert laws.bracket_violation(replace(solved(), **{end: np.nextafter(value, side * np.inf)}), BEST) > 0


def test_infeasible_dual():
    """Potentials raised by one unit in the last place break a tight constraint."""
    r = solved()
    f, g = r.potentials
    raised = np.nextafter(f, np.inf), g + 1e-15
    assert laws.infeasibility(replace(r, potentials=raised), COST) > 0


def test_cost_of_another_plan():
    """A cost that is not that of the plan is noticed, a swapped cost matrix too."""
    r = solved()
    assert laws.cost_mismatch(replace(r, cost=r.cost * (1 + 1e-9)), COST) > 0
    assert laws.cost_mismatch(r, COST[::-1]) > 0


def test_open_gap():
    """A lower end a millionth too low is true, and not good enough for an exact solver."""
    r = solved()
    assert laws.gap_excess(replace(r, lower=r.lower - 1e-6), COST, A) > 0


def test_swapped_arguments_and_forgotten_factors():
    """Invariance laws see a transposed cost of the wrong kind, a forgotten factor and a forgotten constant."""
    r = solved()
    swapped = transport(COST[:, ::-1], A, B)
    assert laws.disjointness(r, swapped) > 0
    assert laws.disjointness(r, transport(2 * COST, A, B)) > 0
    assert laws.disjointness(r, transport(COST + 1, A, B), shift=5) <= 0
    assert laws.disjointness(r, transport(COST + 1, A, B)) > 0


def test_equal_measures_with_a_cost():
    """A positive lower end or a negative distance between equal measures is refused."""
    r = wasserstein([0.0, 1.0], [0.0, 1.0])
    assert laws.distance_of_nothing(r) <= 0
    assert laws.distance_of_nothing(replace(r, lower=1e-300)) > 0
    assert laws.distance_of_nothing(replace(r, distance_lower=-1e-300)) > 0


@dataclass(frozen=True)
class Liar:
    """A solver that hands over the plan and potentials it is told to, and calls them optimal."""

    plan: np.ndarray
    g: np.ndarray

    def solve(self, problem: Problem) -> Solution:
        """The planted answer."""
        return Solution(coo_array(self.plan), np.zeros(len(self.plan)), self.g, 1, converged=True)


@pytest.mark.parametrize(
    "liar",
    [
        Liar(np.array([[0, 3.0, 0], [0, 0, 2.0]]), np.array([9.0, 0.0, -9.0])),  # column constraint dropped
        Liar(np.array([[1.0, 2.0, 0], [0, 0, 2.0]]), np.array([0.0, -1.0, 2.0])),  # feasible but suboptimal
        Liar(np.zeros((2, 3)), np.array([9.0, 9.0, -9.0])),  # nothing at all, infeasible potentials
    ],
)
def test_the_certificate_believes_nobody(liar):
    """Whatever a solver claims, the bracket holds the optimum, and the claim to have converged is refused."""
    with pytest.raises(ConvergenceError, match="must reach its tolerance") as caught:
        transport(COST, A, B, solver=liar)
    result = caught.value.result
    assert laws.bracket_violation(result, BEST) <= 0
    assert laws.marginal_excess(result, A, B) <= 0
    assert laws.infeasibility(result, COST) <= 0


def test_oracle_agrees_with_arithmetic_by_hand():
    """The oracle's optimum on a problem small enough for the back of an envelope."""
    assert transport_optimum([[0, 1], [2, 0]], [1, 1], [1, 1]) == 0
    assert transport_optimum(exact_costs([[0.0], [2.0]], [[1.0], [5.0]], 1)) == 2
    assert Exact().solve(Problem.from_costs(COST, A, B)).converged
