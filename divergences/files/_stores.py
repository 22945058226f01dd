"""Tables that stay on disk: Parquet and Feather files of which one column, or some rows, are read at a time."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files._arrow import arrow_column, arrow_kind, hidden, require_columns
from divergences.files._source import Source
from divergences.files._table import BLOCK, BOOLEAN, CATEGORY, NUMBER, Column, category, check_names, indices_of, show


class Store(Protocol):
    """Columns somewhere, of which nothing has been read but names, kinds and the number of rows.

    Attributes:
        name: where.
        rows: how many.
        kinds: by the name of the column; None where a column has only gaps.

    """

    @property
    def name(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def kinds(self) -> dict[str, str | None]: ...

    def blocks(
        self, names: Sequence[str], rows: int = BLOCK, categories: Collection[str] = ()
    ) -> Iterator[list[Column]]:
        """All rows of the columns in order, at most so many at a time."""
        ...

    def take(self, names: Sequence[str], rows: np.ndarray, categories: Collection[str] = ()) -> list[Column]:
        """The rows with these ascending indices, each once."""
        ...


def whole(store: Store, name: str, forced: bool, max_bytes: int) -> Column:
    """One column in full. Raises `DataError` before it allocates more than allowed."""
    if 8 * store.rows > max_bytes:
        raise DataError(
            f"{show(store.name)}: column {show(name)} must take at most {max_bytes:,} bytes; its {store.rows:,} rows "
            f"take {8 * store.rows:,}. Raise max_bytes, or read it in batches."
        )
    kind = CATEGORY if forced else store.kinds[name] or NUMBER
    blocks = store.blocks([name], categories=[name] if forced else [])
    return joined(name, (block[0] for block in blocks), store.rows, kind, store.name)


def joined(name: str, parts: Iterable[Column], rows: int, kind: str, source: str) -> Column:
    """The column of `rows` cells that its consecutive parts make; a part of another kind has only gaps."""
    measured = kind not in (BOOLEAN, CATEGORY)
    values = np.empty(rows, np.float64 if measured else np.int32)  # not touched before there is something to write
    words: dict[str, int] = {}
    stop = 0
    for part in parts:
        start, stop = stop, stop + len(part.values)
        if stop > rows:
            break
        if part.kind != kind:
            values[start:stop] = np.nan if measured else -1
        elif kind == CATEGORY:
            places = np.array([words.setdefault(word, len(words)) for word in part.categories] + [-1], np.int32)
            values[start:stop] = places[part.values]
        else:
            values[start:stop] = part.values
    if stop != rows:
        raise FileFormatError(f"{show(source)} promises {rows:,} rows of {show(name)} and has {stop:,}: it is damaged.")
    if kind == CATEGORY:
        return category(name, values, list(words))
    return Column(name, values, kind, ("false", "true") if kind == BOOLEAN else ())


@dataclass(frozen=True, eq=False)
class ParquetStore:
    """A Parquet file. Text is read as dictionaries, so that a value that is repeated is stored once."""

    source: Source
    metadata: Any
    kinds: dict[str, str | None]

    @classmethod
    def open(
        cls, source: Source, columns: Sequence[str] | None = None, categories: Collection[str] = ()
    ) -> "ParquetStore":
        """The file; only the kinds of `columns` are judged. Raises `FileFormatError` for anything else."""
        import pyarrow.parquet as parquet

        with source.reading("Parquet"), source.arrow() as file:
            found = parquet.ParquetFile(file)
            return cls(source, found.metadata, _kinds(found.schema_arrow, source.name, columns, categories))

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def rows(self) -> int:
        return self.metadata.num_rows

    def _file(self, file: Any) -> Any:
        import pyarrow.parquet as parquet

        texts = [name for name, kind in self.kinds.items() if kind == CATEGORY]
        # Read as it comes, in small pieces: otherwise Arrow fetches a row group, or the file, at once.
        return parquet.ParquetFile(
            file,
            metadata=self.metadata,
            page_checksum_verification=True,
            read_dictionary=texts,
            pre_buffer=False,
            buffer_size=1 << 20,
        )

    def blocks(
        self, names: Sequence[str], rows: int = BLOCK, categories: Collection[str] = ()
    ) -> Iterator[list[Column]]:
        with self.source.reading("Parquet"), self.source.arrow() as file:
            seen = 0
            for batch in self._file(file).iter_batches(rows, columns=list(names), use_threads=len(names) > 1):
                seen += batch.num_rows
                yield _columns(batch, names, self.name, categories)
            if seen != self.rows:
                raise FileFormatError(f"{show(self.name)} promises {self.rows:,} rows and has {seen:,}: it is damaged.")

    def take(self, names: Sequence[str], rows: np.ndarray, categories: Collection[str] = ()) -> list[Column]:
        counts = [self.metadata.row_group(k).num_rows for k in range(self.metadata.num_row_groups)]
        with self.source.reading("Parquet"), self.source.arrow() as opened:
            file = self._file(opened)
            groups = list(_spread(rows, counts))

            def pieces(name: str) -> Iterator[Column]:
                for k, wanted in groups:
                    batches = file.iter_batches(BLOCK, row_groups=[k], columns=[name], use_threads=False)
                    yield from _picked(batches, wanted, name, self.name, name in categories)

            return [_put_together(name, pieces(name), len(rows), self, categories) for name in names]


@dataclass(frozen=True, eq=False)
class FeatherStore:
    """A Feather (Arrow IPC) file."""

    source: Source
    fields: tuple[str, ...]
    counts: tuple[int, ...]  # rows of each batch
    kinds: dict[str, str | None]

    @classmethod
    def open(
        cls, source: Source, columns: Sequence[str] | None = None, categories: Collection[str] = ()
    ) -> "FeatherStore":
        """The file; only the kinds of `columns` are judged. Raises `FileFormatError` for anything else."""
        import pyarrow as pa

        with source.reading("Feather"):
            with source.arrow() as file:
                schema = pa.ipc.open_file(file).schema
            kinds = _kinds(schema, source.name, columns, categories)
            store = cls(source, tuple(schema.names), (), kinds)
            counts = tuple(batch.num_rows for batch in store._batches(list(kinds)[:1]))
        return cls(source, store.fields, counts, kinds)

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def rows(self) -> int:
        return sum(self.counts)

    def _batches(self, names: Sequence[str], picked: Iterable[int] | None = None) -> Iterator[Any]:
        import pyarrow as pa

        fields = sorted(self.fields.index(name) for name in names)
        with self.source.reading("Feather"), self.source.arrow() as file:
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False))
            for k in range(reader.num_record_batches) if picked is None else picked:
                batch = reader.get_batch(k)
                batch.validate(full=True)  # offsets and codes beyond their arrays would be read as they stand
                yield batch

    def blocks(
        self, names: Sequence[str], rows: int = BLOCK, categories: Collection[str] = ()
    ) -> Iterator[list[Column]]:
        for batch in self._batches(names):
            for start in range(0, batch.num_rows, rows):
                yield _columns(batch.slice(start, rows), names, self.name, categories)

    def take(self, names: Sequence[str], rows: np.ndarray, categories: Collection[str] = ()) -> list[Column]:
        groups = list(_spread(rows, self.counts))

        def pieces(name: str) -> Iterator[Column]:
            batches = self._batches([name], [k for k, _ in groups])
            for (_, wanted), batch in zip(groups, batches, strict=True):
                yield from _picked([batch], wanted, name, self.name, name in categories)

        return [_put_together(name, pieces(name), len(rows), self, categories) for name in names]


def _kinds(
    schema: Any, source: str, columns: Sequence[str] | None, categories: Collection[str]
) -> dict[str, str | None]:
    """The kinds of the columns that are wanted."""
    names = check_names(schema.names, source)
    require_columns(names, categories, source)
    wanted = [name for name in names if not hidden(name)]
    if columns is not None:
        wanted = [names[k] for k in indices_of(names, columns, source)]
    if not wanted:
        raise FileFormatError(f"{show(source)} has no columns.")
    return {name: arrow_kind(schema.field(name).type, name, source) for name in wanted}


def _columns(batch: Any, names: Sequence[str], source: str, categories: Collection[str]) -> list[Column]:
    return [_column(batch, name, source, name in categories) for name in names]


def _column(batch: Any, name: str, source: str, forced: bool) -> Column:
    return arrow_column(name, batch.column(batch.schema.get_field_index(name)), source, forced)


def _spread(rows: np.ndarray, counts: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """The groups that hold some of the rows, with the rows' places in them."""
    ends = np.cumsum(counts)
    cuts = np.searchsorted(rows, ends)
    for k in np.flatnonzero(np.diff(cuts, prepend=0)).tolist():
        start = int(cuts[k - 1]) if k else 0
        yield k, rows[start : cuts[k]] - (ends[k] - counts[k])


def _picked(batches: Iterable[Any], wanted: np.ndarray, name: str, source: str, forced: bool) -> Iterator[Column]:
    """The wanted rows of consecutive batches."""
    import pyarrow as pa

    start = 0
    for batch in batches:
        first, last = np.searchsorted(wanted, [start, start + batch.num_rows])
        if last > first:
            yield _column(batch.take(pa.array(wanted[first:last] - start)), name, source, forced)
        start += batch.num_rows


def _put_together(name: str, pieces: Iterable[Column], rows: int, store: Store, categories: Collection[str]) -> Column:
    kind = CATEGORY if name in categories else store.kinds[name] or NUMBER
    return joined(name, pieces, rows, kind, store.name)
