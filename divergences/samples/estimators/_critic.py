"""What the methods that learn a log-ratio share: from log p̂/q̂ on held-out points to a value and an honest interval."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples.estimators._pair import Pair

FOLDS = 5
FEWEST = 2 * FOLDS
NORMAL_975 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class LogRatios:
    """log p̂/q̂ at the rows of x and y, from fits that have not seen those rows (held) and that have (fitted)."""

    held_x: np.ndarray
    held_y: np.ndarray
    fitted_x: np.ndarray
    fitted_y: np.ndarray


def critic(divergence: FDivergence, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f̃'(r) and f̃(r) − r f̃'(r), r = e^log_ratio: what T = f'(r) earns under p, and minus what it pays under q.

    Their two means, plus f(1), are E_p T − E_q f*(T). Both are 0 at r = 1, so they do not cancel near equality.
    """
    p, q = np.exp(np.minimum(log_ratio, 0.0)), np.exp(-np.maximum(log_ratio, 0.0))
    d = np.where(log_ratio > 0, -np.expm1(-log_ratio), np.expm1(log_ratio))
    with quiet():
        gain, charge = divergence.partials(p, q, d)
    return np.asarray(gain), np.asarray(charge)


def bound(divergence: FDivergence, x: np.ndarray, y: np.ndarray, limit: float) -> tuple[float, float]:
    """E_p T − E_q f*(T) of the critic with these log-ratios, clipped to ±limit, and its standard error.

    It is the plug-in divergence of the fitted densities plus the mean of its influence function on the held-out points
    (Kandasamy et al. 2015): the integrals of the one-step correction cancel, and what is left is the variational bound.
    """
    x, y = np.clip(x, -limit, limit), np.clip(y, -limit, limit)
    gain, charge = critic(divergence, x)[0], critic(divergence, y)[1]
    error = math.sqrt(float(np.var(gain, ddof=1)) / len(x) + float(np.var(charge, ddof=1)) / len(y))
    return float(np.mean(gain) + np.mean(charge)) + divergence.f_at_one, error


def unseen(divergence: FDivergence, x: np.ndarray, y: np.ndarray, limit: float) -> float:
    """What the bound may lose to rows that no sample holds: 3/n of p and 3/m of q, where the critic does worst.

    With no such row among n, a share of 3/n is still possible at 95% (the rule of three); the spread does not show it.
    """
    x, y = np.clip(x, -limit, limit), np.clip(y, -limit, limit)
    gain, charge = critic(divergence, x)[0], critic(divergence, y)[1]
    worst = critic(divergence, np.array([min(x.min(), y.min()), max(x.max(), y.max())]))
    return 3 * float((gain.mean() - worst[0][0]) / len(x) + (charge.mean() - worst[1][1]) / len(y))


def largest(divergence: FDivergence) -> float:
    """The value at disjoint supports, f̃(0) + f̃'(∞) + f(1), which no value exceeds; inf where either is."""
    one, zero = np.ones(1), np.zeros(1)
    with quiet():
        ends = divergence.cost(one, zero, one) + divergence.cost(zero, one, -one)
    return float(ends[0]) + divergence.f_at_one


def judged(
    pair: Pair,
    divergence: FDivergence,
    ratios: LogRatios,
    method: str,
    notes: tuple[str, ...],
    *,
    ended: bool = True,
) -> Estimate:
    """The estimate from log-ratios.

    The value is a lower bound in expectation, whatever the quality of the fit, so its interval begins 1.96 standard
    errors below, widened by 1 + 4/√min(n, m) for what the folds share, or lower where `unseen` says so. Above, samples
    bound nothing where the divergence is unbounded; else the fit on all rows, which flatters itself, ends the interval:
    it covers where the method can represent the log-ratio, and is left out unless `ended`. Log-ratios are clipped at
    log min(n, m).
    """
    least, most = divergence.f_at_one, largest(divergence)
    limit = math.log(min(pair.n, pair.m))
    value, error = bound(divergence, ratios.held_x, ratios.held_y, limit)
    flattered, _ = bound(divergence, ratios.fitted_x, ratios.fitted_y, limit)
    margin = NORMAL_975 * error * (1 + 4 / math.sqrt(min(pair.n, pair.m)))
    low = max(least, min(value - max(margin, unseen(divergence, ratios.held_x, ratios.held_y, limit)), most))
    notes += ("the value is a lower bound in expectation: what the fit misses is missing from it",)
    if math.isinf(most):
        high = math.inf
        notes += ("one-sided interval: samples give an unbounded divergence no upper bound",)
    elif not ended:
        high = most
        notes += ("no upper end but the largest value: too much of the ratio escapes this method",)
    else:
        high = min(most, max(least, value, flattered) + margin)
        notes += ("the upper end assumes that the method can represent the log-ratio",)
    clipped = float(np.mean(np.abs(np.concatenate([ratios.held_x, ratios.held_y])) > limit))
    if clipped > 0:
        notes += (f"{clipped:.2g} of the log-ratios were clipped at log min(n, m) = {limit:.3g}",)
    return Estimate(
        min(max(least, value), most),
        standard_error=error,
        confidence_interval=Interval(low, high),
        method=method,
        n=pair.n,
        m=pair.m,
        notes=notes,
    )


def standardised(pair: Pair, method: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y with the columns that vary at mean 0 and deviation 1 over the pooled rows, at any scale of the data."""
    enough(pair, FEWEST, method)
    scale = standardiser(pair.x, pair.y)
    return scale(pair.x), scale(pair.y)


def enough(pair: Pair, fewest: int, method: str) -> None:
    """Refuse samples too small to fit and to judge."""
    if min(pair.n, pair.m) < fewest:
        raise DataError(
            f"method {method!r} needs at least {fewest} rows on each side, to fit and to judge; got {pair.n} and "
            f"{pair.m}. Collect more, or choose another method."
        )


def standardiser(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The map that gives the pooled rows of x and y mean 0 and deviation 1, without the columns that do not vary.

    Rows a million deviations out are drawn in to there, so that their squares stay in the floats.
    """
    pooled = np.concatenate([x, y])
    units = np.ldexp(1.0, np.minimum(np.frexp(np.abs(pooled).max(axis=0))[1], 1022))
    scaled = pooled / units
    centre = scaled.mean(axis=0)
    deviation = (scaled - centre).std(axis=0)
    varies = (np.ptp(scaled, axis=0) > 0) & (deviation > 0)
    divisor = np.where(varies, deviation, 1.0)

    def scale(points: np.ndarray) -> np.ndarray:
        return np.clip(((points / units - centre) / divisor)[:, varies], -1e6, 1e6)

    return scale


def folds(size: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each row: random, of equal sizes up to one."""
    return rng.permutation(np.arange(size) % FOLDS)


Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def cross_fitted(fit: Fit, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> LogRatios:
    """The log-ratios of `fit(x, y)`, a function of points, on rows it has not seen and on those it has."""
    held_x, held_y = np.empty(len(x)), np.empty(len(y))
    fold_x, fold_y = folds(len(x), rng), folds(len(y), rng)
    for k in range(FOLDS):
        log_ratio = fit(x[fold_x != k], y[fold_y != k])
        held_x[fold_x == k], held_y[fold_y == k] = log_ratio(x[fold_x == k]), log_ratio(y[fold_y == k])
    log_ratio = fit(x, y)
    return LogRatios(held_x, held_y, log_ratio(x), log_ratio(y))
