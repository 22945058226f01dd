"""The answer to a transport problem: numbers with a proof beside them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import coo_array

from divergences._arrays import Array
from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport._certificate import NEGLIGIBLE, Bracket, bracket, round_to_marginals, unscaled
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import UNIT
from divergences.optimal_transport._solution import GibbsPlan, Solution


@dataclass(frozen=True, eq=False)
class TransportResult:
    """The optimal cost of a transport problem, bracketed: `lower <= optimal cost <= upper` is true in real arithmetic.

    `cost` is the cost of `plan` and equals `upper`; `distance` is cost**(1/p), and the cost itself for a cost matrix.
    `potentials` (f, g), of shapes (n,) and (m,) and in units of cost, satisfy f_i + g_j <= c_ij for every pair.
    `marginal_error` is that of what the solver returned, before it was rounded: L1 over both marginals for total mass
    one. For torch inputs `cost` and `distance` are tensors; those of an exact solver carry gradients.
    """

    cost: Any
    distance: Any
    lower: float
    upper: float
    distance_lower: float
    distance_upper: float
    potentials: tuple[Array, Array]
    converged: bool
    iterations: int
    marginal_error: float
    solver: str
    notes: tuple[str, ...]
    _problem: Problem
    _raw: coo_array | GibbsPlan

    @property
    def gap(self) -> float:
        """Upper - lower: how far `cost` may be from optimal, in units of cost."""
        return self.upper - self.lower

    @property
    def plan(self) -> coo_array | np.ndarray:
        """The plan (n, m) >= 0 with marginals a and b: scipy sparse, or for Sinkhorn a dense array computed anew."""
        plan = self._raw
        if isinstance(plan, GibbsPlan):
            plan = round_to_marginals(self._problem, plan.dense())
        if self._problem.mass_exponent:
            return plan * 2.0**self._problem.mass_exponent
        return plan


@dataclass(frozen=True, eq=False)
class LineResult(TransportResult):
    """What `Univariate` finds between samples without masses: a bracket at once, plan and potentials when asked for."""

    potentials: tuple[Array, Array] = field(init=False, repr=False)
    _problem: Problem = field(init=False, repr=False)
    _raw: coo_array | GibbsPlan = field(init=False, repr=False)
    _solve: Callable[[], TransportResult] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        """Of the fields above, what the whole solution has."""
        if name not in ("potentials", "_problem", "_raw"):
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return getattr(self._whole, name)

    @cached_property
    def _whole(self) -> TransportResult:
        whole = self._solve()
        if whole.lower > self.upper or whole.upper < self.lower:
            raise DataError("x or y has been changed since; call wasserstein again for a plan of what they are now.")
        return whole


@dataclass(frozen=True, eq=False)
class EntropicResult(TransportResult):
    """What `Sinkhorn` returns: the bracket of its rounded plan, and the entropic value at `epsilon` (units of cost).

    `regularized` = min <P, c> + epsilon KL(P | a x b) for total mass one, times the mass. It carries the gradients;
    `cost`, that of the rounded plan, is detached. Where the plan is not written out, `cost` may charge the mass that
    the marginals miss at the worst cost: it is then above the cost of `plan`, by at most a hundredth of `gap`.
    """

    regularized: Any
    epsilon: float


def certify(problem: Problem, solution: Solution, solver: str) -> TransportResult:
    """The result of a raw solution: rounded onto the polytope, bracketed, in the caller's units.

    An `exact` solver has converged only if its gap, beyond what rounding the masses and potentials makes
    unavoidable, is at most 1e-9 * max(cost, 1e-6 * mean cost).
    """
    proof = bracket(problem, solution)
    converged = solution.converged and (not solution.exact or _closed(problem, proof))
    notes = solution.notes
    if converged and proof.marginal_error > 2 * solution.tolerance + NEGLIGIBLE:  # both sides
        converged, notes = False, (*notes, "rounding keeps the marginals from the tolerance at so small an epsilon")
    in_cost = problem.power * problem.exponent + problem.mass_exponent
    lower, upper = unscaled(proof.lower, in_cost, up=False), unscaled(proof.upper, in_cost, up=True)
    exponent = problem.exponent + problem.mass_exponent / problem.power
    low, high, distance = roots(proof.lower, proof.upper, upper, problem.power, exponent)
    potentials = tuple(_potential(v, problem) for v in (proof.f, proof.g))
    raw = solution.plan if isinstance(solution.plan, GibbsPlan) else proof.plan
    common: dict[str, Any] = dict(
        cost=upper, distance=distance, lower=lower, upper=upper, distance_lower=low, distance_upper=high,
        potentials=potentials, converged=converged, iterations=solution.iterations,
        marginal_error=proof.marginal_error, solver=solver, notes=notes, _problem=problem, _raw=raw,
    )  # fmt: skip
    if solution.regularized is None or not isinstance(solution.plan, GibbsPlan):
        return TransportResult(**common)
    epsilon = solution.plan.epsilon * 2.0 ** (problem.power * problem.exponent)
    return EntropicResult(**common, regularized=solution.regularized * 2.0**in_cost, epsilon=epsilon)


def accept(result: TransportResult, *, strict: bool) -> TransportResult:
    """The result, or under `strict` a ConvergenceError that carries it when it did not converge."""
    if result.converged or not strict:
        return result
    raise ConvergenceError(
        f"{result.solver} must reach its tolerance; after {result.iterations} iterations the optimal cost is only "
        f"known to lie in [{result.lower:.9g}, {result.upper:.9g}] and the marginals are off by "
        f"{result.marginal_error:.2g}. Raise max_iterations or epsilon where the solver has them, "
        "or pass strict=False: this bracket is true.",
        result,
    )


def _closed(problem: Problem, proof: Bracket) -> bool:
    """Whether the gap is narrow enough to count as solved."""
    gap = proof.upper - proof.lower
    if gap <= 1e-9 * abs(proof.upper):
        return True
    # Potentials and masses are themselves rounded to float64: no answer can be closer than that.
    floor = 32 * UNIT * float(problem.a @ np.abs(proof.f) + problem.b @ np.abs(proof.g))
    # Nor than what underflow may have taken from costs, where that is next to nothing of the largest.
    floor += 4 * min(problem.absolute_error, 2.0**-900 * problem.largest) * problem.mass
    return gap <= 1e-9 * max(abs(proof.upper), 1e-6 * problem.mean_cost * problem.mass) + floor


def _potential(values: np.ndarray, problem: Problem) -> np.ndarray:
    """Potentials in the caller's units, never rounded upwards."""
    exponent = problem.power * problem.exponent
    if exponent == 0:
        return values
    with np.errstate(over="ignore"):
        scaled = np.ldexp(values * 2.0 ** (exponent % 1), int(np.floor(exponent)))
    return np.nextafter(scaled - (8 + abs(exponent)) * UNIT * np.abs(scaled), -np.inf)


def roots(lower: float, upper: float, cost: float, power: float, exponent: float) -> tuple[float, float, float]:
    """The bracket of the distance, lengths having been divided by 2**exponent; and the distance of the true `cost`.

    The root itself is only rounded to the nearest number; its bracket says how far that may be off.
    """
    low, high = _root(lower, power, exponent, up=False), _root(upper, power, exponent, up=True)
    return low, high, high if power == 1 else min(max(cost ** (1 / power), low), high)


def _root(cost: float, power: float, exponent: float, *, up: bool) -> float:
    """cost**(1/p) in the caller's units, rounded outwards; for a cost matrix the cost itself, of any sign."""
    if power == 1:
        return unscaled(cost, exponent, up=up)
    root = max(cost, 0.0) ** (1 / power)
    # The exponent 1/p has itself been rounded, which counts log(cost) times over.
    margin = (8 + abs(math.log(cost or 1.0))) * UNIT if cost > 0 else 0.0
    return unscaled(root * (1 + margin if up else 1 - margin), exponent, up=up)
