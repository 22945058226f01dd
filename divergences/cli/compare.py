"""`divergences compare`: two tables, every distance, one verdict."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from divergences.cli.options import (
    Categories,
    Columns,
    Dask,
    Delimiter,
    File,
    Force,
    NanPolicy,
    Seed,
    check_outputs,
    names,
)
from divergences.console import DIFFER, DONE, Whole, printing, progress_bar, say
from divergences.rules import check_columns, check_joint, fired, parse_rule


def compare(
    ref: File,
    cur: File,
    *,
    report: Annotated[Path | None, Parameter(help="Write an HTML report here.")] = None,
    json_: Annotated[Path | None, Parameter(name="--json", help="Write every number here, as JSON.")] = None,
    csv_: Annotated[Path | None, Parameter(name="--csv", help="Write the columns here, one row each, as CSV.")] = None,
    fail_on: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            help="Exit 1 if it holds: 'w1(age)>0.5' (a column), 'pvalue_adjusted(*)<0.01' (any column), 'w2>3' or "
            "'w2.pvalue<0.01' (jointly). May be repeated.",
        ),
    ] = None,
    columns: Columns = None,
    categories: Categories = None,
    delimiter: Delimiter = None,
    nan_policy: NanPolicy = "category",
    method: Annotated[
        Literal["exact", "profile"] | None,
        Parameter(
            help="exact: every value is used, one column in memory at a time. profile: one pass, W1 and KS within "
            "brackets. Default: exact, but profile for a .profile, and for text that is too large to hold."
        ),
    ] = None,
    sample: Annotated[
        Whole, Parameter(validator=Number(gte=2), help="Rows of each table for the joint distances, at most.")
    ] = 500,
    dask: Dask = None,
    joint: Annotated[bool, Parameter(help="Whether to compare all columns together, too.")] = True,
    permutations: Annotated[Whole, Parameter(validator=Number(gte=1), help="Shuffles behind each p-value.")] = 199,
    seed: Seed = 0,
    format_: Annotated[
        Literal["table", "json", "csv"], Parameter(name="--format", help="Of standard output.")
    ] = "table",
    force: Force = False,
) -> int:
    """Compare a reference table with a current one, column by column and jointly.

    Example: divergences compare before.csv after.csv --report out.html --fail-on "w1_sd(*)>0.3"
    """
    rules = [parse_rule(text) for text in fail_on or []]
    check_joint(rules, joint=joint)
    check_outputs({"--report": report, "--json": json_, "--csv": csv_}, [ref, cur], force=force)
    from divergences.cli import show
    from divergences.comparing import compare as compare_sources
    from divergences.comparing import matched, read_source
    from divergences.saving import write_atomically

    with progress_bar() as progress:
        x, y = (
            read_source(
                path,
                columns=names(columns),
                categories=names(categories) or (),
                delimiter=delimiter,
                method=method,
                dask=dask,
            )
            for path in (ref, cur)
        )
        x, y = matched(x, y, names(columns))
        check_columns(rules, x.names)
        result = compare_sources(
            x,
            y,
            rng=seed,
            permutations=permutations,
            nan_policy=nan_policy,
            method=method,
            joint=joint,
            sample=sample,
            progress=progress,
        )
        document = json.dumps(result.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        if json_ is not None:
            write_atomically(json_, document, force=force)
        if csv_ is not None:
            write_atomically(csv_, show.rows(result), force=force)
        if report is not None:
            from divergences import report as html

            title = f"{ref.name} against {cur.name}"
            html.Report(title, html.comparison_report(result), lead=show.size(result)).save(report, force=force)
    with printing():
        sys.stdout.write({"table": show.tables, "csv": show.rows, "json": lambda _: document}[format_](result))
    reasons = [reason for rule in rules for reason in fired(rule, result)]
    for line in show.notes(result):
        say(f"note: {line}")
    for reason in reasons[: show.LINES]:
        say(f"differs: {reason}")
    for path in (report, json_, csv_):
        if path is not None:
            say(f"wrote {path}")
    return DIFFER if reasons else DONE
