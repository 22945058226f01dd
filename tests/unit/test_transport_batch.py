"""Many problems at once: the same as one by one, on any number of threads, errors by number."""

import re
from typing import Any

import numpy as np
import ot
import pytest
import torch

import divergences as dv
from divergences.errors import ConvergenceError, DataError, NotNormalizedError
from divergences.optimal_transport import Exact, LinearProgram, Univariate


def ragged(k: int, d: int = 2, seed: int = 0) -> list[tuple[Any, ...]]:
    """Pairs of all sizes from one point on, every third with masses."""
    rng = np.random.default_rng(seed)
    out: list[tuple[Any, ...]] = []
    for i in range(k):
        n, m = rng.integers(1, 40, 2)
        pair = rng.normal(size=(n, d)), rng.normal(size=(m, d)) + 1
        out.append((*pair, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))) if i % 3 == 0 else pair)
    return out


@pytest.mark.parametrize(("d", "p", "metric"), [(1, 1, "euclidean"), (2, 2, "euclidean"), (3, 1.5, "cityblock")])
def test_the_same_as_one_by_one(d, p, metric):
    """Every number, and POT's."""
    pairs = ragged(40, d)
    found = dv.wasserstein_batch(pairs, p, metric=metric)
    assert len(found) == 40
    assert found.converged.all()
    for k, pair in enumerate(pairs):
        x, y, a, b = pair if len(pair) == 4 else (*pair, None, None)
        one = dv.wasserstein(x, y, p, a=a, b=b, metric=metric)
        assert found.cost[k] == found.upper[k] == pytest.approx(one.cost, rel=1e-9)
        assert found.distance[k] == pytest.approx(one.distance, rel=1e-9)
        assert found.lower[k] <= one.upper
        assert one.lower <= found.upper[k]
        assert found.distance_lower[k] <= found.distance[k] <= found.distance_upper[k]
        norm = 1 if metric == "cityblock" else 2
        cost = np.linalg.norm(x[:, None] - y, ord=norm, axis=2) ** p
        expected: Any = ot.emd2([] if a is None else a, [] if b is None else b, cost)
        assert found.cost[k] == pytest.approx(float(expected), rel=1e-9)
    assert (found.gap <= 1e-9 * found.cost + 1e-15).all()


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_change_no_bit(threads, monkeypatch):
    """Nor does the order, nor the company."""
    pairs = ragged(30)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = dv.wasserstein_batch(pairs, 2)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr("divergences.optimal_transport.batch.ENTRIES", 2000)
    together = dv.wasserstein_batch(pairs[::-1], 2)
    np.testing.assert_array_equal(together.cost[::-1], alone.cost)
    np.testing.assert_array_equal(together.lower[::-1], alone.lower)


def test_gradients():
    """Tensors give tensors, and gradients reach every point and mass."""
    pairs: list[Any] = [tuple(torch.tensor(v, requires_grad=True) for v in pair) for pair in ragged(7)]
    found = dv.wasserstein_batch(pairs, 2)
    assert found.cost.shape == (7,)
    (found.cost * torch.arange(7.0)).sum().backward()
    for k, pair in enumerate(pairs):
        leaves: Any = [t.detach().clone().requires_grad_() for t in pair]
        masses = dict(zip("ab", leaves[2:], strict=False))
        dv.wasserstein(leaves[0], leaves[1], 2, **masses).cost.backward()
        for mine, single in zip(pair, leaves, strict=True):
            np.testing.assert_allclose(mine.grad, k * single.grad, rtol=1e-12)


def test_kinds():
    """Lists, whole numbers, float32 masses, one column as 1-D."""
    narrow = np.array([0, 2], np.float32), [1.0], np.array([0.1, 0.9], np.float32), [1.0]
    found = dv.wasserstein_batch([([0, 1], [2]), narrow])
    assert found.distance.tolist() == pytest.approx([1.5, 1.0])


def test_errors_begin_with_the_number_of_the_pair():
    """The first one in order, whatever the threads do."""
    good = (np.zeros((2, 2)), np.ones((3, 2)))
    for told, pair in (
        ("NaN", (np.full((2, 2), np.nan), np.ones((3, 2)))),
        ("same number of columns", (np.zeros((2, 2)), np.ones((3, 3)))),
        ("n, d >= 1", (np.zeros((0, 2)), np.ones((3, 2)))),
        ("one mass per point", (*good, [1.0], [1.0])),
        ("one kind", (*good, torch.ones(2), None)),
        ("one kind", (good[0], torch.ones(3, 2))),
        (r"\(x, y\) or \(x, y, a, b\)", (good[0],)),
        (r"\(x, y\) or \(x, y, a, b\)", "ab"),
    ):
        with pytest.raises(DataError, match=f"^pair 2: .*{told}"):
            dv.wasserstein_batch([good, good, pair, good, pair])
    with pytest.raises(NotNormalizedError, match=r"^pair 1: .*total mass"):
        dv.wasserstein_batch([good, (*good, [1.0, 1.0], [1.0, 1.0, 1.0])])
    with pytest.raises(DataError, match=r"^pair 0: Univariate needs"):
        dv.wasserstein_batch([good] * 50, solver=Univariate())
    for empty in ([], "ab", 5, np.zeros((2, 2, 3))):
        with pytest.raises(DataError, match="pairs must be a list"):
            dv.wasserstein_batch(empty)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one kind"):
        dv.wasserstein_batch([good, tuple(map(torch.tensor, good))])
    with pytest.raises(DataError, match="metric must be one of"):
        dv.wasserstein_batch([good], metric="cosine")


