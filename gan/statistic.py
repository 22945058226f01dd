"""A mean over replicas, and how sure it is."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True)
class Statistic:
    """A mean over `count` seeds with Student's interval; None where there are too few."""

    mean: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0

    @classmethod
    def of(cls, values: np.ndarray) -> "Statistic":
        """The statistic of the values that are numbers.

        >>> Statistic.of(np.array([1.0, 2.0, 3.0, np.nan]))
        Statistic(mean=2.0, low=-0.4841, high=4.4841, count=3)
        """
        known = np.asarray(values, dtype=float)
        known = known[np.isfinite(known)]
        if len(known) < 2:
            return cls(float(known[0]) if len(known) else None, count=len(known))
        mean = float(known.mean())
        half = float(student.ppf((1 + LEVEL) / 2, len(known) - 1) * known.std(ddof=1) / math.sqrt(len(known)))
        return cls(mean, mean - half, mean + half, len(known))
