"""The conditions of `--fail-on`.

`w1(age)>0.5` judges a column, `ks(*)>0.2` any column, `w2>3` the joint distance and `w2.pvalue<0.01` its p-value.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING

from divergences.console import UsageError
from divergences.errors import DataError
from divergences.wording import plain

if TYPE_CHECKING:
    from divergences.comparing import Comparison

COLUMN = (
    "w1", "w1_sd", "w1_lower", "w1_upper", "ks", "js_distance", "total_variation", "kl", "psi", "mean_shift",
    "superiority", "unseen", "missing_reference", "missing_current", "pvalue", "pvalue_adjusted",
)  # fmt: skip
JOINT = ("w1", "w2", "sinkhorn_divergence", "sliced_w2", "max_sliced_w2", "energy_distance", "mmd", "classifier_auc")
PARTS = ("value", "pvalue", "lower", "upper", "null_95")
RELATIONS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
FORM = re.compile(
    r"\s*([A-Za-z0-9_]+)(?:\.([a-z0-9_]+))?\s*(?:\((.*)\))?"
    r"\s*(<=|>=|<|>)\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Rule:
    """One condition; `column` is None for a joint distance, "*" for any column; `part` is of a joint distance."""

    metric: str
    part: str
    column: str | None
    relation: str
    threshold: float
    text: str


def parse_rule(text: str) -> Rule:
    """Read a condition, or raise `UsageError` with the nearest metric.

    >>> parse_rule("w1(age)>0.5").column
    'age'
    """
    match = FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"--fail-on must look like 'w1(age)>0.5', 'w2>3' or 'w2.pvalue<0.01'; got {text!r}.")
    metric, part, column, relation, threshold = match.groups()
    if metric in COLUMN and column is None and metric not in JOINT:
        raise UsageError(f"--fail-on {text!r}: metric {metric!r} is unknown jointly. Write {metric}(*) for any column.")
    _nearest(metric, JOINT if column is None else COLUMN, f"--fail-on {text!r}: metric")
    if part is not None and column is not None:
        raise UsageError(f"--fail-on {text!r}: write {part}({column}); a point follows joint distances only.")
    _nearest(part or "value", PARTS, f"--fail-on {text!r}: part")
    try:
        value = float(threshold)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):  # a threshold of 1e999 would never be exceeded
        raise UsageError(f"--fail-on must end in a number; got {threshold!r} in {text!r}.")
    return Rule(metric, part or "value", column, relation, value, text)


def check_joint(rules: Iterable[Rule], *, joint: bool) -> None:
    """Raise `UsageError` for a rule about a joint distance where none is computed."""
    for rule in rules:
        if rule.column is None and not joint:
            raise UsageError(f"--fail-on {rule.text!r} needs the joint distances. Leave out --no-joint.")


def check_columns(rules: Iterable[Rule], names: Sequence[str]) -> None:
    """Raise `UsageError` for a rule about a column that is not compared."""
    for rule in rules:
        if rule.column not in (None, "*"):
            _nearest(rule.column, names, f"--fail-on {rule.text!r}: column")


def fired(rule: Rule, comparison: "Comparison") -> list[str]:
    """What made the rule fire, in words; empty if nothing did. Raises `DataError` for a number that does not exist."""
    values = _of_joint(rule, comparison) if rule.column is None else _of_columns(rule, comparison)
    holds = RELATIONS[rule.relation]
    return [
        f"{name} = {v:.6g} {rule.relation} {rule.threshold:g}" for name, v in values.items() if holds(v, rule.threshold)
    ]


def _of_joint(rule: Rule, comparison: "Comparison") -> dict[str, float]:
    name = rule.metric if rule.part == "value" else f"{rule.metric}.{rule.part}"
    value = getattr(comparison.joint.get(rule.metric), rule.part, None)
    if value is None or math.isnan(value):
        raise DataError(f"--fail-on {rule.text!r} needs {name}, which this comparison does not have.")
    return {name: float(value)}


def _of_columns(rule: Rule, comparison: "Comparison") -> dict[str, float]:
    names = list(comparison.columns) if rule.column == "*" else [str(rule.column)]
    values = {f"{rule.metric}({name})": getattr(comparison.columns[name], rule.metric) for name in names}
    known = {name: float(getattr(value, "share", value)) for name, value in values.items() if value is not None}
    if not known:
        raise DataError(
            f"--fail-on {rule.text!r} needs {next(iter(values))}, which a {comparison.columns[names[0]].kind} lacks."
        )
    return known


def _nearest(value: str | None, options: Sequence[str], what: str) -> None:
    if value in options:
        return
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(plain(name, 40) for name in options[:12])}."
    raise UsageError(f"{what} {value!r} is unknown. {hint}")
