"""What every estimator is given: two samples, checked once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from divergences._arrays import to_numpy
from divergences._checks import points, same_dimension
from divergences._results import Estimate
from divergences.f_divergence import FDivergence


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


class Method(Protocol):
    """A way to estimate an f-divergence: a frozen dataclass of its options, one file each."""

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """The estimate, with what its user must know in `notes`; a field it cannot honestly give is None."""
        ...
