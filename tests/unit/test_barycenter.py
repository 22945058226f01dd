"""Barycentres: closed forms, the multimarginal program, POT's iteration, laws, gradients, refusals."""

from itertools import product
from typing import Any

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import linprog

import divergences as dv
from divergences.errors import ConvergenceError, DataError, NotNormalizedError

RNG = np.random.default_rng(0)


def clouds(k: int, d: int, sizes: tuple[int, ...] = (7, 9, 8, 5)) -> list[np.ndarray]:
    """Normal clouds at different places."""
    return [RNG.normal(size=(n, d)) * (1 + i) + i for i, n in enumerate(sizes[:k])]


def multimarginal(points: list[Any], masses: list[Any], weights: Any) -> float:
    """The least cost of any measure, by the linear program over all tuples of points (Agueh and Carlier 2011)."""
    cells = list(product(*(range(len(x)) for x in points)))
    cost = []
    for cell in cells:
        chosen = np.array([x[i] for x, i in zip(points, cell, strict=True)])
        cost.append(weights @ np.sum((chosen - weights @ chosen) ** 2, axis=1))
    rows = [[float(cell[k] == i) for cell in cells] for k, x in enumerate(points) for i in range(len(x))]
    return linprog(cost, A_eq=np.array(rows), b_eq=np.concatenate(masses)).fun


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("d", [1, 2])
def test_the_bracket_holds_the_optimum(d, seed):
    """That of the multimarginal program; on the line and for two clouds both ends meet it."""
    rng = np.random.default_rng(seed)
    k = 2 + seed % 2
    points = [rng.normal(size=(n, d)) for n in (3, 4, 5)[:k]]
    masses = [rng.dirichlet(np.ones(len(x))) for x in points]
    weights = rng.dirichlet(np.ones(k))
    best = multimarginal(points, masses, weights)
    found = dv.barycenter(list(zip(points, masses, strict=True)), weights)
    assert found.lower <= best * (1 + 1e-9)
    assert best <= found.upper * (1 + 1e-9)
    if d == 1 or k == 2:
        assert found.lower == pytest.approx(best, rel=1e-9)
        assert found.upper == pytest.approx(best, rel=1e-9)
        assert found.lower <= found.upper
    assert found.masses.sum() == pytest.approx(1)
    # Without the weights' product halved by order, or with the largest distance alone, it would be no bound.
    pairs = [dv.wasserstein(points[i], points[j], 2, a=masses[i], b=masses[j]).cost * weights[i] * weights[j]
             for i in range(k) for j in range(k)]  # fmt: skip
    assert sum(pairs) > best


def test_on_the_line_quantiles_are_averaged():
    """Equal sizes: sorted values; a common offset does no harm."""
    x, y, z = np.sort(RNG.normal(size=(3, 20)), axis=1)
    found = dv.barycenter([x, y[::-1], z], [0.5, 0.3, 0.2])
    np.testing.assert_allclose(np.sort(found.points[:, 0]), 0.5 * x + 0.3 * y + 0.2 * z, rtol=1e-12, atol=1e-14)
    far = dv.barycenter([x + 2.0**30, y + 2.0**30, z + 2.0**30], [0.5, 0.3, 0.2])
    np.testing.assert_allclose(np.sort(far.points[:, 0]) - 2.0**30, np.sort(found.points[:, 0]), atol=1e-6)
    assert found.gap <= 1e-9 * found.upper


def test_the_same_end_as_pots_iteration():
    """From the same start, and no higher cost than it reports."""
    points = clouds(4, 3)
    found = dv.barycenter(points, size=6, tolerance=1e-20)
    sample = np.concatenate(points)
    start = sample[np.random.default_rng(0).choice(len(sample), 6, replace=False, p=np.concatenate(
        [np.full(len(x), 0.25 / len(x)) for x in points]))]  # fmt: skip
    masses: Any = [np.full(len(x), 1 / len(x)) for x in points]
    expected: Any = ot.lp.free_support_barycenter(points, masses, start, numItermax=1000, stopThr=1e-20)
    np.testing.assert_allclose(found.points, expected, atol=1e-9)


