"""f-divergences between two samples, with what can be doubted about each."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from divergences._checks import choice, generator
from divergences._numerics import quiet
from divergences._results import Estimate, Interval
from divergences.f_divergences.catalogue import CATALOGUE
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples._neighbours import neighbours
from divergences.samples.estimators import METHODS, Method, Pair
from divergences.samples.estimators._critic import largest
from divergences.samples.estimators._values import logarithmic

PROBE = 1000  # points of each sample that stand for it when supports are compared
OUTSIDE = 0.05  # share of a sample outside the support of the other above which no upper end is given
SATURATED = 0.75  # of what samples of this size can show at most


def estimate(
    x: Any, y: Any, divergence: str | FDivergence, *, method: str | Method | None = None, rng: Any = None
) -> Estimate:
    """Estimate D(p, q) in nats from samples x of p and y of q.

    The 95% interval is two-sided where that is honest; else its upper end is inf, or there is none. The `notes` say how
    the value came about and what to doubt: mass of one sample outside the support of the other, repeated values, a
    value near what samples of this size can show at most, too few points for the dimension. See docs/estimates.md.

    Args:
        x, y: samples of shape (n, d) and (m, d), or 1-D arrays; tensors may be passed, gradients are not kept.
        divergence: a name in `CATALOGUE`, or an `FDivergence`.
        method: a name in `METHODS`, one of its classes with options of your own, or None to choose; the first note then
            says which and why.
        rng: a seed or generator for what the method draws.

    Raises:
        DataError: not finite, of different d, an unknown name, or a method that does not apply.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> e = estimate(rng.normal(0, 1, 4000), rng.normal(1, 1, 4000), "kl", rng=1)
    >>> e.confidence_interval.low < 0.5 < e.confidence_interval.high  # KL of the laws is 1/2
    True
    >>> e.notes[0]
    'method: nearest_neighbour, because 1 variable, no ties'

    """
    if not isinstance(divergence, FDivergence):
        divergence = CATALOGUE[choice(divergence, CATALOGUE, "divergence")]
    pair, chosen = Pair.of(x, y), []
    if method is None:
        method, reason = _choose(pair, divergence)
        chosen = [f"method: {method}, because {reason}"]
    if isinstance(method, str):
        method = METHODS[choice(method, METHODS, "method")]
    found = method.estimate(pair, divergence, generator(rng))
    found = _doubted(found, pair, divergence)
    return replace(found, notes=(*chosen, *found.notes))


def _choose(pair: Pair, divergence: FDivergence) -> tuple[str, str]:
    """The name of a method and the reason for it."""
    variables = f"{pair.d} variable{'s' * (pair.d > 1)}"
    ties = f"{pair.tied:.0%} of values tied" if pair.tied else "no ties"
    if pair.d == 1 and min(pair.n, pair.m) < 10:
        return "histogram", f"only {min(pair.n, pair.m)} points on a side"
    if pair.d == 1 and len(np.unique(np.concatenate([pair.x, pair.y]))) <= math.cbrt(8 * min(pair.n, pair.m)):
        return "histogram", f"{variables} with few distinct values"
    if pair.d == 1 and logarithmic(divergence) is None and math.isinf(largest(divergence)):
        return "histogram", f"{variables}, and {divergence.name} is set by the largest ratios"
    return "nearest_neighbour", f"{variables}, {ties}"


def _doubted(found: Estimate, pair: Pair, divergence: FDivergence) -> Estimate:
    """The estimate with what every method has to say, and without the upper end that it cannot know."""
    fewest, notes = min(pair.n, pair.m), list(found.notes)
    outside_x, outside_y = _outside(pair)
    if pair.d == 1:
        where = "outside the range of"
    else:
        where = "farther from {other} than 99% of {other} are from their nearest: outside the support of"
    for share, sample, other in ((outside_x, "x", "y"), (outside_y, "y", "x")):
        if share > (0 if pair.d == 1 else OUTSIDE):
            notes.append(f"{share:.2g} of {sample} is {where.format(other=other)} {other}")
    if pair.tied:
        notes.append(f"repeated values: {pair.tied:.2g} of a column")
    if fewest < 5 * 2 ** min(pair.d, 60):
        notes.append(f"{fewest} points on a side are few for {pair.d} variable{'s' * (pair.d > 1)}")
    most = largest(divergence)
    if singular := _singular(pair):
        low = found.confidence_interval.low if found.confidence_interval else divergence.f_at_one
        interval, notes = Interval(min(low, most), most), (*notes, singular)
        return replace(found, value=most, standard_error=None, confidence_interval=interval, notes=notes)
    if math.isfinite(most):
        return replace(found, notes=tuple(notes))

    with quiet():
        endless = np.isinf(divergence.cost(*np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])))  # q = 0 < p, p = 0 < q
    reasons = []
    if any(endless & (np.array([outside_x, outside_y]) > OUTSIDE)):
        reasons.append("mass outside the other support can be worth any amount")
    rare = np.array([1 - 1 / fewest, 1 / fewest])
    certified = float(divergence(rare, rare[::-1])) if fewest > 10 else math.inf
    if found.value > SATURATED * certified:
        reasons.append(f"{fewest} points cannot certify much more than {certified:.3g}")
    if reasons and found.confidence_interval is not None:
        found = replace(found, confidence_interval=Interval(found.confidence_interval.low, math.inf))
    return replace(found, notes=(*notes, *(f"no upper end: {reason}" for reason in reasons)))


def _outside(pair: Pair) -> tuple[float, float]:
    """The shares of x outside the support of y and of y outside that of x: the range, or a neighbourhood of the points.

    In several dimensions a point is outside if its nearest point of the other sample is farther than 99% of those are
    from their own nearest one: about 1% when the laws agree.
    """
    if pair.d == 1:
        x, y = pair.x[:, 0], pair.y[:, 0]
        return float(((x < y.min()) | (x > y.max())).mean()), float(((y < x.min()) | (y > x.max())).mean())
    if min(pair.n, pair.m) < 3:
        return 0.0, 0.0
    x, y = (sample[:: -(-len(sample) // PROBE)] for sample in pair.whitened)
    first, second = neighbours(x, y)
    reach_x, reach_y = (np.quantile(tree.nearest(1)[0], 0.99) for tree in (first, second))
    outside = second.nearest(1, of=first)[0] > reach_y, first.nearest(1, of=second)[0] > reach_x
    return float(outside[0].mean()), float(outside[1].mean())


def _singular(pair: Pair) -> str | None:
    """Why the laws cannot have mass in common, if so it looks: nothing shared, and one sample of atoms.

    A sample is of atoms if it repeats its rows, twice on average and more; the other must be so too, or repeat none.
    """
    if pair.tied < min(pair.n, pair.m) / (2 * (pair.n + pair.m)):
        return None
    distinct = [len(np.unique(sample, axis=0)) for sample in (pair.x, pair.y)]
    atoms = [2 * k <= size for k, size in zip(distinct, (pair.n, pair.m), strict=True)]
    repeated = [k < size for k, size in zip(distinct, (pair.n, pair.m), strict=True)]
    if atoms != repeated or not any(atoms) or pair.distinct < sum(distinct):
        return None
    if all(atoms):
        return "x and y repeat their values and share none: for discrete laws the divergence is the largest"
    one, other = "xy" if atoms[0] else "yx"
    return (
        f"{one} repeats its values, {other} repeats none, and they share none: between a discrete law and a continuous "
        f"one the divergence is the largest; if {one} is rounded, round {other} as well"
    )
