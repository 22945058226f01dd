"""Reading tables: what is accepted, and in which words everything else is refused."""

import io
import os
import stat
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import Table, from_arrow, read_table


@pytest.fixture
def write(tmp_path: Path):
    """Write bytes or text under a name, and return the path."""

    def write(content: bytes | str, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def npy(array: np.ndarray, **options) -> bytes:
    """The bytes `numpy.save` writes."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


# ------------------------------------------------------------------------------------------------------ text


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4\r\n",
        "\ufeffa,b\n1,2\n3,4",
        '"a","b"\n"1","2"\n3,4\n',
        "a,b\n\n1,2\n\n3,4\n\n",
        " a , b \n 1 ,\t2\n+3,4.0\n",
        "a,b\n1e0,.2e1\n3.,0.4E+1\n",
    ],
)
def test_the_same_table_in_many_spellings(write, content):
    """BOM, CRLF, quotes, blank lines, spaces, signs and exponents change nothing."""
    table = read_table(write(content))
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


def test_a_file_without_a_header_gets_numbered_columns(write):
    """A first row of numbers is data."""
    table = read_table(write("1,2\n3,4\n"))
    assert table.names == ("column_1", "column_2")
    assert table.values.shape == (2, 2)


def test_missing_cells_become_nan(write):
    """Empty, NA, NaN and null are missing, not zero and not an error."""
    values = read_table(write("a,b\n1,\nNA,2\nnan,NULL\n")).values
    np.testing.assert_array_equal(np.isnan(values), [[False, True], [True, False], [True, True]])


def test_columns_are_chosen_by_name_and_in_order(write):
    """A text column that is not chosen is not judged; a typo is answered with the nearest name."""
    path = write("name,age,height\nann,31,1.7\nbob,27,1.8\n")
    np.testing.assert_array_equal(read_table(path, columns=["height", "age"]).values, [[1.7, 31], [1.8, 27]])
    with pytest.raises(DataError, match=r"no column 'hight'\. Did you mean 'height'"):
        read_table(path, columns=["hight"])
    with pytest.raises(DataError, match="each given once"):
        read_table(path, columns=["age", "age"])
    with pytest.raises(DataError, match=r"line 2, column 'name': the column holds text.*--columns"):
        read_table(path)


@pytest.mark.parametrize("cell", ["1_000", "0x10", "１２", "abc", "1.2.3", "--1", "inf", "1 2", "True", "1e", "."])
def test_what_is_not_a_number_is_named_with_its_place(write, cell):
    """Line (after quotes and blank lines), column and value; never NaN by stealth."""
    path = write(f'a,b\n1,2\n\n"3\n",4\n5,6\n7,{cell}\n')
    with pytest.raises(DataError, match=r"data\.csv': line 7, column 'b': .* is not a finite number") as caught:
        read_table(path)
    assert repr(cell) in str(caught.value)


def test_a_number_beyond_float64_is_refused(write):
    """1e400 is an error, not infinity."""
    with pytest.raises(DataError, match=r"line 3, column 'a': '1e400' is beyond the range of float64"):
        read_table(write("a\n1\n1e400\n"))


def test_decimal_commas_are_recognised(write):
    """With the semicolon as delimiter the comma shows up inside the cell."""
    path = write("a;b\n1,5;2\n2,5;3\n3;4\n1;1\n2;2\n")
    with pytest.raises(FileFormatError, match=r"separated by ','; its first line has ';' instead. Pass --delim"):
        read_table(path)
    with pytest.raises(DataError, match=r"line 2, column 'a': '1,5' is not a finite number\. .*decimal comma"):
        read_table(path, delimiter=";")


def test_a_ragged_row_is_named(write):
    """Its line, its number of fields, and the number expected."""
    with pytest.raises(FileFormatError, match=r"line 4 has 3 fields, expected 2"):
        read_table(write("a,b\n1,2\n\n3,4,5\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "has no rows"),
        (b"a,b\n", "a header and no rows"),
        ("a\n1\n".encode("utf-16"), "UTF-16"),
        ("a\n1\n".encode("utf-16-be"), "NUL byte at offset 0"),
        ("é\n1\n".encode("latin-1"), "line 1 has the byte 0xe9.*Latin-1"),
        (b"a,b\n1,\x002\n", "NUL byte at offset 6"),
        (b"a,a\n1,2\n", "two columns named 'a'"),
        (b"abc,1\n2,3\n", "mixes text"),
    ],
)
def test_files_that_are_not_a_table(write, content, message):
    """Each gets its own sentence."""
    with pytest.raises(DataError, match=message):
        read_table(write(content))


def test_the_byte_at_fault_is_found_behind_a_byte_order_mark(write):
    """Its line and its value, not those three bytes earlier."""
    with pytest.raises(FileFormatError, match="line 3 has the byte 0xe9"):
        read_table(write(b"\xef\xbb\xbfa\n1\n\xe9\n"))


def test_a_long_path_is_shortened_before_its_name(write, tmp_path):
    """What names the file is the end of the path."""
    (tmp_path / ("a" * 200)).mkdir()
    with pytest.raises(FileFormatError, match=r"…a+/data\.csv' is empty"):
        read_table(write("", f"{'a' * 200}/data.csv"))


def test_tabs_are_the_delimiter_of_tsv(write):
    """The suffix decides, and a delimiter can be given."""
    assert read_table(write("a\tb\n1\t2\n", "x.tsv")).names == ("a", "b")
    assert read_table(write("a|b\n1|2\n"), delimiter="|").names == ("a", "b")
    with pytest.raises(DataError, match="delimiter must be one plain character"):
        read_table(write("a\n1\n"), delimiter="::")


# ------------------------------------------------------------------------------------------------- file system


def test_the_file_system_is_an_oserror(tmp_path):
    """Missing, folder, pipe and device: an OSError at once, never a hang."""
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "missing.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        read_table(tmp_path / "folder.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(OSError, match="pipe or device"):
        read_table(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="pipe or device"):
        read_table(tmp_path / "zero.csv")


@pytest.fixture
def _not_root():
    """Be nobody for the test, where it runs as root, who may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_no_permission_is_an_oserror(write, request):
    """As the system says it."""
    path = write("a\n1\n")
    path.chmod(stat.S_IWUSR)
    request.getfixturevalue("_not_root")
    with pytest.raises(PermissionError):
        read_table(path)


def test_size_and_suffix_are_limits(write):
    """A file beyond max_bytes is refused after max_bytes + 1 bytes, an unknown suffix before any."""
    with pytest.raises(DataError, match="at most 4 bytes"):
        read_table(write("a\n1\n2\n"), max_bytes=4)
    with pytest.raises(FileFormatError, match="must end in one of"):
        read_table(write("a", "model.pkl"))


# ------------------------------------------------------------------------------------------------------ binary


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
        (np.array(["a"]), "dtype '<U1'"),
        (np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "records"),
        (np.array(1.0), "shape"),
        (np.zeros((2, 2, 2)), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "dtype"),
    ],
)
def test_npy_of_anything_else_is_refused(write, array, message):
    """Objects are never unpickled; complex parts are never dropped."""
    with pytest.raises(DataError, match=message):
        read_table(write(npy(array, allow_pickle=True), "x.npy"))


