"""Transport along the worst direction."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array

from divergences import _checks as check
from divergences._arrays import Array, is_torch, namespace, result_dtype, to_numpy, with_gradients
from divergences._numerics import quiet
from divergences.errors import DataError
from divergences.optimal_transport._ascent import Slices, Stage, climb, coupling, sample_starts, unit
from divergences.optimal_transport._problem import Problem, exponent_of
from divergences.optimal_transport.exact import Exact

RANDOM = 64  # directions to start from, besides those that the samples suggest
COORDINATES = 8
STAGES = (Stage(32, 5), Stage(8, 25), Stage(3, 60))
SEARCH, CANDIDATES = 60, 16  # rounds of the search that ends on a ridge, where slopes mislead
PAIRS = 2**20  # of points, up to which the optimal coupling is asked for a bound
PLANE = 720  # directions tried in two dimensions


@dataclass(frozen=True, eq=False)
class MaxSliced:
    """What `max_sliced_wasserstein` found; `float(result)` is its value.

    Attributes:
        value: W_p of the projections on `direction`, in units of the points: a tensor with gradients for torch inputs.
        direction: (d,), of length one. Its sign is such that its largest entry is positive.
        upper: no direction has more, up to rounding.
        notes: what qualifies the value.

    """

    value: Any
    direction: Array
    upper: float
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return float(self.value.detach() if is_torch(self.value) else self.value)


def max_sliced_wasserstein(x: Any, y: Any, p: float = 1, *, rng: Any = 0) -> MaxSliced:
    """Max-sliced Wasserstein distance: the largest W_p(<x, θ>, <y, θ>) over directions θ of length one.

    The maximum of a function that is neither concave nor smooth: a hundred starts (where means, coordinates and
    covariances differ, and at random) climb by sorting and turning uphill, the best of them to the end, and a search
    around the winner ends it. `value` is what the direction found attains, hence never too large. `upper` is proved by
    couplings of the samples, whatever the direction: E|<x - y, θ>|^p is at most the power p/2 of the largest
    eigenvalue of E(x - y)(x - y)ᵀ for p <= 2, and at most E|x - y|^p.

    x (n, d) or (n,), y (m, d) or (m,): samples with equal masses; p >= 1; rng: a seed or a numpy Generator for the
    random starts. Gradients for torch inputs are those of the projections, the direction being fixed (the envelope
    theorem). The maximum often lies where two projections coincide; there it is the slope for one of their two orders,
    which differs from the slope of the maximum in those two points.

    Raises DataError for unusable input.

    >>> x = np.random.default_rng(0).normal(size=(200, 10))
    >>> found = max_sliced_wasserstein(x, x + 3 * np.eye(10)[4])
    >>> round(found.value, 9), int(found.direction.argmax()), round(found.upper, 6)
    (3.0, 4, 3.0)

    Source: Deshpande et al. (2019); the bound: Paty & Cuturi (2019).
    """
    x_given, y_given = check.real_array(x, "x"), check.real_array(y, "y")
    (x, _), (y, _) = check.points(x_given, "x"), check.points(y_given, "y")
    namespace(x, y)
    check.same_dimension(x, y)
    power = check.positive(p, "p", minimum=1.0, strict=False)
    generator = check.generator(rng)
    points, scale = _pooled(to_numpy(x), to_numpy(y), power)
    # Beyond one dimension per point the points lie in a subspace: an isometry loses no direction that matters.
    basis, reduced = np.linalg.qr(points.T) if points.shape[1] > len(points) else (None, points.T)
    slices = Slices(np.ascontiguousarray(reduced.T), len(x), power)
    cost, theta = worst(slices, generator)
    upper = max(_bound(slices, theta), cost ** (1 / power)) * scale
    value = cost ** (1 / power) * scale
    direction = unit(theta if basis is None else basis @ theta)
    sign = np.sign(direction[np.abs(direction).argmax()])
    direction, theta = sign * direction, sign * theta
    if not is_torch(x):
        return MaxSliced(value, direction, upper)
    left, right = np.split(_gradient(slices, theta, direction), [len(x)])
    dtype = result_dtype(x_given, y_given)
    tensor = with_gradients(value, (x, y), (left, right)).to(dtype)
    return MaxSliced(tensor, x.new_tensor(direction).to(dtype), upper)


def worst(slices: Slices, rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """The largest W_p^p found over directions, and its direction (d,)."""
    d = slices.points.shape[1]
    label = (np.arange(len(slices.points)) < slices.n)[None]
    if d == 1:
        return float(slices.costs(label, np.ones((1, 1)))[0][0]), np.ones(1)
    angle = np.arange(PLANE) * np.pi / PLANE
    fixed = np.column_stack([np.cos(angle), np.sin(angle)]) if d == 2 else rng.normal(size=(RANDOM, d))
    starts = sample_starts(slices, label, fixed, COORDINATES)
    value, theta = climb(slices, label, starts, STAGES)
    return _searched(slices, label, float(value[0]), theta[0], rng)


def _searched(
    slices: Slices, label: np.ndarray, value: float, theta: np.ndarray, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """The best direction of a random search around theta, ever closer to it."""
    angle = 0.05
    for _ in range(SEARCH):
        around = rng.normal(size=(CANDIDATES, len(theta)))
        around = unit(around - np.outer(around @ theta, theta))
        candidates = unit(np.cos(angle) * theta + np.sin(angle) * around)
        values, _ = slices.costs(np.repeat(label, CANDIDATES, axis=0), candidates)
        best = values.argmax()
        if values[best] > value:
            value, theta = float(values[best]), candidates[best]
        else:
            angle *= 0.7
    return value, theta


def _pooled(x: np.ndarray, y: np.ndarray, power: float) -> tuple[np.ndarray, float]:
    """Both samples around their centre, in their own unit of length, and that unit."""
    with quiet():
        centre = x.mean(axis=0) / 2 + y.mean(axis=0) / 2
        points = np.concatenate([x - centre, y - centre])
    if not np.isfinite(points).all():
        raise DataError("Differences between x and y must be finite; they overflow. Divide the points by 16 or more.")
    scale = 2.0 ** exponent_of(float(np.abs(points).max()), power)
    return points / scale, scale


def _bound(slices: Slices, theta: np.ndarray) -> float:
    """What no direction exceeds, by the coupling along theta and, where that is cheap, by the optimal one for p = 2."""
    x, y = slices.points[: slices.n], slices.points[slices.n :]
    rows, columns, mass = coupling(len(x), len(y))
    i, j = (np.argsort(side @ theta, kind="stable") for side in (x, y))
    bounds = [_coupled(x[i[rows]] - y[j[columns]], mass, slices.power)]
    if len(x) * len(y) <= PAIRS:
        plan = coo_array(Exact().solve(Problem.from_samples(x, y, 2)).plan)
        bounds.append(_coupled(x[plan.row] - y[plan.col], plan.data, slices.power))
    return min(bounds)


def _coupled(apart: np.ndarray, mass: np.ndarray, p: float) -> float:
    """The bound of one coupling: differences (cells, d) and their masses."""
    rounding = 1 + 1e-12 * max(apart.shape)
    whole = float(mass @ np.linalg.norm(apart, axis=1) ** p) ** (1 / p)
    if p > 2:
        return whole * rounding
    return min(whole, float(np.linalg.norm(apart * np.sqrt(mass)[:, None], 2))) * rounding


def _gradient(slices: Slices, theta: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Of W_p along theta with respect to every pooled point (N, d); zeros at W_p = 0, the minimum."""
    label = np.arange(len(slices.points)) < slices.n
    cost, pull = slices.pulls(label[None], theta[None])
    if cost[0] == 0:
        return np.zeros((len(label), len(direction)))
    return np.outer(pull[0], direction) * (cost[0] ** (1 / slices.power - 1) / slices.power)
