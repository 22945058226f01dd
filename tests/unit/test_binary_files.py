"""Reading .npy, .npz and Parquet files, and damaged files of every format."""

import io
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import Table, from_arrow, read_table


def npy(array: np.ndarray, **options) -> bytes:
    """The bytes `numpy.save` writes."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(3, 2),
        np.asfortranarray(np.arange(6.0).reshape(3, 2)),
        np.arange(6).reshape(3, 2).astype(">i4"),
        np.arange(6).reshape(3, 2).astype(np.float16),
        np.arange(6, dtype=np.uint8).reshape(3, 2),
    ],
)
def test_npy_of_any_layout(write, array):
    """Byte order, memory order and width do not matter."""
    np.testing.assert_array_equal(read_table(write(npy(array), "x.npy")).values, [[0, 1], [2, 3], [4, 5]])


def test_npy_in_one_dimension_is_one_column(write):
    """And bool counts as 0 and 1."""
    np.testing.assert_array_equal(read_table(write(npy(np.array([True, False])), "x.npy")).values, [[1], [0]])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{"a": 1}], dtype=object), r"dtype '\|O'"),
        (np.array([1 + 2j]), "dtype '<c16'"),
        (np.array([b"a"]), r"dtype '\|S1'"),
        (np.array([(1, [2.0, 3.0])], dtype=[("a", "i4"), ("b", "f8", 2)]), "records"),
        (np.array([(1, 2.0)], dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)), "records"),
        (np.array(1.0), "shape"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.array(["2020-01"], dtype="datetime64[M]"), "dtype"),
        (np.array([1.0], dtype=np.longdouble), "dtype"),
    ],
)
def test_npy_of_anything_else_is_refused(write, array, message):
    """Objects are never unpickled; complex parts are never dropped."""
    with pytest.raises(DataError, match=message):
        read_table(write(npy(array, allow_pickle=True), "x.npy"))


def test_a_pickle_under_another_name_is_not_executed(write, tmp_path):
    """The content decides, and it is not a .npy array; as text it is words."""
    evil = b"cposix\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR."
    for name in ("x.npy", "x.npz", "x.parquet"):
        with pytest.raises(DataError):
            read_table(write(evil, name))
    assert read_table(write(evil, "x.csv")).columns[0].categories[1] == "system"
    assert not (tmp_path / "owned").exists()


def test_a_forged_shape_allocates_nothing(write):
    """A header that promises 32 GiB is compared with the file before anything is believed."""
    forged = npy(np.zeros((2, 2))).replace(b"(2, 2), }        ", b"(65536, 65536), }")
    with pytest.raises(FileFormatError, match=r"promises 34,359,738,368 bytes.*has 32"):
        read_table(write(forged, "x.npy"))
    with pytest.raises(FileFormatError, match=r"promises 32 bytes.*has 40"):
        read_table(write(npy(np.zeros((2, 2))) + b" " * 8, "x.npy"))
    with pytest.raises(FileFormatError, match="header of at most 10,000 bytes"):
        read_table(write(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b" " * 100, "x.npy"))


def test_npz_as_one_matrix_or_as_columns(write):
    """Names of 1-D members become columns."""
    file = io.BytesIO()
    np.savez(file, age=np.array([31, 27]), height=np.array([1.7, 1.8]))
    table = read_table(write(file.getvalue(), "x.npz"), columns=["height"])
    np.testing.assert_array_equal(table.values, [[1.7], [1.8]])
    file = io.BytesIO()
    np.savez_compressed(file, anything=np.ones((4, 2)))
    assert read_table(write(file.getvalue(), "x.npz")).names == ("column_1", "column_2")
    file = io.BytesIO()
    np.savez(file, a=np.ones(3), b=np.ones(4))
    with pytest.raises(FileFormatError, match="of one length"):
        read_table(write(file.getvalue(), "x.npz"))


@pytest.mark.parametrize("name", ["../../x.npy", "a/b.npy", "x.pkl", "..\\x.npy"])
def test_npz_members_with_paths_are_refused(write, name):
    """Nothing is extracted, and such a name is not even read."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, npy(np.ones(3)))
    with pytest.raises(FileFormatError, match=r"only NAME\.npy members"):
        read_table(write(file.getvalue(), "x.npz"))


