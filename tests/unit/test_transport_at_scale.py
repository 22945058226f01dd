"""Transport between points without a matrix: each part against brute force, and the whole against the dense solver."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport import Exact, Problem, Solution, certify, wasserstein
from divergences.optimal_transport import _transform as transforms
from divergences.optimal_transport._auction import auction
from divergences.optimal_transport._cells import cells, kd_order
from divergences.optimal_transport._hierarchy import Flow, aligned, levels, north_west, refined
from divergences.optimal_transport._pricing import cheapest
from divergences.optimal_transport._simplex import Arcs, pivot_to_optimum, spanning_tree
from divergences.optimal_transport._staircase import counted_masses
from divergences.optimal_transport._transform import c_transforms

SPARSE, DENSE = Exact(dense=0), Exact(dense=10**9)
METRIC = pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
POWER = pytest.mark.parametrize("p", [1, 1.5, 2, 3])


def clouds(n=700, m=500, d=2, seed=0):
    """Two Gaussian samples with masses that differ a thousandfold."""
    rng = np.random.default_rng(seed)
    a, b = 10.0 ** rng.uniform(-3, 0, n), 10.0 ** rng.uniform(-3, 0, m)
    return rng.normal(size=(n, d)), 1.3 * rng.normal(size=(m, d)) + 0.5, a / a.sum(), b / b.sum()


@METRIC
@POWER
@pytest.mark.parametrize("d", [1, 2, 4, 7])
@pytest.mark.parametrize("lattice", [False, True])
def test_pricing_finds_what_brute_force_finds(metric, p, d, lattice):
    """The smallest c - g of every row, in order, in large and small leaves, whatever slopes it is told."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, d)), 2 * rng.normal(size=(900, d)) + 1
    if lattice:
        x, y = np.rint(x), np.rint(y)
    y = y[kd_order(y, 2)]
    g = np.where(rng.uniform(size=900) < 0.1, -np.inf, np.linalg.norm(y, axis=1) + 0.1 * rng.normal(size=900))
    expected = np.sort(cdist(x, y, metric) ** p - g, axis=1)
    for slope in (
        np.zeros_like(y),
        y / np.maximum(np.linalg.norm(y, axis=1), 1e-9)[:, None],
        9 * rng.normal(size=y.shape),
    ):
        values, index, counts = cheapest(x, cells(y, g, slope), metric, p, np.inf, 5)
        assert np.allclose(values, expected[:, :5], rtol=1e-13, atol=1e-13)
        assert np.allclose(cdist(x, y, metric)[np.arange(150)[:, None], index] ** p - g[index], values, atol=1e-12)
        assert np.all(counts == 5)
        limits = expected[:, 2] + 1e-9
        below = np.minimum(np.sum(expected < limits[:, None], axis=1), 5)
        assert np.array_equal(cheapest(x, cells(y, g, slope), metric, p, limits, 5)[2], below)


def test_points_in_order_fill_their_cells():
    """The k-d order is a permutation, also of ties, and halves the widest side of every cell."""
    x = np.round(np.random.default_rng(0).normal(size=(1001, 3)) * [1, 5, 1], 1)
    order = kd_order(x, 2)
    assert np.array_equal(np.sort(order), np.arange(1001))
    halves = x[order][:500, 1], x[order][500:, 1]
    assert halves[0].max() <= halves[1].min()


def test_plans_keep_their_marginals_from_scale_to_scale():
    """From the coarsest cells to the points, a refined plan has exactly the masses of its level."""
    x, y, a, b = clouds()
    a, b, _ = counted_masses(a, b)
    assert a.sum() == b.sum()
    scales = aligned(levels(x, a)[1], levels(y, b)[1])
    flow = north_west(scales[0][0].masses, scales[0][1].masses)
    for coarse, fine in pairwise(scales):
        flow = refined(flow, *coarse, *fine)
        for index, level in ((flow.row, fine[0]), (flow.column, fine[1])):
            sums = np.zeros(len(level.masses), np.int64)
            np.add.at(sums, index, flow.amount)
            assert np.array_equal(sums, level.masses)


def all_arcs(cost, a, b):
    """Every pair as an arc, with the monotone plan on them."""
    n, m = cost.shape
    row, column = np.divmod(np.arange(n * m), m)
    arcs = Arcs(row.astype(np.int32), column.astype(np.int32), cost.ravel(), np.zeros(n * m, np.int64))
    flow = north_west(a, b)
    arcs.flow[flow.row * m + flow.column] = flow.amount
    return arcs


