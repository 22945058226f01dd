"""One walk along two distribution functions: every number of a column that needs no randomness.

The walk takes the steps in blocks, so that millions of values need no arrays of their own beside the sorted samples.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import hypot, log2, sqrt

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


def even(cells: int, total: int) -> np.ndarray:
    """The pooled ranks, from 0, at which cells of equal mass begin.

    >>> even(3, 10)
    array([0, 4, 7])
    """
    return np.unique(-(-np.arange(cells) * total // cells))


def tailed(cells: int, total: int) -> np.ndarray:
    """The same, the outermost cells parted at masses that shrink by √2, down to the single extreme values.

    In heavy tails most of W₁ lies there.

    >>> tailed(2, 16)
    array([ 0,  1,  2,  3,  4,  6,  8, 10, 12, 13, 14, 15])
    """
    mass = max(1.0, total / cells)
    ends = np.append(np.ceil(mass * 2.0 ** (-np.arange(2 * log2(mass)) / 2)).astype(np.int64), 1)
    return np.unique(np.concatenate([even(cells, total), ends, total - ends]))


@dataclass
class Cells:
    """Counts in cells of the pooled sample, tied values whole, and the pooled mean of each cell.

    `begin` has the rising pooled ranks, from 0, at which cells begin. A value whose ranks begin at r is in the last
    cell that begins at r or before: a matter of the pooled sample only.
    """

    begin: np.ndarray
    x: np.ndarray = field(init=False)
    y: np.ndarray = field(init=False)
    sums: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.x, self.y = (np.zeros(len(self.begin), np.int64) for _ in range(2))
        self.sums = np.zeros(len(self.begin))

    def add(self, rank: np.ndarray, x: np.ndarray, y: np.ndarray, places: np.ndarray) -> None:
        """Take in a block of steps: the pooled rank at which each begins, its counts, and where it is."""
        first, last = np.searchsorted(self.begin, (rank[0], rank[-1]), side="right")
        starts = np.concatenate([[0], np.searchsorted(rank, self.begin[first:last]), [len(rank)]])
        starts = starts[:-1][np.diff(starts) > 0]  # an atom leaves the cells within it empty
        index = np.searchsorted(self.begin, rank[starts], side="right") - 1
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
        cells: for each of the cuts asked for, the places and counts of its cells.
        distinct: how many values there are.

    """

    w1: float
    standard_error: float
    w1_sd: float
    mean_shift: float
    ks: float
    superiority: float
    outside: float
    cells: tuple[Steps, ...]
    distinct: int


def walk(blocks: Iterable[Steps], n: int, m: int, low: float, high: float, cuts: Iterable[np.ndarray]) -> Line:
    """The line of n and m values within [low, high], given as consecutive blocks of steps.

    Lengths are measured in a power of two near the span, so that no square overflows or vanishes.
    """
    unit = unit_of(low, high)
    w1 = shift = ks = pairs = potential = 0.0
    below, above, distinct = 0, 0, 0
    pooled, phi_x, phi_y = Moments(), Moments(), Moments()
    cells = [Cells(begin) for begin in cuts]
    coarse = [cell for cell in cells if len(cell.begin) < n + m]  # else each value has its own
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
        cells=tuple(_told(cell, low, unit, alone) for cell in cells),
        distinct=distinct,
    )


def _told(cells: Cells, low: float, unit: float, alone: Steps | None) -> Steps:
    """The cells as steps; the steps themselves where there are no more of them than cells."""
    if alone is not None and len(alone.values) - 1 <= len(cells.begin):
        return alone
    counts = cells.x + cells.y
    used = counts > 0
    places = np.maximum.accumulate(cells.sums[used] / counts[used])
    return Steps.of_counts(low + unit * places, cells.x[used], cells.y[used])
