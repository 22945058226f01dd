"""Distances between many tables, each read once, each pair a file: a killed run goes on, and shards share the work."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from divergences._checks import choice, count
from divergences.errors import DataError, FileFormatError
from divergences.files import batches, show
from divergences.profiles.metrics import METRICS, distance
from divergences.profiles.profile import Profile
from divergences.profiles.storage import load, save
from divergences.saving import write_atomically
from divergences.wording import spreadsheet

PLAN, PROFILES, PAIRS = "matrix.json", "profiles", "pairs"
HELD = 64  # profiles in memory
MOST = 10_000  # files


@dataclass(frozen=True, eq=False)
class Matrix:
    """Distances between n tables: `values`, between `lower` and `upper`, (n, n); NaN where a pair is not yet known.

    `names` are the files in their order; a value is the mean over `columns` of the distance `metric` of each.
    """

    names: tuple[str, ...]
    metric: str
    columns: tuple[str, ...]
    values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def complete(self) -> bool:
        """Whether all pairs are known."""
        return not np.isnan(self.values).any()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; None for what is not known."""
        numbers = {name: _plain(getattr(self, name)) for name in ("values", "lower", "upper")}
        return {"names": list(self.names), "metric": self.metric, "columns": list(self.columns), **numbers}

    def to_csv(self) -> str:
        """The values, with the names in the first row and column."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([self.metric, *map(spreadsheet, self.names)])
        for name, row in zip(self.names, _plain(self.values), strict=True):
            writer.writerow([spreadsheet(name), *("" if value is None else repr(value) for value in row)])
        return out.getvalue()


def matrix(
    files: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    metric: str = "w1",
    columns: Sequence[str] | None = None,
    categories: Sequence[str] = (),
    shard: tuple[int, int] = (0, 1),
    progress: Callable[[str, float], object] | None = None,
) -> Matrix:
    """The distances between all pairs of files, in the folder `out`, which also remembers what is done.

    Each file is read once, into a profile in the folder; each pair is a small file there, written whole or not at all.
    A call that was interrupted goes on where it stopped; calls with shards (0, k), ..., (k - 1, k) share the pairs and
    may run at once, on one machine or several with one folder. Each pair's number is that of the pair alone.

    Args:
        files: tables, or profiles (.profile), each once, at least two.
        out: a folder: new, empty, or that of the same matrix.
        metric: of `METRICS`; w1 of more than one column needs columns of one unit, w1_sd does not.
        columns: whose mean distance is taken; None takes those of the first file.
        categories: columns to read as text.
        shard: (i, k), do the pairs i, i + k, ...
        progress: called with a text and the share done.

    Returns:
        The matrix as far as it is known: of other shards what is in the folder.

    Raises:
        DataError: fewer than two files, one twice, another matrix in `out`, a file that changed since, no common
            column. OSError: what cannot be read or written.

    """
    choice(metric, METRICS, "metric")
    part, parts = shard
    if not 0 <= count(part, "the shard", minimum=0) < count(parts, "the number of shards"):
        raise DataError(f"shard must be (i, k) with 0 <= i < k; got {shard!r}.")
    names = [os.fspath(file) for file in files]
    if not 2 <= len(names) <= MOST:
        raise DataError(f"files must be from 2 to {MOST:,}, each given once; got {len(names)}.")
    if twice := [a for a, b in pairwise(sorted(names)) if a == b]:
        raise DataError(f"files must be given once each; {show(twice[0])} is named twice.")
    folder = Path(out)
    plan = {"files": [_stamped(name) for name in names], "metric": metric, "columns": columns and list(columns)}
    plan |= {"categories": sorted(categories)}
    _claim(folder, plan)

    @lru_cache(maxsize=HELD)
    def profile(k: int) -> Profile:
        return _profiled(folder, k, plan["files"][k], columns, categories)

    wanted = tuple(columns) if columns is not None else profile(0).names
    todo = list(_pairs(len(names)))[part::parts]
    for done, (i, j) in enumerate(todo):
        if progress is not None:
            progress(f"{names[i]} and {names[j]}", done / len(todo))
        path = _place(folder, i, j)
        if not path.exists():
            found = distance(profile(i), profile(j), metric, wanted)
            write_atomically(path, json.dumps(_told(found, names[i], names[j]), allow_nan=False) + "\n", force=True)
    return _collected(folder, names, metric, wanted)


def _told(found: dict[str, Any], x: str, y: str) -> dict[str, Any]:
    """What a pair's file says: each column, and the mean of those that have values on both sides."""
    known = [one for one in found.values() if not np.isnan(one.value)]
    if not known:
        raise DataError(f"{show(x)} and {show(y)} have no column with values in both.")
    mean = [float(np.mean(part)) for part in zip(*known, strict=True)]
    each = {name: None if np.isnan(one.value) else list(one) for name, one in found.items()}
    return {"files": [x, y], "value": mean[0], "lower": mean[1], "upper": mean[2], "columns": each}


def _stamped(name: str) -> list[Any]:
    """What must not change while the matrix is made: the file, its size and its time."""
    found = os.stat(name)
    return [name, found.st_size, found.st_mtime_ns]


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plan) + "\n"
    path = folder / PLAN
    if not path.exists():
        foreign = [p.name for p in folder.iterdir() if p.name != PLAN and not p.name.startswith(".writing-")]
        if foreign:
            raise DataError(f"{show(folder)} must be new or that of a matrix; it holds {show(min(foreign))}.")
        with suppress(FileExistsError):  # another shard began just now
            write_atomically(path, text)
    held = path.read_text("utf-8")
    if held != text:
        raise DataError(
            f"{show(folder)} holds the matrix of other files, of another metric, or of files that changed since. "
            "Choose another folder."
        )
    for name in (PROFILES, PAIRS):
        (folder / name).mkdir(exist_ok=True)


def _profiled(
    folder: Path, k: int, stamped: list[Any], columns: Sequence[str] | None, categories: Sequence[str]
) -> Profile:
    path, name = folder / PROFILES / f"{k}.profile", stamped[0]
    if path.exists():
        return load(path)
    if name.endswith(".profile"):
        found = load(name)
    else:
        found = Profile.of(batches(name, columns=columns, categories=categories), label=name)
    if _stamped(name) != stamped:
        raise DataError(f"{show(name)} changed since the matrix was begun. Begin again in another folder.")
    save(found, path, force=True)
    return found


def _pairs(n: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(n) for j in range(i + 1, n))


def _place(folder: Path, i: int, j: int) -> Path:
    return folder / PAIRS / f"{i}-{j}.json"


def _collected(folder: Path, names: Sequence[str], metric: str, columns: tuple[str, ...]) -> Matrix:
    n = len(names)
    values = np.full((3, n, n), np.nan)
    values[:, range(n), range(n)] = 0.0
    for i, j in _pairs(n):
        path = _place(folder, i, j)
        if path.exists():
            values[:, i, j] = values[:, j, i] = _read(path)
    return Matrix(tuple(names), metric, columns, *values)


def _read(path: Path) -> list[float]:
    try:
        told = json.loads(path.read_text("utf-8"))
        found = [float(told[name]) for name in ("value", "lower", "upper")]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = [np.nan]
    if not np.isfinite(found).all():
        raise FileFormatError(f"{show(path)} must be a pair of a matrix; it is damaged. Delete it, and run again.")
    return found


def _plain(values: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else value for value in row] for row in values.tolist()]