def marginal_errors(arcs, a, b):
    """How far the flow is from the masses, exactly."""
    a, b = a.copy(), b.copy()
    np.subtract.at(a, arcs.row, arcs.flow)
    np.subtract.at(b, arcs.column, arcs.flow)
    return int(np.abs(a).sum() + np.abs(b).sum())


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("last", [1e-1, 1e-6])
def test_auction_ends_where_it_promises(ties, last):
    """Reduced costs are at least -epsilon everywhere and at most 0 where mass flows; no mass is lost."""
    rng = np.random.default_rng(0)
    cost = rng.integers(0, 5, (60, 45)).astype(float) if ties else rng.uniform(size=(60, 45))
    a, b, _ = counted_masses(rng.dirichlet(np.ones(60)), rng.dirichlet(np.ones(45)))
    arcs = all_arcs(cost, a, b)
    f, g = auction(arcs, np.zeros(45), 60, 1.0, last, lambda _: True)
    reduced = arcs.cost - f[arcs.row] - g[arcs.column]
    assert marginal_errors(arcs, a, b) == 0
    assert arcs.flow.min() >= 0
    assert reduced.min() >= -last * (1 + 1e-9)
    assert reduced[arcs.flow > 0].max() <= 1e-12


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("uniform", [False, True])
def test_simplex_reaches_complementary_slackness(ties, uniform):
    """From the monotone plan, whatever the potentials: no negative reduced cost, none positive where mass flows."""
    rng = np.random.default_rng(1)
    cost = rng.integers(0, 4, (50, 50)).astype(float) if ties else rng.uniform(size=(50, 50))
    masses = (np.full(50, 0.02),) * 2 if uniform else rng.dirichlet(np.ones(50), 2)
    a, b, _ = counted_masses(*masses)
    arcs = all_arcs(cost, a, b)
    tree = spanning_tree(arcs, rng.normal(size=50), rng.normal(size=50))
    assert pivot_to_optimum(arcs, tree, 50, 1e-13, lambda _: True)[1]
    reduced = arcs.cost - tree.potential[arcs.row] - tree.potential[50 + arcs.column]
    assert marginal_errors(arcs, a, b) == 0
    assert reduced.min() >= -1e-12
    assert np.abs(reduced[arcs.flow > 0]).max() <= 1e-12


@METRIC
@pytest.mark.parametrize("p", [1, 1.5, 2])
@pytest.mark.parametrize("d", [2, 8])
def test_dense_and_sparse_agree(metric, p, d):
    """Unequal sizes and masses: the two brackets meet, and both are closed."""
    x, y, a, b = clouds(d=d)
    sparse, dense = (wasserstein(x, y, p, a=a, b=b, metric=metric, solver=s) for s in (SPARSE, DENSE))
    assert max(sparse.lower, dense.lower) <= min(sparse.upper, dense.upper)
    assert sparse.gap <= 1e-9 * sparse.cost
    assert sparse.marginal_error <= 1e-14


@pytest.mark.parametrize("p", [1, 2])
def test_pivots_end_among_ties(p):
    """Whole distances, where nearly all pivots let no mass through, and masses that a loose auction leaves apart."""
    rng = np.random.default_rng(0)
    x, a, b = lattice(30), *rng.integers(1, 4, (2, 900)).astype(float)
    r = wasserstein(x, x + 1, p, a=a / a.sum(), b=b / b.sum(), metric="cityblock", solver=Exact(10**5, dense=0))
    assert r.converged
    assert r.iterations > 1000


def lattice(k):
    """The points of a k x k grid."""
    return np.stack(np.meshgrid(np.arange(k), np.arange(k)), axis=-1).reshape(-1, 2).astype(float)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(
    "case",
    {
        "same": lambda rng: (z := rng.normal(size=(400, 2)), z[::-1]),
        "lattice": lambda rng: (lattice(20), 2 * lattice(20)[:, ::-1] + [3, 0]),
        "whole": lambda rng: (rng.integers(0, 6, (500, 2)), rng.integers(0, 6, (400, 2))),
        "one": lambda rng: (rng.normal(size=(1, 3)), rng.normal(size=(400, 3))),
        "line": lambda rng: (np.outer(rng.normal(size=300), [1, 2]), np.outer(rng.normal(size=350), [1, 2]) + 1),
        "outliers": lambda rng: (
            np.r_[rng.normal(size=(300, 2)), [[1e6, 0]]],
            np.r_[rng.normal(size=(300, 2)), [[1e6, 1]]],
        ),
        "pareto": lambda rng: (rng.pareto(1.1, (300, 2)), rng.pareto(1.1, (300, 2))),
        "tiny": lambda rng: (1e-150 * rng.normal(size=(300, 2)), 1e-150 * rng.normal(size=(300, 2))),
        "huge": lambda rng: (1e150 * rng.normal(size=(300, 2)), 1e150 * rng.normal(size=(300, 2))),
        "far": lambda rng: (rng.normal(size=(300, 2)) + 1e8, rng.normal(size=(300, 2)) + 1e8),
    }.items(),
    ids=lambda case: case[0],
)
def test_adversarial_points(case, p):
    """Ties everywhere, duplicates, outliers, extreme scales: the bracket closes, or meets that of the dense solver."""
    x, y = (np.asarray(v, float) for v in case[1](np.random.default_rng(0)))
    sparse, dense = (wasserstein(x, y, p, solver=s, strict=False) for s in (SPARSE, DENSE))
    assert max(sparse.lower, dense.lower) <= min(sparse.upper, dense.upper)
    assert sparse.converged


