"""One column at a time: W₁, Kolmogorov-Smirnov, binned divergences, and a permutation test."""

from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import cast

import numpy as np

from divergences._results import Estimate, Interval
from divergences.samples.comparison import ColumnComparison
from divergences.samples.estimation import estimate
from divergences.samples.permutation import benjamini_hochberg, labels, null_95, pvalue


@dataclass(frozen=True, eq=False)
class Line:
    """The distribution functions of two samples on their merged line; `gap` has zeros where values tie."""

    order: np.ndarray
    gap: np.ndarray  # between neighbours of the sorted pooled sample, (n + m - 1,)
    n: int
    m: int

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> "Line":
        """The line of samples x and y."""
        pooled = np.concatenate([x, y])
        order = np.argsort(pooled, kind="stable")
        return cls(order, np.diff(pooled[order]), len(x), len(y))

    def difference(self, labels: np.ndarray) -> np.ndarray:
        """F − G between neighbours, for labellings of shape (k, n + m); shape (k, n + m - 1)."""
        ahead = np.cumsum(labels[:, self.order], axis=1)[:, :-1]
        behind = np.arange(1, self.n + self.m) - ahead
        return ahead / self.n - behind / self.m

    def w1(self, labels: np.ndarray) -> np.ndarray:
        """W₁ = ∫ |F − G| of each labelling."""
        return np.abs(self.difference(labels)) @ self.gap

    def ks(self, labels: np.ndarray) -> np.ndarray:
        """Sup |F − G| of each labelling: tied values jump together."""
        return np.max(np.abs(self.difference(labels)) * (self.gap > 0), axis=1, initial=0.0)

    def standard_error(self, labels: np.ndarray) -> float:
        """Of W₁: the potential φ with slope −sign(F − G) is its influence function."""
        slope = -np.sign(self.difference(labels)[0])
        potential = np.empty(self.n + self.m)
        potential[self.order] = np.concatenate([[0.0], np.cumsum(slope * self.gap)])
        ahead, behind = deviation(potential[: self.n]), deviation(potential[self.n :])
        return hypot(float(ahead) / sqrt(self.n), float(behind) / sqrt(self.m))


def deviation(values: np.ndarray) -> np.ndarray:
    """The standard deviation of each column (or of a vector) at any scale: no square overflows or vanishes."""
    values = values - values.mean(axis=0)
    peak = np.max(np.abs(values), axis=0)
    unit = np.where(peak > 0, peak, 1.0)
    return unit * np.std(values / unit, axis=0)


def compare_column(
    name: str, x: np.ndarray, y: np.ndarray, permutations: int, rng: np.random.Generator
) -> ColumnComparison:
    """The comparison of one column, its p-value not yet adjusted."""
    line = Line.of(x, y)
    blocks = labels(len(x), len(y), permutations, rng)
    observed = next(blocks)
    w1 = np.concatenate([line.w1(observed), *(line.w1(block) for block in blocks)])
    centre = x.mean() / 2 + y.mean() / 2
    spread = float(deviation(np.concatenate([x, y]) - centre))
    p = pvalue(w1)
    return ColumnComparison(
        name=name,
        n=len(x),
        m=len(y),
        w1=float(w1[0]),
        w1_sd=float(w1[0]) / spread if spread > 0 else 0.0,
        standard_error=line.standard_error(observed),
        null_95=null_95(w1),
        ks=float(line.ks(observed)[0]),
        js_distance=_root(estimate(x, y, "js", method="histogram", rng=rng)),
        total_variation=estimate(x, y, "total_variation", method="histogram", rng=rng),
        mean_shift=float((y - centre).mean() - (x - centre).mean()),
        pvalue=p,
        pvalue_adjusted=p,
    )


def adjust(columns: list[ColumnComparison]) -> dict[str, ColumnComparison]:
    """The columns by name, with p-values adjusted for their number."""
    adjusted = benjamini_hochberg(np.array([column.pvalue for column in columns]))
    return {c.name: replace(c, pvalue_adjusted=float(p)) for c, p in zip(columns, adjusted, strict=True)}


def _root(e: Estimate) -> Estimate:
    """The square root of an estimate and its interval: the JS distance of a JS divergence."""
    low, high = (sqrt(max(v, 0.0)) for v in cast(Interval, e.confidence_interval))
    return replace(e, value=sqrt(max(e.value, 0.0)), standard_error=None, confidence_interval=Interval(low, high))
