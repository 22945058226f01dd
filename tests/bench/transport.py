"""Optimal values with their certified brackets; the peers give the value alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import ot as _ot
import scipy.special
import scipy.stats

import divergences as dv

Contestants = dict[str, Callable[[], Any]]
POT: Any = _ot  # untyped, and its stubs of return types cannot be told apart


def w1_on_the_line() -> Contestants:
    """Sorting, and a bracket."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=1_000_000), rng.normal(0.1, 1.2, 1_000_000)
    return {
        "dv.wasserstein": lambda: dv.wasserstein(u, v).cost,
        "scipy wasserstein_distance": lambda: scipy.stats.wasserstein_distance(u, v),
    }


def cloud(n: int, d: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples, in the plane unless told."""
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, d)), 1.3 * rng.normal(size=(n, d)) + 0.5


def exact(n: int, d: int, p: int) -> Contestants:
    """Exact transport between two clouds."""
    x, y = cloud(n, d)
    metric = {1: "euclidean", 2: "sqeuclidean"}[p]
    return {
        "dv.wasserstein": lambda: dv.wasserstein(x, y, p=p).cost,
        "POT dist + emd2": lambda: POT.emd2([], [], POT.dist(x, y, metric), numItermax=10**7),
    }


def sinkhorn() -> Contestants:
    """The entropic value."""
    n = 500
    cost = POT.dist(*cloud(n))
    epsilon, uniform = 0.05 * cost.mean(), np.full(n, 1 / n)

    def ours() -> float:
        result: Any = dv.transport(cost, solver=dv.Sinkhorn(epsilon=epsilon, tolerance=1e-8))
        return result.regularized

    def theirs() -> float:
        plan = POT.sinkhorn(uniform, uniform, cost, epsilon, "sinkhorn_log", stopThr=1e-8)
        a, b = plan.sum(1), plan.sum(0)  # <P, C> + ε KL(P | a x b), in our convention
        return float((plan * cost).sum() + epsilon * scipy.special.rel_entr(plan, np.outer(a, b)).sum())

    return {"dv.transport, Sinkhorn": ours, "POT sinkhorn_log": theirs}


CASES = {
    "W1 in 1-D, n = 1e6": w1_on_the_line,
    "W2 in 2-D, n = 300": partial(exact, 300, 2, 2),
    "W2 in 2-D, n = 2000": partial(exact, 2000, 2, 2),
    "W2 in 2-D, n = 5000": partial(exact, 5000, 2, 2),
    "W1 in 2-D, n = 5000": partial(exact, 5000, 2, 1),
    "W2 in 10-D, n = 5000": partial(exact, 5000, 10, 2),
    "Sinkhorn, n = 500, ε = 0.05 mean cost": sinkhorn,
}
