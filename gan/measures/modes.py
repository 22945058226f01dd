"""Which modes a generator covers. The target says which mode a point belongs to, and whether it is a good one."""

import math

import numpy as np
from scipy.special import xlogy
from scipy.stats import chi2

from divergences.errors import DataError
from gan.measures.sample import Pair

RADIUS = 3.0  # a sample within 3 sigma of a mode is of high quality
SHARE = 0.01  # the stricter rule: a mode is covered by at least 1 % of all samples, of high quality


def ceiling(dimension: int) -> float:
    """The share of a Gaussian within 3 sigma of its mean: 1 - exp(-9/2) in two dimensions.

    >>> round(ceiling(2), 5), round(ceiling(1), 5)
    (0.98889, 0.9973)
    """
    return float(chi2.cdf(RADIUS**2, dimension))


def modes(pair: Pair) -> float:
    """Modes with at least one sample of high quality. Stray samples count as well: see `modes_1pct`."""
    return float((_hits(pair) > 0).sum())


def modes_1pct(pair: Pair) -> float:
    """Modes with at least 1 % of all samples, these of high quality."""
    return float((_hits(pair) >= SHARE * len(pair.fake.points)).sum())


def high_quality(pair: Pair) -> float:
    """The share of samples of high quality: of a Gaussian mode, within 3 sigma. Collapse to a mode's centre gives 1."""
    return float(pair.fake.assigned[1].mean())


def mode_reverse_kl(pair: Pair) -> float:
    """KL(h, w) of the histogram h of high-quality samples over the K modes from their weights w, in nats.

    With equal weights log K - H(h), between 0 and log K. A perfect generator gets (K - 1) / (2 n) on average.
    """
    hits = _hits(pair)
    if not hits.any():
        raise DataError("The histogram over modes needs samples of high quality; there are none.")
    share = hits / hits.sum()
    weights = np.asarray(getattr(pair.fake.data, "weights", np.full(len(hits), 1 / len(hits))))
    return max(0.0, math.fsum(xlogy(share, share / weights)))


def _hits(pair: Pair) -> np.ndarray:
    """Samples of high quality per mode: (K,)."""
    mode, good = pair.fake.assigned
    return np.bincount(mode[good], minlength=pair.fake.data.mode_count)
