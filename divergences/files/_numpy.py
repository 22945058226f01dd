"""NPY and NPZ, without `numpy.load`: nothing is unpickled, evaluated, or allocated on the header's word."""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files._columns import from_arrays, from_matrix
from divergences.files._table import Table, check_names, show

MAX_HEADER = 10_000  # bytes
MAX_MEMBERS = 10_000
MAX_RATIO = 1000  # a member's size to its compressed size
# The header as `numpy.save` writes it. Matching text, where NumPy evaluates a literal, leaves nothing to exploit.
PLAIN = r"[<>|=]?(?:[fiu][1248]|b1|U[1-9][0-9]{0,6}|M8\[(?:W|D|h|m|s|ms|us|ns)\])"
FIELD = rf"\('([^'\\]*)', '({PLAIN})'\)"
HEADER = re.compile(
    rf"\{{'descr': ('[^']*'|\[{FIELD}(?:, {FIELD})*,?\]), 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:[0-9]{1,19}(?:, ?|(?=\))))*)\),? ?\}\s*"
)


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a .npy file lie: from `offset` on, in rows unless `fortran`."""

    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool
    offset: int


def read_npy(data: bytes, source: str, columns: Sequence[str] | None, categories: Collection[str] = ()) -> Table:
    """The array in `data` as columns named column_1, column_2, ..., or those of its records."""
    return from_matrix(_array(data, show(source)), source, columns, categories)


def _array(data: bytes, where: str) -> np.ndarray:
    """The array of a .npy file, a view of `data`; `where` names it in errors."""
    found = layout(data, len(data), where)
    flat = np.frombuffer(data, dtype=found.dtype, offset=found.offset)
    return flat.reshape(found.shape, order="F" if found.fortran else "C")


def layout(head: bytes, size: int, where: str) -> Layout:
    """The layout of a .npy file of `size` bytes that begins with `head`, compared with that size."""
    offset, header = _header(head, where)
    match = HEADER.fullmatch(header)
    if match is None:
        kind = " (records or a foreign layout)" if "'descr'" in header else ""
        raise FileFormatError(f"{where} must have the header of a plain .npy array; got another one{kind}.")
    descr, fortran, dimensions = match[1], match["fortran"], match["shape"]
    dtype = _dtype(descr, where)
    shape = tuple(int(n) for n in dimensions.replace(" ", "").split(",") if n)
    promised = math.prod(shape) * dtype.itemsize
    if promised != size - offset:
        raise FileFormatError(
            f"{where} promises {promised:,} bytes of data for shape {shape} and has {size - offset:,}: "
            "it is truncated or forged."
        )
    return Layout(dtype, shape, fortran == "True", offset)


def _dtype(descr: str, where: str) -> np.dtype:
    fields = re.findall(FIELD, descr)
    if fields:
        names = check_names([name for name, _ in fields], where)
        return np.dtype(list(zip(names, (kind for _, kind in fields), strict=True)))
    if not re.fullmatch(f"'{PLAIN}'", descr):
        raise FileFormatError(
            f"{where} must hold real numbers of at most 8 bytes, text or dates; got dtype {descr}. Save it as float64."
        )
    return np.dtype(descr.strip("'"))


def _header(data: bytes, where: str) -> tuple[int, str]:
    """Where the numbers start, and the text before them."""
    if data[:6] != b"\x93NUMPY":
        raise FileFormatError(f"{where} must be a .npy array; it starts with {data[:6]!r}. Use numpy.save.")
    size = 2 if data[6:7] == b"\x01" else 4
    if data[6:8] not in (b"\x01\x00", b"\x02\x00", b"\x03\x00") or len(data) < 8 + size:
        raise FileFormatError(f"{where} must be of .npy version 1.0 to 3.0; got the bytes {data[6:8]!r}.")
    (length,) = struct.unpack("<H" if size == 2 else "<I", data[8 : 8 + size])
    if length > MAX_HEADER:
        raise FileFormatError(f"{where} must have a header of at most {MAX_HEADER:,} bytes; got {length:,}.")
    return 8 + size + length, data[8 + size : 8 + size + length].decode("latin-1")


def read_npz(
    data: bytes, source: str, columns: Sequence[str] | None, max_bytes: int, categories: Collection[str] = ()
) -> Table:
    """One 2-D array as columns named column_1, ...; or 1-D arrays of equal length as columns under their names."""
    try:
        arrays = _members(data, source, max_bytes)
    # zipfile reports damage by whatever its parts raise: RuntimeError for encryption, EOFError for a torn stream ...
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        RuntimeError,
        EOFError,
        OSError,
        OverflowError,
        ValueError,
        IndexError,
        KeyError,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise FileFormatError(f"{show(source)} cannot be read as .npz: {error}.") from None
    if not arrays:
        raise FileFormatError(f"{show(source)} has no arrays in it.")
    if len(arrays) == 1:
        return from_matrix(next(iter(arrays.values())), source, columns, categories)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 or shape[0] == 0 for shape in shapes.values()):
        raise FileFormatError(
            f"{show(source)} must hold one array, or 1-D arrays of one length as columns; "
            f"got {', '.join(f'{show(k)} {v}' for k, v in list(shapes.items())[:5])}."
        )
    return from_arrays(arrays, source, columns, categories)


def _members(data: bytes, source: str, max_bytes: int) -> dict[str, np.ndarray]:
    """The arrays of the archive by name, once its directory has been found harmless."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        bad = [n for n in names if "/" in n or "\\" in n or ".." in n or not n.endswith(".npy")]
        if bad:
            raise FileFormatError(f"{show(source)} must hold only NAME.npy members; got {show(bad[0])}.")
        if len(names) > MAX_MEMBERS or len(set(names)) != len(names):
            raise FileFormatError(
                f"{show(source)} must hold at most {MAX_MEMBERS:,} members, each once; got {len(names):,}."
            )
        total = sum(member.file_size for member in members)
        if total > max_bytes:
            raise FileFormatError(f"{show(source)} must unpack to at most {max_bytes:,} bytes; it declares {total:,}.")
        arrays = {}
        for member in members:
            if member.file_size > MAX_RATIO * max(member.compress_size, 1):
                raise FileFormatError(
                    f"{show(source)}: {show(member.filename)} unpacks to more than {MAX_RATIO} times its size: "
                    "this is a zip bomb, or needs no compression (numpy.savez)."
                )
            with archive.open(member) as file:
                content = file.read(member.file_size + 1)
            arrays[member.filename.removesuffix(".npy")] = _array(content, f"{show(source)}: {show(member.filename)}")
        return arrays
