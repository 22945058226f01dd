"""Exact transport between any two measures: small ones by POT, others by our own kernels, with or without a matrix."""

import math
import os
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import coo_array

from divergences import _checks as check
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._solution import Solution
from divergences.optimal_transport._staircase import counted_masses, whole_masses

_BACKENDS = ("PYTORCH", "JAX", "CUPY", "TENSORFLOW")
# Where the plain run leaves slack, costs above these multiples of the largest row or column minimum are cut off.
_CUTS = (2.0**12, 2.0**24, 2.0**6)
LARGE = 2**22  # costs beyond which POT's simplex is as quick as ours
_OPTIMAL, _PIVOT_LIMIT = 1, 3  # POT's result codes


@dataclass(frozen=True)
class Exact:
    """Exact transport between any two measures, by the network simplex.

    Between points with more than `dense` pairs the n x m costs are never written out: memory is O(n + m + plan). Plans
    are made from coarse to fine on few arcs, and all pairs are priced until none would lower the cost
    (`_multiscale`). Other problems go to a simplex on the matrix: POT's below `compiled` costs, since it waits for no
    compiler, and our own from there on (`_small`), which is quicker; POT's again beyond 2**22 costs, where it no longer
    is, and where ours leaves slack.

    `max_iterations` bounds the pivots, `seconds` the time spent on points without a matrix (it is looked at between
    steps). A run that meets a limit does not converge, and its bracket is still true. The result's `iterations` counts
    pivots, or runs of a simplex on the matrix.

    POT's pivot rule compares costs with an absolute tolerance, which fails silently when a few costs are enormous.
    So costs are shifted and scaled to at most one, optimality is checked by complementary slackness, and where it
    fails the problem is solved again with enormous costs cut off: potentials of that relaxation are feasible for the
    full problem, and the two agree when the plan avoids what was cut.

    >>> import numpy as np
    >>> from divergences.optimal_transport import transport, wasserstein
    >>> transport(np.array([[0.0, 1e32], [1e32, 2.0]]), solver=Exact()).cost
    1.0
    >>> x = np.stack(np.meshgrid(np.arange(40.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    >>> wasserstein(x, x + 2, p=2, solver=Exact()).cost
    8.0

    Source: Bonneel, van de Panne, Paris and Heidrich (2011), as implemented in POT; `_multiscale` for the other.
    """

    max_iterations: int = 100_000_000
    seconds: float = math.inf
    dense: int = 2**18
    compiled: int = 2**15

    def __post_init__(self) -> None:
        check.count(self.max_iterations, "max_iterations")
        check.count(self.dense, "dense", minimum=0)
        check.count(self.compiled, "compiled", minimum=0)
        if self.seconds != math.inf:
            check.positive(self.seconds, "seconds")

    def solve(self, problem: Problem) -> Solution:
        """A raw solution of `problem`: a vertex of the polytope and its dual."""
        n, m = problem.shape
        if problem.written_out or n * m <= self.dense:
            return self._dense(problem)
        return self._multiscale(problem)

    def _multiscale(self, problem: Problem) -> Solution:
        """The solution of a problem between points, without the matrix of costs."""
        from divergences.optimal_transport._multiscale import Costs, solve  # its kernels are compiled

        a, b, unit = counted_masses(problem.a, problem.b)
        rows, columns = np.flatnonzero(a), np.flatnonzero(b)
        end, pivots = time.monotonic() + self.seconds, 0

        def go_on(more: int) -> bool:
            nonlocal pivots
            pivots += more
            return pivots < self.max_iterations and time.monotonic() < end

        x, y = problem.located()
        costs, least = Costs(problem.metric, problem.power), 1e-6 * problem.mean_cost
        out = solve(x[rows], y[columns], a[rows], b[columns], costs, least, go_on)
        mass = out.flow.amount / unit[0] * unit[1]
        plan = coo_array((mass, (rows[out.flow.row], columns[out.flow.column])), shape=problem.shape)
        f, g = np.full(len(a), -np.inf), np.full(len(b), -np.inf)
        f[rows], g[columns] = out.f, out.g
        return Solution(plan, f, g, pivots, out.finished)

    def _dense(self, problem: Problem) -> Solution:
        """The solution on the matrix."""
        # POT leaves points without mass out of its dual, so they stay outside and bind nothing.
        rows, columns = np.flatnonzero(problem.a), np.flatnonzero(problem.b)
        a, b, unit = whole_masses(problem.a[rows], problem.b[columns])
        rows, columns, a, b = rows[a > 0], columns[b > 0], a[a > 0], b[b > 0]  # a mass may have been flushed to 0
        whole = problem.shape == (len(rows), len(columns))
        cost = problem.cost if whole else problem.cost[np.ix_(rows, columns)]
        own = self.compiled <= cost.size <= LARGE
        runs = [_own_simplex(a, b, cost, self.max_iterations)] if own else []
        for cut in _cuts(cost) if not runs or runs[0].slack > 1e-10 * runs[0].size else ():
            runs.append(_simplex(a, b, cost, cut, self.max_iterations))
            if not runs[-1].finished or runs[-1].slack <= 1e-10 * runs[-1].size:
                break
        best = min(runs, key=lambda run: run.slack)
        mass = best.mass / unit[0] * unit[1]
        plan = coo_array((mass, (rows[best.row], columns[best.column])), shape=problem.shape)
        f, g = np.full(len(problem.a), -np.inf), np.full(len(problem.b), -np.inf)
        f[rows], g[columns] = best.f, best.g
        return Solution(plan, f, g, len(runs), best.finished)


