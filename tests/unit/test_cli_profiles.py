"""The commands that keep, merge and compare profiles, and the matrix of many files."""

import csv
import gzip
import io
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from divergences import comparing as module
from divergences.cli import app
from divergences.comparing import compare, profiled, read_source, sources
from divergences.console import run
from divergences.errors import FileFormatError
from divergences.files import Table, read_table
from divergences.profiles import Profile, load


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A reference in two parts, and a current table with other ages, cities and gaps."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def write(name: str, n: int, shift: float, cities: list[str]) -> list[str]:
        rows = [f"{rng.normal(40 + shift, 10):.3f},{rng.choice(cities)},{rng.integers(0, 2)}" for _ in range(n)]
        (tmp_path / name).write_text("age,city,member\n" + "\n".join(rows) + "\n")
        return rows

    both = write("monday.csv", 150, 0, ["Bern", "Chur"]) + write("tuesday.csv", 100, 0, ["Bern", "Chur", "Zug"])
    (tmp_path / "week.csv").write_text("age,city,member\n" + "\n".join(both) + "\n")
    write("cur.csv", 200, 8, ["Bern", "Basel"])
    return tmp_path


@pytest.fixture
def call(capsys):
    """Run the command; its code, output and errors."""

    def run_it(*argv: str) -> tuple[int, str, str]:
        code = run(app, argv)
        return code, *capsys.readouterr()

    return run_it


def test_packed_text_is_large_by_what_it_unpacks_to(parts, monkeypatch):
    """Read whole while it is small, else once into a profile: in one member or in several."""
    ages = np.random.default_rng(0).integers(0, 100, 50_000)
    content = ("age\n" + "\n".join(map(str, ages)) + "\n").encode()
    for name, members in (("one", [content]), ("two", [content[:100_000], content[100_000:]])):
        path = parts / f"{name}.csv.gz"
        path.write_bytes(b"".join(map(gzip.compress, members)))
        for limit, kept in ((len(content), Table), (len(content) - 1, Profile)):
            monkeypatch.setattr(sources, "HELD", limit)
            assert type(read_source(path)) is kept
        assert isinstance(read_source(path, method="exact"), Table)
    broken = parts / "broken.csv.gz"
    broken.write_bytes(gzip.compress(content)[:-9])
    monkeypatch.setattr(sources, "HELD", 1000)
    with pytest.raises(FileFormatError, match="cannot be read as gzip"):
        profiled(broken)


def test_merged_parts_are_the_whole(parts, call):
    """In any order; and the file says how much is in it."""
    for day in ("monday", "tuesday"):
        code, _, err = call("profile", f"{day}.csv", "-o", f"{day}.profile")
        assert code == 0
        assert "rows, 3 columns" in err
    assert call("merge", "monday.profile", "tuesday.profile", "-o", "a.profile")[0] == 0
    assert call("merge", "tuesday.profile", "monday.profile", "-o", "b.profile")[0] == 0
    assert (parts / "a.profile").read_bytes() == (parts / "b.profile").read_bytes()
    merged = load(parts / "a.profile")
    assert merged.n == 250
    assert merged.columns["age"].n == 250


@pytest.mark.parametrize("nan_policy", ["category", "omit"])
def test_text_of_too_many_words_is_compared_by_its_profile(tmp_path, monkeypatch, nan_policy):
    """Other columns of the file, and text of fewer words, are not; the p-value finds that words are new."""
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{k}.parquet") for k in range(2)]
    for k, path in enumerate(paths):
        ids = rng.integers(5000 * k, 6000 + 5000 * k, 20_000)
        table = {"id": [None, *map(str, ids)], "size": rng.normal(size=20_001), "town": ["Bern", "Chur", "Zug"] * 6667}
        parquet.write_table(pa.table(table), path)
    x, y = (read_table(path, lazy=True) for path in paths)
    exact = compare(x, y, rng=0, joint=False, nan_policy=nan_policy)
    monkeypatch.setattr(module, "MANY", 5000)
    found = compare(x, y, rng=0, joint=False, nan_policy=nan_policy)
    assert any("chosen by their hash" in note for note in found.columns["id"].notes)
    assert not exact.columns["id"].notes or "chosen by their hash" not in exact.columns["id"].notes[-1]
    assert (found.columns["id"].n, found.columns["id"].m) == (20_000, 20_000)
    assert found.columns["id"].missing_reference == exact.columns["id"].missing_reference
    assert found.columns["id"].pvalue < 1e-6
    for name in ("size", "town"):
        assert found.columns[name].to_dict() | {"pvalue_adjusted": 0} == exact.columns[name].to_dict() | {
            "pvalue_adjusted": 0
        }
    monkeypatch.setattr(module, "MANY", 50_000)
    assert compare(x, y, rng=0, joint=False, nan_policy=nan_policy).to_dict() == exact.to_dict()


def test_a_profile_has_no_exact_answer(parts, call):
    assert call("profile", "week.csv", "-o", "week.profile")[0] == 0
    code, _, err = call("compare", "week.profile", "cur.csv", "--method", "exact")
    assert code == 3
    assert "'week.csv' is a profile" in err


def test_an_empty_folder_is_named(parts, call):
    (parts / "empty").mkdir()
    code, _, err = call("profile", "empty", "-o", "empty.profile")
    assert code == 3
    assert "'empty' must hold at least one file" in err


