"""Distances between two profiled columns that need no randomness: what fills the cells of a matrix."""

from collections.abc import Callable, Sequence
from math import nan, sqrt
from typing import NamedTuple

import numpy as np

from divergences.errors import DataError
from divergences.f_divergences.catalogue import js, total_variation
from divergences.files import show
from divergences.files._table import DATE
from divergences.profiles import moments
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.comparing import DAY, bracket, check_span, common_counts, representatives
from divergences.profiles.line import Line
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.profile import ColumnProfile, Profile, alike
from divergences.samples.columns.binned import bin_count


class Found(NamedTuple):
    """A distance and what it is between; NaN where it is not known."""

    value: float
    lower: float
    upper: float


def w1(x: NumberProfile, y: NumberProfile) -> Found:
    """W₁ in the column's own unit, of dates in days."""
    found, unit = bracket(Line.of(x, y)), DAY if x.kind == DATE else 1.0
    return Found(found.w1 / unit, found.w1_lower / unit, found.w1_upper / unit)


def w1_sd(x: NumberProfile, y: NumberProfile) -> Found:
    """W₁ in standard deviations of the pooled column, 0 where that has none."""
    deviation, found = moments.merge(x.moments, y.moments).deviation, bracket(Line.of(x, y))
    lengths = found.w1, found.w1_lower, found.w1_upper
    return Found(*(value / deviation if deviation else 0.0 for value in lengths))


def ks(x: NumberProfile, y: NumberProfile) -> Found:
    """The Kolmogorov-Smirnov distance; the value is the largest difference at ends of cells."""
    found = bracket(Line.of(x, y))
    return Found(found.ks_lower, found.ks_lower, found.ks_upper)


def _binned(divergence: Callable[..., float]) -> Callable[[NumberProfile, NumberProfile], Found]:
    def measured(x: NumberProfile, y: NumberProfile) -> Found:
        counts = representatives(Line.of(x, y))[1]
        after = np.cumsum(counts.sum(axis=0))
        middle = after - counts.sum(axis=0) / 2
        bins = (bin_count(x.n, y.n) * middle / after[-1]).astype(int)
        shares = np.stack([np.bincount(bins, row) for row in counts])
        return _exact(divergence(*(row / row.sum() for row in shares)))

    return measured


def js_distance(p: np.ndarray, q: np.ndarray) -> float:
    """√JS of two vectors of shares."""
    return sqrt(float(js(p, q)))


def _exact(value: float) -> Found:
    return Found(float(value), float(value), float(value))


OF_NUMBERS: dict[str, Callable[[NumberProfile, NumberProfile], Found]] = {
    "w1": w1,
    "w1_sd": w1_sd,
    "ks": ks,
    "js_distance": _binned(js_distance),
    "total_variation": _binned(total_variation),
}
METRICS = tuple(OF_NUMBERS)


def column_distance(x: ColumnProfile, y: ColumnProfile, metric: str) -> Found:
    """One of `METRICS` between two columns of one kind, gaps left out; NaN where a side has no values.

    js_distance and total_variation are of the shares in bins of equal pooled mass, as many as `compare` takes, or of
    the categories. Of categories w1, w1_sd and ks are the total variation: W₁ where any two words are one apart, and
    the largest difference on any set. Beyond 4,096 words the value takes the other words as one, a lower bound, and
    `upper` as if the two sides shared none of them.
    """
    if 0 in (x.n, y.n):
        return Found(nan, nan, nan)
    if isinstance(x, NumberProfile) and isinstance(y, NumberProfile):
        return OF_NUMBERS[metric](x, y)
    if not (isinstance(x, CategoryProfile) and isinstance(y, CategoryProfile)):
        raise DataError(f"the columns must be of one kind; they are a {x.kind} and a {y.kind}.")
    _, counts = common_counts(x, y)
    lumped = [row / row.sum() for row in counts]
    p, q = lumped
    apart = (np.append(p, 0.0), np.append(np.append(q[:-1], 0.0), q[-1]))
    divergence = js_distance if metric == "js_distance" else total_variation
    value = float(divergence(*lumped))
    return Found(value, value, value if x.exact and y.exact else float(divergence(*apart)))


def distance(x: Profile, y: Profile, metric: str, columns: Sequence[str]) -> dict[str, Found]:
    """That of each column; names that a side lacks and kinds that differ raise `DataError`."""
    found = {}
    for name in columns:
        for side in (x, y):
            if name not in side.columns:
                raise DataError(f"{show(side.labels[0])} has no column {show(name)}.")
        a, b = alike(name, x.columns[name], y.columns[name])
        if isinstance(a, NumberProfile) and isinstance(b, NumberProfile) and a.n and b.n:
            check_span(name, a, b)
        found[name] = column_distance(a, b, metric)
    return found
