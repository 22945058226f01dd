"""What the commands have in common: the options that choose data, and how they are read."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from divergences.console import UsageError, Whole

File = Annotated[
    Path,
    Parameter(
        allow_leading_hyphen=True,
        help="A .csv, .tsv (also .gz), .npy, .npz, .parquet, .feather or .profile file, a folder of Parquet files, or "
        "- for standard input.",
    ),
]
Columns = Annotated[str | None, Parameter(help="The columns to use, as a,b,c; default all.")]
Categories = Annotated[
    str | None, Parameter(help="Columns of text files that are categories though they look like numbers, as a,b,c.")
]
Delimiter = Annotated[str | None, Parameter(help="Of text files; default a comma, in .tsv a tab.")]
NanPolicy = Annotated[
    Literal["category", "omit", "raise"],
    Parameter(help="Missing cells: a category of their own, left out, or an error."),
]
Seed = Annotated[
    Whole,
    Parameter(validator=Number(gte=0, lt=2**63), help="The same seed gives the same numbers."),
]
Dask = Annotated[
    str | None,
    Parameter(help="tcp://host:port of a Dask scheduler whose workers see the files: they make the profiles."),
]
Force = Annotated[bool, Parameter(negative=(), help="Replace existing files.")]


def names(text: str | None) -> list[str] | None:
    """The names in `a,b,"c,d"`."""
    return None if text is None else [name.strip() for name in next(csv.reader([text]))]


def check_outputs(outputs: dict[str, Path | None], inputs: Sequence[Path], *, force: bool) -> None:
    """Refuse, before long work, outputs that exist, that are an input, or that are named twice."""
    from divergences.saving import check_free

    if [str(path) for path in inputs].count("-") > 1:
        raise UsageError("standard input can be read once; name a file for the other side.")
    taken = [os.path.realpath(path) for path in inputs]
    for option, path in outputs.items():
        if path is not None:
            if os.path.realpath(path) in taken:
                raise UsageError(f"{option} must name a file of its own; {str(path)!r} is named twice.")
            taken.append(os.path.realpath(path))
            check_free(path, force=force)
