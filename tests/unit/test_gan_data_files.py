"""A user's own files: what is read, what is refused, and that nothing else can happen."""

import gzip
import io
import os
import struct
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from divergences.errors import DataError, FileFormatError
from gan.data import Rows, dataset, files
from gan.random import Stream

ONE = torch.tensor([0])
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 3, 4)).astype(np.uint8)
CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array: np.ndarray, kind: str = "u1") -> bytes:
    """The array as an IDX file."""
    header = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(kind).tobytes()


def picture(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    """The pixels as a PNG or JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def rows_of(path) -> Rows:
    rows = dataset(path)
    assert isinstance(rows, Rows)
    return rows


def written(path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def test_names_and_nearest_names(tmp_path, monkeypatch):
    """A name is a built-in; a misspelt one is told the nearest, and that a path would do."""
    assert dataset("ring8").dimension == 2
    for wrong in ("rign8", "stacked_digits", "", 3, None, b"ring8", "a\0.csv"):
        with pytest.raises(DataError, match="Or give the path of a file or folder"):
            dataset(wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="Did you mean 'stacked-digits'"):
        dataset("stacked_digits")
    # A file of the name of a built-in is reached by its path.
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "ring8", idx(PIXELS))
    assert dataset("ring8").shape == (2,)
    assert dataset("./ring8").shape == (1, 3, 4)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".npy", ".npz", ".parquet"])
def test_tables(tmp_path, suffix):
    """Numbers of tables are taken as they are, row by row, and every change of them changes the fingerprint."""
    values = np.random.default_rng(1).normal(size=(25, 3)) * 100
    path = tmp_path / f"table{suffix}"

    def write(array):
        if suffix in (".csv", ".tsv"):
            np.savetxt(
                path,
                array,
                delimiter="," if suffix == ".csv" else "\t",
                header="a,b,c".replace(",", "," if suffix == ".csv" else "\t"),
                comments="",
                fmt="%.17g",
            )
        elif suffix == ".npy":
            np.save(path, array)
        elif suffix == ".npz":
            np.savez(path, array)
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            pq.write_table(pa.table({str(k): column for k, column in enumerate(array.T)}), path)

    write(values)
    rows = dataset(path)
    assert (rows.shape, rows.size, rows.classes, rows.held_out) == ((3,), 25, 0, 2)
    drawn = rows.sample(ONE, Stream.REAL, 0, 200)[0].numpy()
    assert {tuple(row) for row in drawn} <= {tuple(row) for row in values}
    again = dataset(str(path)).fingerprint
    write(np.where(values == values[3, 1], values + 1e-9, values))
    assert rows.fingerprint == again != dataset(path).fingerprint
    with pytest.raises(DataError, match=r"batch must be at most 21, the training rows of '.*table"):
        rows.check_batch(22)


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_format(tmp_path, packed):
    """Bytes of images become points in [-1, 1], with the labels of the file beside them, gzipped or not."""
    pack, end = (gzip.compress, ".gz") if packed else (lambda data: data, "")
    path = written(tmp_path / f"train-images-idx3-ubyte{end}", pack(idx(PIXELS)))
    bare = dataset(path)
    assert (bare.shape, bare.size, bare.classes) == ((1, 3, 4), 12, 0)
    written(tmp_path / f"train-labels-idx1-ubyte{end}", pack(idx(np.arange(12) % 5)))
    rows = dataset(path)
    assert rows.classes == 5
    assert rows.fingerprint != bare.fingerprint
    x, label = rows.labelled(ONE, Stream.REAL, 0, 100)
    expected = {(k % 5, tuple((image.ravel() / 127.5 - 1).tolist())) for k, image in enumerate(PIXELS)}
    assert {(k, tuple(point)) for k, point in zip(label[0].tolist(), x[0].tolist(), strict=True)} <= expected
    written(tmp_path / f"train-labels-idx1-ubyte{end}", pack(idx(np.arange(11))))
    with pytest.raises(DataError, match="label per row"):
        dataset(path)


@pytest.mark.parametrize("kind", CODES)
def test_every_type_of_idx(tmp_path, kind):
    """All six types are read, big-endian; only bytes of three axes and more are pictures."""
    values = np.arange(60).reshape(20, 3) - (0 if kind == "u1" else 30)
    table = rows_of(written(tmp_path / "table.idx", idx(values, kind)))
    assert np.array_equal(table.load()[0], values)
    if kind == "u1":
        colour = dataset(written(tmp_path / "colour.idx", idx(np.zeros((10, 3, 2, 2)))))
        assert colour.shape == (3, 2, 2)
    else:
        flat = rows_of(written(tmp_path / "flat.idx", idx(values.reshape(20, 3, 1), kind)))
        assert np.array_equal(flat.load()[0], values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2**31, 2**31, 2**31), "promises"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 2**31 + 2**30), "promises"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 12) + b"1" * 11, "truncated or forged"),
        (b"\x00\x00\x08\x01" + struct.pack(">I", 12) + b"1" * 13, "truncated or forged"),
        (b"\x00\x00\x08\x00", "must be an IDX file"),
        (b"\x00\x00\x07\x01" + struct.pack(">I", 0), "must be an IDX file"),
        (b"\x00\x00\x08\xff" + b"\0" * 2000, "must be an IDX file"),
        (b"\x00\x00\x08\x02" + struct.pack(">2I", 20, 0), "at least one row and column"),
        (b"\x00\x00\x0d\x01" + struct.pack(">I", 12) + b"\x7f\xc0\0\0" * 12, "finite"),
        (b"\x00", "must be an IDX file"),
        (b"", "empty"),
        (b"\x80\x04\x95" + b"pickle", "must be an IDX file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "unpacked, it starts with"),
        (
            gzip.compress(b"\x00\x00\x08\x01" + struct.pack(">I", 2**24) + bytes(2**24), mtime=0),
            "are allowed, and 1000 times",
        ),
        (gzip.compress(idx(PIXELS), mtime=0) + b"x", "truncated or forged"),
        (gzip.compress(idx(PIXELS), mtime=0) * 2, "truncated or forged"),
        (gzip.compress(idx(PIXELS), mtime=0)[:-1], "truncated or forged"),
    ],
)
def test_idx_refused(tmp_path, content, message):
    """Sizes are compared with what is there before anything is allocated; bombs and foreign files are named."""
    with pytest.raises(DataError, match=message):
        dataset(written(tmp_path / "it.gz", content))


@pytest.mark.parametrize("packed", [False, True])
def test_every_damage_to_idx(tmp_path, packed):
    """Every truncation and every changed byte gives an answer or our error."""
    whole = gzip.compress(idx(PIXELS), mtime=0) if packed else idx(PIXELS)
    refused = 0
    for damaged in damages(whole):
        try:
            dataset(written(tmp_path / "it.idx", damaged))
        except DataError:
            refused += 1
    assert refused >= len(whole)  # each truncation at least


def damages(whole: bytes):
    """Each truncation, and each byte changed in three ways."""
    yield from (whole[:k] for k in range(len(whole)))
    for k in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            yield whole[:k] + bytes([whole[k] ^ flip]) + whole[k + 1 :]


def test_folders_of_pictures(tmp_path):
    """Pictures come in the order of their names, grey or coloured, channel first, in [-1, 1]; other files are left."""
    for k, image in enumerate(PIXELS):
        written(tmp_path / f"{k:02}.png", picture(image))
    written(tmp_path / "notes.txt", b"not a picture")
    written(tmp_path / ".hidden.png", b"not a picture")
    rows = rows_of(tmp_path)
    assert rows.shape == (1, 3, 4)
    assert np.array_equal(rows.load()[0], PIXELS.reshape(12, 12) / 127.5 - 1)
    colour = tmp_path / "colour"
    colour.mkdir()
    pixels = np.random.default_rng(2).integers(0, 256, (10, 5, 6, 3)).astype(np.uint8)
    for k, image in enumerate(pixels):
        written(colour / f"{k}.PNG", picture(image))
    assert np.array_equal(rows_of(colour).load()[0], np.moveaxis(pixels, -1, 1).reshape(10, 90) / 127.5 - 1)
    smooth = np.full((8, 8, 3), 200, dtype=np.uint8)
    for k in range(10):
        written(colour / f"{k}.PNG", b"")
        os.remove(colour / f"{k}.PNG")
        written(colour / f"{k}.jpeg", picture(smooth, "JPEG"))
    assert rows_of(colour).load()[0] == pytest.approx(200 / 127.5 - 1, abs=0.02)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (picture(np.zeros((3, 5), np.uint8)), r"of one size.*'00.png'.*'99.png'"),
        (picture(np.zeros((3, 4, 3), np.uint8)), "of one size"),
        (picture(np.zeros((3, 4, 4), np.uint8)), "without transparency; got mode 'RGBA'"),
        (picture(np.zeros((3, 4), np.uint16)), "of 8 bits"),
        (picture(np.zeros((3, 4), np.uint8), "GIF"), "cannot be read as PNG or JPEG"),
        (b"<svg/>", "cannot be read as PNG or JPEG"),
        (b"", "empty"),
        (picture(np.zeros((3, 4), np.uint8))[:-20], "cannot be read as PNG or JPEG"),
    ],
)
def test_pictures_refused(tmp_path, content, message):
    """A picture of another size or kind is named beside the first; what is none is named too."""
    for k, image in enumerate(PIXELS):
        written(tmp_path / f"{k:02}.png", picture(image))
    written(tmp_path / "99.png", content)
    with pytest.raises(DataError, match=message):
        dataset(tmp_path)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is of that size: its header, rewritten with a right checksum."""
    import zlib

    whole = picture(np.zeros((3, 4), np.uint8))
    header = b"IHDR" + struct.pack(">2I", width, height) + whole[24:29]
    return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((5000, 5000), "at most 16,777,216 pixels"),
        ((10_000, 10_000), "decompression bomb"),  # Pillow only warns
        ((2**16, 2**16), "decompression bomb"),
        ((2**31 - 1, 2**31 - 1), "decompression bomb"),
        ((0, 4), "cannot be read as PNG"),
    ],
)
def test_decompression_bombs(tmp_path, size, message):
    """A picture that says it is huge is refused before it is unpacked."""
    written(tmp_path / "0.png", bomb(*size))
    with pytest.raises(DataError, match=message):
        dataset(tmp_path)