def test_a_pickle_under_another_name_is_not_executed(write, tmp_path):
    """The content decides, and it is not a .npy array."""
    evil = b"cposix\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR."
    for name in ("x.npy", "x.npz", "x.csv", "x.parquet"):
        with pytest.raises(DataError):
            read_table(write(evil, name))
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
    """Numbers and booleans are read, null is NaN, text is refused by name unless not chosen."""
    content = parquet_bytes(pa.table({"a": [1, 2, None], "b": [True, False, True], "name": ["x", "y", "z"]}))
    path = write(content, "x.parquet")
    np.testing.assert_array_equal(read_table(path, columns=["b", "a"]).values, [[1, 1], [0, 2], [1, np.nan]])
    with pytest.raises(DataError, match=r"column 'name' must hold numbers; it holds string.*--columns"):
        read_table(path)
    with pytest.raises(DataError, match="at most 10 bytes"):
        read_table(write(parquet_bytes(pa.table({"a": np.zeros(10**5)})), "big.parquet"), max_bytes=10)
    zeros = parquet_bytes(pa.table({"a": np.zeros(10**5)}))  # a few hundred bytes that unpack to 800,000
    with pytest.raises(DataError, match="must unpack to at most 100,000 bytes"):
        read_table(write(zeros, "bomb.parquet"), max_bytes=100_000)


def test_frames_through_the_arrow_protocol():
    """Whatever has `__arrow_c_stream__` is a table; dates are refused by name."""

    class Frame:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.table({"a": [1.5, 2.5]}).__arrow_c_stream__(requested_schema)

    table = from_arrow(Frame(), "frame")
    assert isinstance(table, Table)
    np.testing.assert_array_equal(table.values, [[1.5], [2.5]])
    dates = pa.table({"when": pa.array([0, 1], type=pa.date32())})
    with pytest.raises(DataError, match="column 'when' must hold numbers; it holds date32"):
        from_arrow(dates, "frame")


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
            assert table.values.shape[1] == len(table.names)
    assert all(name in message for message in messages)
    assert len(messages) > len(content) / 2
