"""A cloud of masses at several scales: k-d cells with their masses and centres of mass; and plans taken from one
to the next.
"""

from typing import NamedTuple

import numpy as np

from divergences._compiler import compiled
from divergences.optimal_transport._cells import kd_order

COARSEST = 32  # cells at the coarsest level, at least
SHRINK = 2  # levels of the tree between two scales: four times fewer cells


class Level(NamedTuple):
    """Points (n, d) and whole masses (n,), in k-d order; point i stands for child[i] to child[i + 1] one level down."""

    points: np.ndarray
    masses: np.ndarray
    child: np.ndarray


class Flow(NamedTuple):
    """A plan in whole masses: rows, columns and amounts of its cells."""

    row: np.ndarray
    column: np.ndarray
    amount: np.ndarray


def levels(points: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, list[Level]]:
    """The k-d order of points (n, d) with positive masses (n,), and their levels from coarse to the points."""
    n = len(points)
    order = kd_order(np.ascontiguousarray(points), 2)
    points, masses = points[order], masses[order]
    weights = masses.astype(float)
    out = [Level(points, masses, np.zeros(0, np.int64))]
    edges, depth = np.arange(n + 1), (n // 4).bit_length() - 1
    while depth >= 0 and 1 << depth >= COARSEST:
        cuts = (n * np.arange((1 << depth) + 1, dtype=np.int64)) >> depth
        first = cuts[:-1]
        mass = np.add.reduceat(weights, first)
        center = np.add.reduceat(points * weights[:, None], first, axis=0) / mass[:, None]
        out.append(Level(center, np.add.reduceat(masses, first), np.searchsorted(edges, cuts)))
        edges, depth = cuts, depth - SHRINK
    return order, out[::-1]


def aligned(x: list[Level], y: list[Level]) -> list[tuple[Level, Level]]:
    """Pairs of levels from coarse to fine; the side with fewer levels stays at its coarsest one for a while."""
    longest = max(len(x), len(y))
    return list(zip(*(_padded(side, longest) for side in (x, y)), strict=True))


def _padded(side: list[Level], length: int) -> list[Level]:
    still = side[0]._replace(child=np.arange(len(side[0].masses) + 1))
    return [still] * (length - len(side)) + side


def distinct(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct point of (n, d) stands first, and for each point which of these it is.

    Between equal points every choice is a tie, which no bound can cut short.
    """
    order = np.lexsort(points.T)
    fresh = np.r_[True, np.any(points[order[1:]] != points[order[:-1]], axis=1)]
    which = np.empty(len(points), np.int64)
    which[order] = np.cumsum(fresh) - 1
    return order[fresh], which


def shared_out(flow: Flow, x_of: np.ndarray, y_of: np.ndarray, a: np.ndarray, b: np.ndarray) -> Flow:
    """The plan between distinct points, handed to the points (masses a, b) that are number x_of, y_of among these."""
    sides = []
    for which, masses in ((x_of, a), (y_of, b)):
        order = np.argsort(which, kind="stable")
        ends = np.searchsorted(which[order], np.arange(int(which.max()) + 2))
        sides.append((order, Level(np.empty(0), np.empty(0), ends), Level(np.empty(0), masses[order], np.empty(0))))
    (x_order, x, fine_x), (y_order, y, fine_y) = sides
    fine = refined(flow, x, y, fine_x, fine_y)
    return Flow(x_order[fine.row], y_order[fine.column], fine.amount)


@compiled("Tuple((int64[::1], int64[::1], int64[::1]))(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def _split(
    parent: np.ndarray, other: np.ndarray, amount: np.ndarray, child: np.ndarray, masses: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hand the pieces of each parent, which lie together, to its children in their order (the north-west rule)."""
    size = len(amount) + len(masses)
    out_child, out_other, out = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    count, i = 0, 0
    left = masses[0]
    for q in range(len(amount)):
        rest = amount[q]
        if i < child[parent[q]]:
            i = child[parent[q]]
            left = masses[i]
        while rest > 0:
            while left == 0:
                i += 1
                left = masses[i]
            part = min(rest, left)
            out_child[count], out_other[count], out[count] = i, other[q], part
            count += 1
            rest -= part
            left -= part
    return out_child[:count], out_other[:count], out[:count]


def refined(flow: Flow, x: Level, y: Level, fine_x: Level, fine_y: Level) -> Flow:
    """The plan one level down: cells pass their mass on to their children, so marginals stay exact."""
    order = np.lexsort((flow.column, flow.row))
    row, column, amount = _split(flow.row[order], flow.column[order], flow.amount[order], x.child, fine_x.masses)
    order = np.lexsort((row, column))
    column, row, amount = _split(column[order], row[order], amount[order], y.child, fine_y.masses)
    return Flow(row, column, amount)


def north_west(a: np.ndarray, b: np.ndarray) -> Flow:
    """The monotone coupling of whole masses a and b of one total, in their order."""
    ends_a, ends_b = np.cumsum(a), np.cumsum(b)
    ends = np.union1d(ends_a, ends_b)
    amount = np.diff(ends, prepend=0)
    starts = ends - amount
    return Flow(np.searchsorted(ends_a, starts, "right"), np.searchsorted(ends_b, starts, "right"), amount)
