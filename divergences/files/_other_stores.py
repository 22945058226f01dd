"""NPY files of which a part is read at a time, and folders of Parquet or Feather files as one table."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files._arrow import require_columns
from divergences.files._columns import array_column, matrix_names
from divergences.files._numpy import MAX_HEADER, Layout, layout
from divergences.files._source import Source, require_file
from divergences.files._stores import Store, joined
from divergences.files._table import BLOCK, CATEGORY, DATE, NUMBER, Column, indices_of, show

AT_ONCE = 2**21  # bytes: what the caches of a processor hold


@dataclass(frozen=True, eq=False)
class NumpyStore:
    """A .npy file. It is read in pieces and not mapped: a file that shrinks under a map kills the process."""

    source: Source
    layout: Layout
    places: dict[str, int]  # of the columns in the array
    kinds: dict[str, str | None]

    @classmethod
    def open(
        cls, source: Source, columns: Sequence[str] | None = None, categories: Collection[str] = ()
    ) -> "NumpyStore":
        """The file. Raises `FileFormatError` where its header does not fit its size."""
        with source.open() as file:
            found = layout(file.read(MAX_HEADER + 12), source.size, show(source.name))
        records = found.dtype.names
        if len(found.shape) not in ((1,) if records else (1, 2)) or 0 in found.shape:
            raise DataError(f"{show(source.name)} must hold an array of shape (n,) or (n, d); got {found.shape}.")
        names = records or matrix_names((*found.shape, 1)[1], source.name)
        require_columns(names, categories, source.name)
        wanted = range(len(names)) if columns is None else indices_of(names, columns, source.name)
        places = {names[k]: k for k in wanted}
        dtypes = {name: found.dtype[k] if records else found.dtype for name, k in places.items()}
        kinds: dict[str, str | None] = {
            name: {"U": CATEGORY, "M": DATE}.get(dtype.kind, NUMBER) for name, dtype in dtypes.items()
        }
        return cls(source, found, places, kinds)

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def rows(self) -> int:
        return self.layout.shape[0]

    def blocks(
        self, names: Sequence[str], rows: int = BLOCK, categories: Collection[str] = ()
    ) -> Iterator[list[Column]]:
        for start in range(0, self.rows, rows):
            yield self._columns(names, slice(start, min(start + rows, self.rows)), categories)

    def take(self, names: Sequence[str], rows: np.ndarray, categories: Collection[str] = ()) -> list[Column]:
        return self._columns(names, rows, categories)

    def _columns(self, names: Sequence[str], rows: slice | np.ndarray, categories: Collection[str]) -> list[Column]:
        places = [self.places[name] for name in names]
        with open(self.name, "rb", buffering=0) as file:
            if self.layout.fortran and len(self.layout.shape) == 2:  # columns lie one after the other
                cells = [self._cells(file.fileno(), [0], _moved(rows, place * self.rows), 1)[0] for place in places]
            else:
                width = 1 if self.layout.dtype.names else (*self.layout.shape, 1)[1]
                cells = self._cells(file.fileno(), places, rows, width)
        self.source.check()
        pairs = zip(names, cells, strict=True)
        return [array_column(name, found, self.name, name in categories) for name, found in pairs]

    def _cells(self, file: int, places: list[int], rows: slice | np.ndarray, width: int) -> list[np.ndarray]:
        """Of rows of so many cells, or of records, those at some places."""
        names, dtype = self.layout.dtype.names, self.layout.dtype
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        cells = [np.empty(count, dtype[place] if names else dtype) for place in places]
        start = 0
        for block in self._read(file, rows, width):
            stop = start + len(block)
            for found, place in zip(cells, places, strict=True):
                found[start:stop] = block[:, 0][names[place]] if names else block[:, place]
            start = stop
        return cells

    def _read(self, file: int, rows: slice | np.ndarray, width: int) -> Iterator[np.ndarray]:
        """Rows of so many cells, some at a time, each time in the same memory: a slice, or one by one."""
        size = width * self.layout.dtype.itemsize
        buffer = memoryview(bytearray(max(size, AT_ONCE // size * size if isinstance(rows, slice) else 0)))
        step = len(buffer) // size
        if isinstance(rows, slice):
            spans = ((start, min(step, rows.stop - start)) for start in range(rows.start, rows.stop, step))
        else:
            spans = ((row, 1) for row in rows.tolist())
        for start, count in spans:
            part = buffer[: count * size]
            if os.preadv(file, [part], self.layout.offset + start * size) != len(part):
                self.source.check()
                raise FileFormatError(f"{show(self.name)} ends early: it is truncated.")
            yield np.frombuffer(part, self.layout.dtype).reshape(count, width)


def _moved(rows: slice | np.ndarray, by: int) -> slice | np.ndarray:
    return slice(rows.start + by, rows.stop + by) if isinstance(rows, slice) else rows + by


@dataclass(frozen=True, eq=False)
class FolderStore:
    """Files with the same columns, one after the other."""

    name: str
    parts: tuple[Store, ...]
    kinds: dict[str, str | None]

    @classmethod
    def open(cls, folder: str, suffixes: Sequence[str], reader: Callable[[str], Store]) -> "FolderStore":
        """The files of the folder in the order of their names, without those that begin with a dot or a line.

        Raises `DataError` for any other file or folder, and for columns that differ, and names the file.
        """
        paths = sorted(path for path in Path(folder).iterdir() if path.name[0] not in "._")
        if not paths:
            raise DataError(f"{show(folder)} must hold files that end in one of {', '.join(suffixes)}; it has none.")
        for path in paths:
            if path.suffix.lower() not in suffixes:
                raise DataError(
                    f"{show(folder)} must hold only files that end in one of {', '.join(suffixes)}; it has "
                    f"{show(path.name)}. Move it elsewhere."
                )
            require_file(os.fspath(path))
        parts = tuple(reader(os.fspath(path)) for path in paths)
        kinds = dict(parts[0].kinds)
        for part in parts:
            _require_same(kinds, part, parts[0].name)
            kinds |= {name: kind for name, kind in part.kinds.items() if kind is not None}
        return cls(folder, parts, kinds)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    def blocks(
        self, names: Sequence[str], rows: int = BLOCK, categories: Collection[str] = ()
    ) -> Iterator[list[Column]]:
        for part in self.parts:
            for block in part.blocks(names, rows, categories):
                yield [self._whole([column], len(column.values), categories) for column in block]

    def take(self, names: Sequence[str], rows: np.ndarray, categories: Collection[str] = ()) -> list[Column]:
        start, found = 0, []
        for part in self.parts:
            first, last = np.searchsorted(rows, [start, start + part.rows])
            if last > first:
                found.append(part.take(names, rows[first:last] - start, categories))
            start += part.rows
        found = found or [self.parts[0].take(names, rows, categories)]
        return [self._whole(list(columns), len(rows), categories) for columns in zip(*found, strict=True)]

    def _whole(self, columns: Sequence[Column], rows: int, categories: Collection[str]) -> Column:
        name = columns[0].name
        kind = CATEGORY if name in categories else self.kinds[name] or NUMBER
        if len(columns) == 1 and columns[0].kind == kind:
            return columns[0]
        return joined(name, columns, rows, kind, self.name)


def _require_same(kinds: dict[str, str | None], part: Store, first: str) -> None:
    odd = sorted(set(kinds) ^ set(part.kinds))
    if odd:
        raise DataError(
            f"{show(part.name)} must have the columns of {show(first)}; column {show(odd[0])} is "
            f"{'only' if odd[0] in part.kinds else 'not'} in it. Choose those that all files have with --columns."
        )
    for name, kind in part.kinds.items():
        if kind is not None and kinds[name] not in (None, kind):
            raise DataError(
                f"{show(part.name)} must have the columns of {show(first)}; column {show(name)} is a {kind} in it and "
                f"a {kinds[name]} elsewhere. Convert it, or choose other columns with --columns."
            )
