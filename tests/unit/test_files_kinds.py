"""Numbers, dates, booleans and categories: what every reader makes of a column."""

import datetime
import decimal
import io
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import Column, from_arrow, read_table

DAY = 86400.0


def one(frame: pa.Array, **options) -> Column:
    """The column that an Arrow array becomes."""
    return from_arrow(pa.table({"a": frame}), "frame", **options).columns[0]


def told(column: Column) -> list[str | None]:
    """The cells of a column of categories in words."""
    return [column.categories[code] if code >= 0 else None for code in column.values]


# ----------------------------------------------------------------------------------------------------- Arrow


@pytest.mark.parametrize(
    ("array", "kind", "values"),
    [
        (pa.array([1, None, -3], pa.int8()), "number", [1, np.nan, -3]),
        (pa.array([2**64 - 1], pa.uint64()), "number", [2.0**64]),
        (pa.array([-(2**63)], pa.int64()), "number", [-(2.0**63)]),
        (pa.array([1.5, None, float("nan"), float("inf")], pa.float16()), "number", [1.5, np.nan, np.nan, np.inf]),
        (pa.array([decimal.Decimal("1.25"), None], pa.decimal128(9, 2)), "number", [1.25, np.nan]),
        (pa.array([decimal.Decimal("-1.5")], pa.decimal256(50, 2)), "number", [-1.5]),
        (pa.nulls(2), "number", [np.nan, np.nan]),
        (pa.array([1, None, -1], pa.date32()), "date", [DAY, np.nan, -DAY]),
        (pa.array([86400000, None], pa.date64()), "date", [DAY, np.nan]),
        (pa.array([1, None, -1], pa.timestamp("s")), "date", [1, np.nan, -1]),
        (pa.array([1500, -1500], pa.timestamp("ms", "UTC")), "date", [1.5, -1.5]),
        (pa.array([1, -1], pa.timestamp("ns")), "date", [1e-9, -1e-9]),
        (pa.array([1, None], pa.time32("s")), "number", [1, np.nan]),
        (pa.array([250], pa.time64("us")), "number", [0.00025]),
        (pa.array([-1500], pa.duration("ms")), "number", [-1.5]),
    ],
)
def test_arrow_types_that_are_measured(array, kind, values):
    """Numbers, instants in seconds since 1970, durations in seconds; null and NaN are missing, infinity is not."""
    column = one(array)
    assert (column.kind, column.categories, column.values.dtype) == (kind, (), np.float64)
    np.testing.assert_array_equal(column.values, values)


def test_an_instant_does_not_depend_on_its_zone():
    """Noon in Berlin is the instant that the standard library says."""
    noon = datetime.datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    for zone in ("Europe/Berlin", "UTC", "America/New_York"):
        assert one(pa.array([noon], pa.timestamp("us", zone))).values[0] == noon.timestamp()


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["b", None, "a", "b"]),
        pa.array(["b", None, "a", "b"], pa.large_string()),
        pa.array(["b", None, "a", "b"], pa.string_view()),
        pa.array(["b", None, "a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["b", None, "a", "b"])),
        pa.chunked_array([pa.array(["b", None]), pa.array(["a", "b"])]),
        pa.chunked_array([pa.array(["b", None]).dictionary_encode(), pa.array(["a", "b"]).dictionary_encode()]),
        pa.chunked_array(
            [
                pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([None, "b"])),
                pa.DictionaryArray.from_arrays(pa.array([1, 2]), pa.array([None, "a", "b", "never"])),
            ]
        ),
    ],
)
def test_every_spelling_of_text_is_the_same_category(array):
    """Categories are sorted, each once, and only those in use."""
    column = one(array)
    assert (column.kind, column.categories, column.values.tolist()) == ("category", ("a", "b"), [1, -1, 0, 1])
    assert column.values.dtype == np.int32


def test_dictionaries_of_numbers_are_categories():
    """As pandas' categoricals are; a NaN in the dictionary is missing."""
    assert told(one(pa.array([5, None, 4]).dictionary_encode())) == ["5", None, "4"]
    assert told(one(pa.array([5.5, float("nan"), 4]).dictionary_encode())) == ["5.5", None, "4"]


def test_booleans_of_arrow():
    """False is 0 and true is 1."""
    column = one(pa.array([True, None, False]))
    assert (column.kind, column.categories, column.values.tolist()) == ("boolean", ("false", "true"), [1, -1, 0])


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (pa.array([1, None, 2**63 - 1, 2**63 - 2]), ["1", None, str(2**63 - 1), str(2**63 - 2)]),
        (pa.array([1.0, None, float("nan"), 2.0]), ["1", None, None, "2"]),
        (pa.array([1.5, -0.0]), ["1.5", "0"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([0], pa.date32()), ["1970-01-01"]),
        (pa.nulls(2), [None, None]),
        (pa.array(["x"]), ["x"]),
    ],
)
def test_any_column_can_be_read_as_categories(array, words):
    """Codes keep all their digits: two ids that float64 would round to one stay two."""
    column = one(array, categories=["a"])
    assert column.kind == "category"
    assert told(column) == words


