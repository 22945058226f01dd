"""Both densities by Gaussian kernels, on rows the kernels have not seen."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import gammaln

from divergences._checks import positive
from divergences._parallel import run_blocks
from divergences._results import Estimate
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples.estimators._critic import FOLDS, LogRatios, folds, judged, standardised
from divergences.samples.estimators._pair import Pair

BANDWIDTHS = (0.35, 0.5, 0.7, 1.0, 1.4)  # times Scott's rule
PILOT = 500  # rows on which the bandwidth is chosen
DEFENCE = 5.0  # rows' worth of a broad law mixed into both densities
BLOCK = 2**18  # distances held at a time
MANY = 2**23  # distances from which on a compiled pass is worth loading
FREEDOM = 3.0  # of the broad Student law


@dataclass(frozen=True)
class KernelDensity:
    """p̂ and q̂ by Gaussian kernels shaped as the covariance of each sample; any divergence, any dimension, no grid.

    Each row is judged by kernels at four fifths of the others. Into both densities goes 5/n of one broad Student law:
    where neither sample has rows, the ratio goes to one rather than to 0 or inf. The value is E_p T − E_q f*(T) for the
    critic T = f'(p̂/q̂), the one-step corrected plug-in. It falls short where kernels blur, by much in many dimensions.
    Time O((n + m)² d), memory O(n + m).

    Attributes:
        bandwidth: a factor on Scott's rule n^(−1/(d+4)); None chooses it by the leave-one-out likelihood.

    Source: Kandasamy et al. (2015).

    """

    bandwidth: float | None = None

    def __post_init__(self) -> None:
        if self.bandwidth is not None:
            positive(self.bandwidth, "bandwidth")

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """As `Method.estimate`; at least 10 rows on each side."""
        x, y = standardised(pair, "kernel_density")
        if x.shape[1] == 0:
            zeros = LogRatios(*(np.zeros(len(v)) for v in (x, y, x, y)))
            return judged(pair, divergence, zeros, "kernel_density", ("all rows are equal",))
        side_x, side_y = (_Side.of(v, self.bandwidth, rng) for v in (x, y))
        ratios = _log_ratios(side_x, side_y, x, y)
        notes = (f"bandwidths {side_x.factor:.2g} and {side_y.factor:.2g} times Scott's rule",)
        if pair.d > 3:
            notes += (f"kernels blur in {pair.d} dimensions: expect the value to be much too low",)
        return judged(pair, divergence, ratios, "kernel_density", notes)


class _Side(NamedTuple):
    """One sample as kernels: rows whitened so that the kernel is exp(−‖·‖²/2), in the order of their folds."""

    turn: np.ndarray  # points @ turn are in units of the kernel
    rows: np.ndarray
    starts: np.ndarray  # where each fold begins
    fold: np.ndarray  # of each row of the sample, in its own order
    log_peak: float  # log of the height of one kernel
    factor: float

    @classmethod
    def of(cls, sample: np.ndarray, bandwidth: float | None, rng: np.random.Generator) -> "_Side":
        n, d = sample.shape
        turn = _whitening(sample)
        scott = n ** (-1 / (d + 4))
        factor = bandwidth or _likeliest(sample @ turn, rng)
        turn = turn / (factor * scott)
        fold = folds(n, rng)
        order = np.argsort(fold, kind="stable")
        starts = np.searchsorted(fold[order], np.arange(FOLDS))
        log_peak = float(np.linalg.slogdet(turn)[1]) - d / 2 * math.log(2 * math.pi)
        return cls(turn, (sample @ turn)[order], starts, fold, log_peak, factor)

    def sums(self, points: np.ndarray) -> np.ndarray:
        """Σ of the kernels of each fold at each point, shape (points, FOLDS)."""
        at, out = np.ascontiguousarray(points @ self.turn), np.empty((len(points), FOLDS))
        step = max(1, BLOCK // len(self.rows))
        if len(points) * len(self.rows) >= MANY:
            from divergences.samples import _bumps

            columns, ends = np.ascontiguousarray(self.rows.T), np.append(self.starts, len(self.rows))
            run_blocks(lambda a, b: _bumps.sums(at, a, b, columns, ends, out), total=len(points), size=step)
            return out

        def work(start: int, stop: int) -> None:
            near = cdist(at[start:stop], self.rows, "sqeuclidean")
            near *= -0.5
            np.exp(near, out=near)
            out[start:stop] = np.add.reduceat(near, self.starts, axis=1)

        run_blocks(work, total=len(points), size=step)
        return out

    def log_densities(self, points: np.ndarray, broad: np.ndarray, own: bool) -> tuple[np.ndarray, np.ndarray]:
        """log p̂ at points by the rows outside their fold (by all, if they are of the other sample), and by all."""
        sums, n = self.sums(points), len(self.rows)
        everything = sums.sum(axis=1)
        if own:
            sizes = np.diff(np.append(self.starts, n))
            sums[np.arange(n), self.fold] = 0.0
            outside, seen = sums.sum(axis=1), n - sizes[self.fold]
        else:
            outside, seen = everything, np.full(len(points), n)
        share = min(0.5, DEFENCE / n)
        with np.errstate(divide="ignore"):  # no kernel in reach: the broad law takes over
            held, fitted = (np.log(s) - np.log(k) + self.log_peak for s, k in ((outside, seen), (everything, n)))
        mixed = (np.logaddexp(v + math.log1p(-share), broad + math.log(share)) for v in (held, fitted))
        return tuple(mixed)  # type: ignore[return-value]


def _log_ratios(side_x: _Side, side_y: _Side, x: np.ndarray, y: np.ndarray) -> LogRatios:
    broad_x, broad_y = _broad(x), _broad(y)
    p_x, p_fitted_x = side_x.log_densities(x, broad_x, own=True)
    q_x, _ = side_y.log_densities(x, broad_x, own=False)
    p_y, _ = side_x.log_densities(y, broad_y, own=False)
    q_y, q_fitted_y = side_y.log_densities(y, broad_y, own=True)
    return LogRatios(p_x - q_x, p_y - q_y, p_fitted_x - q_x, p_y - q_fitted_y)


def _broad(points: np.ndarray) -> np.ndarray:
    """Log-density of the Student law with the pooled means and deviations, which are 0 and 1."""
    d = points.shape[1]
    constant = gammaln((FREEDOM + d) / 2) - gammaln(FREEDOM / 2) - d / 2 * math.log(math.pi * (FREEDOM - 2))
    return constant - (FREEDOM + d) / 2 * np.log1p(np.sum(points**2, axis=1) / (FREEDOM - 2))


def _whitening(sample: np.ndarray) -> np.ndarray:
    """W with cov(sample @ W) = I, the covariance first drawn to its diagonal where rows are few for its entries.

    A column that is constant here, but not in the other sample, keeps a deviation of 1e-6 of the pooled one.
    """
    n, d = sample.shape
    covariance = np.atleast_2d(np.cov(sample.T))
    diagonal = np.maximum(np.diag(covariance), 1e-12)
    shrink = min(1.0, 5 * d / n)
    covariance = (1 - shrink) * covariance + shrink * np.diag(diagonal)
    np.fill_diagonal(covariance, diagonal)
    values, vectors = np.linalg.eigh(covariance)
    return vectors / np.sqrt(np.maximum(values, 1e-12))


def _likeliest(rows: np.ndarray, rng: np.random.Generator) -> float:
    """The factor on Scott's rule with the largest leave-one-out likelihood, on at most PILOT rows."""
    if len(rows) > PILOT:
        rows = rows[rng.choice(len(rows), PILOT, replace=False)]
    n, d = rows.shape
    squares = cdist(rows, rows, "sqeuclidean")
    np.fill_diagonal(squares, np.inf)
    nearest = squares.min(axis=1)
    squares -= nearest[:, None]  # the largest kernel of each row is one: no sum vanishes
    widths = np.array(BANDWIDTHS) * n ** (-1 / (d + 4))
    scores = [
        float(np.mean(np.log(np.exp(squares * (-0.5 / w**2)).sum(axis=1)) - nearest / (2 * w**2))) - d * math.log(w)
        for w in widths
    ]
    return BANDWIDTHS[int(np.argmax(scores))]
