"""The table of a bench: what finished cells reached over seeds, beside what is attainable and what is published."""

import itertools
import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from divergences.errors import DataError
from divergences.wording import plain
from gan import runs
from gan.bench.bench import TABLE, finished
from gan.bench.protocol import Cell, Column, Protocol
from gan.folder import json_text, replace_json
from gan.game import Game
from gan.measures import MEASURES
from gan.runs import Run
from gan.statistic import LEVEL, Statistic


@dataclass(frozen=True)
class Row:
    """A cell at one combination of the settings that its configuration lists, over its seeds.

    Attributes:
        values: by column one number per seed, None for a seed that diverged; columns: their statistics.
        success: how many seeds met the cell's rules, None without rules. A diverged seed did not.
        diverged: by seed the step at which it was stopped, 0 if it was not.
        perfect: what a perfect generator gets, by column; exact: what is best, where that is known otherwise.
        missing: by column why a seed that did not diverge has no number; failed: the error that ended the run, if any.
        seconds: of training, this row's share of its cell's. samples: real samples seen, and updates: of both players,
        each per seed.
        equal_seconds, equal_updates: the columns' means at the last snapshot within what the least row on the same
        data took per seed.

    """

    data: str
    name: str
    seeds: tuple[int, ...]
    steps: int
    n: int
    values: dict[str, list[float | None]]
    columns: dict[str, Statistic]
    rules: list[str]
    success: int | None
    diverged: list[int]
    perfect: dict[str, float | None]
    exact: dict[str, float]
    missing: dict[str, str]
    failed: str
    seconds: float
    steps_per_second: float | None
    samples: int
    updates: int
    equal_seconds: dict[str, Any] = field(default_factory=dict)
    equal_updates: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Result:
    """A cell that has run, and its rows: for each the places of its seeds among the run's replicas."""

    cell: Cell
    folder: Path
    run: Run
    rows: list[tuple[Row, list[int]]]


def collect(protocol: Protocol, out: Path) -> list[Result]:
    """The results of the cells that are finished in `out`, wherever they ran.

    Raises DataError for a folder with another experiment.
    """
    results = [_result(protocol, cell, out / cell.folder) for cell in protocol.cells if finished(out / cell.folder)]
    for data in dict.fromkeys(result.cell.data for result in results):
        _match([result for result in results if result.cell.data == data])
    return results


def save(protocol: Protocol, results: Sequence[Result], out: Path) -> dict[str, Any]:
    """Write `bench.json`: all that the terminal and the report show, seed by seed, and paired differences."""
    rows = [row for result in results for row, _ in result.rows]
    done = {result.cell.folder for result in results}
    content = {
        "arguments": list(protocol.arguments),
        "command": command(protocol, out),
        "protocol": {
            "name": protocol.name,
            "description": protocol.description,
            "budget": protocol.budget,
            "faults": list(protocol.faults),
            "differences": list(protocol.differences),
        },
        "interval": f"{LEVEL:.0%}, Student's t over seeds",
        "rows": [asdict(row) for row in rows],
        "summary": _summary(protocol, rows),
        "pairs": pairs(rows),
        "notes": notes(rows),
        "missing": [cell.folder for cell in protocol.cells if cell.folder not in done],
        "published": [
            {"source": p.source, "error": p.error, "data": data, "name": name, "values": dict(values)}
            for p in protocol.published
            for (data, name), values in p.rows.items()
        ],
    }
    replace_json(out / TABLE, content)
    return json.loads(json_text(content))


def _summary(protocol: Protocol, rows: Sequence[Row]) -> dict[str, Any] | None:
    if protocol.summary is None:
        return None
    ranked = names_of(protocol)[0]
    scores = {row.name: [math.nan if v is None else v for v in row.values[ranked]] for row in rows}
    return asdict(protocol.summary(scores))


def command(protocol: Protocol, out: Path) -> str:
    """What repeats the numbers, to be pasted into a shell."""
    return shlex.join(["gan", "bench", *protocol.arguments, "--out", str(out)])


def pairs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Differences, second less first, between rows on the same data, seed by seed.

    Replicas of one seed are measured against the same samples of the target: the difference has less spread.
    """
    found = []
    for a, b in itertools.combinations(rows, 2):
        if a.data != b.data:
            continue
        common = [seed for seed in a.seeds if seed in b.seeds]
        differences = {name: asdict(Statistic.of(_of(b, name, common) - _of(a, name, common))) for name in a.values}
        found.append({"data": a.data, "first": a.name, "second": b.name, "difference": differences})
    return found


def _of(row: Row, name: str, seeds: Sequence[int]) -> np.ndarray:
    return np.array([row.values[name][row.seeds.index(seed)] for seed in seeds], dtype=float)


def names_of(protocol: Protocol) -> list[str]:
    """The columns' names."""
    return [column if isinstance(column, str) else column.name for column in protocol.columns]


def badness(column: str | Column, value: float) -> float:
    """How far from best: smaller is better."""
    if isinstance(column, Column):
        return value if column.better == "lower" else -value
    return MEASURES[column].badness(value) if column in MEASURES else value


