"""Entropic transport."""

from dataclasses import dataclass, replace

from divergences import _checks as check
from divergences._parallel import Team
from divergences.errors import DataError
from divergences.optimal_transport._certificate import bracket
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._scaling import Scaling, rescaled
from divergences.optimal_transport._solution import Solution

_SHRINK = 0.25  # ratio of successive values of epsilon while it is lowered
_COARSE = 1e-2  # marginal error at which a larger epsilon has done its service
_FEW = 125  # rows or columns that a sample of them has at least, ...
_THIN = 8  # ... and the largest step that it takes
_SMOOTH = 0.02  # of the mean cost: the least epsilon at which a sample knows the potentials well
_FINEST = 2.0**-52  # of the largest cost: where float64 potentials no longer resolve epsilon
_LEAST = 2.0**-200  # of the largest cost: far from where a quotient by epsilon overflows


@dataclass(frozen=True)
class Sinkhorn:
    """Entropic transport: min <P, C> + epsilon KL(P | a x b) for total mass one, times the mass.

    epsilon: in units of cost; None is 0.05 * mean cost, which gradients take for a constant.
    tolerance: on the L1 error of the marginals, for total mass one; rounding may miss it below 1e-8 of the mean cost.
    gap: a width of the bracket to reach, in units of cost times mass; epsilon is then lowered until it is reached.
    max_iterations: bound on the sweeps (one update of each potential), over all values of epsilon together.
    streamed: True computes all kernels anew in each sweep, in memory O(n + m) for points; False stores one in single
    precision, 4 n m bytes; None stores it where it takes at most a quarter of the machine's memory.

    Iterations scale a kernel that already contains the potentials, each by one reading of it; an exact sweep in the
    log domain absorbs the scalings before they can overflow, and judges the error at the end. Epsilon is lowered in
    stages from the mean cost, on every eighth point while it is large.
    Raises DataError for options outside their range.

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
    streamed: bool | None = None

    def __post_init__(self) -> None:
        if self.epsilon is not None:
            check.positive(self.epsilon, "epsilon")
        check.positive(self.tolerance, "tolerance")
        if self.gap is not None:
            check.positive(self.gap, "gap")
        check.count(self.max_iterations, "max_iterations")
        if self.streamed is not None and not isinstance(self.streamed, bool):
            raise DataError(f"streamed must be True, False or None; got {self.streamed!r}.")

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`: a Gibbs plan with exact row marginals, and its potentials."""
        team = Team()
        scaling = Scaling(problem, self.max_iterations, streamed=self.streamed, team=team)
        step = min(min(problem.shape) // _FEW, _THIN)
        sample = scaling
        if step > 1:
            sample = Scaling(problem, self.max_iterations, streamed=self.streamed, step=step, team=team)
        mean, largest = (scaling if self.epsilon is None else sample).sweeps.mean_cost(), problem.largest
        epsilon = max(0.05 * mean, _LEAST * largest) or 1.0
        if self.epsilon is not None:
            epsilon = rescaled(self.epsilon, -problem.power * problem.exponent)
        if epsilon < _LEAST * largest:
            raise DataError(
                f"epsilon must be at least {_LEAST:.2g} of the largest cost; got {epsilon / largest:.2g} of it. "
                "Use Exact() for unregularised transport."
            )
        stages = _stages(mean, epsilon)
        if sample is not scaling:
            smooth = [stage for stage in [*stages, epsilon] if stage >= _SMOOTH * mean]
            for stage in smooth:
                sample.run(stage, _COARSE, judged=False)
            if smooth:
                scaling.take(sample, epsilon)
            stages = stages[len(smooth) :]
        for stage in stages:
            scaling.run(stage, _COARSE, judged=False)
        converged = scaling.run(epsilon, self.tolerance)
        solution = scaling.solution(epsilon, converged)
        if self.gap is None:
            return replace(solution, tolerance=self.tolerance)
        wanted = rescaled(self.gap, -(problem.power * problem.exponent + problem.mass_exponent))
        proof = bracket(problem, solution)
        while converged and proof.upper - proof.lower > wanted:
            epsilon *= _SHRINK
            if scaling.iterations >= self.max_iterations:
                return replace(solution, converged=False)
            if epsilon < _FINEST * largest:
                return replace(solution, converged=False, notes=("rounding does not let the bracket reach gap",))
            converged = scaling.run(epsilon, self.tolerance)
            solution = scaling.solution(epsilon, converged)
            proof = bracket(problem, solution)
        return solution


def _stages(mean: float, epsilon: float) -> list[float]:
    """Values of epsilon on the way down to, and without, the wanted one."""
    stages, stage = [], mean
    while stage > epsilon / _SHRINK**0.5:
        stages.append(stage)
        stage *= _SHRINK
    return stages
