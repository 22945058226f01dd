"""Text in one pass, gzip, standard input and data frames."""

import gzip
import io
import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest
import torch

from divergences.errors import DataError, FileFormatError
from divergences.files import StoredTable, Table, _source, _stream, batches, from_frame, read_table
from divergences.profiles import Profile


def told(table: Table) -> dict[str, list]:
    """The cells of every column in words or numbers, whatever the codes."""
    return {
        c.name: [None if np.isnan(v) else v for v in c.values.tolist()]
        if c.measured
        else [c.categories[code] if code >= 0 else None for code in c.values]
        for c in table.columns
    }


def joined(parts) -> dict[str, list]:
    """The same of consecutive tables."""
    seen: dict[str, list] = {}
    for part in parts:
        for name, cells in told(part).items():
            seen.setdefault(name, []).extend(cells)
    return seen


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of three rows, pieces of forty bytes."""
    monkeypatch.setattr(_stream, "CELLS", 0)
    monkeypatch.setattr(_stream, "FEWEST", 3)
    monkeypatch.setattr("divergences.files._text.PARSED", 40)


@pytest.fixture
def give(monkeypatch):
    """Put bytes on standard input, as a pipe that cannot be rewound."""

    class Pipe(io.BytesIO):
        def seek(self, *_):
            raise io.UnsupportedOperation("underlying stream is not seekable")

        tell = seek

    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Pipe(data)))

    return give


TEXT = (
    'n,when,ok,word\n1,2020-01-01,yes,"a\nb"\n-2.5,,no, é\n\n,2020-01-02T00:00Z,,x\n4,NA,Yes,"q""q"\n5,,no,\n6,,no,x\n'
)


@pytest.mark.parametrize("rows", [1, 2, 10])
def test_a_pass_over_text_gives_the_table(write, give, small_blocks, rows):
    """From a file, from gzip and from standard input, in batches of any length."""
    expected = told(read_table(write(TEXT)))
    packed = gzip.compress(TEXT.encode())
    assert joined(batches(write(TEXT), rows=rows)) == expected
    assert joined(batches(write(packed, "x.csv.gz"), rows=rows)) == expected
    for data in (TEXT.encode(), packed):
        give(data)
        assert joined(batches("-", rows=rows)) == expected
        give(data)
        assert told(read_table("-")) == expected
    assert told(read_table(write(packed, "y.csv.gz"))) == expected
    assert all(len(batch) <= rows for batch in batches(write(TEXT), rows=rows))


def test_columns_delimiter_and_categories_of_a_pass(write, small_blocks):
    """As for a table."""
    path = write("a;b;c\n" + "01;x;1\n" * 10)
    found = list(batches(path, delimiter=";", columns=["c", "a"], categories=["a"]))
    assert joined(found) == {"c": [1.0] * 10, "a": ["01"] * 10}
    tabs = write(gzip.compress(b"a\tb\n1\t2\n"), "x.tsv.gz")
    assert joined(batches(tabs)) == told(read_table(tabs)) == {"a": [1.0], "b": [2.0]}
    with pytest.raises(DataError, match=r"no column 'aa'\. Did you mean"):
        list(batches(path, delimiter=";", categories=["aa"]))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1"] * 9 + ["x"], "line 13, column 'a': 'x' is not a finite number"),
        (["2020-01-01"] * 9 + ["1"], "line 13, column 'a': '1' is not a date"),
        (["yes"] * 9 + ["maybe"], "line 13, column 'a': 'maybe' is not true, false, yes or no"),
        (["1"] * 9 + ["2,3"], r"line 13 has 3 fields, expected 2"),
    ],
)
def test_a_later_block_of_another_kind_is_named_by_its_line(write, give, small_blocks, cells, message):
    """Quotes and blank lines before it count; on a pipe it is the row if there were any."""
    text = f'a,b\n\n"{cells[0]}",1\n\n' + "".join(f"{cell},1\n" for cell in cells[1:])
    for content, name in ((text.encode(), "data.csv"), (gzip.compress(text.encode()), "data.csv.gz")):
        with pytest.raises(DataError, match=rf"{name}'?: {message}"):
            list(batches(write(content, name)))
    give(text.encode())
    with pytest.raises(DataError, match="'standard input': " + message.replace("line 13", "row 10")):
        list(batches("-"))
    plain = "a,b\n" + "".join(f"{cell},1\n" for cell in cells)
    give(plain.encode())
    with pytest.raises(DataError, match="'standard input': " + message.replace("line 13", "line 11")):
        list(batches("-"))


@pytest.mark.parametrize(("cell", "kind"), [("red", "category"), ("2020-01-01", "date"), ("yes", "boolean")])
def test_blocks_of_gaps_decide_no_kind(write, small_blocks, cell, kind):
    """The first value does, however late; and what follows is judged by it."""
    path = write("a,b\n" + ",1\n" * 30 + f"{cell},1\n" + ",1\n" * 30)
    profile = Profile.of(batches(path))
    assert profile.columns["a"].kind == kind == read_table(path).kinds["a"]
    assert (profile.columns["a"].n, profile.columns["a"].missing) == (1, 60)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n\n", "has no rows"),
        (b"a,b\n", "a header and no rows"),
        ("a\n1\n".encode("utf-16"), "UTF-16"),
        (b"a\n" + b"1\n" * 100 + b"\xe9\n", "line 102 has the byte 0xe9"),
        (b"a\n" + b"1\n" * 100 + b"\0\n", "NUL byte at offset 202"),
        (b"a\n" + b"1\n" * 100 + "é".encode()[:1], "line 102 has the byte 0xc3"),
        (b"a,1\n2,3\n", "mixes text"),
        (b"a,a\n2,3\n", "two columns named 'a'"),
    ],
)
def test_what_is_no_table_is_no_pass(write, small_blocks, content, message):
    """In the words of `read_table`."""
    for reader in (lambda path: list(batches(path)), read_table):
        with pytest.raises(DataError, match=message):
            reader(write(content))
        with pytest.raises(DataError, match=message):
            reader(write(gzip.compress(content), "x.csv.gz"))


def test_a_byte_order_mark_is_no_part_of_a_name(write):
    """Nor of a number."""
    assert joined(batches(write("\ufeffa\n1\n"))) == {"a": [1.0]}


def test_characters_may_straddle_pieces(write, monkeypatch):
    """A character of three bytes at every offset of a piece."""
    for shift, size in itertools.product(range(3), (7, 8)):
        monkeypatch.setattr("divergences.files._text.PARSED", size)
        text = "a\n" + "x" * shift + "\n" + "€€\n" * 20
        assert joined(batches(write(text)))["a"][1 if shift else 0 :] == ["€€"] * 20


def test_a_text_that_changes_is_refused(write):
    """When the pass is over at the latest."""
    path = write("a\n" + "1\n" * 10)
    passing = batches(path, rows=5)
    next(passing)
    path.write_text("a\n" + "1\n" * 11)
    with pytest.raises(DataError, match="changed while it was read"):
        list(passing)


def test_a_file_that_changes_under_the_reader_is_refused(write, monkeypatch):
    """Also where everything is read at once."""
    path = write("a\n1\n")
    read = _source._at_most

    def slow(*arguments):
        data = read(*arguments)
        path.write_text("a\n1\n2\n")
        return data

    monkeypatch.setattr(_source, "_at_most", slow)
    for reader in (read_table, _source.read_bytes):
        path.write_text("a\n1\n")
        with pytest.raises(DataError, match="changed while it was read"):
            reader(path)


# --------------------------------------------------------------------------------------------- gzip, standard input


def test_gzip_bombs_are_refused(write):
    """By their ratio, and by the size they unpack to; honest files with many equal rows are not."""
    rows = b"a,b\n" + b"1,2\n" * 300_000
    packed = gzip.compress(rows)
    assert len(rows) / len(packed) > 500
    path = write(packed, "x.csv.gz")
    assert len(read_table(path)) == 300_000
    with pytest.raises(DataError, match="unpacked,' must be at most 1,000,000 bytes"):
        read_table(path, max_bytes=1_000_000)
    bomb = write(gzip.compress(b"a\n" + b"1\n" * 40_000_000), "bomb.csv.gz")
    for reader in (read_table, lambda path: list(batches(path))):
        with pytest.raises(FileFormatError, match="unpacks to more than 250 times its size: it is a bomb"):
            reader(bomb)


def test_a_bomb_is_not_unpacked(write):
    """A gigabyte in a megabyte is refused after a few of its bytes."""
    import tracemalloc

    part = gzip.compress(b"a\n" + b"\n" * 50_000_000)
    path = write(part * 20, "bomb.csv.gz")
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="it is a bomb"):
        read_table(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e8


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x1f\x8b", gzip.compress(b"a\n1\n")[:-4]])
def test_gzip_that_is_none(write, content):
    """Empty, plain, cut: each an error with the name."""
    for reader in (read_table, lambda path: list(batches(path))):
        with pytest.raises(FileFormatError, match=r"x\.csv\.gz' (is empty|cannot be read as gzip)"):
            reader(write(content, "x.csv.gz"))


def test_gzip_in_several_members(write):
    """As `cat a.gz b.gz` makes it."""
    content = gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")
    assert told(read_table(write(content, "x.csv.gz"))) == {"a": [1.0, 2.0]}


@pytest.mark.parametrize("name", ["x.csv", "x.npy", "x.npz", "x.parquet", "x.feather"])
def test_the_first_bytes_of_standard_input_decide(tmp_path, give, name):
    """Every format comes through a pipe."""
    path = tmp_path / name
    frame = pa.table({"column_1": [1.0, 2.0]})
    {
        ".csv": lambda: path.write_text("1\n2\n"),
        ".npy": lambda: np.save(path, np.array([1.0, 2.0])),
        ".npz": lambda: np.savez(path, column_1=np.array([1.0, 2.0])),
        ".parquet": lambda: parquet.write_table(frame, path),
        ".feather": lambda: feather.write_feather(frame, path),
    }[path.suffix]()
    for reader in (told, lambda table: joined(table.batches(1))):
        give(path.read_bytes())
        assert reader(read_table("-")) == {"column_1": [1.0, 2.0]}
    give(path.read_bytes())
    assert joined(batches("-", rows=1)) == {"column_1": [1.0, 2.0]}
    give(path.read_bytes())
    with pytest.raises(DataError, match="'standard input' must be at most 2 bytes"):
        read_table("-", max_bytes=2)


def test_an_empty_standard_input(give):
    """Is an error, not a table without rows."""
    for reader in (read_table, lambda path: list(batches(path))):
        give(b"")
        with pytest.raises(FileFormatError, match=r"'standard input' (is empty|has no rows)"):
            reader("-")


# --------------------------------------------------------------------------------------------------------- frames


class Interchange:
    """A frame that speaks the interchange protocol alone."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True):
        return self._table.__dataframe__(nan_as_null, allow_copy)


