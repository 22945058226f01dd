"""Every distance between two tables at once: `compare`.

A source is a `Table`, in memory or on disk, or a `Profile`. Columns are compared one by one (`samples.columns`; of
profiles `profiles.comparing`), then a sample of rows jointly (`samples.joint`); the numbers become one `Comparison`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from numbers import Integral
from typing import Any

import numpy as np

from divergences._checks import choice, count, generator
from divergences._parallel import run_blocks
from divergences.comparing.result import Comparison
from divergences.comparing.sources import Source, as_source, bare, matched, profiled, read_source
from divergences.errors import DataError
from divergences.files import Column, StoredTable, Table, aligned_columns, show
from divergences.files._table import CATEGORY
from divergences.profiles import Profile
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.comparing import compare_profiles
from divergences.samples.columns import adjust, compare_column
from divergences.samples.comparison import ColumnComparison
from divergences.samples.joint import Joint, compare_jointly

__all__ = ["Comparison", "compare", "judged", "matched", "profiled", "read_source"]

AFFORDABLE = 10**9  # labels shuffled in all for the columns: about ten seconds
AT_ONCE = 2_000_000  # rows up to which columns are compared on all threads; beyond, one by one for the sake of memory
MANY = 2**20  # words beyond which a column of text on disk is compared by its profile: they would fill the memory
MOST_ROWS = 5_000  # of each table in the joint space: a matrix of (n + m)² distances is 0.8 GB
CONSTANT = "constant, which adds nothing to the joint distances"
FEW = "permutations={}: no joint p-value can be 5% or less, and the joint null quantiles are rough"
DECIDING = 19  # permutations, below which no p-value is 5% or less
NAMED = 5  # columns of a note
POLICIES = ("category", "omit", "raise")
METHODS = ("exact", "profile")
Progress = Callable[[str, float], None]


def compare(
    x: Any,
    y: Any,
    *,
    rng: Any = None,
    permutations: int = 199,
    columns: Sequence[str] | None = None,
    nan_policy: str | None = None,
    method: str | None = None,
    joint: bool = True,
    sample: int = 500,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the reference x with the current y: column by column, and jointly.

    Per column, of numbers, dates, booleans and categories: W₁ in its own unit and in standard deviations,
    Kolmogorov-Smirnov, JS distance, total variation, KL and the population stability index on bins, each with an
    interval and with what two samples of one law give; the shift of the mean, the rank effect, a p-value, and its
    Benjamini-Hochberg adjustment. Jointly, in a space where each column has variance one: W₁ and W₂ with a certified
    bracket, Sinkhorn divergence, sliced and max-sliced W₂, energy distance, MMD and a classifier's AUC, each with a
    p-value; and which columns and rows the distance comes from. See `docs/tables.md` for the rules.

    Args:
        x, y: a table, a data frame of any library (Arrow stream or interchange protocol), a mapping of arrays, an
            array of shape (n,) or (n, d), a path, a `Profile`, or a dask data frame. Columns are matched by name,
            in the order of x.
        rng: a seed or generator.
        permutations: at least so many for columns (40 times the number of columns if that is more and affordable, so
            that one column among many can stand out); early stopping draws fewer where nothing differs.
        columns: the names to compare; None is all.
        nan_policy: what missing cells are: a "category" of their own, something to "omit", or an error ("raise").
            None is "raise" for arrays and "category" for anything else.
        method: "exact" holds one column at a time and uses every value, but of text on disk with more than 2²⁰ words
            the profile, and a note says so; "profile" reads once and gives W₁ and KS within proven brackets. None is
            "exact", or "profile" where a source is one, or text too large to hold.
        joint: whether to compare all columns together.
        sample: rows of each table that joint distances use, at most: so many are drawn at random.
        progress: called with the name of the stage and the part of it that is done.

    Raises:
        DataError: columns that do not match, of different kinds, with infinite values, or nothing left; "exact" of a
            profile.
        OSError, FileFormatError: a path that cannot be read.
        ConvergenceError: a transport solver missed its tolerance.

    >>> result = compare([[0.0], [1.0], [2.0]], [[1.0], [2.0], [3.0]], rng=0)
    >>> result.columns["column_1"].w1, result.columns["column_1"].mean_shift
    (1.0, 1.0)

    """
    count(permutations, "permutations")
    if count(sample, "sample", minimum=2) > MOST_ROWS:
        raise DataError(f"sample must be at most {MOST_ROWS:,} rows, whose distances take some GiB; got {sample:,}.")
    if method is not None:
        choice(method, METHODS, "method")
    policy = choice(nan_policy or ("raise" if bare(x) and bare(y) else "category"), POLICIES, "nan_policy")
    tell = progress or (lambda stage, part: None)
    parent = generator(rng)
    sources = matched(as_source(x, "x", method), as_source(y, "y", method), columns)
    if method == "exact" and (kept := [s for s in sources if isinstance(s, Profile)]):
        raise DataError(
            f"method exact needs every value; {show(kept[0].source)} is a profile. Pass the table itself, or leave "
            "--method out (method= in Python)."
        )
    tables = [s.rows.table(s.source) if isinstance(s, Profile) else s for s in sources]
    if method == "profile" or any(isinstance(s, Profile) for s in sources):
        method = "profile"
        found = _profiles(*sources, policy, permutations, parent)
    else:
        method = "exact"
        found = _columns((tables[0], tables[1]), policy, permutations, parent, tell)
    together = None
    if joint:
        together = compare_jointly(
            tables[0],
            tables[1],
            rows=sample,
            complete=policy == "omit",
            permutations=permutations,
            rng=parent,
            progress=tell,
        )
    few = (FEW.format(permutations),) if joint and permutations < DECIDING else ()
    return Comparison(
        columns=adjust(found),
        together=together,
        warnings=(*_doubts(found), *(together.notes if together else ()), *few),
        meta=_meta(sources, rng, policy, method, together),
        reference=tables[0],
        current=tables[1],
    )


