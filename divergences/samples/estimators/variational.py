"""A true lower bound: a critic trained on one half, judged on the other by a bet that holds at every sample size."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from divergences._checks import positive
from divergences._results import Estimate, Interval
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples.estimators import _logistic
from divergences.samples.estimators._critic import FEWEST, critic, enough, standardiser
from divergences.samples.estimators._pair import Pair
from divergences.samples.estimators.density_ratio import logistic

LIMITS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)  # candidates for the clip of the log-ratio
SHRINKAGES = (0.5, 0.75, 1.0)
STAKES = (0.35, 0.5, 0.7, 1.0, 1.4)  # times the stake that is best for normal means
LogRatio = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Variational:
    """A lower bound that is true with the stated confidence, for every divergence, dimension and pair of laws.

    One half of the rows trains a log-ratio (as `DensityRatio` does), and with it the shrinkage and clip of the critic
    T = f'(r̂) and the stake of the bet below. On the other half, with rows X_1..n of p and Y_1..m of q,

        E_p T − E_q f*(T) >= a + b + (Σ log(1 + (s/n)(T(X_i) − a)) + Σ log(1 + (s/m)(−f*(T(Y_j)) − b)) − log(1/α)) / s

    with probability 1 − α at least, a and b being any numbers and s any stake fixed beforehand: the sums are the log of
    a bet whose expectation is at most e^(s (E_p T − E_q f*(T) − a − b)) (Markov's inequality). And the left side is at
    most D(p, q). No central limit, no smoothness, no model. `value` is the bound's own estimate, mean T − mean f*(T).

    Attributes:
        confidence: 1 − α.

    Source: Nguyen, Wainwright & Jordan (2010), Nowozin et al. (2016) for the bound; Waudby-Smith & Ramdas (2024) for
    the bet.

    """

    confidence: float = 0.95

    def __post_init__(self) -> None:
        if positive(self.confidence, "confidence") >= 1:
            raise DataError(f"confidence must be below 1; got {self.confidence!r}.")

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """As `Method.estimate`; at least 20 rows on each side."""
        half = _Half.of(pair, rng, "variational")
        surprise = -math.log1p(-self.confidence)
        bet = _best_bet(divergence, half, surprise)
        gain, charge = bet.values(divergence, half.ratio_x, half.ratio_y)
        low = max(divergence.f_at_one, bet.bound(gain, charge, surprise) + divergence.f_at_one)
        notes = (
            f"lower bound at {self.confidence:.3g} confidence, true at this sample size for any laws; no upper bound",
            f"critic: {half.features} features, trained on half of the rows, log-ratio clipped at {bet.limit:.2g}",
        )
        if divergence.name == "kl":
            notes += (f"Donsker-Varadhan with the same critic, biased upward: {_donsker_varadhan(half)[0]:.4g}",)
        return Estimate(
            max(divergence.f_at_one, float(np.mean(gain) + np.mean(charge)) + divergence.f_at_one),
            standard_error=math.sqrt(_variance_of_mean(gain) + _variance_of_mean(charge)),
            confidence_interval=Interval(float(low), math.inf),
            method="variational",
            n=pair.n,
            m=pair.m,
            notes=notes,
        )


@dataclass(frozen=True)
class DonskerVaradhan:
    """mean T(X) − log mean e^T(Y) for KL, with the critic of `Variational`: biased upward, hence no interval.

    By Jensen's inequality the logarithm of a mean falls below the logarithm of the expectation; the note says by about
    how much. `Variational` gives a bound that can be relied on.

    Source: Donsker & Varadhan (1983); McAllester & Stratos (2020) for what it cannot do.

    """

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """As `Method.estimate`; KL only, at least 20 rows on each side."""
        if divergence.name != "kl":
            raise DataError(
                f"method 'donsker_varadhan' is for 'kl'; got {divergence.name!r}. Choose 'variational' for the others."
            )
        value, error, bias = _donsker_varadhan(_Half.of(pair, rng, "donsker_varadhan"))
        return Estimate(
            max(0.0, value),
            standard_error=error,
            method="donsker_varadhan",
            n=pair.n,
            m=pair.m,
            notes=(f"biased upward, by about {bias:.2g} and more where the ratio is heavy-tailed; no interval",),
        )


@dataclass(frozen=True, eq=False)
class _Half:
    """Log-ratios fitted on half of the rows: out-of-fold on that half, to choose by, and on the other, to judge by."""

    train_x: np.ndarray
    train_y: np.ndarray
    ratio_x: np.ndarray
    ratio_y: np.ndarray
    features: str

    @classmethod
    def of(cls, pair: Pair, rng: np.random.Generator, method: str) -> "_Half":
        enough(pair, 2 * FEWEST, method)
        first_x, first_y = (rng.permutation(k) < k // 2 for k in (pair.n, pair.m))
        scale = standardiser(pair.x[first_x], pair.y[first_y])
        x, y = scale(pair.x[first_x]), scale(pair.y[first_y])
        if x.shape[1] == 0:
            zeros = (np.zeros(int(k.sum())) for k in (first_x, first_y, ~first_x, ~first_y))
            return cls(*zeros, features="no")
        features, ratios, name = logistic(x, y, rng)
        fitted = _logistic.fit(features(x), features(y))
        other_x, other_y = (fitted(features(scale(v))) for v in (pair.x[~first_x], pair.y[~first_y]))
        return cls(ratios.held_x, ratios.held_y, other_x, other_y, name)


@dataclass(frozen=True)
class _Bet:
    """What is fixed before the second half is looked at."""

    limit: float
    shrinkage: float
    centre_x: float
    centre_y: float
    stake: float

    def values(self, divergence: FDivergence, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the critic earns at x and, negative, pays at y."""
        x, y = (np.clip(self.shrinkage * v, -self.limit, self.limit) for v in (x, y))
        return critic(divergence, x)[0], critic(divergence, y)[1]

    def bound(self, gain: np.ndarray, charge: np.ndarray, surprise: float) -> float:
        """The lower confidence bound of the sum of both means."""
        wins = float(np.log1p(self.stake / len(gain) * (gain - self.centre_x)).sum())
        wins += float(np.log1p(self.stake / len(charge) * (charge - self.centre_y)).sum())
        return self.centre_x + self.centre_y + (wins - surprise) / self.stake


def _best_bet(divergence: FDivergence, half: _Half, surprise: float) -> _Bet:
    """The bet with the largest bound on the half that trained the critic, out of fold."""
    sizes = len(half.ratio_x), len(half.ratio_y)
    best, most = _Bet(1.0, 0.0, 0.0, 0.0, 1.0), -math.inf  # no critic at all: a bound just below the least value
    for limit, shrinkage in product(LIMITS, SHRINKAGES):
        bet = _Bet(limit, shrinkage, 0.0, 0.0, 1.0)
        gain, charge = bet.values(divergence, half.train_x, half.train_y)
        centres = float(np.mean(gain)), float(np.mean(charge))
        variance = float(np.var(gain)) / sizes[0] + float(np.var(charge)) / sizes[1]
        if not variance > 0:
            continue
        # The worst values at the ends of the clip; a stake must leave the bet positive there.
        worst = critic(divergence, np.array([-limit, limit]))
        falls = centres[0] - worst[0][0], centres[1] - worst[1][1]
        cap = 0.9 * min(size / fall if fall > 0 else math.inf for size, fall in zip(sizes, falls, strict=True))
        for stake in {min(cap, share * math.sqrt(2 * surprise / variance)) for share in STAKES}:
            trial = _Bet(limit, shrinkage, *centres, stake)
            bound = trial.bound(gain, charge, surprise)
            if bound > most:
                best, most = trial, bound
    return best


def _donsker_varadhan(half: _Half) -> tuple[float, float, float]:
    """The value, its standard error, and its upward bias to first order."""
    limit = math.log(min(len(half.ratio_x), len(half.ratio_y)))
    x, y = np.clip(half.ratio_x, -limit, limit), np.clip(half.ratio_y, -limit, limit)
    weights = np.exp(y - y.max())
    spread = _variance_of_mean(weights / weights.mean())
    value = float(np.mean(x) - y.max() - math.log(weights.mean()))
    return value, math.sqrt(_variance_of_mean(x) + spread), spread / 2


def _variance_of_mean(values: np.ndarray) -> float:
    return float(np.var(values, ddof=1)) / len(values)
