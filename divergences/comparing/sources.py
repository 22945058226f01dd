"""What can be compared: tables, frames, arrays, paths, profiles, dask frames; and how two of them are matched."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from divergences._arrays import is_torch, to_numpy
from divergences._checks import real_array
from divergences.errors import DataError
from divergences.files import Table, batches, from_frame, from_matrix, read_table, show
from divergences.files._source import GZIP_RATIO, unpacks_beyond
from divergences.files._source import Source as Bytes
from divergences.profiles import Profile, load, merge

HELD = 2**28  # bytes of text that are read into memory; more is read once, into a profile
TEXT = (".csv", ".txt", ".tsv", ".tab", ".gz")
Source = Table | Profile


def as_source(value: Any, name: str, method: str | None = None) -> Source:
    """`value` as a table or profile; `name` is its source where it has none of its own."""
    if isinstance(value, Table | Profile):
        return value
    if isinstance(value, str | os.PathLike):
        return read_source(Path(value), method=method)
    if hasattr(value, "__dask_graph__"):
        from divergences.profiles.dask import profile_of_dask

        return profile_of_dask(value, source=name)
    if not bare(value):
        return from_frame(value, name)
    try:
        array = real_array(value, name)
    except DataError as error:
        raise DataError(f"{error} For text, dates or gaps pass a data frame, or {{'name': values}}.") from None
    return from_matrix(to_numpy(array) if is_torch(array) else array, name)


def read_source(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    categories: Sequence[str] = (),
    method: str | None = None,
    dask: str | None = None,
) -> Source:
    """The table or profile at `path`; of text too large to hold, unless "exact" is asked for, the profile.

    With the address of a Dask scheduler its workers make the profile, of each file of a folder.
    """
    if path.suffix == ".profile":
        return load(path).select(columns)
    if dask is not None or method == "profile" or (method is None and _large(path)):
        return profiled(path, columns=columns, delimiter=delimiter, categories=categories, dask=dask)
    return read_table(path, columns=columns, delimiter=delimiter, categories=categories)


def _large(path: Path) -> bool:
    """Whether it is text that takes more than `HELD` bytes, unpacked if it is packed."""
    suffix = path.suffix.lower()
    if suffix not in TEXT or not path.is_file():
        return False
    size = path.stat().st_size
    packed = suffix == ".gz" and size * GZIP_RATIO > HELD
    return size > HELD or (packed and unpacks_beyond(Bytes.of_file(str(path)), HELD))


def profiled(
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    categories: Sequence[str] = (),
    label: str | None = None,
    seed: int = 0,
    dask: str | None = None,
    progress: Callable[[str, float], object] | None = None,
) -> Profile:
    """The profile of the table at `path`, here or on the workers of a Dask scheduler: the same to the bit.

    Each file of a folder is a part with its path for a label, unless `label` names the whole.
    """
    parts = sorted(p for p in path.iterdir() if p.name[0] not in "._") if path.is_dir() and label is None else [path]
    if not parts:
        raise DataError(f"{show(path)} must hold at least one file; it is an empty folder.")
    if dask is not None:
        from divergences.profiles.dask import profile_of_dask

        return profile_of_dask(parts, client=dask, columns=columns, categories=categories, seed=seed)
    made = []
    for part in parts:
        found = batches(part, columns=columns, delimiter=delimiter, categories=categories)
        made.append(Profile.of(found, label=label or str(part), seed=seed, progress=progress))
    return merge(*made)


def bare(value: Any) -> bool:
    """Whether it is an array or a list, which has no names, kinds or gaps of its own."""
    if isinstance(value, Table | Profile | str | os.PathLike | dict):
        return False
    return not any(hasattr(value, speaks) for speaks in ("__arrow_c_stream__", "__dataframe__", "__dask_graph__"))


def matched(x: Source, y: Source, columns: Sequence[str] | None) -> tuple[Source, Source]:
    """Two sources with the same columns in the order of x; what has no partner is an error that names it."""
    if x.names != y.names and len(x.names) == len(y.names):
        if _nameless(y.names):
            y = y.renamed(x.names)
        elif _nameless(x.names):
            x = x.renamed(y.names)
    if columns is not None:
        return x.select(columns), y.select(columns)
    alone = [[n for n in a.names if n not in set(b.names)] for a, b in ((x, y), (y, x))]
    if any(alone):
        told = [f"only {t.source!r} has {', '.join(map(repr, a[:5]))}" for t, a in zip((x, y), alone, strict=True) if a]
        shared = [n for n in x.names if n in set(y.names)]
        choose = f"Choose among the {len(shared)} they share with --columns (columns= in Python)."
        remedy = choose if shared else "Give them the same names."
        raise DataError(f"Both tables must have the same columns; {'; '.join(told)}. {remedy}")
    return x, y.select(x.names)


def _nameless(names: Sequence[str]) -> bool:
    return tuple(names) == tuple(f"column_{k + 1}" for k in range(len(names)))
