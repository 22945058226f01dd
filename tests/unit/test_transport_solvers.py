"""Values, speed and the defects of other solvers that ours must not have."""

import time
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.stats import wasserstein_distance

from divergences.optimal_transport import (
    EXACT_SOLVERS,
    Exact,
    LinearProgram,
    Sinkhorn,
    Solver,
    Univariate,
    kantorovich_rubinstein,
    sinkhorn_divergence,
    sinkhorn_influence,
    sliced_wasserstein,
    transport,
    wasserstein,
)
from divergences.optimal_transport import exact as exact_solver
from divergences.optimal_transport._rounding import cumulative, dot, extended_cumulative, total
from divergences.optimal_transport._staircase import staircase


def cloud(n, d=2, shift=0.0, seed=0):
    """A Gaussian sample."""
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_a_million_points_on_the_line():
    """Univariate handles 10^6 points a side in seconds, certified, without a matrix."""
    x, y = cloud(10**6, 1)[:, 0], cloud(10**6, 1, 0.5, 1)[:, 0]
    start = time.process_time()
    r = wasserstein(x, y)
    assert time.process_time() - start < 15
    assert r.solver == "Univariate"
    assert r.gap <= 1e-9 * r.cost
    assert np.count_nonzero(coo_array(r.plan).data) <= 2 * 10**6 - 1
    assert r.cost == pytest.approx(wasserstein_distance(x, y), rel=1e-9)


def test_the_choice_of_solver():
    """Without a solver, one-dimensional points are sorted and the rest goes to Exact; both are exact."""
    assert wasserstein(cloud(5, 1), cloud(4, 1)).solver == "Univariate"
    assert wasserstein(cloud(5), cloud(4)).solver == "Exact"
    assert transport(np.eye(3)).solver == "Exact"


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_exact_solvers_agree_at_size(p):
    """Three algorithms, one value, on weighted samples with ties."""
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(size=120), 1), np.round(rng.normal(size=80) + 1, 1)
    a, b = rng.dirichlet(np.ones(120)), rng.dirichlet(np.ones(80))
    results = [wasserstein(x, y, p, a=a, b=b, solver=s) for s in (Exact(), LinearProgram(), Univariate())]
    assert max(r.lower for r in results) <= min(r.upper for r in results)
    assert all(r.converged and r.gap <= 1e-9 * r.cost for r in results)


