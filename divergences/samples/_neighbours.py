"""Nearest neighbours in samples: by SciPy's k-d tree where they are few, else by a compiled one on all threads."""

from typing import Any, Protocol, cast

import numpy as np

from divergences._parallel import run_blocks

SMALL = 4000  # points in both samples up to which nobody waits for a compiler
BLOCK = 2048  # queries after which a thread takes the next block: whole vectors of them
EDGE = 1 + 1e-12  # a point that is at the radius up to rounding counts as inside


class Neighbours(Protocol):
    """The points of one sample, ready to be searched from the points of another, or from its own (`of` is None).

    A point is not its own neighbour; a duplicate of it is. Answers come in the order of `points`, which is the sample
    in an order of its own.
    """

    points: np.ndarray

    def nearest(self, k: int, of: "Any | None" = None) -> tuple[np.ndarray, np.ndarray]:
        """(distances, indices into `points`) of the k nearest points, ascending, each of shape (., k)."""
        ...

    def within(self, radii: np.ndarray, of: "Any | None" = None) -> np.ndarray:
        """How many points are at most at a distance of `radii`."""
        ...


def neighbours(x: np.ndarray, y: np.ndarray) -> tuple[Neighbours, Neighbours]:
    """The samples x (n, d) and y (m, d), finite, ready for searches in both directions.

    >>> x, y = neighbours(np.array([[0.0], [1.0], [5.0]]), np.array([[0.5], [3.0]]))
    >>> x.nearest(1)[0].ravel(), y.nearest(1, of=x)[0].ravel(), x.within(np.array([1.0, 0.5, 4.0]))
    (array([1., 1., 4.]), array([0.5, 0.5, 2. ]), array([1, 0, 1]))
    """
    if len(x) + len(y) <= SMALL:
        return _Few(x), _Few(y)
    trees: list[Any] = [None, None]

    def plant(start: int, _stop: int) -> None:
        trees[start] = _Many((x, y)[start])

    run_blocks(plant, total=2, size=1)
    return trees[0], trees[1]


class _Few:
    def __init__(self, points: np.ndarray) -> None:
        from scipy.spatial import KDTree

        self.points, self._tree = points, cast(Any, KDTree(points))

    def nearest(self, k: int, of: "_Few | None" = None) -> tuple[np.ndarray, np.ndarray]:
        if of is not None:
            return self._tree.query(of.points, np.arange(1, k + 1))
        n = len(self.points)
        distances, indices = self._tree.query(self.points, np.arange(1, k + 2))
        itself = indices == np.arange(n)[:, None]
        itself[~itself.any(axis=1), 0] = True  # more duplicates than k: any one of them gives way
        return distances[~itself].reshape(n, k), indices[~itself].reshape(n, k)

    def within(self, radii: np.ndarray, of: "_Few | None" = None) -> np.ndarray:
        queries = self if of is None else of
        return self._tree.query_ball_point(queries.points, radii * EDGE, return_length=True) - (of is None)


class _Many:
    def __init__(self, points: np.ndarray) -> None:
        from divergences.samples import _tree

        self.kernels: Any = _tree
        self.points, self.order = np.array(points, np.float64, order="C"), np.arange(len(points))
        self.height, *self.blocks = _tree.empty(*points.shape)
        _tree.build(self.points, self.height, self.order, *self.blocks)

    def nearest(self, k: int, of: "_Many | None" = None) -> tuple[np.ndarray, np.ndarray]:
        queries = self if of is None else of
        n = len(queries.points)
        squared, who = np.empty((n, k)), np.empty((n, k), np.int64)
        tree = self.points, self.height, *self.blocks

        def search(start: int, stop: int) -> None:
            self.kernels.nearest(queries.points, start, stop, k, *tree, of is None, squared, who)
            np.sqrt(squared[start:stop], out=squared[start:stop])

        run_blocks(search, n, BLOCK)
        return squared, who

    def within(self, radii: np.ndarray, of: "_Many | None" = None) -> np.ndarray:
        queries = self if of is None else of
        bounds = (radii * EDGE) ** 2 + np.nextafter(0, 1)
        tree = self.points, self.height, *self.blocks
        found = np.empty(len(bounds), np.int64)
        run_blocks(lambda a, b: self.kernels.within(queries.points, a, b, bounds, *tree, found), len(bounds), BLOCK)
        return found - (of is None)
