"""How often the 95% intervals of `estimate` hold the truth, and how often the tests reject what is true.

    python tests/bench/calibration.py docs/calibration.md                   ten seconds more of each cell; the page
    python tests/bench/calibration.py --only 'histogram.*"n": 1000,'        some cells, on the terminal
    python tests/bench/calibration.py --seconds 0 docs/calibration.md       the page from what is recorded

A cell is a method (all in `METHODS`), n = m, d, a divergence and a pair of laws: N(δ, I) against N(0, I) with |δ| = 0
or 1, of which the truth is known; or a test. It is complete at 2,000 repetitions. `records/calibration.jsonl` keeps
what was run, see `pooled.py`; the code that a cell judges is its method's with `estimation.py`, or its test's, and what
they import of `divergences.samples` but for the search of neighbours, which is exact by its own tests.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats

from divergences import CATALOGUE
from divergences.samples import _neighbours, estimate, mmd_test
from divergences.samples.columns.numeric import scores_test
from divergences.samples.columns.steps import steps_of
from divergences.samples.estimators import METHODS
from divergences.samples.estimators._critic import largest
from divergences.samples.estimators.histogram import bin_edges
from divergences.samples.joint import Embedding, energy

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.pooled import Record, digest, measured, options, write

SIZES, DIMENSIONS, SHIFTS, DIVERGENCES = (100, 1000, 10_000), (1, 2, 10), (0.0, 1.0), ("kl", "js")
NOMINAL, PERMUTATIONS = 0.95, 99
SEARCH = {"divergences.samples._neighbours", "divergences.samples._tree"}
SHARED = {name: ("logistic",) for name in ("variational", "donsker_varadhan")}  # whose classifier is their critic
ENERGY = ("divergences.samples.joint.quadratic",)
_neighbours.SMALL = 0  # what is repeated is worth a compiler
Test = Callable[[np.ndarray, np.ndarray, np.random.Generator], float]


@dataclass(frozen=True)
class Cell:
    """What is repeated; `divergence` is empty for a test."""

    subject: str
    divergence: str
    n: int
    d: int
    shift: float


def w1_by_permutation(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """As `compare` tests a short column; `columns_calibration.py` has long ones, and other laws."""
    (steps,) = steps_of(x[:, 0], y[:, 0])
    return scores_test(steps, True, PERMUTATIONS, rng)[0]


def energy_by_permutation(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """As `compare` tests all columns."""
    return energy(Embedding.of(x, y), PERMUTATIONS, rng).pvalue


def aggregated_mmd(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """`mmd_test` with its own kernels."""
    return mmd_test(x, y, permutations=PERMUTATIONS, rng=rng).pvalue


# The test, its dimensions, the largest n that takes less than a second, and its modules.
TESTS: dict[str, tuple[Test, tuple[int, ...], int, tuple[str, ...]]] = {
    "W1, permutations": (w1_by_permutation, (1,), 1000, ("divergences.samples.columns.numeric",)),
    "energy distance, permutations": (energy_by_permutation, DIMENSIONS, 1000, ENERGY),
    "mmd_test": (aggregated_mmd, DIMENSIONS, 1000, ("divergences.samples.kernel_test",)),
}


def cells() -> Iterator[Cell]:
    """All of them, methods first."""
    for method in METHODS:
        for divergence in ("kl",) if method == "donsker_varadhan" else DIVERGENCES:
            for d in (1,) if method == "histogram" else DIMENSIONS:
                for n in SIZES:
                    for shift in SHIFTS:
                        yield Cell(method, divergence, n, d, shift)
    for name, (_, dimensions, most, _) in TESTS.items():
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


def code(cell: Cell) -> str:
    """The digest of what a cell judges."""
    return judged(cell.subject)


@cache
def judged(subject: str) -> str:
    """The digest of the code of a method, or of a test."""
    if subject in TESTS:
        return digest(TESTS[subject][3], "divergences.samples", apart=SEARCH)
    modules = {name: type(method).__module__ for name, method in METHODS.items()}
    own = {modules[subject], *(modules[name] for name in SHARED.get(subject, ()))}
    apart = {*modules.values()} - own
    return digest([*sorted(own), "divergences.samples.estimation"], "divergences.samples", apart=apart | SEARCH)


def once(cell: Cell, rng: np.random.Generator) -> dict[str, float]:
    """One repetition."""
    x, y = rng.normal(size=(cell.n, cell.d)), rng.normal(size=(cell.n, cell.d))
    x[:, 0] += cell.shift
    if not cell.divergence:
        return {"hits": TESTS[cell.subject][0](x, y, rng) <= 1 - NOMINAL}
    e, true = estimate(x, y, cell.divergence, method=cell.subject, rng=rng), target(cell, x, y)
    found = {"truth": true, "value": e.value}
    if e.confidence_interval is None:
        return found
    low, high = e.confidence_interval
    found["hits"] = low <= true + 1e-12 and true <= high
    ended = high < largest(CATALOGUE[cell.divergence])  # an end of its own
    return found | ({"two_sided": 1, "width": high - low} if ended else {"lower": 1})


def row(found: Record[Cell], repetitions: int) -> str:
    """One line of the table; what is more than three standard errors on the wrong side is in bold."""
    cell, count = found.cell, found.repetitions
    two_sided, lower, hits = (int(found.sums.get(name, 0)) for name in ("two_sided", "lower", "hits"))
    judged = two_sided + lower if cell.divergence else count
    share = hits / judged if judged else math.nan
    error = math.sqrt(NOMINAL * (1 - NOMINAL) / max(judged, 1))
    off = share < NOMINAL - 3 * error if cell.divergence else share > 1 - NOMINAL + 3 * error
    shown = f"{share:.1%} ± {error:.1%}" if judged else "no interval"
    shown = f"**{shown}**" if off else shown
    note = f"{count} repetition{'s' * (count > 1)}" if count < repetitions else ""
    if not cell.divergence:
        return f"| {cell.n:,} | {cell.d} | {shown} | {note} |"
    kind = "two-sided" if two_sided == count else f"lower end only in {lower / count:.0%}" if judged else "none"
    kind += f"; none in {1 - judged / count:.0%}" if 0 < judged < count else ""
    width = f"{found.sums['width'] / two_sided:.3g}" if two_sided else "–"
    numbers = f"{found.mean('truth'):.4g} | {found.mean('value'):.4g} | {shown} | {width}"
    return f"| {cell.divergence} | {cell.n:,} | {cell.d} | {cell.shift:g} | {numbers} | {kind} | {note} |"


def page(results: dict[Cell, Record[Cell]], repetitions: int) -> list[str]:
    """The document: a table for each subject."""
    total, missing = sum(found.repetitions for found in results.values()), len(list(cells())) - len(results)
    rest = f" {missing} more cells have not been run since their code changed." if missing else ""
    text = [
        "# Calibration",
        "",
        "Written by `tests/bench/calibration.py`. Two samples of n points in d dimensions, N(δ, I) against N(0, I), "
        f"|δ| = shift; {repetitions:,} repetitions unless a row says otherwise, {total:,} in all. Coverage: how many "
        "of the 95% intervals hold the truth, ± the standard error of 95% at that number. Bold: more than three "
        f"standard errors below. The truth of `histogram` is that of the binned laws.{rest}",
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
    write(page(measured(once, list(cells()), code, asked), asked.repetitions), asked.page)


if __name__ == "__main__":
    main()
