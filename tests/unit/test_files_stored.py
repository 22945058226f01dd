"""Tables that stay on disk: the same as in memory, a column or some rows at a time."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

from divergences.errors import DataError, FileFormatError
from divergences.files import Column, StoredTable, Table, aligned, batches, read_table

ROWS = 1000


def frame(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Columns of every kind, with gaps."""
    rng = np.random.default_rng(seed)
    gaps = rng.random(rows) < 0.1
    return pa.table(
        {
            "x": pa.array(rng.normal(size=rows), mask=gaps),
            "when": pa.array(rng.integers(0, 10**9, rows), mask=gaps).cast(pa.timestamp("s")),
            "yes": pa.array(rng.random(rows) < 0.5, mask=gaps),
            "town": pa.array(rng.choice([f"town {k}" for k in range(50)], rows), mask=gaps),
            "code": pa.array(rng.choice(["b", "a"], rows)).dictionary_encode(),
            "gaps": pa.nulls(rows),
        }
    )


def saved(folder, suffix: str):
    """A file, or a folder of files, of several row groups."""
    path = folder / f"x{suffix}"
    if suffix == ".parquet":
        parquet.write_table(frame(), path, row_group_size=300)
    elif suffix == ".feather":
        feather.write_feather(frame(), path, chunksize=300)
    elif suffix == ".npy":
        np.save(path, np.random.default_rng(0).normal(size=(ROWS, 3)))
    elif suffix == ".f.npy":
        np.save(path, np.asfortranarray(np.random.default_rng(0).normal(size=(ROWS, 3))))
    elif suffix == ".records.npy":
        records = np.zeros(ROWS, [("a", "<f8"), ("b", "<U3"), ("c", ">M8[s]")])
        records["a"], records["b"], records["c"] = np.arange(ROWS), np.arange(ROWS) % 7, np.arange(ROWS)
        np.save(path, records)
    else:
        path.mkdir()
        whole = frame()
        for k, start in enumerate((0, 1, 400)):
            stop = (1, 400, ROWS)[k]
            write = parquet.write_table if suffix == "-parquet" else feather.write_feather
            write(whole.slice(start, stop - start), path / f"part-{k}.{suffix[1:]}")
        (path / "_metadata").write_text("not read")
        (path / ".hidden.crc").write_text("not read")
    return path


KINDS = (".parquet", ".feather", ".npy", ".f.npy", ".records.npy", "-parquet", "-feather")


def told(column: Column) -> list:
    """The cells in words or numbers, whatever the codes."""
    if column.measured:
        return [None if np.isnan(value) else value for value in column.values.tolist()]
    return [column.categories[code] if code >= 0 else None for code in column.values]


def same(x: Table, y: Table) -> None:
    """The same names, kinds and cells."""
    assert x.kinds == y.kinds
    for a, b in zip(x.columns, y.columns, strict=True):
        assert told(a) == told(b)


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    return saved(tmp_path, request.param)


