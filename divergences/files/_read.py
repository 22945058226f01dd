"""The two ways in: a table, or one pass over it in batches."""

import os
import sys
from collections.abc import Collection, Iterator, Sequence

from divergences.errors import DataError, FileFormatError
from divergences.files._numpy import read_npy, read_npz
from divergences.files._other_stores import FolderStore, NumpyStore
from divergences.files._source import (
    MAX_BYTES,
    STANDARD_INPUT,
    Prefixed,
    Source,
    read_source,
    read_standard_input,
    require_size,
    unpacked,
)
from divergences.files._stored import StoredTable
from divergences.files._stores import FeatherStore, ParquetStore, Store, whole
from divergences.files._stream import text_batches
from divergences.files._table import BLOCK, CATEGORY, Table, show
from divergences.files._text import read_text, separator

WORD = 64  # bytes that a word takes, more or less
LAZY_BYTES = 2**28  # from this size on in memory, a table stays on disk where that is possible
TEXT = (".csv", ".txt", ".tsv", ".tab")
PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow", ".ipc")
SUFFIXES = (*TEXT, ".npy", ".npz", *PARQUET, *FEATHER)
PACKED = tuple(f"{suffix}.gz" for suffix in TEXT)
_MAGIC = {b"PAR1": ".parquet", b"ARROW1": ".feather", b"\x93NUMPY": ".npy", b"PK": ".npz", b"\x1f\x8b": ".csv.gz"}


def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    categories: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
    lazy: bool | None = None,
) -> Table:
    r"""Read the columns of a file, of a folder of Parquet or Feather files, or of standard input.

    Args:
        path: .csv, .tsv, .txt (also .gz), .npy, .npz, .parquet or .feather: the suffix decides the format. Of a folder
            all files are one table, in the order of their names. "-" is standard input, whose first bytes decide.
        columns: the columns to read, by name; the others are not judged. None reads all.
        delimiter: of a text file; by default a comma, or a tab in .tsv.
        categories: columns to read as text, whatever their cells look like: codes, identifiers.
        max_bytes: refuse files, and unpacked tables, beyond this; of a table that stays on disk, columns.
        lazy: whether a Parquet, Feather or .npy file stays on disk as a `StoredTable`, which reads its columns one at
            a time; None does so from 256 MiB on, at 8 bytes a number and 64 a word. Text and .npz are read whole.

    Raises:
        OSError: the file is missing, a pipe, a device, or may not be read.
        FileFormatError: the content is not what the suffix says.
        DataError: a column is missing or repeated, or a cell is not what the others of its column are; the file
            changed while it was read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "people.csv")
    ...     _ = path.write_text("age,height\n31,1.70\n27,NA\n")
    ...     read_table(path).values
    array([[31. ,  1.7],
           [27. ,  nan]])

    """
    name = os.fspath(path)
    separator(delimiter, "")
    try:
        if os.path.isdir(name):
            return _of_store(_folder(name, columns, categories), categories, lazy, max_bytes)
        source = read_standard_input(max_bytes) if name == STANDARD_INPUT else Source.of_file(name)
        suffix = _suffix(source)
        store = _store(source, suffix, columns, categories)
        if store is not None and (lazy or (lazy is None and _held(store) > LAZY_BYTES)):
            return StoredTable(store, categories=categories, max_bytes=max_bytes)
        require_size(source, max_bytes)
        if store is not None and suffix != ".npy":
            return _of_store(store, categories, False, max_bytes)
        data = read_source(source, max_bytes)
        source.check()
        if suffix == ".npy":
            return read_npy(data, source.name, columns, categories)
        if suffix == ".npz":
            return read_npz(data, source.name, columns, max_bytes, categories)
        if suffix in PACKED:
            data, suffix = unpacked(data, source.name, max_bytes), suffix.removesuffix(".gz")
        return read_text(data, source.name, columns, separator(delimiter, suffix), categories)
    except MemoryError:
        raise DataError(f"{show(name)} does not fit into memory. Read fewer columns with --columns.") from None


