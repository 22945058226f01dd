"""Text in one pass: blocks of rows, the first of which decide the kinds, in memory that does not grow with them."""

import codecs
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, BinaryIO

from divergences.errors import FileFormatError
from divergences.files._arrow import require_columns
from divergences.files._cells import Line, judged
from divergences.files._source import Gunzip, Prefixed, first_line
from divergences.files._table import BLOCK, CATEGORY, Table, indices_of, show
from divergences.files._text import Lines, first_row, header, not_utf8, parser_options, refuse_bytes

HEAD = 1 << 24  # bytes in which the first row must end
CELLS = 1 << 22  # of a block: wide tables come in shorter ones
FEWEST = 1 << 10  # rows of a block, however wide


def text_batches(
    open_packed: Callable[[], Any],
    source: str,
    packed: bool,
    columns: Sequence[str] | None,
    delimiter: str,
    categories: Collection[str],
    rows: int,
    again: bool = True,
) -> Iterator[Table]:
    """Tables of at most so many rows; the stream is opened once, and if possible `again` for the line of an error."""
    unpack: Callable[[], Any] = (lambda: Gunzip(open_packed(), source)) if packed else open_packed
    checked = Checked(unpack(), source)
    with io.BufferedReader(checked, 1 << 20) as stream:
        head = stream.read(HEAD)
        first = first_row(io.StringIO(_decoded(head), newline=""), delimiter, source)
        has_header, names = header(first, source)
        wanted = list(range(len(names))) if columns is None else indices_of(names, columns, source)
        require_columns(names, categories, source)
        text = lambda: io.TextIOWrapper(io.BufferedReader(unpack()), encoding="utf-8-sig", newline="")
        found = Lines(text, delimiter, int(has_header))
        # What cannot be opened again can only be counted; then rows are lines unless something shifted them.
        line = found if again else lambda row: f"line {row + found.skipped + 1}" if checked.plain else f"row {row + 1}"
        kinds: list[str | None] = [CATEGORY if names[k] in categories else None for k in wanted]
        start = 0
        for block in _blocks(Prefixed(head, stream), len(first), wanted, delimiter, source, int(has_header), line):
            place = lambda row, start=start: line(start + row)
            made = [
                judged(block.column(str(k)), names[k], source, place, kind)
                for k, kind in zip(wanted, kinds, strict=True)
            ]
            for k, column in enumerate(made):
                if not column.missing.all():  # gaps decide nothing
                    kinds[k] = column.kind
            start += block.num_rows
            table = Table(tuple(made), source)
            yield from table.batches(rows) if rows < block.num_rows else [table]
        if not start:
            raise FileFormatError(f"{show(source)} has a header and no rows.")


def _blocks(
    stream: Any, width: int, wanted: Sequence[int], delimiter: str, source: str, header_rows: int, line: Line
) -> Iterator[Any]:
    """Arrow tables of 2¹⁸ rows of text, or fewer if they are wide; the last one is shorter."""
    import pyarrow as pa
    import pyarrow.csv as arrow_csv

    ragged: list[Any] = []
    held: list[Any] = []
    count, skipped = 0, header_rows
    size = min(BLOCK, max(FEWEST, CELLS // max(len(wanted), 1)))
    try:
        reader = arrow_csv.open_csv(pa.PythonFile(stream, mode="r"), **parser_options(width, wanted, delimiter, ragged))
        for batch in reader:
            batch = batch.slice(skipped)
            skipped = 0
            held.append(batch)
            count += batch.num_rows
            if count >= size:
                table = pa.Table.from_batches(held)
                starts = range(0, count - size + 1, size)
                yield from (table.slice(start, size) for start in starts)
                held, count = table.slice(len(starts) * size).to_batches(), count - len(starts) * size
                del table
    except pa.ArrowException as error:
        if ragged:
            where = line(ragged[0].number - 1 - header_rows)
            raise FileFormatError(
                f"{show(source)}: {where} has {ragged[0].actual_columns} fields, expected {width}."
            ) from None
        raise FileFormatError(f"{show(source)} cannot be read as text columns: {first_line(error)}.") from None
    if count:
        yield pa.Table.from_batches(held)


class Checked(io.RawIOBase):
    """A stream of bytes that are text in UTF-8, or a `FileFormatError` with the line."""

    def __init__(self, packed: BinaryIO, source: str) -> None:
        self._packed, self._source = packed, source
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._offset = self._lines = 0
        self._end = b"\n"
        self.plain = True  # one row, one line

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        data = self._packed.read(len(buffer)) or b""
        refuse_bytes(data, self._source, self._offset, first=self._offset == 0)
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self._lines + error.object[: error.start].count(b"\n") + 1
            byte = error.object[error.start]
            raise not_utf8(self._source, line, byte) from None
        self._offset += len(data)
        self._lines += data.count(b"\n")
        joint = self._end + data
        self.plain &= not (b'"' in data or b"\r" in data or b"\n\n" in joint)
        self._end = joint[-1:]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close what lies below, too."""
        self._packed.close()
        super().close()


def _decoded(head: bytes) -> str:
    """Text, without a character that is cut at the end."""
    return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
