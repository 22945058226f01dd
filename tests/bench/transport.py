"""Optimal values with their certified brackets; the peers give the value alone."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import ot as _ot
import scipy.stats
from scipy.ndimage import gaussian_filter

import divergences as dv

Contestants = dict[str, Callable[[], Any]]
POT: Any = _ot  # untyped, and its stubs of return types cannot be told apart


def w1_on_the_line(n: int) -> Contestants:
    """Sorting, and a bracket."""
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=n), rng.normal(0.1, 1.2, n)
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


def alone(n: int, d: int, p: int) -> Contestants:
    """The same where POT's matrices do not fit into 24 GiB."""
    return dict(list(exact(n, d, p).items())[:1])


def grids(side: int, p: int) -> Contestants:
    """Two positive random fields on one grid, a third of each set to zero."""
    rng = np.random.default_rng(side)
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)
    fields = [np.exp(8 * gaussian_filter(rng.normal(size=(side, side)), 4)).ravel() for _ in range(2)]
    a, b = (field * (field > np.quantile(field, 1 / 3)) for field in fields)
    a, b = a / a.sum(), b / b.sum()
    metric = {1: "euclidean", 2: "sqeuclidean"}[p]
    return {
        "dv.wasserstein": lambda: dv.wasserstein(cells, cells, p=p, a=a, b=b).cost,
        "POT dist + emd2": lambda: POT.emd2(a, b, POT.dist(cells, cells, metric), numItermax=10**8),
    }


def sinkhorn(n: int, d: int, fraction: float) -> Contestants:
    """The entropic value at epsilon = fraction * mean cost, marginals right to 1e-6 in L1; all build their own costs.

    POT stops by another norm, so it is given the number of sweeps after which plain scaling is right to 1e-6; this
    count is found while it warms up. Ours checks the error, and proves its bracket besides.
    """
    x, y = cloud(n, d)
    epsilon, uniform = fraction * float(POT.dist(x, y).mean()), np.full(n, 1 / n)

    @cache
    def needed() -> int:
        kernel, v = np.exp(POT.dist(x, y) / -epsilon), np.full(n, 1 / n)
        for count in range(1, 100_000):
            u = uniform / (kernel @ v)
            reached = kernel.T @ u
            if np.abs(v * reached - uniform).sum() <= 1e-6:
                return count
            v = uniform / reached
        raise RuntimeError("plain scaling did not reach 1e-6")

    def ours() -> float:
        result: Any = dv.wasserstein(x, y, 2, solver=dv.Sinkhorn(epsilon=epsilon))
        return result.regularized

    def theirs() -> float:
        settings = {"numItermax": needed(), "stopThr": 0.0, "warn": False}
        log = POT.sinkhorn(uniform, uniform, POT.dist(x, y), epsilon, log=True, **settings)[1]
        return epsilon * float(np.mean(np.log(log["u"] * n)) + np.mean(np.log(log["v"] * n)))

    return {"dv.wasserstein, Sinkhorn": ours, "POT dist + sinkhorn": theirs}


def sinkhorn_small() -> Contestants:
    """Ours alone: in POT's domain of exponentials the kernel underflows here, and its log domain takes minutes."""
    x, y = cloud(2000)
    epsilon = 1e-3 * float(POT.dist(x, y).mean())
    return {"dv.wasserstein, Sinkhorn": lambda: dv.wasserstein(x, y, 2, solver=dv.Sinkhorn(epsilon)).cost}


CASES = {
    "W1 in 1-D, n = 1e6": partial(w1_on_the_line, 10**6),
    "W1 in 1-D, n = 1e7": partial(w1_on_the_line, 10**7),
    "W2 in 2-D, n = 300": partial(exact, 300, 2, 2),
    "W2 in 2-D, n = 2000": partial(exact, 2000, 2, 2),
    "W2 in 2-D, n = 5000": partial(exact, 5000, 2, 2),
    "W1 in 2-D, n = 5000": partial(exact, 5000, 2, 1),
    "W2 in 10-D, n = 5000": partial(exact, 5000, 10, 2),
    "W1 in 10-D, n = 5000": partial(exact, 5000, 10, 1),
    "W1 on 64 x 64 cells": partial(grids, 64, 1),
    "W2 on 64 x 64 cells": partial(grids, 64, 2),
    "W2 in 2-D, n = 20,000": partial(exact, 20_000, 2, 2),
    "W1 in 2-D, n = 20,000": partial(exact, 20_000, 2, 1),
    "W2 in 10-D, n = 20,000": partial(exact, 20_000, 10, 2),
    "W2 in 2-D, n = 100,000": partial(alone, 100_000, 2, 2),
    "W1 in 2-D, n = 100,000": partial(alone, 100_000, 2, 1),
    "Sinkhorn, n = 500, 2-D, ε = 0.05 mean cost": partial(sinkhorn, 500, 2, 0.05),
    "Sinkhorn, n = 2000, 2-D, ε = 0.05 mean cost": partial(sinkhorn, 2000, 2, 0.05),
    "Sinkhorn, n = 2000, 10-D, ε = 0.05 mean cost": partial(sinkhorn, 2000, 10, 0.05),
    "Sinkhorn, n = 2000, 2-D, ε = 0.01 mean cost": partial(sinkhorn, 2000, 2, 0.01),
    "Sinkhorn, n = 2000, 10-D, ε = 0.01 mean cost": partial(sinkhorn, 2000, 10, 0.01),
    "Sinkhorn, n = 5000, 10-D, ε = 0.01 mean cost": partial(sinkhorn, 5000, 10, 0.01),
    "Sinkhorn, n = 2000, 2-D, ε = 0.001 mean cost": sinkhorn_small,
}
