"""Profiles as files: a version, a checksum, and arrays of integers; nothing in them is executed or believed unseen."""

import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files import Column, read_bytes, show
from divergences.files._table import BOOLEAN, CATEGORY, DATE, NUMBER
from divergences.profiles._checking import require, sound_categories, sound_numbers, sound_rows
from divergences.profiles.categories import MOST as WORDS
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.cells import MOST, Cells
from divergences.profiles.moments import Moments
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.profile import ColumnProfile, Profile
from divergences.profiles.rows import ROWS, RowSample
from divergences.saving import write_atomically

MAGIC, VERSION = b"dvprofile", 1
DIGEST = 16  # bytes of checksum
START = len(MAGIC) + 1 + DIGEST
# What a forged file, whose checksum fits, can cause.
FORGED = (ValueError, TypeError, LookupError, OverflowError, RecursionError, zlib.error, struct.error)
MAX_TEXT = 2**26  # bytes of names, or of the words of one column


def save(profile: Profile, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a profile; the same profile gives the same bytes.

    Raises:
        FileExistsError: `path` exists and `force` is False. OSError: it cannot be written. DataError: the names of its
            columns or parts take more than 64 MiB.

    """
    return write_atomically(path, to_bytes(profile), force=force)


def load(path: str | os.PathLike[str]) -> Profile:
    """Read a profile.

    Raises:
        OSError: it cannot be read. FileFormatError: it is no profile, of a newer version, truncated or altered.

    >>> import tempfile
    >>> from divergences.files import Table
    >>> profile = Profile.of(Table.numbers(("age",), np.array([[31.0], [27.0]]), "example"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(profile, Path(folder, "ages.profile"))).columns["age"].mean
    29.0

    """
    return from_bytes(read_bytes(path), os.fspath(path))


def to_bytes(profile: Profile) -> bytes:
    """The content of a profile's file."""
    head = {
        "n": profile.n,
        "seed": profile.seed,
        "labels": list(profile.labels),
        "columns": [_described(name, column) for name, column in profile.columns.items()],
    }
    body = [_text(head), *(block for column in profile.columns.values() for block in _blocks(column))]
    body += [_integers(part.view(np.int64)) for part in (profile.rows.priority, profile.rows.label, profile.rows.row)]
    for column in profile.rows.columns:
        body.append(_integers(column.values.view(np.int64) if column.measured else column.values.astype(np.int64)))
        body.append(_text(list(column.categories)))
    content = b"".join(body)
    return MAGIC + bytes([VERSION]) + blake2b(content, digest_size=DIGEST).digest() + content


def from_bytes(data: bytes, source: str = "profile") -> Profile:
    """The profile in a file's content. Raises FileFormatError as `load` does."""
    where = show(source)
    if data[: len(MAGIC)] != MAGIC:
        raise FileFormatError(f"{where} must be a profile, as `divergences profile` writes it; got another file.")
    if len(data) < START:
        raise FileFormatError(f"{where} is truncated: it ends after {len(data)} bytes.")
    if data[len(MAGIC)] != VERSION:
        raise FileFormatError(f"{where} must be a profile of version {VERSION}; got {data[len(MAGIC)]}. Profile again.")
    content = data[START:]
    if blake2b(content, digest_size=DIGEST).digest() != data[len(MAGIC) + 1 : START]:
        raise FileFormatError(f"{where} is damaged: its content does not fit its checksum. Profile again.")
    try:
        return _read(content)
    except FORGED as error:
        raise FileFormatError(f"{where} is not a sound profile: {error}. Profile again.") from None


def _read(content: bytes) -> Profile:
    blocks = _Blocks(content)
    head = blocks.text()
    require(isinstance(head, dict) and set(head) == {"n", "seed", "labels", "columns"}, "its header")
    columns = {}
    for entry in head["columns"]:
        require(isinstance(entry, dict) and isinstance(entry.get("name"), str), "a column's name")
        require(entry["name"] not in columns, "two columns of one name")
        columns[entry["name"]] = _column(entry, blocks, head["n"])
    require(bool(columns), "it has no columns")
    priority, label, row = (blocks.integers(ROWS) for _ in range(3))
    kept = tuple(_kept(name, column.kind, blocks) for name, column in columns.items())
    sample = RowSample(priority.view(np.uint64), label.view(np.uint64), row, kept)
    blocks.finish()
    sound_rows(sample, head)
    return Profile(MappingProxyType(columns), sample, head["n"], tuple(head["labels"]), head["seed"])


def _described(name: str, column: ColumnProfile) -> dict[str, Any]:
    common = {"name": name, "kind": column.kind, "missing": column.missing}
    if isinstance(column, NumberProfile):
        extremes = [column.lowest, column.highest] if column.n else None
        return common | {"level": column.cells.level, "extremes": extremes}
    return common | {"level": column.level, "other": column.other}


def _blocks(column: ColumnProfile) -> Iterator[bytes]:
    if isinstance(column, NumberProfile):
        for part in (*column.cells.arrays, column.moments.binade, column.moments.sums.T.ravel()):
            yield _integers(part)
    else:
        yield _text(list(column.words))
        yield _integers(column.count)


def _column(entry: dict[str, Any], blocks: "_Blocks", n: int) -> ColumnProfile:
    kind, missing, level = entry["kind"], entry["missing"], entry["level"]
    require(kind in (NUMBER, DATE, BOOLEAN, CATEGORY), "a column's kind")
    if kind in (NUMBER, DATE):
        cells = Cells(level, *(blocks.integers(MOST) for _ in range(4)))
        binade, sums = blocks.integers(4096), blocks.integers(7 * 4096)
        moments = Moments(binade, np.ascontiguousarray(sums.reshape(7, len(binade)).T))
        lowest, highest = entry["extremes"] or (np.inf, -np.inf)
        return sound_numbers(NumberProfile(kind, cells, moments, float(lowest), float(highest), missing), n)
    words = blocks.text()
    require(isinstance(words, list), "a list of words")
    return sound_categories(
        CategoryProfile(kind, level, tuple(words), blocks.integers(WORDS), entry["other"], missing), n
    )


def _kept(name: str, kind: str, blocks: "_Blocks") -> Column:
    values, words = blocks.integers(ROWS), blocks.text()
    if kind in (NUMBER, DATE):
        return Column(name, values.view(np.float64), kind)
    require(isinstance(words, list) and bool(np.all((values >= -1) & (values < len(words)))), "the codes of a row")
    return Column(name, values.astype(np.int32), kind, tuple(words))


def _integers(values: np.ndarray) -> bytes:
    """A block of int64: differences, their bytes sorted by significance, compressed."""
    steps = np.diff(values.astype("<i8"), prepend=np.int64(0))
    return _block(len(values), np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 8).T).tobytes())


