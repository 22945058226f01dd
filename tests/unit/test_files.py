"""Reading tables: what is accepted, and in which words everything else is refused."""

import os
import stat

import numpy as np
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import read_table

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
    with pytest.raises(DataError, match=r"column 'name' must hold numbers; it is a category.*'ann'.*--columns"):
        assert read_table(path).values is None


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
    """Missing, pipe and device: an OSError at once, never a hang."""
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "missing.csv")
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
