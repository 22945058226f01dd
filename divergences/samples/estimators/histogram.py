"""Bins of equal pooled mass: the divergence of the binned laws, which is at most the true one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtri

from divergences._checks import count, positive
from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples.estimators._critic import largest
from divergences.samples.estimators._pair import Pair
from divergences.samples.estimators._values import kinked

REPLICATES = 400
COMPILED = 20_000  # values in all beyond which kernels are worth loading
NORMAL_95, NORMAL_975 = 1.6448536269514722, 1.959963984540054
SCARCE = 5  # points of a bin, below which their share is known to no factor


@dataclass(frozen=True)
class Histogram:
    """The counts in bins with equal pooled mass, smoothed by ½ each (Krichevsky & Trofimov), put into the formula.

    A parametric bootstrap of the counts gives the bias, which is subtracted, and the spread. The interval
    reaches down to equality exactly when a test does not reject equality. The target is the divergence of the *binned*
    laws, which is at most the true one (data processing). Where a bin holds fewer than 5 points of the sample whose
    absence makes the divergence infinite, counts give no upper end, and the interval has none.

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

    With `bins` None there are 2 min(n, m)^(1/3), rounded up; if there are no more values than that, each has its own.

    >>> bin_edges(np.array([1.0, 2.0]), np.array([3.0, 4.0]), bins=2)
    array([2.])
    """
    pooled = np.concatenate([x, y])
    if bins is None:
        bins = max(2, math.ceil(2 * min(len(x), len(y)) ** (1 / 3)))
        bins = min(bins, len(pooled))
        values = np.unique(pooled)
        if len(values) <= bins:
            return values[:-1]
    elif count(bins, "bins", minimum=2) > len(pooled):
        raise DataError(f"bins must be at most n + m = {len(pooled)}; got {bins}.")
    edges = np.unique(np.quantile(pooled, np.arange(1, bins) / bins, method="inverted_cdf"))
    return edges[edges < pooled.max()]


def _histogram(x: np.ndarray, y: np.ndarray, d: FDivergence, bins: int | None, rng: np.random.Generator) -> Estimate:
    edges = bin_edges(x, y, bins)
    k = len(edges) + 1
    counts_x = np.bincount(np.searchsorted(edges, x, side="left"), minlength=k)
    counts_y = np.bincount(np.searchsorted(edges, y, side="left"), minlength=k)
    notes = _notes(counts_x, counts_y, bins, len(np.unique(np.concatenate([x, y]))))
    found = counted(counts_x, counts_y, [d], rng)[0].estimate
    return replace(found, notes=(*notes, *found.notes))


@dataclass(frozen=True, eq=False)
class Counted:
    """A divergence of two histograms.

    Attributes:
        estimate: its bias subtracted, with an interval.
        plug_in: the formula at the smoothed shares, as it is.
        null: plug-ins of counts drawn from one law, the pooled one; (400,).

    """

    estimate: Estimate
    plug_in: float
    null: np.ndarray


def counted(
    counts_x: np.ndarray, counts_y: np.ndarray, divergences: Sequence[FDivergence], rng: np.random.Generator
) -> list[Counted]:
    """Several divergences of the laws behind two rows of counts, from the same bootstrap replicates.

    >>> from divergences import js, jeffreys
    >>> found = counted(np.array([50, 50]), np.array([30, 70]), [js, jeffreys], np.random.default_rng(0))
    >>> [round(c.plug_in, 3) for c in found]
    [0.021, 0.166]
    """
    n, m, p, q = int(counts_x.sum()), int(counts_y.sum()), _smooth(counts_x), _smooth(counts_y)
    drawn = _replicates(p, q, n, m, rng)
    pooled = _smooth(counts_x + counts_y)
    equal = _replicates(pooled, pooled, n, m, rng)
    return [_counted(d, counts_x, counts_y, _values(d, n + m, *drawn), _values(d, n + m, *equal)) for d in divergences]


def _values(d: FDivergence, total: int, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Of many rows of shares; for much data by the compiled kernel, which is then loaded for other work too."""
    value = np.full(len(p), np.nan) if d.fused is None or total <= COMPILED else d.fused(p, q) + d.f_at_one
    return np.asarray(d(p, q)) if np.isnan(value).any() else value


