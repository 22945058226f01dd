"""One column at a time: distances, divergences and a test, for numbers, dates, booleans and categories.

A column becomes counts: the steps of two distribution functions, or the rows of a table of categories. `walk` gives
what needs no randomness, `binned` the divergences of the binned laws, `numeric` and `categorical` the tests. What is
missing is compared by a test of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from divergences.errors import DataError
from divergences.files import Column
from divergences.samples.columns import categorical, numeric
from divergences.samples.comparison import ColumnComparison
from divergences.samples.permutation import benjamini_hochberg

FEW = 30  # values on a side, below which intervals are rough
__all__ = ["adjust", "compare_column", "compare_counts", "deviation"]


def compare_column(x: Column, y: Column, *, permutations: int, rng: np.random.Generator) -> ColumnComparison:
    """The comparison of one column of the reference with the same column of the current table.

    The p-value is that of the values; where either side has gaps, twice the smaller of it and of the p-value of the
    shares of gaps (at most 1); where a side has no value, that of the gaps alone. It is not yet adjusted for the number
    of columns: see `adjust`.

    Args:
        x, y: of one kind, with the same categories.
        permutations: drawn at most; fewer where it is soon clear that the difference is small.
        rng: draws permutations and bootstrap replicates.

    Raises:
        DataError: kinds or categories that differ, infinite values, or a span beyond the floats.

    >>> x, y = Column("age", np.array([31.0, 35.0, 40.0])), Column("age", np.array([41.0, 45.0, np.nan]))
    >>> found = compare_column(x, y, permutations=99, rng=np.random.default_rng(0))
    >>> found.w1, found.m, found.missing_current, found.superiority
    (7.67, 2, 0.333, 1.0)

    """
    if x.kind != y.kind or x.categories != y.categories:
        raise DataError(
            f"Column {x.name!r} must be of one kind with the same categories on both sides; got {_said(x)} and "
            f"{_said(y)}. Pass the tables through `aligned`."
        )
    gaps_x, gaps_y = x.missing, y.missing
    missing = int(gaps_x.sum()), int(gaps_y.sum())
    a, b = (c.values[~gaps] if k else c.values for c, gaps, k in zip((x, y), (gaps_x, gaps_y), missing, strict=True))
    if 0 in (len(a), len(b)):
        fields: dict[str, Any] = {}
    elif x.measured:
        fields = numeric.of_samples(x.name, x.kind, a, b, permutations, rng)
    else:
        counts_x, counts_y = (np.bincount(codes, minlength=len(x.categories)) for codes in (a, b))
        fields = categorical.of_counts(x.categories, counts_x, counts_y, permutations, rng)
    return _told(x.name, x.kind, (len(a), len(b)), missing, fields)


def compare_counts(
    name: str,
    values: np.ndarray | Sequence[str],
    counts_x: np.ndarray,
    counts_y: np.ndarray,
    *,
    kind: str = "number",
    missing: tuple[int, int] = (0, 0),
    permutations: int,
    rng: np.random.Generator,
) -> ColumnComparison:
    """As `compare_column`, from how often each value occurs: what profiles know.

    Args:
        name, kind: of the column.
        values: (k,) rising numbers, or the names of k categories.
        counts_x, counts_y: (k,) whole numbers; a value may be absent from both.
        missing: how many cells of each side are empty.
        permutations, rng: as there.

    >>> found = compare_counts("age", np.array([31.0, 35.0, 41.0]), np.array([1, 2, 0]), np.array([0, 1, 1]),
    ...                        permutations=99, rng=np.random.default_rng(0))
    >>> found.w1, found.n, found.ks
    (4.333, 3, 0.5)

    """
    x, y = (np.asarray(counts, np.int64) for counts in (counts_x, counts_y))
    n, m = int(x.sum()), int(y.sum())
    if 0 in (n, m):
        fields: dict[str, Any] = {}
    elif kind in ("number", "date"):
        places, used = np.asarray(values, np.float64), (x + y) > 0
        if not (np.diff(places) > 0).all():
            raise DataError(f"The values of column {name!r} must rise, each given once. Sort them and add up counts.")
        fields = numeric.of_counts(name, kind, places[used], x[used], y[used], permutations, rng)
    else:
        fields = categorical.of_counts(list(values), x, y, permutations, rng)
    return _told(name, kind, (n, m), missing, fields)


def adjust(columns: Iterable[ColumnComparison]) -> dict[str, ColumnComparison]:
    """The columns by name, with p-values adjusted for their number."""
    columns = list(columns)
    adjusted = benjamini_hochberg(np.array([column.pvalue for column in columns]))
    return {c.name: replace(c, pvalue_adjusted=float(p)) for c, p in zip(columns, adjusted, strict=True)}


def deviation(values: np.ndarray) -> np.ndarray:
    """The standard deviation of each column (or of a vector) at any scale: no square overflows or vanishes."""
    values = values - values.mean(axis=0)
    peak = np.max(np.abs(values), axis=0)
    unit = np.where(peak > 0, peak, 1.0)
    return unit * np.std(values / unit, axis=0)


def _told(
    name: str, kind: str, present: tuple[int, int], missing: tuple[int, int], fields: dict[str, Any]
) -> ColumnComparison:
    """The column with its gaps: their shares, and their part in the p-value."""
    rows = tuple(p + g for p, g in zip(present, missing, strict=True))
    p, test = fields.pop("pvalue", None), fields.pop("test", "")
    notes = list(fields.pop("notes", ()))
    if any(missing) and all(rows):
        gaps = categorical.share_test(missing[0], rows[0], missing[1], rows[1])
        if p is None:
            p, test = gaps, "shares of gaps only"
        else:
            p, test = min(1.0, 2 * min(p, gaps)), f"{test}; and of the shares of gaps: twice the smaller p-value"
    if 0 in present:
        sides = " and ".join(side for side, k in zip(("reference", "current data"), present, strict=True) if k == 0)
        notes.append(f"no value in the {sides}: only the gaps are compared")
    if 0 < min(present) < FEW:
        notes.append(f"fewer than {FEW} values on a side: intervals are rough, and only large differences show")
    p = 1.0 if p is None else p
    return ColumnComparison(
        name=name,
        kind=kind,
        n=present[0],
        m=present[1],
        pvalue=p,
        test=test or "none: nothing to compare",
        pvalue_adjusted=p,
        missing_reference=missing[0] / rows[0] if rows[0] else 0.0,
        missing_current=missing[1] / rows[1] if rows[1] else 0.0,
        notes=tuple(notes),
        **fields,
    )


def _said(column: Column) -> str:
    return f"{column.kind} of {len(column.categories)} categories" if column.categories else f"a {column.kind}"
