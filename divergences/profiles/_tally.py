"""The compiled pass over values: counts in cells, and exact sums of the values and of their squares."""

import numpy as np
from numba import types

from divergences._compiler import compiled

SLOTS = 1 << 14  # of the hash table, of which at most half are taken
HASH = np.uint64(0x9E3779B97F4A7C15)
HALF, LOW26, LOW27 = 26, (1 << 26) - 1, (1 << 27) - 1
MANTISSA = (1 << 52) - 1
INFINITE = 0x7FF << 52


_VALUES = types.Array(types.float64, 1, "C", readonly=True)  # writable arrays are accepted too
_TABLE = types.Array(types.int64, 2, "C")


@compiled(types.int64(_VALUES, types.int64, types.int64, _TABLE, _TABLE, types.Array(types.int64, 1, "C")))
def tally(values: np.ndarray, first: int, level: int, slots: np.ndarray, powers: np.ndarray, found: np.ndarray) -> int:
    """Count the values from `first` on, until half of the slots are taken; the index of the first one not counted.

    `slots` (SLOTS, 4) hold the start of a cell, its count and its two sums of offsets; `powers` (4096, 7) the count and
    the six sums of a binade; `found` the missing and infinite values, the slots taken, and the extreme keys.
    """
    for i in range(first, len(values)):
        x = values[i]
        if x != x:
            found[0] += 1
            continue
        size = np.abs(x)
        # As bits: the sizes of floats order as integers.
        magnitude = np.int64(np.float64(size).view(np.int64))
        if magnitude == INFINITE:
            found[1] += 1
            continue
        negative = x < 0.0
        key = -magnitude if negative else magnitude
        found[3] = min(found[3], key)
        found[4] = max(found[4], key)
        exponent = magnitude >> 52

        if exponent <= level - 4:
            start = np.int64(0)
            offset = np.int64(0)
        else:
            dropped = min(max(52 + ((level - exponent) >> 2), 0), 52)
            start = (magnitude >> dropped) << dropped
            offset = magnitude - start
        start = ~start if negative else start
        slot = np.int64((np.uint64(start) * HASH) >> np.uint64(50))
        while slots[slot, 1] != 0 and slots[slot, 0] != start:
            slot = (slot + 1) & (SLOTS - 1)
        if slots[slot, 1] == 0:
            if found[2] >= SLOTS // 2:
                return i
            found[2] += 1
            slots[slot, 0] = start
        slots[slot, 1] += 1
        slots[slot, 2] += offset & LOW26
        slots[slot, 3] += offset >> HALF

        row = exponent + 2048 if negative else exponent
        mantissa = (magnitude & MANTISSA) + ((exponent > 0) << 52)
        upper, lower = mantissa >> 27, mantissa & LOW27
        # (upper 2²⁷ + lower)² in four limbs of 27 bits: sums of 2³⁶ such limbs fit into 63 bits.
        limb0 = lower * lower
        limb1 = (limb0 >> 27) + 2 * upper * lower
        limb2 = (limb1 >> 27) + upper * upper
        powers[row, 0] += 1
        powers[row, 1] += lower
        powers[row, 2] += upper
        powers[row, 3] += limb0 & LOW27
        powers[row, 4] += limb1 & LOW27
        powers[row, 5] += limb2 & LOW27
        powers[row, 6] += limb2 >> 27
    return len(values)
