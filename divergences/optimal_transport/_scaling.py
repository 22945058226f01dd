"""The loop of Sinkhorn's algorithm: exact sweeps in the log domain, accelerated ones on a stored kernel between."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from divergences._parallel import Team
from divergences.optimal_transport._acceleration import Anderson
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._rounding import dot
from divergences.optimal_transport._solution import GibbsPlan, Measured, Solution
from divergences.optimal_transport._sweeps import sweeps

_LARGE = 1e12  # scalings beyond this are absorbed into the potentials
_EMPTY = 1e-250  # of its mass: a column so little reached gets its potential from a softmin of its own
_MARGIN = 0.9  # of the tolerance, that a guide has to reach: the exact sweep after it is the judge
_NOISE = 4e-7  # error that guided sweeps are sure to reach where each rounds anew
_NEAR = 0.5  # marginal error from which on steps are accelerated
_WORSE = 2.0  # growth of the error after which an accelerated step is taken back
_IDLE = 30  # steps without a smaller error after which the acceleration begins anew


Sweep = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


class Scaling:
    """Potentials of one run, over every `step`-th row and column with mass; the solver's only state that changes."""

    def __init__(
        self,
        problem: Problem,
        max_iterations: int,
        *,
        streamed: bool | None,
        step: int = 1,
        team: Team | None = None,
    ) -> None:
        self.problem = problem
        self.rows, self.columns = np.flatnonzero(problem.a)[::step], np.flatnonzero(problem.b)[::step]
        self.sweeps = sweeps(problem, self.rows, self.columns, streamed=streamed, team=team)
        self.a, self.b = self.sweeps.a, self.sweeps.b
        self.f, self.g = np.zeros(len(self.a)), np.zeros(len(self.b))
        self.iterations, self.max_iterations = 0, max_iterations
        self.limit = max_iterations  # of this run
        self.measured: Measured | None = None  # of the plan at f and g
        self.path: list[tuple[float, np.ndarray]] = []  # the latest two epsilons and what g they ended with

    def run(self, epsilon: float, tolerance: float, *, judged: bool = True) -> bool:
        """Iterate at this epsilon until the columns are right to `tolerance` (rows are exact); False at the limit.

        It starts on the straight line through the answers at the last two epsilons. Unless it is to be judged, the
        last word is that of the stored kernel.
        """
        if len(self.path) == 2 and epsilon != self.path[-1][0]:
            (first, there), (second, here) = self.path
            self.g = here + (here - there) * ((epsilon - second) / (second - first))
        self.limit = self.max_iterations if judged else self.max_iterations - 1  # one is kept for the last epsilon
        converged = self._converge(epsilon, tolerance, judged=judged)
        self._remember(epsilon)
        return converged

    def take(self, sample: "Scaling", epsilon: float) -> None:
        """Begin where fewer rows and columns of the same problem ended, on the way to this epsilon or at it."""
        for at, g in sample.path[-1:] if sample.path[-1][0] == epsilon else sample.path:
            sample.sweeps.guide(sample.f, g, at)
            self.f = sample.sweeps.softmin(g, at, self.rows, columns=False)
            self.g = sample.sweeps.softmin(sample.f, at, self.columns, columns=True)
            self._remember(at)

    def _remember(self, epsilon: float) -> None:
        """Keep the present g as what this epsilon ended with."""
        self.path = [*(there for there in self.path if there[0] != epsilon), (epsilon, self.g)][-2:]

    def _converge(self, epsilon: float, tolerance: float, *, judged: bool) -> bool:
        """`run`, from the present potentials."""
        self.measured = None
        if self.sweeps.stored:
            return self._stored(epsilon, tolerance, judged=judged)
        if self.sweeps.guided:
            reached = self._streamed(epsilon, max(_MARGIN * tolerance, _NOISE), self.sweeps.guide)
            if not (reached and judged):
                return reached
        return self._streamed(epsilon, tolerance, self.sweeps.sweep)

    def _streamed(self, epsilon: float, tolerance: float, sweep: Sweep) -> bool:
        """By sweeps that compute the kernel anew."""
        while self.iterations < self.limit:
            sums, tame = self._swept(sweep, epsilon)
            if self._error(sums) <= tolerance:
                return True
            if not tame:
                self._update(sums, epsilon)
                continue
            scaled = partial(self._anew, sweep, self.g, epsilon)
            v, _, reached = self._approach(np.zeros(len(sums)), sums, self.b, scaled, tolerance)
            self.g = self.g + epsilon * v
            if reached:
                return True
        return False

    def _anew(self, sweep: Sweep, g: np.ndarray, epsilon: float, v: np.ndarray) -> np.ndarray:
        """The sums of columns after v scales those of the kernel at g, which moves f."""
        return sweep(self.f, g + epsilon * np.log(v), epsilon)

    def _stored(self, epsilon: float, tolerance: float, *, judged: bool) -> bool:
        """By readings of a stored kernel, which is computed anew where scalings become large."""
        while self.iterations < self.limit:
            sums, tame = self._swept(self.sweeps.guide, epsilon)
            if self._error(sums) <= tolerance and not (judged and tame and self.sweeps.guided):
                return True
            if not tame:
                self._update(sums, epsilon)
            elif judged:
                reached = self._judged(sums, epsilon, tolerance)
                if reached is not False:
                    return reached or self._streamed(epsilon, tolerance, self.sweeps.sweep)
            else:
                v, _, reached = self._approach(np.zeros(len(sums)), sums, self.b, self.sweeps.scaled, tolerance)
                self.g = self.g + epsilon * v
                if reached:
                    return True
        return False

    def _swept(self, sweep: Sweep, epsilon: float) -> tuple[np.ndarray, bool]:
        """The sums of columns after one sweep, and whether scaling by them is far from overflow and underflow.

        Where it is not, these are the sums of an exact sweep.
        """
        sums = sweep(self.f, self.g, epsilon)
        self.iterations += 1
        with np.errstate(over="ignore"):  # the quotient by a crumb
            tame = _tame(sums / self.b)
        if not tame and sweep != self.sweeps.sweep and self.sweeps.guided:
            return self.sweeps.sweep(self.f, self.g, epsilon), False
        return sums, tame

    def _judged(self, sums: np.ndarray, epsilon: float, tolerance: float) -> bool | None:
        """Approach on the stored kernel, and on until exact sums are right; False at the limit and where a new kernel
        is needed, None where this one is of no use.

        Columns aim at b and what the kernel's sums differ by from exact ones: an error of the kernel has an effect of
        first order in how far the potentials move, and vanishes as sweeps are repeated.
        """
        aim, v, g, error = self.b, np.zeros(len(sums)), self.g, np.inf
        while True:
            v, sums, reached = self._approach(v, sums, aim, self.sweeps.scaled, _MARGIN * tolerance)
            self.g = g + epsilon * v
            if not reached or self.iterations >= self.limit:
                return False
            exact, self.measured = self.sweeps.judge(self.f, self.g, epsilon)
            self.iterations += 1
            before, error = error, self._error(exact)
            if error <= tolerance:
                return True
            self.measured = None
            if error > before / 2:
                return None
            aim = np.maximum(self.b + (sums - exact), self.b / 2)
            aim /= np.sum(aim)

    def _error(self, sums: np.ndarray) -> float:
        """L1, of columns."""
        return float(np.sum(np.abs(sums - self.b)))

    def _update(self, sums: np.ndarray, epsilon: float) -> None:
        """The plain update of g, in the log domain."""
        lost = np.flatnonzero(sums <= _EMPTY * self.b)
        sums[lost] = self.b[lost]
        self.g = self.g - epsilon * (np.log(sums) - np.log(self.b))
        if len(lost):
            self.g[lost] = self.sweeps.softmin(self.f, epsilon, self.columns[lost], columns=True)

    def _approach(
        self,
        v: np.ndarray,
        sums: np.ndarray,
        aim: np.ndarray,
        scaled: Callable[[np.ndarray], np.ndarray],
        tolerance: float,
    ) -> tuple[np.ndarray, np.ndarray, bool]:
        """Scale columns by exp(v), from given v and column sums on, until these are right or v too large.

        The last v, its column sums, and whether they are right to `tolerance`.
        """
        memory, error = Anderson(self.b), float(np.sum(np.abs(sums - aim)))
        best, idle = error, 0
        while error > tolerance:
            if self.iterations >= self.limit:
                return v, sums, False
            plain = v + np.log(aim / sums)
            following = memory.step(v, plain - v) if error < _NEAR else plain
            sums, worse = self._scaled(scaled, following), error * _WORSE
            error = float(np.sum(np.abs(sums - aim)))
            if not error <= worse and memory.count and self.iterations < self.limit:
                memory.forget()
                following = plain
                sums = self._scaled(scaled, following)
                error = float(np.sum(np.abs(sums - aim)))
            best, idle = (error, 0) if error < best else (best, idle + 1)
            if idle > _IDLE:
                memory.forget()
                idle = 0
            v = following
            if not (np.max(np.abs(v)) < np.log(_LARGE) and _tame(sums / aim)):
                return (v if np.all(np.isfinite(v)) else plain), sums, False
        return v, sums, True

    def _scaled(self, scaled: Callable[[np.ndarray], np.ndarray], v: np.ndarray) -> np.ndarray:
        """One sweep; what overflows is dropped."""
        self.iterations += 1
        with np.errstate(all="ignore"):
            return scaled(np.exp(v))

    def solution(self, epsilon: float, converged: bool) -> Solution:
        """The present potentials, extended to points without mass, and their plan and value."""
        if self.measured is None and (self.sweeps.measures or self.sweeps.guided):
            self.measured = self.sweeps.judge(self.f, self.g, epsilon)[1]  # which makes rows exact
        f, g = np.empty(self.problem.shape[0]), np.empty(self.problem.shape[1])
        f[self.rows], g[self.columns] = self.f, self.g
        idle_rows, idle_columns = np.flatnonzero(self.problem.a == 0), np.flatnonzero(self.problem.b == 0)
        if len(idle_rows):
            f[idle_rows] = self.sweeps.softmin(self.g, epsilon, idle_rows, columns=False)
        if len(idle_columns):
            g[idle_columns] = self.sweeps.softmin(self.f, epsilon, idle_columns, columns=True)
        value = (dot(self.a, self.f)[0] + dot(self.b, self.g)[0]) * self.problem.mass
        plan = GibbsPlan(self.problem, f, g, epsilon)
        return Solution(plan, f, g, self.iterations, converged, exact=False, regularized=value, measured=self.measured)


def _tame(scaling: np.ndarray) -> bool:
    """Whether all entries are far from overflow and underflow."""
    return bool(scaling.min() > 1 / _LARGE and scaling.max() < _LARGE)


def rescaled(value: float, exponent: float) -> float:
    """value * 2**exponent for value > 0, at most 2**1000, and 0 where it underflows."""
    whole = math.floor(exponent)
    mantissa, own = math.frexp(value * 2.0 ** (exponent - whole))
    return math.ldexp(mantissa, min(own + whole, 1000))
