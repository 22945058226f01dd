"""Transport as the linear program of the textbooks, handed to HiGHS."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array, kron, vstack

from divergences import _checks as check
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._solution import Solution, sparse_plan

_SCALE = 2.0**20  # HiGHS's tolerances are absolute, 1e-10 at best: a larger objective makes them finer


def constraints(n: int, m: int) -> csr_array:
    """The matrix A (n + m, n m) of the transport program min c.x, A x = (a, b), x >= 0, with x = vec(P) row by row.

    Row i < n sums the i-th row of P, row n + j its j-th column. The rank is n + m - 1.

    >>> constraints(2, 2).toarray().astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]]

    Source: Improved GAN slides (row C4 of the claims).
    """
    rows = kron(eye_array(n), np.ones((1, m)))
    columns = kron(np.ones((1, n)), eye_array(m))
    return csr_array(vstack([rows, columns]))


@dataclass(frozen=True)
class LinearProgram:
    """Exact transport by the dual simplex of HiGHS on A, b written out; for small problems and cross-checks.

    `max_iterations` bounds the simplex steps; a run that meets it does not converge, and its bracket is still true.

    >>> import numpy as np
    >>> from divergences.optimal_transport import transport
    >>> transport(np.array([[0.0, 1.0], [2.0, 0.0]]), solver=LinearProgram()).cost
    0.0
    """

    max_iterations: int = 1_000_000

    def __post_init__(self) -> None:
        check.count(self.max_iterations, "max_iterations", minimum=0)

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`: HiGHS's vertex and its marginals."""
        from scipy.optimize import linprog  # half of what importing this package would cost

        n, m = problem.shape
        scale = max(problem.largest, 1e-300)
        masses = np.concatenate([problem.a * (1 / np.sum(problem.a)), problem.b * (1 / np.sum(problem.b))])
        # One equation follows from the others; without it no rounding can make the system inconsistent.
        answer = linprog(
            problem.cost.ravel() * (_SCALE / scale),
            A_eq=constraints(n, m)[:-1],
            b_eq=masses[:-1] * max(n, m),
            method="highs-ds",
            options={
                "maxiter": self.max_iterations,
                "primal_feasibility_tolerance": 1e-10,
                "dual_feasibility_tolerance": 1e-10,
            },
        )
        if answer.x is None or answer.eqlin.marginals is None:
            empty = np.zeros(0, int)
            plan = sparse_plan(empty, empty, np.zeros(0), problem.shape)
            return Solution(plan, np.zeros(n), np.zeros(m), int(answer.nit), False, notes=(answer.message,))
        vertex = np.maximum(answer.x, 0.0) * (problem.mass / max(n, m))
        dual = np.append(answer.eqlin.marginals, 0.0) * (scale / _SCALE)
        plan = sparse_plan(*np.divmod(np.arange(n * m), m), vertex, problem.shape)
        return Solution(plan, dual[:n], dual[n:], int(answer.nit), answer.status == 0)
