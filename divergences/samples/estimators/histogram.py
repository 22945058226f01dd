"""Bins of equal pooled mass: the divergence of the binned laws, which is at most the true one."""

import math
from dataclasses import dataclass

import numpy as np

from divergences._checks import count
from divergences._results import Estimate, Interval
from divergences.errors import DataError
from divergences.f_divergence import FDivergence
from divergences.samples.estimators._pair import Pair

REPLICATES = 400
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True)
class Histogram:
    """The counts in bins with equal pooled mass, smoothed by ½ each (Krichevsky & Trofimov), put into the formula.

    A parametric bootstrap of the counts gives the bias, which is subtracted, and the spread. The interval
    reaches down to equality exactly when a test does not reject equality. Measured coverage on normal laws a half
    apart, n = m = 400: 90 to 97%; for unbounded divergences between distant laws less (Pearson, two apart: 78%).
    The target is the divergence of the *binned* laws, which is at most the true one (data processing).

    Attributes:
        bins: how many; None is 2 min(n, m)^(1/3) rounded up. Ties can leave fewer.

    """

    bins: int | None = None

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """As `Method.estimate`; one variable only."""
        if pair.d != 1:
            raise DataError(
                f"method 'histogram' must be given one variable; got {pair.d} columns. "
                "Estimate each by itself, or choose another method."
            )
        return _histogram(pair.x[:, 0], pair.y[:, 0], divergence, self.bins, rng)


def bin_edges(x: np.ndarray, y: np.ndarray, bins: int | None = None) -> np.ndarray:
    """The inner edges of bins that hold equal shares of the pooled sample; bin k is (edge_{k-1}, edge_k].

    >>> bin_edges(np.array([1.0, 2.0]), np.array([3.0, 4.0]), bins=2)
    array([2.])
    """
    pooled = np.concatenate([x, y])
    if bins is None:
        bins = max(2, math.ceil(2 * min(len(x), len(y)) ** (1 / 3)))
        bins = min(bins, len(pooled))
    elif count(bins, "bins", minimum=2) > len(pooled):
        raise DataError(f"bins must be at most n + m = {len(pooled)}; got {bins}.")
    edges = np.unique(np.quantile(pooled, np.arange(1, bins) / bins, method="inverted_cdf"))
    return edges[edges < pooled.max()]


def _histogram(x: np.ndarray, y: np.ndarray, d: FDivergence, bins: int | None, rng: np.random.Generator) -> Estimate:
    edges = bin_edges(x, y, bins)
    k = len(edges) + 1
    n, m = len(x), len(y)
    counts_x = np.bincount(np.searchsorted(edges, x, side="left"), minlength=k)
    counts_y = np.bincount(np.searchsorted(edges, y, side="left"), minlength=k)
    p, q = _smooth(counts_x), _smooth(counts_y)
    notes = _notes(counts_x, counts_y, bins, len(np.unique(np.concatenate([x, y]))))
    plug_in = float(d(p, q))
    replicates = _replicate(d, p, q, n, m, rng)
    bias, error = float(np.mean(replicates)) - plug_in, float(np.std(replicates, ddof=1))
    least = float(d(p, p))  # what no value of this divergence goes below
    centre = plug_in - bias
    low, high = (max(least, centre + side * NORMAL_975 * error) for side in (-1, 1))
    # Near equality a kink (total variation's) hides its bias from the bootstrap, so equality is tested by itself.
    pooled = _smooth(counts_x + counts_y)
    if plug_in <= np.quantile(_replicate(d, pooled, pooled, n, m, rng), 0.975):
        low = least
        notes.append("not to be told from two samples of one law")
    return Estimate(
        max(least, centre),
        standard_error=error,
        confidence_interval=Interval(low, high),
        method="histogram",
        n=n,
        m=m,
        notes=tuple(notes),
    )


def _replicate(d: FDivergence, p: np.ndarray, q: np.ndarray, n: int, m: int, rng: np.random.Generator) -> np.ndarray:
    """The plug-in on counts drawn from p and q."""
    return d(_smooth(rng.multinomial(n, p, REPLICATES)), _smooth(rng.multinomial(m, q, REPLICATES)))


def _smooth(counts: np.ndarray) -> np.ndarray:
    return (counts + 0.5) / (counts.sum(axis=-1, keepdims=True) + counts.shape[-1] / 2)


def _notes(counts_x: np.ndarray, counts_y: np.ndarray, bins: int | None, distinct: int) -> list[str]:
    k = len(counts_x)
    notes = [f"targets the laws binned into {k} parts of equal pooled mass: a lower bound of the divergence"]
    empty = int(((counts_x == 0) | (counts_y == 0)).sum())
    if empty:
        notes.append(f"{empty} of {k} bins are empty on one side: unbounded divergences are then set by the smoothing")
    n, m = int(counts_x.sum()), int(counts_y.sum())
    if distinct < n + m:
        notes.append(f"{distinct} distinct values among {n + m}: tied values share a bin")
    if bins is not None and k < bins:
        notes.append(f"ties leave {k} of the {bins} bins asked for")
    if min(n, m) < 30:
        notes.append(f"only {min(n, m)} values on a side: the interval is rough")
    return notes