def _text(value: Any) -> bytes:
    data = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    if len(data) > MAX_TEXT:
        raise DataError(
            f"the names in a profile must take at most {MAX_TEXT:,} bytes; got {len(data):,}. Shorten them."
        )
    return _block(len(data), data)


def _block(count: int, data: bytes) -> bytes:
    packed = zlib.compress(data, 6)
    return struct.pack("<II", count, len(packed)) + packed


class _Blocks:
    """Takes one block after another; sizes are compared with what can be there before anything is allocated."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def integers(self, most: int) -> np.ndarray:
        data = self._next(most, lambda count: 8 * count)
        steps = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(8, -1).T).view("<i8").ravel()
        return np.cumsum(steps, dtype=np.int64)  # wraps around where the differences did

    def text(self) -> Any:
        return json.loads(self._next(MAX_TEXT, lambda count: count))

    def finish(self) -> None:
        require(self._place == len(self._content), "bytes after its end")

    def _next(self, most: int, size: Callable[[int], int]) -> bytes:
        count, packed = struct.unpack_from("<II", self._content, self._place)
        begin = self._place + 8
        self._place = begin + packed
        require(count <= most and self._place <= len(self._content), "the size of a block")
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(self._content[begin : self._place], size(count) + 1)
        require(len(data) == size(count) and unpacking.eof and not unpacking.unused_data, "the length of a block")
        return data
