"""Entropic transport in the log domain."""

from dataclasses import dataclass, replace

import numpy as np

from divergences import _checks as check
from divergences.errors import DataError
from divergences.optimal_transport._certificate import bracket
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import dot
from divergences.optimal_transport._solution import GibbsPlan, Solution

_SHRINK = 0.25  # ratio of successive values of epsilon while it is lowered
_COARSE = 1e-2  # marginal error at which a larger epsilon has done its service
_ROUND = 10  # sweeps between two looks at the error
_FINEST = 2.0**-52  # of the largest cost: where float64 potentials no longer resolve epsilon
_LEAST = 2.0**-200  # of the largest cost: far from where a quotient by epsilon overflows
_LARGE = 1e100  # scalings beyond this are absorbed into the potentials


@dataclass(frozen=True)
class Sinkhorn:
    """Entropic transport: min <P, C> + epsilon KL(P | a x b) for total mass one, times the mass.

    epsilon: in units of cost; None is 0.05 * mean cost, which gradients take for a constant.
    tolerance: on the L1 error of the marginals, for total mass one.
    gap: a width of the bracket to reach, in units of cost times mass; epsilon is then lowered until it is reached.
    max_iterations: bound on the sweeps (one update of each potential), over all values of epsilon together.

    Iterations scale a kernel that already contains the potentials, so that they are matrix products; scalings are
    absorbed by a step in the log domain before they can overflow, and epsilon is lowered in stages from the largest
    cost. Raises DataError for options outside their range.

    >>> import numpy as np
    >>> from divergences.optimal_transport import transport
    >>> r = transport(np.array([[0.0, 1.0], [1.0, 0.0]]), solver=Sinkhorn(epsilon=0.25))
    >>> bool(r.lower <= 0 <= r.upper), r.regularized
    (True, 0.1687...)

    Source: Cuturi (2013); Schmitzer, SIAM J. Sci. Comput. 41 (2019), Algorithm 2.
    """

    epsilon: float | None = None
    tolerance: float = 1e-6
    gap: float | None = None
    max_iterations: int = 100_000

    def __post_init__(self) -> None:
        if self.epsilon is not None:
            check.positive(self.epsilon, "epsilon")
        check.positive(self.tolerance, "tolerance")
        if self.gap is not None:
            check.positive(self.gap, "gap")
        check.count(self.max_iterations, "max_iterations")

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`: a Gibbs plan with exact row marginals, and its potentials."""
        scaling = _Scaling(problem, self.tolerance, self.max_iterations)
        epsilon, largest = self._epsilon(problem), float(np.max(np.abs(problem.cost)))
        if epsilon < _LEAST * largest:
            raise DataError(
                f"epsilon must be at least {_LEAST:.2g} of the largest cost; got {epsilon / largest:.2g} of it. "
                "Use Exact() for unregularised transport."
            )
        for stage in _stages(largest, epsilon):
            scaling.run(stage, _COARSE)
        converged = scaling.run(epsilon, self.tolerance)
        solution = scaling.solution(epsilon, converged)
        if self.gap is None:
            return solution
        wanted = self.gap / 2.0 ** (problem.power * problem.exponent + problem.mass_exponent)
        proof = bracket(problem, solution)
        while converged and proof.upper - proof.lower > wanted:
            epsilon *= _SHRINK
            if epsilon < _FINEST * largest:
                return replace(solution, converged=False, notes=("rounding does not let the bracket reach gap",))
            converged = scaling.run(epsilon, self.tolerance)
            solution = scaling.solution(epsilon, converged)
            proof = bracket(problem, solution)
        return solution

    def _epsilon(self, problem: Problem) -> float:
        """Epsilon in the problem's internal units."""
        if self.epsilon is not None:
            return self.epsilon / 2.0 ** (problem.power * problem.exponent)
        problem.cost  # noqa: B018  (the mean is exact once the matrix exists)
        return 0.05 * problem.mean_cost or 1.0


def _stages(largest: float, epsilon: float) -> list[float]:
    """Values of epsilon on the way down to, and without, the wanted one."""
    stages, stage = [], largest
    while stage > epsilon / _SHRINK**0.5:
        stages.append(stage)
        stage *= _SHRINK
    return stages


class _Scaling:
    """Potentials and work buffers of one run; the only state in this package that changes while it computes."""

    def __init__(self, problem: Problem, tolerance: float, max_iterations: int) -> None:
        self.problem = problem
        self.rows, self.columns = np.flatnonzero(problem.a), np.flatnonzero(problem.b)
        whole = problem.shape == (len(self.rows), len(self.columns))
        self.cost = problem.cost if whole else problem.cost[np.ix_(self.rows, self.columns)]
        self.a = problem.a[self.rows] / np.sum(problem.a)
        self.b = problem.b[self.columns] / np.sum(problem.b)
        self.f, self.g = np.zeros(len(self.a)), np.zeros(len(self.b))
        self.kernel = np.empty_like(self.cost)
        self.iterations, self.max_iterations = 0, max_iterations

    def run(self, epsilon: float, tolerance: float) -> bool:
        """Iterate at this epsilon until the columns are right to `tolerance` (rows are exact); False at the limit."""
        while True:
            self.f = _softmin(self.cost, self.g, self.b, epsilon, self.kernel)
            g = _softmin(self.cost.T, self.f, self.a, epsilon, self.kernel.T)
            self.iterations += 1
            with np.errstate(over="ignore"):
                error = float(self.b @ np.abs(np.exp((self.g - g) / epsilon) - 1))
            if error <= tolerance:
                return True
            if self.iterations >= self.max_iterations:
                return False
            self.g = g
            if self._scale(epsilon, tolerance):
                return True

    def _scale(self, epsilon: float, tolerance: float) -> bool:
        """Matrix scaling of the kernel at the present potentials, until done or until a scaling is too large."""
        kernel = self.kernel
        np.subtract(self.f[:, None], self.cost, out=kernel)
        kernel += self.g
        kernel /= epsilon
        np.exp(kernel, out=kernel)
        u, v = np.ones_like(self.f), np.ones_like(self.g)
        error, omega = np.inf, 1.0
        while error > tolerance and self.iterations < self.max_iterations:
            # Relaxed sweeps gain speed; the plain one that ends a round has exact rows and tells the error.
            for _ in range(_ROUND - 1):
                u_next, v_next = _sweep(kernel, self.a, self.b, u, v, omega)
                if not _tame(u_next, v_next):
                    break
                u, v = u_next, v_next
            row = kernel @ (self.b * v)
            column = kernel.T @ (self.a / row) if _tame(row) else row
            if not _tame(row, column):
                break
            u, before, error = 1 / row, error, float(self.b @ np.abs(v * column - 1))
            self.iterations += _ROUND
            if error > tolerance:
                v = 1 / column
                omega = _relaxation(omega, (error / before) ** (1 / _ROUND))
        self.f = self.f + epsilon * np.log(u)
        self.g = self.g + epsilon * np.log(v)
        return error <= tolerance

    def solution(self, epsilon: float, converged: bool) -> Solution:
        """The present potentials, extended to points without mass, and their plan and value."""
        cost = self.problem.cost
        f, g = np.empty(cost.shape[0]), np.empty(cost.shape[1])
        f[self.rows], g[self.columns] = self.f, self.g
        idle_rows, idle_columns = self.problem.a == 0, self.problem.b == 0
        if idle_rows.any():
            f[idle_rows] = _softmin(cost[np.ix_(idle_rows, self.columns)], self.g, self.b, epsilon)
        if idle_columns.any():
            g[idle_columns] = _softmin(cost[np.ix_(self.rows, idle_columns)].T, self.f, self.a, epsilon)
        value = (dot(self.a, self.f)[0] + dot(self.b, self.g)[0]) * self.problem.mass
        plan = GibbsPlan(self.problem, f, g, epsilon)
        return Solution(plan, f, g, self.iterations, converged, exact=False, regularized=value)


def _sweep(
    kernel: np.ndarray, a: np.ndarray, b: np.ndarray, u: np.ndarray, v: np.ndarray, omega: float
) -> tuple[np.ndarray, np.ndarray]:
    """One over-relaxed update of both scalings; omega = 1 is Sinkhorn's own."""
    with np.errstate(all="ignore"):  # whatever overflows is dropped by the caller
        u = 1 / (kernel @ (b * v)) if omega == 1 else u * (u * (kernel @ (b * v))) ** -omega
        v = 1 / (kernel.T @ (a * u)) if omega == 1 else v * (v * (kernel.T @ (a * u))) ** -omega
    return u, v


def _tame(*scalings: np.ndarray) -> bool:
    """Whether all entries are far from overflow and underflow."""
    return all(bool(s.min() > 1 / _LARGE and s.max() < _LARGE) for s in scalings)


def _relaxation(omega: float, rate: float) -> float:
    """The best over-relaxation for a linear rate observed under `omega` (Young's relation between the two)."""
    if not 0 < rate < 1:
        return 1.0
    if rate <= omega - 1:
        return omega
    plain = min((rate + omega - 1) ** 2 / (rate * omega**2), 1 - 1e-6)
    return 2 / (1 + (1 - plain) ** 0.5)


def _softmin(
    cost: np.ndarray, potential: np.ndarray, mass: np.ndarray, epsilon: float, out: np.ndarray | None = None
) -> np.ndarray:
    """-epsilon log sum_j mass_j exp((potential_j - cost_ij) / epsilon), for each i."""
    work = np.empty_like(cost) if out is None else out
    np.subtract(potential, cost, out=work)
    work /= epsilon
    peak = np.max(work, axis=1)
    work -= peak[:, None]
    if work.min() > -1:  # a large epsilon would multiply the rounding of a sum near one
        return -epsilon * (peak + np.log1p(np.expm1(work, out=work) @ mass))
    np.exp(work, out=work)
    return -epsilon * (peak + np.log(work @ mass))
