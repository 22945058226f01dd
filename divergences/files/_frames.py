"""Data frames of any library, and mappings of arrays, as tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from divergences._arrays import is_torch, to_numpy
from divergences._checks import real_array
from divergences.errors import DataError
from divergences.files._arrow import arrow_column, from_arrow, require_columns
from divergences.files._columns import array_column
from divergences.files._source import first_line
from divergences.files._table import Column, Table, check_names, indices_of, show


def is_frame(value: Any) -> bool:
    """Whether `from_frame` takes it."""
    return isinstance(value, (Table, Mapping)) or any(
        hasattr(value, name) for name in ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
    )


def from_frame(value: Any, name: str, columns: Sequence[str] | None = None, categories: Collection[str] = ()) -> Table:
    """A `Table` of a data frame: Arrow's protocol, else the interchange protocol, else a mapping of 1-D arrays.

    Args:
        value: a frame or a series of pandas, Polars, DuckDB, cuDF, ...; a mapping of names to columns; or a `Table`.
        name: what to call it in errors.
        columns, categories: as for `read_table`.

    Raises `DataError` for what is no frame, and for a column of a type that has no kind.

    >>> from_frame({"age": [31, 27], "town": ["Bern", "Basel"]}, "people").kinds
    {'age': 'number', 'town': 'category'}

    """
    if isinstance(value, Table):
        return value.select(columns)
    if hasattr(value, "__arrow_c_stream__") and len(getattr(value, "shape", ())) == 1:  # a series: one column
        title = getattr(value, "name", None)
        value = {"column_1" if title is None else title: value}
    if hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__"):
        return from_arrow(value, name, columns, categories)
    if hasattr(value, "__dataframe__"):
        return from_arrow(_interchanged(value, name), name, columns, categories)
    if not isinstance(value, Mapping):
        raise DataError(
            f"{show(name)} must be a data frame or a mapping of names to columns; got {type(value).__name__}. "
            "Convert it with numpy.asarray if it is an array."
        )
    names = check_names([str(key) for key in value], name)
    require_columns(names, categories, name)
    cells = dict(zip(names, value.values(), strict=True))
    wanted = names if columns is None else [names[k] for k in indices_of(names, columns, name)]
    made = tuple(_column(cells[key], key, name, key in categories) for key in wanted)
    lengths = {len(column.values) for column in made}
    if len(lengths) != 1 or 0 in lengths:
        told = ", ".join(f"{show(column.name)} {len(column.values)}" for column in made[:5])
        raise DataError(f"{show(name)} must hold columns of one length, at least 1; got {told or 'none'}.")
    return Table(made, name)


def _column(cells: Any, name: str, source: str, forced: bool) -> Column:
    """One column of a mapping. Arrow reads what is no array: NumPy would make text of a number beside a text."""
    import pyarrow as pa

    where = f"{source}, column {name!r}"
    if is_torch(cells):
        cells = to_numpy(real_array(cells, where))
    if isinstance(cells, np.ndarray) and cells.dtype.kind != "O":
        if isinstance(cells, (np.ma.MaskedArray, np.matrix)) or cells.ndim != 1:
            raise DataError(f"{where} must be a plain 1-D array; got {type(cells).__name__} of shape {cells.shape}.")
        return array_column(name, cells, source, forced)
    try:
        stream = hasattr(cells, "__arrow_c_stream__")
        array = pa.chunked_array(cells) if stream else pa.array(cells, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{where} must be a 1-D array of one type; Arrow says: {first_line(error)}.") from None
    return arrow_column(name, array, source, forced)


def _interchanged(value: Any, name: str) -> Any:
    import pyarrow as pa
    from pyarrow.interchange import from_dataframe

    try:
        return from_dataframe(value)
    # The other library's code runs here, and raises what it likes.
    except (pa.ArrowException, TypeError, ValueError, KeyError, NotImplementedError, RuntimeError, AttributeError) as e:
        raise DataError(f"{show(name)} cannot be exchanged as a data frame: {first_line(e)}.") from None