# ------------------------------------------------------------------------------------------------------ columns


def _columns(
    tables: tuple[Table, Table], policy: str, permutations: int, rng: np.random.Generator, tell: Progress
) -> list[ColumnComparison]:
    """Each column by itself, on all threads; each has its own random numbers, so that their number changes no bit."""
    x, y = tables
    names, rows = x.names, len(x) + len(y)
    shuffles = _enough(len(names), min(len(x), len(y)), rows, permutations)
    generators = rng.spawn(len(names))
    found: list[Any] = [None] * len(names)

    def one(start: int, stop: int) -> None:
        for k in range(start, stop):
            tell("columns", sum(f is not None for f in found) / len(names))
            if profiles := _of_many_words(x, y, names[k]):
                found[k] = _profiles(*profiles, policy, shuffles, generators[k])[0]
                continue
            a, b = aligned_columns(x.column(names[k]), y.column(names[k]), (x.source, y.source))
            a, b = (judged(column, policy, t.source) for column, t in ((a, x), (b, y)))
            found[k] = compare_column(a, b, permutations=shuffles, rng=generators[k])

    run_blocks(one, total=len(names), size=1 if rows <= AT_ONCE else len(names))
    return found


def _of_many_words(x: Table, y: Table, name: str) -> tuple[Profile, Profile] | None:
    """The profiles of a column of text that is on disk and has, as far as they tell, more than 2²⁰ words; else None."""
    sides = (x.select([name]), y.select([name]))
    if not any(isinstance(side, StoredTable) for side in sides) or any(s.kinds[name] != CATEGORY for s in sides):
        return None
    a, b = (Profile.of(side) for side in sides)
    kept = [p.columns[name] for p in (a, b)]
    words = [len(column.words) << column.level for column in kept if isinstance(column, CategoryProfile)]
    return (a, b) if max(words) > MANY else None


