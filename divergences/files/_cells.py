"""What the cells of a text column are: numbers, dates, booleans or categories, by the rules of docs/tables.md."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from divergences.errors import DataError
from divergences.files._arrow import BOOLEANS, compute, numbers
from divergences.files._table import BOOLEAN, CATEGORY, DATE, NUMBER, Column, category, show

MISSING = {"", "na", "n/a", "nan", "null"}
NUMERAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
TIME = r"[0-9]{2}(:?[0-9]{2}(:?[0-9]{2}([.,][0-9]{1,9})?)?)?"
ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
INSTANT = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{TIME}{ZONE}?)?$"
WORDS = (BOOLEANS, ("no", "yes"))
# Numbers in another notation: a decimal comma, grouped thousands, infinity.
FOREIGN = r"^[+-]?([0-9]+,[0-9]+|[0-9]{1,3}([,_ '.][0-9]{3})+([.,][0-9]*)?|(?i:inf|infinity))$"

Line = Callable[[int], str]  # where a row stands: line 7


@dataclass(frozen=True)
class Cells:
    """The cells of a column: few words, many codes, so that each word is judged once.

    Attributes:
        words: an Arrow array of texts, trimmed; null where one means that the cell is missing.
        codes: of each row, -1 where it has none.
        counts: of each word that is not null.
        where: says where a row stands, for errors.

    """

    words: Any
    codes: np.ndarray
    counts: np.ndarray
    where: Callable[[int], str]

    def count(self, pattern: str) -> int:
        """How many cells match."""
        return int(self.counts[self.matching(pattern)].sum())

    def matching(self, pattern: str) -> np.ndarray:
        """Which words match; null does not."""
        pc = compute()
        return pc.fill_null(pc.match_substring_regex(self.words, pattern), False).to_numpy(zero_copy_only=False)

    def first(self, bad: np.ndarray) -> tuple[str, str]:
        """Where the first cell of these words stands, and the word."""
        row = int(np.flatnonzero((bad & (self.counts > 0))[self.codes] & (self.codes >= 0))[0])
        return self.where(row), self.words[int(self.codes[row])].as_py()

    def spread(self, values: np.ndarray, missing: Any) -> np.ndarray:
        """Values of words as values of rows."""
        gaps = self.words.is_null().to_numpy(zero_copy_only=False)
        return np.append(np.where(gaps, missing, values), missing)[self.codes].astype(values.dtype, copy=False)


def judged(cells: Any, name: str, source: str, line: Line, kind: str | None = None) -> Column:
    """A chunked Arrow array of text as a column of `kind`, or of the kind that its cells have.

    Raises `DataError` with line, column and value for a cell that is not of the kind of the others.
    """
    plain = _plain_numbers(cells) if kind in (None, NUMBER) else None
    if plain is not None:
        return Column(name, plain)
    plain = _plain_instants(cells) if kind in (None, DATE) else None
    if plain is not None:
        return Column(name, plain, DATE)
    found = _cells(cells, lambda row: f"{show(source)}: {line(row)}, column {show(name)}")
    kind = kind or _kind(found)
    if kind == NUMBER:
        return Column(name, _numbers(found))
    if kind == DATE:
        return Column(name, _instants(found), DATE)
    if kind == BOOLEAN:
        return _booleans(found, name)
    return category(name, found.spread(np.arange(len(found.words)), -1), found.words.to_pylist())


def _cells(cells: Any, where: Callable[[int], str]) -> Cells:
    import pyarrow as pa

    pc = compute()
    encoded = pc.dictionary_encode(cells).combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    words = pc.utf8_trim_whitespace(encoded.dictionary)
    missing = pc.is_in(pc.utf8_lower(words), value_set=pa.array(sorted(MISSING)))
    words = pc.if_else(missing, pa.scalar(None, pa.string()), words)
    codes = pc.fill_null(encoded.indices, -1).to_numpy()
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    return Cells(words, codes, np.where(words.is_null().to_numpy(zero_copy_only=False), 0, counts), where)


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


def _plain_instants(cells: Any) -> np.ndarray | None:
    """Dates where every cell is null or one without a zone, to the microsecond."""
    import pyarrow as pa

    try:
        return numbers(compute().cast(cells, pa.timestamp("us")))
    except pa.ArrowInvalid:
        return None


def _kind(cells: Cells) -> str:
    present = int(cells.counts.sum())
    numerals = cells.count(NUMERAL)
    if numerals == present:
        return NUMBER
    if 2 * cells.count(INSTANT) > present:
        return DATE
    if any(cells.count(f"^(?i:{'|'.join(words)})$") == present for words in (*WORDS, WORDS[0] + WORDS[1])):
        return BOOLEAN
    if 2 * numerals >= present or cells.count(f"{NUMERAL}|{FOREIGN}") == present:
        return NUMBER
    return CATEGORY


def _numbers(cells: Cells) -> np.ndarray:
    import pyarrow as pa

    pc = compute()
    bad = ~cells.matching(NUMERAL)
    if cells.counts[bad].any():
        _refuse(*cells.first(bad))
    values = pc.cast(pc.utf8_ltrim(cells.words, "+"), pa.float64()).to_numpy(zero_copy_only=False)
    if np.isinf(values).any():
        where, word = cells.first(np.isinf(values))
        raise DataError(f"{where}: {show(word)} is beyond the range of float64. Rescale the column.")
    return cells.spread(values, np.nan)


def _refuse(where: str, cell: str) -> NoReturn:
    hint = ""
    if re.match(r"^[+-]?[0-9]+,[0-9]+$", cell):
        hint = " It looks like a decimal comma: write points."
    raise DataError(
        f"{where}: {show(cell)} is not a finite number.{hint} Correct it, or leave it empty; "
        "a column of codes is read as text with --categories NAME (categories= in Python)."
    )


def _instants(cells: Cells) -> np.ndarray:
    """Seconds since 1970, UTC; what has no zone is UTC."""
    import pyarrow as pa

    pc = compute()
    bad = ~cells.matching(INSTANT)
    if cells.counts[bad].any():
        _refuse_date(*cells.first(bad))
    fraction = pc.replace_substring_regex(cells.words, r"^[^.,]*(([.,][0-9]+)?).*$", r"\1")
    fraction = pc.cast(pc.binary_join_element_wise("0", pc.replace_substring(fraction, ",", "."), ""), pa.float64())
    whole = pc.replace_substring_regex(cells.words, r"[.,][0-9]+", "")
    suffix = pc.if_else(pc.less(pc.utf8_length(whole), 11), "T00:00Z", "Z")
    zoned = pc.match_substring_regex(whole, f"[T ].*{ZONE}$")
    whole = pc.binary_join_element_wise(whole, pc.if_else(zoned, "", suffix), "")
    seconds = _parsed(whole)
    if seconds is None:
        bad = np.arange(len(whole)) == _first_that_fails(whole)
        _refuse_date(*cells.first(bad))
    values = pc.fill_null(seconds, 0).to_numpy() + pc.fill_null(fraction, 0).to_numpy()
    return cells.spread(values, np.nan)


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


def _refuse_date(where: str, cell: str) -> NoReturn:
    raise DataError(
        f"{where}: {show(cell)} is not a date, as others in the column are. Write 2020-12-31, "
        "2020-12-31T23:59:59 or with a zone, such as Z or +01:00, or leave it empty; a column of text is read with "
        "--categories NAME (categories= in Python)."
    )


def _booleans(cells: Cells, name: str) -> Column:
    """Its categories are the words that the file uses, in lower case: they tell it from other categories."""
    no, yes = (cells.matching(f"^(?i:{'|'.join(words[k] for words in WORDS)})$") for k in (0, 1))
    bad = ~(no | yes)
    if cells.counts[bad].any():
        where, word = cells.first(bad)
        raise DataError(
            f"{where}: {show(word)} is not true, false, yes or no, as others in the column are. Correct it, or read "
            "the column as text with --categories NAME (categories= in Python)."
        )
    spelled = cells.count(f"^(?i:{'|'.join(BOOLEANS)})$") > 0
    return Column(name, cells.spread(yes.astype(np.int32), -1), BOOLEAN, WORDS[0] if spelled else WORDS[1])
