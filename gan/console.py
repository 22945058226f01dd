"""What a training shows in the terminal."""

from typing import Any

import numpy as np

from divergences.wording import number
from gan.measures import MEASURES
from gan.recipes import RECIPES
from gan.runs import Run
from gan.statistic import Statistic

ABREAST = 8  # replicas with a column of their own


def progress(record: dict[str, Any]) -> str:
    """The true distance of a record in words, or the critic's estimate where none is measured.

    >>> progress({"step": 20, "w1": [0.5, None, 0.25], "diverged": [0, 7, 0]})
    'step 20, true W1 0.375, 1 diverged'
    """
    name = "w1" if "w1" in record else "estimate"
    values = [value for value in record[name] if value is not None]
    mean = f"{np.mean(values):.3g}" if values else "unknown"
    lost = sum(step > 0 for step in record["diverged"])
    what = "true W1" if name == "w1" else "critic's estimate"
    return f"step {record['step']}, {what} {mean}" + (f", {lost} diverged" if lost else "")


def summary(run: Run) -> str:
    """The last measures, a row each: every replica's, or the mean of many; and what a perfect generator would get."""
    last, replicas = run.records[-1], run.config.replicas
    many = len(replicas) > ABREAST
    heads = ["mean", "95 % interval"] if many else [str(replica) for replica in replicas]
    rows = [["", *heads, f"perfect, n = {run.n}"]]
    for name in (name for name in last if name in MEASURES):
        rows.append([name.replace("_", " "), *_cells(run.last(name), many), number(run.attainable(name))])
    rows.append([f"critic: {RECIPES[run.config.recipe].measures}", *_cells(run.last("estimate"), many), ""])
    if any(last["diverged"]):
        steps = [str(step) if step else "" for step in last["diverged"]]
        lost = sum(step > 0 for step in last["diverged"])
        rows.append(["diverged at step", *([f"{lost} of {len(steps)}", ""] if many else steps), ""])
    return "\n".join([aligned(rows), *run.gaps])


def pace(run: Run) -> str:
    """How long the training took, measuring left out."""
    last = run.records[-1]
    each = 1e3 * last["seconds"] / max(last["step"], 1)
    return (
        f"{last['step']} steps in {last['seconds']:.1f} s, {each:.3g} ms a step of {len(run.config.replicas)} replicas"
    )


def aligned(rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell, the first one to the left.

    >>> print(aligned([["", "seed 0"], ["modes", "8"]]))
           seed 0
    modes       8
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _cells(values: np.ndarray, many: bool) -> list[str]:
    """A number for each replica, or their mean and its interval."""
    if not many:
        return [number(value) for value in values.tolist()]
    found = Statistic.of(values)
    interval = "" if found.low is None else f"[{number(found.low)}, {number(found.high)}]"
    return [number(found.mean), interval]