@pytest.mark.parametrize(
    "array",
    [pa.array([[1]]), pa.array([b"x"]), pa.array([{"x": 1}]), pa.array([b"x"], pa.binary(1))],
)
def test_types_without_a_kind_are_refused(array):
    """By the name of the column, with a way out."""
    with pytest.raises(DataError, match=r"'frame': column 'a' must hold numbers, dates.*it holds .*--columns"):
        one(array)


def test_invalid_text_is_refused():
    """Bytes that are not UTF-8 are an error with the column's name, not a traceback."""
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    with pytest.raises(FileFormatError, match="column 'a' of type string cannot be read"):
        one(broken)


def test_the_nameless_index_of_pandas_is_left_out():
    """It is read by those who ask for it."""
    frame = pa.table({"a": [1.0], "__index_level_0__": [7]})
    assert from_arrow(frame, "frame").names == ("a",)
    assert from_arrow(frame, "frame", ["__index_level_0__"]).values.tolist() == [[7.0]]


def test_categories_must_be_columns():
    """A typo is answered with the nearest name."""
    with pytest.raises(DataError, match=r"no column 'colur'\. Did you mean 'colour'"):
        from_arrow(pa.table({"colour": ["red"]}), "frame", categories=["colur"])


# ------------------------------------------------------------------------------------------------------ text


def cells(write, *cells: str, **options) -> Column:
    """The column that cells of a text file become."""
    rows = "".join('"' + cell.replace('"', '""') + '",1\n' for cell in cells)
    return read_table(write("a,b\n" + rows), columns=["a"], **options).columns[0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (["2020-01-02", "", "1970-01-01"], [1577923200, np.nan, 0]),
        (["2020-01-01T00:00", "2020-01-01 00:00:01Z"], [1577836800, 1577836801]),
        (["2020-01-01T01:00+01:00", "2020-01-01T01:00:00.25+0100"], [1577836800, 1577836800.25]),
        (["2020-01-01 00:00:00-05", "2020-01-01 00:00:00,5"], [1577836800 + 5 * 3600, 1577836800.5]),
        (["0001-01-01", "9999-12-31T23:59:59.999999999Z"], [-62135596800, 253402300799.999999999]),
    ],
)
def test_iso_dates(write, text, values):
    """Dates and times, with or without a zone, as seconds since 1970; without a zone it is UTC."""
    column = cells(write, *text)
    assert column.kind == "date"
    np.testing.assert_array_equal(column.values, values)


def test_every_day_of_a_leap_year_agrees_with_the_calendar(write):
    """Against the standard library."""
    days = [datetime.datetime(2020, 1, 1, 5, 6, 7, tzinfo=datetime.UTC) + datetime.timedelta(k) for k in range(366)]
    column = cells(write, *(day.isoformat() for day in days))
    np.testing.assert_array_equal(column.values, [day.timestamp() for day in days])


@pytest.mark.parametrize("wrong", ["2020-02-30", "2020-13-01", "2020-01-01T24:00", "today", "01.02.2020", "5"])
def test_a_wrong_date_among_dates_is_named(write, wrong):
    """It does not turn the column into categories."""
    with pytest.raises(DataError, match=r"line 4, column 'a': .* is not a date.*--categories") as caught:
        cells(write, "2020-01-01", "2020-01-02", wrong, "2020-01-04", "2020-01-05")
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "codes", "categories"),
    [
        (["true", "FALSE", "", "True"], [1, 0, -1, 1], ("false", "true")),
        (["yes", " No ", "NA"], [1, 0, -1], ("no", "yes")),
        (["yes", "false"], [1, 0], ("false", "true")),
        (["Yes", "Yes"], [1, 1], ("no", "yes")),
    ],
)
def test_booleans_in_text(write, text, codes, categories):
    """True and false, yes and no, in any case."""
    column = cells(write, *text)
    assert (column.kind, column.values.tolist(), column.categories) == ("boolean", codes, categories)