def test_two_hundred_thousand_equal_points():
    """Nothing can be left out by a bound where all pairs are tied; equal points are one."""
    n = 200_000
    r = wasserstein(np.zeros((n, 2)), np.ones((n, 2)), 2)
    assert r.converged
    assert r.cost == pytest.approx(2, rel=1e-12)


def test_no_matrix_is_made():
    """Nine million pairs are solved and certified without their costs."""
    x, y = clouds(3000, 3000)[:2]
    problem = Problem.from_samples(x, y, 2)
    result = certify(problem, Exact().solve(problem), "Exact")
    assert result.converged
    assert not problem.written_out


def test_feasible_potentials_without_the_matrix():
    """For any g, entries unknown or not, and any plan as a hint: f + g <= c for the costs to twice their precision."""
    x, y, a, b = clouds(300, 200, 3)
    cost = cdist(x.astype(np.longdouble), y.astype(np.longdouble))
    problem = Problem.from_samples(x, y, 1, a, b)
    plan: Any = SPARSE.solve(problem).plan
    rng = np.random.default_rng(0)
    for g in (np.zeros(200), rng.normal(size=200), np.where(rng.uniform(size=200) < 0.5, -np.inf, 0.0)):
        f, g = c_transforms(problem, g, plan)
        slack = cost - f[:, None] - g
        assert slack.min() >= 0
        assert np.all(slack.min(axis=1) <= 1e-13)


def test_pruning_too_much_is_noticed(monkeypatch):
    """A planted error: trends a little too low hide pairs, and the potentials are then infeasible."""
    x, y, a, b = clouds(300, 200)
    problem = Problem.from_samples(x, y, 2, a, b)
    solution = SPARSE.solve(problem)

    def low(*args):
        made = cells(*args)
        return made._replace(alpha=made.alpha - 1, top=made.top - 1)

    monkeypatch.setattr(transforms, "cells", low)
    plan: Any = solution.plan
    f, g = c_transforms(problem, np.random.default_rng(0).normal(size=200), plan)
    assert (cdist(x, y, "sqeuclidean") - f[:, None] - g).min() < -1e-3


def test_a_wrong_plan_is_not_believed():
    """A planted error: the plan of a solver that moves every point to the wrong place leaves the gap open."""
    x, y = clouds(300, 300)[:2]
    problem = Problem.from_samples(x, y, 2)
    solution: Solution = SPARSE.solve(problem)
    plan = solution.plan.copy()  # type: ignore[union-attr]
    plan.coords = plan.coords[0], np.roll(plan.coords[1], 1)
    wrong = certify(problem, replace(solution, plan=plan), "Wrong")
    assert not wrong.converged
    assert wrong.lower <= wasserstein(x, y, 2, solver=DENSE).cost <= wrong.upper


def test_out_of_time():
    """It stops with a bracket that is true, and says so."""
    x, y = clouds(3000, 3000)[:2]
    with pytest.raises(ConvergenceError, match="must reach its tolerance") as caught:
        wasserstein(x, y, 2, solver=Exact(seconds=1e-9))
    early = caught.value.result
    late = wasserstein(x, y, 2)
    assert early.lower <= late.lower <= late.upper <= early.upper
    assert early.marginal_error <= 1e-14
    with pytest.raises(DataError, match="seconds must be"):
        Exact(seconds=-1)


def test_threads_change_nothing(monkeypatch):
    """One thread or two: the same bits."""
    x, y, a, b = clouds(1500, 1400)
    results = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results.append(wasserstein(x, y, 1, a=a, b=b))
    assert results[0].lower == results[1].lower
    assert np.array_equal(results[0].plan.data, results[1].plan.data)


def test_counted_masses_add_up():
    """Whole masses have one total; whole inputs keep their ratios exactly."""
    a, b, unit = counted_masses(np.array([3.0, 5.0, 0.0]), np.array([6.0, 2.0]))
    assert a.sum() == b.sum()
    assert (a / unit[0] * unit[1]).tolist() == [3.0, 5.0, 0.0]
    assert Flow(*north_west(a, b)).amount.sum() == a.sum()


@pytest.mark.parametrize("shape", [(30, 1), (1, 30), (1, 1)])
def test_one_point_on_a_side(shape):
    """Uniform masses stay small whole numbers beside a single point, which holds all of the mass."""
    x, y = clouds(*shape)[:2]
    a, b, _ = counted_masses(*(np.full(k, 1 / k) for k in shape))
    assert max(a.tolist() + b.tolist()) == max(shape)
    assert wasserstein(x, y, 2, solver=Exact(dense=0)).cost == pytest.approx(
        cdist(x, y, "sqeuclidean").mean(), rel=1e-12
    )