def test_enormous_costs():
    """POT issue #229: costs of 1e32 on cells that are not used hide a plan of 57.54 behind one of 88.51."""
    big = 1e32
    cost = np.array(
        [
            [250.275352, 374.653218, 2413.52736, big, 1.5175154e-3],
            [213.08203, 328.812836, 2294.87946, big, 0.1371098],
            [197.333083, 309.175848, 2242.5055, big, 2.46506283],
            [big, big, big, 5.26223432, big / 4],
            [38.4690152, 80.9465684, 333.064175, big / 4, 0.0],
        ]
    )
    masses = np.array([0.125, 0.125, 0.125, 0.125, 0.5])
    r = transport(cost, masses, masses)
    assert r.converged
    assert r.cost == pytest.approx(57.5432103831750, rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_stopping_the_simplex_leaves_bounds_that_hold():
    """POT at its iteration limit reports 70 % of the mass and 'duals' above the optimum; here both ends are true."""
    x, y = cloud(30), cloud(30, shift=2.0, seed=1)
    true = wasserstein(x, y).cost
    r = wasserstein(x, y, solver=Exact(max_iterations=30), strict=False)
    assert not r.converged
    assert r.lower <= true <= r.upper
    assert float(r.plan.sum()) == pytest.approx(1, abs=1e-14)


def test_batch_default_of_others_is_the_independent_coupling():
    """Where POT's batch solver returns mean(M) without a word, the value is that of the optimal plan."""
    x, y = cloud(30), cloud(30, shift=2.0, seed=1)
    cost = np.linalg.norm(x[:, None] - y, axis=2)
    assert transport(cost).cost < 0.95 * cost.mean()


def test_one_unit_for_all():
    """Cost is W_p^p and distance W_p for every solver, the sliced one a root as well."""
    x, y = np.array([[0.0], [1.0]]), np.array([[3.0], [4.0]])
    for solver in (Exact(), LinearProgram(), Univariate()):
        r = wasserstein(x, y, 2, solver=solver)
        assert (r.cost, r.distance) == (pytest.approx(9), pytest.approx(3))
    assert sliced_wasserstein(x, y, 2, rng=0).value == pytest.approx(3)
    assert sinkhorn_divergence(x, y, 2, epsilon=0.01) == pytest.approx(9, rel=1e-6)


def test_cityblock_is_not_euclidean():
    """Each metric is the one that was asked for."""
    x, y = np.zeros((1, 2)), np.array([[3.0, 4.0]])
    values = [wasserstein(x, y, metric=m).cost for m in ("euclidean", "cityblock", "chebyshev")]
    assert values == pytest.approx([5, 7, 4], rel=1e-14)


class TestSinkhorn:
    """The entropic solver."""

    def test_closed_form(self):
        """Two by two with cost 1 off the diagonal: the plan is (1, e^(-1/eps)) / 2(1 + e^(-1/eps))."""
        for epsilon in (2.0, 0.5, 0.1):
            off = np.exp(-1 / epsilon) / (2 * (1 + np.exp(-1 / epsilon)))
            plan = np.array([[0.5 - off, off], [off, 0.5 - off]])
            value = 2 * off + epsilon * np.sum(plan * np.log(plan / 0.25))
            r = transport(1 - np.eye(2), solver=Sinkhorn(epsilon, tolerance=1e-12))
            assert r.regularized == pytest.approx(value, rel=1e-12)  # type: ignore[attr-defined]
            assert np.allclose(r.plan, plan, atol=1e-12)  # type: ignore[arg-type]

    def test_against_a_plain_iteration(self):
        """Five thousand textbook sweeps reach the same value."""
        rng = np.random.default_rng(0)
        cost, a, b = rng.uniform(size=(9, 7)), rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(7))
        kernel, u, v = np.exp(-cost / 0.1), np.ones(9), np.ones(7)
        for _ in range(5000):
            u = a / (kernel @ v)
            v = b / (kernel.T @ u)
        plan = u[:, None] * kernel * v
        value = np.sum(plan * cost) + 0.1 * np.sum(plan * np.log(plan / np.outer(a, b)))
        r = transport(cost, a, b, solver=Sinkhorn(0.1, tolerance=1e-11))
        assert r.regularized == pytest.approx(value, rel=1e-11)  # type: ignore[attr-defined]

    def test_homogeneous(self):
        """Three times the mass is three times the regularised value."""
        cost = np.random.default_rng(0).uniform(size=(4, 5))
        one, three = (
            transport(cost, np.full(4, s / 4), np.full(5, s / 5), solver=Sinkhorn(0.1, 1e-11)) for s in (1.0, 3.0)
        )
        assert three.regularized == pytest.approx(3 * one.regularized, rel=1e-12)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("fraction", [0.05, 1e-2, 1e-3, 3e-4])
    def test_small_epsilon(self, fraction):
        """It converges down to a few 1e-4 of the mean cost, and closes in on the optimum."""
        x, y = cloud(80), cloud(100, shift=1.0, seed=1)
        exact = wasserstein(x, y, 2)
        mean = np.mean(np.sum((x[:, None] - y) ** 2, axis=2))
        r = wasserstein(x, y, 2, solver=Sinkhorn(fraction * mean))
        assert r.converged
        assert r.marginal_error <= 1.01e-6
        assert r.lower <= exact.cost <= r.upper
        assert r.gap <= 8 * fraction * mean

    def test_gap(self):
        """It lowers epsilon until the bracket is as narrow as asked."""
        x, y = cloud(40), cloud(50, shift=1.0, seed=1)
        r = wasserstein(x, y, solver=Sinkhorn(gap=2e-3))
        assert r.converged
        assert r.gap <= 2e-3
        assert r.epsilon < 0.05 * 1.9  # type: ignore[attr-defined]

    def test_far_apart_and_far_from_one(self):
        """Costs thousands of epsilons large, which underflow in the plain kernel."""
        x, y = cloud(20) + 1e4, cloud(25, seed=1) - 1e4
        r = wasserstein(x, y, solver=Sinkhorn(epsilon=0.01))
        assert r.converged
        assert r.lower <= wasserstein(x, y).cost <= r.upper


