"""Nearest neighbours: the ratio of two densities from the distances to the k-th neighbour in each sample."""

import math
from dataclasses import dataclass

import numpy as np

from divergences._checks import count
from divergences._results import Estimate, Interval
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples._neighbours import neighbours
from divergences.samples.estimators._critic import largest
from divergences.samples.estimators._local import Ratios, by_count, by_distance, by_slope
from divergences.samples.estimators._pair import Pair
from divergences.samples.estimators._values import bound, kinked, logarithmic, plug_in

NORMAL_95, NORMAL_975 = 1.6448536269514722, 1.959963984540054
NEIGHBOURS = 20
COUNTED = 3  # where values repeat: a larger ball reaches the next atom, which rules it
LADDER = (3, 5, 7, 10, 14)  # the numbers of neighbours from which the extrapolation starts
VOTES = math.sqrt(2)  # at a kink only the side counts that neighbours vote for, and neighbours share their voters
NEGLIGIBLE = 1e-9  # a part of KL in a divergence, as recognised by least squares
UNSEEN = 3.0  # -log 5%, the rule of three
BEYOND = 0.05  # share of ratios no sample of this size can show, above which unseen points are charged for
TIES = 0.05  # the share of repeated values above which balls are counted, not measured


@dataclass(frozen=True)
class NearestNeighbour:
    """Log-ratios from nearest neighbours, put into the formula of the divergence.

    Distances are taken after a linear map that gives every direction unit variance. In one and two dimensions each
    density may change exponentially across its ball (`by_slope`); in more, KL-type divergences are extrapolated along
    k to a ball of radius zero, and the others are the value of the variational bound at the estimated ratio. Where
    values repeat, points in a common ball are counted (`by_count`).

    In one and two dimensions the interval is two-sided (its coverage: docs/calibration.md). In more, and for unbounded
    divergences other than KL's kin, the bias can exceed the spread, and only the lower end is given: the critic
    T = f'(p̂/q̂), each point left out of its own ratio, earns E_p T - E_q f*(T) <= D whatever its quality.

    Attributes:
        k: neighbours at most; None is 20, fewer for small samples.
        corrected: False gives the estimator of Wang, Kulkarni & Verdú (2009) with exactly k neighbours (None: 5), for
            comparison: no correction, no interval.

    """

    k: int | None = None
    corrected: bool = True

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """As `Method.estimate`; no randomness."""
        x, y = pair.whitened
        d, parts = x.shape[1], logarithmic(divergence)
        k = self._count(pair, extrapolated=d > 2 and parts is not None)
        trees = neighbours(x, y)
        if not self.corrected:
            at = "xy" if parts is None else "x" * (parts[0] > NEGLIGIBLE) + "y" * (parts[1] > NEGLIGIBLE)
            return _plain(pair, divergence, by_distance(trees, [k], at=at))
        certain = d <= 2 and (parts is not None or math.isfinite(largest(divergence)))
        ladder = [*(j for j in LADDER if j < k), k] if parts is not None else [k]
        notes = [f"{pair.d - d} of {pair.d} columns are constant or combinations of others"] if d < pair.d else []
        ratios = by_slope(trees, k) if certain else by_distance(trees, ladder)
        if not ratios.finite and pair.copies <= k:
            notes.append("distinct points coincide at the scale of the largest: take logarithms, or clip")
            certain = False
        if pair.tied > TIES or not ratios.finite:
            notes.append("neighbours are counted in common balls, because values repeat")
            ratios = by_count(trees, self.k or min(COUNTED, k))
        if certain:
            return _two_sided(pair, divergence, ratios, notes)
        return _one_sided(pair, divergence, ratios, ladder, notes)

    def _count(self, pair: Pair, *, extrapolated: bool) -> int:
        """How many neighbours: k, or what the samples allow."""
        most = min(pair.n - 1, pair.m - 1)
        if most < 2:
            raise DataError(
                f"method 'nearest_neighbour' must be given three points of each sample; got n = {pair.n}, m = {pair.m}."
            )
        if self.k is None:
            # The longer the ladder, the less extrapolation spreads; a single ball should stay small.
            return min(NEIGHBOURS if self.corrected else 5, max(2, most // 3 if extrapolated else math.isqrt(most)))
        if count(self.k, "k", minimum=2) > most:
            raise DataError(f"k must be below n and m; got k = {self.k}, n = {pair.n}, m = {pair.m}.")
        return self.k


def _logarithmic(divergence: FDivergence, s_x: np.ndarray, s_y: np.ndarray) -> float | None:
    parts = logarithmic(divergence)
    if parts is None:
        return None
    value = float(divergence.f_at_one)
    for part, mean in ((parts[0], s_x), (-parts[1], s_y)):
        value += part * float(mean.mean()) if abs(part) > NEGLIGIBLE else 0.0
    return value


def _plain(pair: Pair, divergence: FDivergence, ratios: Ratios) -> Estimate:
    s_x, s_y = ratios.x[:, 0], ratios.y[:, 0]
    value = _logarithmic(divergence, s_x, s_y)
    value = plug_in(divergence, s_x, s_y) if value is None else value
    note = "uncorrected: biased by an unknown amount, hence no interval"
    return Estimate(value, method="nearest_neighbour", n=pair.n, m=pair.m, notes=(note,))


def _two_sided(pair: Pair, divergence: FDivergence, ratios: Ratios, notes: list[str]) -> Estimate:
    """From the plug-in, which the noise of the ratios makes too high, and the bound, which it makes as much too low."""
    s_x, s_y = ratios.x[:, 0], ratios.y[:, 0]
    lower, upper = bound(divergence, s_x, s_y), plug_in(divergence, s_x, s_y)
    error, value = lower.standard_error, _logarithmic(divergence, s_x, s_y)
    if value is not None:  # linear in the log-ratios, whose noise averages out
        beyond = (s_x > math.log(pair.m)).mean() + (s_y < -math.log(pair.n)).mean()
        low, high = min(value, lower.safe if beyond > BEYOND else lower.value), value
    elif kinked(divergence):
        value, low, high, error = lower.value, lower.value, upper, VOTES * error
    else:
        value, low, high = (lower.value + upper) / 2, lower.value, upper
    # What fewer than 3 of n points do goes unseen with probability 5%: no interval is narrower.
    most = largest(divergence)
    unseen = UNSEEN / min(pair.n, pair.m) * (most - divergence.f_at_one if math.isfinite(most) else 1.0)
    margin = max(NORMAL_975 * error, unseen)
    return _estimate(pair, divergence, value, error, (low - margin, max(high, divergence.f_at_one) + margin), notes)


def _one_sided(pair: Pair, divergence: FDivergence, ratios: Ratios, ladder: list[int], notes: list[str]) -> Estimate:
    """The value of KL's kin at balls of size zero, of others the bound; of the interval the lower end."""
    lower, parts = bound(divergence, ratios.x[:, -1], ratios.y[:, -1]), logarithmic(divergence)
    value, error = lower.value, lower.standard_error
    if parts is None:
        notes.append("the value is that of a lower bound")
    elif ratios.x.shape[1] == 1:
        value = divergence.f_at_one + parts[0] * ratios.x.mean() - parts[1] * ratios.y.mean()
    else:
        value, own = _extrapolated(parts, ratios, np.array(ladder), pair.whitened[0].shape[1])
        value, error = value + divergence.f_at_one, math.hypot(error, own)
        notes.append(f"extrapolated along {len(ladder)} numbers of neighbours to balls of size zero")
    notes.append("the bias can exceed the spread: the interval has no upper end of its own")
    low = lower.safe - NORMAL_95 * lower.standard_error
    return _estimate(pair, divergence, max(value, low), error, (low, math.inf), notes)


def _extrapolated(parts: tuple[float, float], ratios: Ratios, ladder: np.ndarray, d: int) -> tuple[float, float]:
    """a E_p s - b E_q s at balls of size zero, and the spread of that: a line along the sizes, weighted by k.

    In many dimensions the line is mostly noise. The correction is shrunk by 1 - (twice its spread / itself)², to none
    where it is not larger than that.
    """
    weights = np.sqrt(ladder)
    line = np.stack([np.ones(len(ladder)), ladder ** (1 / d)], axis=1) * weights[:, None]
    intercept = np.linalg.pinv(line)[0] * weights
    plain, correction, noise, spread = 0.0, 0.0, 0.0, 0.0
    for part, s in ((parts[0], ratios.x), (-parts[1], ratios.y)):
        at_zero, smallest = part * (s @ intercept), part * s[:, 0]
        plain += smallest.mean()
        correction += at_zero.mean() - smallest.mean()
        noise += 4 * (at_zero - smallest).var() / len(s)
        spread += at_zero.var() / len(s)
    kept = max(0.0, 1 - noise / correction**2) if correction else 0.0
    return float(plain + kept * correction), float(np.sqrt(spread))


def _estimate(
    pair: Pair, divergence: FDivergence, value: float, error: float, ends: tuple[float, float], notes: list[str]
) -> Estimate:
    least, most = float(divergence.f_at_one), largest(divergence)
    if value < least:
        notes.append(f"the raw value {value:.3g} is below the least one, {least:.3g}")
    interval = Interval(*(min(max(least, end), most) for end in ends))
    return Estimate(min(max(least, value), most), error, interval, "nearest_neighbour", pair.n, pair.m, tuple(notes))