class Batch:
    """A frame that speaks Arrow's array protocol alone."""

    def __init__(self, table: pa.Table) -> None:
        self._batch = table.to_batches()[0]

    def __arrow_c_array__(self, requested_schema=None):
        return self._batch.__arrow_c_array__(requested_schema)


FRAME = pa.table({"n": [1.5, None], "w": ["x", None], "b": [True, False]})
CELLS = {"n": [1.5, None], "w": ["x", None], "b": ["true", "false"]}


@pytest.mark.parametrize("make", [lambda t: t, Interchange, Batch, lambda t: t.to_pydict(), lambda t: t.to_reader()])
def test_frames_of_every_protocol(make):
    """The same table from each."""
    assert told(from_frame(make(FRAME), "frame")) == CELLS
    assert from_frame(make(FRAME), "frame", columns=["w"]).names == ("w",)
    with pytest.raises(DataError, match="no column 'ww'"):
        from_frame(make(FRAME), "frame", categories=["ww"])
    assert from_frame(make(FRAME), "frame", categories=["n"]).kinds["n"] == "category"


def test_frames_of_pandas():
    """Filtered, so that it has an index; with categoricals and its several kinds of gaps."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": [0.0, 1.5, np.nan],
            "w": ["-", "x", None],
            "c": pandas.Categorical(["-", "x", None]),
            "d": pandas.to_datetime(["2020-01-01", "1970-01-02", None]),
            "i": pandas.array([0, 1, None], dtype="Int64"),
        }
    )
    kept = frame[frame["n"] != 0]
    expected = {"n": [1.5, None], "w": ["x", None], "c": ["x", None], "d": [86400.0, None], "i": [1.0, None]}
    assert told(from_frame(kept, "frame")) == expected
    assert told(from_frame({name: kept[name] for name in kept}, "frame")) == expected
    mixed = pandas.DataFrame({"m": [1, "x"]})
    with pytest.raises(DataError, match="'frame' must be a frame of plain columns"):
        from_frame(mixed, "frame")


def test_mappings_of_arrays():
    """NumPy, torch and lists side by side; none is changed."""
    array = np.array([1.0, 2.0])
    array.flags.writeable = False
    columns = {
        "a": array[::-1],
        "t": torch.tensor([1, 2]),
        "l": ["x", None],
        "d": np.array(["1970-01-02", "NaT"], "M8[D]"),
    }
    assert told(from_frame(columns, "x")) == {"a": [2.0, 1.0], "t": [1.0, 2.0], "l": ["x", None], "d": [86400.0, None]}
    table = from_frame({"a": array}, "x")
    table.columns[0].values[0] = 7.0
    assert array[0] == 1.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "must be a data frame or a mapping of names to columns; got int"),
        ({}, "must hold columns of one length, at least 1; got none"),
        ({"a": []}, "must hold columns of one length, at least 1; got 'a' 0"),
        ({"a": [1], "b": [1, 2]}, "one length, at least 1; got 'a' 1, 'b' 2"),
        ({"a": [1, "x"]}, "column 'a' must be a 1-D array of one type"),
        ({"a": [[1, 2]]}, "column 'a' must hold numbers, dates, booleans or text; it holds list"),
        ({"a": 3}, "column 'a' must be a 1-D array of one type"),
        ({"a": np.ones((2, 2))}, r"column 'a' must be a plain 1-D array; got ndarray of shape \(2, 2\)"),
        ({"a": np.ma.masked_array([1.0], [True])}, "column 'a' must be a plain 1-D array; got MaskedArray"),
        ({"a": np.array([1j])}, "column 'a' must hold numbers, .*complex128"),
        ({"a": torch.tensor([1j])}, "column 'a' must be a dense tensor of real numbers"),
        ({"a": [1], 1: [1], "1": [2]}, "two columns named '1'"),
        (pa.table({"a": pa.array([], pa.float64())}), "must have rows and columns; got 0 x 1"),
        (pa.table({}), "must have rows and columns; got 0 x 0"),
        (pa.chunked_array([[1, 2]]), "must be a frame of plain columns"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), "two columns named 'a'"),
    ],
)
def test_what_is_no_frame(value, message):
    """Each in its own words, with the name it was given."""
    with pytest.raises(DataError, match=message) as caught:
        from_frame(value, "REF")
    assert "REF" in str(caught.value)


def test_a_frame_whose_library_fails():
    """An error of its own becomes ours."""

    class Broken:
        def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True):
            raise NotImplementedError("not today")

    with pytest.raises(DataError, match="'REF' cannot be exchanged as a data frame: not today"):
        from_frame(Broken(), "REF")


def test_a_table_is_a_frame(tmp_path):
    """One on disk, too, which stays there."""
    parquet.write_table(FRAME, tmp_path / "x.parquet")
    stored = read_table(tmp_path / "x.parquet", lazy=True)
    assert isinstance(from_frame(stored, "x", columns=["w"]), StoredTable)
