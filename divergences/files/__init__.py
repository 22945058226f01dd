"""Tables from files that nobody vouches for: CSV, TSV, NPY, NPZ and Parquet.

A file is read once into memory, below a size limit, and then judged: no reader here unpickles, evaluates,
follows a name out of an archive, or believes a size it has not compared with the bytes that are there.
Trouble with the file system is an `OSError`; trouble with the content is a `FileFormatError` or `DataError`
that names the file, the line, the column and the value.
"""

import errno
import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from divergences.errors import DataError, FileFormatError
from divergences.files._aligned import aligned, aligned_columns
from divergences.files._arrow import from_arrow, read_parquet
from divergences.files._columns import from_matrix
from divergences.files._numpy import MAX_RATIO, read_npy, read_npz
from divergences.files._table import Column, Table, show
from divergences.files._text import read_text

__all__ = [
    "MAX_BYTES",
    "MAX_RATIO",
    "SUFFIXES",
    "Column",
    "Table",
    "aligned",
    "aligned_columns",
    "from_arrow",
    "from_matrix",
    "read_bytes",
    "read_table",
    "show",
]

MAX_BYTES = 2 * 2**30
SUFFIXES = (".csv", ".txt", ".tsv", ".tab", ".npy", ".npz", ".parquet", ".pq")


def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    categories: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
) -> Table:
    r"""Read the columns of a .csv, .tsv, .txt, .npy, .npz or .parquet file.

    Args:
        path: a regular file; its suffix decides the format.
        columns: the columns to read, by name; the others are not judged. None reads all.
        delimiter: of a text file; by default a comma, or a tab in .tsv.
        categories: columns to read as text, whatever their cells look like: codes, identifiers.
        max_bytes: refuse files (and unpacked archives) beyond this.

    Raises:
        OSError: the file is missing, a folder, a pipe, a device, or may not be read.
        FileFormatError: the content is not what the suffix says.
        DataError: a column is missing or repeated, or a cell is not what the others of its column are.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "people.csv")
    ...     _ = path.write_text("age,height\n31,1.70\n27,NA\n")
    ...     read_table(path).values
    array([[31. ,  1.7],
           [27. ,  nan]])

    """
    source = os.fspath(path)
    _require_file(source)
    suffix = Path(source).suffix.lower()
    if suffix not in SUFFIXES:
        raise FileFormatError(f"{show(source)} must end in one of {', '.join(SUFFIXES)}; got {suffix!r}.")
    separator = delimiter or ("\t" if suffix in (".tsv", ".tab") else ",")
    if len(separator) != 1 or separator in '"\r\n' or not separator.isascii():
        raise DataError(f"delimiter must be one plain character, such as ';'; got {delimiter!r}.")
    data = _read_bytes(source, max_bytes)
    try:
        if suffix == ".npy":
            return read_npy(data, source, columns, categories)
        if suffix == ".npz":
            return read_npz(data, source, columns, max_bytes, categories)
        if suffix in (".parquet", ".pq"):
            return read_parquet(data, source, columns, max_bytes, categories)
        return read_text(data, source, columns, separator, categories)
    except MemoryError:
        raise DataError(f"{show(source)} does not fit into memory.") from None


def read_bytes(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file that is not empty. Raises what `read_table` raises before it looks inside."""
    source = os.fspath(path)
    _require_file(source)
    return _read_bytes(source, max_bytes)


def _require_file(source: str) -> None:
    mode = os.stat(source).st_mode  # before opening: opening a pipe would wait for a writer
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file in it", source)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is a pipe or device; save its content to a regular file first", source)


def _read_bytes(source: str, max_bytes: int) -> bytes:
    with open(source, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise DataError(
            f"{show(source)} must be at most {max_bytes:,} bytes; it is larger. Raise max_bytes or split it."
        )
    if not data:
        raise FileFormatError(f"{show(source)} is empty.")
    return data
