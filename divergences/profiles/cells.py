"""Counts of numbers in dyadic cells: the finest of a fixed chain of partitions in which at most 4,096 are occupied.

A float is a sign, a binade (its exponent) and a place in it. At level L the last d(E) = 52 + ⌊(L - E)/4⌋ bits of the
place are dropped in binade E (none if negative): cells widen by a quarter of the pace of the binades, so that
most lie where most numbers of most laws are, and neither 1e-300 nor 1e300 is out of range. Binades up to L - 4, where
nothing would remain, are one cell around zero for each sign. At the lowest level each float is a cell.

Each level refines the next one, and occupied cells become fewer along the chain and more with data. So the level of all
data is that of the union of the parts' cells, brought to at most 4,096 from the highest level of the parts: a
function of the multiset of numbers, whatever the order and the parts.
"""

from dataclasses import dataclass

import numpy as np

MOST = 4096  # occupied cells
LOWEST, HIGHEST = -205, 2050  # levels: every float a cell; all positive floats one cell, and all others
HALF, LOW = 26, (1 << 26) - 1
NEVER = HIGHEST + 1


@dataclass(frozen=True, eq=False)
class Cells:
    """The occupied cells, in the order of the line; all arrays are int64 and of one length.

    Attributes:
        level: of the partition.
        start: of each cell the end nearest to zero, as the bits of a float; inverted (~) left of zero.
        count: how many numbers are in it.
        low, high: the sum of their distances from `start` in units of the last place: its last 26 bits, and the others.
            Integers, so it is exact and knows no order. 0 in the cells around zero, whose sums the binades have.

    >>> Cells.merged(LOWEST, *np.array([[5, 1, 0, 0], [3, 2, 0, 0], [5, 1, 0, 0]]).T).count
    array([2, 2])

    """

    level: int
    start: np.ndarray
    count: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def merged(
        cls, level: int, start: np.ndarray, count: np.ndarray, low: np.ndarray, high: np.ndarray, *, most: int = MOST
    ) -> "Cells":
        """The cells at the lowest level from `level` on at which at most `most` are occupied.

        Those given may be of any levels up to `level`, in any order, and repeated.
        """
        parts = _at(level, start, count, low, high)
        if len(parts[0]) > most:
            level = _fitting(level, parts[0], most)
            parts = _at(level, *parts)
        return cls(level, *parts)

    def at(self, level: int) -> "Cells":
        """The cells at a level that is not below this one."""
        return self if level == self.level else Cells(level, *_at(level, *self.arrays))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`start`, `count`, `low` and `high`."""
        return self.start, self.count, self.low, self.high

    def __len__(self) -> int:
        return len(self.start)


def merge(a: Cells, b: Cells) -> Cells:
    """The cells of all numbers of both."""
    return Cells.merged(max(a.level, b.level), *(np.concatenate(pair) for pair in zip(a.arrays, b.arrays, strict=True)))


def sizes(start: np.ndarray) -> np.ndarray:
    """The bits of the size of cell starts, without their sign."""
    return np.where(start < 0, ~start, start)


def ends(start: np.ndarray, level: int) -> np.ndarray:
    """The bits of the other end of cells: where the next one away from zero starts."""
    size = sizes(start)
    around = size >> 52 <= level - 4
    return np.where(around, (level - 3) << 52, size + (1 << _dropped(size >> 52, level)))


def around_zero(start: np.ndarray, level: int) -> np.ndarray:
    """Which cells join several binades."""
    return sizes(start) >> 52 <= level - 4


def _dropped(binade: np.ndarray, level: int) -> np.ndarray:
    return np.clip(52 + ((level - binade) >> 2), 0, 52)


def _at(level: int, start: np.ndarray, count: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    """The parts of cells that are `start`, ..., at a level not below theirs, sorted and without repetition."""
    size = sizes(start)
    dropped = _dropped(size >> 52, level)
    around = size >> 52 <= level - 4
    cell = np.where(around, 0, (size >> dropped) << dropped)
    moved = size - cell
    low = np.where(around, 0, low + count * (moved & LOW))
    high = np.where(around, 0, high + count * (moved >> HALF))
    cell = np.where(start < 0, ~cell, cell)
    order = np.argsort(cell, kind="stable")
    cell = cell[order]
    first = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1 if len(cell) else 0))
    if not len(cell):
        return [cell, count, low, high]
    count, low, high = (np.add.reduceat(part[order], first) for part in (count, low, high))
    return [cell[first], count, low & LOW, high + (low >> HALF)]


def _fitting(level: int, start: np.ndarray, most: int) -> int:
    """The lowest level above `level` that leaves at most `most` of the sorted cells."""
    joins = np.sort(joining(start[:-1], start[1:]))
    return max(level, int(joins[len(start) - most - 1]))  # so many neighbours must have joined


def joining(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The lowest level at which neighbouring cells are one; NEVER across zero."""
    a, b = sizes(left), sizes(right)
    outer = np.maximum(a, b) >> 52
    differing = np.frexp((a ^ b).astype(np.float64))[1]  # within a binade below 2⁵², so the conversion is exact
    level = np.where(a >> 52 == b >> 52, outer - 4 * (52 - differing), outer + 4)
    return np.where((left < 0) != (right < 0), NEVER, np.maximum(level, LOWEST))