def test_categories_in_text(write):
    """Cells are trimmed, their case is kept, and what is missing is missing."""
    column = cells(
        write, " red", "Red", "", "n/a", "red ", "=cmd|' /C calc'!A0", "<script>", "a\nb", "\x1b[31m", "😀" * 300
    )
    assert column.kind == "category"
    assert told(column)[:6] == ["red", "Red", None, None, "red", "=cmd|' /C calc'!A0"]
    assert column.categories == tuple(
        sorted({"red", "Red", "=cmd|' /C calc'!A0", "<script>", "a\nb", "\x1b[31m", "😀" * 300})
    )


def test_half_of_the_cells_decide(write):
    """At most half that are not numbers is a column of numbers with an error; more is a column of categories."""
    with pytest.raises(DataError, match=r"line 2, column 'a': 'x' is not a finite number\..*--categories"):
        cells(write, "x", "y", "1", "2", "")
    assert told(cells(write, "x", "y", "1", "")) == ["x", "y", "1", None]


@pytest.mark.parametrize(
    "column",
    [["1,5", "2,5", "3"], ["1 000", "2 000"], ["1_000", "2_000"], ["1,234.5", "1.234,5"], ["inf", "-Infinity"]],
)
def test_numbers_in_a_foreign_notation_are_no_categories(write, column):
    """A column of decimal commas or grouped thousands is refused, whatever share of it is so written."""
    with pytest.raises(DataError, match=r"line 2, column 'a': .* is not a finite number"):
        cells(write, *column)
    assert cells(write, *column, categories=["a"]).kind == "category"


def test_codes_can_be_read_as_categories(write):
    """Zip codes keep their zeros; what is missing stays missing; a typo is told."""
    assert told(cells(write, "01234", "1234", "", "NA", categories=["a"])) == ["01234", "1234", None, None]
    with pytest.raises(DataError, match=r"no column 'aa'\. Did you mean 'a'"):
        cells(write, "1", categories=["aa"])


def test_a_column_of_gaps_is_numbers(write):
    """Nothing says otherwise, until another table does."""
    assert np.isnan(cells(write, "", " NA ", "null").values).all()


# ----------------------------------------------------------------------------------------------------- NumPy


def saved(write, name: str = "x.npy", **arrays) -> list[Column]:
    """The columns of arrays that have been saved."""
    file = io.BytesIO()
    if name == "x.npy":
        np.save(file, arrays["a"])
    else:
        np.savez(file, **arrays)
    return list(read_table(write(file.getvalue(), name)).columns)


def test_text_and_dates_in_numpy_archives(write):
    """U arrays are categories, datetime64 is dates, bool is 0 and 1."""
    text, when, bit = saved(
        write,
        "x.npz",
        text=np.array(["b", "", "b"]).astype(">U5"),
        when=np.array(["2020-01-01", "NaT", "1969-12-31"], "datetime64[D]"),
        bit=np.array([True, False, True]),
    )
    assert (text.kind, told(text)) == ("category", ["b", "", "b"])
    assert when.kind == "date"
    np.testing.assert_array_equal(when.values, [1577836800, np.nan, -DAY])
    np.testing.assert_array_equal(bit.values, [1, 0, 1])


@pytest.mark.parametrize("unit", ["W", "D", "h", "m", "s", "ms", "us", "ns"])
def test_units_of_datetime64(write, unit):
    """Every unit of a fixed length, in either byte order, as NumPy itself converts it."""
    when = np.array(["2020-01-02", "1960-06-02"], f"datetime64[{unit}]")
    for array in (when, when.astype(when.dtype.newbyteorder(">"))):
        np.testing.assert_array_equal(saved(write, a=array)[0].values, when.astype("datetime64[s]").astype(float))


def test_simple_records_are_named_columns(write):
    """Each field by its type."""
    records = np.array([(1, 2.5, "x"), (3, np.nan, "y")], dtype=[("a", "i4"), ("b", "f8"), ("c", "U3")])
    a, b, c = saved(write, a=records)
    assert [column.name for column in (a, b, c)] == ["a", "b", "c"]
    np.testing.assert_array_equal([a.values, b.values], [[1, 3], [2.5, np.nan]])
    assert told(c) == ["x", "y"]


def test_text_that_is_not_unicode_is_refused(write):
    """Code points beyond Unicode, which NumPy would choke on."""
    file = io.BytesIO()
    np.save(file, np.array(["a"]))
    with pytest.raises(DataError, match="not Unicode"):
        read_table(write(file.getvalue()[:-4] + b"\xff" * 4, "x.npy"))


def test_numbers_of_numpy_as_categories(write):
    """Whole floats are written as whole numbers, as in a file of text."""
    file = io.BytesIO()
    np.save(file, np.array([1.0, np.nan, 2.0]))
    assert told(read_table(write(file.getvalue(), "x.npy"), categories=["column_1"]).columns[0]) == ["1", None, "2"]