def _result(protocol: Protocol, cell: Cell, folder: Path) -> Result:
    run = runs.read(folder)
    if run.config != cell.config or run.samples.shape[1] != cell.n or set(cell.measures) - set(run.perfect):
        raise DataError(f"{folder} must hold the cell {cell.name!r} of this bench; it holds another experiment.")
    replicas = cell.config.replicas
    columns = dict(zip(names_of(protocol), protocol.columns, strict=True))
    values = {name: _values(column, cell, folder, run) for name, column in columns.items()}
    stopped = run.last("diverged")
    # A stopped replica keeps its last finite parameters; what they give is no result of the training asked for.
    stopped = np.where((stopped == 0) & bool(run.failed), run.config.steps, stopped).astype(int)
    values = {name: np.where(stopped > 0, np.nan, column) for name, column in values.items()}
    places: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for k, replica in enumerate(replicas):
        places.setdefault(tuple(replica.settings.items()), []).append(k)
    reasons = {name: _reasons(name, run) for name in values}
    rows = [(_row(cell, run, settings, at, values, stopped, reasons), at) for settings, at in places.items()]
    return Result(cell, folder, run, rows)


def _row(
    cell: Cell,
    run: Run,
    settings: tuple[tuple[str, float], ...],
    at: list[int],
    values: dict[str, np.ndarray],
    stopped: np.ndarray,
    reasons: dict[str, list[str]],
) -> Row:
    config, game = run.config, Game(run.config)
    lost = {name: [k for k in at if not (np.isfinite(column[k]) or stopped[k])] for name, column in values.items()}
    own = {name: column[at] for name, column in values.items()}
    held = np.all([rule.holds(own) for rule in cell.success], axis=0) if cell.success else None
    last, seconds = run.records[-1], run.records[-1]["seconds"]
    perfect = {
        name: Statistic.of(np.array(run.perfect[name], dtype=float)[at]).mean for name in own if name in run.perfect
    }
    return Row(
        data=cell.data,
        name=", ".join((cell.name, *(f"{name} {value:g}" for name, value in settings))),
        seeds=tuple(config.replicas[k].seed for k in at),
        steps=last["step"],
        n=run.n,
        values={name: [float(v) if np.isfinite(v) else None for v in column] for name, column in own.items()},
        columns={name: Statistic.of(column) for name, column in own.items()},
        rules=[str(rule) for rule in cell.success],
        success=None if held is None else int(held.sum()),
        diverged=[int(step) for step in stopped[at]],
        perfect=perfect,
        exact=dict(cell.exact),
        missing={
            name: _counted([reasons[name][k] for k in places], len(at)) for name, places in lost.items() if places
        },
        failed=run.failed,
        seconds=seconds * len(at) / len(config.replicas),
        steps_per_second=last["step"] / seconds if seconds > 0 else None,
        samples=last["step"] * game.critic_steps * game.batch,
        updates=last["step"] * (game.critic_steps + config.generator_steps),
    )


def _values(column: str | Column, cell: Cell, folder: Path, run: Run) -> np.ndarray:
    """A column at the end of a run, (S,); NaN throughout for a measure that this cell does not take."""
    if isinstance(column, Column):
        return np.asarray(column.value(cell, folder, run), dtype=float)
    return run.last(column) if column in run.records[-1] else np.full(len(cell.config.replicas), np.nan)


def _reasons(name: str, run: Run) -> list[str]:
    """Why a column has no number, replica by replica, if it has none."""
    if name in MEASURES and name not in run.records[-1]:
        said: list[str | None] = ["not measured on this target"] * len(run.config.replicas)
    else:
        owner = next((m.name for m in MEASURES.values() if name in m.names), name)
        said = run.missing.get(owner, [None] * len(run.config.replicas))
    return [reason or "not a finite number" for reason in said]


def _counted(reasons: Sequence[str], seeds: int) -> str:
    counts = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
    return "; ".join(f"{plain(reason, 200)} ({k} of {seeds} seeds)" for reason, k in counts.items())


def notes(rows: Sequence[Row]) -> list[str]:
    """What the table cannot say in a cell: why numbers are missing, and why a training ended early."""
    said: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.failed:
            said.setdefault((row.data, f"failed: {plain(row.failed, 300)}"), []).append(row.name)
        for name, reason in row.missing.items():
            said.setdefault((row.data, f"no {name.replace('_', ' ')}: {reason}"), []).append(row.name)
    return [f"{plain(data)}, {plain(', '.join(names), 200)}: {what}" for (data, what), names in said.items()]


def _match(results: list[Result]) -> None:
    """Fill in where the rows on one data set stood after equal seconds, and after equal updates, per seed."""
    per_seed = lambda row: row.seconds / len(row.seeds)
    rows = [row for result in results for row, _ in result.rows]
    lasting = [row for row in rows if not all(row.diverged)] or rows  # who soon diverged sets no limit to the others
    seconds, updates = min(map(per_seed, lasting)), min(row.updates for row in lasting)
    for result in results:
        steps, clock = result.run.column("step"), result.run.column("seconds")
        for row, at in result.rows:
            replicas = len(result.run.config.replicas)
            turns = row.updates / row.steps if row.steps else 0
            row.equal_seconds.update(seconds=seconds, **_within(result.run, row, at, clock / replicas, seconds))
            row.equal_updates.update(updates=updates, **_within(result.run, row, at, steps * turns, updates))


def _within(run: Run, row: Row, at: list[int], spent: np.ndarray, limit: float) -> dict[str, Any]:
    """The columns' means at the last snapshot for which no more than `limit` was spent; none before the first step."""
    k = int(np.flatnonzero(spent <= limit * (1 + 1e-9))[-1])
    record = run.records[k]
    if record["step"] == 0:
        return {"step": 0, "columns": {}}
    alive = np.array(record["diverged"])[at] == 0
    means = {
        name: Statistic.of(np.where(alive, np.array(record[name], dtype=float)[at], np.nan)).mean
        for name in row.values
        if name in record
    }
    return {"step": record["step"], "columns": means}
