"""The transport problem, validated once.

A `Problem` is two mass vectors and either points with a metric and a power, or a cost matrix. It owns the costs and
a proven bound on their rounding error: |computed c_ij - true c_ij| <= relative_error * c_ij + absolute_error.

The totals of a and b agree only to rounding, so what is solved, in real arithmetic, is the transport between the
laws a / sum(a) and b / sum(b), times the mean of the two totals.

Inside, lengths and masses are multiplied by powers of two where they would otherwise overflow or underflow. That is
exact, and costs nothing in ordinary ranges, where the exponents are 0. Distances are taken from coordinate
differences, never from |x|^2 - 2xy + |y|^2, so that a common offset does no harm and points need no centring.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from divergences import _checks as check
from divergences.errors import DataError, NotNormalizedError
from divergences.optimal_transport._metrics import METRICS, distances, lengths, raised
from divergences.optimal_transport._rounding import SUBNORMAL, UNIT, total

MASS_TOLERANCE = 1e-9  # relative, between the two totals
NARROW_TOLERANCE = 1e-5  # the same for masses that were rounded below float64
BLOCK = 2**20  # entries per block where a pass over all pairs would otherwise need temporaries


@dataclass(frozen=True, eq=False)
class Problem:
    """Masses a (n,), b (m,) and costs, in internal units; build it with `from_samples` or `from_costs`.

    A cost in the caller's units is the internal one times 2**(power * exponent), a mass 2**mass_exponent times the
    internal one. `power` is 1 for a cost matrix.
    """

    a: np.ndarray
    b: np.ndarray
    x: np.ndarray | None  # (n, d) points, or None for a cost matrix
    y: np.ndarray | None
    matrix: np.ndarray | None
    power: float
    metric: str
    exponent: int
    mass_exponent: int
    mass_slack: float  # relative error of the total mass: uniform masses stand for exactly 1/n
    points: tuple[np.ndarray, np.ndarray] | None = None  # as the caller gave them
    mass_rounding: float = 0.0  # relative error of each mass, where the totals had to be reconciled
    nonnegative: bool = True  # whether no cost is negative, and hence no optimal cost either

    @classmethod
    def from_samples(
        cls,
        x: np.ndarray,
        y: np.ndarray,
        p: Any = 1,
        a: Any = None,
        b: Any = None,
        metric: str = "euclidean",
        *,
        tolerance: float = MASS_TOLERANCE,
    ) -> "Problem":
        """The problem between points x (n, d) and y (m, d), finite float64, with cost metric(x_i, y_j)**p."""
        power = power_of(p)
        check.choice(metric, METRICS, "metric")
        check.same_dimension(x, y)
        a, b, mass_exponent, slack, rounding = _masses(a, b, len(x), len(y), tolerance)
        low, high = (f([f(x, axis=0), f(y, axis=0)], axis=0) for f in (np.min, np.max))
        with np.errstate(over="ignore"):
            extent = high - low
        if not np.all(np.isfinite(extent)):
            raise DataError("Distances between x and y must be finite; they overflow. Divide the points by 2 or more.")
        points = x, y
        varying = extent > 0  # a constant column adds nothing to any distance
        exponent = exponent_of(float(np.max(extent)), power)
        x, y = (np.ldexp(v[:, varying] if varying.any() else v[:, :1] * 0.0, -exponent) for v in (x, y))
        problem = cls(a, b, x, y, None, power, metric, exponent, mass_exponent, slack, points, rounding)
        return problem._representable()

    @classmethod
    def from_costs(cls, cost: Any, a: Any = None, b: Any = None, *, tolerance: float = MASS_TOLERANCE) -> "Problem":
        """The problem with the cost matrix `cost` (n, m): finite, of any sign."""
        matrix = np.asarray(cost, dtype=np.float64)
        n, m = matrix.shape
        a, b, mass_exponent, slack, rounding = _masses(a, b, n, m, tolerance)
        largest = float(np.max(np.abs(matrix)))
        nonnegative = bool(matrix.min() >= 0)  # before small ones are flushed to -0.0
        exponent = exponent_of(largest, 1.0)
        matrix = np.ldexp(matrix, -exponent) if exponent else matrix
        problem = cls(a, b, None, None, matrix, 1.0, "", exponent, mass_exponent, slack, None, rounding, nonnegative)
        return problem._representable()

    def _representable(self) -> "Problem":
        """Refuse what no float64 answer exists for."""
        scale = math.log2(self.largest * self.mass or 1.0) + self.power * self.exponent + self.mass_exponent
        alone = math.log2(self.largest or 1.0) + self.power * self.exponent
        if max(scale, alone) > 1022:
            raise DataError(
                f"Costs must stay below 1.8e308; the largest here is about 2**{max(scale, alone):.0f}. "
                "Divide the points, costs or masses by a constant."
            )
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return len(self.a), len(self.b)

    @cached_property
    def mass(self) -> float:
        """Total mass, in internal units."""
        return (total(self.a)[0] + total(self.b)[0]) / 2

    @cached_property
    def imbalance(self) -> float:
        """A bound on |sum(a) - sum(b)| and on what reconciling them rounded; exactly 0 where they agreed exactly."""
        value, radius = total(np.concatenate([self.a, -self.b]))
        bound = abs(value) + radius + 2 * self.mass_rounding * self.mass
        return bound + sum(self.shape) * SUBNORMAL if self.mass_exponent else bound

    @cached_property
    def crumbs(self) -> bool:
        """Whether taking out the exponent may have rounded a mass, to a subnormal number or to 0."""
        return self.mass_exponent > 0 and float(min(self.a.min(), self.b.min())) < 2.0**-1021

    @property
    def relative_error(self) -> float:
        """Bound on the relative rounding error of a computed cost."""
        if self._exact:
            return 0.0
        # Differences, powers and the sum of d terms: (d + 4) roundings; the power p multiplies them and adds 8.
        dimension = 1 if self.x is None else self.x.shape[1]
        return UNIT * (self.power * (dimension + 4) + (0 if self.power == 1 else 8))

    @cached_property
    def _exact(self) -> bool:
        """Whether costs are computed without rounding: a matrix, or small whole numbers and no root of a sum."""
        if self.x is None or self.y is None:
            return True
        whole = all(np.all(np.rint(v) == v) for v in (self.x, self.y)) and self.exponent == 0
        rootless = self.x.shape[1] == 1 or self.metric != "euclidean"
        bound = max(float(np.max(np.abs(self.x))), float(np.max(np.abs(self.y)))) * 2 * self.x.shape[1]
        return bool(whole and rootless and self.power in (1, 2) and bound < 2.0**26)

    @cached_property
    def absolute_error(self) -> float:
        """Bound on what underflow may have taken from a computed cost; 0 where nothing is that small."""
        if self.x is None or self.y is None:
            return SUBNORMAL if self.exponent else 0.0
        # Every distance is 0 or at least the smallest difference of two coordinates.
        steps = np.diff(np.sort(np.concatenate([self.x, self.y]), axis=0), axis=0)
        smallest = float(np.min(steps, where=steps > 0, initial=np.inf))
        if self.exponent == 0 and smallest > 2.0**-480 and smallest > 2.0 ** (-900 / self.power):
            return 0.0
        return (self._diameter * 2.0**-480) ** self.power + SUBNORMAL

    @cached_property
    def _diameter(self) -> float:
        """The diameter of the box that holds all points."""
        return 0.0 if self.x is None or self.y is None else _box(self.x, self.y, self.metric)

    @cached_property
    def largest(self) -> float:
        """A bound on max |c_ij|."""
        if self.matrix is not None:
            return float(np.max(np.abs(self.matrix)))
        return self._diameter**self.power * (1 + 4 * self.relative_error) + self.absolute_error

    @cached_property
    def worst(self) -> float:
        """A bound on what one unit of misplaced mass can cost: no plan has any at a point without mass."""
        rows, columns = (self.a > 0) | self.crumbs, (self.b > 0) | self.crumbs
        if self.x is not None and self.y is not None:
            diameter = _box(self.x[rows], self.y[columns], self.metric)
            return diameter**self.power * (1 + 4 * self.relative_error) + self.absolute_error
        largest = float(np.max(np.abs(self._matrix), where=rows[:, None] & columns, initial=0.0))
        return largest if self.nonnegative else 3 * largest

    @cached_property
    def mean_cost(self) -> float:
        """The mean |cost| of the independent coupling; for points without a matrix, Jensen's bound from below."""
        a, b = self.a / np.sum(self.a), self.b / np.sum(self.b)
        if self.written_out:
            return float(sum(a[rows] @ np.abs(block) @ b for rows, block in self.blocks()))
        if self.x is None or self.y is None:
            return 0.0
        to_mean = distances(self.x, (b @ self.y)[None], self.metric)[:, 0] ** self.power
        from_mean = distances((a @ self.x)[None], self.y, self.metric)[0] ** self.power
        return float(max(a @ to_mean, b @ from_mean))

    @cached_property
    def cost(self) -> np.ndarray:
        """All costs (n, m); refused before anything is allocated when they would not fit in memory."""
        if self.x is None or self.y is None:
            return self._matrix
        guard_memory(*self.shape)
        return raised(distances(self.x, self.y, self.metric), self.power)

    def located(self) -> tuple[np.ndarray, np.ndarray]:
        """The points x (n, d) and y (m, d), in internal units."""
        if self.x is None or self.y is None:
            raise DataError("This needs a problem between points, not a cost matrix.")
        return self.x, self.y

    @property
    def written_out(self) -> bool:
        """Whether all costs lie in memory already."""
        return self.matrix is not None or "cost" in self.__dict__

    @property
    def _matrix(self) -> np.ndarray:
        """The caller's cost matrix, in internal units."""
        if self.matrix is None:
            raise DataError("A Problem needs points or a cost matrix; build it with from_samples or from_costs.")
        return self.matrix

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Pairs (slice of rows, their costs) that cover the matrix, each of about BLOCK entries."""
        n, m = self.shape
        step = max(1, BLOCK // m)
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, self.cost[rows]

    def cost_at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The costs of the given cells (k,)."""
        if self.x is None or self.y is None:
            return self.cost[rows, columns]
        return raised(lengths(self.x[rows] - self.y[columns], self.metric), self.power)


