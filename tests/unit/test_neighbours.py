"""The k-d trees against distances written out."""

import numpy as np
import pytest

from divergences.samples import _neighbours, _tree
from divergences.samples._neighbours import _Few, _Many, neighbours

SIZES = [(2, 1, 1, 1), (9, 40, 2, 5), (97, 260, 1, 7), (300, 530, 3, 4), (700, 150, 10, 20)]


def samples(kind: str, n: int, m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Two samples: normal, on a lattice, all at one place, or at scales that differ by 300 powers of ten."""
    rng = np.random.default_rng(n + d)
    x, y = rng.normal(size=(n, d)), rng.normal(0.3, 1, (m, d))
    if kind == "lattice":
        return np.round(x), np.round(y)
    if kind == "constant":
        return np.ones((n, d)), np.ones((m, d))
    if kind == "scales":
        return x * 10.0 ** np.arange(0, -140 * d, -140)[:d], y * 10.0 ** np.arange(0, -140 * d, -140)[:d]
    return x, y


@pytest.mark.parametrize("kind", ["normal", "lattice", "constant", "scales"])
@pytest.mark.parametrize(("n", "m", "d", "k"), SIZES)
@pytest.mark.parametrize("tree", [_Few, _Many])
def test_neighbours_are_those_of_all_pairs(tree, kind, n, m, d, k):
    """Distances, indices and counts, across samples and within one; a point is not its own neighbour."""
    x, y = samples(kind, n, m, d)
    k = min(k, n - 1, m)
    first, second = tree(x), tree(y)
    for points, sample in ((first.points, x), (second.points, y)):
        np.testing.assert_array_equal(np.sort(points, axis=0), np.sort(sample, axis=0))
    x, y = first.points, second.points
    for target, queries, search in ((y, x, dict(of=first)), (x, x, {})):
        pairs = np.sqrt(np.square(queries[:, None] - target).sum(axis=2))
        if not search:
            np.fill_diagonal(pairs, np.inf)
        searched = second if search else first
        distances, indices = searched.nearest(k, **search)
        np.testing.assert_allclose(distances, np.sort(pairs, axis=1)[:, :k], rtol=1e-13)
        np.testing.assert_allclose(np.take_along_axis(pairs, indices, axis=1), distances, rtol=1e-13)
        assert all(len(set(row)) == k for row in indices.tolist())
        for radii in (distances[:, -1], 0.7 * distances[:, -1], np.full(len(queries), 1.5)):
            expected = (pairs <= radii[:, None] * (1 + 1e-13)).sum(axis=1)
            np.testing.assert_array_equal(searched.within(radii, **search), expected)


def test_the_trees_agree_on_both_sides_of_the_border(monkeypatch):
    """The same distances and counts whichever tree answers."""
    x, y = samples("normal", 900, 1100, 4)
    few = neighbours(x, y)
    monkeypatch.setattr(_neighbours, "SMALL", 0)
    many = neighbours(x, y)
    assert (type(few[0]), type(many[0])) == (_Few, _Many)
    a, b = few[1].nearest(6, of=few[0])[0], many[1].nearest(6, of=many[0])[0]
    np.testing.assert_allclose(np.sort(a, axis=0), np.sort(b, axis=0), rtol=1e-14)
    a, b = (np.sort(trees[0].within(np.ones(900))) for trees in (few, many))
    np.testing.assert_array_equal(a, b)


def test_threads_leave_the_bits_alone(monkeypatch):
    """Blocks of queries do not depend on who takes them."""
    x, y = samples("normal", 5000, 5000, 3)
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        first, second = neighbours(x, y)
        found.append(second.nearest(5, of=first)[0])
    assert np.array_equal(*found)


def test_a_sample_is_left_as_it_was():
    """The tree sorts a copy."""
    x, y = samples("normal", 3000, 3000, 2)
    before = x.copy()
    neighbours(x, y)[0].nearest(3)
    assert np.array_equal(x, before)


def test_boxes_hold_the_points_of_their_nodes():
    """Tight at every node, for sizes around the powers of two; leaves are full but for rounding."""
    for n in (1, 31, 32, 33, 64, 65, 255, 257, 1000):
        points = np.random.default_rng(n).normal(size=(n, 2))
        tree = _Many(points)
        h, low, high = tree.height, *tree.blocks
        assert n <= _tree.LEAF * 2**h < 2 * max(n, _tree.LEAF) + 2**h
        np.testing.assert_array_equal(tree.points, points[tree.order])
        assert sorted(tree.order) == list(range(n))
        for node in range(1, 2 << h):
            level = node.bit_length() - 1
            start, stop = (n * ((node + side) * 2 ** (h - level) - 2**h) // 2**h for side in (0, 1))
            np.testing.assert_array_equal(low[node], tree.points[start:stop].min(axis=0))
            np.testing.assert_array_equal(high[node], tree.points[start:stop].max(axis=0))
