"""The profile of a column of numbers or dates: cells, exact moments and extremes."""

from dataclasses import dataclass, replace

import numpy as np

from divergences.errors import DataError
from divergences.files._table import NUMBER
from divergences.profiles import cells as _cells
from divergences.profiles import moments as _moments
from divergences.profiles.cells import LOWEST, Cells
from divergences.profiles.moments import LIMIT, Moments


@dataclass(frozen=True, eq=False)
class NumberProfile:
    """What is kept of a column of numbers (or dates, in seconds).

    Attributes:
        kind: "number" or "date".
        cells: counts in at most 4,096 cells, each with the exact sum of its numbers.
        moments: exact sums of all numbers and of their squares.
        lowest, highest: the extreme numbers; inf and -inf where there is none.
        missing: how many cells of the column were NaN.

    >>> profile = NumberProfile.of(np.array([1.0, 2.0, np.nan, 2.0]))
    >>> profile.n, profile.missing, profile.mean, profile.highest
    (3, 1, 1.6666666666666667, 2.0)

    """

    kind: str
    cells: Cells
    moments: Moments
    lowest: float
    highest: float
    missing: int

    @classmethod
    def of(cls, values: np.ndarray, kind: str = NUMBER, level: int = LOWEST) -> "NumberProfile":
        """The profile of float64 values, NaN where one is missing.

        `level` is a level of cells that is known to be needed: that of other values with which these will be merged.
        Raises DataError for an infinite value.
        """
        from divergences.profiles import _tally

        values = np.ascontiguousarray(values, dtype=np.float64)
        powers = np.zeros((4096, 7), np.int64)
        found = np.array([0, 0, 0, np.iinfo(np.int64).max, np.iinfo(np.int64).min])
        cells = Cells.merged(level, *np.zeros((4, 0), np.int64))
        done = 0
        while done < len(values):
            slots = np.zeros((_tally.SLOTS, 4), np.int64)
            found[2] = 0
            done = _tally.tally(values, done, cells.level, slots, powers, found)
            part = slots[slots[:, 1] > 0].T
            cells = _cells.merge(cells, Cells(cells.level, *part)) if len(cells) else Cells.merged(cells.level, *part)
        missing, infinite, _, lowest, highest = found.tolist()
        if infinite:
            raise DataError(f"values must be finite; got {infinite} infinite of {len(values)}. Clean the data.")
        return cls(kind, cells, Moments.of_rows(powers), _number(lowest), _number(highest), missing)

    @property
    def n(self) -> int:
        """How many numbers there are, without the missing ones."""
        return int(self.cells.count.sum())

    @property
    def mean(self) -> float:
        """Of the numbers, rounded once; NaN where there is none."""
        return self.moments.mean if self.n else np.nan

    @property
    def deviation(self) -> float:
        """The standard deviation, divisor n, right to a unit in the last place; NaN where there is no number."""
        return self.moments.deviation if self.n else np.nan

    @property
    def exact(self) -> bool:
        """Whether each cell is one value."""
        return self.cells.level == LOWEST


def merge(a: NumberProfile, b: NumberProfile) -> NumberProfile:
    """The profile of the values of both. Raises DataError beyond 2**36 numbers."""
    if a.n + b.n >= LIMIT:
        raise DataError(f"a profile must hold fewer than {LIMIT:,} numbers; these two hold {a.n + b.n:,}.")
    return replace(
        a,
        cells=_cells.merge(a.cells, b.cells),
        moments=_moments.merge(a.moments, b.moments),
        lowest=min(a.lowest, b.lowest),
        highest=max(a.highest, b.highest),
        missing=a.missing + b.missing,
    )


def _number(key: int) -> float:
    """The float of an ordered key; those that start the search for extremes give ±inf."""
    if abs(key) >= 0x7FF << 52:
        return np.inf if key > 0 else -np.inf
    return float(np.copysign(np.int64(abs(key)).view(np.float64), key))
