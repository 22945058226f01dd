r"""D(P, Q) by sampling, for what is not on the line: importance sampling from the mixture M = (P + Q)/2.

    D(P, Q) = E_M[v] + f(1),  v = q f̃(p/q) / m,  m = (p + q)/2,

half of the draws from each law. Where f̃(0) and f̃'(∞) are finite, 0 <= v <= 2 max of them, and the interval holds;
else v has a tail, whose shape decides what is said.
"""

from math import inf, isfinite, log, sqrt

import numpy as np

from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.densities._integrand import Pair, limits
from divergences.densities._law import Law
from divergences.errors import DataError

NORMAL_975 = 1.959963984540054
BLOCK = 1 << 15
UNSEEN = 3.7  # log(1/0.025): what n draws have not shown has probability below UNSEEN / n
HEAVY = 0.4  # a tail index near or above 1/2 means no finite variance


def monte_carlo(pair: Pair, rng: np.random.Generator, size: int) -> Estimate:
    """The mean over `size` draws from each law, with an interval of 95 %."""
    v = np.stack([_weights(pair, law, name, rng, size) for law, name in ((pair.p, "P"), (pair.q, "Q"))])
    shift = pair.divergence.f_at_one
    value = float(v.mean())
    ceiling = 2 * max(limits(pair.divergence))
    method, notes = "Monte Carlo", [f"{size} draws from each law; the interval is statistical, at 95 %"]
    if not isfinite(value):
        notes.append("a draw of one law has no density under the other" if np.isposinf(v).any() else "overflow")
        return Estimate(inf, confidence_interval=Interval(inf, inf), method=method, n=size, m=size, notes=tuple(notes))
    error = sqrt(float(np.sum(v.var(axis=1, ddof=1))) / (4 * size))
    index = tail_index(v.ravel())
    if isfinite(ceiling):
        half = NORMAL_975 * error + ceiling * UNSEEN / (2 * size)
        interval = Interval(max(value - half, 0.0) + shift, min(value + half, ceiling) + shift)
    elif index < HEAVY:
        half = NORMAL_975 * error + float(v.max()) * UNSEEN / (2 * size)
        interval = Interval(max(value - half, 0.0) + shift, value + half + shift)
        notes.append("unbounded costs: the interval rests on their tail being as light as the draws show")
    else:
        interval = Interval(_truncated_bound(pair, v) + shift, inf)
        notes.append(
            f"the largest costs fall like a power {1 / index:.2g} of their size: no upper end, and the value is "
            "probably too low; the lower end holds"
        )
        return Estimate(value + shift, None, interval, method, n=size, m=size, notes=tuple(notes))
    return Estimate(value + shift, error, interval, method, n=size, m=size, notes=tuple(notes))


def _weights(pair: Pair, law: Law, name: str, rng: np.random.Generator, size: int) -> np.ndarray:
    if law.sample is None:
        raise DataError(
            f"{name} must be able to draw samples, because this pair is beyond closed forms and quadrature; got "
            f"{law.name}, which has only a density. Give the object a method rvs(size, random_state)."
        )
    found = []
    for start in range(0, size, BLOCK):
        x = law.sample(rng, min(BLOCK, size - start))
        lp, lq = pair.p.log_density(x), pair.q.log_density(x)
        values = pair.of_logs(lp, lq)
        with quiet():
            found.append(np.exp(values.cost - np.logaddexp(lp, lq) + log(2.0)))
    return np.concatenate(found)


def tail_index(v: np.ndarray) -> float:
    """Hill's estimate of 1/α for a tail P(v > t) ~ t^-α, from the largest 3 √n values; 0 for a light tail."""
    k = int(min(3 * sqrt(len(v)), len(v) / 5))
    top = np.sort(v)[-k - 1 :]
    if not top[0] > 0:
        return 0.0
    return float(np.mean(np.log(top[1:] / top[0])))


def _truncated_bound(pair: Pair, v: np.ndarray) -> float:
    """A lower confidence bound of E v by E min(v, c) <= E v, c chosen on one half, the bound taken on the other."""
    half = v.shape[1] // 2
    pilot, rest = v[:, :half], v[:, half:]
    best = (-inf, 0.0)
    for level in (0.9, 0.99, 0.999, 0.9999, 1.0):
        c = float(np.quantile(pilot, level))
        best = max(best, (_bernstein(np.minimum(pilot, c), c), c))
    return max(_bernstein(np.minimum(rest, best[1]), best[1]), 0.0)


def _bernstein(v: np.ndarray, ceiling: float) -> float:
    """The empirical Bernstein bound at 97.5 %, for means of both halves. Source: Maurer & Pontil (2009)."""
    n = v.size
    doubt = log(2 / 0.025)
    variance = float(np.mean(v.var(axis=1, ddof=1)))
    return float(v.mean()) - sqrt(2 * variance * doubt / n) - 7 * ceiling * doubt / (3 * (n - 1))
