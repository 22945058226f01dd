r"""D(P, Q) between distributions: closed form, else quadrature or summation, else Monte Carlo."""

from dataclasses import replace
from math import inf, log, log1p
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from divergences._checks import count, generator, positive
from divergences._results import Estimate, Interval
from divergences.densities._integrand import Pair
from divergences.densities._law import Law
from divergences.densities.adapters import interval, law_of, with_centres
from divergences.densities.closed_forms import affinity, closed_form, exact, factors
from divergences.densities.monte_carlo import monte_carlo
from divergences.densities.quadrature import SECONDS, quadrature
from divergences.densities.sums import disjoint, summation
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence
from divergences.f_divergences.families import alpha


def between(
    divergence: FDivergence,
    p: Any,
    q: Any,
    *,
    support: Any = None,
    rng: Any = None,
    size: int = 100_000,
    time_limit: float = SECONDS,
) -> Estimate:
    """D(P, Q) of two distributions; see `FDivergence.between`."""
    seconds, draws = positive(time_limit, "time_limit"), count(size, "size", minimum=100)
    return _value(divergence, *laws(p, q, support), generator(rng), draws, seconds)


def laws(p: Any, q: Any, support: Any) -> tuple[Law, Law]:
    """Both laws, of one dimension."""
    given = None if support is None else interval(support)
    first, second = law_of(p, "P", given), law_of(q, "Q", given)
    dimension = first.dimension or second.dimension or 1
    first, second = (law if law.dimension else replace(law, dimension=dimension) for law in (first, second))
    if first.dimension != second.dimension:
        raise DataError(
            f"P and Q must live in one dimension; got {first.dimension} ({first.name}) and {second.dimension} "
            f"({second.name}). Compare laws of vectors of equal length."
        )
    if dimension == 1:
        first, second = with_centres(first, "P"), with_centres(second, "Q")
    return first, second


def _value(
    divergence: FDivergence, p: Law, q: Law, rng: np.random.Generator, size: int, seconds: float = SECONDS
) -> Estimate:
    pair = Pair(divergence, p, q)
    discrete = [law.kind in ("lattice", "atoms") for law in (p, q)]
    if discrete[0] != discrete[1] or ("simplex" in (p.kind, q.kind) and p.kind != q.kind):
        return disjoint(pair, f"{p.name} and {q.name} are mutually singular: they live on disjoint sets")
    found = closed_form(pair)
    if found is not None:
        return found
    if p.dimension != 1:
        return monte_carlo(pair, rng, size)
    return summation(pair) if all(discrete) else quadrature(pair, seconds)


def renyi_between(
    p: Any, q: Any, order: float, *, support: Any = None, rng: Any = None, size: int = 100_000
) -> Estimate:
    """R_a(P‖Q) = log(∫ p^a q^(1-a)) / (a - 1) of two distributions, for an order a > 0; KL at a = 1.

    In closed form from the affinity of the family; else from the integral itself where the laws are far apart, and
    from the alpha divergence, which does not cancel, where they are near.

    >>> from scipy import stats
    >>> print(renyi_between(stats.norm(0, 1), stats.norm(1, 2), 2).value)
    0.556196429449377
    """
    a = positive(order, "order")
    return _renyi(*laws(p, q, support), a, generator(rng), count(size, "size", minimum=100))


def _renyi(p: Law, q: Law, a: float, rng: np.random.Generator, size: int) -> Estimate:
    if a == 1:
        return _value(alpha(1), p, q, rng, size)
    parts = factors(p.member, q.member)
    height = None if parts is None else affinity(parts, a)
    if height is not None and p.member is not None:
        label = f"closed form ({p.member.family}, {p.member.family})"
        return exact(height / (1 - a), label, note="the integral of p^a q^(1-a) diverges")
    found = _value(alpha(a), p, q, rng, size)
    ends = found.confidence_interval or Interval(0.0, inf)
    value, low, high = (_from_alpha(x, a) for x in (found.value, *ends))
    near = replace(found, value=value, standard_error=None, confidence_interval=Interval(low, high))
    if high - low < 1e-12 * value or found.method != "quadrature" or value == inf:
        return near
    far = quadrature(Pair(alpha(a), p, q, order=a))
    low, high = far.confidence_interval or Interval(0.0, inf)
    ends = sorted(log(x) / (a - 1) if x > 0 else inf for x in (low, high))
    return replace(far, value=log(far.value) / (a - 1), confidence_interval=Interval(max(ends[0], 0.0), ends[1]))


def _from_alpha(value: float, a: float) -> float:
    """R_a from D_a = (e^((a-1) R_a) - 1) / (a (a - 1))."""
    inside = a * (a - 1) * value
    return inf if inside <= -1 else log1p(inside) / (a - 1)


def bhattacharyya_between(p: Any, q: Any, *, support: Any = None, rng: Any = None, size: int = 100_000) -> Estimate:
    """-log ∫ √(p q) of two distributions: half the Rényi divergence of order ½.

    >>> from scipy import stats
    >>> print(bhattacharyya_between(stats.norm(0, 1), stats.norm(1, 1)).value)
    0.125
    """
    return _scaled(renyi_between(p, q, 0.5, support=support, rng=rng, size=size), 0.5)


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    ends = estimate.confidence_interval
    return replace(
        estimate,
        value=factor * estimate.value,
        standard_error=None if estimate.standard_error is None else factor * estimate.standard_error,
        confidence_interval=None if ends is None else Interval(factor * ends.low, factor * ends.high),
    )


def chernoff_between(p: Any, q: Any, *, support: Any = None, rng: Any = None, size: int = 100_000) -> Estimate:
    """The largest of -log ∫ p^λ q^(1-λ) over λ in [0, 1], of two distributions.

    The maximum is over a concave function, and flat: the place of the maximum enters by its square.

    >>> from scipy import stats
    >>> print(chernoff_between(stats.norm(0, 1), stats.norm(1, 1)).value)
    0.125
    """
    first, second = laws(p, q, support)
    seed, draws = generator(rng).integers(2**62), count(size, "size", minimum=100)

    def information(weight: float) -> Estimate:
        return _scaled(_renyi(first, second, weight, generator(int(seed)), draws), 1 - weight)

    def objective(weight: float) -> float:
        return -min(information(weight).value, 1e300)

    best: Any = minimize_scalar(objective, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-8})
    return information(float(best.x))
