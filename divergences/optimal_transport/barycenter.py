"""The mean of several clouds of points in the sense of transport."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from divergences import _checks as check
from divergences._arrays import Array, is_torch, namespace, result_dtype, to_numpy
from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport._front import wasserstein
from divergences.optimal_transport._result import TransportResult
from divergences.optimal_transport._rounding import SUBNORMAL, UNIT, above, dot

CRUMB = 2.0**-49  # mass that is rounding where two clouds step at once


@dataclass(frozen=True, eq=False)
class Barycenter:
    """A measure near all clouds, and what is known about the best one: lower <= least cost <= cost = upper.

    Attributes:
        points: (size, d), a tensor without gradient for torch inputs.
        masses: (size,), of sum one.
        cost: sum_i weights_i W_2^2(barycentre, cloud_i); a tensor with gradients for torch inputs.
        lower: no measure costs less, whatever its support.
        distances: W_2 to each cloud.
        history: the cost before each step and at the end; it never rises beyond rounding.
        converged: whether a step no longer lowered the cost: the plans fit the points, and the points the plans.

    """

    points: Array
    masses: np.ndarray
    cost: Any
    lower: float
    upper: float
    distances: np.ndarray
    history: np.ndarray
    converged: bool

    @property
    def gap(self) -> float:
        """Upper - lower: how far `cost` may be from the least one."""
        return self.upper - self.lower


def barycenter(
    clouds: Sequence[Any],
    weights: Any = None,
    *,
    size: int | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 1000,
    rng: Any = 0,
    strict: bool = True,
) -> Barycenter:
    """Wasserstein barycentre: a measure Q of small sum_i weights_i W_2^2(Q, cloud_i), Euclidean, with a proved bracket.

    clouds: a list of points (n_i, d) or (n_i,), or of pairs (points, masses) with masses of sum one; weights (k,):
    probabilities, None for 1/k. size: the number of points of Q, of equal masses; None takes as many as needed in one
    dimension and for one or two clouds, else as many as the largest cloud has.

    In one dimension quantile functions are averaged, and between two clouds mass is stopped on its way (McCann): both
    are exact when `size` is None. Otherwise points and exact plans are improved in turn, from points of the clouds
    drawn by `rng`, until a step lowers the cost by less than `tolerance`, relative: each step lowers it, and the end
    is a local minimum.

    `lower` holds for every measure. If X_i ~ cloud_i are coupled with Y ~ Q so that each pair is optimal and M is
    sum_i w_i X_i, then sum_i w_i |X_i - Y|^2 >= sum_i w_i |X_i - M|^2 = sum_{i<j} w_i w_j |X_i - X_j|^2, and its mean
    is at least sum_{i<j} w_i w_j W_2^2(cloud_i, cloud_j).

    Torch clouds give a cost with gradients with respect to points, masses and weights, Q being held fixed (the envelope
    theorem).

    Raises DataError for unusable input, ConvergenceError (unless strict=False) where max_iterations end the descent;
    its `.result` is still true.

    >>> q = barycenter([[0.0, 1.0], [4.0, 7.0]])
    >>> q.points.tolist(), q.cost, q.lower <= 6.5 <= q.upper
    ([[2.0], [4.0]], 6.5, True)

    Source: Agueh and Carlier (2011); the steps: Cuturi and Doucet (2014), Alvarez-Esteban et al. (2016).
    """
    points, masses = _measures(clouds)
    shares = _weights(weights, points)
    known = np.asarray(to_numpy(shares))
    host = [to_numpy(x) for x in points]
    check.positive(tolerance, "tolerance", strict=False)
    check.count(max_iterations, "max_iterations")
    generator = check.generator(rng)
    plain = [None if a is None else to_numpy(a) for a in masses]
    exact = size is None and (host[0].shape[1] == 1 or len(host) <= 2)
    if exact:
        q, mass = _averaged(host, plain, known)
        history, converged = [], True
    else:
        count = max(map(len, host)) if size is None else check.count(size, "size")
        mass = np.full(count, 1.0 / count)
        q, history, converged = _descent(_start(host, plain, known, count, generator), host, plain, known, tolerance,
                                         max_iterations)  # fmt: skip
    given = None if np.all(mass == 1.0 / len(mass)) else mass
    legs, rounding = _legs(points, masses, q, given), _off_one([*plain, given])
    pairs = _apart(points, masses)
    upper = _sum_above(known, np.array([leg.upper for leg in legs]), rounding)
    lower = min(_least(pairs, known, rounding), upper)
    distances = np.array([float(to_numpy(leg.distance)) for leg in legs])
    result = Barycenter(q, mass, upper, lower, upper, distances, np.array([*history, upper]), converged)
    if is_torch(points[0]):
        dtype = result_dtype(*(check.real_array(c[0] if _weighted(c) else c, "a cloud") for c in clouds))
        cost = _tensor(upper, shares, legs, pairs if exact else None)
        result = replace(result, points=points[0].new_tensor(q).to(dtype), cost=cost.to(dtype))
    if not converged and strict:
        raise ConvergenceError(
            f"barycenter must reach its tolerance; after {max_iterations} steps the cost is {result.upper:.9g}, and no "
            f"measure costs less than {result.lower:.9g}. Raise max_iterations or tolerance, or pass strict=False.",
            result,
        )
    return result


def _measures(clouds: Any) -> tuple[list[Array], list[Array | None]]:
    """Points (n_i, d) and masses (n_i,) of each cloud, None for equal ones."""
    if not isinstance(clouds, Sequence) or isinstance(clouds, str | bytes) or not len(clouds):
        raise DataError("clouds must be a list, not empty, of points (n, d) or of pairs (points, masses).")
    points, masses = [], []
    for k, cloud in enumerate(clouds):
        x, a = cloud if _weighted(cloud) else (cloud, None)
        points.append(check.points(x, f"cloud {k}")[0])
        masses.append(None if a is None else check.probabilities(a, f"the masses of cloud {k}"))
        if points[-1].shape[1] != points[0].shape[1]:
            raise DataError(
                f"cloud {k} must have as many columns as cloud 0, {points[0].shape[1]}; got {points[-1].shape[1]}."
            )
        if a is not None and tuple(masses[-1].shape) != (len(points[-1]),):
            raise DataError(f"cloud {k} must have one mass per point; got masses of shape {tuple(masses[-1].shape)}.")
    namespace(*points, *(a for a in masses if a is not None))
    return points, masses


def _weighted(cloud: Any) -> bool:
    """Whether this is a pair of points and masses."""
    return isinstance(cloud, tuple) and len(cloud) == 2


def _weights(weights: Any, points: list[Array]) -> Array:
    """One weight per cloud, of the kind of the clouds."""
    k = len(points)
    if weights is None:
        return points[0].new_full((k,), 1.0 / k) if is_torch(points[0]) else np.full(k, 1.0 / k)
    shares = check.probabilities(weights, "weights")
    if tuple(shares.shape) != (k,):
        raise DataError(f"weights must hold one number per cloud, shape ({k},); got shape {tuple(shares.shape)}.")
    if is_torch(shares) != is_torch(points[0]):
        shares = points[0].new_tensor(shares) if is_torch(points[0]) else shares
    namespace(shares, points[0])
    return shares


def _averaged(points: list[Any], masses: list[Any], weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points and masses where an optimal coupling of all clouds is known: on the line, and for two clouds."""
    if len(points) == 1:
        n = len(points[0])
        return points[0], np.full(n, 1.0 / n) if masses[0] is None else masses[0]
    if points[0].shape[1] > 1:
        plan: Any = wasserstein(points[0], points[1], 2, a=masses[0], b=masses[1]).plan
        sides, mass = [points[0][plan.row], points[1][plan.col]], plan.data
    else:
        orders = [np.argsort(x[:, 0], kind="stable") for x in points]
        ends = [_ends(a, order) for a, order in zip(masses, orders, strict=True)]
        steps = np.unique(np.concatenate(ends))
        steps = steps[np.diff(steps, prepend=0.0) > CRUMB]
        mass = np.diff(steps, prepend=0.0)
        middle = steps - mass / 2
        places = [order[np.searchsorted(end, middle).clip(0, len(end) - 1)]
                  for end, order in zip(ends, orders, strict=True)]  # fmt: skip
        sides = [x[place] for x, place in zip(points, places, strict=True)]
    # Means from the first side on, so that a common offset does no harm.
    moved = sum(w * (side - sides[0]) for w, side in zip(weights, sides, strict=True))
    return sides[0] + moved, mass / np.sum(mass)


