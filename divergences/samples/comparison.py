"""What comparing one column, or all together, returns: plain data, in the order reference first, current second."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from divergences._results import Estimate, Interval


@dataclass(frozen=True)
class Null:
    """A binned divergence as the bare counts give it, and what two samples of one law give at this n, m and bin count.

    Attributes:
        observed: the formula at the shares, smoothed by ½ a count each, no bias subtracted: what thresholds such as 0.1
            are meant for.
        mean, quantile_95: of the same among counts drawn from the pooled law.

    """

    observed: float
    mean: float
    quantile_95: float

    @classmethod
    def of(cls, observed: float, draws: np.ndarray) -> "Null":
        """From draws under one law."""
        return cls(observed, float(np.mean(draws)), float(np.quantile(draws, 0.95)))


@dataclass(frozen=True)
class Unseen:
    """What the reference lacks: the share of the current values, and up to five of the categories, commonest first.

    Of numbers it is the share outside the range of the reference, and there are no names.
    """

    share: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnComparison:
    """One column: how far the current values are from the reference ones. What does not apply is None.

    Lengths (w1 to null_95, mean_shift) are in the column's own unit, of dates in days, and None for categories and
    booleans. Where one side has no value at all, only the missing shares and the p-value are told.

    Attributes:
        name, kind: of the column; the kind is "number", "date", "boolean" or "category".
        n, m: present values of the reference and of the current table.
        pvalue: of the hypothesis that both columns, gaps included, come from one law; of numbers and dates by their
            normal scores, so that it may be small where an outlier makes w1 no larger than null_95.
        test: which test gave it, in words.
        pvalue_adjusted: for all columns at once, Benjamini & Hochberg (1995).
        unit: "days" for dates, else "".
        missing_reference, missing_current: the shares of gaps.
        w1: W₁.
        w1_lower, w1_upper: a bracket of it; equal unless the values are known by a profile only.
        w1_sd: w1 in standard deviations of the pooled column; of categories too, any two of them being one step apart.
        standard_error: of w1, by its influence function.
        null_95: the 95% quantile of w1 among permutations: what two samples of one law would reach.
        ks: Kolmogorov-Smirnov, the largest difference of the distribution functions.
        mean_shift: mean of the current minus mean of the reference.
        superiority: P(Y > X) + P(Y = X)/2 for a current Y and a reference X: 0.5 is no effect of rank.
        js_distance, total_variation, kl: of the laws in bins of equal pooled mass, or of the categories, with 95%
            intervals; kl is of the reference from the current data.
        psi: the population stability index (`jeffreys`), on at most ten bins of equal pooled mass, or the categories.
        nulls: for each of these four names, its `Null`.
        unseen: what the reference lacks.
        notes: what to know about the numbers.

    """

    name: str
    kind: str
    n: int
    m: int
    pvalue: float
    test: str
    pvalue_adjusted: float
    unit: str = ""
    missing_reference: float = 0.0
    missing_current: float = 0.0
    w1: float | None = None
    w1_lower: float | None = None
    w1_upper: float | None = None
    w1_sd: float | None = None
    standard_error: float | None = None
    null_95: float | None = None
    ks: float | None = None
    mean_shift: float | None = None
    superiority: float | None = None
    js_distance: Estimate | None = None
    total_variation: Estimate | None = None
    kl: Estimate | None = None
    psi: Estimate | None = None
    nulls: Mapping[str, Null] = field(default_factory=dict)
    unseen: Unseen | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As in the contract's JSON, flat: an interval is the list [low, high]."""
        out: dict[str, Any] = {k: getattr(self, k) for k in COLUMN_NUMBERS}
        for name in BINNED:
            estimate, null = getattr(self, name), self.nulls.get(name)
            out[name] = None if estimate is None else estimate.value
            out[f"{name}_interval"] = [] if estimate is None else list(estimate.confidence_interval)
            for part in ("observed", "mean", "quantile_95"):
                out[f"{name}_{PARTS[part]}"] = None if null is None else getattr(null, part)
        out["unseen"] = None if self.unseen is None else self.unseen.share
        out["unseen_names"] = [] if self.unseen is None else list(self.unseen.names)
        return {**out, "test": self.test, "notes": list(self.notes)}


COLUMN_NUMBERS = (
    "kind", "unit", "n", "m", "missing_reference", "missing_current", "w1", "w1_lower", "w1_upper", "w1_sd",
    "standard_error", "null_95", "ks", "mean_shift", "superiority", "pvalue", "pvalue_adjusted",
)  # fmt: skip
BINNED = ("js_distance", "total_variation", "kl", "psi")
PARTS = {"observed": "observed", "mean": "null_mean", "quantile_95": "null_95"}


@dataclass(frozen=True)
class JointComparison:
    """One distance between the joint laws of all columns, standardised.

    Attributes:
        name: of the distance.
        value: its value; for w2 the root of `cost`.
        cost, lower, upper: for w1 and w2: the transport cost, in units of d^p, with its certified bracket; for
            max_sliced_w2 `upper` alone: no direction has more.
        standard_error: of the value under repeated sampling, by the influence function, the standardisation taken
            as fixed; it means little where the value is near `null_95`. None where only `confidence_interval` is known,
            or neither.
        confidence_interval: 95%; for sliced_w2 over the random directions only.
        pvalue, permutations: (1 + hits) / (1 + permutations); hits / permutations where ten hits ended the draws early.
        null_95: the 95% quantile among permutations: what two samples of one law would reach.
        unit, method: in words.
        loadings: for max_sliced_w2: the worst direction, column by column, the largest first; their squares add up to 1
            over all columns. + or - where a column is one coordinate, always + where it has several.
        notes: what qualifies the number.

    """

    name: str
    value: float
    unit: str
    method: str
    cost: float | None = None
    lower: float | None = None
    upper: float | None = None
    standard_error: float | None = None
    confidence_interval: Interval | None = None
    pvalue: float = math.nan
    permutations: int = 0
    null_95: float = math.nan
    loadings: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As in the contract's JSON: {"value", "cost", "lower", "upper", …}, without what does not apply."""
        fields = {k: v for k, v in vars(self).items() if k != "name" and v is not None}
        if self.confidence_interval is not None:
            fields["confidence_interval"] = list(self.confidence_interval)
        return {**fields, "notes": list(self.notes)}