def test_a_profile_stands_for_its_table(parts, call):
    """Distances of the values and of the profile agree: few values are kept exactly."""
    assert call("profile", "week.csv", "-o", "week.profile")[0] == 0
    code, out, _ = call("compare", "week.profile", "cur.csv", "--no-joint", "--format", "json")
    assert code == 0
    kept = json.loads(out)
    exact = compare(parts / "week.csv", parts / "cur.csv", rng=0, joint=False).to_dict()
    assert kept["meta"]["method"] == "profile"
    for name in ("age", "city", "member"):
        for number in ("w1", "w1_lower", "w1_upper", "ks", "w1_sd", "n", "m", "mean_shift"):
            wanted = exact["columns"][name][number]
            assert kept["columns"][name][number] == (None if wanted is None else pytest.approx(wanted, rel=1e-9))
    assert kept["columns"]["city"]["unseen_names"] == ["Basel"]
    assert call("compare", "week.csv", "cur.csv", "--no-joint", "--method", "profile", "--format", "csv")[0] == 0


def test_a_profile_compares_jointly_by_its_rows(parts, call):
    """The rows that it keeps are a sample."""
    assert call("profile", "week.csv", "-o", "week.profile")[0] == 0
    code, out, _ = call("compare", "week.profile", "cur.csv", "--permutations", "9", "--format", "json")
    assert code == 0
    assert json.loads(out)["joint"]["energy_distance"]["pvalue"] == 0.1


def test_rules_reach_p_values_and_missing_numbers_are_named(parts, call):
    """Joint p-values, adjusted ones, and what a category does not have."""
    common = ("compare", "week.csv", "cur.csv", "--permutations", "19", "--sample", "60")
    assert call(*common, "--fail-on", "energy_distance.pvalue<0.1")[0] == 1
    assert call(*common, "--fail-on", "pvalue_adjusted(*)<0.1")[0] == 1
    code, _, err = call(*common, "--fail-on", "w1(city)>1")
    assert code == 3
    assert "w1(city), which a category lacks" in err
    assert call("compare", "week.csv", "cur.csv", "--no-joint", "--fail-on", "w2>1")[0] == 2
    assert call(*common, "--fail-on", "w2.pvlaue<0.1")[0] == 2


def test_the_columns_can_be_written_as_csv(parts, call):
    """One row each, also to a file."""
    assert call("compare", "week.csv", "cur.csv", "--no-joint", "--csv", "out.csv")[0] == 0
    rows = list(csv.DictReader(io.StringIO((parts / "out.csv").read_text())))
    assert [row["column"] for row in rows] == ["age", "city", "member"]
    assert float(rows[0]["w1"]) > 4
    assert call("compare", "week.csv", "cur.csv", "--no-joint", "--csv", "out.csv")[0] == 5  # it exists


def test_standard_input_is_a_table(parts, call, monkeypatch):
    """One side may be a dash."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((parts / "cur.csv").read_bytes())))
    code, out, _ = call("compare", "week.csv", "-", "--no-joint", "--format", "json")
    assert code == 0
    assert json.loads(out)["columns"]["age"]["m"] == 200


def test_a_matrix_of_files(parts, call):
    """Symmetric, zero on the diagonal, complete only after all shards."""
    files = ("monday.csv", "tuesday.csv", "cur.csv")
    code, out, err = call("matrix", *files, "--metric", "w1_sd", "--columns", "age", "-o", "m", "--shard", "1/2")
    assert code == 0
    assert "other shards" in err
    code, out, err = call(
        "matrix", *files, "--metric", "w1_sd", "--columns", "age", "-o", "m", "--shard", "2/2", "--format", "json"
    )
    assert (code, err) == (0, "")
    values = np.array(json.loads(out)["values"])
    np.testing.assert_array_equal(values, values.T)
    assert not values.diagonal().any()
    assert values[0, 2] > 2 * values[0, 1]
    assert call("matrix", *files, "-o", "n", "--shard", "3/2")[0] == 2


def test_a_folder_is_profiled_part_by_part(parts):
    """As the cluster does it: each file has its own label."""
    (parts / "days").mkdir()
    import pyarrow as pa
    import pyarrow.parquet as parquet

    for day in ("a", "b"):
        parquet.write_table(pa.table({"v": np.arange(10.0) + ord(day)}), parts / "days" / f"{day}.parquet")
    assert profiled(parts / "days").labels == (str(parts / "days" / "a.parquet"), str(parts / "days" / "b.parquet"))


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("profile", "week.csv", "-o", "week.txt"), 2, "must end in .profile"),
        (("profile", "none.csv", "-o", "x.profile"), 5, "No such file"),
        (("merge", "a.profile", "-o", "x.profile"), 2, "two profiles or more"),
        (("profile", "week.csv", "-o", "x.profile", "--dask", "tcp://x:1", "--shard", "a"), 2, "--dask goes without"),
        (("matrix", "week.csv", "-o", "m"), 3, "from 2 to"),
        (("compare", "week.profile", "cur.csv"), 5, "No such file"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(parts, call, argv, code, message):
    """With the exit code of its kind."""
    found, out, err = call(*argv)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
