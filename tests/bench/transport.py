"""Optimal values with their certified brackets; the peers give the value alone.

Every Sinkhorn has the same epsilon and the same goal, 1e-6 in L1 for the marginals at total mass one; the error that
it reached stands behind its name. All build their own costs, in float64, and what compiles has compiled before.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import ot as _ot
import scipy.stats
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import divergences as dv
from tests.bench.peer import Peer

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


def weighted(n: int, p: int) -> Contestants:
    """Exact transport between two clouds in the plane with random masses."""
    x, y = cloud(n)
    a, b = np.random.default_rng(n).dirichlet(np.ones(n), 2)
    metric = {1: "euclidean", 2: "sqeuclidean"}[p]
    return {
        "dv.wasserstein": lambda: dv.wasserstein(x, y, p=p, a=a, b=b).cost,
        "POT dist + emd2": lambda: POT.emd2(a, b, POT.dist(x, y, metric), numItermax=10**7),
    }


def assignment(n: int, d: int, p: int) -> Contestants:
    """The same beside solvers of assignment problems, which need equal masses and n = m."""
    x, y = cloud(n, d)
    metric: Any = {1: "euclidean", 2: "sqeuclidean"}[p]

    def scipys() -> float:
        cost = cdist(x, y, metric)
        return float(cost[linear_sum_assignment(cost)].mean())

    def lapxs() -> float:
        import lap  # type: ignore[import-not-found]

        cost = cdist(x, y, metric)
        return float(cost[np.arange(n), lap.lapjv(cost)[1]].mean())

    return {
        **exact(n, d, p),
        "scipy cdist + linear_sum_assignment": scipys,
        "cdist + lapx lapjv": Peer(lapxs),
    }


def alone(n: int, d: int, p: int) -> Contestants:
    """The same where POT's matrices do not fit into 24 GiB."""
    return dict(list(exact(n, d, p).items())[:1])


def in_time(n: int, seconds: float) -> Contestants:
    """The upper end of a bracket that a limit of time leaves, once it is within 1 %."""
    x, y = cloud(n)

    def ours() -> float:
        result: Any = dv.wasserstein(x, y, p=2, solver=dv.Exact(seconds=seconds), strict=False)
        if not result.gap <= 0.01 * result.cost:
            raise RuntimeError(f"the bracket is {result.gap / result.cost:.1%} wide")
        return result.cost

    return {"dv.wasserstein, bracket within 1 %": ours}


