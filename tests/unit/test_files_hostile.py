"""Files made to do harm: names that are code, forged sizes, payloads, links to devices."""

import io
import os
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import StoredTable, batches, read_table

NAMES = [
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a\nb",
    "\x1b[31mred",
    "n" * 300,
    "😀",
    "[red]",
    "$x^$",
    "a.b",
    "a",
]


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".parquet", ".feather"])
def test_names_that_are_code_are_names(tmp_path, suffix):
    """They are kept as they are, and an error that names them spells control characters out."""
    path = tmp_path / f"x{suffix}"
    names = [name for name in NAMES if suffix != ".npz" or "/" not in name]
    frame = pa.table({name: [1.0, 2.0] for name in names})
    if suffix == ".csv":
        cells = ",".join('"' + name + '"' for name in names)
        path.write_text(f"{cells}\n" + ",".join("1" for _ in names) + "\n" + ",".join("2" for _ in names) + "\n")
    elif suffix == ".npz":
        np.savez(path, **{name: np.array([1.0, 2.0]) for name in names})  # pyright: ignore[reportArgumentType]
    else:
        (parquet.write_table if suffix == ".parquet" else feather.write_feather)(frame, path)
    for lazy in (False, True):
        table = read_table(path, lazy=lazy)
        assert table.names == tuple(names)
        assert [column.values.tolist() for column in table.columns] == [[1.0, 2.0]] * len(names)
        for name in names:
            assert table.select([name]).column(name).values.tolist() == [1.0, 2.0]
    assert [batch.names for batch in batches(path)] == [tuple(names)]
    with pytest.raises(DataError, match="has no column") as caught:
        read_table(path, columns=["\x1b[31m\nno" + "x" * 300])
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_two_columns_of_one_name(tmp_path):
    """In every format that can hold them, read at once or not."""
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], ["a", "a"])
    parquet.write_table(twice, tmp_path / "x.parquet")
    with pa.OSFile(str(tmp_path / "x.feather"), "wb") as file, pa.ipc.new_file(file, twice.schema) as writer:
        writer.write_table(twice)
    (tmp_path / "x.csv").write_text("a,a\n1,2\n")
    for name in ("x.parquet", "x.feather", "x.csv"):
        for reader in (read_table, lambda path: list(batches(path)), lambda path: read_table(path, lazy=True)):
            with pytest.raises(DataError, match="two columns named 'a'"):
                reader(tmp_path / name)


def npy(array: np.ndarray, **options) -> bytes:
    """The bytes `numpy.save` writes."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        npy(np.zeros((2, 2))).replace(b"(2, 2), }        ", b"(65536, 65536), }"),
        npy(np.zeros((2, 2)))[:-1],
        npy(np.zeros((2, 2))) + b"\0",
        npy(np.zeros((2, 2))).replace(b"(2, 2)", b"(-2, 2)").replace(b"} ", b"}", 1),
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 100,
        npy(np.array([print], dtype=object), allow_pickle=True),
        npy(np.zeros((2, 2))).replace(b"<f8", b"<U9999999"[:3]),
    ],
)
def test_forged_arrays_on_disk_allocate_nothing(write, content):
    """A header is compared with the size of the file before anything is believed, also where nothing is loaded."""
    for lazy in (False, True):
        with pytest.raises(FileFormatError):
            read_table(write(content, "x.npy"), lazy=lazy)


class Payload:
    """What unpickling would run."""

    def __reduce__(self):
        return os.system, ("touch owned",)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.parquet", "x.feather", "x.csv.gz"])
def test_payloads_are_not_executed(write, tmp_path, monkeypatch, name):
    """Neither as an object array nor under another name."""
    monkeypatch.chdir(tmp_path)
    array = np.array([Payload()], dtype=object)
    file = io.BytesIO()
    np.savez(file, a=array)
    for content in (npy(array, allow_pickle=True), file.getvalue()):
        for reader in (read_table, lambda path: read_table(path, lazy=True), lambda path: list(batches(path))):
            with pytest.raises(DataError):
                reader(write(content, name))
    assert not (tmp_path / "owned").exists()


def test_a_row_count_that_is_forged(write):
    """A Feather file of nulls can claim any number of rows in a few bytes: no column is made of it."""
    schema = pa.schema([("a", pa.null())])
    file = io.BytesIO()
    with pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch([pa.nulls(2**29)], schema=schema))
    path = write(file.getvalue(), "x.feather")
    stored = read_table(path)
    assert isinstance(stored, StoredTable)
    assert len(stored) == 2**29
    with pytest.raises(DataError, match="must take at most 2,147,483,648 bytes"):
        stored.column("a")
    with pytest.raises(DataError, match="must unpack to at most"):
        read_table(path, lazy=False)


@pytest.mark.parametrize("content", [b"FEA1" + struct.pack("<I", 0) + b"FEA1", b"ARROW1\0\0", b"PAR1PAR1", b"\0" * 100])
@pytest.mark.parametrize("name", ["x.feather", "x.parquet", "x.arrow", "x.pq", "x.ipc"])
def test_what_only_begins_like_a_file(write, content, name):
    """Is damaged, and is told to be."""
    with pytest.raises(FileFormatError, match="cannot be read as"):
        read_table(write(content, name))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".npy", ".npz", ".parquet", ".feather"])
def test_pipes_and_devices_are_not_waited_for(tmp_path, suffix):
    """Of any format, by either way in."""
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"empty{suffix}").write_bytes(b"")
    for reader in (read_table, lambda path: list(batches(path))):
        for name in ("pipe", "zero"):
            with pytest.raises(OSError, match="pipe or device"):
                reader(tmp_path / f"{name}{suffix}")
        with pytest.raises(FileFormatError, match="is empty"):
            reader(tmp_path / f"empty{suffix}")
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / f"missing{suffix}")
