"""The debiased entropic cost."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from divergences.optimal_transport._front import wasserstein
from divergences.optimal_transport._itself import to_itself
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._result import EntropicResult
from divergences.optimal_transport._scaling import rescaled
from divergences.optimal_transport._solution import GibbsPlan, Solution
from divergences.optimal_transport.sinkhorn import Sinkhorn

_SHARPER = 5e-5  # of the tolerance, asked of the cross term: its dual value errs downwards, and S may be near 0
_SHARPEST = 1e-12  # tolerance that rounding leaves within reach


def sinkhorn_divergence(
    x: Any,
    y: Any,
    p: float = 1,
    *,
    epsilon: float | None = None,
    a: Any = None,
    b: Any = None,
    metric: str = "euclidean",
    tolerance: float = 1e-6,
    max_iterations: int = 100_000,
) -> Any:
    """Sinkhorn divergence S = OT_eps(x, y) - OT_eps(x, x) / 2 - OT_eps(y, y) / 2, with OT_eps as in `Sinkhorn`.

    x (n, d) or (n,), y (m, d) or (m,), p, masses a (n,), b (m,) and metric as in `wasserstein`. epsilon, one for all
    three terms, is in units of cost; None is 0.05 * the mean cost between x and y, which gradients take for a
    constant. The value is in units of the points to the power p, times mass; a tensor with gradients for torch inputs.
    It is 0 for equal measures; the error of each term is of second order in `tolerance`.

    Raises as `wasserstein` does, ConvergenceError included.

    >>> x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    >>> sinkhorn_divergence(x, y, p=2)
    4.0...
    >>> abs(sinkhorn_divergence(x, x, p=2)) < 1e-12
    True

    Source: Feydy, Sejourne, Vialard, Amari, Trouve and Peyre (2019).
    """
    cross, left, right = _terms(x, y, p, epsilon, a, b, metric, tolerance, max_iterations)
    return cross.regularized - (left.regularized + right.regularized) / 2


def sinkhorn_influence(
    x: Any, y: Any, p: float = 1, *, epsilon: float | None = None, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """First variations of the Sinkhorn divergence at each sample point, each with mean 0: (n,) for x and (m,) for y.

    The influence function of S_eps at x is f_xy - (f_xx + g_xx) / 2, so that a standard error of S_eps between the
    populations, epsilon being fixed, is sqrt(var(first) / n + var(second) / m). Raises as `sinkhorn_divergence`.

    >>> first, second = sinkhorn_influence(np.array([0.0, 1.0]), np.array([5.0, 6.0]))
    >>> bool(abs(first.sum()) < 1e-9), bool(second[1] > second[0])
    (True, True)

    Source: Goldfeld, Kato, Rioux and Sadhu (2024); del Barrio, Gonzalez Sanz, Loubes and Niles-Weed (2023).
    """
    cross, left, right = _terms(x, y, p, epsilon, None, None, metric, 1e-6, 100_000)
    (f, g), (f_xx, g_xx), (f_yy, g_yy) = map(_entropic_potentials, (cross, left, right))
    first, second = f - (f_xx + g_xx) / 2, g - (f_yy + g_yy) / 2
    return first - first.mean(), second - second.mean()


def _terms(
    x: Any, y: Any, p: float, epsilon: float | None, a: Any, b: Any, metric: str, tolerance: float, limit: int
) -> list[EntropicResult]:
    """The entropic results of (x, y), (x, x) and (y, y) at one epsilon."""
    sharper = max(_SHARPER * tolerance, min(tolerance, _SHARPEST))
    first = wasserstein(x, y, p, a=a, b=b, metric=metric, solver=Sinkhorn(epsilon, sharper, None, limit))
    first = cast(EntropicResult, first)  # what Sinkhorn always returns
    plan = cast(GibbsPlan, first._raw)
    solver = _Itself(plan.epsilon, plan.problem.power * plan.problem.exponent, tolerance, limit)
    others = [wasserstein(z, z, p, a=w, b=w, metric=metric, solver=solver) for z, w in ((x, a), (y, b))]
    return [first, *(cast(EntropicResult, result) for result in others)]


@dataclass(frozen=True)
class _Itself:
    """Solver of problems between a measure and itself, at epsilon * 2**exponent in the caller's units of cost."""

    epsilon: float
    exponent: float
    tolerance: float
    max_iterations: int

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`."""
        epsilon = rescaled(self.epsilon, self.exponent - problem.power * problem.exponent)
        return to_itself(problem, epsilon, self.tolerance, self.max_iterations)


def _entropic_potentials(result: EntropicResult) -> tuple[np.ndarray, np.ndarray]:
    """The potentials of the entropic problem (not feasible ones) in the caller's units."""
    raw = cast(GibbsPlan, result._raw)
    scale = 2.0 ** (result._problem.power * result._problem.exponent)
    return raw.f * scale, raw.g * scale
