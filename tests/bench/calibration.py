"""How often the 95% intervals of `estimate` hold the truth, and how often the tests reject what is true.

    python tests/bench/calibration.py docs/calibration.md                      2,000 repetitions; writes the page
    python tests/bench/calibration.py --repetitions 100 --only histogram      some cells, on the terminal

A cell is a method (all in `METHODS`), n = m, d, a divergence and a pair of laws: N(δ, I) against N(0, I) with |δ| = 0
or 1, of which the truth is known. A cell that would take longer than `--seconds` has fewer repetitions, and shows their
number.
Cells are kept as they finish, one JSON line each: an interrupted run goes on where it was.
"""

import math
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from divergences import CATALOGUE
from divergences.samples import estimate, mmd_test
from divergences.samples.columns.numeric import scores_test
from divergences.samples.columns.steps import steps_of
from divergences.samples.estimators import METHODS
from divergences.samples.estimators._critic import largest
from divergences.samples.estimators.histogram import bin_edges
from divergences.samples.joint import Embedding, energy

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.pooled import measured, options, write

SIZES, DIMENSIONS, SHIFTS, DIVERGENCES = (100, 1000, 10_000), (1, 2, 10), (0.0, 1.0), ("kl", "js")
NOMINAL, PERMUTATIONS = 0.95, 99
Test = Callable[[np.ndarray, np.ndarray, np.random.Generator], float]


@dataclass(frozen=True)
class Cell:
    """What is repeated; `divergence` is empty for a test."""

    subject: str
    divergence: str
    n: int
    d: int
    shift: float


@dataclass
class Found:
    """What the repetitions gave."""

    repetitions: int = 0
    seconds: float = 0.0
    truth: float = 0.0  # means over the repetitions from here on
    value: float = 0.0
    width: float = 0.0
    hits: int = 0
    two_sided: int = 0
    lower: int = 0  # intervals without an upper end