def test_critic_is_the_dual():
    """The critic integrates to W1, is 1-Lipschitz on the samples, and is high on x."""
    x, y = cloud(40, 3), cloud(60, 3, 1.0, 1)
    a, b = np.random.default_rng(2).dirichlet(np.ones(40)), np.full(60, 1 / 60)
    k = kantorovich_rubinstein(x, y, a=a, b=b, metric="cityblock")
    assert k.lower - 1e-12 <= k.value <= k.upper + 1e-12
    assert k.value == pytest.approx(wasserstein(x, y, a=a, b=b, metric="cityblock").cost, rel=1e-12)
    assert k.lipschitz <= 1
    assert a @ k.critic(x) > b @ k.critic(y)
    doubled = kantorovich_rubinstein(2 * x, 2 * y, a=a, b=b)
    object.__setattr__(doubled, "_g", 2 * doubled._g)
    assert doubled.lipschitz <= 1 + 1e-12  # cones of slope 1 stay so whatever their heights


def test_sinkhorn_divergence_is_debiased():
    """It vanishes for equal measures, is symmetric and nonnegative, and tends to the exact cost."""
    x, y = cloud(30), cloud(40, shift=1.0, seed=1)
    assert abs(sinkhorn_divergence(x, x, 2)) < 1e-9
    forth, back = sinkhorn_divergence(x, y, epsilon=0.1), sinkhorn_divergence(y, x, epsilon=0.1)
    assert forth == pytest.approx(back, rel=1e-6)
    assert forth > 0
    assert sinkhorn_divergence(x, y, epsilon=1e-3) == pytest.approx(wasserstein(x, y).cost, rel=1e-2)


def test_influence_predicts_the_effect_of_weights():
    """Shifting mass towards a point changes the divergence by its influence."""
    x, y = cloud(12), cloud(15, shift=1.0, seed=1)
    first, second = sinkhorn_influence(x, y, epsilon=0.2)
    for index in (0, 5):
        values = []
        for step in (1e-4, -1e-4):
            a = np.full(12, (1 - step) / 12)
            a[index] += step
            values.append(sinkhorn_divergence(x, y, epsilon=0.2, a=a, b=np.full(15, 1 / 15), tolerance=1e-10))
        assert (values[0] - values[1]) / 2e-4 == pytest.approx(first[index], abs=1e-5)
    assert len(second) == 15


