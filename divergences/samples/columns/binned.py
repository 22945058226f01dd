"""Divergences of a column's binned laws: each with an interval, and beside what two samples of one law would give."""

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np

from divergences._results import Estimate, Interval
from divergences.f_divergences.catalogue import jeffreys, js, kl, total_variation
from divergences.samples.comparison import Null
from divergences.samples.estimators.histogram import counted

MOST_BINS, PSI_BINS = 64, 10
CATEGORIES = 256  # compared one by one, the commonest; the others together


def bin_count(n: int, m: int) -> int:
    """2 min(n, m)^(1/3) rounded up, the rule of `Histogram`, but at most 64.

    >>> bin_count(1000, 1000), bin_count(10**7, 10**7)
    (20, 64)
    """
    return min(MOST_BINS, max(2, math.ceil(2 * min(n, m) ** (1 / 3) - 1e-9)))


def binned(
    counts: tuple[np.ndarray, np.ndarray], psi_counts: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> dict[str, Any]:
    """js_distance, total_variation, kl and psi with their nulls, as fields of a `ColumnComparison`.

    KL is of the reference from the current data, PSI is `jeffreys`. Shares are smoothed by ½ a count (Krichevsky &
    Trofimov), so that both are finite; where the plain formula is infinite, a note says so.
    """
    told = counted(*counts, (js, total_variation, kl), rng)
    told += counted(*psi_counts, (jeffreys,), rng)
    names = ("js_distance", "total_variation", "kl", "psi")
    found = {name: one.estimate for name, one in zip(names, told, strict=True)}
    nulls = {name: Null.of(one.plug_in, one.null) for name, one in zip(names, told, strict=True)}
    nulls["js_distance"] = Null.of(math.sqrt(told[0].plug_in), np.sqrt(np.maximum(told[0].null, 0.0)))
    found["js_distance"] = _root(found["js_distance"])
    for name, (x, y) in (("kl", counts), ("psi", psi_counts)):
        gone, new = int(((y == 0) & (x > 0)).sum()), int(((x == 0) & (y > 0)).sum()) if name == "psi" else 0
        if gone + new:
            said = f"infinite without smoothing: {gone + new} of {len(x)} bins are empty on one side only"
            found[name] = replace(found[name], notes=(*found[name].notes, said))
    return {**found, "nulls": nulls}


def commonest(counts_x: np.ndarray, counts_y: np.ndarray, limit: int = CATEGORIES) -> tuple[np.ndarray, np.ndarray]:
    """The counts of the limit - 1 commonest categories of the pooled sample, and last those of all others together.

    >>> commonest(np.array([5, 1, 0, 3]), np.array([5, 0, 1, 3]), limit=3)
    (array([5, 3, 1]), array([5, 3, 1]))
    """
    if len(counts_x) <= limit:
        return counts_x, counts_y
    order = np.argsort(-(counts_x + counts_y), kind="stable")
    ends = np.arange(limit)
    return np.add.reduceat(counts_x[order], ends), np.add.reduceat(counts_y[order], ends)


def _root(e: Estimate) -> Estimate:
    """The square root of an estimate and its interval: the JS distance of a JS divergence."""
    low, high = (math.sqrt(max(v, 0.0)) for v in cast(Interval, e.confidence_interval))
    return replace(e, value=math.sqrt(max(e.value, 0.0)), standard_error=None, confidence_interval=Interval(low, high))
