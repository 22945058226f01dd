"""The conditions of `--fail-on`: `w1(age)>0.5` judges a column, `w2>3` the joint distance, `ks(*)>0.2` any column."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING

from divergences.console import UsageError
from divergences.errors import DataError

if TYPE_CHECKING:
    from divergences.samples import Comparison

COLUMN = ("w1", "w1_sd", "ks", "js_distance", "total_variation", "mean_shift", "pvalue", "pvalue_adjusted")
JOINT = ("w1", "w2", "sinkhorn_divergence", "sliced_w2", "energy_distance", "mmd")
RELATIONS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
FORM = re.compile(
    r"\s*([A-Za-z0-9_]+)\s*(?:\((.*)\))?\s*(<=|>=|<|>)\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*", re.DOTALL
)


@dataclass(frozen=True)
class Rule:
    """One condition; `column` is None for a joint distance, "*" for any column."""

    metric: str
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
        raise UsageError(f"--fail-on must look like 'w1(age)>0.5' or 'w2>3'; got {text!r}.")
    metric, column, relation, threshold = match.groups()
    _nearest(metric, JOINT if column is None else COLUMN, f"--fail-on {text!r}: metric")
    try:
        value = float(threshold)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):  # a threshold of 1e999 would never be exceeded
        raise UsageError(f"--fail-on must end in a number; got {threshold!r} in {text!r}.")
    return Rule(metric, column, relation, value, text)


def check_columns(rules: Iterable[Rule], names: Sequence[str]) -> None:
    """Raise `UsageError` for a rule about a column that is not compared."""
    for rule in rules:
        if rule.column not in (None, "*"):
            _nearest(rule.column, names, f"--fail-on {rule.text!r}: column")


def fired(rule: Rule, comparison: "Comparison") -> list[str]:
    """What made the rule fire, in words; empty if nothing did."""
    if rule.column is None:
        if rule.metric not in comparison.joint:
            raise DataError(f"--fail-on {rule.text!r} needs {rule.metric}, which these tables are too small for.")
        values = {rule.metric: comparison.joint[rule.metric].value}
    else:
        names = list(comparison.columns) if rule.column == "*" else [rule.column]
        values = {f"{rule.metric}({name})": float(getattr(comparison.columns[name], rule.metric)) for name in names}
    holds = RELATIONS[rule.relation]
    return [
        f"{name} = {v:.6g} {rule.relation} {rule.threshold:g}" for name, v in values.items() if holds(v, rule.threshold)
    ]


def _nearest(value: str | None, options: Sequence[str], what: str) -> None:
    if value in options:
        return
    near = difflib.get_close_matches(str(value), options, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(options[:12])}."
    raise UsageError(f"{what} {value!r} is unknown. {hint}")