def test_the_cost_never_rises():
    """Step by step; one step too far (planted) raises it again."""
    points = clouds(3, 2)
    found = dv.barycenter(points, size=8, tolerance=1e-12)
    assert (np.diff(found.history) <= 1e-12 * found.upper).all()
    assert len(found.history) > 2
    assert found.converged
    assert found.upper == pytest.approx(sum(found.distances**2) / 3)
    assert found.lower < found.upper
    direct = sum(dv.wasserstein(x, found.points, 2).cost for x in points) / 3
    assert found.cost == pytest.approx(direct, rel=1e-12)
    beyond = sum(dv.wasserstein(x, found.points * 1.2, 2).cost for x in points) / 3
    assert beyond > found.cost


def test_laws():
    """Moved, scaled and turned with the clouds; blind to their order; equal clouds are their own barycentre."""
    points, weights = clouds(3, 2), np.array([0.2, 0.5, 0.3])
    found = dv.barycenter(points, weights, size=8)
    shift, turn = np.array([64.0, -32.0]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    for change, factor in ((lambda v: v + shift, 1), (lambda v: v * 4, 16), (lambda v: v @ turn, 1)):
        moved = dv.barycenter([change(x) for x in points], weights, size=8)
        np.testing.assert_allclose(moved.points, change(found.points), atol=1e-9)
        assert moved.cost == pytest.approx(factor * found.cost, rel=1e-9)
    order = [2, 0, 1]
    line = [x[:, 0] for x in points]
    permuted = dv.barycenter([line[k] for k in order], weights[order])
    assert permuted.cost == pytest.approx(dv.barycenter(line, weights).cost, rel=1e-12)
    assert permuted.cost != pytest.approx(dv.barycenter([line[k] for k in order], weights).cost, rel=1e-3)
    assert dv.barycenter([points[k] for k in order], weights[order], size=8).lower == pytest.approx(found.lower)
    assert dv.barycenter([points[0]] * 3, size=7).lower == 0.0
    assert dv.barycenter([points[0]]).cost == 0
    assert dv.barycenter([points[0], points[0][::-1]]).cost == pytest.approx(0, abs=1e-15)
    shifted = dv.barycenter([points[0] + s * shift for s in (0, 1, 2)], size=7, rng=1)
    assert shifted.lower == pytest.approx(shift @ shift * 2 / 3, rel=1e-9)
    one = dv.barycenter([[[0.0, 0.0]], [[3.0, 0.0]], [[0.0, 3.0]]])
    assert one.points.tolist() == [[1.0, 1.0]]
    assert one.cost == pytest.approx(4 * 3 / 3)
    assert one.gap <= 1e-12
    assert dv.barycenter(points, size=5, rng=3).points.tolist() == dv.barycenter(points, size=5, rng=3).points.tolist()


def test_two_clouds_meet_on_the_way():
    """At t of the way it costs t (1 - t) W_2^2, and lies at t W_2 from the first."""
    x, y = clouds(2, 3)
    apart = dv.wasserstein(x, y, 2)
    found = dv.barycenter([x, y], [0.75, 0.25])
    assert found.cost == pytest.approx(apart.cost * 0.75 * 0.25, rel=1e-9)
    assert found.distances == pytest.approx([apart.distance / 4, apart.distance * 3 / 4], rel=1e-9)


@pytest.mark.parametrize(("d", "k", "size"), [(1, 3, None), (2, 2, None), (2, 3, 6)])
def test_gradients(d, k, size):
    """With respect to points, masses and weights, by differences of the cost itself."""
    points = clouds(k, d)
    masses = [RNG.dirichlet(np.ones(len(x)) * 5) for x in points]
    weights = RNG.dirichlet(np.ones(k) * 5)

    def cost(x: Any, a: Any, w: Any) -> Any:
        return dv.barycenter(list(zip(x, a, strict=True)), w, size=size, tolerance=1e-22).cost

    leaves: Any = [[torch.tensor(v, requires_grad=True) for v in group] for group in (points, masses, [weights])]
    value = cost(leaves[0], leaves[1], leaves[2][0])
    value.backward()
    for which, group in enumerate((points, masses, [weights])):
        move = [RNG.normal(size=v.shape) for v in group]
        if which:
            move = [v - v.mean() for v in move]
        ends = []
        for sign in (1, -1):
            moved = [list(points), list(masses), [weights]]
            moved[which] = [v + sign * 1e-6 * m for v, m in zip(group, move, strict=True)]
            ends.append(cost(moved[0], moved[1], moved[2][0]))
        told = sum(float((leaf.grad * torch.tensor(m)).sum()) for leaf, m in zip(leaves[which], move, strict=True))
        assert told == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4)


