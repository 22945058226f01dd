"""The command line `divergences`: parse, call, print. Heavy imports wait until a command runs."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from divergences.console import DIFFER, DONE, UsageError, Whole, printing, progress_bar, run, say
from divergences.rules import check_columns, fired, parse_rule

app = App(
    name="divergences",
    help="""How far apart are two tables of numbers, and is it more than chance?

    Exit codes: 0 done; 1 a --fail-on condition holds; 2 usage; 3 bad data; 4 not converged; 5 input/output;
    130 interrupted. Every command takes --debug, which shows the traceback of an error.
    """,
)

Files = Annotated[Path, Parameter(help="A .csv, .tsv, .npy, .npz or .parquet file.")]
Columns = Annotated[str | None, Parameter(help="The columns to compare, as a,b,c; default all.")]
Delimiter = Annotated[str | None, Parameter(help="Of text files; default a comma, in .tsv a tab.")]
NanPolicy = Annotated[Literal["raise", "omit"], Parameter(help="What to do with missing values.")]
Seed = Annotated[
    Whole,
    Parameter(validator=Number(gte=0, lt=2**63), help="The same seed gives the same numbers."),
]


@app.command
def compare(
    ref: Files,
    cur: Files,
    *,
    report: Annotated[Path | None, Parameter(help="Write an HTML report here.")] = None,
    json_: Annotated[Path | None, Parameter(name="--json", help="Write every number here, as JSON.")] = None,
    fail_on: Annotated[
        list[str] | None,
        Parameter(negative=(), help="Exit 1 if it holds: 'w1(age)>0.5' (a column, * is any) or 'w2>3' (joint)."),
    ] = None,
    columns: Columns = None,
    delimiter: Delimiter = None,
    nan_policy: NanPolicy = "raise",
    seed: Seed = 0,
    permutations: Annotated[Whole, Parameter(validator=Number(gte=1), help="Shuffles behind each p-value.")] = 199,
    format_: Annotated[
        Literal["table", "json", "csv"], Parameter(name="--format", help="Of standard output.")
    ] = "table",
    force: Annotated[bool, Parameter(negative=(), help="Replace existing files.")] = False,
) -> int:
    """Compare a reference table with a current one, column by column and jointly.

    Example: divergences compare before.csv after.csv --report out.html --fail-on "w1_sd(*)>0.3"
    """
    rules = [parse_rule(text) for text in fail_on or []]
    from divergences import report as html
    from divergences.files import read_table
    from divergences.samples import compare as compare_tables
    from divergences.samples.tables import matched
    from divergences.saving import check_free, write_atomically

    taken = [os.path.realpath(path) for path in (ref, cur)]
    for path in (report, json_):
        if path is not None:
            if os.path.realpath(path) in taken:
                raise UsageError(f"--report and --json must name files of their own; {str(path)!r} is named twice.")
            taken.append(os.path.realpath(path))
            check_free(path, force=force)
    names = _names(columns)
    x, y = (read_table(path, columns=names, delimiter=delimiter) for path in (ref, cur))
    x, y = matched(x, y, names)
    check_columns(rules, x.names)
    with progress_bar() as progress:
        result = compare_tables(x, y, rng=seed, permutations=permutations, nan_policy=nan_policy, progress=progress)
    document = json.dumps(result.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    if json_ is not None:
        write_atomically(json_, document, force=force)
    if report is not None:
        title = f"{ref.name} against {cur.name}"
        html.Report(title, html.comparison_report(result), lead=_size(result)).save(report, force=force)
    with printing():
        sys.stdout.write({"table": _tables, "csv": _rows, "json": lambda _: document}[format_](result))
    reasons = [reason for rule in rules for reason in fired(rule, result)]
    for line in [*(f"note: {w}" for w in result.warnings), *(f"differs: {reason}" for reason in reasons)]:
        say(line)
    for path in (report, json_):
        if path is not None:
            say(f"wrote {path}")
    return DIFFER if reasons else DONE


@app.command
def distance(
    ref: Files,
    cur: Files,
    *,
    distance: Annotated[
        Literal["w1", "w2", "energy", "mmd", "sliced_w2", "sinkhorn_divergence"], Parameter(help="Which one.")
    ] = "w1",
    solver: Annotated[
        Literal["exact", "linear-program", "univariate", "sinkhorn"] | None,
        Parameter(help="For w1 and w2; the default is exact."),
    ] = None,
    allow_unconverged: Annotated[bool, Parameter(negative=(), help="Print the bracket reached; it is true.")] = False,
    columns: Columns = None,
    delimiter: Delimiter = None,
    nan_policy: NanPolicy = "raise",
    seed: Seed = 0,
) -> int:
    """Print one distance between two tables in their own units, with its certified bracket or interval.

    Example: divergences distance before.csv after.csv --distance w2 --solver sinkhorn
    """
    from divergences._checks import points
    from divergences.files import read_table
    from divergences.samples.tables import judge, matched

    if solver is not None and distance not in ("w1", "w2"):
        raise UsageError(f"--solver applies to w1 and w2; got --distance {distance}. Leave it out.")
    names = _names(columns)
    x, y = (read_table(path, columns=names, delimiter=delimiter) for path in (ref, cur))
    x, y = matched(x, y, names)
    warnings = [*judge(x, nan_policy), *judge(y, nan_policy)]
    x, y = (points(table.values, table.source, nan_policy=nan_policy)[0] for table in (x, y))
    for line in warnings:
        say(f"note: {line}")
    for line in _distance(distance, x, y, solver, strict=not allow_unconverged, seed=seed):
        print(line)
    return DONE


def _distance(name: str, x: Any, y: Any, solver: str | None, *, strict: bool, seed: int) -> list[str]:
    """The lines that tell a distance."""
    from divergences import samples
    from divergences.optimal_transport import (
        Exact,
        LinearProgram,
        Sinkhorn,
        Univariate,
        sinkhorn_divergence,
        sliced_wasserstein,
        wasserstein,
    )

    if name in ("w1", "w2"):
        solvers = {
            "exact": Exact, "linear-program": LinearProgram, "univariate": Univariate, "sinkhorn": Sinkhorn,
        }  # fmt: skip
        chosen = solvers[solver]() if solver else None
        r = wasserstein(x, y, p=int(name[1]), solver=chosen, strict=strict)
        lines = [
            f"{name} = {float(r.distance):.12g}",
            f"within [{r.distance_lower:.12g}, {r.distance_upper:.12g}]",
            f"cost = {float(r.cost):.12g}, within [{r.lower:.12g}, {r.upper:.12g}]",
            f"solver: {r.solver}{'' if r.converged else ', not converged'}",
        ]
        return lines + [f"note: {note}" for note in r.notes]
    if name == "sliced_w2":
        e = sliced_wasserstein(x, y, p=2, rng=seed)
        between = "" if e.confidence_interval is None else "[{:.6g}, {:.6g}]".format(*e.confidence_interval)
        return [f"{name} = {float(e):.12g}", f"within {between} over random directions (95%)"]
    functions = {"energy": samples.energy_distance, "mmd": samples.mmd, "sinkhorn_divergence": sinkhorn_divergence}
    return [f"{name} = {float(functions[name](x, y)):.12g}"]


@app.command
def doctor() -> int:
    """Say what is installed, the threads, where compiled kernels are kept, and whether files can be written.

    Example: divergences doctor
    """
    import platform
    import tempfile
    from importlib import metadata

    from divergences import _compiler
    from divergences._parallel import thread_count
    from divergences.saving import write_atomically

    print(f"python {platform.python_version()} on {platform.platform()}")
    libraries = ("numpy", "scipy", "numba", "POT", "scikit-learn", "pyarrow", "matplotlib", "cyclopts", "torch")
    for package in ("divergences", *libraries):
        try:
            print(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package}: not installed{' (only gan needs it)' if package == 'torch' else ''}")
    limits = ", ".join(f"{v} {os.environ.get(v, 'not set')}" for v in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"))
    print(f"processors {os.cpu_count()}, threads used {thread_count()} ({limits})")
    print(f"kernels: {_compiler.load()}")
    with tempfile.TemporaryDirectory() as folder:
        write_atomically(Path(folder, "test.txt"), "test")
    print(f"writing works in {tempfile.gettempdir()}")
    return DONE


# --------------------------------------------------------------------------------------------------- output


def _names(columns: str | None) -> list[str] | None:
    """The names in `a,b,"c,d"`."""
    return None if columns is None else [name.strip() for name in next(csv.reader([columns]))]


def _tables(result: Any) -> str:
    """The verdict and two tables; names are escaped, since [red] in a name would be an instruction to rich."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from divergences.report import verdict
    from divergences.report.pictures import by_effect
    from divergences.wording import number, plain

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.begin_capture()  # rich itself would end the process at a closed pipe, and with exit code 1
    console.print(escape(verdict(result)), soft_wrap=not sys.stdout.isatty())

    def show(header: list[str], rows: list[list[Any]]) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for k, name in enumerate(header):  # a narrow terminal breaks names over lines, never numbers
            title = name.replace("_", "_\n") if len(name) > 8 else name
            table.add_column(title, justify="right" if k else "left", no_wrap=bool(k), overflow="fold")
        for name, *numbers in rows:
            table.add_row(escape(plain(name, 40)), *(v if isinstance(v, str) else number(v, 3) for v in numbers))
        console.print(table)

    metrics = ["w1", "w1_sd", "null_95", "ks", "js_distance", "total_variation", "pvalue_adjusted"]
    if console.width < 96:  # --json and --report have the others
        metrics = ["w1", "w1_sd", "null_95", "total_variation", "pvalue_adjusted"]
    columns = [[c.name, *(float(getattr(c, metric)) for metric in metrics)] for c in by_effect(result)]
    show(["column", *metrics], columns)
    show(
        ["jointly", "value", "standard_error", "null_95", "pvalue", "cost", "gap"],
        [[e.name, e.value, e.standard_error, e.null_95, e.pvalue, *_proof(e)] for e in result.joint.values()],
    )
    return console.end_capture()


def _size(result: Any) -> str:
    x, y = result.reference.values, result.current.values
    return f"{len(x):,} reference rows, {len(y):,} current rows, {x.shape[1]} columns."


def _proof(entry: Any) -> list[str]:
    from divergences.report.comparison import gap

    return ["", ""] if entry.cost is None else [f"{entry.cost:.9g}", f"{gap(entry):.1e}"]


def _rows(result: Any) -> str:
    """The columns as CSV, names made harmless for spreadsheets."""
    from divergences.wording import plain, spreadsheet

    buffer = io.StringIO()
    dicts = {name: column.to_dict() for name, column in result.columns.items()}
    header = [key for key, value in next(iter(dicts.values())).items() if not isinstance(value, list)]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["column", *header])
    for name, values in dicts.items():
        writer.writerow([spreadsheet(plain(name, 1000)), *(values[key] for key in header)])
    return buffer.getvalue()


def main() -> None:
    """The entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows a question mark
    sys.exit(run(app))