def w1_by_permutation(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """As `compare` tests a column."""
    (steps,) = steps_of(x[:, 0], y[:, 0])
    return scores_test(steps, True, PERMUTATIONS, rng)[0]


def energy_by_permutation(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """As `compare` tests all columns."""
    return energy(Embedding.of(x, y), PERMUTATIONS, rng).pvalue


def aggregated_mmd(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """`mmd_test` with its own kernels."""
    return mmd_test(x, y, permutations=PERMUTATIONS, rng=rng).pvalue


# The test, its dimensions, and the largest n that takes less than a second.
TESTS: dict[str, tuple[Test, tuple[int, ...], int]] = {
    "W1, permutations": (w1_by_permutation, (1,), 10_000),
    "energy distance, permutations": (energy_by_permutation, DIMENSIONS, 1000),
    "mmd_test": (aggregated_mmd, DIMENSIONS, 1000),
}


def cells() -> Iterator[Cell]:
    """All of them, methods first."""
    for method in METHODS:
        for divergence in ("kl",) if method == "donsker_varadhan" else DIVERGENCES:
            for d in (1,) if method == "histogram" else DIMENSIONS:
                for n in SIZES:
                    for shift in SHIFTS:
                        yield Cell(method, divergence, n, d, shift)
    for name, (_, dimensions, most) in TESTS.items():
        for d in dimensions:
            for n in SIZES:
                if n <= most:
                    yield Cell(name, "", n, d, 0.0)


@cache
def truth(divergence: str, shift: float) -> float:
    """Of N(shift, 1) from N(0, 1), by the trapezoidal rule, which is exact to rounding for such densities."""
    z = np.linspace(-12, 12 + shift, 20_001)
    p, q = stats.norm.pdf(z - shift), stats.norm.pdf(z)
    return float(np.trapezoid(CATALOGUE[divergence].cost(p, q, p - q), z))


def target(cell: Cell, x: np.ndarray, y: np.ndarray) -> float:
    """What the interval has to hold: the divergence, for the histogram that of the laws in the bins it drew."""
    if cell.subject != "histogram":
        return truth(cell.divergence, cell.shift)
    cut = np.concatenate([[-np.inf], bin_edges(x[:, 0], y[:, 0]), [np.inf]])
    p, q = np.diff(stats.norm.cdf(cut - cell.shift)), np.diff(stats.norm.cdf(cut))
    return float(CATALOGUE[cell.divergence](p, q, normalize=True))


def run(cell: Cell, repetitions: int, seconds: float) -> dict[str, Any]:
    """Repeat a cell, each time with a seed of its own."""
    found, start = Found(), time.perf_counter()
    while found.repetitions < repetitions and time.perf_counter() - start < seconds:
        rng = np.random.default_rng([zlib.crc32(repr(cell).encode()), found.repetitions])
        x, y = rng.normal(size=(cell.n, cell.d)), rng.normal(size=(cell.n, cell.d))
        x[:, 0] += cell.shift
        found.repetitions += 1
        if not cell.divergence:
            found.hits += TESTS[cell.subject][0](x, y, rng) <= 1 - NOMINAL
            continue
        e, true = estimate(x, y, cell.divergence, method=cell.subject, rng=rng), target(cell, x, y)
        found.truth += (true - found.truth) / found.repetitions
        found.value += (e.value - found.value) / found.repetitions
        if e.confidence_interval is not None:
            low, high = e.confidence_interval
            found.hits += low <= true + 1e-12 and true <= high
            if high < largest(CATALOGUE[cell.divergence]):  # an end of its own
                found.two_sided += 1
                found.width += (high - low - found.width) / found.two_sided
            else:
                found.lower += 1
    found.seconds = time.perf_counter() - start
    return {"cell": asdict(cell), **asdict(found)}


def row(result: dict[str, Any], repetitions: int) -> str:
    """One line of the table; what is more than three standard errors on the wrong side is in bold."""
    cell, found = Cell(**result["cell"]), Found(**{k: v for k, v in result.items() if k != "cell"})
    given, count = found.two_sided + found.lower, found.repetitions
    judged = given if cell.divergence else count
    share = found.hits / judged if judged else math.nan
    error = math.sqrt(NOMINAL * (1 - NOMINAL) / max(judged, 1))
    off = share < NOMINAL - 3 * error if cell.divergence else share > 1 - NOMINAL + 3 * error
    shown = f"{share:.1%} ± {error:.1%}" if judged else "no interval"
    shown = f"**{shown}**" if off else shown
    note = f"{count} repetitions" if count < repetitions else ""
    if not cell.divergence:
        return f"| {cell.n:,} | {cell.d} | {shown} | {note} |"
    kind = "two-sided" if found.two_sided == count else f"lower end only in {found.lower / count:.0%}"
    kind = kind if judged == count else f"{kind}; none in {1 - judged / count:.0%}"
    width = f"{found.width:.3g}" if found.two_sided else "–"
    numbers = f"{found.truth:.4g} | {found.value:.4g} | {shown} | {width}"
    return f"| {cell.divergence} | {cell.n:,} | {cell.d} | {cell.shift:g} | {numbers} | {kind} | {note} |"


def page(results: dict[Cell, dict[str, Any]], repetitions: int) -> list[str]:
    """The document: a table for each subject."""
    text = [
        "# Calibration",
        "",
        "Written by `tests/bench/calibration.py`. Two samples of n points in d dimensions, N(δ, I) against N(0, I), "
        f"|δ| = shift; {repetitions:,} repetitions unless a row says otherwise. Coverage: how many of the 95% "
        "intervals hold the truth, ± the standard error of 95% at that number. Bold: more than three standard errors "
        "below. The truth of `histogram` is that of the binned laws.",
    ]
    subject = ""
    for cell in cells():
        if cell not in results:
            continue
        if cell.subject != subject:
            subject = cell.subject
            heads = [
                "divergence",
                "n",
                "d",
                "shift",
                "truth",
                "mean estimate",
                "coverage",
                "mean width",
                "interval",
                "",
            ]
            heads = heads if cell.divergence else ["n", "d", "rejected at 5% under equality", ""]
            text += ["", f"## {subject}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        text.append(row(results[cell], repetitions))
    return [*text, ""]


def main() -> None:
    """Run what is missing, and write the page if one is named."""
    assert __doc__ is not None
    asked = options(__doc__, "calibration.jsonl", 10).parse_args()
    chosen = [cell for cell in cells() if asked.only in cell.subject]
    write(page(measured(run, chosen, Cell, asked), asked.repetitions), asked.page)


if __name__ == "__main__":
    main()
