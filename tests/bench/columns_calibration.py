"""How often a column cries wolf, how small its p-values get, and what false-discovery control makes of fifty.

    python tests/bench/columns_calibration.py                                 2,000 repetitions of every cell
    python tests/bench/columns_calibration.py --only category --seconds 60    some cells, with more time each

A cell is a law and two sizes. Two samples of the one law go through `compare_column` with 999 permutations, binned
divergences left out, which have no part in the p-value. Continuous laws must be rejected at 5% in 5% of cases, discrete
ones in no more. `fifty columns` is ten shifted columns among forty that are not: the share of false ones among those
found, and how many of the ten were found.
Cells are kept as they finish, one JSON line each: an interrupted run goes on where it was.
"""

import argparse
import json
import math
import multiprocessing
import os
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from divergences.files import Column
from divergences.samples.columns import adjust, categorical, compare_column, numeric

SIZES = ((100, 100), (1000, 1000), (10_000, 10_000), (100_000, 100_000), (100, 1000), (1000, 50_000), (50_000, 2000))
LEVELS = (0.05, 0.01, 0.001)
PERMUTATIONS, COLUMNS, SHIFTED = 999, 50, 10
FIFTY = "fifty columns"
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


def run(cell: Cell, repetitions: int, seconds: float) -> dict[str, Any]:
    """Repeat a cell, each time with a seed of its own."""
    start, values = time.perf_counter(), []
    fake = mock.Mock(return_value={"nulls": {}})
    with mock.patch.object(numeric, "binned", fake), mock.patch.object(categorical, "binned", fake):
        while len(values) < repetitions and time.perf_counter() - start < seconds:
            rng = np.random.default_rng([zlib.crc32(repr(cell).encode()), len(values)])
            values.append(discoveries(cell, rng) if cell.law == FIFTY else pvalue(cell, rng))
    shares = np.mean(values, axis=0).tolist() if cell.law == FIFTY else [np.mean(np.array(values) <= a) for a in LEVELS]
    return {
        "cell": asdict(cell),
        "repetitions": len(values),
        "seconds": time.perf_counter() - start,
        "shares": list(map(float, shares)),
    }


def row(result: dict[str, Any]) -> str:
    """One line of the table; what is more than three standard errors on the wrong side is in bold."""
    cell, count = Cell(**result["cell"]), result["repetitions"]
    head = f"| {cell.law} | {cell.n:,} | {cell.m:,} | "
    if cell.law == FIFTY:
        false, power = result["shares"]
        return f"{head}false share {false:.3f} | found {power:.3f} | | {count:,} |"
    shown = []
    for level, share in zip(LEVELS, result["shares"], strict=True):
        error = math.sqrt(level * (1 - level) / count)
        off = share > level + 3 * error or (LAWS[cell.law][2] and share < level - 3 * error)
        shown.append(f"**{share:.2%}**" if off else f"{share:.2%}")
    return f"{head}{' | '.join(shown)} | {count:,} |"


def main() -> None:
    """Run what is missing, and print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000, metavar="N")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="of one process per cell, default 30")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cells whose law contains TEXT")
    parser.add_argument("--most", type=int, default=10**9, metavar="N", help="the cells of at most N values a side")
    parser.add_argument("--store", type=Path, default=Path("build/columns_calibration.jsonl"), metavar="FILE")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    options = parser.parse_args()
    chosen = [cell for cell in cells() if options.only in cell.law and max(cell.n, cell.m) <= options.most]
    results = {}
    if options.store.exists():
        for line in map(json.loads, options.store.read_text(encoding="utf-8").splitlines()):
            if line["repetitions"] >= options.repetitions or line["seconds"] >= options.seconds:
                results[Cell(**line["cell"])] = line
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    options.store.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")  # compiled code does not survive a fork
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        missing = [cell for cell in chosen if cell not in results]
        futures = [pool.submit(run, cell, options.repetitions, options.seconds) for cell in missing]
        with options.store.open("a", encoding="utf-8") as store:
            for future in as_completed(futures):
                result = future.result()
                results[Cell(**result["cell"])] = result
                print(json.dumps(result), file=store, flush=True)
    print("| law | n | m | rejected at 5% | at 1% | at 0.1% | repetitions |\n|" + "---|" * 7)
    print("\n".join(row(results[cell]) for cell in chosen))


if __name__ == "__main__":
    main()
