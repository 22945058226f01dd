"""The table of a bench in the terminal, and the list of protocols."""

import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from divergences.wording import number, plain
from gan.bench.protocol import Protocol
from gan.bench.protocols import PRESETS, protocol
from gan.bench.table import Result, Row, names_of
from gan.statistic import Statistic

NAMED = 12  # unfinished cells that are named
WIDE = 200  # characters, where no terminal says how many there are


def protocols() -> None:
    """Every preset with its size and what is wrong with it."""
    console = _console()
    console.print(Text("purposes: what each recipe is for, one statistic beside the plain GAN's on a task that fits."))
    for name in PRESETS:
        one = protocol(name)
        console.print(Text(f"{name}: {one.description}"))
        console.print(Text(f"  {len(one.cells)} cells, {one.seeds} seeds, {one.budget:g} of the published steps"))
        for sentence in (*one.faults, *one.differences):
            console.print(Text(f"  - {sentence}"))


def table(protocol: Protocol, results: Sequence[Result], content: dict[str, Any]) -> None:
    """Our rows with the published ones under each, what a perfect generator gets, and the command that repeats it."""
    console = _console()
    columns = names_of(protocol)
    summary = content["summary"]
    if summary:
        console.print(_summary(summary))
    for data in () if summary else dict.fromkeys(cell.data for cell in protocol.cells):
        rows = [row for result in results for row, _ in result.rows if row.data == data]
        if rows:
            console.print(_grid(data, rows, columns, content))
    share = f"; {protocol.budget:.3g} of the published steps" if protocol.budget != 1 else ""
    console.print(Text(f"mean [interval: {content['interval']}]{share}"))
    for sentence in (*content["notes"], *protocol.faults, *protocol.differences):
        console.print(Text(f"- {sentence}"))
    if content["missing"]:
        named = (
            ", ".join(content["missing"]) if len(content["missing"]) <= NAMED else f"{len(content['missing'])} cells"
        )
        console.print(Text(f"not finished: {named}"))
    print(content["command"])


def _summary(summary: dict[str, Any]) -> Table:
    grid = Table(title=Text(summary["title"]), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for k, head in enumerate(summary["header"]):
        grid.add_column(Text(head), justify="right" if k else "left")
    for row in summary["rows"]:
        grid.add_row(*map(str, row))
    return grid


def _grid(data: str, rows: list[Row], columns: list[str], content: dict[str, Any]) -> Table:
    rules = "; ".join(dict.fromkeys(" and ".join(row.rules) for row in rows if row.rules))
    title = f"{plain(data)}{f' (success: {rules})' if rules else ''}"
    grid = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    grid.add_column("")
    heads = (*columns, "success", "diverged", "s/seed", "steps/s")
    for head in (*heads, f"{columns[0]} at equal s"):
        grid.add_column(Text(head.replace("_", " ")), justify="right", overflow="fold")
    published = [entry for entry in content["published"] if entry["data"] == data]
    ours = {row.name for row in rows}
    for row in rows:
        grid.add_row(plain(row.name), *cells(row, columns))
        if row.exact:
            grid.add_row("  optimum", *(number(row.exact.get(name)) if name in row.exact else "" for name in columns))
        for entry in published:
            if entry["name"] == row.name:
                grid.add_row(*_theirs(entry, columns, "  published"), style="dim")
    for entry in published:
        if entry["name"] not in ours:
            grid.add_row(*_theirs(entry, columns, plain(entry["name"]) + ", published"), style="dim")
    grid.add_section()
    grid.add_row(f"a perfect generator, n = {rows[0].n}", *(attainable(rows[0], name) for name in columns))
    return grid


def cells(row: Row, columns: list[str]) -> list[str]:
    """The columns of a row; then success, diverged, seconds per seed, steps per second, the first at equal seconds."""
    lost = sum(step > 0 for step in row.diverged)
    matched = row.equal_seconds.get("columns", {}).get(columns[0])
    return [
        *(statistic(row.columns[name]) for name in columns),
        "" if row.success is None else f"{row.success}/{len(row.seeds)}",
        f"{lost}/{len(row.seeds)}" if lost else "",
        number(row.seconds / len(row.seeds), 3),
        number(row.steps_per_second, 3),
        number(matched, 3) if matched is not None else "",
    ]


def attainable(row: Row, name: str) -> str:
    """What a perfect generator gets; empty for a column that is no measure."""
    return number(row.perfect[name]) if name in row.perfect else ""


def _theirs(entry: dict[str, Any], columns: list[str], title: str) -> list[str]:
    short = entry["source"].split(",")[0]
    return [f"{title} ({short})", *(published(entry["values"].get(name)) for name in columns)]


def statistic(value: Statistic) -> str:
    """A mean and its interval.

    >>> statistic(Statistic(2.0, 1.5, 2.5, 3)), statistic(Statistic(None))
    ('2 [1.5, 2.5]', '–')
    """
    if value.low is None or value.high is None:
        return number(value.mean, 3)
    return f"{number(value.mean, 3)} [{number(value.low, 3)}, {number(value.high, 3)}]"


def published(value: Any) -> str:
    """A published number with its error, if it has one."""
    if value is None:
        return ""
    return number(value[0]) if value[1] is None else f"{number(value[0])} ± {number(value[1])}"


def _console() -> Console:
    # A file or a pipe has no width: long lines are better than broken ones.
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE, highlight=False)
