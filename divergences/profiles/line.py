"""Two columns' cells on one line: where they begin and end, what is in them, and the integrals of the two F there."""

from dataclasses import dataclass
from math import frexp

import numpy as np

from divergences.profiles.cells import HALF, LOW, around_zero, ends, sizes
from divergences.profiles.moments import UNIT
from divergences.profiles.numbers import NumberProfile


@dataclass(frozen=True, eq=False)
class Line:
    """The cells in which either side has values, in their order, at the level of the coarser side.

    Lengths are in units of 2**`exponent`, in which the largest size is in [1/2, 1): no product overflows, and what
    underflows is 300 decades below.

    Attributes:
        left, right: the ends of cells (k,), the first and last ones cut at the extremes of both; equal for a cell that
            is one value, or underflows.
        single: (k,) which cells are one value.
        count: (2, k) of the reference and the current values.
        behind: (2, k), the sum of right - x over the values x of a cell: what they add to the integral of n F over it.
        value: (k,) the value where the cell is one; else its right end. In the column's own unit.

    """

    exponent: int
    left: np.ndarray
    right: np.ndarray
    single: np.ndarray
    count: np.ndarray
    behind: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, x: NumberProfile, y: NumberProfile) -> "Line":
        """The line of two profiles that have at least one number each."""
        level = max(x.cells.level, y.cells.level)
        sides = (x.cells.at(level), y.cells.at(level))
        start = np.union1d(sides[0].start, sides[1].start)
        count, low, high = np.zeros((3, 2, len(start)), np.int64)
        for k, side in enumerate(sides):
            place = np.searchsorted(start, side.start)
            count[k, place], low[k, place], high[k, place] = side.count, side.low, side.high
        lowest, highest = min(x.lowest, y.lowest), max(x.highest, y.highest)
        exponent = frexp(max(abs(lowest), abs(highest)))[1]
        near, far = _cut(start, level, lowest, highest)
        left, right = np.where(start < 0, -_float(far), _float(near)), np.where(start < 0, -_float(near), _float(far))

        size = sizes(start)
        steps = np.where(start < 0, near, far) - size  # from where offsets are counted to the right end
        rest_low, rest_high = count * (steps & LOW) - low, count * (steps >> HALF) - high
        rest_low, rest_high = np.where(start < 0, (-rest_low, -rest_high), (rest_low, rest_high))
        units = (rest_high + (rest_low >> HALF)) * 2.0**HALF + (rest_low & LOW)
        behind = np.ldexp(units, np.maximum(size >> 52, 1) - 1075 - exponent)
        for place in np.flatnonzero(around_zero(start, level)).tolist():
            for k, profile in enumerate((x, y)):
                total = profile.moments.total(below=level - 3, negative=bool(start[place] < 0))
                exact = int(count[k, place]) * _whole(float(right[place])) - total
                behind[k, place] = _scaled(exact, -UNIT - exponent)
        scaled = np.ldexp(left, -exponent), np.ldexp(right, -exponent)
        return cls(exponent, *scaled, left == right, count, behind, right)

    @property
    def n(self) -> int:
        """How many reference values there are."""
        return int(self.count[0].sum())

    @property
    def m(self) -> int:
        """How many current values there are."""
        return int(self.count[1].sum())


def _cut(start: np.ndarray, level: int, lowest: float, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """The bits of the ends of cells, the one nearer to zero first; nothing is beyond the extremes."""
    near, far = sizes(start), ends(start, level)
    far = np.where(far - near == 1, near, far)  # one float
    first, last = _bits(lowest), _bits(highest)
    if start[0] < 0:
        far[0] = first
    else:
        near[0] = first
    if start[-1] < 0:
        near[-1] = last
    else:
        far[-1] = last
    return near, far


def _bits(x: float) -> int:
    return int(np.float64(abs(x)).view(np.int64))


def _float(bits: np.ndarray) -> np.ndarray:
    return bits.view(np.float64)


def _whole(x: float) -> int:
    """X in units of 2**-1074."""
    top, bottom = x.as_integer_ratio()
    return (top << UNIT) // bottom


def _scaled(x: int, exponent: int) -> float:
    """X times 2**exponent, for x of any length."""
    spare = max(0, x.bit_length() - 64)
    return float(np.ldexp(float(x >> spare), spare + exponent))
