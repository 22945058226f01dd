"""Two tables made to mean the same by the same column: one kind, and one list of categories."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from divergences.errors import DataError
from divergences.files._table import BOOLEAN, CATEGORY, NUMBER, Column, Table, show


def aligned(x: Table, y: Table) -> tuple[Table, Table]:
    """The two tables with each column that both have of one kind, and its codes those of one list of categories.

    A column that is all missing takes the other's kind; a boolean beside a category becomes a category, beside numbers
    that are all 0 or 1 these become booleans. Columns that only one table has stay as they are.

    Raises `DataError` for any other two kinds, with the column, both kinds and the remedy.

    >>> x = Table((Column("colour", np.array([0, 1], np.int32), CATEGORY, ("blue", "red")),), "reference")
    >>> y = Table((Column("colour", np.array([0, -1], np.int32), CATEGORY, ("green",)),), "current")
    >>> [(table.columns[0].values.tolist(), table.columns[0].categories) for table in aligned(x, y)]
    [([0, 2], ('blue', 'green', 'red')), ([1, -1], ('blue', 'green', 'red'))]
    """
    ours, theirs = ({column.name: column for column in table.columns} for table in (x, y))
    for name in [name for name in ours if name in theirs]:
        ours[name], theirs[name] = aligned_columns(ours[name], theirs[name], (x.source, y.source))
    return Table(tuple(ours.values()), x.source), Table(tuple(theirs.values()), y.source)


def aligned_columns(x: Column, y: Column, sources: tuple[str, str] = ("x", "y")) -> tuple[Column, Column]:
    """Two columns of one name as `aligned` makes them."""
    if x.kind != y.kind:
        x, y = _of_one_kind(x, y, sources)
    if x.categories == y.categories:
        return x, y
    if x.kind == BOOLEAN:  # no and yes beside false and true
        return x, replace(y, categories=x.categories)
    union = tuple(sorted({*x.categories, *y.categories}))
    return recoded(x, union), recoded(y, union)


def recoded(column: Column, categories: Sequence[str]) -> Column:
    """The column with the codes of `categories`, which hold all of its own."""
    position = {word: k for k, word in enumerate(categories)}
    places = np.array([position[word] for word in column.categories] + [-1], np.int32)
    return replace(column, values=places[column.values], categories=tuple(categories))


def _of_one_kind(x: Column, y: Column, sources: tuple[str, str]) -> tuple[Column, Column]:
    kinds = {x.kind, y.kind}
    if x.missing.all():
        return _gaps(x, y), y
    if y.missing.all():
        return x, _gaps(y, x)
    if kinds == {BOOLEAN, CATEGORY}:
        return _widened(x, y), _widened(y, x)
    if kinds == {BOOLEAN, NUMBER} and all(c.kind == BOOLEAN or np.isin(c.present, (0.0, 1.0)).all() for c in (x, y)):
        return _switched(x, y), _switched(y, x)
    return _refuse(x, y, sources)


def _gaps(column: Column, like: Column) -> Column:
    """A column of nothing but gaps, of the kind of another."""
    values = np.full(len(column.values), np.nan) if like.measured else np.full(len(column.values), -1, np.int32)
    return replace(column, values=values, kind=like.kind, categories=like.categories)


def _widened(column: Column, other: Column) -> Column:
    """A boolean as a category, its words in the other's spelling: yes is the Yes of Yes, No and Maybe."""
    if column.kind == CATEGORY:
        return column
    spellings = [[word for word in other.categories if word.lower() == ours] for ours in column.categories]
    words = [found[0] if len(found) == 1 else ours for found, ours in zip(spellings, column.categories, strict=True)]
    return replace(column, kind=CATEGORY, categories=tuple(words))


def _switched(column: Column, other: Column) -> Column:
    """Numbers 0 and 1 as a boolean."""
    if column.kind == BOOLEAN:
        return column
    codes = np.where(column.missing, -1.0, column.values).astype(np.int32)
    return replace(column, values=codes, kind=BOOLEAN, categories=other.categories)


def _refuse(x: Column, y: Column, sources: tuple[str, str]) -> NoReturn:
    told = " and ".join(f"a {column.kind} in {show(source)}" for column, source in zip((x, y), sources, strict=True))
    remedy = (
        f"Read it as text in both with --categories {x.name}"
        if CATEGORY in (x.kind, y.kind)
        else "Write it alike in both, or leave it out with --columns"
    )
    keyword = "categories=" if CATEGORY in (x.kind, y.kind) else "columns="
    raise DataError(f"Column {show(x.name)} must be of one kind; it is {told}. {remedy} ({keyword} in Python).")