@dataclass(frozen=True, eq=False)
class _Run:
    """What one run of the simplex returned, with the slack <P, c - f - g> that is 0 at the optimum."""

    row: np.ndarray
    column: np.ndarray
    mass: np.ndarray
    f: np.ndarray
    g: np.ndarray
    slack: float
    size: float
    finished: bool


def _simplex(a: np.ndarray, b: np.ndarray, cost: np.ndarray, cut: float, limit: int) -> _Run:
    """One run on the costs cut off at `cut`, shifted and scaled to [0, 1]."""
    low = float(cost.min())
    scale = (min(cut, float(cost.max())) - low) or 1.0
    scaled = np.subtract(cost, low, order="C")
    np.minimum(scaled, scale, out=scaled)
    scaled /= scale
    plan, _, f, g, code = _extension().emd_c(a, b, scaled, limit, 1)
    if code not in (_OPTIMAL, _PIVOT_LIMIT):
        plan, f, g = np.zeros_like(scaled), np.zeros(len(a)), np.zeros(len(b))
    f, g = f * scale + low, g * scale
    i, j = np.divmod(np.flatnonzero(plan != 0), len(b))  # ten times as fast as plan.nonzero()
    mass = plan[i, j]
    paid = mass * cost[i, j]
    slack = float(np.sum(np.abs(paid - mass * (f[i] + g[j]))))
    return _Run(i, j, mass, f, g, slack, float(np.sum(np.abs(paid))), code == _OPTIMAL)


def _own_simplex(a: np.ndarray, b: np.ndarray, cost: np.ndarray, limit: int) -> _Run:
    """One run of our own simplex, whose flows are whole numbers; its slack counts what the potentials exceed, too."""
    from divergences.optimal_transport._small import FLOW, PARENT, simplex  # its kernels are compiled

    supply, demand, unit = counted_masses(a, b)
    n = len(a)
    tree, potential = simplex(np.ascontiguousarray(cost), supply.copy(), demand.copy(), limit)
    v = np.flatnonzero((tree[PARENT] >= 0) & (tree[FLOW] > 0))
    i, j = np.minimum(v, tree[PARENT, v]), np.maximum(v, tree[PARENT, v]) - n
    f, g = potential[:n], potential[n:]
    mass = tree[FLOW, v] / unit[0] * unit[1]
    paid = mass * cost[i, j]
    slack = np.sum(np.abs(paid - mass * (f[i] + g[j]))) + a @ np.maximum(f - (cost - g).min(axis=1), 0.0)
    return _Run(i, j, mass, f, g, float(slack), float(np.sum(np.abs(paid))), finished=True)


def _cuts(cost: np.ndarray) -> list[float]:
    """Cost levels to cut at: first none, then multiples of what even a free choice of partners must pay."""
    low = float(cost.min())
    must = max(float(cost.min(axis=1).max()), float(cost.min(axis=0).max())) - low
    high = float(cost.max())
    return [high, *(low + must * factor for factor in _CUTS if 0 < must * factor < high - low)]


@cache
def _extension() -> Any:
    """POT's compiled module, imported on first use and without the array libraries that POT would load beside it."""
    keys = [f"POT_BACKEND_DISABLE_{name}" for name in _BACKENDS]
    before = {key: os.environ.get(key) for key in keys}
    os.environ.update(dict.fromkeys(keys, "1"))
    try:
        from ot.lp import emd_wrap
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
    return emd_wrap