def _ends(masses: np.ndarray | None, order: np.ndarray) -> np.ndarray:
    """Running sums of the sorted masses; fractions k/n are the same floats for all clouds."""
    n = len(order)
    ends = np.arange(1, n + 1) / n if masses is None else np.cumsum(masses[order])
    return ends / ends[-1]


def _start(
    points: list[Any], masses: list[Any], weights: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """Points of the clouds, drawn by their masses; no point twice where there are enough."""
    pooled = np.concatenate(points)
    chance = np.concatenate([
        w * (np.full(len(x), 1.0 / len(x)) if a is None else a)
        for x, a, w in zip(points, masses, weights, strict=True)
    ])  # fmt: skip
    enough = np.count_nonzero(chance) >= size
    return pooled[rng.choice(len(pooled), size, replace=not enough, p=chance / np.sum(chance))]


def _descent(
    q: np.ndarray, points: list[Any], masses: list[Any], weights: np.ndarray, tolerance: float, limit: int
) -> tuple[np.ndarray, list[float], bool]:
    """Points of equal masses after as many steps as it takes, the cost before each, and whether they were enough."""
    history: list[float] = []
    for _ in range(limit):
        legs = [wasserstein(x, q, 2, a=a) for x, a in zip(points, masses, strict=True)]
        history.append(float(sum(w * leg.cost for w, leg in zip(weights, legs, strict=True))))
        # The mean of the clouds' points that a point of q is coupled with, as a move away from it.
        move = sum(w * _towards(q, x, leg) for w, x, leg in zip(weights, points, legs, strict=True))
        gain = float(np.mean(np.sum(move * move, axis=1)))  # by which the cost falls for these plans
        if gain <= tolerance * history[-1]:
            return q, history, True
        q = q + move
    return q, history, False


def _towards(q: np.ndarray, x: np.ndarray, leg: TransportResult) -> np.ndarray:
    """For each point of q (m, d), the mean of x - q over what its plan couples it with."""
    plan: Any = leg.plan
    pull = plan.data[:, None] * (x[plan.row] - q[plan.col])
    out = np.column_stack([np.bincount(plan.col, column, len(q)) for column in pull.T])
    return out * len(q)


def _apart(points: list[Array], masses: list[Any]) -> dict[tuple[int, int], TransportResult]:
    """The transport between any two clouds."""
    return {
        (i, j): wasserstein(points[i], points[j], 2, a=masses[i], b=masses[j])
        for i, j in combinations(range(len(points)), 2)
    }


def _least(pairs: dict[tuple[int, int], TransportResult], weights: np.ndarray, rounding: float) -> float:
    """A lower bound on the cost of any measure: sum_{i<j} w_i w_j W_2^2(cloud_i, cloud_j), over the sum of weights."""
    found = np.array([weights[i] * weights[j] * leg.lower for (i, j), leg in pairs.items()])
    # Products, their sum and the sum of weights, which is one up to rounding, are off by so many units.
    rounding += (len(found) + 2 * len(weights) + 16) * UNIT
    return max(0.0, float(np.sum(found)) * (1 - rounding))


def _sum_above(weights: np.ndarray, costs: np.ndarray, rounding: float) -> float:
    """An upper bound on sum_i w_i c_i, off by `rounding`, relative; costs >= 0 up to the largest floats."""
    shift = 600 if costs.max() > 2.0**400 else 0  # `dot` multiplies by 2**27 on its way
    value, radius = dot(weights, np.ldexp(costs, -shift))
    radius += rounding * value + (len(costs) * SUBNORMAL if shift else 0.0)
    return math.ldexp(above(value, radius), shift)


def _off_one(masses: list[Any]) -> float:
    """How far masses that sum to one up to rounding may be from it."""
    return max((4 * UNIT * len(a) for a in masses if a is not None), default=0.0)


def _legs(points: list[Array], masses: list[Any], q: np.ndarray, mass: np.ndarray | None) -> list[TransportResult]:
    """The transport between each cloud and the barycentre, whose masses are None where they are equal."""
    if is_torch(points[0]):
        target, b = (None if v is None else points[0].new_tensor(v) for v in (q, mass))
    else:
        target, b = q, mass
    return [wasserstein(x, target, 2, a=a, b=b) for x, a in zip(points, masses, strict=True)]


def _tensor(
    value: float, shares: Array, legs: list[TransportResult], pairs: dict[tuple[int, int], TransportResult] | None
) -> Array:
    """The cost with its gradients, Q being held fixed.

    Where the pairs tell the cost, by sum_{i<j} w_i w_j W_2^2, they tell its slopes: those of the legs are ambiguous,
    as the masses of Q have been made from those of the clouds.
    """
    if pairs is None:
        terms = [share * leg.cost for share, leg in zip(shares, legs, strict=True)]
    else:
        terms = [shares[i] * shares[j] * leg.cost for (i, j), leg in pairs.items()]
    told: Array = sum(terms, 0 * shares.sum())
    return told + (value - told.detach())
