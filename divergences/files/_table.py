"""The table every reader returns, and the judgements they share."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from divergences.errors import DataError

MAX_COLUMNS = 10_000


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of numbers: `values` has shape (n, len(names)), float64, NaN where a cell is missing.

    >>> Table(("age",), np.array([[31.0], [27.0]]), "example").values.shape
    (2, 1)
    """

    names: tuple[str, ...]
    values: np.ndarray
    source: str

    def select(self, columns: Sequence[str] | None) -> "Table":
        """The table with only `columns`, in their order; None keeps all. Unknown names raise `DataError`.

        >>> Table(("a", "b"), np.ones((2, 2)), "example").select(["b"]).names
        ('b',)
        """
        if columns is None:
            return self
        indices = indices_of(self.names, columns, self.source)
        return Table(tuple(columns), self.values[:, indices], self.source)


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


def from_matrix(values: np.ndarray, source: str, columns: Sequence[str] | None = None) -> Table:
    """A table of a nameless array: its columns are column_1, column_2, ..."""
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise DataError(f"{show(source)} must hold an array of shape (n,) or (n, d), n, d >= 1; got {values.shape}.")
    values = np.array(values[:, None] if values.ndim == 1 else values, dtype=np.float64)
    names = check_names([f"column_{k + 1}" for k in range(values.shape[1])], source)
    return Table(names, values, source).select(columns)
