"""What a bench compares: cells, each an experiment over seeds, and what others published about them."""

import hashlib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from divergences._checks import choice, count, positive
from divergences.errors import DataError
from gan.config import Config
from gan.data import DATASETS
from gan.measures import SAMPLES
from gan.runs import Run

COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Rule:
    """When a replica counts as a success. A replica that diverged, or has no value, does not.

    >>> Rule("modes", ">=", 8).holds({"modes": np.array([8.0, 7.0, np.nan])}), str(Rule("modes", ">=", 8))
    (array([ True, False, False]), 'modes >= 8')
    """

    column: str
    comparison: str
    bound: float

    def __post_init__(self) -> None:
        choice(self.comparison, COMPARISONS, "comparison")

    def holds(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which replicas succeed, from the columns' values, (S,) each."""
        return COMPARISONS[self.comparison](values[self.column], self.bound)

    def __str__(self) -> str:
        return f"{self.column} {self.comparison} {self.bound:g}"


@dataclass(frozen=True)
class Cell:
    """One experiment of a bench: a row of its table, or one per combination of the settings that its `config` lists.

    Attributes:
        name: of the row; unique among the cells on the same data.
        config: at the full, published number of steps; seeds, steps and snapshots are the protocol's to choose.
        measures: names in `MEASURES`, by default the usual ones of the target; n: samples per replica behind each.
        success: rules that a replica must all meet to count as a success.
        exact: what a column would be at the optimum, where that is known otherwise than from the target's samples.

    """

    name: str
    config: Config
    measures: tuple[str, ...] = ()
    n: int = SAMPLES
    success: tuple[Rule, ...] = ()
    exact: Mapping[str, float] = field(default_factory=dict)

    @property
    def data(self) -> str:
        """The target's name."""
        return " ".join(self.config.names)

    @property
    def folder(self) -> str:
        """The name of its run folder: plain characters, whatever a user's file is called."""
        short = "-".join(name if name in DATASETS else _shortened(name) for name in self.config.names)
        plain = re.sub(r"[^A-Za-z0-9]+", "-", self.name).strip("-").lower()
        return f"{short}-{plain}"


@dataclass(frozen=True)
class Column:
    """A number per replica of a finished run that is no measure, as `value(cell, folder, run)`, (S,).

    `better` is "lower" or "higher"; `meaning` one sentence.
    """

    name: str
    value: Callable[[Cell, Path, Run], np.ndarray]
    better: str = "lower"
    meaning: str = ""


@dataclass(frozen=True)
class Published:
    """Numbers that others printed: (data, name of the row) -> column -> (value, its error or None)."""

    source: str
    rows: Mapping[tuple[str, str], Mapping[str, tuple[float, float | None]]]
    error: str = "error"  # what the error is: standard error over 10 trials, standard deviation over 5 seeds, ...


@dataclass(frozen=True)
class Summary:
    """A small table that says in another form what the rows say."""

    title: str
    header: list[str]
    rows: list[list[str | int]]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A comparison with everything fixed: cells, what is shown of them, and what is known about the comparison.

    Attributes:
        cells: the experiments, in the order of the table, at the published number of steps.
        columns: what the table shows: names of a run's records, such as measures, or `Column`s; the first one ranks.
        published: others' numbers, shown beside ours.
        faults: what is wrong with the protocol, or must be known to read its numbers.
        differences: where ours departs from the published one.
        budget: the share of the published steps that is run unless another is asked for; seeds: how many.
        snapshots: how often a run is measured.
        summary: makes a small table of the rows' first column, {name of the row: a number per seed, NaN if it
            diverged}; the terminal shows it instead of the rows.
        arguments: of `gan bench`, without those that choose the place: what repeats the numbers.

    """

    name: str
    description: str
    cells: tuple[Cell, ...]
    columns: tuple[str | Column, ...]
    published: tuple[Published, ...] = ()
    faults: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    budget: float = 1.0
    seeds: int = 5
    snapshots: int = 10
    summary: Callable[[Mapping[str, Sequence[float]]], Summary] | None = None
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.cells or not self.columns:
            raise DataError(f"protocol {self.name} must have at least one cell and one column.")
        folders = [cell.folder for cell in self.cells]
        columns = [column if isinstance(column, str) else column.name for column in self.columns]
        for cell in self.cells:
            for rule in cell.success:
                choice(rule.column, columns, f"the column of a rule of {cell.name}")
            if folders.count(cell.folder) > 1:
                raise DataError(f"cells on the same data must differ in the letters of their names; see {cell.name!r}.")

    def at(self, *, budget: float | None = None, seeds: int | None = None, device: str = "cpu") -> "Protocol":
        """The protocol with a share of its steps and seeds 0, 1, ..., ready to run.

        >>> from gan.bench.protocols import protocol
        >>> cell = protocol("unrolled").at(budget=0.001, seeds=2).cells[0]
        >>> cell.config.steps, cell.config.seeds
        (25, (0, 1))
        """
        budget = positive(self.budget if budget is None else budget, "budget")
        seeds = count(self.seeds if seeds is None else seeds, "seeds")
        scaled = [self._scaled(cell, budget, range(seeds), device) for cell in self.cells]
        arguments = ("--protocol", self.name, "--budget", f"{budget:.12g}", "--seeds", str(seeds))
        arguments += () if device == "cpu" else ("--device", device)
        return replace(self, cells=tuple(scaled), budget=budget, seeds=seeds, arguments=arguments)

    def _scaled(self, cell: Cell, budget: float, seeds: range, device: str) -> Cell:
        steps = max(1, round(budget * cell.config.steps))
        every = -(-steps // self.snapshots)
        return replace(cell, config=replace(cell.config, steps=steps, every=every, seeds=seeds, device=device))


def _shortened(name: str) -> str:
    """A user's path as a part of a folder's name."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', Path(name).stem)[:30].strip('-')}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]