def judged(column: Column, policy: str, source: str) -> Column:
    """The column without its gaps under "omit"; refuses infinities, gaps under "raise", and what has nothing left."""
    where = f"{source!r}, column {column.name!r}"
    if column.measured and (infinite := np.flatnonzero(np.isinf(column.values))).size:
        raise DataError(
            f"{where} must be finite; row {infinite[0] + 1} is {column.values[infinite[0]]}. Remove that row."
        )
    if policy == "category" or not (gaps := column.missing).any():
        return column
    if policy == "raise":
        raise DataError(
            f"{where} must have no gaps; {gaps.sum()} of {len(gaps)} values are missing, the first in row "
            f"{np.argmax(gaps) + 1}. Fill them, or pass --nan-policy omit or category (nan_policy= in Python)."
        )
    if gaps.all():
        raise DataError(f"{where} has nothing left: all {len(gaps)} values are missing. Leave the column out.")
    return column.take(np.flatnonzero(~gaps))


def _enough(columns: int, smaller: int, labels: int, permutations: int) -> int:
    """Permutations enough that the smallest p-value survives adjustment for all columns, where that is affordable.

    Where the `smaller` sample has 1,000 values the bound of the tail takes over, and 999 are enough. Each permutation
    shuffles so many `labels`.
    """
    wanted = min(40 * columns - 1, 999) if smaller >= 1_000 else 40 * columns - 1
    return max(permutations, wanted) if wanted * columns * labels <= AFFORDABLE else permutations


def _doubts(found: list[ColumnComparison]) -> list[str]:
    """What the columns themselves have to say: each note once, with the columns that it is about."""
    about: dict[str, list[str]] = {}
    for column in found:
        gaps = column.missing_reference or column.missing_current
        constant = column.w1_sd == 0 and column.ks == 0 and column.null_95 == 0 and not gaps
        for note in (*column.notes, *((CONSTANT,) if constant else ())):
            about.setdefault(note, []).append(column.name)
    return [f"{_named(names)}: {note}" for note, names in about.items()]


def _named(names: list[str]) -> str:
    """Columns, in words: the first of many."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"column{'s' if len(names) > 1 else ''} {', '.join(map(show, names[:NAMED]))}{more}"


def _profiles(x: Source, y: Source, policy: str, permutations: int, rng: np.random.Generator) -> list[ColumnComparison]:
    """Each column by what is kept of it."""
    seeds = [int(seed) for seed in rng.integers(2**63, size=2)]
    sides = [s if isinstance(s, Profile) else Profile.of(s, seed=seed) for s, seed in zip((x, y), seeds, strict=True)]
    if policy != "category":
        sides = [_without_gaps(side, policy) for side in sides]
    shuffles = _enough(len(x.names), min(len(x), len(y)), 2 * 4096, permutations)
    return list(compare_profiles(*sides, permutations=shuffles, rng=rng).values())


def _without_gaps(profile: Profile, policy: str) -> Profile:
    """The profile as if its gaps were not there; under "raise" an error."""
    for name, column in profile.columns.items():
        if column.missing and policy == "raise":
            raise DataError(
                f"{profile.source!r}, column {name!r} must have no gaps; {column.missing} of {profile.n} values are "
                "missing. Pass --nan-policy omit or category (nan_policy= in Python)."
            )
        if not column.n:
            raise DataError(f"{profile.source!r}, column {name!r} has nothing left: all values are missing.")
    return replace(profile, columns={name: replace(c, missing=0) for name, c in profile.columns.items()})


def _meta(sources: Sequence[Source], rng: Any, policy: str, method: str, together: Joint | None) -> dict[str, Any]:
    """What was compared, and how; enough to do it again."""
    used = (None, None) if together is None else tuple(len(rows) for rows in together.rows_used)
    sides = {
        role: {"source": source.source, "rows": len(source), "joint_rows": rows}
        for role, source, rows in zip(("reference", "current"), sources, used, strict=True)
    }
    return {
        **sides,
        "direction": "reference first: p is the reference, q the current data; mean_shift is current - reference",
        "standardisation": "joint distances and w1_sd divide by the standard deviation of the pooled rows",
        "method": method,
        "permutations": {} if together is None else {name: e.permutations for name, e in together.entries.items()},
        "seed": int(rng) if isinstance(rng, Integral) else None,
        "nan_policy": policy,
        "intervals": "95%",
        "version": metadata.version("divergences"),
    }