def batch(n: int, count: int = 400) -> Contestants:
    """Many small problems of about n points; POT in a loop."""
    rng = np.random.default_rng(n)
    pairs = [tuple(rng.normal(size=(k, 2)) for k in rng.integers(n // 2, 3 * n // 2, 2)) for _ in range(count)]
    return {
        "dv.wasserstein_batch": lambda: float(np.sum(dv.wasserstein_batch(pairs, 2).cost)),
        "POT dist + emd2, a loop": lambda: float(sum(POT.emd2([], [], POT.dist(x, y)) for x, y in pairs)),
    }


FIELDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "smooth": lambda rng, side: np.exp(8 * gaussian_filter(rng.normal(size=(side, side)), 4)),
    "rough": lambda rng, side: np.exp(rng.normal(size=(side, side))),
    "shapes": lambda rng, side: 1.0 * (gaussian_filter(rng.normal(size=(side, side)), side / 10) > 0),
}


def grids(side: int, p: int, kind: str) -> Contestants:
    """Two random fields on one grid, the least third of the cells of each set to zero; shapes are of one height."""
    rng = np.random.default_rng(side)
    cells = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)
    fields = [FIELDS[kind](rng, side).ravel() for _ in range(2)]
    a, b = (field * (field > np.quantile(field, 1 / 3)) for field in fields)
    a, b = a / a.sum(), b / b.sum()
    metric = {1: "euclidean", 2: "sqeuclidean"}[p]
    return {
        "dv.wasserstein": lambda: dv.wasserstein(cells, cells, p=p, a=a, b=b).cost,
        "POT dist + emd2": lambda: POT.emd2(a, b, POT.dist(cells, cells, metric), numItermax=10**8),
    }


def sinkhorn(n: int, d: int, fraction: float) -> Contestants:
    """The entropic value at epsilon = fraction * mean cost."""
    x, y = cloud(n, d)
    epsilon = fraction * float(np.mean([np.sum((x - row) ** 2, axis=1).mean() for row in y]))
    return {
        "dv.wasserstein, Sinkhorn": partial(ours, x, y, epsilon),
        "POT dist + sinkhorn": pots(x, y, epsilon),
        "OTT Sinkhorn": Peer(otts(x, y, epsilon)),
        "GeomLoss solve_sample": Peer(geomlosss(x, y, epsilon)),
    }


Answer = tuple[float, str]
WANTED = 1e-6


def ours(x: np.ndarray, y: np.ndarray, epsilon: float) -> Answer:
    """Checks the error, and proves its bracket besides."""
    result: Any = dv.wasserstein(x, y, 2, solver=dv.Sinkhorn(epsilon, WANTED))
    return result.regularized, f"error {result.marginal_error:.0e}"


def pots(x: np.ndarray, y: np.ndarray, epsilon: float) -> Callable[[], Answer]:
    """POT stops by another norm, so it is told the number of sweeps, found while it warms up."""
    uniform = np.full(len(x), 1 / len(x))

    @cache
    def needed() -> tuple[int, float]:  # no sweeps where it cannot be done
        kernel, v, error = np.exp(POT.dist(x, y) / -epsilon), uniform, np.inf
        for count in range(1, 100_000):
            with np.errstate(all="ignore"):
                u = uniform / (kernel @ v)
                reached = kernel.T @ u
                error = float(np.abs(v * reached - uniform).sum())
            if not error > WANTED:
                return count * bool(np.isfinite(error)), error
            v = uniform / reached
        return 0, error

    def call() -> Answer:
        count, error = needed()
        if count == 0:
            return np.nan, "its kernel underflows"
        settings = {"numItermax": count, "stopThr": 0.0, "warn": False}
        log = POT.sinkhorn(uniform, uniform, POT.dist(x, y), epsilon, log=True, **settings)[1]
        value = np.mean(np.log(log["u"] * len(x))) + np.mean(np.log(log["v"] * len(x)))
        return epsilon * float(value), f"error {error:.0e}"

    return call


def otts(x: np.ndarray, y: np.ndarray, epsilon: float) -> Callable[[], Answer]:
    """On the kernel, with its adaptive momentum: faster here than no or a fixed momentum, and than its log domain.

    That has its turn where the kernel underflows.
    """

    @cache
    def compiled() -> Callable[[], Any]:
        import jax  # type: ignore[import-not-found]
        from ott.geometry.pointcloud import PointCloud  # type: ignore[import-not-found]
        from ott.problems.linear.linear_problem import LinearProblem  # type: ignore[import-not-found]
        from ott.solvers.linear.acceleration import Momentum  # type: ignore[import-not-found]
        from ott.solvers.linear.sinkhorn import Sinkhorn  # type: ignore[import-not-found]

        jax.config.update("jax_enable_x64", True)
        settings: Any = {"threshold": WANTED, "max_iterations": 100_000, "momentum": Momentum(start=20)}

        @partial(jax.jit, static_argnums=2)
        def solve(x: Any, y: Any, logarithms: bool) -> Any:
            out = Sinkhorn(lse_mode=logarithms, **settings)(LinearProblem(PointCloud(x, y, epsilon=epsilon)))
            return out.reg_ot_cost, out.errors

        underflows = not np.isfinite(float(solve(x, y, False)[0]))
        return lambda: jax.block_until_ready(solve(x, y, underflows))

    def call() -> Answer:
        value, errors = compiled()()
        errors = np.asarray(errors)
        return float(value), f"error {errors[errors >= 0][-1]:.0e}"

    return call


def geomlosss(x: np.ndarray, y: np.ndarray, epsilon: float) -> Callable[[], Answer]:
    """It has no stopping rule: as many iterations as reach the error, or 400: the error falls as 1 / iterations."""

    def solve(count: int) -> Any:
        import torch
        from geomloss import ot  # type: ignore[import-not-found]

        x_, y_ = torch.from_numpy(x), torch.from_numpy(y)
        return ot.solve_sample(x_, y_, reg=epsilon, max_iter=count)

    @cache
    def needed() -> tuple[int, float]:
        for count in (25, 100, 400):
            plan = np.asarray(solve(count).plan)
            error = sum(float(np.abs(plan.sum(axis=k) - 1 / len(x)).sum()) for k in (0, 1))
            if error <= WANTED:
                break
        return count, error

    def call() -> Answer:
        count, error = needed()
        return float(solve(count).value), f"{count} iterations, error {error:.0e}"

    return call


def sinkhorn_small(n: int, d: int, fraction: float) -> Contestants:
    """Ours alone: in POT's domain of exponentials the kernel underflows here, and log domains take minutes."""
    return dict(list(sinkhorn(n, d, fraction).items())[:1])


def nothing(_answer: Any) -> None:
    """There is nothing to compare."""


def streamed_sweep(n: int, d: int) -> Contestants:
    """One sweep over all pairs in linear memory, as iterations take it and exactly; so many exponentials alone."""
    from divergences.optimal_transport import Problem, _gibbs
    from divergences.optimal_transport._sweeps import Compiled, row_blocks

    x, y = cloud(n, d)
    every = np.arange(n)
    sweeps = Compiled(Problem.from_samples(x, y, 2), every, every, streamed=True)
    arguments, mass = -np.linspace(0.0, 30.0, n), np.full(n, 1 / n)

    f, g = np.zeros(n), np.zeros(n)
    sweeps.guide(f, g, 0.1)

    def exponentials() -> None:
        def block(start: int, stop: int) -> None:
            scratch = np.empty(n)
            for _ in range(start, stop):
                scratch[:] = arguments
                _gibbs._exponentials(scratch, mass, 0.0, 1.0)

        row_blocks(n, n).run(block)

    return {
        "dv, one guided sweep": lambda: nothing(sweeps.guide(f, g, 0.1)),
        "dv, one exact sweep": lambda: nothing(sweeps.sweep(f, g, 0.1)),
        "exponentials alone, in float64": exponentials,
    }


CASES = {
    "W1 in 1-D, n = 1e6": partial(w1_on_the_line, 10**6),
    "W1 in 1-D, n = 1e7": partial(w1_on_the_line, 10**7),
    "W2 in 2-D, n = 300": partial(exact, 300, 2, 2),
    "W2 in 2-D, n = 2000": partial(exact, 2000, 2, 2),
    "W2 in 2-D, n = 5000": partial(exact, 5000, 2, 2),
    "W1 in 2-D, n = 5000": partial(exact, 5000, 2, 1),
    "W2 in 10-D, n = 5000": partial(exact, 5000, 10, 2),
    "W1 in 10-D, n = 5000": partial(exact, 5000, 10, 1),
    **{f"W{p} on 64 x 64 cells, {kind}": partial(grids, 64, p, kind) for kind in FIELDS for p in (1, 2)},
    "W2 in 2-D, n = 20,000": partial(exact, 20_000, 2, 2),
    "W1 in 2-D, n = 20,000": partial(exact, 20_000, 2, 1),
    "W2 in 10-D, n = 20,000": partial(exact, 20_000, 10, 2),
    "W2 in 2-D, n = 100,000": partial(alone, 100_000, 2, 2),
    "W1 in 2-D, n = 100,000": partial(alone, 100_000, 2, 1),
    "W2 in 10-D, n = 100,000": partial(alone, 100_000, 10, 2),
    "W2 in 2-D, n = 1,000,000, in a minute": partial(in_time, 1_000_000, 60),
    "W2 in 2-D, n = 100, weighted": partial(weighted, 100, 2),
    "W2 in 2-D, n = 200, weighted": partial(weighted, 200, 2),
    "W2 in 2-D, n = 300, weighted": partial(weighted, 300, 2),
    "400 problems of about 16 points": partial(batch, 16),
    "400 problems of about 64 points": partial(batch, 64),
    "400 problems of about 100 points": partial(batch, 100),
    "assignment, W2 in 2-D, n = 2000": partial(assignment, 2000, 2, 2),
    "assignment, W2 in 10-D, n = 2000": partial(assignment, 2000, 10, 2),
    "assignment, W2 in 2-D, n = 5000": partial(assignment, 5000, 2, 2),
    "assignment, W2 in 10-D, n = 5000": partial(assignment, 5000, 10, 2),
    **{
        f"Sinkhorn, n = {n}, {d}-D, ε = {fraction} mean cost": partial(sinkhorn, n, d, fraction)
        for n in (500, 2000, 5000)
        for d in (2, 10)
        for fraction in (0.05, 0.01, 0.002)
    },
    "Sinkhorn, n = 2000, 2-D, ε = 0.0001 mean cost": partial(sinkhorn_small, 2000, 2, 1e-4),
    "Sinkhorn, n = 2000, 10-D, ε = 0.0001 mean cost": partial(sinkhorn_small, 2000, 10, 1e-4),
    "one streamed sweep, n = 100,000, 2-D": partial(streamed_sweep, 100_000, 2),
    "one streamed sweep, n = 100,000, 10-D": partial(streamed_sweep, 100_000, 10),
}
CURVES = {
    "W2 in 2-D": lambda n: assignment(n, 2, 2),
    "Sinkhorn in 2-D, ε = 0.05 mean cost": lambda n: sinkhorn(n, 2, 0.05),
}
