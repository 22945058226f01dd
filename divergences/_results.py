"""The two small results that every estimator shares."""

from dataclasses import dataclass
from typing import NamedTuple


class Interval(NamedTuple):
    """A closed interval `[low, high]`, named as SciPy names its confidence intervals."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A number that carries its own uncertainty.

    `float(estimate)` is its `value`. A field that the method cannot honestly give is None.

    >>> e = Estimate(0.5, standard_error=0.1, confidence_interval=Interval(0.3, 0.7), method="demo")
    >>> float(e), e.confidence_interval.high
    (0.5, 0.7)
    """

    value: float
    standard_error: float | None = None
    confidence_interval: Interval | None = None
    method: str = ""
    n: int | None = None
    m: int | None = None
    notes: tuple[str, ...] = ()

    def __float__(self) -> float:
        return float(self.value)
