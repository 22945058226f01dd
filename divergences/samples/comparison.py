"""What `compare` returns: plain data, in the order reference first, current second."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scipy.sparse import coo_array

from divergences._results import Estimate, Interval
from divergences.files import Table


@dataclass(frozen=True)
class ColumnComparison:
    """One column: how far the current values are from the reference ones.

    Attributes:
        name: of the column.
        n, m: rows used of the reference and of the current table.
        w1: W₁ in the column's own unit.
        w1_sd: the same in standard deviations of the pooled column.
        standard_error: of w1, by its influence function.
        null_95: the 95% quantile of w1 among permutations: what two samples of one law would reach.
        ks: Kolmogorov-Smirnov, the largest difference of the distribution functions.
        js_distance, total_variation: of the laws binned by pooled quantiles, with 95% intervals.
        mean_shift: mean of the current minus mean of the reference, in the column's unit.
        pvalue: of w1 by permutation, (1 + hits) / (1 + permutations).
        pvalue_adjusted: for all columns at once, Benjamini & Hochberg (1995).

    """

    name: str
    n: int
    m: int
    w1: float
    w1_sd: float
    standard_error: float
    null_95: float
    ks: float
    js_distance: Estimate
    total_variation: Estimate
    mean_shift: float
    pvalue: float
    pvalue_adjusted: float

    def to_dict(self) -> dict[str, Any]:
        """As in the contract's JSON; an interval is [low, high]."""
        out: dict[str, Any] = {k: getattr(self, k) for k in COLUMN_NUMBERS}
        for name in ("js_distance", "total_variation"):
            estimate = getattr(self, name)
            out[name] = estimate.value
            out[f"{name}_interval"] = list(estimate.confidence_interval)
        return out


COLUMN_NUMBERS = (
    "n", "m", "w1", "w1_sd", "standard_error", "null_95", "ks", "mean_shift", "pvalue", "pvalue_adjusted"
)  # fmt: skip


@dataclass(frozen=True)
class JointComparison:
    """One distance between the joint laws of all columns, standardised.

    Attributes:
        name: of the distance.
        value: its value; for w2 the root of `cost`.
        cost, lower, upper: for w1 and w2: the transport cost, in units of d^p, with its certified bracket.
        standard_error: of the value under repeated sampling, by the influence function, the standardisation taken
            as fixed; it means little where the value is near `null_95`. None where only `confidence_interval` is known.
        confidence_interval: 95%; for sliced_w2 over the random directions only.
        pvalue, permutations: (1 + hits) / (1 + permutations).
        null_95: the 95% quantile among permutations: what two samples of one law would reach.
        unit, method: in words.
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
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As in the contract's JSON: {"value", "cost", "lower", "upper", …}, without what does not apply."""
        fields = {k: v for k, v in vars(self).items() if k != "name" and v is not None}
        if self.confidence_interval is not None:
            fields["confidence_interval"] = list(self.confidence_interval)
        return {**fields, "notes": list(self.notes)}


@dataclass(frozen=True, eq=False)
class Comparison:
    """Every distance between two tables, with its uncertainty.

    `columns` and `joint` map names to their comparisons, in the order of the reference; `warnings` says what was left
    out or should be doubted; `meta` says what was compared and how. `reference` and `current` are the rows compared,
    `plan` is the optimal plan for W₂ between the rows `plan_rows` of the two: for pictures.
    """

    columns: Mapping[str, ColumnComparison]
    joint: Mapping[str, JointComparison]
    warnings: tuple[str, ...]
    meta: Mapping[str, Any]
    reference: Table
    current: Table
    plan: coo_array = field(repr=False)
    plan_rows: tuple[Any, Any] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, {"columns", "joint", "warnings", "meta"}; what is not finite is None, and named.

        >>> from divergences.samples import compare
        >>> result = compare([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], rng=0).to_dict()
        >>> result["columns"]["column_1"]["w1"], sorted(result)
        (1.0, ['columns', 'joint', 'meta', 'warnings'])
        """
        nonfinite: list[str] = []
        out = {
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
            "joint": {name: joint.to_dict() for name, joint in self.joint.items()},
            "warnings": list(self.warnings),
            "meta": dict(self.meta),
        }
        out = _finite(out, "", nonfinite)
        if nonfinite:
            out["meta"]["nonfinite"] = nonfinite
        return out


def _finite(value: Any, path: str, nonfinite: list[str]) -> Any:
    """`value` with None for NaN and infinities, whose paths go to `nonfinite` with what they were."""
    if isinstance(value, dict):
        return {k: _finite(v, f"{path}/{k}", nonfinite) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v, f"{path}/{k}", nonfinite) for k, v in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        nonfinite.append(f"{path} = {value}")
        return None
    return value