def _counted(
    d: FDivergence, counts_x: np.ndarray, counts_y: np.ndarray, replicates: np.ndarray, null: np.ndarray
) -> Counted:
    n, m, p, q = int(counts_x.sum()), int(counts_y.sum()), _smooth(counts_x), _smooth(counts_y)
    notes = []
    plug_in = float(d(p, q))
    bias, error = float(np.mean(replicates)) - plug_in, float(np.std(replicates, ddof=1))
    least = float(d(p, p))  # what no value of this divergence goes below
    centre = plug_in - bias
    scarce = [side for side, counts in _matters(d, counts_x, counts_y) if counts.min() < SCARCE]
    # The bootstrap holds the bins fixed, but the same points have drawn them: measured, that costs up to this much.
    wider = max(1 + 4 / math.sqrt(min(n, m)), 1.15 if kinked(d) else 1.0)
    z = wider * (NORMAL_95 if scarce else NORMAL_975)
    most = largest(d)
    low, high = (min(max(least, centre + side * z * error), most) for side in (-1, 1))
    if scarce:
        high = math.inf
        notes.append(f"a bin has fewer than {SCARCE} points of {' and '.join(scarce)}: the interval has no upper end")
    # Near equality a kink (total variation's) hides its bias from the bootstrap, so equality is tested by itself.
    if plug_in <= np.quantile(null, 0.975):
        low = least
        notes.append("not to be told from two samples of one law")
    estimate = Estimate(
        min(max(least, centre), most),
        standard_error=error,
        confidence_interval=Interval(low, high),
        method="histogram",
        n=n,
        m=m,
        notes=tuple(notes),
    )
    return Counted(estimate, plug_in, null)


def _replicates(
    p: np.ndarray, q: np.ndarray, n: int, m: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed shares of counts drawn from p and q."""
    return _smooth(rng.multinomial(n, p, REPLICATES)), _smooth(rng.multinomial(m, q, REPLICATES))


def _matters(d: FDivergence, counts_x: np.ndarray, counts_y: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The samples whose empty bins make the divergence infinite."""
    with quiet():
        ends = np.isinf(d.cost(*np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 1.0]])))  # p = 0 < q, q = 0 < p
    return [side for side, end in zip((("x", counts_x), ("y", counts_y)), ends, strict=True) if end]


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


def histogram_null(divergence: FDivergence, n: int, m: int, bins: int, level: float = 0.95) -> tuple[float, float]:
    """(mean, quantile at `level`) of a divergence of two histograms of one law, with n and m counts in `bins` bins.

    For a generator that is smooth at 1, ½ f''(1) (1/n + 1/m) χ² with bins - 1 degrees of freedom, in the limit of many
    counts per bin: E PSI = (bins - 1)(1/n + 1/m), where PSI is `jeffreys`; JS has an eighth of that. It is what "no
    drift" looks like at these sizes, whatever the folklore's thresholds.

    Raises:
        DataError: fewer than one count or two bins, a level outside (0, 1), or a generator with a kink at 1.

    >>> from divergences import js, jeffreys
    >>> mean, quantile = histogram_null(jeffreys, 100, 100, 10)
    >>> print(f"{mean:.3f} {quantile:.3f}")
    0.180 0.338
    >>> print(f"{histogram_null(js, 100, 100, 10)[0]:.4f}")
    0.0225

    Source: Yurdakul (2018) for PSI; Csiszár & Shields (2004), theorem 4.1.

    """
    scale = 1 / count(n, "n") + 1 / count(m, "m")
    freedom = count(bins, "bins", minimum=2) - 1
    if positive(level, "level") >= 1:
        raise DataError(f"level must be below 1; got {level!r}.")
    slope = lambda u: float(divergence.derivative(u))
    curvature, closer = ((slope(1 + h) - slope(1 - h)) / (2 * h) for h in (1e-3, 1e-4))
    if not abs(closer - curvature) <= 0.01 * curvature:
        raise DataError(
            f"divergence {divergence.name!r} must have a smooth generator at 1; its slope jumps there. "
            "Use permutations."
        )
    return curvature / 2 * scale * freedom, curvature / 2 * scale * float(chdtri(freedom, 1 - level))
