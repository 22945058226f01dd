"""Gradients of an optimal transport value, by the envelope theorem: with the optimal plan P and potentials (f, g)

d value / d c_ij = P_ij,   d value / d a = f and d value / d b = g (right wherever the two totals stay equal, for which
a constant taken from f and given to g is free: it makes their means equal),
d value / d x_i = sum_j P_ij grad_x metric(x_i, y_j)**p, with gradient 0 where x_i = y_j.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from divergences._arrays import Array
from divergences.errors import DataError
from divergences.optimal_transport._metrics import slopes
from divergences.optimal_transport._problem import BLOCK, Problem


@dataclass(frozen=True, eq=False)
class Tensors:
    """The torch inputs of a problem, float64; None where one was not given or is not a tensor."""

    x: Array | None = None
    y: Array | None = None
    a: Array | None = None
    b: Array | None = None
    cost: Array | None = None

    @property
    def given(self) -> list[Array]:
        """The tensors there are."""
        return [t for t in (self.x, self.y, self.a, self.b, self.cost) if t is not None]


def gradients(problem: Problem, plan: Any, f: np.ndarray, g: np.ndarray, tensors: Tensors) -> list[np.ndarray]:
    """Gradients of the value, one for each of `tensors.given`; plan, f, g and answer in the caller's units."""
    shift = (np.mean(f) - np.mean(g)) / 2
    out: dict[str, np.ndarray] = {"a": f - shift, "b": g + shift}
    if tensors.x is not None or tensors.y is not None:
        out["x"], out["y"] = _point_gradients(problem, plan)
    if tensors.cost is not None:
        out["cost"] = plan if isinstance(plan, np.ndarray) else plan.toarray()
    return [out[name] for name in ("x", "y", "a", "b", "cost") if getattr(tensors, name) is not None]


def _point_gradients(problem: Problem, plan: Any) -> tuple[np.ndarray, np.ndarray]:
    """Gradients with respect to the points, of shapes (n, d) and (m, d)."""
    if problem.points is None:
        raise DataError("Gradients with respect to points need a problem between points.")
    x, y = problem.points
    to_x, to_y = np.zeros_like(x), np.zeros_like(y)
    # In the problem's own units of length, where no square overflows or vanishes.
    unit = 2.0 ** (problem.exponent * (problem.power - 1))
    for i, j, mass in _cells(plan):
        difference = np.ldexp(x[i] - y[j], -problem.exponent)
        pull = mass[:, None] * slopes(difference, problem.metric, problem.power) * unit
        for k in range(x.shape[1]):
            to_x[:, k] += np.bincount(i, pull[:, k], len(x))
            to_y[:, k] -= np.bincount(j, pull[:, k], len(y))
    return to_x, to_y


def _cells(plan: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Rows, columns and masses of a plan, in blocks if it is dense."""
    if not isinstance(plan, np.ndarray):
        yield plan.row, plan.col, plan.data
        return
    step = max(1, BLOCK // plan.shape[1])
    for start in range(0, len(plan), step):
        i, j = plan[start : start + step].nonzero()
        yield i + start, j, plan[i + start, j]
