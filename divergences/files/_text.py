"""CSV and TSV: every column is read as text, then its cells say what it is."""

import csv
import io
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from divergences.errors import DataError, FileFormatError
from divergences.files._arrow import require_columns
from divergences.files._cells import MISSING, NUMERAL, judged
from divergences.files._table import CATEGORY, Table, check_names, indices_of, show

PARSED = 1 << 20  # bytes: the parser is several times as fast on what the caches of a processor hold
# Every spelling of what is missing: the parser marks these, and only padded ones are left to find.
GAPS = sorted({"".join(letters) for word in MISSING for letters in itertools.product(*((c, c.upper()) for c in word))})


def read_text(
    data: bytes, source: str, columns: Sequence[str] | None, delimiter: str, categories: Collection[str] = ()
) -> Table:
    """The table in `data`, UTF-8 text in rows of equal width."""
    import pyarrow as pa

    text = _decode(data, source)
    reopen = lambda: io.StringIO(text, newline="")
    first = first_row(reopen(), delimiter, source)
    has_header, names = header(first, source)
    indices = list(range(len(names))) if columns is None else indices_of(names, columns, source)
    require_columns(names, categories, source)
    ragged: list[Any] = []
    try:
        rows = _parse_csv(data, len(first), delimiter, ragged)
    except pa.ArrowInvalid as error:
        if ragged:
            line = Lines(reopen, delimiter)(ragged[0].number - 1)
            raise FileFormatError(
                f"{show(source)}: {line} has {ragged[0].actual_columns} fields, expected {len(first)}."
            ) from None
        raise FileFormatError(f"{show(source)} cannot be read as text columns: {error}.") from None
    rows = rows.slice(int(has_header))
    if rows.num_rows == 0:
        raise FileFormatError(f"{show(source)} has a header and no rows.")
    line = Lines(reopen, delimiter, has_header)
    kinds = [CATEGORY if names[i] in categories else None for i in indices]
    made = (judged(rows.column(i), names[i], source, line, k) for i, k in zip(indices, kinds, strict=True))
    return Table(tuple(made), source)


@dataclass(frozen=True)
class Lines:
    """Finds the line of the file on which a row stands: quotes and blank lines shift it. Only errors ask."""

    open: Callable[[], TextIO]
    delimiter: str
    skipped: int = 0  # header rows

    def __call__(self, row: int) -> str:
        row += self.skipped
        with self.open() as text:
            found = (line for line, _ in rows_of(text, self.delimiter))
            return f"line {next(itertools.islice(found, row, None), row + 1)}"


def separator(delimiter: str | None, suffix: str) -> str:
    """The delimiter of a text file: by default a comma, or a tab where the suffix says so."""
    found = delimiter or ("\t" if suffix in (".tsv", ".tab") else ",")
    if len(found) != 1 or found in '"\r\n' or not found.isascii():
        raise DataError(f"delimiter must be one plain character, such as ';'; got {delimiter!r}.")
    return found


def _decode(data: bytes, source: str) -> str:
    refuse_bytes(data, source)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        read = error.object  # what follows the byte order mark
        raise not_utf8(source, read[: error.start].count(b"\n") + 1, read[error.start]) from None


def refuse_bytes(data: bytes, source: str, offset: int = 0, first: bool = True) -> None:
    """Refuse UTF-16 and NUL in text, of which this is the first part or one that begins at `offset`."""
    if first and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileFormatError(f"{show(source)} is UTF-16; save it as UTF-8.")
    if b"\0" in data:
        place = offset + data.index(0)
        raise FileFormatError(
            f"{show(source)} must be text; it has a NUL byte at offset {place}. Is it a binary or UTF-16 file?"
        )


def not_utf8(source: str, line: int, byte: int) -> FileFormatError:
    """The error for a byte that is not UTF-8."""
    return FileFormatError(
        f"{show(source)} must be UTF-8; line {line} has the byte 0x{byte:02x}. Save it as UTF-8 (it may be Latin-1)."
    )


def rows_of(text: Iterable[str], delimiter: str) -> Iterable[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it ends on."""
    reader = csv.reader(text, delimiter=delimiter)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error:
        return  # a monstrous field: the parser proper has its own words for it


def first_row(text: Iterable[str], delimiter: str, source: str) -> list[str]:
    """The cells of the first row. Raises `FileFormatError` where another delimiter is meant."""
    first = next((row for _, row in rows_of(text, delimiter)), None)
    if first is None:
        raise FileFormatError(f"{show(source)} has no rows.")
    others = [d for d in ";,\t|" if d != delimiter and d in first[0]]
    if len(first) == 1 and others:
        raise FileFormatError(
            f"{show(source)} must be separated by {delimiter!r}; its first line has {others[0]!r} instead. "
            f"Pass --delimiter {others[0]!r} (delimiter= in Python)."
        )
    return first


def header(first: list[str], source: str) -> tuple[bool, tuple[str, ...]]:
    """Is the first row a header? It is when it has text and no numbers; names and numbers together are refused."""
    cells = [cell.strip() for cell in first]
    numeric = [cell for cell in cells if re.match(NUMERAL, cell)]
    words = [cell for cell in cells if cell.lower() not in MISSING and not re.match(NUMERAL, cell)]
    if not words:
        return False, check_names([f"column_{k + 1}" for k in range(len(cells))], source)
    if numeric:
        raise FileFormatError(
            f"{show(source)}: line 1 mixes text ({show(words[0])}) and numbers ({show(numeric[0])}), so it is "
            "neither a header nor data. Correct the cell, or give every column a name that is not a number."
        )
    return True, check_names(cells, source)


def _parse_csv(data: bytes, width: int, delimiter: str, ragged: list[Any]) -> Any:
    """All cells as text."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    return arrow_csv.read_csv(pa.BufferReader(data), **parser_options(width, range(width), delimiter, ragged))


def parser_options(width: int, wanted: Iterable[int], delimiter: str, ragged: list[Any]) -> dict[str, Any]:
    """Of Arrow's parser: columns called 0, 1, ... as text; one thread, because only then does it know row numbers."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    picked = [str(k) for k in wanted]
    return {
        "read_options": arrow_csv.ReadOptions(
            use_threads=False, column_names=[str(k) for k in range(width)], block_size=PARSED
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types={k: pa.string() for k in picked},
            include_columns=picked,
            strings_can_be_null=True,
            null_values=GAPS,
        ),
    }