def test_a_zip_bomb_is_refused(write):
    """By its ratio, and by the size it declares."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", npy(np.zeros(10**6)))
    path = write(file.getvalue(), "x.npz")
    with pytest.raises(FileFormatError, match="zip bomb"):
        read_table(path)
    with pytest.raises(FileFormatError, match="unpack to at most 100,000"):
        read_table(path, max_bytes=100_000)


def parquet_bytes(table: pa.Table) -> bytes:
    """The bytes of a Parquet file."""
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def test_parquet(write):
    """Every column has the kind of its type, null is missing, and what has no kind is refused by name."""
    content = {"a": [1, 2, None], "b": [True, False, None], "name": ["y", None, "x"], "list": [[1], [2], [3]]}
    path = write(parquet_bytes(pa.table(content)), "x.parquet")
    b, a, name = read_table(path, columns=["b", "a", "name"]).columns
    assert (b.kind, b.values.tolist(), b.categories) == ("boolean", [1, 0, -1], ("false", "true"))
    np.testing.assert_array_equal(a.values, [1, 2, np.nan])
    assert (name.kind, name.values.tolist(), name.categories) == ("category", [1, -1, 0], ("x", "y"))
    with pytest.raises(DataError, match=r"column 'list' must hold numbers, dates.*it holds list<.*--columns"):
        read_table(path)
    with pytest.raises(DataError, match="at most 10 bytes"):
        read_table(write(parquet_bytes(pa.table({"a": np.zeros(10**5)})), "big.parquet"), max_bytes=10)
    zeros = parquet_bytes(pa.table({"a": np.zeros(10**5)}))  # a few hundred bytes that unpack to 800,000
    with pytest.raises(DataError, match="must unpack to at most 100,000 bytes"):
        read_table(write(zeros, "bomb.parquet"), max_bytes=100_000)


def test_frames_through_the_arrow_protocol():
    """Whatever has `__arrow_c_stream__` is a table."""

    class Frame:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.table({"a": [1.5, 2.5]}).__arrow_c_stream__(requested_schema)

    table = from_arrow(Frame(), "frame")
    assert isinstance(table, Table)
    np.testing.assert_array_equal(table.values, [[1.5], [2.5]])


# ------------------------------------------------------------------------------------------------------ damage


def small_files() -> dict[str, bytes]:
    """One small valid file of each format."""
    archive = io.BytesIO()
    np.savez_compressed(archive, a=np.arange(3.0), b=np.arange(3))
    return {
        "x.csv": b'a,"b"\r\n1,2.5\n-3e2,\n',
        "x.tsv": b"a\tb\n1\t2\n",
        "x.npy": npy(np.arange(4.0).reshape(2, 2)),
        "x.npz": archive.getvalue(),
        "x.parquet": parquet_bytes(pa.table({"a": [1.0, 2.0]})),
    }


@pytest.mark.parametrize("name", small_files())
def test_every_truncation_and_every_flipped_byte_is_judged(tmp_path, name):
    """A damaged file is our error or a valid table, never another exception."""
    path, content = tmp_path / name, small_files()[name]
    damaged = [content[:n] for n in range(len(content))]
    damaged += [content[:i] + bytes([b ^ flip]) + content[i + 1 :] for i, b in enumerate(content) for flip in (1, 255)]
    messages = []
    for version in damaged:
        path.write_bytes(version)
        try:
            table = read_table(path)
        except DataError as error:
            messages.append(str(error))
        else:
            assert all(len(column.values) == len(table) for column in table.columns)
    assert all(name in message for message in messages)
    assert len(messages) > len(content) / 2
