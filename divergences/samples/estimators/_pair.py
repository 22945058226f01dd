"""What every estimator is given: two samples, checked once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from divergences._arrays import to_numpy
from divergences._checks import points, same_dimension
from divergences._results import Estimate
from divergences.f_divergence import FDivergence

RANK = 1e-10  # of the largest variance: what is below is a combination of other columns


@dataclass(frozen=True, eq=False)
class Pair:
    """Samples x of p and y of q, of shapes (n, d) and (m, d), finite, in float64."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, x: Any, y: Any) -> "Pair":
        """The pair, checked."""
        x, y = to_numpy(points(x, "x")[0]), to_numpy(points(y, "y")[0])
        same_dimension(x, y)
        return cls(x, y)

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
        pooled = np.sort(np.concatenate([self.x, self.y]), axis=0)
        equal = np.zeros((len(pooled) + 1, self.d), bool)
        equal[1:-1] = pooled[1:] == pooled[:-1]
        repeated, varies = (equal[1:] | equal[:-1]).mean(axis=0), pooled[0] < pooled[-1]
        return float(repeated[varies].max() if varies.any() else repeated.max())

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
        for covariance in (_pooled, _within):
            values, vectors = np.linalg.eigh(covariance(x, y))
            kept = values > RANK * values[-1]
            scaled = vectors[:, kept] / np.sqrt(values[kept])
            x, y = _map(x, scaled), _map(y, scaled)
        return x, y


def _standard(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred and scaled columns; those without variance are left out, unless none has any."""
    peak = np.maximum(np.abs(x).max(axis=0), np.abs(y).max(axis=0))
    peak[peak == 0] = 1.0
    x, y = x / peak, y / peak
    centre = x.mean(axis=0) / 2 + y.mean(axis=0) / 2
    x, y = x - centre, y - centre
    spread = np.sqrt((np.square(x).mean(axis=0) + np.square(y).mean(axis=0)) / 2)
    constant = np.concatenate([x, y])
    kept = constant.min(axis=0) < constant.max(axis=0)
    if not kept.any():
        return x[:, :1], y[:, :1]
    return x[:, kept] / spread[kept], y[:, kept] / spread[kept]


def _pooled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.cov(np.concatenate([x, y]), rowvar=False)


def _within(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean covariance of the two, raised where the samples lie on parallel planes."""
    return (np.cov(x, rowvar=False) + np.cov(y, rowvar=False)) / 2 + 1e-6 * np.eye(x.shape[1])


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
