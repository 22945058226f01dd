"""Where bytes come from: a regular file that stays as it is while it is read, standard input, or gzip in either."""

import errno
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from divergences.errors import DataError, FileFormatError
from divergences.files._table import show

MAX_BYTES = 2 * 2**30
GZIP_RATIO = 250  # unpacked to packed; gzip reaches 1030
HARMLESS = 2**26  # bytes that anything may unpack to: short tables of equal rows are honest
STANDARD_INPUT = "-"
PIECE = 1 << 22  # bytes


@dataclass(frozen=True)
class Source:
    """The bytes of a file, or bytes at hand.

    Attributes:
        name: the path, or what takes its place.
        size: in bytes.
        stamp: size, time of change and number of the file as it was first seen; None for bytes at hand.
        data: bytes at hand.

    """

    name: str
    size: int
    stamp: tuple[int, int, int] | None
    data: bytes | None = None

    @classmethod
    def of_file(cls, path: str) -> "Source":
        """A regular file that is not empty."""
        require_file(path)
        stamp = _stamp(path)
        if not stamp[0]:
            raise FileFormatError(f"{show(path)} is empty.")
        return cls(path, stamp[0], stamp)

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> "Source":
        """Bytes at hand, under a name for errors."""
        return cls(name, len(data), None, data)

    def open(self) -> BinaryIO:
        """A stream of the bytes."""
        return open(self.name, "rb") if self.data is None else io.BytesIO(self.data)

    def arrow(self) -> Any:
        """The bytes as Arrow reads them. A file is not mapped: one that shrinks meanwhile would kill the process."""
        import pyarrow as pa

        return pa.OSFile(self.name) if self.data is None else pa.BufferReader(self.data)

    def check(self) -> None:
        """Raise `DataError` if the file is no longer what it was."""
        if self.stamp is not None and _stamp(self.name) != self.stamp:
            raise DataError(f"{show(self.name)} changed while it was read. Read a copy that nobody writes to.")

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Word what Arrow raises about damage, and check that the file has not changed meanwhile."""
        import pyarrow as pa

        try:
            yield
        # Arrow reports damage as ArrowInvalid (a ValueError), OSError, or what its decoders raise.
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            self.check()
            if isinstance(error, DataError):
                raise
            raise FileFormatError(f"{show(self.name)} cannot be read as {what}: {first_line(error)}.") from None
        except MemoryError:
            raise DataError(f"{show(self.name)} does not fit into memory. Read fewer columns with --columns.") from None
        self.check()


def first_line(error: Exception) -> str:
    """The start of an error's message."""
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def require_file(path: str) -> None:
    """Refuse what is no regular file, before opening it: opening a pipe would wait for a writer."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file in it", path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "this is a pipe or device; save its content to a regular file first", path)


def read_bytes(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a regular file that is not empty. Raises what `read_table` raises before it looks inside."""
    source = Source.of_file(os.fspath(path))
    data = read_source(source, max_bytes)
    source.check()
    return data


def require_size(source: Source, max_bytes: int) -> None:
    """Refuse a file that is larger."""
    if source.size > max_bytes:
        raise _too_large(source.name, max_bytes)


def read_source(source: Source, max_bytes: int) -> bytes:
    """All bytes of a source, if they are at most so many."""
    with source.open() as file:
        return _at_most(file, max_bytes, source.name)


def read_standard_input(max_bytes: int, head: bytes = b"") -> Source:
    """All of standard input, of which `head` has been read, if it is at most so many bytes."""
    data = head + _at_most(sys.stdin.buffer, max_bytes - len(head), "standard input")
    if not data:
        raise FileFormatError("'standard input' is empty.")
    return Source.of_bytes(data, "standard input")


def unpacked(data: bytes, name: str, max_bytes: int) -> bytes:
    """The content of gzip, below a size and a ratio."""
    content = _at_most(io.BufferedReader(Gunzip(io.BytesIO(data), name), 1 << 20), max_bytes, f"{name}, unpacked,")
    if not content:
        raise FileFormatError(f"{show(name)} is empty.")
    return content


def unpacks_beyond(source: Source, limit: int) -> bool:
    """Whether gzip holds more than so many bytes; it is unpacked up to there, and nothing is kept."""
    left = limit
    with Gunzip(source.open(), source.name) as stream:
        while left >= 0 and (part := stream.read(PIECE)):
            left -= len(part)
    return left < 0


class Prefixed(io.RawIOBase):
    """A stream of which the beginning has been read already.

    >>> Prefixed(b"a,", io.BytesIO(b"b")).readall()
    b'a,b'
    """

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = memoryview(head), rest

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        data = self._head[: len(buffer)] or self._rest.read(len(buffer)) or b""
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Counted:
    """A stream that knows how much was taken from it; a pipe does not."""

    def __init__(self, file: Any) -> None:
        self.file, self.taken = file, 0

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(min(size, 1 << 13) if size >= 0 else size)  # no further ahead than it must
        self.taken += len(data)
        return data


class Gunzip(io.RawIOBase):
    """A stream of what gzip holds. Damage and bombs are a `FileFormatError`.

    >>> Gunzip(io.BytesIO(gzip.compress(b"a,b")), "x.csv.gz").read(10)
    b'a,b'
    """

    def __init__(self, packed: BinaryIO, name: str) -> None:
        self._packed, self._name, self._given = _Counted(packed), name, 0
        counted: Any = self._packed
        self._stream = gzip.GzipFile(fileobj=counted)

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Close what lies below, too."""
        self._stream.close()
        self._packed.file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        try:
            found = self._stream.readinto(buffer)
        except (OSError, EOFError, zlib.error) as error:
            raise FileFormatError(f"{show(self._name)} cannot be read as gzip: {first_line(error)}.") from None
        self._given += found
        if self._given > HARMLESS and self._given > GZIP_RATIO * self._packed.taken:
            raise FileFormatError(
                f"{show(self._name)} unpacks to more than {GZIP_RATIO} times its size: it is a bomb. "
                "Unpack it yourself if it is none."
            )
        return found


def _stamp(path: str) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ino


def _at_most(file: Any, max_bytes: int, name: str) -> bytes:
    data = io.BytesIO()
    # In pieces: asked for all at once, Python sets the memory for it aside.
    while part := file.read(min(PIECE, max_bytes + 1 - data.tell())):
        data.write(part)
    if data.tell() > max_bytes:
        raise _too_large(name, max_bytes)
    return data.getvalue()


def _too_large(name: str, max_bytes: int) -> DataError:
    return DataError(f"{show(name)} must be at most {max_bytes:,} bytes; it is larger. Raise max_bytes or split it.")
