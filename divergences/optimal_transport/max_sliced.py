"""Transport along the worst direction."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import nnls
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
RADII, CLIMBS = 10.0 ** -np.arange(2, 10), 8  # of the surroundings whose slopes are mixed, where single ones mislead
PAIRS = 2**20  # of points, up to which the optimal coupling is asked for a bound
PLANE = 720  # directions tried in two dimensions
FLAT = 1e-6  # relative slope below which a maximum counts as smooth
AROUND, RIDGE = 16, 1e-7  # directions around one whose slopes are mixed, and how far they are for gradients


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
    covariances differ, and at random) climb by sorting and turning uphill, the best of them to the end, and gradient
    sampling finds the top of a ridge. `value` is what the direction found attains, hence never too large. `upper` is
    proved by couplings of the samples, whatever the direction: E|<x - y, θ>|^p is at most the power p/2 of the largest
    eigenvalue of E(x - y)(x - y)ᵀ for p <= 2, and at most E|x - y|^p.

    x (n, d) or (n,), y (m, d) or (m,): samples with equal masses; p >= 1; rng: a seed or a numpy Generator for the
    random starts. Gradients for torch inputs are those of the projections, the direction being fixed (the envelope
    theorem). The maximum often lies on a ridge, where projections coincide and several couplings are optimal; there it
    is the mixture of their gradients that does not turn the direction, as Lagrange's multipliers have it.

    Raises DataError for unusable input.

    >>> x = np.random.default_rng(0).normal(size=(200, 10))
    >>> found = max_sliced_wasserstein(x, x + 3 * np.eye(10)[4])
    >>> round(found.value, 9), int(found.direction.argmax()), round(found.upper, 6)
    (3.0, 4, 3.0)

    Source: Deshpande et al. (2019); the bound: Paty & Cuturi (2019); ridges: Burke, Lewis & Overton (2005).
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
    _, theta = climb(slices, label, starts, STAGES)
    best = _polished(slices, label, theta[0], rng)
    return float(slices.costs(label, best[None])[0][0]), best


def _polished(slices: Slices, label: np.ndarray, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The top of the hill or ridge that theta is on, by gradient sampling: uphill along the shortest mixture of the
    slopes around, over ever smaller surroundings.
    """
    (value,), _ = slices.costs(label, theta[None])
    for radius in RADII:
        for _ in range(CLIMBS):
            pulls, tangents = _around(slices, label, theta, radius, rng)
            uphill = _balance(tangents) @ tangents
            # What turns within the surroundings is not worth a step: the next ones are smaller.
            if np.linalg.norm(uphill) * radius <= 1e-15 * np.linalg.norm(pulls[0] @ slices.points):
                break
            angles = radius * 2.0 ** np.arange(6, -6, -1)
            there = unit(theta + np.outer(angles, unit(uphill)))
            values, _ = slices.costs(np.repeat(label, len(there), axis=0), there)
            if values.max() <= value:
                break
            value, theta = values.max(), there[values.argmax()]
    return theta


def _around(
    slices: Slices, label: np.ndarray, theta: np.ndarray, radius: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """At theta and at directions around it: the slope in each projection (k, N), and how W_p^p turns theta (k, d)."""
    around = rng.normal(size=(AROUND + min(2 * len(theta), AROUND), len(theta)))
    around = unit(around - np.outer(around @ theta, theta))
    around = unit(np.concatenate([theta[None], theta + radius * around, theta - radius * around]))
    _, pulls = slices.pulls(np.repeat(label, len(around), axis=0), around)
    slopes = pulls @ slices.points
    return pulls, slopes - np.outer(slopes @ theta, theta)


def _balance(tangents: np.ndarray) -> np.ndarray:
    """Weights λ >= 0 of sum one with the least |Σ λ tangents|, for tangents (k, d)."""
    # Least squares with Σ λ = 1 as a row of its own that weighs enough to be met.
    heavy = 1e3 * float(np.abs(tangents).max()) or 1.0
    weight, _ = nnls(
        np.vstack([tangents.T, np.full(len(tangents), heavy)]), np.append(np.zeros(tangents.shape[1]), heavy)
    )
    return weight / weight.sum()


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
    label = (np.arange(len(slices.points)) < slices.n)[None]
    cost, pull = slices.pulls(label, theta[None])
    if cost[0] == 0:
        return np.zeros((label.size, len(direction)))
    slope = pull[0] @ slices.points
    if np.linalg.norm(slope - (slope @ theta) * theta) > FLAT * np.linalg.norm(slope):
        pulls, tangents = _around(slices, label, theta, RIDGE, np.random.default_rng(0))
        pull = _balance(tangents)[None] @ pulls
    return np.outer(pull[0], direction) * (cost[0] ** (1 / slices.power - 1) / slices.power)