def _box(x: np.ndarray, y: np.ndarray, metric: str) -> float:
    """The diameter of the box that holds the points x (n, d) and y (m, d)."""
    low = np.minimum(x.min(axis=0), y.min(axis=0))
    high = np.maximum(x.max(axis=0), y.max(axis=0))
    return float(distances(low[None], high[None], metric)[0, 0])


def guard_memory(n: int, m: int, *, matrices: int = 3) -> None:
    """Refuse an n x m problem whose dense matrices would take more than half of the machine's memory."""
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
    needed = 8.0 * n * m * matrices
    if needed > limit:
        raise DataError(
            f"{n} x {m} costs must fit in memory: {needed / 2**30:.1f} GiB are needed, the limit (half of the "
            f"machine) is {limit / 2**30:.1f} GiB. Use fewer points, or wasserstein with Exact(): no matrix."
        )


def power_of(p: Any) -> float:
    """A finite p >= 1."""
    try:
        return check.positive(p, "p", minimum=1.0, strict=False)
    except DataError as error:
        raise DataError(f"{error} (p = inf, the bottleneck distance, is not a transport cost.)") from None


def exponent_of(largest: float, power: float) -> int:
    """The power of two to divide by so that costs and their products stay far from overflow; 0 if they already do."""
    exponent = math.frexp(largest)[1]
    return 0 if largest == 0 or abs(exponent) * power <= 300 else exponent


