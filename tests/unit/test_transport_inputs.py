"""What transport refuses, and what it takes although it looks bad."""

import pickle
import subprocess
import sys
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy.sparse import coo_array

from divergences.errors import ConvergenceError, DataError, NotNormalizedError
from divergences.optimal_transport import (
    Exact,
    LinearProgram,
    Problem,
    Sinkhorn,
    Univariate,
    kantorovich_rubinstein,
    sinkhorn_divergence,
    sliced_wasserstein,
    transport,
    wasserstein,
)
from divergences.optimal_transport._certificate import dual_bound, residual, round_to_marginals

X, Y = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [3.0, 1.0]])
LINE = [0.0, 1.0]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: wasserstein([], [1.0]), r"x must be samples .* shape \(0,\)"),
        (lambda: wasserstein([np.nan, 1.0], [1.0]), "x must be finite; got 1 NaN"),
        (lambda: wasserstein([1.0], [np.inf]), "y must be finite"),
        (lambda: wasserstein([np.nan], [1.0], nan_policy="omit"), "nothing left"),
        (lambda: wasserstein(X, Y[:, :1]), "same number of columns; got 2 and 1"),
        (lambda: wasserstein(X, Y, 0.5), "p must be a finite number at least 1; got 0.5"),
        (lambda: wasserstein(X, Y, np.inf), "bottleneck"),
        (lambda: wasserstein(X, Y, np.nan), "p must be"),
        (lambda: wasserstein(X, Y, metric="euclid"), "Did you mean 'euclidean'"),
        (lambda: wasserstein(X, Y, solver="exact"), r"solver must be a solver such as Exact\(\)"),  # type: ignore
        (lambda: wasserstein(X, Y, solver=Exact), r"solver must be a solver such as Exact\(\)"),  # type: ignore
        (lambda: wasserstein(X, Y, a=[1.0, -1.0]), "a must not be negative; got a minimum of -1"),
        (lambda: wasserstein(X, Y, a=[np.nan, 1.0]), "a must be finite"),
        (lambda: wasserstein(X, Y, b=[np.inf, 1.0]), "b must be finite"),
        (lambda: wasserstein(X, Y, a=[1.0]), r"one mass per point, shape \(2,\); got shape \(1,\)"),
        (lambda: wasserstein(X, torch.tensor(Y)), "NumPy arrays beside torch tensors"),
        (lambda: wasserstein(torch.tensor(X), torch.tensor(Y), a=[0.5, 0.5]), "NumPy arrays beside torch"),
        (lambda: wasserstein([[1j]], [[0.0]]), "real numbers"),
        (lambda: wasserstein(np.ma.array(X), Y), "masked array"),
        (lambda: wasserstein([1e308], [-1e308]), "overflow"),
        (lambda: wasserstein([0.0], [1e200], 2), "Costs must stay below 1.8e308"),
        (lambda: transport(np.zeros(3)), r"cost must be a matrix .* got shape \(3,\)"),
        (lambda: transport([[np.nan]]), "cost must be finite"),
        (lambda: transport([[1e308]], [10.0], [10.0]), "Costs must stay below"),
        (lambda: transport([[0.0]], solver=Univariate()), "one-dimensional points"),
        (lambda: wasserstein(X, Y, solver=Univariate()), "one-dimensional points"),
        (lambda: Sinkhorn(epsilon=0), "epsilon must be a finite number above 0; got 0"),
        (lambda: Sinkhorn(epsilon=np.nan), "epsilon must be"),
        (lambda: Sinkhorn(epsilon=-1.0), "epsilon must be"),
        (lambda: Sinkhorn(tolerance=0), "tolerance must be"),
        (lambda: Sinkhorn(gap=-1), "gap must be"),
        (lambda: Sinkhorn(max_iterations=0), "max_iterations must be"),
        (lambda: Exact(max_iterations=0), "max_iterations must be"),
        (lambda: LinearProgram(max_iterations=-1), "max_iterations must be"),
        (lambda: sliced_wasserstein(X, Y, projections=1), "projections must be"),
        (lambda: sliced_wasserstein(X, Y, 0.5), "p must be"),
        (lambda: sliced_wasserstein(X, Y, rng=-1), "rng must be"),
        (lambda: sinkhorn_divergence(X, Y, epsilon=0.0), "epsilon must be"),
        (lambda: kantorovich_rubinstein(X, Y).critic(np.zeros((2, 3))), "same number of columns"),
    ],
)
def test_refused(call, match):
    """Each bad input is named with what was received."""
    with pytest.raises(DataError, match=match):
        call()


