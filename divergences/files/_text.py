"""CSV and TSV: every column is read as text, then its cells say what it is."""

import csv
import io
import itertools
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from divergences.errors import FileFormatError
from divergences.files._arrow import require_columns
from divergences.files._cells import MISSING, NUMERAL, judged
from divergences.files._table import CATEGORY, Table, check_names, indices_of, show

# Every spelling of what is missing: the parser marks these, and only padded ones are left to find.
GAPS = sorted({"".join(letters) for word in MISSING for letters in itertools.product(*((c, c.upper()) for c in word))})


def read_text(
    data: bytes, source: str, columns: Sequence[str] | None, delimiter: str, categories: Collection[str] = ()
) -> Table:
    """The table in `data`, UTF-8 text in rows of equal width."""
    import pyarrow as pa

    text = _decode(data, source)
    first = _first_row(text, delimiter, source)
    has_header, names = _header(first, source)
    indices = list(range(len(names))) if columns is None else indices_of(names, columns, source)
    require_columns(names, categories, source)
    ragged: list[Any] = []
    try:
        rows = _parse_csv(data, len(first), delimiter, ragged)
    except pa.ArrowInvalid as error:
        if ragged:
            line = Lines(text, delimiter)(ragged[0].number - 1)
            raise FileFormatError(
                f"{show(source)}: line {line} has {ragged[0].actual_columns} fields, expected {len(first)}."
            ) from None
        raise FileFormatError(f"{show(source)} cannot be read as text columns: {error}.") from None
    rows = rows.slice(1 if has_header else 0)
    if rows.num_rows == 0:
        raise FileFormatError(f"{show(source)} has a header and no rows.")
    line = Lines(text, delimiter, has_header)
    kinds = [CATEGORY if names[i] in categories else None for i in indices]
    made = (judged(rows.column(i), names[i], source, line, k) for i, k in zip(indices, kinds, strict=True))
    return Table(tuple(made), source)


@dataclass(frozen=True)
class Lines:
    """Finds the line of the file on which a row stands: quotes and blank lines shift it. Only errors ask."""

    text: str
    delimiter: str
    skipped: int = 0  # header rows

    def __call__(self, row: int) -> int:
        row += self.skipped
        return next((line for line, _ in itertools.islice(_rows(self.text, self.delimiter), row, None)), row + 1)


def _decode(data: bytes, source: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileFormatError(f"{show(source)} is UTF-16; save it as UTF-8.")
    if b"\0" in data:
        raise FileFormatError(
            f"{show(source)} must be text; it has a NUL byte at offset {data.index(0)}. Is it a binary or UTF-16 file?"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        read = error.object  # what follows the byte order mark
        line = read[: error.start].count(b"\n") + 1
        raise FileFormatError(
            f"{show(source)} must be UTF-8; line {line} has the byte 0x{read[error.start]:02x}. "
            "Save it as UTF-8 (it may be Latin-1)."
        ) from None


def _rows(text: str, delimiter: str) -> Iterable[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line it ends on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error:
        return  # a monstrous field: the parser proper has its own words for it


def _first_row(text: str, delimiter: str, source: str) -> list[str]:
    first = next((row for _, row in _rows(text, delimiter)), None)
    if first is None:
        raise FileFormatError(f"{show(source)} has no rows.")
    others = [d for d in ";,\t|" if d != delimiter and d in first[0]]
    if len(first) == 1 and others:
        raise FileFormatError(
            f"{show(source)} must be separated by {delimiter!r}; its first line has {others[0]!r} instead. "
            f"Pass --delimiter {others[0]!r} (delimiter= in Python)."
        )
    return first


def _header(first: list[str], source: str) -> tuple[bool, tuple[str, ...]]:
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
    """All cells as text; one thread, because only then does the parser know its row numbers."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    return arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(
            use_threads=False, column_names=[str(k) for k in range(width)], block_size=1 << 24
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse),
        convert_options=arrow_csv.ConvertOptions(
            column_types={str(k): pa.string() for k in range(width)}, strings_can_be_null=True, null_values=GAPS
        ),
    )