def test_a_stored_table_is_the_table(path):
    """Columns, rows, parts and batches are those of the table in memory."""
    table, stored = read_table(path, lazy=False), read_table(path, lazy=True)
    assert isinstance(stored, StoredTable)
    assert not isinstance(table, StoredTable)
    assert (stored.names, len(stored), stored.source) == (table.names, len(table), table.source)
    same(stored, table)
    for a, b in zip(stored.columns, table.columns, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        assert a.categories == b.categories
    rows = np.array([999, 0, 5, 5, 299, 300, -1, 301, 700])
    same(stored.take(rows), table.take(rows))
    same(stored.take(np.array([399])), table.take(np.array([399])))
    mask = np.arange(ROWS) % 7 == 0
    same(stored.take(mask), table.take(np.flatnonzero(mask)))
    two = [table.names[2], table.names[0]]
    same(stored.select(two), table.select(two))
    assert stored.select(None) is stored
    renamed = stored.select(two).renamed(["p", "q"])
    assert renamed.names == ("p", "q")
    assert told(renamed.column("q")) == told(table.column(table.names[0]))
    assert [column.name for column in renamed.take(np.array([0])).columns] == ["p", "q"]
    with pytest.raises(DataError, match="has no column 'nope'"):
        stored.column("nope")
    assert len(stored.columns) == len(table.names)
    assert [column.name for column in stored.columns[:2]] == list(table.names[:2])


@pytest.mark.parametrize("rows", [1, 7, 300, 10**6])
def test_batches_are_the_table_cut_up(path, rows):
    """No row is lost, doubled or moved, and no batch is longer than asked."""
    table = read_table(path, lazy=False)
    seen: dict[str, list] = {name: [] for name in table.names}
    for batch in batches(path, rows=rows) if rows > 1 else read_table(path, lazy=True).batches(400):
        assert 0 < len(batch) <= max(rows, 400)
        assert batch.kinds == table.kinds
        for column in batch.columns:
            seen[column.name] += told(column)
    assert seen == {column.name: told(column) for column in table.columns}


def test_rows_beyond_the_table_are_refused(path):
    """As are indices that are no whole numbers."""
    stored = read_table(path, lazy=True)
    for rows in (np.array([ROWS]), np.array([-ROWS - 1]), np.array([0.5]), np.array([[0]])):
        with pytest.raises(DataError, match="has 1,000 rows; some of the indices"):
            stored.take(rows)
    assert len(stored.take(np.array([], dtype=int))) == 0


def test_categories_are_forced_and_names_checked(path):
    """As when all is read at once."""
    name = read_table(path, lazy=True).names[0]
    stored, table = (read_table(path, lazy=lazy, categories=[name]) for lazy in (True, False))
    assert stored.kinds[name] == table.kinds[name] == "category"
    assert told(stored.column(name)) == told(table.column(name))
    first = told(next(stored.batches(5)).column(name))
    assert first == told(table.column(name))[: len(first)]
    assert told(stored.take(np.array([3])).column(name)) == told(table.column(name))[3:4]
    with pytest.raises(DataError, match="has no column 'nope'"):
        read_table(path, columns=["nope"])
    with pytest.raises(DataError, match="has no column 'nope'"):
        read_table(path, categories=["nope"])


def test_a_file_that_changes_is_refused(path):
    """Whether it grows, shrinks or is replaced: by the column, the rows or the batch that is read next."""
    stored = read_table(path, lazy=True)
    assert len(stored.column(stored.names[0]).values) == ROWS
    file = sorted(path.glob("part*"))[1] if path.is_dir() else path
    content = file.read_bytes()
    for changed in (content + b"\0", content[:-40], content[: len(content) // 2], content):
        file.write_bytes(changed)
        os.utime(file, ns=(0, 0))
        with pytest.raises(DataError, match=rf"{file.name}' changed while it was read"):
            stored.column(stored.names[0])
        with pytest.raises(DataError, match="changed while it was read"):
            stored.take(np.array([2, 900]))
        with pytest.raises(DataError, match="changed while it was read"):
            list(stored.batches())
    file.unlink()
    with pytest.raises(FileNotFoundError):
        stored.column(stored.names[0])


def test_the_size_in_memory_decides(path, monkeypatch):
    """From so many bytes on, eight for a number and 64 for a word, a table stays where it is."""
    from divergences.files import _read

    size = ROWS * sum(64 if kind == "category" else 8 for kind in read_table(path).kinds.values())
    monkeypatch.setattr(_read, "LAZY_BYTES", size)
    assert not isinstance(read_table(path), StoredTable)
    monkeypatch.setattr(_read, "LAZY_BYTES", size - 1)
    assert isinstance(read_table(path), StoredTable)
    assert not isinstance(read_table(path, lazy=False), StoredTable)


def test_limits_are_on_what_is_held(path):
    """In memory the table, on disk a column, must stay below max_bytes."""
    with pytest.raises(DataError, match=r"must (unpack to|be) at most 16,000 bytes"):
        read_table(path, max_bytes=16_000, lazy=False)
    stored = read_table(path, max_bytes=8_000, lazy=True)
    assert len(stored.column(stored.names[0]).values) == ROWS
    with pytest.raises(DataError, match=r"must take at most 7,999 bytes; its 1,000 rows take 8,000"):
        read_table(path, max_bytes=7_999, lazy=True).column(stored.names[0])


# ---------------------------------------------------------------------------------------------------- two tables


def test_stored_tables_are_aligned_where_they_lie(tmp_path):
    """Their columns and rows come out as those of tables in memory, on either side."""
    paths = []
    for k, changes in enumerate(({}, {"town": pa.array(["Bern", None, "town 3", "Chur"]), "x": pa.nulls(4)})):
        table = frame(4, seed=k)
        for name, column in changes.items():
            table = table.set_column(table.schema.get_field_index(name), name, column)
        table = table.append_column(f"only {k}", pa.array([1.0] * 4))
        yes = pa.array(["True", "false", "maybe", None]) if k else table["yes"]
        table = table.set_column(table.schema.get_field_index("yes"), "yes", yes)
        paths.append(tmp_path / f"{k}.parquet")
        parquet.write_table(table, paths[-1])
    expected = aligned(*(read_table(path) for path in paths))
    for lazy in ((True, True), (True, False), (False, True)):
        found = aligned(*(read_table(path, lazy=how) for path, how in zip(paths, lazy, strict=True)))
        assert [isinstance(table, StoredTable) for table in found] == list(lazy)
        for table, right in zip(found, expected, strict=True):
            same(table, right)
            same(table.take(np.array([2, 0])), right.take(np.array([2, 0])))
            assert [c.categories for c in table.columns] == [c.categories for c in right.columns]
            assert [c.categories for c in next(table.batches()).columns] == [c.categories for c in right.columns]
            names = [f"new {name}" for name in table.names]
            assert told(table.renamed(names).column("new town")) == told(right.column("town"))
    parquet.write_table(pa.table({"x": ["a", "b"]}), paths[1])
    with pytest.raises(DataError, match=r"Column 'x' must be of one kind; it is a number in .* and a category in"):
        aligned(*(read_table(path, lazy=True) for path in paths))


# ------------------------------------------------------------------------------------------------------- folders


def write(folder, **tables):
    """Parquet files in a folder."""
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        parquet.write_table(pa.table(table), folder / f"{name}.parquet")
    return folder


def test_a_file_of_a_folder_that_differs_is_named(tmp_path):
    """By a column too many, too few, or of another kind; the order of columns does not matter."""
    folder = write(tmp_path / "f", a={"x": [1], "y": ["u"]}, b={"y": ["v"], "x": [2.5]})
    assert [told(column) for column in read_table(folder).columns] == [[1.0, 2.5], ["u", "v"]]
    write(folder, b={"x": [1]})
    with pytest.raises(DataError, match=r"b\.parquet' must have the columns of .*a\.parquet'; column 'y' is not in it"):
        read_table(folder)
    assert len(read_table(folder, columns=["x"])) == 2
    write(folder, b={"x": [1], "y": ["u"], "z": [1]})
    with pytest.raises(DataError, match=r"b\.parquet' .*; column 'z' is only in it"):
        read_table(folder)
    write(folder, b={"x": ["1"], "y": ["u"]})
    with pytest.raises(DataError, match=r"b\.parquet' .*; column 'x' is a category in it and a number elsewhere"):
        read_table(folder)


def test_a_part_with_only_nulls_takes_the_kind_of_the_others(tmp_path):
    """As engines write a column that happened to be empty."""
    gaps = pa.nulls(2)
    folder = write(tmp_path / "f", a={"x": gaps, "y": gaps}, b={"x": ["u"], "y": [True]}, c={"x": gaps, "y": gaps})
    for lazy in (False, True):
        table = read_table(folder, lazy=lazy)
        assert table.kinds == {"x": "category", "y": "boolean"}
        assert told(table.column("x")) == [None, None, "u", None, None]
        assert told(table.take(np.array([0, 2, 4])).column("y")) == [None, "true", None]
    assert [batch.kinds for batch in batches(folder)] == [table.kinds] * 3


def test_folders_that_are_no_table(tmp_path):
    """Empty ones, other files, folders inside, pipes: each is named, and none is waited for."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty' must hold files that end in one of \.parquet"):
        read_table(tmp_path / "empty")
    folder = write(tmp_path / "f", a={"x": [1]})
    (folder / "year=2020").mkdir()
    with pytest.raises(DataError, match=r"must hold only files that end in .*; it has 'year=2020'"):
        read_table(folder)
    (folder / "year=2020").rmdir()
    (folder / "b.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r"must hold only files that end in .*; it has 'b.csv'"):
        read_table(folder)
    (folder / "b.csv").unlink()
    os.mkfifo(folder / "b.parquet")
    with pytest.raises(OSError, match="pipe or device"):
        read_table(folder)
    (folder / "b.parquet").unlink()
    (folder / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(FileFormatError, match=r"b\.parquet' cannot be read as Parquet"):
        read_table(folder)


# -------------------------------------------------------------------------------------------------------- memory

PEAK = """
import resource, sys, numpy, pyarrow.parquet
from divergences.files import batches, read_table
baseline = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
table = read_table(sys.argv[1], lazy=True)
if sys.argv[2] == "columns":
    seen = sum(len(column.values) for column in table.columns)
elif sys.argv[2] == "take":
    seen = len(table.take(numpy.arange(0, len(table), len(table) // 300)))
else:
    seen = sum(len(batch) for batch in batches(sys.argv[1]))
print(seen, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - baseline) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".npy"])
@pytest.mark.parametrize("way", ["columns", "take", "batches"])
def test_memory_is_that_of_a_column(tmp_path, suffix, way):
    """Three million rows of twenty columns, 480 MB, in one row group: less than 200 MB beyond the interpreter."""
    values = np.random.default_rng(0).normal(size=(3_000_000, 20))
    path = tmp_path / f"big{suffix}"
    if suffix == ".npy":
        np.save(path, values)
    else:
        table = pa.table({f"x{k}": values[:, k] for k in range(20)})
        if suffix == ".parquet":
            parquet.write_table(table, path, row_group_size=3_000_000)
        else:
            feather.write_feather(table, path, chunksize=3_000_000, compression="uncompressed")
    found = subprocess.run([sys.executable, "-c", PEAK, path, way], capture_output=True, text=True, check=True)
    assert float(found.stdout.split()[1]) < 200


def test_a_stored_table_travels(tmp_path):
    """To another process, by pickle: it is a path and what is known of it."""
    stored = read_table(saved(tmp_path, ".parquet"), lazy=True)
    same(pickle.loads(pickle.dumps(stored)), stored)  # noqa: S301
