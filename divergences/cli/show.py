"""A comparison on the terminal, and as rows for spreadsheets."""

import csv
import io
import sys
from collections.abc import Sequence
from typing import Any

NOTES = 20  # of what should be doubted
LINES = 50  # columns shown on a terminal; --csv, --json and --report have all


def tables(result: Any) -> str:
    """The verdict, the columns that matter most first, and the joint distances."""
    from rich.console import Console
    from rich.markup import escape

    from divergences.report import verdict
    from divergences.report.pictures import by_effect

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.begin_capture()  # rich itself would end the process at a closed pipe, and with exit code 1
    console.print(escape(verdict(result)), soft_wrap=not sys.stdout.isatty())
    columns = by_effect(result)
    header = ["w1", "w1_sd", "null_95", "ks", "js_distance", "total_variation", "psi", "pvalue_adjusted"]
    if console.width < 100:
        header = ["w1", "w1_sd", "null_95", "total_variation", "pvalue_adjusted"]
    if any(c.missing_reference or c.missing_current for c in columns):
        header.insert(-1, "missing")
    rows = [[c.name, *(_value(c, name) for name in header)] for c in columns[:LINES]]
    console.print(_grid(["column", *header], rows))
    if len(columns) > LINES:
        console.print(
            f"... and {len(columns) - LINES} columns that differ less; --csv, --json and --report have all.\n"
        )
    if result.joint:
        _print_joint(console, result)
    return console.end_capture()


def _print_joint(console: Any, result: Any) -> None:
    """The joint distances, and where they come from."""
    header = ["jointly", "value", "standard_error", "null_95", "pvalue", "cost", "gap"]
    rows = [[e.name, e.value, e.standard_error, e.null_95, e.pvalue, *_proof(e)] for e in result.joint.values()]
    console.print(_grid(header, rows))
    shares = list(result.together.attribution.columns.items())[:5]
    if len(shares) > 1:
        rows = [[name, s.share, s.null_95, s.excess] for name, s in shares]
        console.print(_grid(["share of W2's cost", "share", "null_95", "excess"], rows))


def _grid(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """A table; names are escaped, since [red] in a name would be an instruction to rich."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from divergences.wording import number, plain

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for k, name in enumerate(header):  # a narrow terminal breaks names over lines, never numbers
        title = name.replace("_", "_\n") if len(name) > 8 and k else name
        grid.add_column(title, justify="right" if k else "left", no_wrap=bool(k), overflow="fold")
    for name, *values in rows:
        grid.add_row(escape(plain(name, 40)), *(v if isinstance(v, str) else number(v, 3) for v in values))
    return grid


def _value(column: Any, name: str) -> float | str | None:
    """A number of a column; lengths of dates with their unit, shares of gaps from reference to current."""
    from divergences.wording import number

    if name == "missing":
        return "→".join(f"{number(100 * share, 2)}%" for share in (column.missing_reference, column.missing_current))
    value = getattr(column, name)
    value = None if value is None else float(value)
    if column.unit and name in ("w1", "null_95") and value is not None:
        return f"{number(value, 3)} {column.unit}"
    return value


def notes(result: Any) -> list[str]:
    """The first warnings, and how many there are besides."""
    more = len(result.warnings) - NOTES
    return [*result.warnings[:NOTES], *([f"... and {more} more; --json has all"] if more > 0 else [])]


def size(result: Any) -> str:
    """How much was compared, in a sentence."""
    sides = (result.meta[role]["rows"] for role in ("reference", "current"))
    return "{:,} reference rows, {:,} current rows, ".format(*sides) + f"{len(result.columns)} columns."


def _proof(entry: Any) -> list[str]:
    from divergences.report.comparison import gap

    return ["", ""] if entry.cost is None else [f"{entry.cost:.9g}", f"{gap(entry):.1e}"]


def rows(result: Any) -> str:
    """The columns as CSV, names and texts made harmless for spreadsheets."""
    from divergences.wording import plain, spreadsheet

    buffer = io.StringIO()
    dicts = {name: column.to_dict() for name, column in result.columns.items()}
    header = [key for key, value in next(iter(dicts.values())).items() if not isinstance(value, list)]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["column", *header])
    for name, values in dicts.items():
        cells = [spreadsheet(plain(v, 1000)) if isinstance(v, str) else v for v in (values[key] for key in header)]
        writer.writerow([spreadsheet(plain(name, 1000)), *cells])
    return buffer.getvalue()
