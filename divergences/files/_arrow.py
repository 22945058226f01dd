"""Arrow tables: Parquet files, and data frames of any library that speaks the Arrow C stream protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files._table import Table, check_names, indices_of, show


def read_parquet(data: bytes, source: str, columns: Sequence[str] | None, max_bytes: int) -> Table:
    """The numeric columns of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        names = check_names(file.schema_arrow.names, source)
        wanted = list(names) if columns is None else [names[i] for i in indices_of(names, columns, source)]
        size = 8 * file.metadata.num_rows * len(wanted)
        if size > max_bytes:
            raise DataError(
                f"{show(source)} must unpack to at most {max_bytes:,} bytes; its columns take {size:,}. "
                "Read fewer with --columns."
            )
        for field in (file.schema_arrow.field(name) for name in wanted):
            _check_type(field, source)
        table = file.read(columns=wanted, use_threads=False)
    # Arrow reports damage as ArrowInvalid (a ValueError), OSError, or what its decoders raise.
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileFormatError(f"{show(source)} cannot be read as Parquet: {reason}.") from None
    return from_arrow(table, source, wanted)


def from_arrow(frame: Any, source: str, columns: Sequence[str] | None = None) -> Table:
    """A `Table` of the numeric columns of an Arrow table or of any frame with `__arrow_c_stream__`; null is NaN.

    Raises `DataError` for a column that is not numeric, and names it.

    >>> import pyarrow as pa
    >>> from_arrow(pa.table({"a": [1, 2], "b": [0.5, None]}), "frame").values
    array([[1. , 0.5],
           [2. , nan]])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    table = frame if isinstance(frame, pa.Table) else pa.table(frame)
    names = check_names([str(name) for name in table.column_names], source)
    picked = list(range(len(names))) if columns is None else indices_of(names, columns, source)
    if table.num_rows == 0 or not picked:
        raise DataError(f"{show(source)} must have rows and columns; got {table.num_rows} x {len(picked)}.")
    values = np.empty((table.num_rows, len(picked)))
    for k, index in enumerate(picked):
        _check_type(table.schema.field(index), source)
        column = table.column(index)
        if pa.types.is_boolean(column.type):
            column = pc.cast(column, pa.uint8())
        # A null becomes NaN below; whole numbers beyond 2**53 round, as everywhere in float64.
        values[:, k] = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return Table.numbers(tuple(names[i] for i in picked), values, source)


def _check_type(field: Any, source: str) -> None:
    import pyarrow as pa

    kind = field.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (numeric or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise DataError(
            f"{show(source)}: column {show(field.name)} must hold numbers; it holds {kind}. "
            "Choose the numeric columns with --columns a,b (columns= in Python)."
        )
