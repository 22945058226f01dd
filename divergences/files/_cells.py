"""What the cells of a text column are: numbers, dates, booleans or categories, by the rules of docs/tables.md."""

import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from divergences.errors import DataError
from divergences.files._arrow import BOOLEANS, arrow_column, compute
from divergences.files._table import BOOLEAN, CATEGORY, DATE, NUMBER, Column, show

MISSING = {"", "na", "n/a", "nan", "null"}
NUMERAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"
INSTANT = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$"
)
WORDS = (BOOLEANS, ("no", "yes"))
# Numbers in another notation: a decimal comma, grouped thousands, infinity.
FOREIGN = r"^[+-]?([0-9]+,[0-9]+|[0-9]{1,3}([,_ '.][0-9]{3})+([.,][0-9]*)?|(?i:inf|infinity))$"

Line = Callable[[int], str]  # where a row stands: line 7


def judged(cells: Any, name: str, source: str, line: Line, kind: str | None = None) -> Column:
    """A chunked Arrow array of text as a column of `kind`, or of the kind that its cells have.

    Raises `DataError` with line, column and value for a cell that is not of the kind of the others.
    """
    import pyarrow as pa

    pc = compute()
    if kind in (None, NUMBER):
        plain = _plain_numbers(cells)
        if plain is not None:
            return Column(name, plain)
    cells = pc.utf8_trim_whitespace(cells).combine_chunks()
    missing = pc.or_(cells.is_null(), pc.is_in(pc.utf8_lower(cells), value_set=pa.array(sorted(MISSING))))
    cells = pc.if_else(missing, pa.scalar(None, pa.string()), cells)
    kind = kind or _kind(cells, name, source, line)
    if kind == CATEGORY:
        return arrow_column(name, cells, source)
    if kind == BOOLEAN:
        return _booleans(cells, name, source, line)
    where = lambda row: _where(row, name, source, line)
    if kind == DATE:
        return Column(name, _instants(cells, where), DATE)
    return Column(name, _numbers(cells, where))


def _plain_numbers(cells: Any) -> np.ndarray | None:
    """Numbers where every cell is null or one without spaces or plus: most files, and many times as fast."""
    import pyarrow as pa

    pc = compute()
    try:
        values = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None
    finite = pc.all(pc.is_finite(values)).as_py()  # Arrow also reads nan and inf, and 1e400 as inf
    return values.to_numpy() if finite or values.null_count == len(values) else None


def _kind(cells: Any, name: str, source: str, line: Line) -> str:
    pc = compute()
    present = len(cells) - cells.null_count
    if _count(cells, NUMERAL) == present:
        return NUMBER
    dates = _count(cells, INSTANT)
    if 2 * dates > present:
        return DATE
    lower = pc.utf8_lower(cells)
    if any(_count(lower, f"^({'|'.join(words)})$") == present for words in (*WORDS, WORDS[0] + WORDS[1])):
        return BOOLEAN
    bad = _others(cells, f"{NUMERAL}|{FOREIGN}")
    if not len(bad) or 2 * len(_others(cells, NUMERAL)) <= present:
        return NUMBER
    return CATEGORY


def _numbers(cells: Any, where: Callable[[int], str]) -> np.ndarray:
    import pyarrow as pa

    pc = compute()
    bad = _others(cells, NUMERAL)
    if len(bad):
        _refuse(cells[int(bad[0])].as_py(), where(int(bad[0])))
    values = pc.cast(pc.utf8_ltrim(cells, "+"), pa.float64()).to_numpy(zero_copy_only=False)
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        row = int(infinite[0])
        raise DataError(f"{where(row)}: {show(cells[row])} is beyond the range of float64. Rescale the column.")
    return values


def _refuse(cell: str, where: str) -> NoReturn:
    hint = ""
    if re.match(r"^[+-]?[0-9]+,[0-9]+$", cell):
        hint = " It looks like a decimal comma: write points."
    raise DataError(
        f"{where}: {show(cell)} is not a finite number.{hint} Correct it, or leave it empty; "
        "a column of codes is read as text with --categories NAME (categories= in Python)."
    )


