"""The dual of W1: a critic that is 1-Lipschitz everywhere."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from divergences import _checks as check
from divergences._arrays import Array, is_torch, to_numpy
from divergences.optimal_transport._front import wasserstein
from divergences.optimal_transport._metrics import distances
from divergences.optimal_transport._problem import BLOCK, exponent_of
from divergences.optimal_transport._rounding import UNIT


@dataclass(frozen=True, eq=False)
class KantorovichRubinstein:
    """W1 = max over 1-Lipschitz phi of E_x phi - E_y phi, attained by `critic`; `lower <= W1 <= upper` is proven."""

    value: Any
    lower: float
    upper: float
    metric: str
    _x: np.ndarray
    _y: np.ndarray
    _g: np.ndarray

    def critic(self, points: Any) -> Array:
        """phi(z) = min_j metric(z, y_j) - g_j at points (k, d) or (k,): 1-Lipschitz on the whole space, high on x.

        NumPy in, NumPy out (k,); torch in, torch out, with gradients with respect to the points.

        >>> k = kantorovich_rubinstein(np.array([0.0, 1.0]), np.array([3.0, 4.0]))
        >>> (k.critic(np.array([0.0, 1.0])).mean() - k.critic(np.array([3.0, 4.0])).mean()).item()
        3.0
        """
        z, _ = check.points(points, "points")
        check.same_dimension(z, self._y)
        if is_torch(z):
            return self._torch_critic(z).to(points.dtype if points.dtype.is_floating_point else z.dtype)
        step = max(1, BLOCK // len(self._y))
        parts = [z[start : start + step] for start in range(0, len(z), step)]
        return np.concatenate([np.min(self._cones(part), axis=1) for part in parts])

    def _cones(self, z: np.ndarray) -> np.ndarray:
        """metric(z_i, y_j) - g_j at points z (k, d), in units of length where no square overflows or vanishes."""
        return _far(z, self._y, self.metric) - self._g

    def _torch_critic(self, z: Array) -> Array:
        """The critic through autograd: only the winning y_j of each point is differentiated, with gradient 0 at it."""
        import torch

        host = to_numpy(z)
        winners = [np.argmin(self._cones(host[start : start + 4096]), axis=1) for start in range(0, len(host), 4096)]
        j = np.concatenate(winners)
        unit = 2.0 ** _unit(host, self._y)
        difference = (z - z.new_tensor(self._y[j])) / unit
        order = {"euclidean": 2.0, "cityblock": 1.0, "chebyshev": torch.inf}[self.metric]
        return torch.linalg.vector_norm(difference, ord=order, dim=1) * unit - z.new_tensor(self._g[j])

    @cached_property
    def lipschitz(self) -> float:
        """The largest abs(phi(z) - phi(z')) / metric(z, z') over all pairs of sample points, less its own rounding."""
        z = np.unique(np.concatenate([self._x, self._y]), axis=0)
        phi = self.critic(z)
        rounding = 8 * UNIT * (z.shape[1] + 4) * (np.max(np.abs(phi)) + np.max(np.abs(self._g)))
        largest = 0.0
        step = max(1, BLOCK // len(z))
        for start in range(0, len(z), step):
            rise = np.abs(phi[start : start + step, None] - phi) - rounding
            run = _far(z[start : start + step], z, self.metric)
            slope = np.divide(rise, run, out=np.zeros_like(run), where=run > 0)
            largest = max(largest, float(slope.max()))
        return largest


def _unit(x: np.ndarray, y: np.ndarray) -> int:
    """The exponent of a unit of length for x and y; 0 in ordinary ranges."""
    extent = np.maximum(x.max(axis=0), y.max(axis=0)) - np.minimum(x.min(axis=0), y.min(axis=0))
    return exponent_of(float(np.max(extent)), 1.0)


def _far(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """`distances` at any scale."""
    unit = _unit(x, y)
    return np.ldexp(distances(np.ldexp(x, -unit), np.ldexp(y, -unit), metric), unit)


def kantorovich_rubinstein(
    x: Any, y: Any, *, a: Any = None, b: Any = None, metric: str = "euclidean", solver: Any = None
) -> KantorovichRubinstein:
    """The best critic of W1: it maximises E_a phi(x) - E_b phi(y) under phi(z) - phi(z') <= metric(z, z').

    x (n, d) or (n,), y (m, d) or (m,), masses a (n,) and b (m,) as in `wasserstein`, whose errors it raises. `value` is
    in the units of the points times mass; for torch inputs a tensor with the gradients of W1.

    >>> k = kantorovich_rubinstein(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [2.0, 1.0]]))
    >>> k.value, k.lipschitz <= 1, k.critic(np.array([[5.0, 0.0]])).item()
    (2.0, True, ...)

    Source: Isachenko, lecture 10, and Improved GAN slides (row C7 of the claims); McShane (1934) for the extension.
    """
    result = wasserstein(x, y, 1, a=a, b=b, metric=metric, solver=solver)
    xs, ys = (to_numpy(check.points(check.real_array(v, n), n)[0]) for v, n in ((x, "x"), (y, "y")))
    found = KantorovichRubinstein(
        result.cost, result.lower, result.upper, metric, xs, ys, to_numpy(result.potentials[1])
    )
    weight_x, weight_y = (np.full(len(v), 1 / len(v)) if w is None else to_numpy(w) for v, w in ((xs, a), (ys, b)))
    value = float(weight_x @ found.critic(xs) - weight_y @ found.critic(ys))
    exact = result.cost
    object.__setattr__(found, "value", exact + (value - exact).detach() if is_torch(exact) else value)
    return found
