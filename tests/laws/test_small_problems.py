"""The compiled kernels of small problems prove what `bracket` proves; the law that says so rejects planted errors."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divergences.optimal_transport import _small, wasserstein
from divergences.optimal_transport.batch import _brackets
from tests.laws import solver_laws as laws
from tests.laws.test_every_solver import grid, masses
from tests.oracles import exact_costs, transport_optimum

values = st.one_of(grid, st.floats(-3, 3), st.sampled_from([0.0, 1e-7, 1e6, 1e-200]))


class Ends(NamedTuple):
    """What the kernels say."""

    lower: float
    upper: float
    distance_lower: float = 0.0
    distance_upper: float = np.inf


@st.composite
def problems(draw):
    """Samples of up to three points on the line, in the plane or in space, with masses or without: x, y, a, b."""
    n, m, d = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, y = (np.array(draw(st.lists(values, min_size=k * d, max_size=k * d))).reshape(k, d) for k in (n, m))
    return x, y, *draw(masses(n, m))


def settled(x, y, a, b, p, metric):
    """What the kernels say, or None where they leave the problem to the general path."""
    lower, upper, _, low, high, _ = _brackets([(x, y, a, b)], p, metric)[:, 0].tolist()
    return None if np.isnan(lower) else Ends(lower, upper, low, high)


@given(
    problem=problems(),
    p=st.sampled_from([1, 1.5, 2, 3]),
    metric=st.sampled_from(["euclidean", "cityblock", "chebyshev"]),
)
def test_the_bracket_holds_the_optimum(problem, p, metric):
    """Against exact arithmetic, and beside the general path."""
    x, y, a, b = problem
    found = settled(x, y, a, b, p, metric)
    if found is not None:
        assert laws.bracket_violation(found, transport_optimum(exact_costs(x, y, p, metric), a, b)) <= 0
        assert laws.disjointness(found, wasserstein(x, y, p, a=a, b=b, metric=metric, strict=False)) <= 0


def ordinary(seed, d=2):
    """Weighted clouds of some fifty points."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(30, 70, 2)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 0.5, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("weighted", [False, True])
def test_ordinary_problems_are_settled(seed, weighted):
    """To a gap as narrow as that of the general path, but for what misplaced mass may be charged."""
    x, y, a, b = ordinary(seed, d=1 + seed % 4)
    a, b = (a, b) if weighted else (None, None)
    for p, metric in ((1, "euclidean"), (2, "euclidean"), (1.5, "cityblock"), (2, "chebyshev")):
        found, one = settled(x, y, a, b, p, metric), wasserstein(x, y, p, a=a, b=b, metric=metric)
        assert found is not None
        assert laws.disjointness(found, one) <= 0
        assert found.upper - found.lower <= one.gap + 2.0**-34 * found.upper
        assert found.distance_lower <= one.distance_upper
        assert one.distance_lower <= found.distance_upper


def bracket_of(x, y, a, b):
    """The bracket of W1 as `_bracket` makes it, line by line in Python, so that its parts can be replaced."""
    sizes = np.array([len(x), len(y), x.shape[1], 0, x.size, x.size + y.size, x.size + y.size + len(a)])
    numbers = np.concatenate([x.ravel(), y.ravel(), a, np.ravel(b)])
    return Ends(*_small._bracket.py_func(numbers, sizes, _small.CITYBLOCK, 1.0))


def test_planted_errors_are_rejected(monkeypatch):
    """Costs not lowered by their rounding; sums without a radius; misplaced mass for nothing: each breaks the law."""
    monkeypatch.setattr(_small, "_between", _small._between.py_func)
    monkeypatch.setattr(_small, "_on_line", _small._on_line.py_func)
    rng = np.random.default_rng(0)
    plane = [(rng.normal(size=(3, 2)), rng.normal(size=(1, 2)), rng.dirichlet([1, 1, 1]), 1.0) for _ in range(40)]
    line = [(x[:, :1], y[:, :1], a, b) for x, y, a, b in plane]
    # Costs without rounding, and totals that differ by nearly as much as is taken for rounding.
    whole = [(np.rint(9 * x), np.rint(9 * y), a, a.sum() + 7 * 2.0**-52) for x, y, a, _ in plane]
    counts, least, dot = _small._counts, _small._least, _small._dot

    def violations(problems):
        """How many brackets miss the optimum."""
        ends = [bracket_of(*problem) for problem in problems]
        best = [transport_optimum(exact_costs(x, y, 1, "cityblock"), a, [b]) for x, y, a, b in problems]
        return sum(laws.bracket_violation(end, value) > 0 for end, value in zip(ends, best, strict=True))

    assert violations(plane + line + whole) == 0
    planted = (
        ("_above", lambda value, extra: value, line),
        ("_counts", lambda a, b: (*counts(a, b)[:3], 0.0, 0.0), whole),
        ("_least", lambda cost, i, g, shrink: least(cost, i, g, 1.0) + 2.0**-50, plane),
        ("_dot", lambda x, y: (float(np.float32(dot(x, y)[0])), 0.0), whole),
    )
    for name, wrong, problems in planted:
        with monkeypatch.context() as patch:
            patch.setattr(_small, name, wrong)
            assert violations(problems) > 0, name


def test_a_wrong_flow_is_not_believed(monkeypatch):
    """A simplex that stops at its first tree leaves the gap open, which is for the general path to close."""
    monkeypatch.setattr(_small, "_between", _small._between.py_func)
    monkeypatch.setattr(_small, "simplex", _small.simplex.py_func)
    problem = ordinary(0)
    assert bracket_of(*problem).lower > 0
    monkeypatch.setattr(_small, "PIVOTS", 0)
    assert np.isnan(bracket_of(*problem).lower)
