"""A user's own files: tables, IDX files (MNIST's format) and folders of pictures. Nobody vouches for them.

A file is read once, below a size limit; no size that it states is believed before it is compared with what is there.
"""

import io
import math
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files import MAX_BYTES, MAX_RATIO, SUFFIXES, read_bytes, read_table, show
from gan.data.rows import Rows

PATH_SUFFIXES = (*SUFFIXES, ".gz", ".idx", ".idx1-ubyte", ".idx3-ubyte")
PICTURES = (".png", ".jpg", ".jpeg")
MAX_PIXELS = 2**24  # of one picture
_IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_rows(path: str) -> Rows:
    r"""The rows of a file, or the pictures of a folder, as they were when they were read.

    Pictures, and IDX files of bytes with three or four axes (rows, then height and width, or channels before them),
    are scaled to [-1, 1]; numbers of other files are kept. An IDX file of images whose name differs from a file of
    labels as MNIST's do, `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, gets those labels.

    Raises:
        OSError: the path is missing, a pipe, a device, or may not be read.
        DataError: the content cannot be used.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "heights.csv")
    ...     _ = path.write_text("height\n" + "1.70\n1.65\n" * 10)
    ...     rows = read_rows(str(path))
    >>> rows.size, rows.shape
    (20, (1,))

    """
    if os.path.isdir(path):
        return _scaled(_folder(path), None, show(path))
    if Path(path).suffix.lower() in SUFFIXES:
        return Rows.of(read_table(path).values, source=show(path))
    array = _idx(read_bytes(path), show(path))
    if array.dtype == np.uint8 and array.ndim >= 3:
        return _scaled(array, _labels(path), show(path))
    return Rows.of(array.reshape(len(array), -1) if array.ndim != 2 else array, source=show(path))


def _scaled(pixels: np.ndarray, labels: np.ndarray | None, source: str) -> Rows:
    """Bytes of shape (n, h, w) or (n, c, h, w) as points in [-1, 1]."""
    shape = (1, *pixels.shape[1:]) if pixels.ndim == 3 else pixels.shape[1:]
    return Rows.of(pixels.reshape(len(pixels), -1) / 127.5 - 1, labels, source=source, shape=shape)


def _labels(path: str) -> np.ndarray | None:
    folder, name = os.path.split(path)
    sibling = os.path.join(folder, name.replace("images", "labels").replace("idx3", "idx1"))
    return _idx(read_bytes(sibling), show(sibling)) if sibling != path and os.path.exists(sibling) else None


def _idx(data: bytes, where: str) -> np.ndarray:
    """The array of an IDX file: 0, 0, type, number of axes; their lengths, big-endian; then the numbers."""
    packed = data[:2] == b"\x1f\x8b"
    head = _unpacked(data, 1024, where)[0] if packed else data
    kind, axes = (head[2], head[3]) if len(head) >= 8 and head[:2] == b"\0\0" else (0, 0)
    if kind not in _IDX or not 1 <= axes <= 4 or len(head) < 4 + 4 * axes:
        raise FileFormatError(
            f"{where} must be an IDX file of 1 to 4 axes, a table ({', '.join(SUFFIXES)}) or a folder of pictures; "
            f"{'unpacked, ' if packed else ''}it starts with {head[:4]!r}."
        )
    shape = struct.unpack(f">{axes}I", head[4 : 4 + 4 * axes])
    dtype = np.dtype(_IDX[kind])
    promised = 4 + 4 * axes + math.prod(shape) * dtype.itemsize
    if promised > MAX_BYTES or (packed and promised > MAX_RATIO * len(data)):
        raise FileFormatError(
            f"{where} promises {promised:,} bytes for shape {shape}; {MAX_BYTES:,} are allowed, "
            f"and {MAX_RATIO} times the size of a packed file."
        )
    content, complete = _unpacked(data, promised + 1, where) if packed else (data, True)
    if len(content) != promised or not complete:
        raise FileFormatError(
            f"{where} promises {promised:,} bytes for shape {shape} and does not have them, or has more: "
            "it is truncated or forged."
        )
    if 0 in shape:
        raise DataError(f"{where} must have at least one row and column; got shape {shape}.")
    return np.frombuffer(content, dtype, offset=4 + 4 * axes).reshape(shape)


def _unpacked(data: bytes, limit: int, where: str) -> tuple[bytes, bool]:
    """At most `limit` bytes of a gzip file, and whether they are the whole of it, its checksum included."""
    stream = zlib.decompressobj(wbits=31)
    try:
        return stream.decompress(data, limit), stream.eof and not stream.unused_data
    except zlib.error as error:
        raise FileFormatError(f"{where} cannot be unpacked by gzip: {error}.") from None


def _folder(path: str) -> np.ndarray:
    """The pictures of a folder, sorted by name, as bytes of shape (n, channels, height, width)."""
    names = sorted(name for name in os.listdir(path) if name.lower().endswith(PICTURES) and name[0] != ".")
    if not names:
        raise DataError(f"{show(path)} must have pictures in it, {', '.join(PICTURES)}; it has none.")
    pictures: list[np.ndarray] = []
    for name in names:
        full = os.path.join(path, name)
        picture = _picture(read_bytes(full), show(full))
        if pictures and picture.shape != pictures[0].shape:
            raise DataError(
                f"Pictures must be of one size and kind: {show(names[0])} has (channels, height, width) "
                f"{pictures[0].shape}, {show(name)} {picture.shape}. Scale or convert them."
            )
        if picture.size * len(names) * 8 > MAX_BYTES:
            raise DataError(
                f"{show(path)} must fit into {MAX_BYTES:,} bytes as float64; it has {len(names):,} pictures "
                f"of {picture.size:,} numbers. Scale them down, or take fewer."
            )
        pictures.append(picture)
    return np.stack(pictures)


def _picture(data: bytes, where: str) -> np.ndarray:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # whatever Pillow doubts is refused
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                picture.verify()  # the checksums of PNG, which decoding passes over; it has to be opened anew
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                if math.prod(picture.size) > MAX_PIXELS:
                    raise DataError(f"{where} must have at most {MAX_PIXELS:,} pixels; got {picture.size}.")
                if picture.mode not in ("1", "L", "P", "RGB") or getattr(picture, "n_frames", 1) != 1:
                    raise DataError(
                        f"{where} must be one picture, grey or RGB, of 8 bits without transparency; "
                        f"got mode {picture.mode!r}. Convert it."
                    )
                grey = picture.mode in ("1", "L")
                pixels = np.asarray(picture.convert("L" if grey else "RGB"))
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged data
        raise FileFormatError(f"{where} cannot be read as PNG or JPEG: {show(error)}.") from None
    return pixels[None] if grey else np.moveaxis(pixels, -1, 0)
