"""NPY and NPZ, without `numpy.load`: nothing is unpickled, evaluated, or allocated on the header's word."""

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files._table import Table, check_names, from_matrix, show

MAX_HEADER = 10_000  # bytes
MAX_MEMBERS = 10_000
MAX_RATIO = 1000  # a member's size to its compressed size
# The header as `numpy.save` writes it. Matching text, where NumPy evaluates a literal, leaves nothing to exploit.
HEADER = re.compile(
    r"\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(((?:[0-9]{1,19}(?:, ?|(?=\))))*)\),? ?\}\s*"
)


def read_npy(data: bytes, source: str, columns: Sequence[str] | None) -> Table:
    """The array in `data` as columns named column_1, column_2, ..."""
    return from_matrix(_array(data, show(source)), source, columns)


def _array(data: bytes, where: str) -> np.ndarray:
    """The array of a .npy file, a view of `data`; `where` names it in errors."""
    offset, header = _header(data, where)
    match = HEADER.fullmatch(header)
    if match is None:
        kind = " (records or a foreign layout)" if "'descr'" in header else ""
        raise FileFormatError(f"{where} must have the header of a plain .npy array; got another one{kind}.")
    descr, fortran, dimensions = match.groups()
    if not re.fullmatch(r"[<>|=]?([fiu][1248]|b1)", descr):
        raise FileFormatError(
            f"{where} must hold real numbers of at most 8 bytes; got dtype {descr!r}. Save it as float64."
        )
    dtype = np.dtype(descr)
    shape = tuple(int(n) for n in dimensions.replace(" ", "").split(",") if n)
    promised = math.prod(shape) * dtype.itemsize
    if promised != len(data) - offset:
        raise FileFormatError(
            f"{where} promises {promised:,} bytes of data for shape {shape} and has {len(data) - offset:,}: "
            "it is truncated or forged."
        )
    flat = np.frombuffer(data, dtype=dtype, offset=offset)
    return flat.reshape(shape, order="F" if fortran == "True" else "C")


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


def read_npz(data: bytes, source: str, columns: Sequence[str] | None, max_bytes: int) -> Table:
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
        return from_matrix(next(iter(arrays.values())), source, columns)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 or shape[0] == 0 for shape in shapes.values()):
        raise FileFormatError(
            f"{show(source)} must hold one array, or 1-D arrays of one length as columns; "
            f"got {', '.join(f'{show(k)} {v}' for k, v in list(shapes.items())[:5])}."
        )
    values = np.column_stack([np.asarray(a, dtype=np.float64) for a in arrays.values()])
    return Table.numbers(check_names(list(arrays), source), values, source).select(columns)


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
