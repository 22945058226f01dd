"""Exact sums of numbers and of their squares, as integers per binade; so the mean and the deviation know no order."""

from dataclasses import dataclass
from math import isqrt

import numpy as np

UNIT = 1074  # the smallest float is 2**-1074: all sums are integers in this unit
LIMIT = 2**36  # numbers whose sums fit into 63 bits


@dataclass(frozen=True, eq=False)
class Moments:
    """Of each occupied binade (exponent bits, + 2048 left of zero): the count, and Σm and Σm² of the sizes m.

    Attributes:
        binade: (k,), rising.
        sums: (k, 7): the count; Σm in two limbs of 27 bits, in units of the last place; Σm² in four limbs.

    """

    binade: np.ndarray
    sums: np.ndarray

    @classmethod
    def of_rows(cls, rows: np.ndarray) -> "Moments":
        """From a table with one row for each binade, (4096, 7)."""
        binade = np.flatnonzero(rows[:, 0])
        return cls(binade, rows[binade])

    @property
    def n(self) -> int:
        """How many numbers there are."""
        return int(self.sums[:, 0].sum())

    def total(self, below: int = 2048, negative: bool | None = None) -> int:
        """Σx of the numbers in the binades `below`, of one sign or (None) both, in units of 2**-1074."""
        return sum(
            (-first_sum(sums) if binade >= 2048 else first_sum(sums)) << (max(binade & 2047, 1) - 1)
            for binade, sums in self._rows
            if binade & 2047 < below and negative in (None, binade >= 2048)
        )

    @property
    def squares(self) -> int:
        """Σx² in units of 2**-2148."""
        return sum(second_sum(sums) << 2 * (max(binade & 2047, 1) - 1) for binade, sums in self._rows)

    @property
    def mean(self) -> float:
        """Σx / n, rounded once."""
        return self.total() / (self.n << UNIT)

    @property
    def deviation(self) -> float:
        """√(Σ(x - mean)² / n), to one unit in the last place: what cancels does so among integers."""
        n = self.n
        variance = n * self.squares - self.total() ** 2  # of n x, in units of 2**-2148
        shift = max(0, 128 - variance.bit_length() // 2)
        return isqrt(variance << 2 * shift) / (n << UNIT + shift)

    @property
    def _rows(self) -> list[tuple[int, list[int]]]:
        return list(zip(self.binade.tolist(), self.sums.tolist(), strict=True))


def merge(a: Moments, b: Moments) -> Moments:
    """The moments of all numbers of both."""
    rows = np.zeros((4096, 7), np.int64)
    for part in (a, b):
        rows[part.binade] += part.sums
    return Moments.of_rows(rows)


def mean_shift(a: Moments, b: Moments) -> float:
    """The mean of b less that of a; the difference is rounded once."""
    return (b.total() * a.n - a.total() * b.n) / ((a.n * b.n) << UNIT)


def first_sum(sums: list[int]) -> int:
    """Σm of a binade."""
    return sums[1] + (sums[2] << 27)


def second_sum(sums: list[int]) -> int:
    """Σm² of a binade."""
    return sums[3] + (sums[4] << 27) + (sums[5] << 54) + (sums[6] << 81)
