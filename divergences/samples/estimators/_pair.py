"""What every estimator is given: two samples, checked once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from divergences._arrays import namespace, to_numpy
from divergences._checks import points, same_dimension
from divergences._parallel import run_blocks
from divergences._results import Estimate
from divergences.f_divergence import FDivergence

MOMENTS = 10_000
RANK = 1e-10  # of the largest variance: what is below is a combination of other columns


@dataclass(frozen=True, eq=False)
class Pair:
    """Samples x of p and y of q, of shapes (n, d) and (m, d), finite, in float64."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, x: Any, y: Any) -> "Pair":
        """The pair, checked."""
        x, y = points(x, "x")[0], points(y, "y")[0]
        namespace(x, y)  # refuses NumPy beside torch
        same_dimension(x, y)
        return cls(to_numpy(x), to_numpy(y))

    @property
    def n(self) -> int:
        """The size of the sample of p."""
        return len(self.x)

    @property
    def m(self) -> int:
        """The size of the sample of q."""
        return len(self.y)

    @property
    def d(self) -> int:
        """The number of variables."""
        return self.x.shape[1]

    @cached_property
    def distinct(self) -> int:
        """How many different rows the pooled sample has; fewer than n + m means ties."""
        return len(np.unique(np.concatenate([self.x, self.y]), axis=0))

    @cached_property
    def tied(self) -> float:
        """The largest share of values that occur more than once, over the columns of the pooled sample that vary."""
        shares = np.zeros(self.d)

        def share(column: int, _stop: int) -> None:
            pooled = np.sort(np.concatenate([self.x[:, column], self.y[:, column]]))
            equal = np.zeros(len(pooled) + 1, bool)
            equal[1:-1] = pooled[1:] == pooled[:-1]
            shares[column] = np.mean(equal[1:] | equal[:-1]) if pooled[0] < pooled[-1] or self.d == 1 else 0.0

        run_blocks(share, total=self.d, size=1)
        return float(shares.max())

    @cached_property
    def copies(self) -> int:
        """How often the most frequent row of the pooled sample occurs."""
        return int(np.unique(np.concatenate([self.x, self.y]), axis=0, return_counts=True)[1].max())

    @cached_property
    def whitened(self) -> tuple[np.ndarray, np.ndarray]:
        """Both samples under one linear map, (n, r) and (m, r), in which distances have no unit.

        Columns get unit variance; with ten points per column and more, directions do, within the samples: divergences
        stay the same, and columns that are combinations of others disappear (r < d).
        """
        if self.d == 1:  # without a centre, from which small values would be rounded away
            unit = np.frexp(max(np.abs(self.x).max(), np.abs(self.y).max()))[1]
            return np.ldexp(self.x, -unit), np.ldexp(self.y, -unit)
        x, y = _standard(self.x, self.y)
        if min(self.n, self.m) < 10 * x.shape[1] or x.shape[1] < 2:
            return x, y
        some_x, some_y = _some(x), _some(y)
        pooled = np.cov(np.concatenate([some_x, some_y]), rowvar=False)
        within = (np.cov(some_x, rowvar=False) + np.cov(some_y, rowvar=False)) / 2
        matrix = _root(pooled)
        # A little is added where the samples lie on parallel planes, within which nothing varies across.
        matrix = matrix @ _root(matrix.T @ within @ matrix + 1e-6 * np.eye(matrix.shape[1]))
        return _map(x, matrix), _map(y, matrix)


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix A, with as many columns as the covariance has directions, for which Aᵀ C A is the identity."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept])


def _some(sample: np.ndarray) -> np.ndarray:
    """Rows enough to learn a linear map from: any map would do."""
    return sample[:: -(-len(sample) // MOMENTS)]


def _standard(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred and scaled columns; those without variance are left out, unless none has any."""
    low, high = np.minimum(x.min(axis=0), y.min(axis=0)), np.maximum(x.max(axis=0), y.max(axis=0))
    kept = low < high
    if not kept.any():
        return np.zeros_like(x[:, :1]), np.zeros_like(y[:, :1])
    peak = np.maximum(np.abs(low), np.abs(high))[kept]
    x, y = x[:, kept] / peak, y[:, kept] / peak
    centre = _some(x).mean(axis=0) / 2 + _some(y).mean(axis=0) / 2
    x -= centre
    y -= centre
    spread = np.sqrt((np.square(_some(x)).mean(axis=0) + np.square(_some(y)).mean(axis=0)) / 2)
    spread[spread == 0] = 1.0
    x /= spread
    y /= spread
    return x, y


def _map(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`points @ matrix`, added up in the same order for each row: equal rows stay equal."""
    mapped = np.zeros((len(points), matrix.shape[1]))
    for t, row in enumerate(matrix):
        mapped += points[:, [t]] * row
    return mapped


class Method(Protocol):
    """A way to estimate an f-divergence: a frozen dataclass of its options, one file each."""

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """The estimate, with what its user must know in `notes`; a field it cannot honestly give is None."""
        ...
