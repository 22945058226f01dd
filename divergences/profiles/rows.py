"""A uniform sample of rows: those of smallest priority, a pseudo-random function of the seed, the part and the row."""

from dataclasses import dataclass

import numpy as np

from divergences.files import Column, Table
from divergences.files._table import CATEGORY, category
from divergences.profiles._hashing import priorities, shortened, text_hash

ROWS = 500


@dataclass(frozen=True, eq=False)
class RowSample:
    """At most 500 rows without replacement, in the order of their priorities.

    Which rows are kept depends on the labels of the parts and the numbers of the rows in them, and on nothing else:
    parts that are sampled apart and merged keep what one pass over all of them keeps.

    Attributes:
        priority, label, row: (k,); uint64, the hash of the part's label and the number of the row in its part.
        columns: the rows themselves.

    """

    priority: np.ndarray
    label: np.ndarray
    row: np.ndarray
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, table: Table, label: str, first: int, seed: int, below: int | None = None) -> "RowSample":
        """The sample of a table whose first row has the number `first` in its part.

        `below` is a priority that rows must not exceed to be of use: that of the last of 500 others.
        """
        hashed = text_hash(label)
        priority = priorities(first, len(table), hashed, seed)
        chosen = np.arange(len(table)) if below is None else np.flatnonzero(priority <= np.uint64(below))
        if len(chosen) > ROWS:
            chosen = chosen[np.argpartition(priority[chosen], ROWS - 1)[:ROWS]]
        order = chosen[np.argsort(priority[chosen])]
        return cls(
            priority[order],
            np.full(len(order), hashed, np.uint64),
            order.astype(np.int64) + first,
            tuple(_tidy(column.take(order)) for column in table.columns),
        )

    @property
    def full(self) -> bool:
        """Whether rows may have been left out."""
        return len(self.priority) == ROWS

    def table(self, source: str) -> Table:
        """The rows as a table."""
        return Table(self.columns, source)


def merge(a: RowSample, b: RowSample) -> RowSample:
    """The sample of the rows of both, whose columns have the same names and kinds."""
    priority, label, row = (np.concatenate([getattr(p, name) for p in (a, b)]) for name in ("priority", "label", "row"))
    order = np.lexsort((row, label, priority))[:ROWS]
    columns = tuple(_joined(x, y, order) for x, y in zip(a.columns, b.columns, strict=True))
    return RowSample(priority[order], label[order], row[order], columns)


def _joined(x: Column, y: Column, order: np.ndarray) -> Column:
    if x.measured:
        return Column(x.name, np.concatenate([x.values, y.values])[order], x.kind)
    codes = np.concatenate([x.values, np.where(y.values < 0, -1, y.values + len(x.categories))])[order]
    return _renamed(category(x.name, codes.astype(np.int32), x.categories + y.categories), x.kind)


def _tidy(column: Column) -> Column:
    """Words shortened and sorted, only those in use; zeros without a sign; one NaN."""
    if column.measured:
        return Column(column.name, np.where(np.isnan(column.values), np.nan, column.values) + 0.0, column.kind)
    words = column.categories
    used = np.unique(column.values[column.values >= 0])
    codes = np.where(column.values < 0, -1, np.searchsorted(used, column.values)).astype(np.int32)
    return _renamed(category(column.name, codes, [shortened(words[k]) for k in used.tolist()]), column.kind)


def _renamed(column: Column, kind: str) -> Column:
    return column if kind == CATEGORY else Column(column.name, column.values, kind, column.categories)