def test_masses_must_agree():
    """Totals that differ are both named, with the remedy; all-zero masses are refused."""
    with pytest.raises(NotNormalizedError, match=r"got 2 and 1\. Divide each by its sum"):
        wasserstein(LINE, LINE, a=[1.0, 1.0], b=[0.5, 0.5])
    with pytest.raises(NotNormalizedError, match="a must have a positive total"):
        wasserstein(LINE, LINE, a=[0.0, 0.0])
    slightly = wasserstein(LINE, [2.0, 3.0], a=[0.5, 0.5 + 1e-10], b=[0.5, 0.5])
    assert slightly.cost == pytest.approx(2, rel=1e-9)


def test_memory_is_asked_for_before_it_is_taken():
    """Two hundred thousand points a side would need hundreds of GiB: refused at once, in numbers, with a remedy."""
    n = 200_000
    for solver, size in ((LinearProgram(), "894.1"), (Sinkhorn(streamed=False), "149.0")):
        with pytest.raises(DataError, match=rf"{size} GiB are needed, the limit .* GiB\. Use"):
            wasserstein(np.zeros((n, 2)), np.ones((n, 2)), solver=solver)


def test_no_torch():
    """Importing and using every solver on arrays loads no torch, and leaves the environment as it was."""
    code = (
        "import os, sys, numpy as np; before = dict(os.environ)\n"
        "from divergences.optimal_transport import *\n"
        "assert 'ot' not in sys.modules\n"
        "x, y = np.eye(3), np.ones((2, 3))\n"
        "[wasserstein(x, y, solver=s) for s in (Exact(), LinearProgram(), Sinkhorn())]\n"
        "kantorovich_rubinstein(x, y).critic(x); sliced_wasserstein(x, y, rng=0); sinkhorn_divergence(x, y)\n"
        "print('torch' in sys.modules, dict(os.environ) == before)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_inputs_stay_as_they_are():
    """Read-only, strided, Fortran-ordered and narrow inputs are taken and not changed."""
    x = np.asfortranarray(np.arange(12.0).reshape(6, 2))[::-2]
    y = np.arange(8, dtype=np.uint8).reshape(4, 2)
    a = np.array([0.5, 0.25, 0.25], dtype=np.float32)
    for array in (x, y, a):
        array.flags.writeable = False
    copies = x.copy(), y.copy(), a.copy()
    for solver in (Exact(), LinearProgram(), Sinkhorn()):
        value = wasserstein(x, y, 2, a=a, solver=solver).cost
        assert value == pytest.approx(wasserstein(x.tolist(), y.tolist(), 2, a=a.tolist(), solver=solver).cost)
    assert all(np.array_equal(v, w) for v, w in zip((x, y, a), copies, strict=True))


def test_integers_do_not_wrap():
    """The smallest and the largest int64 are far apart, not neighbours."""
    ends = np.iinfo(np.int64)
    assert wasserstein([ends.min], [ends.max]).cost == pytest.approx(2.0**64)


def test_omitting_nan_hands_mass_on():
    """Rows with NaN are dropped and their mass goes to the others in proportion."""
    x = np.array([[0.0, 0.0], [np.nan, 1.0], [4.0, 0.0]])
    kept = wasserstein(x, Y, a=[0.25, 0.5, 0.25], nan_policy="omit")
    assert kept.cost == pytest.approx(wasserstein(x[[0, 2]], Y).cost, rel=1e-14)


@pytest.mark.parametrize("scale", [1e150, 1e-150, 1e-170, 1e-305])
@pytest.mark.parametrize("p", [1, 1.5])
def test_extreme_scales(scale, p):
    """A distance scales exactly with the points, where its p-th power would overflow or vanish inside."""
    x, y = np.array([[0.0, 0.0], [1.0, 3.0]]), np.array([[2.0, 1.0], [7.0, 7.0]])
    expected = wasserstein(x, y, p).distance
    for solver in (Exact(), LinearProgram()):
        r = wasserstein(x * scale, y * scale, p, solver=solver)
        assert r.distance == pytest.approx(expected * scale, rel=1e-12)
        assert r.distance_lower <= r.distance
        assert r.lower <= r.upper


@pytest.mark.parametrize(("scale", "p"), [
    (1e-40, 7.3), (1e40, 7.3), (1e130, 1.1), (1e-130, 1.1), (1e250, 1.1), (3e200, 1.0001), (1e-250, 1.0001),
])  # fmt: skip
def test_brackets_of_broken_powers_at_extreme_scales(scale, p):
    """The exponent of the costs is itself rounded then; judged at 50 digits."""
    found = wasserstein([[0.0, 0.0]], [[scale * 0.7, 0.0]], p)
    with mpmath.workdps(50):
        cost = mpmath.mpf(scale * 0.7) ** mpmath.mpf(p)
        assert found.lower <= cost <= found.upper
        assert found.distance_lower <= mpmath.mpf(scale * 0.7) <= found.distance_upper
    assert found.gap <= 1e-12 * found.cost


@pytest.mark.parametrize("scale", [1e140, 1e-150])
def test_a_point_and_itself_at_extreme_scales(scale):
    """Beside points without mass: nothing is as close as what underflow may have taken."""
    x = np.array([[1.0, 2.0], [3.0, 0.0]]) * scale
    assert wasserstein(x, x, 2, a=[1.0, 0.0], b=[1.0, 0.0]).distance <= 1e-130 * scale


def test_common_offset():
    """An offset of 1e8 costs nothing beyond what it did to the points themselves."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(-99, 99, (20, 2)) / 64, rng.integers(-99, 99, (30, 2)) / 64
    for p in (1, 2):
        assert wasserstein(x + 1e8, y + 1e8, p).cost == pytest.approx(wasserstein(x, y, p).cost, rel=1e-12)


@pytest.mark.parametrize("total", [5e-324, 1e-320, 1e-200, 1e250])
def test_extreme_masses(total):
    """Masses near the ends of float64 are rescaled exactly."""
    r = wasserstein([0.0, 1.0], [3.0], a=[total, 0.0], b=[total], solver=Exact())
    assert r.lower <= 3 * total <= r.upper
    assert r.gap <= 1e-14 * 3 * total + 2e-323  # each end moved outwards by at most two subnormal steps


@pytest.mark.parametrize("solver", [Exact(), LinearProgram()])
def test_a_mass_too_small_to_be_scaled(solver):
    """A column of next to no mass is left to the certificate, which knows its potential; the gap still closes."""
    cost = np.array([[-4.5, 0.25, 0.75], [-4.1, 0.5, 0.125], [-4.7, 1.0, 0.375]])
    for a, b in (([3.0, 4.0, 1.0], [5e-324, 7.0, 1.0]), ([3e80, 4e80, 1e80], [1e-300, 7e80, 1e80])):
        assert transport(cost, a, b, solver=solver).cost == pytest.approx(3.125 * a[2], rel=1e-12)


def test_a_negative_cost_too_small_to_be_scaled():
    """Beside an enormous cost it may count as 0, and the lower end stays below it."""
    result = transport([[-1e-300, 1e300]], [1.0], [1.0, 0.0], strict=False)
    assert result.lower < 0 <= result.upper


def test_stopped_early():
    """A solver at its limit raises with a true bracket that survives pickling; strict=False returns it."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1
    true = wasserstein(x, y).cost
    for solver in (Exact(max_iterations=20), LinearProgram(max_iterations=5), Sinkhorn(epsilon=1e-3, max_iterations=3)):
        with pytest.raises(ConvergenceError, match="strict=False") as caught:
            wasserstein(x, y, solver=solver)
        result = pickle.loads(pickle.dumps(caught.value)).result  # noqa: S301
        assert not result.converged
        assert result.lower <= true <= result.upper
        assert result.upper < 10 * true
        plan = result.plan if isinstance(result.plan, np.ndarray) else result.plan.toarray()
        assert np.allclose(plan.sum(axis=0), 1 / 60, atol=1e-15)
        assert wasserstein(x, y, solver=solver, strict=False).upper == result.upper


def test_a_problem_needs_its_parts():
    """A problem built by hand without points or costs says so."""
    with pytest.raises(DataError, match="points or a cost matrix"):
        _ = Problem(np.ones(1), np.ones(1), None, None, None, 1.0, "", 0, 0, 0.0).cost


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_masses_rounded_to_float32_are_reconciled(kind: str) -> None:
    """Weights from a float32 softmax add up to one only within 1e-7: they are brought to one total, not refused."""
    rng = np.random.default_rng(0)
    a, b = (np.float32(w / w.sum()) for w in rng.uniform(size=(2, 50)))
    x, y = rng.normal(size=(2, 50, 2))
    assert a.sum(dtype=float) != b.sum(dtype=float)
    exact = wasserstein(x, y, a=a / a.sum(dtype=float), b=b / b.sum(dtype=float))
    given: list[Any] = [torch.tensor(v) for v in (x, y, a, b)] if kind == "torch" else [x, y, a, b]
    rounded = wasserstein(*given[:2], a=given[2], b=given[3])
    assert float(rounded.cost) == pytest.approx(exact.cost, rel=1e-6)
    with pytest.raises(NotNormalizedError, match="1e-05 relative"):
        wasserstein(x, y, a=a, b=np.float32(1.001) * b)


def reconciled(a, b):
    """The masses that are meant, in exact fractions: both sides scaled to the mean of their totals."""
    sides = [[Fraction(float(v)) for v in side] for side in (a, b)]
    middle = (sum(sides[0]) + sum(sides[1])) / 2
    return [[v * middle / sum(side) for v in side] for side in sides]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_dual_value_is_charged_for_unequal_totals(dtype):
    """Masses whose totals differ by rounding stand for others, whose dual value in exact fractions is no less."""
    rng = np.random.default_rng(0)
    for trial in range(200):
        a, b = (rng.dirichlet(np.ones(k)).astype(dtype).astype(float) for k in (4, 3))
        f, g = rng.integers(0, 5, 4).astype(float), rng.integers(-5, 5, 3).astype(float)
        if trial % 2:  # the terms cancel, their errors do not
            f, g = f - a @ f / a.sum(), g - b @ g / b.sum()
        problem = Problem.from_costs(np.full((4, 3), 10.0), a, b, tolerance=1e-5)
        pairs = zip(reconciled(a, b), (f, g), strict=True)
        value = sum(mass * Fraction(v) for masses, values in pairs for mass, v in zip(masses, values, strict=True))
        assert Fraction(dual_bound(problem, f, g)) <= value


def test_a_residual_counts_unequal_totals():
    """A light row and a heavy column of a plan are further off once the totals are made one."""
    small, apart = 2.0**-40, 2.0**-50
    a, b, plan = [1 + small - apart], [1.0, small], [1 + small / 4, small / 2]
    (row,), columns = reconciled(a, b)
    off = abs(sum(map(Fraction, plan)) - row)
    off += sum(abs(Fraction(v) - w) for v, w in zip(plan, columns, strict=True))
    problem = Problem.from_costs([[1.0, 1.0]], np.array(a), np.array(b))
    assert Fraction(residual(problem, coo_array([plan]))) >= off


@pytest.mark.parametrize("n", [3, 5, 7, 10, 11, 13])
def test_uniform_masses_are_exactly_one_in_n(n):
    """1/n is no float, but the bracket holds the cost 1/n of the one row that has to pay."""
    cost = np.zeros((n, n))
    cost[0] = 1.0
    result = transport(cost)
    assert Fraction(result.lower) <= Fraction(1, n) <= Fraction(result.upper)
    assert Fraction(dual_bound(Problem.from_costs(cost), cost[:, 0], np.zeros(n))) <= Fraction(1, n)


@pytest.mark.parametrize("kind", [np.asarray, coo_array])
def test_a_plan_is_rounded_onto_both_marginals(kind):
    """Sparse or dense: a column too heavy, a row too heavy."""
    problem = Problem.from_costs(np.ones((2, 2)), np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    for raw in ([[0.5, 0.0], [0.5, 0.0]], [[0.5, 0.5], [0.0, 0.0]]):
        plan = round_to_marginals(problem, kind(raw))
        np.testing.assert_array_equal(plan.sum(axis=0), [0.5, 0.5])
        np.testing.assert_array_equal(plan.sum(axis=1), [0.5, 0.5])
