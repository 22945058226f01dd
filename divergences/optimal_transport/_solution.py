"""What a solver hands over: a raw plan and raw potentials, which nobody trusts yet."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.sparse import coo_array

from divergences.errors import DataError
from divergences.optimal_transport._problem import Problem, guard_memory

LARGEST = 709.0  # exp of it is a float64


@dataclass(frozen=True, eq=False)
class GibbsPlan:
    """The dense plan a_i b_j exp((f_i + g_j - c_ij) / epsilon), known by its potentials and written out on request."""

    problem: Problem
    f: np.ndarray
    g: np.ndarray
    epsilon: float

    def dense(self) -> np.ndarray:
        """The plan (n, m), freshly allocated; by the passes that price it where the problem is large."""
        from divergences.optimal_transport import _certificate, _gibbs_bracket

        if self.problem.shape[0] * self.problem.shape[1] >= _certificate.COMPILED_FROM:
            if self.problem.matrix is None:
                guard_memory(*self.problem.shape)
            return _gibbs_bracket.written(self)
        plan = np.subtract(self.f[:, None], self.problem.cost)
        plan += self.g
        plan /= self.epsilon
        plan[self.problem.a == 0] = -np.inf  # where both masses are 0 the exponent may be anything
        plan[:, self.problem.b == 0] = -np.inf
        np.exp(np.minimum(plan, LARGEST, out=plan), out=plan)
        plan *= self.problem.b * (1 / np.sum(self.problem.b))
        np.minimum(plan, 1.0, out=plan)  # a probability given the row, whatever rounding made of a small epsilon
        plan *= self.problem.a[:, None]
        return plan


class Measured(NamedTuple):
    """What one pass over all pairs says of a plan with exact rows, beside potentials g of the columns (m,).

    Column sums of the plan (m,) and its cost by row (n,); min_j c_ij - g_j of costs lowered by their rounding error,
    rounded down (n,), and min_i of such costs less that (m,), which only has to be rounded down.
    """

    columns: np.ndarray
    spent: np.ndarray
    least: np.ndarray
    best: np.ndarray


@dataclass(frozen=True, eq=False)
class Solution:
    """Raw output of a solver, in the problem's internal units: neither marginals nor potentials need be feasible.

    `feasible` says that the solver proved its potentials feasible, so that no pass over all pairs is needed. A solver
    that is not `exact` is not held to a closed gap, one with a `tolerance` to marginals that are right to it.
    """

    plan: coo_array | GibbsPlan
    f: np.ndarray
    g: np.ndarray
    iterations: int
    converged: bool
    feasible: bool = False
    exact: bool = True
    regularized: float | None = None
    tolerance: float = math.inf  # L1 on either side, for total mass one
    notes: tuple[str, ...] = ()
    measured: Measured | None = None


class Solver(Protocol):
    """A frozen dataclass with its own options; it knows no other solver and never judges its own answer."""

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`."""
        ...


def usable(solver: Any) -> Solver:
    """The solver, refused where it is none: a class, a name, a number."""
    if isinstance(solver, type) or not hasattr(solver, "solve"):
        raise DataError(f"solver must be a solver such as Exact() or Sinkhorn(); got {solver!r}.")
    return solver


def sparse_plan(rows: np.ndarray, columns: np.ndarray, mass: np.ndarray, shape: tuple[int, int]) -> coo_array:
    """A sparse plan from its cells, empty ones dropped."""
    used = mass > 0
    return coo_array((mass[used], (rows[used], columns[used])), shape=shape)
