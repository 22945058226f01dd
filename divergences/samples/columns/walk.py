"""One walk along two distribution functions: every number of a column that needs no randomness.

The walk takes the steps in blocks, so that millions of values need no arrays of their own beside the sorted samples.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import hypot, sqrt

import numpy as np

from divergences.samples.columns.steps import Steps, unit_of


@dataclass
class Moments:
    """Number, mean and sum of squared deviations of weighted values, added block by block (Chan et al. 1983)."""

    total: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: np.ndarray, weights: np.ndarray) -> None:
        """Take in a block."""
        total = float(weights.sum())
        if total == 0:
            return
        mean = float(weights @ values) / total
        squares = float(weights @ (values - mean) ** 2)
        both, shift = self.total + total, mean - self.mean
        self.squares += squares + shift * shift * self.total * (total / both)
        self.mean += shift * (total / both)
        self.total = both

    @property
    def deviation(self) -> float:
        """The standard deviation, divided by the number."""
        return sqrt(self.squares / self.total) if self.total else 0.0


@dataclass
class Cells:
    """Counts in at most `limit` cells of equal pooled mass, tied values whole, and the pooled mean of each cell.

    The value whose pooled ranks begin at r is in cell ⌊r limit / (n + m)⌋: a matter of the pooled sample only.
    """

    limit: int
    total: int
    x: np.ndarray = field(init=False)
    y: np.ndarray = field(init=False)
    sums: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.x, self.y = (np.zeros(self.limit, np.int64) for _ in range(2))
        self.sums = np.zeros(self.limit)

    def add(self, rank: np.ndarray, x: np.ndarray, y: np.ndarray, places: np.ndarray) -> None:
        """Take in a block of steps: the pooled rank at which each begins, its counts, and where it is."""
        first, last = (int(r) * self.limit // self.total for r in (rank[0], rank[-1]))
        begin = -(-np.arange(first + 1, last + 1) * self.total // self.limit)
        starts = np.concatenate([[0], np.searchsorted(rank, begin), [len(rank)]])
        starts = starts[:-1][np.diff(starts) > 0]  # an atom leaves the cells within it empty
        index = rank[starts] * self.limit // self.total
        self.x[index] += np.add.reduceat(x, starts)
        self.y[index] += np.add.reduceat(y, starts)
        self.sums[index] += np.add.reduceat(places * (x + y), starts)


@dataclass(frozen=True, eq=False)
class Line:
    """What a walk found; lengths in units of the column.

    Attributes:
        w1: ∫ |F − G|.
        standard_error: of w1: the potential φ with slope −sign(F − G) is its influence function.
        w1_sd: w1 in standard deviations of the pooled values; 0 where all are equal.
        mean_shift: mean of y minus mean of x, ∫ (F − G).
        ks: sup |F − G|; tied values jump together.
        superiority: P(Y > X) + P(Y = X)/2.
        outside: the share of y outside the range of x.
        cells: for each of the limits asked for, the values and counts in at most so many cells.
        distinct: how many values there are.

    """

    w1: float
    standard_error: float
    w1_sd: float
    mean_shift: float
    ks: float
    superiority: float
    outside: float
    cells: dict[int, Steps]
    distinct: int


def walk(blocks: Iterable[Steps], n: int, m: int, low: float, high: float, limits: Sequence[int]) -> Line:
    """The line of n and m values within [low, high], given as consecutive blocks of steps.

    Lengths are measured in a power of two near the span, so that no square overflows or vanishes.
    """
    unit = unit_of(low, high)
    w1 = shift = ks = pairs = potential = 0.0
    below, above, distinct = 0, 0, 0
    pooled, phi_x, phi_y = Moments(), Moments(), Moments()
    cells = {limit: Cells(limit, n + m) for limit in limits}
    coarse = [cell for cell in cells.values() if cell.limit < n + m]  # else each value has its own
    first = last = None
    for block in blocks:
        ahead_x, ahead_y = block.ahead_x, block.ahead_y
        x, y = block.counts
        places = (block.values - low) / unit
        gap = np.diff(block.values) / unit  # exact differences: no offset harms them
        difference = ahead_x / n - ahead_y / m
        w1 += float(np.abs(difference[:-1]) @ gap)
        shift += float(difference[:-1] @ gap)
        ks = max(ks, float(np.abs(difference).max()))
        pairs += float(y @ (ahead_x[:-1] + x / 2))
        path = potential - np.cumsum(np.sign(difference[:-1]) * gap)
        potential = float(path[-1])
        phi_x.add(path, x)
        phi_y.add(path, y)
        pooled.add(places[1:], x + y)
        below = max(below, int(ahead_y[np.searchsorted(ahead_x, 0, side="right") - 1]) if ahead_x[0] == 0 else 0)
        if ahead_x[0] < n <= ahead_x[-1]:
            above = m - int(ahead_y[np.searchsorted(ahead_x, n)])
        for cell in coarse:
            cell.add((ahead_x + ahead_y)[:-1], x, y, places[1:])
        distinct += len(x)
        first, last = first or block, block
    alone = first if first is last else None
    return Line(
        w1=w1 * unit,
        standard_error=hypot(phi_x.deviation / sqrt(n), phi_y.deviation / sqrt(m)) * unit,
        w1_sd=w1 / pooled.deviation if pooled.deviation > 0 else 0.0,
        mean_shift=shift * unit,
        ks=ks,
        superiority=pairs / n / m,
        outside=(below + above) / m,
        cells={k: _told(cell, low, unit, alone) for k, cell in cells.items()},
        distinct=distinct,
    )


def _told(cells: Cells, low: float, unit: float, alone: Steps | None) -> Steps:
    """The cells as steps; the steps themselves where there are no more of them than cells."""
    if alone is not None and len(alone.values) - 1 <= cells.limit:
        return alone
    counts = cells.x + cells.y
    used = counts > 0
    places = np.maximum.accumulate(cells.sums[used] / counts[used])
    return Steps.of_counts(low + unit * places, cells.x[used], cells.y[used])
