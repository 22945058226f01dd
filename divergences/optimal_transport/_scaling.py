"""The loop of Sinkhorn's algorithm: exact sweeps in the log domain, between them relaxed ones on a stored kernel."""

import math
from collections.abc import Callable

import numpy as np

from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import dot
from divergences.optimal_transport._solution import GibbsPlan, Solution
from divergences.optimal_transport._sweeps import sweeps

_ROUND = 10  # sweeps between two looks at the error, once they are relaxed; more the closer omega is to 2
_LARGE = 1e12  # scalings beyond this are absorbed into the potentials
_EMPTY = 1e-250  # of its mass: a column so little reached gets its potential from a softmin of its own
_MARGIN = 0.5  # of the tolerance, that a stored kernel has to reach: the exact sweep after it is the judge


class Scaling:
    """Potentials of one run; the only state of the solver that changes while it computes."""

    def __init__(self, problem: Problem, max_iterations: int, *, streamed: bool | None) -> None:
        self.problem = problem
        self.rows, self.columns = np.flatnonzero(problem.a), np.flatnonzero(problem.b)
        self.sweeps = sweeps(problem, streamed=streamed)
        self.a, self.b = self.sweeps.a, self.sweeps.b
        self.f, self.g = np.zeros(len(self.a)), np.zeros(len(self.b))
        self.iterations, self.max_iterations = 0, max_iterations

    def run(self, epsilon: float, tolerance: float, *, judged: bool = True) -> bool:
        """Iterate at this epsilon until the columns are right to `tolerance` (rows are exact); False at the limit.

        Unless it is to be judged, the last word is that of the stored kernel.
        """
        stored = self.sweeps.stored
        while True:
            sums = self.sweeps.sweep(self.f, self.g, epsilon, store=stored)
            self.iterations += 1
            if float(np.sum(np.abs(sums - self.b))) <= tolerance:
                return True
            if self.iterations >= self.max_iterations:
                return False
            with np.errstate(over="ignore"):  # the quotient by a crumb
                tame = _tame(sums / self.b)
            if not tame:
                self._update(sums, epsilon)
                continue
            scaled = self.sweeps.scaled if stored else self._streamed(epsilon)
            v, reached = self._relax(sums, scaled, tolerance * (_MARGIN if stored and judged else 1.0))
            self.g = self.g + epsilon * np.log(v)
            if reached and not (stored and judged):
                return True

    def _update(self, sums: np.ndarray, epsilon: float) -> None:
        """The plain update of g, in the log domain."""
        lost = np.flatnonzero(sums <= _EMPTY * self.b)
        sums[lost] = self.b[lost]
        self.g = self.g - epsilon * (np.log(sums) - np.log(self.b))
        if len(lost):
            self.g[lost] = self.sweeps.softmin(self.f, epsilon, self.columns[lost], columns=True)

    def _streamed(self, epsilon: float) -> Callable[[np.ndarray, float], np.ndarray]:
        """Scalings by exact sweeps, which move f."""
        g = self.g

        def scaled(v: np.ndarray, omega: float) -> np.ndarray:
            return self.sweeps.sweep(self.f, g + epsilon * np.log(v), epsilon, omega, store=False)

        return scaled

    def _relax(
        self, sums: np.ndarray, scaled: Callable[[np.ndarray, float], np.ndarray], tolerance: float
    ) -> tuple[np.ndarray, bool]:
        """Scale from the given column sums on, until done or until a scaling is too large; v, and whether it is done.

        Relaxed sweeps gain speed; the plain one that ends a round has exact rows and tells the error.
        """
        b = self.sweeps.aim
        v, omega, error, since, length = self.b / sums, 1.0, np.inf, 0, _ROUND
        for _ in range(self.max_iterations - self.iterations):
            since += 1
            plain = omega == 1.0 or since == length
            factor = 1.0 if plain else omega
            with np.errstate(all="ignore"):  # whatever overflows is dropped
                sums = scaled(v, factor)
                following = v * (b / sums) ** factor
            self.iterations += 1
            if plain and float(np.sum(np.abs(sums - b))) <= tolerance:
                return v, True
            if not _tame(following):
                break
            v = following
            if since == length:
                before, error = error, float(np.sum(np.abs(sums - b)))
                omega = _relaxation(omega, (error / before) ** (1 / length))
                since, length = 0, max(_ROUND, round(1 / (2 - omega)))
        return v, False

    def solution(self, epsilon: float, converged: bool) -> Solution:
        """The present potentials, extended to points without mass, and their plan and value."""
        f, g = np.empty(self.problem.shape[0]), np.empty(self.problem.shape[1])
        f[self.rows], g[self.columns] = self.f, self.g
        idle_rows, idle_columns = np.flatnonzero(self.problem.a == 0), np.flatnonzero(self.problem.b == 0)
        if len(idle_rows):
            f[idle_rows] = self.sweeps.softmin(self.g, epsilon, idle_rows, columns=False)
        if len(idle_columns):
            g[idle_columns] = self.sweeps.softmin(self.f, epsilon, idle_columns, columns=True)
        value = (dot(self.a, self.f)[0] + dot(self.b, self.g)[0]) * self.problem.mass
        plan = GibbsPlan(self.problem, f, g, epsilon)
        return Solution(plan, f, g, self.iterations, converged, exact=False, regularized=value)


def _tame(scaling: np.ndarray) -> bool:
    """Whether all entries are far from overflow and underflow."""
    return bool(scaling.min() > 1 / _LARGE and scaling.max() < _LARGE)


def _relaxation(omega: float, rate: float) -> float:
    """The best over-relaxation for a linear rate observed under `omega` (Young's relation between the two)."""
    if not 0 < rate < 1:
        return 1.0
    if rate <= omega - 1:
        return omega
    plain = min((rate + omega - 1) ** 2 / (rate * omega**2), 1 - 1e-6)
    return 2 / (1 + (1 - plain) ** 0.5)


def rescaled(value: float, exponent: float) -> float:
    """value * 2**exponent for value > 0, at most 2**1000, and 0 where it underflows."""
    whole = math.floor(exponent)
    mantissa, own = math.frexp(value * 2.0 ** (exponent - whole))
    return math.ldexp(mantissa, min(own + whole, 1000))