def test_a_solver_that_stops_early(monkeypatch):
    """By default an error with the bracket of that pair; otherwise a mark beside true brackets."""
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 80, 2))
    pairs, solver = [tuple(small), tuple(large)], Exact(max_iterations=60)
    with pytest.raises(ConvergenceError, match=r"^pair 1: Exact") as caught:
        dv.wasserstein_batch(pairs, solver=solver)
    monkeypatch.setattr("divergences.optimal_transport.batch.ENTRIES", 1)
    with pytest.raises(ConvergenceError, match=r"^pair 1: Exact"):
        dv.wasserstein_batch(pairs, solver=solver)
    best = dv.wasserstein_batch(pairs, solver=LinearProgram())
    assert caught.value.result.lower <= best.cost[1] <= caught.value.result.upper
    found = dv.wasserstein_batch(pairs, solver=solver, strict=False)
    assert found.converged.tolist() == [True, False]
    assert (found.lower <= best.upper).all()
    assert (best.lower <= found.upper).all()


@pytest.mark.parametrize("solver", [3, dv.Exact, "exact"])
def test_what_is_no_solver_is_refused(solver: Any):
    """A number, a class, a name, at every door."""
    pair = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[2.0, 3.0]])
    for call in (
        lambda: dv.wasserstein(*pair, solver=solver),
        lambda: dv.wasserstein_batch([pair], solver=solver),
        lambda: dv.partial_transport(*pair, mass=0.5, solver=solver),
        lambda: dv.unbalanced_transport(*pair, marginal_cost=1.0, solver=solver),
    ):
        with pytest.raises(dv.DataError, match="must be a solver"):
            call()


HOSTILE: list[tuple[Any, ...]] = [
    (np.array([[0, 5], [3, 1]], np.int8), np.array([[200, 7]], np.uint8)),
    (np.array([[True], [False]]), np.array([[True]])),
    (np.asfortranarray(np.arange(6.0).reshape(3, 2)), np.arange(8.0).reshape(4, 2)[::-2]),
    (np.array([[1, 2], [3, 5]], ">f8"), np.array([[0, 0]], np.float16)),
    (np.array([0.0, 2.0]), np.array([[1.0]])),
    (np.zeros((3, 2)), np.zeros((2, 2)), np.array([0.5, 0.25, 0.25]), np.array([1 - 1e-10, 1e-10])),
    (np.ones((2, 2)), np.zeros((2, 2)), np.array([0.0, 1.0]), np.array([1.0, 0.0])),
    (np.ones((2, 2)), np.zeros((2, 2)), np.array([0.1, 0.9], np.float32), np.array([0.3, 0.7], np.float32)),
    (np.array([[1e150, 0.0]]), np.array([[0.0, 1e150], [0.0, 0.0]])),
    (np.array([[1e-170, 0.0]]), np.array([[0.0, 1e-170], [0.0, 0.0]])),
    (np.array([[0.0, 0.0], [1e12, 0.0]]), np.array([[1.0, 0.0], [1e12, 1.0]])),
    (np.ones((2, 2)), np.zeros((1, 2)), np.array([1e-320, 3e-320]), np.array([4e-320])),
    (np.full((2, 2), np.nan), np.zeros((1, 2))),
    (np.full((2, 1), np.inf), np.zeros((1, 1))),
    (np.full((2, 2), 1.7e308), np.full((1, 2), -1.7e308)),
    (np.zeros((2, 2)), np.zeros((1, 3))),
    (np.zeros((2, 0)), np.zeros((1, 0))),
    (np.zeros((2, 2)), np.zeros((1, 2)), np.array([1.5, -0.5]), np.ones(1)),
    (np.zeros((2, 2)), np.zeros((1, 2)), np.array([0.5, np.nan]), np.ones(1)),
    (np.zeros((2, 2)), np.zeros((1, 2)), np.zeros(2), np.ones(1)),
    (np.zeros((2, 2)), np.zeros((1, 2)), np.ones(2), np.ones(1)),
    (np.zeros((2, 2)), np.zeros((1, 2)), np.ones((2, 1)) / 2, np.ones(1)),
    (np.zeros((2, 2), complex), np.zeros((1, 2))),
    (np.array([["a", "b"]]), np.zeros((1, 2))),
    (np.ma.masked_array(np.zeros((2, 2))), np.zeros((1, 2))),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_pairs_among_ordinary_ones(number):
    """The numbers, or the refusal, that the pair gets alone: whatever the compiled kernels make of it."""
    pairs = [*ragged(18), HOSTILE[number], *ragged(2)]
    x, y, a, b = (*HOSTILE[number], None, None)[:4]
    try:
        alone = dv.wasserstein(x, y, 2, a=a, b=b)
    except DataError as refusal:
        with pytest.raises(type(refusal), match=f"^pair 18: {re.escape(str(refusal))}$"):
            dv.wasserstein_batch(pairs, 2)
        return
    found = dv.wasserstein_batch(pairs, 2)
    assert found.converged.all()
    assert found.cost[18] == pytest.approx(alone.cost, rel=1e-9)
    assert found.lower[18] <= alone.upper
    assert alone.lower <= found.upper[18]
    assert found.distance_lower[18] <= found.distance[18] <= found.distance_upper[18]


def test_few_and_many_agree(monkeypatch):
    """With the kernels and without them."""
    pairs = ragged(30, d=3)
    fast = dv.wasserstein_batch(pairs, 1.5)
    monkeypatch.setattr("divergences.optimal_transport.batch.MANY", 31)
    slow = dv.wasserstein_batch(pairs, 1.5)
    np.testing.assert_allclose(fast.cost, slow.cost, rtol=1e-10)
    assert (fast.lower <= slow.upper).all()
    assert (slow.lower <= fast.upper).all()
    assert not (fast.cost == slow.cost).all()  # they are two ways
