"""The tables of docs/fgan.md, docs/paired.md and docs/stacked-digits.md, from what `gan bench` left in its folders.

    gan bench --protocol fgan --budget 1 --seeds 5 --out build/bench/fgan
    python docs/gan_pages.py build/bench

Each page has its text by hand and its table between two marks; a page without a finished bench is left as it is.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from divergences.saving import write_atomically
from gan.bench.protocols.fgan import paper_errors

DOCS = Path(__file__).parent
BEGIN, END = "<!-- written by gan_pages.py -->\n", "<!-- to here -->"
Row = dict[str, Any]
PERFECT = "a perfect generator"


def main(folder: Path) -> None:
    """Write what can be written, and name it."""
    for page, (benches, header, line) in PAGES.items():
        rows = [row for bench in benches for row in rows_of(folder / bench)]
        rows = rows if line is fit else with_perfect(rows)
        if rows:
            path = DOCS / page
            before, rest = path.read_text().split(BEGIN)
            table = "\n".join(map(cells, (header, ["---"] * len(header), *map(line, rows))))
            write_atomically(path, f"{before}{BEGIN}{table}\n{END}{rest.split(END)[1]}", force=True)
            print(path)


def rows_of(bench: Path) -> list[Row]:
    """What a bench has finished."""
    path = bench / "bench.json"
    return json.loads(path.read_text()).get("rows", []) if path.exists() else []


def with_perfect(rows: list[Row]) -> list[Row]:
    """The rows by data, and after each data set's what a perfect generator gets there."""
    found: list[Row] = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own = [row for row in rows if row["data"] == data]
        found += [*own, own[0] | {"name": PERFECT}]
    return found


def cells(texts: Iterable[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(texts)} |"


def measured(row: Row, names: Iterable[str]) -> list[str]:
    """Mean and 95 % interval over seeds, or what a perfect generator gets."""
    if row["name"] == PERFECT:
        return [f"{(row['perfect'] | row['exact'])[name]:.4g}" for name in names]
    return ["{mean:.4g} [{low:.4g}, {high:.4g}]".format(**row["columns"][name]) for name in names]


def ending(row: Row) -> list[str]:
    """Seeds that reach what the protocol asks for, and seconds for each."""
    count = len(row["seeds"])
    return ["", ""] if row["name"] == PERFECT else [f"{row['success']}/{count}", f"{row['seconds'] / count:.0f}"]


def fit(row: Row) -> list[str]:
    """A Gaussian's errors: the seeds' average and its standard error."""
    errors = [np.array(row["values"][name]) - row["exact"][name] for name in ("mean", "sd")]
    shown = [f"{e.mean():+.4f} ± {e.std(ddof=1) / np.sqrt(len(e)):.4f}" for e in errors]
    best, halves = (row["exact"]["mean"], row["exact"]["sd"]), [e / 2 for e in paper_errors(row["name"])]
    pair = "{:.4f}, {:.4f}".format
    return [row["name"], pair(*best), *shown, pair(*halves), ending(row)[0]]


def covered(row: Row) -> list[str]:
    """Modes and quality of a ring or grid."""
    steps = "" if row["name"] == PERFECT else f"{row['steps']:,}"
    return [row["data"], row["name"], steps, *measured(row, ("modes_1pct", "high_quality", "mode_tv")), *ending(row)]


def digits(row: Row) -> list[str]:
    """Modes of a thousand."""
    name = row["name"] if row["name"] == PERFECT else f"{row['name']}, {row['steps']} steps"
    return [name, *measured(row, ("modes", "high_quality", "mode_reverse_kl")), *ending(row)]


# The page: its benches, its header, how a row is written.
PAGES = {
    "fgan.md": (
        ("fgan",),
        [
            "divergence",
            "best mean, sd",
            "error of the mean: seeds' average ± its standard error",
            "of the sd",
            "half of the paper's",
            "seeds within half",
        ],
        fit,
    ),
    "paired.md": (
        ("paired", "paired-tenth"),
        ("data", "row", "updates", "modes with 1 %", "good share", "mode TV", "seeds that succeed", "seconds a seed"),
        covered,
    ),
    "stacked-digits.md": (
        ("stacked-digits",),
        ("recipe", "modes", "good share", "reverse KL", "at least 990 modes", "seconds a seed"),
        digits,
    ),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
