"""Transport between measures of different mass, the difference paid for."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from divergences import _checks as check
from divergences.errors import DataError
from divergences.optimal_transport._certificate import unscaled
from divergences.optimal_transport._interior import FAR, feasible, lower_end, negligible, saddle, upper_end
from divergences.optimal_transport._problem import guard_memory
from divergences.optimal_transport._relaxed import (
    Given,
    UnbalancedResult,
    extended,
    finished,
    given,
    in_range,
    plain,
    proved,
    remainder,
    restricted,
    scaled,
)
from divergences.optimal_transport._rounding import SUBNORMAL, UNIT, above, below, total
from divergences.optimal_transport._solution import Solver, usable
from divergences.optimal_transport.exact import Exact

PENALTIES = ("tv", "kl")


def unbalanced_transport(
    x: Any = None,
    y: Any = None,
    p: float = 1,
    *,
    marginal_cost: float,
    penalty: str = "tv",
    cost: Any = None,
    a: Any = None,
    b: Any = None,
    metric: str = "euclidean",
    solver: Solver | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 200,
    strict: bool = True,
) -> UnbalancedResult:
    """Unbalanced transport, with a proof: min <P, c> + marginal_cost (D(P 1, a) + D(P' 1, b)) over P >= 0.

    Points x (n, d) or (n,) and y (m, d) or (m,) with c = metric(x, y)^p, or `cost`, a matrix (n, m) >= 0. a (n,),
    b (m,): masses of any totals, None for the floats nearest to 1/n and 1/m. marginal_cost > 0, in units of cost, is
    paid for each unit of D. penalty "tv": D(r, a) = sum |r - a|; "kl": D(r, a) = sum r log(r / a) - r + a.

    Torch inputs give a tensor with gradients with respect to points, costs and masses (no total need be kept).

    "tv" is solved exactly. P <= a and P' <= b lose nothing as c >= 0: taking a unit out of a row that has too much
    saves its cost and its penalty, and adds one penalty to its column at most. So what is not transported goes to one
    more place on each side at `marginal_cost` a unit: balanced transport, in which costs above 2 marginal_cost play no
    part. Where 2 marginal_cost >= max c as much as possible is transported, so that a larger penalty adds a constant.

    "kl" is solved by an interior point method to a gap of `tolerance`, relative (or 2e-15 of marginal_cost times mass,
    which is rounding), within `max_iterations` steps, each of n m min(n, m) operations; its plan has mass in every
    cell. Rows may then hold more than a, at a price. Any f_i + g_j <= c_ij prove that nothing costs less than
    marginal_cost (sum a (1 - exp(-f / marginal_cost)) + sum b (1 - exp(-g / marginal_cost))), and any plan is feasible.

    Raises DataError for unusable input, ConvergenceError (unless strict=False) when the solver stopped early; its
    `.result` is still true.

    >>> r = unbalanced_transport([0.0, 1.0, 50.0], [0.0, 2.0], marginal_cost=10.0, a=[1.0, 1.0, 1.0], b=[1.0, 1.0])
    >>> r.cost, r.mass, r.removed.tolist()
    (11.0, 2.0, [0.0, 0.0, 1.0])

    >>> r = unbalanced_transport([0.0], [1.0], marginal_cost=0.5, penalty="kl", a=[1.0], b=[4.0])
    >>> round(r.cost, 9), round(2.5 - 2 / np.e, 9)
    (1.764241118, 1.764241118)

    Source: Piccoli and Rossi (2014) for "tv"; Liero, Mielke and Savare (2018), theorem 4.11, for "kl".
    """
    check.choice(penalty, PENALTIES, "penalty")
    price = check.positive(plain(marginal_cost, "marginal_cost"), "marginal_cost")
    problem = in_range(given(x, y, p, cost, a, b, metric))
    if not problem.base.nonnegative:
        raise DataError(
            f"cost must not be negative, or mass may be made to be transported; got {np.min(cost):g}. Add a constant."
        )
    if penalty == "tv":
        return _by_truncation(problem, price, usable(solver or Exact()), strict)
    if solver is not None:
        raise DataError(f"solver is for penalty='tv'; 'kl' has one of its own; got {solver!r}. Leave it out.")
    check.positive(tolerance, "tolerance")
    check.count(max_iterations, "max_iterations")
    return _by_interior_point(problem, price, tolerance, max_iterations, strict)


def _by_truncation(problem: Given, price: float, solver: Solver, strict: bool) -> UnbalancedResult:
    """The answer for "tv"."""
    costs, exponent = problem.base.cost, problem.exponent
    largest = float(costs.max())
    ceiling = float(scaled(largest, exponent))
    if price > ceiling and largest > 0:
        inner, beyond = largest, price - ceiling
    else:
        # In units of the price, in which what exceeds it may overflow: it plays no part.
        inner, beyond, own = math.frexp(price)[0], 0.0, math.frexp(price)[1]
        costs, exponent = scaled(costs, exponent - own), float(own)
    sides = remainder(problem.b), remainder(problem.a)
    balanced = extended(problem, np.minimum(costs, 2 * inner), sides, (inner, 0.0), exponent)
    if not beyond:  # true costs are cut off as well, and no error is larger than what is left
        balanced = replace(balanced, absolute=min(balanced.absolute, 2 * float(balanced.cost.max())))
    proof = proved(balanced, solver, problem, 0.0)
    n, m = costs.shape
    f, g = (
        np.nextafter(v, -np.inf)
        for v in (proof.potentials[0][:n] + proof.potentials[1][m], proof.potentials[1][:m] + proof.potentials[0][n])
    )
    result = restricted(proof, problem, costs < 2 * inner, (f, g, 0.0))
    if beyond > 0:
        result = _dearer(result, problem, beyond)
    f, g = (np.minimum(v, price) for v in result.potentials)
    return finished(replace(result, potentials=(f, g)), problem, {"a": f, "b": g}, strict=strict)


def _dearer(result: UnbalancedResult, problem: Given, more: float) -> UnbalancedResult:
    """The answer for a penalty that is `more` above max c: the difference of the totals costs so much more."""
    excess, radius = total(np.concatenate([problem.a, -problem.b]))
    if not abs(excess) + radius:
        return result
    # `more` is a difference of a rounded number, itself rounded.
    paid = float(scaled(abs(excess) * more, problem.mass_exponent))
    radius = float(scaled(radius * more, problem.mass_exponent)) + 16 * UNIT * paid
    radius += 4 * SUBNORMAL if paid < 2.0**-900 else 0.0
    upper = above(result.upper + paid, radius + UNIT * (paid + result.upper))
    if not np.isfinite(upper):
        raise DataError(
            "Costs must stay below 1.8e308; the penalty leads beyond. Divide masses or costs by a constant."
        )
    lower = max(below(result.lower + paid, radius + UNIT * (paid + result.lower)), 0.0)
    f, g = result.potentials
    move = math.copysign(more, excess)
    shifted = np.nextafter(f + move, -np.inf), np.nextafter(g - move, -np.inf)
    return replace(result, cost=upper, lower=lower, upper=upper, potentials=shifted)


def _by_interior_point(problem: Given, price: float, tolerance: float, limit: int, strict: bool) -> UnbalancedResult:
    """The answer for "kl"."""
    guard_memory(*problem.base.shape, matrices=12)
    most = math.log2(price) + math.log2(float(problem.a.sum() + problem.b.sum())) + problem.mass_exponent
    if most > 1022:
        raise DataError(
            f"Costs must stay below 1.8e308; the penalty may reach 2**{most:.0f}. Divide masses or costs by a constant."
        )
    # In units of the price, as for "tv".
    inner, own = math.frexp(price)
    costs = scaled(problem.base.cost, problem.exponent - own)
    fractional = (8 + abs(problem.exponent)) * UNIT if problem.exponent % 1 else 0.0
    absolute = float(scaled(problem.base.absolute_error, problem.exponent - own)) + SUBNORMAL
    error = problem.base.relative_error + fractional, absolute
    a, b = problem.a, problem.b
    rows, columns = np.flatnonzero(a), np.flatnonzero(b)
    shorter = len(columns) <= len(rows)  # the side that is factored
    with np.errstate(over="ignore"):
        there = costs[np.ix_(rows, columns)] / inner
    sides = (a[rows], b[columns]) if shorter else (b[columns], a[rows])
    found = saddle(there if shorter else there.T, *sides, tolerance / 2, limit)
    plan, unknown = np.zeros(costs.shape), np.full(len(b), -np.inf)
    plan[np.ix_(rows, columns)] = np.where(there > FAR, 0.0, found.plan if shorter else found.plan.T)
    unknown[columns] = (found.g if shorter else found.f) * inner
    f, g = feasible(costs, error, unknown, inner)
    upper = upper_end(plan, costs, error, a, b, inner)
    if (idle := upper_end(0 * plan, costs, error, a, b, inner)) < upper:
        plan, upper = 0 * plan, idle
    lower = lower_end(f, g, a, b, inner)
    # What is worth a price per unit of mass is not known better than to some roundings of that; but a millionth of
    # the mean cost is no rounding.
    rounding = 16 * UNIT * inner * math.sqrt(float(a.sum())) * math.sqrt(float(b.sum()))
    least = 2 * inner * negligible(there, a[rows], b[columns])
    target = max(tolerance * upper, least + (min(rounding, 1e9 * least) if least > 0 else rounding))
    converged = upper - lower <= target
    whole = own + problem.mass_exponent
    ends = unscaled(lower, whole, up=False), unscaled(upper, whole, up=True)
    used = plan > 0
    paid = float(scaled(np.sum(plan[used] * costs[used]), whole))
    plan, a, b = (np.ldexp(v, problem.mass_exponent) for v in (plan, a, b))
    potentials = scaled(f, own), scaled(g, own)
    result = UnbalancedResult(
        ends[1], ends[0], ends[1], plan, paid, float(plan.sum()), a - plan.sum(axis=1), b - plan.sum(axis=0),
        potentials, 0.0, bool(converged), found.steps, "interior point",
    )  # fmt: skip
    with np.errstate(over="ignore"):
        slopes = {k: -price * np.expm1(-v / price) for k, v in zip("ab", potentials, strict=True)}
    return finished(result, problem, slopes, strict=strict)