def _instants(cells: Any, where: Callable[[int], str]) -> np.ndarray:
    """Seconds since 1970, UTC; what has no zone is UTC."""
    import pyarrow as pa

    pc = compute()
    bad = _others(cells, INSTANT)
    if len(bad):
        _refuse_date(cells, int(bad[0]), where)
    fraction = pc.replace_substring_regex(cells, r"^[^.,]*(([.,][0-9]+)?).*$", r"\1")
    fraction = pc.cast(pc.binary_join_element_wise("0", pc.replace_substring(fraction, ",", "."), ""), pa.float64())
    whole = pc.replace_substring_regex(cells, r"[.,][0-9]+", "")
    suffix = pc.if_else(pc.less(pc.utf8_length(whole), 11), "T00:00Z", "Z")
    zoned = pc.match_substring_regex(whole, "[T ].*" + ZONE)
    whole = pc.binary_join_element_wise(whole, pc.if_else(zoned, "", suffix), "")
    seconds = _parsed(whole)
    if seconds is None:
        row = _first_that_fails(whole)
        _refuse_date(cells, row, where)
    gaps = cells.is_null().to_numpy(zero_copy_only=False)
    values = pc.fill_null(seconds, 0).to_numpy() + pc.fill_null(fraction, 0).to_numpy()
    return np.where(gaps, np.nan, values)


def _parsed(texts: Any) -> Any:
    """Arrow's seconds, or None where some text is no date."""
    import pyarrow as pa

    pc = compute()
    try:
        return pc.cast(pc.cast(texts, pa.timestamp("s", "UTC")), pa.int64())
    except pa.ArrowInvalid:
        return None


def _first_that_fails(texts: Any) -> int:
    """By halving: Arrow does not say which."""
    start, stop = 0, len(texts)
    while stop - start > 1:
        middle = (start + stop) // 2
        if _parsed(texts.slice(start, middle - start)) is None:
            stop = middle
        else:
            start = middle
    return start


def _refuse_date(cells: Any, row: int, where: Callable[[int], str]) -> NoReturn:
    raise DataError(
        f"{where(row)}: {show(cells[row])} is not a date, as others in the column are. Write 2020-12-31, "
        "2020-12-31T23:59:59 or with a zone, such as Z or +01:00, or leave it empty; a column of text is read with "
        "--categories NAME (categories= in Python)."
    )


def _booleans(cells: Any, name: str, source: str, line: Line) -> Column:
    """Its categories are the words that the file uses, in lower case: they tell it from other categories."""
    import pyarrow as pa

    pc = compute()
    lower = pc.utf8_lower(cells)
    no, yes = (pc.is_in(lower, value_set=pa.array([words[k] for words in WORDS])) for k in (0, 1))
    bad = np.flatnonzero(pc.and_(pc.invert(pc.or_(no, yes)), cells.is_valid()).to_numpy(zero_copy_only=False))
    if len(bad):
        row = int(bad[0])
        raise DataError(
            f"{_where(row, name, source, line)}: {show(cells[row])} is not true, false, yes or no, as others in the "
            "column are. Correct it, or read the column as text with --categories NAME (categories= in Python)."
        )
    codes = np.full(len(cells), -1, np.int32)
    codes[no.to_numpy(zero_copy_only=False)] = 0
    codes[yes.to_numpy(zero_copy_only=False)] = 1
    spelled = pc.any(pc.is_in(lower, value_set=pa.array(BOOLEANS))).as_py()
    return Column(name, codes, BOOLEAN, WORDS[0] if spelled else WORDS[1])


def _where(row: int, name: str, source: str, line: Line) -> str:
    return f"{show(source)}: {line(row)}, column {show(name)}"


def _count(cells: Any, pattern: str) -> int:
    pc = compute()
    return pc.sum(pc.match_substring_regex(cells, pattern)).as_py() or 0


def _others(cells: Any, pattern: str) -> np.ndarray:
    """The rows of the cells that are present and not of the pattern."""
    pc = compute()
    matching = pc.fill_null(pc.match_substring_regex(cells, pattern), True)
    return np.flatnonzero(~matching.to_numpy(zero_copy_only=False))