def test_a_folder_beyond_memory(tmp_path, monkeypatch):
    """A folder whose pictures would not fit is refused at the first of them."""
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    for k in range(12):
        written(tmp_path / f"{k}.png", picture(PIXELS[k]))
    with pytest.raises(DataError, match="must fit into 1,000 bytes"):
        dataset(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_damage_to_a_picture(kind):
    """Every truncation and every changed byte gives an answer or our error, and no warning; a PNG no wrong picture."""
    whole = picture(PIXELS[0], kind)
    refused = 0
    for damaged in damages(whole):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = files._picture(damaged, "it")
        except DataError:
            refused += 1
        else:
            assert kind == "JPEG" or np.array_equal(found, PIXELS[:1])  # JPEG has no checksums
    assert refused > len(whole)


def test_trouble_with_the_file_system(tmp_path):
    """A missing file, a pipe, a device, an empty folder: named at once, without waiting."""
    with pytest.raises(FileNotFoundError):
        dataset("missing.csv")
    with pytest.raises(FileNotFoundError):
        dataset(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe.csv", tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="pipe or device"):
            dataset(path)
    with pytest.raises(DataError, match="must have pictures in it"):
        dataset(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="pipe or device"):
        dataset(tmp_path)
    with pytest.raises(FileNotFoundError):
        dataset(written(tmp_path / "gone.csv", b"a\n1\n") + "x.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("few.csv", b"a\n1\n2\n", "at least 10 rows"),
        ("gap.csv", b"a,b\n" + b"1,2\n" * 12 + b"1,NA\n", "finite; got 1 NaN"),
        ("text.csv", b"a\n" + b"x\n" * 12, "x"),
        ("ragged.csv", b"a,b\n" + b"1,2\n" * 12 + b"1\n", "line 14"),
        ("pickle.npy", b"\x80\x04\x95", "must be a .npy array"),
        (
            "huge.npy",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }"
            + b" " * 40
            + b"\n",
            "npy|promises",
        ),
    ],
)
def test_tables_refused(tmp_path, name, content, message):
    """The errors of the table reader pass through, and missing cells are no numbers to train on."""
    with pytest.raises(DataError, match=message) as caught:
        dataset(written(tmp_path / name, content))
    assert name in str(caught.value)
    assert issubclass(FileFormatError, DataError)
