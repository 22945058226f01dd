"""The matrix of distances between files: right, resumable, shared by shards, and careful with its folder."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from divergences.errors import DataError, FileFormatError
from divergences.files import Column, Table, batches
from divergences.profiles import Profile, save
from divergences.profiles import matrix as module
from divergences.profiles.matrix import PAIRS, matrix
from divergences.profiles.metrics import METRICS, column_distance, distance

WORDS = np.array(["red", "blue", "green"])


@pytest.fixture
def files(tmp_path):
    """Five tables of a number and a word, and what is in them."""
    rng = np.random.default_rng(0)
    paths, tables = [], []
    for k in range(5):
        size, word = np.round(rng.normal(k / 2, 1, 400), 2), WORDS[rng.integers(0, 2 + (k > 2), 400)]
        path = tmp_path / f"={k}.csv"
        path.write_text("size,word\n" + "\n".join(f"{a},{b}" for a, b in zip(size, word, strict=True)) + "\n")
        paths.append(str(path))
        tables.append((size, word))
    return paths, tables


def test_w1_and_ks_are_scipys(files, tmp_path):
    paths, tables = files
    w1 = matrix(paths, tmp_path / "w1", metric="w1", columns=["size"])
    ks = matrix(paths, tmp_path / "ks", metric="ks", columns=["size"])
    for i, (x, _) in enumerate(tables):
        for j, (y, _) in enumerate(tables):
            assert w1.values[i, j] == pytest.approx(wasserstein_distance(x, y), rel=1e-12)
            assert ks.values[i, j] == pytest.approx(ks_2samp(x, y).statistic, abs=1e-12)  # pyright: ignore[reportAttributeAccessIssue]
    assert w1.complete
    assert np.array_equal(w1.lower, w1.upper)


def test_words_are_compared_by_their_shares(files, tmp_path):
    paths, tables = files
    shares = [np.array([(word == w).mean() for w in WORDS]) for _, word in tables]
    js = matrix(paths, tmp_path / "js", metric="js_distance", columns=["word"])
    tv = matrix(paths, tmp_path / "tv", metric="w1", columns=["word"])
    for i, p in enumerate(shares):
        for j, q in enumerate(shares):
            assert tv.values[i, j] == pytest.approx(np.abs(p - q).sum() / 2, abs=1e-15)
            assert js.values[i, j] == pytest.approx(jensenshannon(p, q) if i != j else 0.0, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_a_symmetric_distance_with_zeros(files, tmp_path, metric):
    """A mean over all columns; each pair by itself gives the same bits."""
    paths, _ = files
    found = matrix(paths, tmp_path / "all", metric=metric)
    assert found.columns == ("size", "word")
    assert np.array_equal(found.values, found.values.T)
    assert not found.values.diagonal().any()
    assert (found.values + np.eye(5) > 0).all()
    assert (found.lower <= found.values).all()
    assert (found.values <= found.upper).all()
    pair = matrix([paths[1], paths[3]], tmp_path / "pair", metric=metric)
    assert pair.values[0, 1] == found.values[1, 3]


def test_w1_sd_has_no_unit():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=500), rng.normal(1, 2, 500)
    tables = [Profile.of(Table.numbers(("a",), v[:, None] * k, "e")) for k in (1.0, 1e6) for v in (x, y)]
    a, b = (distance(tables[k], tables[k + 1], "w1_sd", ["a"])["a"].value for k in (0, 2))
    assert a == pytest.approx(wasserstein_distance(x, y) / np.concatenate([x, y]).std(), rel=1e-12)
    assert a == pytest.approx(b, rel=1e-12)


def test_dates_are_told_in_days():
    """As `compare` tells them; in standard deviations a date is a number."""
    x, y = np.random.default_rng(3).integers(0, 10**7, (2, 60)).astype(float)
    (x_days, y_days), (x_numbers, y_numbers) = (
        [Profile.of(Table((Column("a", v, kind),), "e")) for v in (x, y)] for kind in ("date", "number")
    )
    found = distance(x_days, y_days, "w1", ["a"])["a"]
    assert found.value == pytest.approx(wasserstein_distance(x, y) / 86_400, rel=1e-12)
    assert found.lower == found.value == found.upper
    assert distance(x_days, y_days, "w1_sd", ["a"]) == distance(x_numbers, y_numbers, "w1_sd", ["a"])


def test_many_words_give_a_bracket():
    """Lower and upper bounds hold for the shares of all words."""
    rng = np.random.default_rng(2)
    words = tuple(f"word {k}" for k in range(9000))
    codes = [rng.integers(0, 8000, 30_000), np.minimum(rng.integers(2000, 9000, 20_000), 8500)]
    x, y = (Profile.of(Table((Column("w", c, "category", words),), "e")).columns["w"] for c in codes)
    p, q = (np.bincount(c, minlength=9000) / len(c) for c in codes)
    exact = {"total_variation": np.abs(p - q).sum() / 2, "js_distance": jensenshannon(p, q)}
    for metric, value in exact.items():
        found = column_distance(x, y, metric)
        assert found.lower <= value <= found.upper
        assert found.lower < found.upper


def test_shards_make_one_matrix(files, tmp_path):
    paths, _ = files
    whole = matrix(paths, tmp_path / "whole")
    told = []
    first = matrix(paths, tmp_path / "shared", shard=(0, 3), progress=lambda stage, part: told.append(part))
    assert told == [0, 0.25, 0.5, 0.75]
    assert not first.complete
    assert None in first.to_dict()["values"][0]
    matrix(paths, tmp_path / "shared", shard=(2, 3))
    last = matrix(paths, tmp_path / "shared", shard=(1, 3))
    assert last.to_dict() == whole.to_dict()
    for i in range(5):
        for j in range(i + 1, 5):
            name = f"{i}-{j}.json"
            assert (tmp_path / "shared" / PAIRS / name).read_bytes() == (tmp_path / "whole" / PAIRS / name).read_bytes()


def test_a_killed_run_goes_on(files, tmp_path):
    """SIGKILL after the third pair: what is done is not done again, and the rest is."""
    paths, _ = files
    out = tmp_path / "out"
    code = (
        "import sys, time; from divergences.profiles.matrix import matrix;"
        "matrix(sys.argv[2:], sys.argv[1], progress=lambda stage, part: part > 0.25 and time.sleep(60))"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(out), *paths])
    try:
        while not (out / PAIRS).exists() or len(list((out / PAIRS).glob("*.json"))) < 3:
            assert run.poll() is None
            time.sleep(0.02)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    done = {path.name: path.stat().st_mtime_ns for path in (out / PAIRS).glob("*.json")}
    assert 3 <= len(done) < 10
    found = matrix(paths, out)
    assert found.complete
    assert found.to_dict() == matrix(paths, tmp_path / "whole").to_dict()
    assert {name: (out / PAIRS / name).stat().st_mtime_ns for name in done} == done


def test_each_file_is_read_once(files, tmp_path, monkeypatch):
    paths, _ = files
    read = []
    monkeypatch.setattr(module, "batches", lambda path, **options: read.append(path) or batches(path, **options))
    monkeypatch.setattr(module, "HELD", 1)
    matrix(paths, tmp_path / "out", shard=(0, 2))
    matrix(paths, tmp_path / "out", shard=(1, 2))
    assert sorted(read) == sorted(paths)


def test_profiles_are_taken_too(files, tmp_path):
    paths, tables = files
    sizes = [Table.numbers(("size",), x[:, None], str(k)) for k, (x, _) in enumerate(tables[:2])]
    saved = [str(save(Profile.of(table), tmp_path / f"{table.source}.profile")) for table in sizes]
    found = matrix([*saved, paths[2]], tmp_path / "out")
    assert found.values[0, 1] == pytest.approx(wasserstein_distance(tables[0][0], tables[1][0]), rel=1e-12)


def test_texts_are_safe_in_spreadsheets(files, tmp_path, monkeypatch):
    paths, _ = files
    monkeypatch.chdir(tmp_path)
    found = matrix([os.path.basename(path) for path in paths], "out", columns=["size"])
    rows = list(csv.reader(io.StringIO(found.to_csv())))
    assert rows[0] == ["w1", *(f"'={k}.csv" for k in range(5))]
    assert [float(row[k + 1]) for k, row in enumerate(rows[1:])] == [0.0] * 5
    assert float(rows[1][2]) == found.values[0, 1]
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_folder_must_be_its_own(files, tmp_path):
    paths, _ = files
    out = tmp_path / "out"
    matrix(paths[:3], out)
    with pytest.raises(DataError, match="other files"):
        matrix(paths[:4], out)
    with pytest.raises(DataError, match="another metric"):
        matrix(paths[:3], out, metric="ks")
    os.utime(paths[0], ns=(1, 1))
    with pytest.raises(DataError, match="changed since"):
        matrix(paths[:3], out)
    with pytest.raises(DataError, match="must be new"):
        matrix(paths, tmp_path)


def test_a_file_that_changes_before_it_is_read_is_refused(files, tmp_path):
    """Its distances would stand under the time of the file that was."""
    paths, _ = files
    change = lambda *_: os.utime(paths[1], ns=(1, 1))
    with pytest.raises(DataError, match=r"=1\.csv' changed since the matrix was begun"):
        matrix(paths, tmp_path / "out", progress=change)
    assert not list((tmp_path / "out" / PAIRS).iterdir())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"value": 1}', '{"value": "a", "lower": 1, "upper": 1}', "[" * 10**6])
def test_a_damaged_pair_is_refused(files, tmp_path, text):
    paths, _ = files
    matrix(paths[:2], tmp_path / "out")
    (tmp_path / "out" / PAIRS / "0-1.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"0-1\.json.*damaged"):
        matrix(paths[:2], tmp_path / "out")


def test_what_cannot_be_is_refused(files, tmp_path):
    paths, _ = files
    for wrong in ([], paths[:1]):
        with pytest.raises(DataError, match="from 2 to"):
            matrix(wrong, tmp_path / "out")
    with pytest.raises(DataError, match=r"=1\.csv' is named twice"):
        matrix([*paths, paths[1]], tmp_path / "out")
    for shard in ((2, 2), (-1, 2), (0, 0), (0, 1.5)):
        with pytest.raises(DataError, match="shard"):
            matrix(paths, tmp_path / "out", shard=shard)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="metric must be one of w1, w1_sd"):
        matrix(paths, tmp_path / "out", metric="w2")
    with pytest.raises(FileNotFoundError):
        matrix([paths[0], "none.csv"], tmp_path / "out")
    with pytest.raises(DataError, match="'none'"):
        matrix(paths, tmp_path / "out", columns=["none"])
    other = tmp_path / "other.csv"
    other.write_text("size\nNA\nNA\n")
    with pytest.raises(DataError, match="no column with values in both"):
        matrix([paths[0], str(other)], tmp_path / "gaps", columns=["size"])