def batches(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    categories: Collection[str] = (),
    rows: int = BLOCK,
    max_bytes: int = MAX_BYTES,
) -> Iterator[Table]:
    r"""One pass over what `read_table` reads, in tables of at most so many rows; memory does not grow with the file.

    Kinds are those of the schema, or for text those of the first 2¹⁸ rows; a later cell of another kind is an error. A
    column of text that has only gaps there is a number until the first block with a value, which decides.
    Each batch has `categories` of its own. Only .npz, and standard input that is not text, are
    read whole.

    Raises what `read_table` raises.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "ages.csv")
    ...     _ = path.write_text("age\n31\n27\n45\n")
    ...     [batch.values.tolist() for batch in batches(path, rows=2)]
    [[[31.0], [27.0]], [[45.0]]]
    """
    name = os.fspath(path)
    separator(delimiter, "")
    if os.path.isdir(name):
        yield from StoredTable(_folder(name, columns, categories), categories=categories).batches(rows)
        return
    if name == STANDARD_INPUT:
        head = sys.stdin.buffer.read(6)
        suffix = _sniffed(head)
        if suffix in (".csv", ".csv.gz"):
            stream, packed, plain = Prefixed(head, sys.stdin.buffer), suffix == ".csv.gz", separator(delimiter, "")
            yield from text_batches(
                lambda: stream, "standard input", packed, columns, plain, categories, rows, again=False
            )
            return
        source = read_standard_input(max_bytes, head)
    else:
        source = Source.of_file(name)
        suffix = _suffix(source)
    if suffix in (*TEXT, *PACKED):
        plain = separator(delimiter, suffix.removesuffix(".gz"))
        yield from text_batches(source.open, source.name, suffix in PACKED, columns, plain, categories, rows)
        source.check()
        return
    store = _store(source, suffix, columns, categories)
    if store is not None:
        yield from StoredTable(store, categories=categories).batches(rows)
        return
    data = read_source(source, max_bytes)
    if suffix == ".npy":
        yield from read_npy(data, source.name, columns, categories).batches(rows)
    else:
        yield from read_npz(data, source.name, columns, max_bytes, categories).batches(rows)
    source.check()


def _suffix(source: Source) -> str:
    """What decides the format; of bytes at hand their beginning."""
    if source.data is not None:
        return _sniffed(source.data)
    name = source.name.lower()
    for suffix in (*SUFFIXES, *PACKED):
        if name.endswith(suffix):
            return suffix
    found = os.path.splitext(name)[1]
    raise FileFormatError(
        f"{show(source.name)} must end in one of {', '.join(SUFFIXES)}, or of text with .gz; got {found!r}."
    )


def _sniffed(head: bytes) -> str:
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), ".csv")


def _store(source: Source, suffix: str, columns: Sequence[str] | None, categories: Collection[str]) -> Store | None:
    """The file as columns that can be read one at a time, or None."""
    if suffix == ".npy" and source.data is None:
        return NumpyStore.open(source, columns, categories)
    if suffix in PARQUET:
        return _with_rows(ParquetStore.open(source, columns, categories))
    if suffix in FEATHER:
        return _with_rows(FeatherStore.open(source, columns, categories))
    return None


def _with_rows(store: Store) -> Store:
    if store.rows <= 0:
        raise DataError(f"{show(store.name)} must have rows and columns; got {store.rows} x {len(store.kinds)}.")
    return store


def _folder(name: str, columns: Sequence[str] | None, categories: Collection[str]) -> Store:
    first = next((entry for entry in sorted(os.listdir(name)) if entry[0] not in "._"), "")
    suffixes, kind = (FEATHER, FeatherStore) if first.lower().endswith(FEATHER) else (PARQUET, ParquetStore)
    reader = lambda path: kind.open(Source.of_file(path), columns, categories)
    return _with_rows(FolderStore.open(name, suffixes, reader))


def _held(store: Store) -> int:
    """Bytes in memory at most, more or less: all words of a text may differ."""
    return store.rows * sum(WORD if kind == CATEGORY else 8 for kind in store.kinds.values())


def _size(store: Store) -> int:
    return 8 * store.rows * len(store.kinds)


def _of_store(store: Store, categories: Collection[str], lazy: bool | None, max_bytes: int) -> Table:
    if lazy or (lazy is None and _held(store) > LAZY_BYTES):
        return StoredTable(store, categories=categories, max_bytes=max_bytes)
    if _size(store) > max_bytes:
        raise DataError(
            f"{show(store.name)} must unpack to at most {max_bytes:,} bytes; its columns take {_size(store):,}. "
            "Read fewer with --columns."
        )
    return Table(tuple(whole(store, name, name in categories, max_bytes) for name in store.kinds), store.name)