def test_sliced():
    """It equals the mean over the directions drawn, its interval covers a long run, and sizes may differ."""
    x, y = cloud(50, 3), cloud(70, 3, 1.0, 1)
    e = sliced_wasserstein(x, y, 2, projections=100, rng=5)
    directions = np.random.default_rng(5).normal(size=(100, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    each = [wasserstein(x @ t, y @ t, 2).cost for t in directions]
    assert e.value == pytest.approx(np.mean(each) ** 0.5, rel=1e-12)
    assert e.confidence_interval is not None
    assert e.standard_error is not None
    long = sliced_wasserstein(x, y, 2, projections=20_000, rng=6).value
    assert e.confidence_interval.low < long < e.confidence_interval.high
    spread = np.std([sliced_wasserstein(x, y, 2, projections=100, rng=s).value for s in range(60)])
    assert e.standard_error == pytest.approx(spread, rel=0.4)


def test_sums_know_their_error():
    """Dot and total are within their radius of the exact value, and exact where nothing is rounded."""
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 1000):
        x, y = rng.normal(size=n) * 10.0 ** rng.integers(-12, 12, n), rng.normal(size=n)
        exact = sum((Fraction(float(s)) * Fraction(float(t)) for s, t in zip(x, y, strict=True)), Fraction(0))
        value, radius = dot(x, y)
        assert abs(Fraction(value) - exact) <= Fraction(radius)
        assert radius <= 2.0**-52 * abs(value) + 1e-28 * np.abs(x).sum()
        value, radius = total(x)
        assert abs(Fraction(value) - sum(map(Fraction, x.tolist()))) <= Fraction(radius)
    assert dot(np.array([3.0, 0.5]), np.array([2.0, 4.0])) == (8.0, 0.0)
    assert total(np.array([1e16, 1.0, -1e16])) == (1.0, 0.0)
    tiny = np.array([1e-200])
    value, radius = dot(tiny, tiny)
    assert value == 0
    assert radius > 0


def test_running_sums():
    """Running sums are right to far beyond float64."""
    x = np.random.default_rng(0).uniform(size=997)
    high, low = cumulative(x)
    exact = list(accumulate(map(Fraction, x.tolist())))
    pairs = zip(high.tolist(), low.tolist(), exact, strict=True)
    assert max(abs(Fraction(h) + Fraction(l) - e) / e for h, l, e in pairs) < Fraction(2) ** -95
    sums, width = extended_cumulative(x.astype(np.longdouble))
    wholes = [Fraction(int(np.ldexp(s, 63))) / 2**63 for s in sums]
    unit = Fraction(float(np.finfo(np.longdouble).eps)) / 2
    for whole, e in zip(wholes, exact, strict=True):
        assert abs(whole - e) <= (2 * width + 2) * unit * e + Fraction(2) ** -63


def test_staircase_marginals():
    """The monotone coupling has the marginals to the last bit or two, whatever the masses."""
    rng = np.random.default_rng(0)
    for n, m in ((1, 1), (1, 6), (7, 5), (300, 200)):
        a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
        rows, columns, mass = staircase(a, b)
        assert len(mass) == n + m - 1
        assert np.abs(np.bincount(rows, mass, n) - a).sum() < 1e-15
        assert np.abs(np.bincount(columns, mass, m) - b).sum() < 1e-15
        assert (np.diff(rows) + np.diff(columns) == 1).all()


@pytest.mark.parametrize("solver", EXACT_SOLVERS, ids=lambda s: type(s).__name__)
def test_distance_is_the_rounded_root(solver: Solver) -> None:
    """W2 of points three apart is 3, not the outer end of its bracket."""
    r = wasserstein(np.array([0.0, 1.0, 5.0]), np.array([3.0, 4.0, 8.0]), p=2, solver=solver)
    assert r.distance == pytest.approx(3.0, rel=2e-16)
    assert r.distance_lower <= 3.0 <= r.distance_upper


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("sentinel", [1e9, -1e9])
def test_a_far_point_without_mass_changes_nothing(p: float, sentinel: float) -> None:
    """A sentinel that weighs nothing, the usual -999 of a table, neither moves the cost nor opens the gap."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), rng.normal(0.5, 1, 40)
    plain = wasserstein(x, y, p)
    far = wasserstein(
        np.append(x, sentinel), np.append(y, 2 * sentinel), p, a=[1 / 30] * 30 + [0], b=[1 / 40] * 40 + [0]
    )
    assert far.cost == pytest.approx(plain.cost, rel=1e-12)
    assert far.gap <= 1e-11 * plain.cost
    f, g = far.potentials
    costs = np.abs(np.append(x, sentinel)[:, None] - np.append(y, 2 * sentinel)) ** p
    assert np.all(f[:, None] + g <= costs * (1 + 1e-14))


def test_our_simplex_and_pots_agree(monkeypatch):
    """On matrices of either sign, with ties, zeros among the masses and enormous costs."""
    rng = np.random.default_rng(0)
    called = []
    own = exact_solver._own_simplex
    monkeypatch.setattr(exact_solver, "_own_simplex", lambda *args: called.append(1) or own(*args))
    for kind in range(6):
        n, m = rng.integers(20, 60, 2)
        cost = rng.normal(size=(n, m)) if kind % 2 else rng.integers(0, 4, (n, m)).astype(float)
        cost[0, 0] = 10.0 ** (4 * kind)
        a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
        a[:kind], b[0] = 0.0, 0.0
        a, b = a / a.sum(), b / b.sum()
        ours, pots = (transport(cost, a, b, solver=Exact(compiled=least)) for least in (0, 2**30))
        assert ours.converged
        assert len(called) == kind + 1
        assert ours.cost == pytest.approx(pots.cost, rel=1e-9, abs=1e-12)
        assert max(ours.lower, pots.lower) <= min(ours.upper, pots.upper)


def test_our_simplex_stops_early():
    """At its limit of pivots; the bracket is still true."""
    rng = np.random.default_rng(0)
    cost = rng.normal(size=(40, 50))
    best = transport(cost)
    stopped = transport(cost, solver=Exact(compiled=0, max_iterations=5), strict=False)
    assert not stopped.converged
    assert stopped.lower <= best.lower <= best.upper <= stopped.upper
