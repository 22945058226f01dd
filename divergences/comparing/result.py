"""What `compare` returns: plain data, in the order reference first, current second."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from divergences.files import Table
from divergences.samples.comparison import ColumnComparison, JointComparison
from divergences.samples.joint import Joint


@dataclass(frozen=True, eq=False)
class Comparison:
    """Every distance between two tables, with its uncertainty.

    Attributes:
        columns: the comparison of each column by name, in the order of the reference.
        together: the joint comparison of a sample of rows, with its plan and attribution; None if it was not asked for.
        warnings: what was left out or should be doubted.
        meta: what was compared and how.
        reference, current: the rows compared, for pictures; of profiles the rows that they keep.

    """

    columns: Mapping[str, ColumnComparison]
    together: Joint | None
    warnings: tuple[str, ...]
    meta: Mapping[str, Any]
    reference: Table = field(repr=False)
    current: Table = field(repr=False)

    @property
    def joint(self) -> Mapping[str, JointComparison]:
        """The joint distances by name."""
        return {} if self.together is None else self.together.entries

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, {"columns", "joint", "attribution", "warnings", "meta"}.

        What is not finite is None, and named in meta["nonfinite"].

        >>> from divergences import compare
        >>> result = compare([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], rng=0).to_dict()
        >>> result["columns"]["column_1"]["w1"], sorted(result)
        (1.0, ['attribution', 'columns', 'joint', 'meta', 'warnings'])
        """
        nonfinite: list[str] = []
        out = {
            "columns": {name: column.to_dict() for name, column in self.columns.items()},
            "joint": {name: joint.to_dict() for name, joint in self.joint.items()},
            "attribution": None if self.together is None else self.together.attribution.to_dict(),
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
