"""Sinkhorn's solver on points without a matrix, on stored kernels, and its bracket without a plan written out."""

import tracemalloc
from dataclasses import replace

import mpmath
import numpy as np
import pytest

from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport import (
    Problem,
    Sinkhorn,
    _certificate,
    _gibbs,
    _scaling,
    _sweeps,
    sinkhorn_divergence,
    transport,
    wasserstein,
)
from divergences.optimal_transport._certificate import bracket
from divergences.optimal_transport._gibbs_bracket import gibbs_bracket
from divergences.optimal_transport._itself import to_itself


def clouds(n: int, m: int, d: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples, the second wider and shifted."""
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, d)), 1.3 * rng.normal(size=(m, d)) + 0.5


def weights(n: int, seed: int) -> np.ndarray:
    """Random masses, every seventh of them 0."""
    masses = np.random.default_rng(seed).dirichlet(np.ones(n))
    masses[::7] = 0.0
    return masses / masses.sum()


@pytest.fixture
def compiled(monkeypatch):
    """Small problems take the compiled passes too."""
    monkeypatch.setattr(_sweeps, "COMPILED_FROM", 0)
    monkeypatch.setattr(_certificate, "COMPILED_FROM", 0)


def solutions(problem: Problem, epsilon: float, tolerance: float, monkeypatch):
    """The same problem by NumPy, on a stored kernel, and streamed."""
    written = Sinkhorn(epsilon, tolerance).solve(problem)
    monkeypatch.setattr(_sweeps, "COMPILED_FROM", 0)
    return (
        written,
        Sinkhorn(epsilon, tolerance).solve(problem),
        Sinkhorn(epsilon, tolerance, streamed=True).solve(problem),
    )


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("p", [1, 1.5, 2])
def test_one_answer_in_every_mode(metric, p, monkeypatch):
    """NumPy, the stored kernel in single precision and the streamed one agree to the tolerance, 1e-11."""
    x, y = clouds(45, 70, 3)
    problem = Problem.from_samples(x, y, p, weights(45, 0), weights(70, 1), metric)
    mean = float(np.mean(problem.cost))
    results = solutions(problem, 0.05 * mean, 1e-11, monkeypatch)
    assert all(r.converged for r in results)
    for r in results[1:]:
        assert r.regularized == pytest.approx(results[0].regularized, rel=1e-11)
        assert np.max(np.abs((r.f[:, None] + r.g) - (results[0].f[:, None] + results[0].g))) < 1e-8 * mean


def test_one_answer_for_costs(monkeypatch):
    """The same for a matrix of costs of both signs."""
    cost = np.random.default_rng(3).normal(size=(40, 33))
    problem = Problem.from_costs(cost, weights(40, 0), weights(33, 1))
    results = solutions(problem, 0.1, 1e-11, monkeypatch)
    for r in results[1:]:
        assert r.regularized == pytest.approx(results[0].regularized, rel=1e-11)


@pytest.mark.parametrize("points", [True, False])
def test_bracket_without_the_plan(points):
    """The streamed bracket is that of the plan written out, up to how the missing mass is coupled."""
    x, y = clouds(60, 50)
    a, b = weights(60, 0), weights(50, 1)
    problem = Problem.from_samples(x, y, 2, a, b)
    if not points:
        problem = Problem.from_costs(problem.cost - 5.0, a, b)
    solution = Sinkhorn(0.1, 1e-9).solve(problem)
    dense, streamed = bracket(problem, solution), gibbs_bracket(problem, solution)
    assert streamed.lower == pytest.approx(dense.lower, rel=1e-12)
    assert streamed.upper == pytest.approx(dense.upper, rel=1e-7)
    assert streamed.lower <= transport(problem.cost, a, b).cost <= streamed.upper
    assert streamed.marginal_error <= 2.1e-9
    assert np.all(streamed.f[:, None] + streamed.g <= problem.cost)
    # Far from converged too the rounding is the same: rows, then columns, then a staircase.
    for tolerance in (0.5, 1e-13):
        other = Sinkhorn(0.1, tolerance).solve(problem)
        dense, streamed = bracket(problem, other), gibbs_bracket(problem, other)
        assert streamed.upper == pytest.approx(dense.upper, rel=1e-9)


def test_bracket_from_what_was_measured(compiled):
    """The judge's pass gives the bracket of the three passes: the same potentials, missing mass at the worst cost."""
    x, y = clouds(60, 50)
    problem = Problem.from_samples(x, y, 2)
    solution = Sinkhorn(0.1, 1e-7).solve(problem)
    assert solution.measured is not None
    short, long = gibbs_bracket(problem, solution), gibbs_bracket(problem, replace(solution, measured=None))
    assert short.f.tolist() == long.f.tolist()
    assert short.g.tolist() == long.g.tolist()
    assert long.upper < short.upper <= long.upper + 1e-6 * problem.worst
    assert short.marginal_error == pytest.approx(long.marginal_error, rel=1e-6)
    # Where that charge is not little, the plan is repaired.
    loose = Sinkhorn(0.1, 1e-2).solve(problem)
    short, long = gibbs_bracket(problem, loose), gibbs_bracket(problem, replace(loose, measured=None))
    assert short.upper == pytest.approx(long.upper, rel=1e-12)


def test_measured_bracket_bites(compiled, monkeypatch):
    """Costs summed too low, or potentials too high, by the judge would be seen."""
    x, y = clouds(60, 50)
    exact = wasserstein(x, y, 2).cost
    problem = Problem.from_samples(x, y, 2)
    judge = _gibbs.measured_sweep

    def cheaper(*arguments):
        judge(*arguments)
        arguments[9][arguments[1] : arguments[2]] *= 0.9999

    def higher(*arguments):
        judge(*arguments)
        arguments[-2][:] += 0.1

    monkeypatch.setattr(_gibbs, "measured_sweep", cheaper)
    assert not gibbs_bracket(problem, Sinkhorn(0.001, 1e-9).solve(problem)).upper >= exact
    monkeypatch.setattr(_gibbs, "measured_sweep", higher)
    assert np.any(np.add.outer(*gibbs_bracket(problem, Sinkhorn(0.001, 1e-9).solve(problem))[3:5]) > problem.cost)


def test_acceleration(monkeypatch):
    """It takes a fraction of the sweeps of plain scaling, to the same answer."""
    x, y = clouds(100, 110)
    solver = Sinkhorn(0.02, 1e-9)
    quick = wasserstein(x, y, 2, solver=solver)
    monkeypatch.setattr(_scaling, "_NEAR", 0.0)
    plain = wasserstein(x, y, 2, solver=solver)
    assert quick.iterations < plain.iterations / 5
    assert quick.regularized == pytest.approx(plain.regularized, rel=1e-9)  # type: ignore[attr-defined]


def test_cost_is_that_of_the_plan(compiled):
    """The plan, written out, costs no more than `cost`, and less by at most a hundredth of the gap."""
    x, y = clouds(60, 50)
    costs = np.sum((x[:, None] - y) ** 2, axis=2)
    charged = False
    for epsilon, tolerance in [(0.5, 1e-3), (0.5, 1e-6), (0.02, 1e-3), (0.02, 1e-6)]:
        r = wasserstein(x, y, 2, solver=Sinkhorn(epsilon, tolerance))
        charge = r.cost - float(np.sum(r.plan * costs))
        assert -1e-14 <= charge <= 0.01 * r.gap
        charged |= charge > 1e-10
    assert charged


@pytest.mark.parametrize("epsilon", [1e-6, 1e-12, 1e-15])
def test_cost_is_that_of_the_plan_below_rounding(epsilon):
    """Where costs round by more than epsilon, the plan written out is the one that was priced."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(380, 3)) + 1e3, rng.normal(size=(400, 3)) + 1e3
    r = wasserstein(x, y, 2, solver=Sinkhorn(epsilon, max_iterations=40), strict=False)
    cost = float(np.sum(r.plan * np.sum((x[:, None] - y) ** 2, axis=2)))
    assert -1e-12 * cost <= r.cost - cost <= 0.01 * r.gap + 1e-12 * cost
    assert r.plan.sum(axis=0) == pytest.approx(np.full(400, 1 / 400), abs=1e-15)
    assert r.plan.sum(axis=1) == pytest.approx(np.full(380, 1 / 380), abs=1e-15)


@pytest.mark.parametrize("epsilon", [None, 0.3])
def test_gap_after_a_start_on_fewer_points(epsilon):
    """A wanted gap lowers epsilon further where the first epsilon was begun on a sample of the points."""
    x, y = clouds(300, 260)
    wide = wasserstein(x, y, 2, solver=Sinkhorn(epsilon))
    narrow = wasserstein(x, y, 2, solver=Sinkhorn(epsilon, gap=wide.gap / 5))
    assert narrow.gap <= wide.gap / 5
    assert narrow.lower <= wasserstein(x, y, 2).cost <= narrow.upper


@pytest.mark.parametrize("seed", [2914, 3092, 3220])
def test_acceleration_does_not_stand_still(seed):
    """Few points, each beside its partner: all modes are slow, and old differences mislead."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rng.integers(3, 16), rng.integers(1, 6)))
    y = x + 10.0 ** rng.integers(-9, -5) * rng.normal(size=x.shape)
    assert abs(sinkhorn_divergence(x, y, [1, 1.5, 2, 3][seed % 4], max_iterations=3000)) < 1e-5


def test_bracket_bites(monkeypatch):
    """A cost summed too low, or potentials too high, would be seen in these comparisons."""
    x, y = clouds(60, 50)
    problem = Problem.from_samples(x, y, 2)
    solution, exact = Sinkhorn(0.001, 1e-9).solve(problem), wasserstein(x, y, 2).cost
    rounded, transforms = _gibbs.rounded_sums, _gibbs.transforms

    def cheaper(*arguments):
        rounded(*arguments)
        arguments[-1][:] *= 0.9

    def higher(*arguments):
        transforms(*arguments)
        arguments[-2][:] += 0.1

    monkeypatch.setattr(_gibbs, "rounded_sums", cheaper)
    assert not gibbs_bracket(problem, solution).upper >= exact
    monkeypatch.setattr(_gibbs, "rounded_sums", rounded)
    monkeypatch.setattr(_gibbs, "transforms", higher)
    assert np.any(np.add.outer(*gibbs_bracket(problem, solution)[3:5]) > problem.cost)


def test_exponentials_against_mpmath():
    """One row sweep is a log-sum-exp at 40 digits, over the whole range of the exponential."""
    rng = np.random.default_rng(0)
    cost = np.sort(np.concatenate([rng.uniform(0, 30, 50), rng.uniform(0, 720, 50)]))[None]
    for j in range(100):
        other = np.array([[0.0, cost[0, j]]])
        f, columns = np.zeros(1), np.zeros(2)
        pairs, half = _gibbs.Pairs(np.zeros((0, 0)), np.zeros((0, 0)), other, 0, 1.0), np.full(2, 0.5)
        _gibbs.row_sweep(pairs, 0, 1, 1.0, np.zeros(2), np.ones(1), half, f, columns)
        with mpmath.workdps(40):
            ratio = mpmath.exp(-mpmath.mpf(float(cost[0, j])))
            assert f[0] == pytest.approx(float(-mpmath.log((1 + ratio) / 2)), rel=4e-16, abs=2e-16)
            expected = float(ratio / (1 + ratio))
        assert columns[1] == pytest.approx(expected, rel=1e-15) or cost[0, j] > 708


@pytest.mark.parametrize("crumb", [0.3, 1e-310])
def test_row_sweep_by_hand(crumb):
    """Exact rows and their column sums beside mpmath; a crumb may be all that counts."""
    cost, g, f = np.array([[900.0, 0.0], [1.0, 2.0]]), np.array([0.1, -0.2]), np.array([0.7, -0.4])
    a, b, epsilon = np.array([0.4, 0.6]), np.array([1 - crumb, crumb]), 1.0
    columns = np.zeros(2)
    pairs = _gibbs.Pairs(np.zeros((0, 0)), np.zeros((0, 0)), cost, 0, 1.0)
    _gibbs.row_sweep(pairs, 0, 2, epsilon, g, a, b, f, columns)
    exact, sums = [], [mpmath.mpf(0), mpmath.mpf(0)]
    for i in range(2):
        terms = [mpmath.mpf(b[j]) * mpmath.exp(mpmath.mpf(g[j]) - cost[i, j]) for j in range(2)]
        exact.append(-mpmath.log(sum(terms)))
        for j in range(2):
            sums[j] += a[i] * terms[j] * mpmath.exp(exact[i])
    assert f == pytest.approx([float(v) for v in exact], rel=1e-14)
    assert columns == pytest.approx([float(v) for v in sums], rel=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
@pytest.mark.parametrize("d", [1, 4, 7])
@pytest.mark.parametrize("start", [0.0, 1e6])
def test_a_guide_beside_an_exact_sweep(metric, d, start):
    """To single precision the potentials, the column sums and the stored rows are those of an exact sweep."""
    x, y = clouds(50, 300, d)  # neither is a whole number of groups or tiles
    a, b = np.random.default_rng(0).dirichlet(np.ones(50)), np.random.default_rng(1).dirichlet(np.ones(300))
    problem, epsilon = Problem.from_samples(x, y, 2 if d == 4 else 1.5, a, b, metric), 0.05
    sweeps = _sweeps.Compiled(problem, np.arange(50), np.arange(300), streamed=None)
    g = np.random.default_rng(2).normal(size=300)
    f, guided = np.zeros(50), np.full(50, start)  # far off, it is begun anew
    exact, sums = sweeps.sweep(f, g, epsilon), sweeps.guide(guided, g, epsilon)
    assert guided == pytest.approx(f, abs=1e-6 * epsilon)
    assert np.sum(np.abs(sums - exact)) < 1e-6
    law = np.exp((f[:, None] + g - problem.cost) / epsilon) * b
    stored = sweeps.kernel[:50, :300] / np.sum(sweeps.kernel[:50, :300], axis=1, dtype=float)[:, None]
    assert stored == pytest.approx(law, rel=1e-5, abs=1e-30)
    # Readings of what is stored, and sweeps that store nothing.
    v = np.exp(np.random.default_rng(3).normal(size=300))
    again = sweeps.sweep(f, g + epsilon * np.log(v), epsilon)
    assert np.sum(np.abs(sweeps.scaled(v) - again)) < 1e-6
    streamed = _sweeps.Compiled(problem, np.arange(50), np.arange(300), streamed=True)
    assert np.sum(np.abs(streamed.guide(guided, g + epsilon * np.log(v), epsilon) - again)) < 1e-6


def test_a_worse_kernel_changes_nothing(compiled, monkeypatch):
    """The stored kernel only guides: with entries off by a tenth the answer is the same, as is what it is judged by."""
    x, y = clouds(50, 60)
    right = wasserstein(x, y, 2, solver=Sinkhorn(0.2, 1e-9))
    sweep = _gibbs.guided_sweep

    def blurred(*arguments):
        sweep(*arguments)
        arguments[-1][:] *= 1 + 0.1 * np.sin(np.arange(arguments[-1].size, dtype=np.float32)).reshape(
            arguments[-1].shape
        )

    monkeypatch.setattr(_gibbs, "guided_sweep", blurred)
    wrong = wasserstein(x, y, 2, solver=Sinkhorn(0.2, 1e-9))
    assert wrong.regularized == pytest.approx(right.regularized, rel=1e-9)  # type: ignore[attr-defined]
    assert wrong.marginal_error <= 1.1e-9


def test_a_useless_kernel(monkeypatch):
    """Where the stored kernel loses most of a column, exact sweeps go on without it, and keep to the limit."""
    x, y = clouds(20, 25)
    right = wasserstein(x, y, 2, solver=Sinkhorn(0.5))
    scaled = _sweeps.Written.scaled

    def lossy(self, v):
        sums = scaled(self, v)
        sums[3] *= 0.3
        return sums / sums.sum()

    monkeypatch.setattr(_sweeps.Written, "scaled", lossy)
    r = wasserstein(x, y, 2, solver=Sinkhorn(0.5))
    assert r.regularized == pytest.approx(right.regularized, rel=1e-9)  # type: ignore[attr-defined]
    r = wasserstein(x, y, 2, solver=Sinkhorn(0.5, max_iterations=20), strict=False)
    assert not r.converged
    assert r.iterations <= 20
    assert r.lower <= wasserstein(x, y, 2).cost <= r.upper


@pytest.mark.parametrize("limit", [1, 2, 7, 30])
def test_limit(limit, compiled):
    """Stopped early, it says so, and the bracket it leaves is true."""
    x, y = clouds(50, 60)
    with pytest.raises(ConvergenceError) as caught:
        wasserstein(x, y, solver=Sinkhorn(0.002, max_iterations=limit))
    r = caught.value.result
    assert r.iterations <= limit
    assert r.lower <= wasserstein(x, y).cost <= r.upper


def test_threads_change_no_bit(compiled, monkeypatch):
    """One thread or two."""
    x, y = clouds(200, 150)
    values = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        r = wasserstein(x, y, solver=Sinkhorn(0.05))
        values.append((r.regularized, r.lower, r.upper))  # type: ignore[attr-defined]
    assert values[0] == values[1]


def test_linear_memory():
    """Streamed, 4,000 points a side take less than a thirtieth of their matrix."""
    x, y = clouds(4000, 4000)
    _gibbs.TILE  # noqa: B018  (imported: its own memory is not counted)
    tracemalloc.start()
    r = wasserstein(x, y, 2, solver=Sinkhorn(1.0, 1e-3, streamed=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 4000**2 / 30
    assert r.gap > 0


def test_refused():
    """Whether to stream is said by True, False or None."""
    with pytest.raises(DataError, match="streamed must be"):
        Sinkhorn(streamed=1)  # type: ignore[arg-type]


def test_to_itself():
    """The averaged step finds the value of the alternating one, in a tenth of the sweeps, and for any power."""
    x, _ = clouds(60, 1)
    for p in (1, 2, 4):
        problem = Problem.from_samples(x, x, p)
        epsilon = 0.02 * float(np.mean(problem.cost))
        fast, slow = to_itself(problem, epsilon, 1e-10, 10_000), Sinkhorn(epsilon, 1e-10).solve(problem)
        assert fast.converged
        assert fast.regularized == pytest.approx(slow.regularized, rel=1e-9)  # both are dual values, from below
        if p < 4:
            assert fast.iterations <= 60


def test_divergence_of_tiny_and_of_equal_points():
    """Costs that underflow give 0, equal measures 0 to rounding, and near ones nothing negative beyond it."""
    x = clouds(30, 1)[0]
    assert sinkhorn_divergence(1e-300 * x, 1e-300 * (x + 1), 2) == 0
    assert sinkhorn_divergence(1e-300 * x, 1e-300 * (x + 1)) > 0
    assert abs(sinkhorn_divergence(x, x)) < 1e-11
    assert sinkhorn_divergence(x, x + 1e-4, 2) == pytest.approx(2e-8, abs=1e-11)


@pytest.mark.parametrize("p", [1, 2])
def test_divergence_is_never_negative_beyond_rounding(p):
    """Nearly equal clouds, at the default tolerance; and a tolerance of 1e-12 ends soon."""
    for seed in range(15):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(rng.integers(5, 120), rng.integers(1, 4)))
        y = x + 1e-9 * rng.normal(size=x.shape)
        assert sinkhorn_divergence(x, y, p) > -1e-13
    x, y = clouds(400, 400)
    fine = sinkhorn_divergence(x, y, p, tolerance=1e-12, max_iterations=400)
    assert fine == pytest.approx(sinkhorn_divergence(x, y, p), abs=1e-10)
