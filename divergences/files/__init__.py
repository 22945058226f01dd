"""Tables from files that nobody vouches for: CSV, TSV, NPY, NPZ, Parquet and Feather, folders, standard input.

Everything is judged: no reader here unpickles, evaluates, follows a name out of an archive, or believes a size it
has not compared with the bytes that are there. Trouble with the file system is an `OSError`; trouble with the content
is a `FileFormatError` or `DataError` that names the file, the line, the column and the value.
"""

from divergences.files._aligned import aligned, aligned_columns
from divergences.files._arrow import from_arrow
from divergences.files._columns import from_matrix
from divergences.files._frames import from_frame
from divergences.files._numpy import MAX_RATIO
from divergences.files._read import SUFFIXES, batches, read_table
from divergences.files._source import MAX_BYTES, read_bytes
from divergences.files._stored import StoredTable
from divergences.files._table import Column, Table, show

__all__ = [
    "MAX_BYTES",
    "MAX_RATIO",
    "SUFFIXES",
    "Column",
    "StoredTable",
    "Table",
    "aligned",
    "aligned_columns",
    "batches",
    "from_arrow",
    "from_frame",
    "from_matrix",
    "read_bytes",
    "read_table",
    "show",
]
