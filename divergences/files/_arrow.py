"""Arrow columns as ours, by their type; and data frames of any library that speaks the Arrow C stream protocol."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from divergences.errors import DataError, FileFormatError
from divergences.files._source import first_line
from divergences.files._table import (
    BOOLEAN,
    CATEGORY,
    DATE,
    NUMBER,
    Column,
    Table,
    category,
    check_names,
    indices_of,
    show,
)

BOOLEANS = ("false", "true")
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def from_arrow(
    frame: Any, source: str, columns: Sequence[str] | None = None, categories: Collection[str] = ()
) -> Table:
    """A `Table` of an Arrow table or of any frame with `__arrow_c_stream__`; null is missing.

    Raises `DataError` for a column of a type that has no kind, and names it.

    >>> import pyarrow as pa
    >>> table = from_arrow(pa.table({"a": [1, None], "b": ["x", "y"]}), "frame")
    >>> [(column.kind, column.values.tolist()) for column in table.columns]
    [('number', [1.0, nan]), ('category', [0, 1])]
    """
    import pyarrow as pa

    try:
        table = frame if isinstance(frame, pa.Table) else _table(frame)
    except (pa.ArrowException, TypeError, ValueError, KeyError, OverflowError) as error:
        raise DataError(f"{show(source)} must be a frame of plain columns; Arrow says: {first_line(error)}.") from None
    names = check_names([str(name) for name in table.column_names], source)
    picked = [k for k in range(len(names)) if not hidden(names[k])]
    if columns is not None:
        picked = indices_of(names, columns, source)
    require_columns(names, categories, source)
    if table.num_rows == 0 or not picked:
        raise DataError(f"{show(source)} must have rows and columns; got {table.num_rows} x {len(picked)}.")
    made = (arrow_column(names[k], table.column(k), source, names[k] in categories) for k in picked)
    return Table(tuple(made), source)


def _table(frame: Any) -> Any:
    import pyarrow as pa

    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    return pa.Table.from_batches([pa.record_batch(frame)])


def compute() -> Any:
    """Arrow's functions, which are made at import, unseen by type checkers."""
    import pyarrow.compute

    return pyarrow.compute


def hidden(name: str) -> bool:
    """Whether this is the nameless index that pandas writes beside the columns."""
    return name.startswith("__index_level_") and name.endswith("__")


def require_columns(names: Sequence[str], categories: Collection[str], source: str) -> None:
    """Refuse the name of a category that is no column."""
    if categories:
        indices_of(names, categories, source)


def arrow_kind(kind: Any, name: str, source: str) -> str | None:
    """What a column of this Arrow type is; None for the type that has only nulls. Raises `DataError`, naming it."""
    from pyarrow import types

    if types.is_null(kind):
        return None
    if types.is_boolean(kind):
        return BOOLEAN
    if types.is_date(kind) or types.is_timestamp(kind):
        return DATE
    if _text(kind) or (types.is_dictionary(kind) and (_text(kind.value_type) or _scalar(kind.value_type))):
        return CATEGORY
    if _scalar(kind) or types.is_time(kind) or types.is_duration(kind):
        return NUMBER
    raise DataError(
        f"{show(source)}: column {show(name)} must hold numbers, dates, booleans or text; it holds {kind}. "
        "Choose other columns with --columns a,b (columns= in Python)."
    )


def arrow_column(name: str, column: Any, source: str, forced: bool = False) -> Column:
    """A chunked Arrow array as a column; `forced` makes a category of any kind."""
    import pyarrow as pa

    pc = compute()
    kind = arrow_kind(column.type, name, source)
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    try:
        if kind is None:
            missing = np.full(len(column), np.nan)
            return category(name, np.full(len(column), -1), ()) if forced else Column(name, missing)
        if kind == CATEGORY:
            return _category(name, column)
        if forced:
            return _category(name, _texts(column))
        if kind == BOOLEAN:
            codes = pc.fill_null(pc.cast(column, pa.int32()), -1)
            return Column(name, codes.to_numpy(), BOOLEAN, BOOLEANS)
        return Column(name, numbers(column), kind)
    except (pa.ArrowException, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise FileFormatError(
            f"{show(source)}: column {show(name)} of type {column.type} cannot be read: {first_line(error)}."
        ) from None


def numbers(column: Any) -> np.ndarray:
    """An Arrow array of numbers, or of instants and durations in seconds, as float64; null is NaN."""
    import pyarrow as pa
    from pyarrow import types

    pc = compute()
    kind = column.type
    if not (types.is_temporal(kind) or types.is_duration(kind)):
        # Whole numbers beyond 2**53 round, as everywhere in float64.
        return pc.cast(column, pa.float64(), safe=False).to_numpy()
    if types.is_date32(kind):
        return pc.cast(pc.cast(column, pa.int32()), pa.float64()).to_numpy() * 86400.0
    unit = _PER_SECOND["ms" if types.is_date64(kind) else kind.unit]
    ticks = pc.cast(column, pa.int32()) if types.is_time32(kind) else pc.cast(column, pa.int64())
    missing, ticks = ticks.is_null().to_numpy(), pc.fill_null(ticks, 0).to_numpy()
    rest = np.fmod(ticks, unit)
    return np.where(missing, np.nan, (ticks - rest) // unit + rest / unit)


def _category(name: str, column: Any) -> Column:
    import pyarrow as pa

    pc = compute()
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(pc.cast(column, pa.large_string()))
    chunks = column.chunks
    if len(chunks) > 1:
        chunks = pa.chunked_array([_without_null_words(chunk) for chunk in chunks]).unify_dictionaries().chunks
    if not chunks:
        return category(name, np.empty(0, np.int32), ())
    words = _texts(chunks[0].dictionary).to_pylist()
    codes = np.concatenate([pc.fill_null(pc.cast(chunk.indices, pa.int32()), -1).to_numpy() for chunk in chunks])
    gaps = np.array([word is None for word in words] + [True])
    return category(name, np.where(gaps[codes], np.int32(-1), codes), words)


def _without_null_words(chunk: Any) -> Any:
    """The same cells, with null among the indices and not in the dictionary: Arrow unifies no others."""
    import pyarrow as pa

    pc = compute()
    words = chunk.dictionary
    if not words.null_count:
        return chunk
    gaps = pc.take(words.is_null(), chunk.indices)
    filled = pc.fill_null(words, pc.drop_null(words)[0]) if words.null_count < len(words) else words.slice(0, 0)
    indices = pc.if_else(pc.fill_null(gaps, True), pa.scalar(None, chunk.indices.type), chunk.indices)
    return pa.DictionaryArray.from_arrays(indices, filled)


def _texts(column: Any) -> Any:
    """Any column as text: whole floats as whole numbers, NaN as null."""
    import pyarrow as pa

    pc = compute()
    if pa.types.is_floating(column.type):
        column = pc.cast(column, pa.float64())
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
        digits = pc.cast(pc.cast(pc.if_else(whole, column, 0.0), pa.int64()), pa.large_string())
        return pc.if_else(whole, digits, pc.cast(column, pa.large_string()))
    return pc.cast(column, pa.large_string())


def _text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _scalar(kind: Any) -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
