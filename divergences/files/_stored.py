"""A table whose columns are read when they are asked for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from divergences.errors import DataError
from divergences.files._conform import conformed
from divergences.files._source import MAX_BYTES
from divergences.files._stores import Store, whole
from divergences.files._table import BLOCK, CATEGORY, NUMBER, Column, Table, indices_of, show


class StoredTable(Table):
    """A `Table` that keeps its columns on disk and reads one at a time.

    Everything a `Table` does works, at the price of reading: `column(name)` reads that column, `take(rows)` returns
    the rows of all columns in memory. Neither is kept. A file that changes meanwhile is a `DataError`.
    """

    def __init__(
        self,
        store: Store,
        names: Mapping[str, str] | None = None,
        *,
        categories: Collection[str] = (),
        likes: Mapping[str, Column] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """The columns `names`, which maps what they are called here to what they are called there."""
        chosen = dict(names) if names is not None else {name: name for name in store.kinds}
        for name, value in (
            ("_store", store),
            ("_names", chosen),
            ("_categories", frozenset(categories)),
            ("_likes", dict(likes or {})),
            ("_max_bytes", max_bytes),
            ("source", store.name),
        ):
            object.__setattr__(self, name, value)

    _store: Store
    _names: dict[str, str]
    _categories: frozenset[str]  # as they are called there
    _likes: dict[str, Column]  # what columns are made to look like, by what they are called here
    _max_bytes: int

    def __len__(self) -> int:
        """The number of rows."""
        return self._store.rows

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in their order."""
        return tuple(self._names)

    @property
    def kinds(self) -> dict[str, str]:
        """Of the columns by name, known without reading them."""
        return {name: self._kind(name, there) for name, there in self._names.items()}

    @property
    def columns(self) -> Sequence[Column]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The columns, each read when it is looked at."""
        return _Columns(self)

    def column(self, name: str) -> Column:
        """One column, read now. Raises `DataError` for an unknown name, and for a file that has changed."""
        if name not in self._names:
            indices_of(self.names, [name], self.source)
        there = self._names[name]
        return self._finished(name, whole(self._store, there, there in self._categories, self._max_bytes))

    def take(self, rows: np.ndarray) -> Table:
        """The rows with these indices, in memory."""
        indices = np.asarray(rows)
        indices = np.flatnonzero(indices) if indices.dtype == bool else indices
        indices = np.where(indices < 0, indices + len(self), indices)
        if (
            indices.ndim != 1
            or indices.dtype.kind not in "iu"
            or (len(indices) and not 0 <= indices.min() <= indices.max() < len(self))
        ):
            raise DataError(f"{show(self.source)} has {len(self):,} rows; some of the indices are beyond.")
        ascending, places = np.unique(indices, return_inverse=True)
        found = self._store.take(list(self._names.values()), ascending, self._categories)
        columns = (self._finished(name, c.take(places)) for name, c in zip(self._names, found, strict=True))
        return Table(tuple(columns), self.source)

    def select(self, columns: Sequence[str] | None) -> "StoredTable":
        """The table with only `columns`, in their order; None keeps all. Nothing is read."""
        if columns is None:
            return self
        indices_of(self.names, columns, self.source)
        return self._with({name: self._names[name] for name in columns}, self._likes)

    def renamed(self, names: Sequence[str]) -> "StoredTable":
        """The table with other names for its columns. Nothing is read."""
        pairs = list(zip(self._names, names, strict=True))
        likes = {new: self._likes[old] for old, new in pairs if old in self._likes}
        return self._with({new: self._names[old] for old, new in pairs}, likes)

    def like(self, columns: Mapping[str, Column]) -> "StoredTable":
        """The table whose columns of these names get the kind and the codes of those given. Nothing is read."""
        return self._with(self._names, {**self._likes, **columns})

    def batches(self, rows: int = BLOCK) -> Iterator[Table]:
        """All rows in order, at most so many at a time. Each batch has categories of its own."""
        for block in self._store.blocks(list(self._names.values()), rows, self._categories):
            columns = (self._finished(name, column) for name, column in zip(self._names, block, strict=True))
            yield Table(tuple(columns), self.source)

    def _finished(self, name: str, column: Column) -> Column:
        named = replace(column, name=name)
        return conformed(named, self._likes[name]) if name in self._likes else named

    def _kind(self, name: str, there: str) -> str:
        if name in self._likes:
            return self._likes[name].kind
        return CATEGORY if there in self._categories else self._store.kinds[there] or NUMBER

    def _with(self, names: Mapping[str, str], likes: Mapping[str, Column]) -> "StoredTable":
        return StoredTable(self._store, names, categories=self._categories, likes=likes, max_bytes=self._max_bytes)


class _Columns(Sequence[Column]):
    """The columns of a table, each read when it is looked at."""

    def __init__(self, table: StoredTable) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table.names)

    @overload
    def __getitem__(self, index: int) -> Column: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Column, ...]: ...
    def __getitem__(self, index: int | slice) -> Column | tuple[Column, ...]:
        found = self._table.names[index]
        return self._table.column(found) if isinstance(found, str) else tuple(map(self._table.column, found))
