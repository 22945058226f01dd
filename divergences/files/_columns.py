"""NumPy arrays as columns, by their type."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from divergences.errors import DataError
from divergences.files._arrow import require_columns
from divergences.files._table import DATE, Column, Table, category, check_names, indices_of, show


def from_matrix(
    values: np.ndarray, source: str, columns: Sequence[str] | None = None, categories: Collection[str] = ()
) -> Table:
    """A table of a nameless array: its columns are column_1, column_2, ..., and of records those of their fields."""
    if values.dtype.names is not None and values.ndim == 1:
        return from_arrays({name: values[name] for name in values.dtype.names}, source, columns, categories)
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise DataError(f"{show(source)} must hold an array of shape (n,) or (n, d), n, d >= 1; got {values.shape}.")
    table = values[:, None] if values.ndim == 1 else values
    names = matrix_names(table.shape[1], source)
    return from_arrays(dict(zip(names, table.T, strict=True)), source, columns, categories)


def matrix_names(width: int, source: str) -> tuple[str, ...]:
    """What the columns of a nameless array are called."""
    return check_names([f"column_{k + 1}" for k in range(width)], source)


def from_arrays(
    arrays: Mapping[str, np.ndarray],
    source: str,
    columns: Sequence[str] | None = None,
    categories: Collection[str] = (),
) -> Table:
    """A table of 1-D arrays of one length by name, copied."""
    names = check_names(list(arrays), source)
    require_columns(names, categories, source)
    wanted = names if columns is None else [names[k] for k in indices_of(names, columns, source)]
    lengths = {arrays[name].shape for name in wanted}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1 or (0,) in lengths:
        told = ", ".join(f"{show(name)} {arrays[name].shape}" for name in wanted[:5])
        raise DataError(f"{show(source)} must hold 1-D columns of one length, at least 1; got {told or 'none'}.")
    return Table(tuple(array_column(name, arrays[name], source, name in categories) for name in wanted), source)


def array_column(name: str, array: np.ndarray, source: str, forced: bool = False) -> Column:
    """A 1-D array as a column: text is a category, datetime64 a date, whatever is real a number.

    Raises `DataError` for other types.
    """
    kind = array.dtype.kind
    if kind not in "fiubUM" or (array.dtype.itemsize > 8 and kind == "f"):
        raise DataError(
            f"{show(source)}: column {show(name)} must hold numbers, booleans, text or datetime64; it has dtype "
            f"{array.dtype}. Convert it, or choose other columns with --columns a,b (columns= in Python)."
        )
    if kind == "U" or forced:
        return _category(name, array, source)
    if kind == "M":
        return Column(name, _seconds(array, name, source), DATE)
    return Column(name, np.array(array, dtype=np.float64))


def _category(name: str, array: np.ndarray, source: str) -> Column:
    native = array.astype(array.dtype.newbyteorder("="))
    if native.dtype.kind == "U" and (native.reshape(-1, 1).view(np.uint32) > 0x10FFFF).any():
        raise DataError(f"{show(source)}: column {show(name)} must hold text; it has cells that are not Unicode.")
    missing = native != native  # NaN and NaT
    if (
        native.dtype.kind == "f"
        and (np.abs(native[~missing]) < 2.0**53).all()
        and not np.fmod(native[~missing], 1).any()
    ):
        native = np.where(missing, 0, native).astype(np.int64)
    words, codes = np.unique(native, return_inverse=True)
    return category(name, np.where(missing, -1, codes), [str(word).strip("\0") for word in words])


def _seconds(array: np.ndarray, name: str, source: str) -> np.ndarray:
    """Seconds since 1970 of datetime64, NaN for NaT."""
    unit, count = np.datetime_data(array.dtype)
    length = {"W": 604800, "D": 86400, "h": 3600, "m": 60, "s": 1}.get(unit)
    parts = {"ms": 10**3, "us": 10**6, "ns": 10**9}.get(unit)
    if count != 1 or (length is None and parts is None):
        raise DataError(
            f"{show(source)}: column {show(name)} must be datetime64 in weeks to nanoseconds; it is {array.dtype}. "
            "Convert it to datetime64[s]."
        )
    ticks = array.astype(array.dtype.newbyteorder("=")).view(np.int64)
    if parts is None:
        seconds = ticks * float(length or 1)
    else:
        rest = np.fmod(ticks, parts)
        seconds = (ticks - rest) // parts + rest / parts
    return np.where(np.isnat(array), np.nan, seconds)
