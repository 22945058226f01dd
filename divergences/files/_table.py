"""The table every reader returns, and the judgements they share."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from divergences.errors import DataError

MAX_COLUMNS = 10_000
BLOCK = 2**18  # rows


NUMBER, DATE, BOOLEAN, CATEGORY = "number", "date", "boolean", "category"


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Attributes:
        name: of the column.
        values: (n,). Of a number or a date float64, NaN where a cell is missing, dates as seconds since 1970 (UTC); of
            a boolean or a category the codes, int32, of `categories`, -1 where a cell is missing.
        kind: "number", "date", "boolean" or "category".
        categories: what the codes stand for.

    >>> Column("colour", np.array([1, -1, 0], np.int32), CATEGORY, ("blue", "red")).missing
    array([False,  True, False])

    """

    name: str
    values: np.ndarray
    kind: str = NUMBER
    categories: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether differences between values mean something: numbers and dates."""
        return self.kind in (NUMBER, DATE)

    @property
    def missing(self) -> np.ndarray:
        """Which cells are missing, (n,)."""
        return np.isnan(self.values) if self.measured else self.values < 0

    @property
    def present(self) -> np.ndarray:
        """The values that are not missing."""
        return self.values[~self.missing]

    def take(self, rows: np.ndarray) -> "Column":
        """The column at the rows with these indices."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, and where they come from.

    >>> table = Table.numbers(("age",), np.array([[31.0], [27.0]]), "example")
    >>> len(table), table.column("age").values
    (2, array([31., 27.]))
    """

    columns: tuple[Column, ...]
    source: str

    @classmethod
    def numbers(cls, names: Sequence[str], values: np.ndarray, source: str) -> "Table":
        """The table of a matrix (n, d) of numbers, NaN where a cell is missing."""
        columns = zip(names, np.asfortranarray(values, dtype=np.float64).T, strict=True)
        return cls(tuple(Column(name, column) for name, column in columns), source)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.columns[0].values)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    @property
    def kinds(self) -> dict[str, str]:
        """Of the columns by name."""
        return {column.name: column.kind for column in self.columns}

    @property
    def values(self) -> np.ndarray:
        """The cells of a table of numbers, (n, d). Raises `DataError` for a column of another kind, and names it."""
        for column in self.columns:
            if column.kind != NUMBER:
                raise DataError(
                    f"{show(self.source)}: column {show(column.name)} must hold numbers; it is a {column.kind}"
                    f"{_example(column)}. Choose the numeric columns with --columns a,b (columns= in Python)."
                )
        return np.column_stack([column.values for column in self.columns])

    def column(self, name: str) -> Column:
        """One column. Raises `DataError` for an unknown name."""
        return self.columns[indices_of(self.names, [name], self.source)[0]]

    def take(self, rows: np.ndarray) -> "Table":
        """The rows with these indices."""
        return Table(tuple(column.take(rows) for column in self.columns), self.source)

    def select(self, columns: Sequence[str] | None) -> "Table":
        """The table with only `columns`, in their order; None keeps all. Unknown names raise `DataError`.

        >>> Table.numbers(("a", "b"), np.ones((2, 2)), "example").select(["b"]).names
        ('b',)
        """
        if columns is None:
            return self
        return Table(tuple(self.columns[i] for i in indices_of(self.names, columns, self.source)), self.source)

    def renamed(self, names: Sequence[str]) -> "Table":
        """The table with other names for its columns."""
        columns = (replace(column, name=name) for column, name in zip(self.columns, names, strict=True))
        return Table(tuple(columns), self.source)

    def batches(self, rows: int = BLOCK) -> Iterator["Table"]:
        """All rows in order, at most so many at a time.

        >>> [len(batch) for batch in Table.numbers(("a",), np.ones((5, 1)), "example").batches(2)]
        [2, 2, 1]
        """
        for start in range(0, len(self), rows):
            yield self.take(np.arange(start, min(start + rows, len(self))))


def category(name: str, codes: np.ndarray, words: Sequence[str]) -> Column:
    """The column of cells `words[codes]`, -1 where one is missing; its categories are the words in use, sorted.

    >>> category("colour", np.array([2, -1, 0]), ["red", "green", "blue"])
    Column(name='colour', values=array([ 0, -1,  1], dtype=int32), kind='category', categories=('blue', 'red'))
    """
    used = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(words))).tolist()
    kept = sorted({words[k] for k in used})
    position = {word: k for k, word in enumerate(kept)}
    places = np.full(len(words) + 1, -1, np.int32)  # the last one is where -1 looks
    places[used] = [position[words[k]] for k in used]
    return Column(name, places[codes], CATEGORY, tuple(kept))


def _example(column: Column) -> str:
    return f", with values such as {show(column.categories[0])}" if column.categories else ""


def show(value: Any, limit: int = 80) -> str:
    """`value` in quotes, with control characters spelled out; shortened in the middle, since paths end in the name.

    >>> show("a" * 50 + "/data.csv", limit=30)
    "'aaaaaaaaaa…aaaaaaaaaaa/data.csv'"
    """
    text = str(value)
    return repr(text if len(text) <= limit else f"{text[: limit // 3]}…{text[-(limit - limit // 3) :]}")


def indices_of(names: Sequence[str], columns: Iterable[str], source: str) -> list[int]:
    if isinstance(columns, str):
        raise DataError(f"columns must be a list of names; got the single text {columns!r}.")
    wanted = list(columns)
    if len(set(wanted)) != len(wanted) or not wanted:
        raise DataError(f"columns must be at least one name, each given once; got {wanted!r}.")
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{show(source)} has no column {show(name)}.{hint}")
    return [names.index(name) for name in wanted]


def check_names(names: Sequence[str], source: str) -> tuple[str, ...]:
    if len(names) > MAX_COLUMNS:
        raise DataError(f"{show(source)} must have at most {MAX_COLUMNS:,} columns; got {len(names):,}.")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{show(source)} has two columns named {show(name)}; rename one.")
        seen.add(name)
    return tuple(names)
