"""Transport of a part of the mass."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import coo_array

from divergences import _checks as check
from divergences.errors import NotNormalizedError
from divergences.optimal_transport._problem import MASS_TOLERANCE, Problem
from divergences.optimal_transport._relaxed import (
    Given,
    UnbalancedResult,
    exact_sum,
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
from divergences.optimal_transport._result import TransportResult
from divergences.optimal_transport._solution import Solver, usable
from divergences.optimal_transport.exact import Exact


def partial_transport(
    x: Any = None,
    y: Any = None,
    p: float = 1,
    *,
    mass: float,
    cost: Any = None,
    a: Any = None,
    b: Any = None,
    metric: str = "euclidean",
    solver: Solver | None = None,
    strict: bool = True,
) -> UnbalancedResult:
    """Partial transport, with a proof: min <P, c> over P >= 0 with P 1 <= a, P' 1 <= b and total `mass`.

    Points x (n, d) or (n,) and y (m, d) or (m,) with c = metric(x, y)^p, or `cost`, a matrix (n, m) of any sign.
    a (n,), b (m,): masses of any totals, None for the floats nearest to 1/n and 1/m; `mass` from 0 to the smaller
    total (1e-9 relative beyond it counts as all of it). solver: None takes `Exact`.

    In the result f, g <= 0 and f_i + g_j + multiplier <= c_ij; `multiplier`, `f` and `g` are the derivatives with
    respect to `mass`, a and b. Torch inputs give a tensor with gradients with respect to points, costs and masses.

    It is balanced transport with one more place on each side, free to reach, of masses sum(b) - mass and sum(a) - mass.
    What went between the two would be transported beyond `mass`. The cost is convex in the mass, with slopes of at
    least min c, so that a price above -min c between the two keeps every optimal plan away from there.

    Raises DataError for unusable input, NotNormalizedError for a mass beyond the smaller total, ConvergenceError
    (unless strict=False) when the solver stopped early; its `.result` is still true.

    >>> r = partial_transport([0.0, 1.0, 50.0], [0.0, 2.0, 90.0], mass=2 / 3)
    >>> r.cost, r.plan.toarray().round(3).tolist()
    (0.333, [[0.333, 0.0, 0.0], [0.0, 0.333, 0.0], [0.0, 0.0, 0.0]])

    Source: Caffarelli and McCann (2010); the reduction: Chapel, Alaya and Gasso (2020).
    """
    whole = given(x, y, p, cost, a, b, metric)
    amount = check.positive(plain(mass, "mass"), "mass", strict=False)
    if amount == 0:
        return _nothing(whole)
    # No place can use more than the mass, and masses far above it would drown it in their rounding.
    problem = in_range(replace(whole, a=np.minimum(whole.a, amount), b=np.minimum(whole.b, amount)))
    asked = _at_most(problem, amount)
    costs = problem.base.cost
    prices = 0.0, max(0.0, -float(costs.min())) + problem.base.mean_cost
    balanced = extended(problem, costs, _left_over(problem, asked), prices, problem.exponent)
    proof = _proved(balanced, usable(solver or Exact()), problem, asked)
    f, g, multiplier = _multipliers(*proof.potentials, *costs.shape)
    f, multiplier = _uncapped(f, multiplier, whole.a > amount)
    g, multiplier = _uncapped(g, multiplier, whole.b > amount)
    result = restricted(proof, whole, None, (f, g, multiplier))
    return finished(result, whole, {"a": f, "b": g}, strict=strict)


def _proved(balanced: Problem, solver: Solver, problem: Given, asked: float) -> TransportResult:
    """The bracket, from costs cut off where enormous ones would drown the others.

    No pair that is used costs more than the price of mass; nor, mostly, much more than its row or column must.
    """
    proof = proved(balanced, solver, problem, asked)
    costs = problem.base.cost
    must = max(float(costs.min(axis=1).max()), float(costs.min(axis=0).max()))
    for known in (True, False):
        if proof.upper - proof.lower <= 1e-9 * abs(proof.upper) or not problem.base.nonnegative:
            break
        price = _multipliers(*proof.potentials, *costs.shape)[2]
        cut = 8 * float(scaled(must, problem.exponent)) if known else 4 * price
        if 0 < cut < math.inf:
            again = proved(balanced, solver, problem, asked, cut)
            proof = min(proof, again, key=lambda result: result.gap)
    return proof


def _at_most(problem: Given, amount: float) -> float:
    """The mass asked for, in internal units; refused where the masses, cut off there, do not hold so much."""
    asked = float(scaled(amount, -problem.mass_exponent))
    most = min(exact_sum(problem.a), exact_sum(problem.b))
    if asked > most * (1 + MASS_TOLERANCE):
        raise NotNormalizedError(
            f"mass must be at most the smaller total of a and b, {scaled(most, problem.mass_exponent):.12g}; "
            f"got {amount!r}. Ask for less, or use unbalanced_transport."
        )
    return asked


def _left_over(problem: Given, asked: float) -> tuple[list[float], list[float]]:
    """Masses of the added rows, which fill what is left of b, and of the columns, which take what is left of a."""
    a, b = problem.a, problem.b
    swapped = exact_sum(a, -b) > 0
    smaller, larger = (b, a) if swapped else (a, b)
    if exact_sum(smaller, -asked) > 0:
        return remainder(b, -asked), remainder(a, -asked)
    rest = remainder(larger, -smaller)
    return ([], rest) if swapped else (rest, [])


def _nothing(problem: Given) -> UnbalancedResult:
    """The answer for mass 0: the first unit costs what the cheapest pair costs."""
    n, m = problem.base.shape
    least = float(problem.base.cost.min())
    least -= 2 * (problem.base.relative_error * abs(least) + problem.base.absolute_error)
    price = float(np.nextafter(scaled(least, problem.exponent), -np.inf))
    potentials = np.zeros(n), np.zeros(m)
    result = UnbalancedResult(
        0.0,
        0.0,
        0.0,
        coo_array((n, m)),
        0.0,
        0.0,
        problem.a,
        problem.b,
        potentials,
        price,
        True,
        0,
        "none: nothing to transport",
    )
    return finished(result, problem, {"a": potentials[0], "b": potentials[1]}, strict=True)


def _multipliers(f: np.ndarray, g: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Potentials of at most 0 and the price of mass, never rounded upwards, from those of the balanced problem."""
    top = f[n] if len(f) > n else -np.max(g[:m])
    side = g[m] if len(g) > m else -np.max(f[:n])
    lowered = (np.minimum(np.nextafter(v, -np.inf), 0.0) for v in (f[:n] + side, g[:m] + top))
    return *lowered, float(np.nextafter(-(top + side), -np.inf))


def _uncapped(f: np.ndarray, multiplier: float, capped: np.ndarray) -> tuple[np.ndarray, float]:
    """Potentials that are 0 where masses exceed what can be used, no worse in the dual: the price gives way."""
    move = -float(np.min(f, where=capped, initial=0.0))
    if move == 0:
        return f, multiplier
    raised = np.minimum(np.nextafter(f + move, -np.inf), 0.0)
    raised[capped] = 0.0
    return raised, float(np.nextafter(multiplier - move, -np.inf))