def test_kinds():
    """float32 tensors in and out; lists and whole numbers."""
    found = dv.barycenter([torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 0.0]])])
    assert found.cost.dtype == found.points.dtype == torch.float32
    assert not found.points.requires_grad
    assert found.points.tolist() == [[1.0, 0.0]]
    assert dv.barycenter([[0, 1], [4, 7]]).points.tolist() == [[2.0], [4.0]]


def test_what_is_refused():
    """By name, with the number of the cloud."""
    good = np.zeros((3, 2))
    refused: list[tuple[str, Any, Any]] = [
        ("clouds must be a list", ([],), {}),
        ("clouds must be a list", (5,), {}),
        ("cloud 1 must have as many columns as cloud 0, 2; got 3", ([good, np.zeros((3, 3))],), {}),
        ("cloud 1 must be finite", ([good, good + np.nan],), {}),
        ("cloud 0 must have one mass per point", ([(good, [0.5, 0.5])],), {}),
        ("weights must hold one number per cloud", ([good, good], [1.0]), {}),
        ("size must be a whole number", ([good], None), {"size": 0}),
        ("tolerance must be", ([good], None), {"tolerance": np.nan}),
        ("max_iterations must be", ([good], None), {"max_iterations": 0}),
        ("rng must be", ([good], None), {"rng": -1}),
        ("one kind", ([good, torch.zeros(3, 2)],), {}),
    ]
    for told, args, more in refused:
        with pytest.raises(DataError, match=told):
            dv.barycenter(*args, **more)
    with pytest.raises(NotNormalizedError, match="the masses of cloud 0 must sum to one"):
        dv.barycenter([(good, [1.0, 1.0, 1.0])])
    with pytest.raises(NotNormalizedError, match="weights must sum to one"):
        dv.barycenter([good, good], [1.0, 1.0])
    with pytest.raises(ConvergenceError, match="after 1 steps") as caught:
        dv.barycenter(clouds(3, 2), max_iterations=1)
    assert caught.value.result.lower <= caught.value.result.upper
    assert not dv.barycenter(clouds(3, 2), max_iterations=1, strict=False).converged


@pytest.mark.parametrize("clouds", [
    [[0.0, 1e153], [2e153], [1e153, 3e153]],
    [np.eye(2) * 1e153, np.ones((1, 2)) * 1e153, -np.eye(2) * 1e153],
])  # fmt: skip
def test_costs_near_the_largest_floats(clouds):
    """They are those of smaller clouds, scaled; no error term overflows on the way."""
    small = dv.barycenter([np.asarray(x) * 2.0**-500 for x in clouds])
    large = dv.barycenter(clouds)
    assert large.cost == pytest.approx(np.ldexp(small.cost, 1000), rel=1e-14)
    assert large.lower == pytest.approx(np.ldexp(small.lower, 1000), rel=1e-14)
    assert large.lower <= large.upper < np.inf
