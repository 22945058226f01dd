"""Two tables made to mean the same by the same column: one kind, and one list of categories."""

from dataclasses import replace
from typing import NoReturn

import numpy as np

from divergences.errors import DataError
from divergences.files._conform import gaps_like, recoded, switched, widened
from divergences.files._stored import StoredTable
from divergences.files._table import BOOLEAN, CATEGORY, DATE, NUMBER, Column, Table, show


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
    if isinstance(x, StoredTable) or isinstance(y, StoredTable):
        return _aligned_where_they_lie(x, y)
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


def _aligned_where_they_lie(x: Table, y: Table) -> tuple[Table, Table]:
    """The same for tables on disk: columns whose kind says too little are read once to see what they become."""
    changes: tuple[dict[str, Column], dict[str, Column]] = ({}, {})
    theirs = y.kinds
    for name, kind in x.kinds.items():
        if name not in theirs or (kind == theirs[name] and kind in (NUMBER, DATE)):
            continue
        pair = aligned_columns(x.column(name), y.column(name), (x.source, y.source))
        for side, table, column in zip(changes, (x, y), pair, strict=True):
            side[name] = column.take(np.arange(0)) if isinstance(table, StoredTable) else column
    return _with(x, changes[0]), _with(y, changes[1])


def _with(table: Table, changes: dict[str, Column]) -> Table:
    if isinstance(table, StoredTable):
        return table.like(changes)
    return Table(tuple(changes.get(column.name, column) for column in table.columns), table.source)


def _of_one_kind(x: Column, y: Column, sources: tuple[str, str]) -> tuple[Column, Column]:
    kinds = {x.kind, y.kind}
    if x.missing.all():
        return gaps_like(x, y), y
    if y.missing.all():
        return x, gaps_like(y, x)
    if kinds == {BOOLEAN, CATEGORY}:
        return widened(x, y), widened(y, x)
    if kinds == {BOOLEAN, NUMBER} and all(c.kind == BOOLEAN or np.isin(c.present, (0.0, 1.0)).all() for c in (x, y)):
        return switched(x, y), switched(y, x)
    return _refuse(x, y, sources)


def _refuse(x: Column, y: Column, sources: tuple[str, str]) -> NoReturn:
    told = " and ".join(f"a {column.kind} in {show(source)}" for column, source in zip((x, y), sources, strict=True))
    remedy = (
        f"Read it as text in both with --categories {x.name}"
        if CATEGORY in (x.kind, y.kind)
        else "Write it alike in both, or leave it out with --columns"
    )
    keyword = "categories= of read_table" if CATEGORY in (x.kind, y.kind) else "columns="
    raise DataError(f"Column {show(x.name)} must be of one kind; it is {told}. {remedy} ({keyword} in Python).")
