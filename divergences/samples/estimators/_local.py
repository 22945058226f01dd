"""Log-density ratios at the sample points, from distances to nearest neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import digamma, gammaln, ive

from divergences.samples._neighbours import Neighbours

Trees = tuple[Neighbours, Neighbours]
STEEPEST = 1e4  # of a local log-density, per radius of its ball


@dataclass(frozen=True, eq=False)
class Ratios:
    """Estimates of log p/q at each x, (n, j), and at each y, (m, j): one column per number of neighbours."""

    x: np.ndarray
    y: np.ndarray

    @property
    def finite(self) -> bool:
        """False where more than k points coincide, so that a ball has no size."""
        return bool(np.isfinite(self.x).all() and np.isfinite(self.y).all())


def by_distance(trees: Trees, ks: list[int], *, at: str = "xy") -> Ratios:
    """From the radii of the balls that hold k neighbours, one column for each of `ks`.

    log p/q ≈ d log(ν_k/ρ_k) + log(m/(n - 1)) at x, where ρ_k reaches the k-th other x and ν_k the k-th y: unbiased
    where the densities are constant over the balls. Source: Wang, Kulkarni & Verdú (2009), eq. 5.
    `at` names the samples at whose points the ratio is needed; the other stays empty.
    """
    columns, d = np.array(ks) - 1, trees[0].points.shape[1]
    return _ratios(trees, max(ks), lambda p, s, radii, who: -d * np.log(radii[:, columns]), at)


def by_slope(trees: Trees, k: int) -> Ratios:
    """As `by_distance` with one k, but each density may change exponentially across its ball.

    The k - 1 points inside a ball, given its radius r, are a sample of the density in the ball. Where that is
    proportional to exp(b·u) on the unit ball, their mean determines b (the likelihood of an exponential family), and
    the density at the centre is that of the ball divided by the average of exp(b·u) over it. This removes the
    first-order bias and follows a density into a tail that the sample does not reach. Source: Loader (1996), local
    log-linear likelihood, here with the uniform kernel.
    """
    d = trees[0].points.shape[1]

    def log_density(at: np.ndarray, sample: np.ndarray, radii: np.ndarray, who: np.ndarray) -> np.ndarray:
        centre = (sample[who[:, :-1]] - at[:, None]).mean(axis=1)
        lean = np.linalg.norm(centre, axis=1) / radii[:, -1]
        return (-d * np.log(radii[:, -1]) - _log_average(lean, d))[:, None]

    return _ratios(trees, k, log_density)


def by_count(trees: Trees, k: int) -> Ratios:
    """From how many points of each sample one ball holds: right for atoms and lattices too, where points coincide.

    The ball around a point reaches its k-th neighbour in both samples, and everything at its edge counts. The sample
    that sets the radius has l points in it, the other c: log p/q ≈ ±(ψ(l) - ψ(c + 1)) + log(m/(n - 1)), since
    E ψ(c + 1) is about log E c for a Poisson count, and E ψ(k) that of the ball of the k-th neighbour; where both set
    it, ψ(c). Source: Wang, Kulkarni & Verdú (2009), section III; Kraskov, Stögbauer & Grassberger (2004).
    """
    (first, second), (n, m) = trees, (len(trees[0].points), len(trees[1].points))

    def at(own: Neighbours, other: Neighbours) -> tuple[np.ndarray, np.ndarray]:
        reach_own, reach_other = own.nearest(k)[0][:, -1], other.nearest(k, of=own)[0][:, -1]
        radii = np.maximum(reach_own, reach_other)
        counts = own.within(radii), other.within(radii, of=own)
        return digamma(counts[0] + (reach_own < radii)), digamma(counts[1] + (reach_other < radii))

    (xx, xy), (yy, yx) = at(first, second), at(second, first)
    return Ratios((xx - xy + np.log(m / (n - 1)))[:, None], (yx - yy + np.log((m - 1) / n))[:, None])


def _ratios(trees: Trees, k: int, log_density: Callable[..., np.ndarray], at: str = "xy") -> Ratios:
    """Log p/q at both samples from a log-density that is right up to the constants that its formula leaves out."""
    (first, second), (n, m) = trees, (len(trees[0].points), len(trees[1].points))
    at_x = at_y = np.empty((0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # balls of radius zero: see `Ratios.finite`
        if "x" in at:
            p, q = (
                log_density(first.points, first.points, *first.nearest(k)),
                log_density(first.points, second.points, *second.nearest(k, of=first)),
            )
            at_x = p - q + np.log(m / (n - 1))
        if "y" in at:
            p, q = (
                log_density(second.points, first.points, *first.nearest(k, of=second)),
                log_density(second.points, second.points, *second.nearest(k)),
            )
            at_y = p - q + np.log((m - 1) / n)
    return Ratios(at_x, at_y)


def _log_average(lean: np.ndarray, d: int) -> np.ndarray:
    """Log of the average of exp(b·u) over the unit ball, for the b under which the mean of u has length `lean`."""
    slope = np.interp(lean, *_leans(d))
    small = np.maximum(slope, 1e-3)
    log_bessel = np.log(ive(d / 2, small)) + small
    exact = gammaln(d / 2 + 1) + d / 2 * np.log(2 / small) + log_bessel
    return np.where(slope < 1e-3, slope**2 / (2 * (d + 2)), exact)


@cache
def _leans(d: int) -> tuple[np.ndarray, np.ndarray]:
    """The length of the mean of u under exp(b·u) on the unit ball, for lengths of b, which follow."""
    slopes = np.concatenate([[0.0], np.geomspace(1e-3, STEEPEST, 4000)])
    with np.errstate(invalid="ignore"):
        leans = ive(d / 2 + 1, slopes) / ive(d / 2, slopes)
    leans[0] = 0.0
    return leans, slopes