def _masses(a: Any, b: Any, n: int, m: int, tolerance: float) -> tuple[np.ndarray, np.ndarray, int, float, float]:
    """Both mass vectors at one total, the exponent taken out, the slack of the total, the rounding of each mass."""
    slack = UNIT if a is None and b is None and (n & (n - 1) or m & (m - 1)) else 0.0
    a, b = _mass(a, n, "a"), _mass(b, m, "b")
    peak = max(float(a.max()), float(b.max()))
    exponent = math.frexp(peak)[1] if not 2.0**-300 < peak < 2.0**300 else 0
    a, b = (np.ldexp(v, -exponent) if exponent else v for v in (a, b))
    total_a, total_b = total(a)[0], total(b)[0]
    if not abs(total_a - total_b) <= tolerance * max(total_a, total_b):
        shown = [math.ldexp(v, exponent) if exponent < 900 else math.inf for v in (total_a, total_b)]
        raise NotNormalizedError(
            f"a and b must have the same total mass to {tolerance:g} relative; got {shown[0]:.12g} and "
            f"{shown[1]:.12g}. Divide each by its sum, in float64, to compare them as distributions."
        )
    if abs(total_a - total_b) <= 2.0**-49 * total_a:
        return a, b, exponent, slack, 0.0
    middle = (total_a + total_b) / 2
    return a * (middle / total_a), b * (middle / total_b), exponent, 4 * UNIT, 4 * UNIT


def _mass(value: Any, size: int, name: str) -> np.ndarray:
    """Checked masses (size,), uniform for None."""
    if value is None:
        return np.full(size, 1.0 / size)
    masses = np.asarray(check.masses(value, name))
    if masses.shape != (size,):
        raise DataError(f"{name} must hold one mass per point, shape ({size},); got shape {masses.shape}.")
    if not masses.any():
        raise NotNormalizedError(f"{name} must have a positive total; all its masses are 0.")
    return masses
