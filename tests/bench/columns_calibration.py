"""How often a column cries wolf, how small its p-values get, and what false-discovery control makes of fifty.

    python tests/bench/columns_calibration.py                                 half a minute more of each cell
    python tests/bench/columns_calibration.py --only category --seconds 60    some cells, with more time each

A cell is a law and two sizes. Two samples of the one law go through `compare_column` with 999 permutations, binned
divergences left out, which have no part in the p-value. Continuous laws must be rejected at 5% in 5% of cases, discrete
ones in no more. `fifty columns` is ten shifted columns among forty that are not: the share of false ones among those
found, and how many of the ten were found.
A cell is complete at 2,000 repetitions; `records/columns_calibration.jsonl` keeps what was run, see `pooled.py`.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.stats import binom

from divergences.files import Column
from divergences.samples.columns import adjust, categorical, compare_column, numeric

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.pooled import Record, digest, measured, options, write

SIZES = ((100, 100), (1000, 1000), (10_000, 10_000), (100_000, 100_000), (100, 1000), (1000, 50_000), (50_000, 2000))
LEVELS = (0.05, 0.01, 0.001)
PERMUTATIONS, COLUMNS, SHIFTED = 999, 50, 10
FIFTY = "fifty columns"
SELDOM = 1 / 740  # beyond three standard deviations of a normal law, on one side
TITLE = (
    "# Columns, calibrated",
    "",
    "Written by `tests/bench/columns_calibration.py`: how often `compare` calls two samples of one law different, at "
    "three levels. Bold: more above the level, or below it where the statistic is continuous, than chance brings in 1 "
    "of 740 cases, as three standard errors. Fifty columns: ten that have moved among forty that have not, at a false "
    "discovery rate of 5%.",
    "",
)
Draw = Callable[[int, np.random.Generator], np.ndarray]


def gapped(n: int, rng: np.random.Generator) -> np.ndarray:
    """Normals, a tenth of them missing."""
    return np.where(rng.random(n) < 0.1, np.nan, rng.standard_normal(n))


def zipf(k: int, power: float = 1.0) -> Draw:
    """Codes of k categories with masses as 1, 2^-power, 3^-power, ..."""
    mass = np.arange(1, k + 1) ** -power
    edges = np.cumsum(mass / mass.sum())[:-1]
    return lambda n, rng: np.searchsorted(edges, rng.random(n)).astype(np.int32)


# The law, how many categories (0: numbers), whether W₁ is continuous.
LAWS: dict[str, tuple[Draw, int, bool]] = {
    "normal": (lambda n, rng: rng.standard_normal(n), 0, True),
    "lognormal, sigma 2": (lambda n, rng: rng.lognormal(0, 2, n), 0, True),
    "Cauchy": (lambda n, rng: rng.standard_cauchy(n), 0, True),
    "Poisson, mean 1": (lambda n, rng: rng.poisson(1, n).astype(float), 0, False),
    "normal, one digit": (lambda n, rng: np.round(rng.standard_normal(n), 1), 0, True),
    "normal, 10% gaps": (gapped, 0, False),
    "boolean, 3%": (lambda n, rng: (rng.random(n) < 0.03).astype(np.int32), 2, False),
    "category, 5 alike": (lambda n, rng: rng.integers(0, 5, n, dtype=np.int32), 5, False),
    "category, 50 by Zipf": (zipf(50), 50, False),
    "category, 20,000 by Zipf": (zipf(20_000), 20_000, False),
}


@dataclass(frozen=True)
class Cell:
    """What is repeated."""

    law: str
    n: int
    m: int


def cells() -> Iterator[Cell]:
    """All of them."""
    for law in LAWS:
        for n, m in SIZES:
            yield Cell(law, n, m)
    for n in (100, 2000, 20_000):
        yield Cell(FIFTY, n, n)


def column(values: np.ndarray, categories: int) -> Column:
    """Of numbers or codes."""
    return Column("a", values, "category", tuple(map(str, range(categories)))) if categories else Column("a", values)


def pvalue(cell: Cell, rng: np.random.Generator) -> float:
    """Of two samples of one law."""
    draw, categories, _ = LAWS[cell.law]
    x, y = (column(draw(size, rng), categories) for size in (cell.n, cell.m))
    return compare_column(x, y, permutations=PERMUTATIONS, rng=rng).pvalue


def discoveries(cell: Cell, rng: np.random.Generator) -> tuple[float, float]:
    """The false share of the columns found, and the share found of those that are shifted."""
    found = []
    effect = 0.5 if cell.n < 1000 else 10 / math.sqrt(cell.n)  # at large n a smaller shift
    for k in range(COLUMNS):
        x, y = rng.standard_normal(cell.n), rng.standard_normal(cell.m) + effect * (k < SHIFTED)
        c = compare_column(Column(f"{k}", x), Column(f"{k}", y), permutations=PERMUTATIONS, rng=rng)
        found.append(c)
    flagged = [int(name) for name, c in adjust(found).items() if c.pvalue_adjusted <= LEVELS[0]]
    true = sum(k < SHIFTED for k in flagged)
    return (len(flagged) - true) / max(1, len(flagged)), true / SHIFTED


def once(cell: Cell, rng: np.random.Generator) -> dict[str, float]:
    """One repetition: which levels reject, or the shares of `discoveries`."""
    fake = mock.Mock(return_value={"nulls": {}})
    with mock.patch.object(numeric, "binned", fake), mock.patch.object(categorical, "binned", fake):
        if cell.law == FIFTY:
            return dict(zip(("false", "found"), discoveries(cell, rng), strict=True))
        p = pvalue(cell, rng)
        return {f"{level}": p <= level for level in LEVELS}


@cache
def code(_cell: Cell) -> str:
    """The digest of the tests of columns, without what has no part in them."""
    package = "divergences.samples.columns"
    modules = [package, f"{package}.numeric", f"{package}.categorical"]
    return digest(modules, "divergences.samples", apart=[f"{package}.binned"])


def row(found: Record[Cell]) -> str:
    """One line of the table; what is further on the wrong side than chance brings it is in bold."""
    cell, count = found.cell, found.repetitions
    head = f"| {cell.law} | {cell.n:,} | {cell.m:,} | "
    if cell.law == FIFTY:
        return f"{head}false share {found.mean('false'):.3f} | found {found.mean('found'):.3f} | | {count:,} |"
    shown = []
    for level in LEVELS:
        hits = int(found.sums.get(f"{level}", 0))
        above, below = binom.sf(hits - 1, count, level), binom.cdf(hits, count, level)
        off = above < SELDOM or (LAWS[cell.law][2] and below < SELDOM)
        shown.append(f"**{hits / count:.2%}**" if off else f"{hits / count:.2%}")
    return f"{head}{' | '.join(shown)} | {count:,} |"


def main() -> None:
    """Run what is missing, and write the table."""
    assert __doc__ is not None
    asked = options(__doc__, "columns_calibration.jsonl", 30).parse_args()
    rows = [row(found) for found in measured(once, list(cells()), code, asked).values()]
    head = ["| law | n | m | rejected at 5% | at 1% | at 0.1% | repetitions |", "|" + "---|" * 7]
    write([*TITLE, *head, *rows, ""], asked.page)


if __name__ == "__main__":
    main()
