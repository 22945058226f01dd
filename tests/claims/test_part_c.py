"""Part C: earth mover, Wasserstein, duality."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_array

import divergences as dv
from divergences.optimal_transport import EXACT_SOLVERS, constraints
from tests.claims import figures
from tests.oracles import exact_costs, plan_cost, polytope_vertices, transport_optimum

POSITIONS = np.arange(1.0, 5.0)
P, Q = np.array([3.0, 2, 1, 4]), np.array([1.0, 2, 4, 3])
MOVES = ((0, 1, 2), (1, 2, 2), (3, 2, 1))  # the lecture's steps: from pile, to pile, shovelfuls
LINE = np.abs(POSITIONS[:, None] - POSITIONS)
SMALL = ((2, 2), (2, 3), (3, 3), (3, 4))


def random_problem(rng, n, m):
    """Integer masses of one total, costs of either sign."""
    a = rng.integers(1, 6, n).astype(float)
    b = np.bincount(rng.integers(0, m, int(a.sum())), minlength=m).astype(float)
    return rng.integers(-9, 10, (n, m)).astype(float), a, b


def points(rng, n, m, dimension=2):
    """Two Gaussian samples, one shifted."""
    return rng.normal(size=(n, dimension)), rng.normal(size=(m, dimension)) + 0.7


@pytest.mark.claim("C1")
def test_piles_of_earth(claim):
    """Piles (3,2,1,4) become (1,2,4,3) at cost 2 + 2 + 1 = 5 = Σ|δ|, by every solver; 0.5 for the normalised laws."""
    claim.source("I", "S")
    for solver in EXACT_SOLVERS:
        name = type(solver).__name__
        result = dv.wasserstein(POSITIONS, POSITIONS, a=P, b=Q, solver=solver)
        assert result.solver == name
        claim.check(f"{name}: cost", expected=5, measured=result.cost, tolerance=1e-12)
        claim.check(f"{name}: lower end", expected=5, measured=result.lower, tolerance=1e-12)
        normalised = dv.wasserstein(POSITIONS, POSITIONS, a=P / 10, b=Q / 10, solver=solver)
        claim.check(f"{name}: normalised", expected=0.5, measured=normalised.cost, tolerance=1e-12)
    entropic = dv.wasserstein(POSITIONS, POSITIONS, a=P, b=Q, solver=dv.Sinkhorn(gap=1e-3))
    claim.check("Sinkhorn, bracket of width 1e-3", expected=5, measured=entropic.cost, tolerance=1e-3)
    claim.at_most("Sinkhorn: lower end", measured=entropic.lower, bound=5)
    claim.check("Σ|δ|", expected=5, measured=np.abs(np.cumsum(P - Q)).sum())

    # The lecture's steps as moves of I compose to a plan that leaves the rest in place.
    steps = np.diag(np.minimum(P, Q))
    steps[1, 1] = 0
    for start, end, amount in MOVES:
        steps[start, end] = amount
    claim.check("the three steps: rows", expected=P, measured=steps.sum(axis=1))
    claim.check("the three steps: columns", expected=Q, measured=steps.sum(axis=0))
    claim.check("the three steps: cost", expected=5, measured=(steps * LINE).sum())

    vertices = polytope_vertices([int(v) for v in P], [int(v) for v in Q])
    costs = [plan_cost(vertex, LINE.tolist()) for vertex in vertices]
    claim.check("least cost of all vertices", expected=5, measured=float(min(costs)))
    claim.check("optimal vertex plans", expected=2, measured=costs.count(min(costs)))
    claim.figure(lambda: figures.piles(POSITIONS, P, Q, MOVES), "the piles, the three moves, and what each cut carries")


def carried(plan):
    """What a plan carries from piles up to i to piles beyond i, less what comes back, for every i."""
    n = len(plan)
    return [plan[: i + 1, i + 1 :].sum() - plan[i + 1 :, : i + 1].sum() for i in range(n)]


@pytest.mark.claim("C2")
def test_recursion_of_the_differences(claim):
    """δ_i = δ_{i−1} + P_i − Q_i is what each cut carries; the printed δ_{i+1} = δ_i + P_i − Q_i comes one pile late."""
    claim.source("S")
    correct = [0.0]
    for i in range(4):
        correct.append(correct[i] + P[i] - Q[i])
    # As printed, for piles counted from one: P_0 = Q_0 = 0 moves every difference by one place.
    printed = [0.0]
    for i in range(4):
        printed.append(printed[i] + ([0, *P][i] - [0, *Q][i]))
    claim.check("δ_0 to δ_4 corrected", expected=[0, 2, 2, -1, 0], measured=correct)
    flow = []
    for solver in EXACT_SOLVERS:
        result = dv.wasserstein(POSITIONS, POSITIONS, a=P, b=Q, solver=solver)
        name = type(solver).__name__
        flow = [0, *carried(coo_array(result.plan).toarray())]
        claim.check(f"{name}: carried across the cuts", expected=correct, measured=flow, tolerance=1e-12)
        claim.check(f"{name}: W = Σ|δ|", expected=result.cost, measured=np.abs(correct).sum(), tolerance=1e-12)
    claim.refutes("δ_1, δ_3, δ_4 as printed", printed=np.array(printed)[[1, 3, 4]], measured=np.array(flow)[[1, 3, 4]])
    claim.check("Σ|δ| of the printed δ too", expected=5, measured=np.abs(printed).sum())


@pytest.mark.claim("C3")
def test_infimum_over_couplings(claim):
    """W is the least average distance over all couplings: the best vertex of the polytope, for every exact solver."""
    claim.source("I", "W")
    rng = np.random.default_rng(3)
    for n, m in SMALL:
        x, y = rng.integers(-9, 10, (n, 1)).astype(float), rng.integers(-9, 10, (m, 1)).astype(float)
        _, a, b = random_problem(rng, n, m)
        best = float(transport_optimum(exact_costs(x, y, 1), a, b))
        for solver in EXACT_SOLVERS:
            result = dv.wasserstein(x, y, a=a, b=b, solver=solver)
            name = f"{n} x {m}, {type(solver).__name__}"
            claim.check(f"{name}: cost", expected=best, measured=result.cost, tolerance=1e-11)
            plan = coo_array(result.plan).toarray()
            claim.check(f"{name}: rows", expected=a, measured=plan.sum(axis=1), tolerance=1e-13)
            claim.check(f"{name}: columns", expected=b, measured=plan.sum(axis=0), tolerance=1e-13)
            average = (plan * np.abs(x - y.T)).sum() / a.sum()
            claim.check(f"{name}: average distance", expected=best / a.sum(), measured=average, tolerance=1e-12)


@pytest.mark.claim("C4")
def test_linear_program_written_out(claim):
    """Transport is min cᵀx, Ax = (p, q), x ≥ 0 with x = vec(P): HiGHS on A as written equals the other solvers."""
    claim.source("W")
    matrix = [
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 1],
    ]
    claim.check("A for 2 x 3", expected=matrix, measured=constraints(2, 3).toarray())
    rank = np.linalg.matrix_rank(constraints(3, 4).toarray())
    claim.check("rank of A for 3 x 4: n + m - 1", expected=6, measured=rank)
    rng = np.random.default_rng(4)
    for n, m in ((2, 3), (4, 4), (6, 9)):
        cost, a, b = random_problem(rng, n, m)
        written = linprog(cost.ravel(), A_eq=constraints(n, m), b_eq=np.concatenate([a, b]))
        for solver in (dv.LinearProgram(), dv.Exact()):
            measured = dv.transport(cost, a, b, solver=solver).cost
            claim.check(f"{n} x {m}, {type(solver).__name__}", expected=written.fun, measured=measured, tolerance=1e-8)


@pytest.mark.claim("C5")
def test_weak_and_strong_duality(claim):
    """Aᵀy ≤ c implies bᵀy ≤ the optimal cost; the optimal y attains it."""
    claim.source("W")
    rng = np.random.default_rng(5)
    for n, m in SMALL:
        cost, a, b = random_problem(rng, n, m)
        best = float(transport_optimum(cost.tolist(), a, b))
        matrix, masses = constraints(n, m), np.concatenate([a, b])
        values = []
        for _ in range(200):
            f = rng.normal(scale=5, size=n)
            g = (cost - f[:, None]).min(axis=0) - rng.exponential(size=m)
            y = np.concatenate([f, g])
            assert (matrix.T @ y <= cost.ravel() + 1e-12).all()
            values.append(masses @ y)
        claim.at_most(f"{n} x {m}: the best of 200 feasible y", measured=max(values), bound=best)
        y = np.concatenate(dv.transport(cost, a, b).potentials)
        claim.at_most(f"{n} x {m}: optimal y is feasible", measured=(matrix.T @ y - cost.ravel()).max(), bound=0)
        claim.check(f"{n} x {m}: and meets the optimum", expected=best, measured=masses @ y, tolerance=1e-11)


@pytest.mark.claim("C6")
def test_dual_in_function_form(claim):
    """max Σ p f + q g subject to f(x) + g(y) ≤ d(x, y), checked on every pair, equals W."""
    claim.source("W")
    rng = np.random.default_rng(6)
    for metric in ("euclidean", "cityblock", "chebyshev"):
        x, y = points(rng, 40, 55)
        a = rng.uniform(size=40)
        a /= a.sum()
        result = dv.wasserstein(x, y, a=a, b=np.full(55, 1 / 55), metric=metric)
        f, g = result.potentials
        order = {"euclidean": 2, "cityblock": 1, "chebyshev": np.inf}[metric]
        distance = np.linalg.norm(x[:, None] - y, ord=order, axis=2)
        excess = (f[:, None] + g - distance).max()
        claim.at_most(f"{metric}: largest f + g - d over pairs", measured=excess, bound=0)
        claim.check(f"{metric}: Σ p f + q g", expected=result.cost, measured=a @ f + g.mean(), tolerance=1e-12)


@pytest.mark.claim("C7")
def test_kantorovich_rubinstein(claim):
    """For a metric cost one function is enough: W₁ = max over 1-Lipschitz f of E_p f − E_q f."""
    claim.source("W", "I")
    rng = np.random.default_rng(7)
    for metric, order in (("euclidean", 2), ("cityblock", 1), ("chebyshev", np.inf)):
        x, y = points(rng, 30, 45, dimension=3)
        primal = dv.wasserstein(x, y, metric=metric).cost
        k = dv.kantorovich_rubinstein(x, y, metric=metric)
        claim.check(f"{metric}: value", expected=primal, measured=k.value, tolerance=1e-12)
        integral = k.critic(x).mean() - k.critic(y).mean()
        claim.check(f"{metric}: E_p f - E_q f", expected=primal, measured=integral, tolerance=1e-12)
        claim.at_most(f"{metric}: slope over sample pairs", measured=k.lipschitz, bound=1)
        # Far from the data and near it, across all scales.
        u = rng.normal(size=(3000, 3)) * 10.0 ** rng.uniform(-2, 3, (3000, 1))
        v = u + rng.normal(size=(3000, 3)) * 10.0 ** rng.uniform(-3, 3, (3000, 1))
        slope = np.abs(k.critic(u) - k.critic(v)) / np.linalg.norm(u - v, ord=order, axis=1)
        claim.at_most(f"{metric}: slope anywhere", measured=slope.max(), bound=1, tolerance=1e-9)
        # Random 1-Lipschitz functions, minima of cones, stay below.
        others = []
        for _ in range(200):
            centres, heights = rng.normal(size=(5, 3)), rng.normal(size=5)
            cone = [(np.linalg.norm(z[:, None] - centres, ord=order, axis=2) - heights).min(axis=1) for z in (x, y)]
            others.append(abs(cone[0].mean() - cone[1].mean()))
        claim.at_most(f"{metric}: best of 200 other 1-Lipschitz functions", measured=max(others), bound=primal)
