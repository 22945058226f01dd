"""`divergences matrix`: distances between all pairs of many files."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from divergences.cli.options import Categories, Columns, File, names
from divergences.console import DONE, UsageError, printing, progress_bar, say


def matrix(
    *files: File,
    out: Annotated[Path, Parameter(name=("--out", "-o"), help="A folder for profiles and pairs; it may exist.")],
    metric: Annotated[
        Literal["w1", "w1_sd", "ks", "total_variation", "js_distance"],
        Parameter(help="Of each column; the mean over columns is taken. w1 of several columns needs one unit."),
    ] = "w1",
    columns: Columns = None,
    categories: Categories = None,
    shard: Annotated[str | None, Parameter(help="i/n: do the i-th of n parts, i from 1; the folder is shared.")] = None,
    format_: Annotated[
        Literal["table", "json", "csv"], Parameter(name="--format", help="Of standard output.")
    ] = "table",
) -> int:
    """Distances between all pairs of files; each is read once, a stopped run goes on, shards share the work.

    Example: divergences matrix monday.csv tuesday.csv wednesday.csv --metric w1_sd -o week
    """
    from divergences.profiles.matrix import matrix as distances

    part = _shard(shard)
    with progress_bar() as progress:
        found = distances(
            [str(file) for file in files],
            out,
            metric=metric,
            columns=names(columns),
            categories=names(categories) or (),
            shard=part,
            progress=progress,
        )
    with printing():
        sys.stdout.write(_written(found, format_))
    if not found.complete:
        say(f"note: some pairs are not known yet; run the other shards with --out {out}")
    return DONE


def _shard(text: str | None) -> tuple[int, int]:
    """`i/n` as (i - 1, n)."""
    if text is None:
        return 0, 1
    left, slash, right = text.partition("/")
    if not (slash and left.isdecimal() and right.isdecimal() and 1 <= int(left) <= int(right)):
        raise UsageError(f"--shard must be i/n with 1 <= i <= n; got {text!r}.")
    return int(left) - 1, int(right)


def _written(found: Any, form: str) -> str:
    if form == "csv":
        return found.to_csv()
    if form == "json":
        return json.dumps(found.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return _table(found)


def _table(found: Any) -> str:
    """Rows of rounded numbers, numbered as the list of files below."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from divergences.wording import number, plain

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.begin_capture()
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column(found.metric, overflow="fold")
    for k in range(len(found.names)):
        grid.add_column(str(k + 1), justify="right", no_wrap=True)
    for k, (name, row) in enumerate(zip(found.names, found.values, strict=True)):
        grid.add_row(f"{k + 1} {escape(plain(name, 40))}", *(number(float(v), 3) for v in row))
    console.print(grid)
    return console.end_capture()
