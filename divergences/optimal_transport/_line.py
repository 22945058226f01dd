"""The compiled kernel that walks two sorted samples along their common quantiles and adds up what stretches cost."""

import numpy as np

from divergences._compiler import compiled

RUN = 128  # terms of a plain sum; sums of runs are carried as pairs, so that their rounding does not grow with n


@compiled("Tuple((float64, float64, int64))(float64[::1], float64[::1], int64, int64, float64, int64, int64)")
def costs(
    x: np.ndarray, y: np.ndarray, wide: int, narrow: int, power: float, start: int, stop: int
) -> tuple[float, float, int]:
    """The cost of x[start:stop] under the monotone coupling with y, a pair to be added; and how many terms underflow.

    Each x has `wide` units of mass and each y `narrow`; both samples are sorted and have the same number of units.
    """
    j, spent = start * wide // narrow, start * wide % narrow
    high, low, run, terms, tiny = 0.0, 0.0, 0.0, 0, 0
    for i in range(start, stop):
        left = wide
        while left > 0:
            moved = min(left, narrow - spent)
            difference = abs(x[i] - y[j])
            cost = difference if power == 1 else difference * difference if power == 2 else difference**power
            tiny += int(difference > 0 and cost < 2.3e-308)
            run += float(moved) * cost
            left -= moved
            spent += moved
            if spent == narrow:
                j, spent = j + 1, 0
            terms += 1
            if terms == RUN:
                both = high + run
                back = both - high
                low += (high - (both - back)) + (run - back)
                high, run, terms = both, 0.0, 0
    both = high + run
    back = both - high
    return both, low + ((high - (both - back)) + (run - back)), tiny
