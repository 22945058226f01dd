"""What every estimator is given: two samples, checked once."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from divergences._arrays import namespace, to_numpy
from divergences._checks import points, same_dimension
from divergences._parallel import run_blocks
from divergences._results import Estimate
from divergences.f_divergences.f_divergence import FDivergence
from divergences.samples._neighbours import SMALL
from divergences.samples.estimators._space import whitened


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
        rising = np.sort
        if self.n + self.m > SMALL:
            from divergences._sorting import sorted_copy as rising

        def share(column: int, _stop: int) -> None:
            pooled = rising(np.concatenate([self.x[:, column], self.y[:, column]]) + 0.0)  # no -0.0 beside 0.0
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
        """Both samples in the space where distances are taken, see `_space.whitened`."""
        return whitened(self.x, self.y)


class Method(Protocol):
    """A way to estimate an f-divergence: a frozen dataclass of its options, one file each."""

    def estimate(self, pair: Pair, divergence: FDivergence, rng: np.random.Generator) -> Estimate:
        """The estimate, with what its user must know in `notes`; a field it cannot honestly give is None."""
        ...
