"""What the files of a run folder rely on: one owner at a time, whole files or none, strict JSON."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from divergences.errors import DataError, FileFormatError
from divergences.files import read_bytes
from divergences.saving import write_atomically

FILES = (
    "config.json", "reference.json", "environment.json", "metrics.jsonl", "samples.npz", "checkpoint.npz", "done.json",
    "missing.json", "failed.json", "lock",
)  # fmt: skip
"""All that a run writes into its folder."""
TEMPORARY = ".writing-"  # how `write_atomically` calls what is not yet whole


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process trains in a folder; the system drops the lock when the process ends, however it ends."""
    with open(folder / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{folder} must be used by one run at a time; another process is training in it.") from None
        yield


def foreign(folder: Path) -> list[str]:
    """The names in a folder that no run writes."""
    return sorted(p.name for p in folder.iterdir() if p.name not in FILES and not p.name.startswith(TEMPORARY))


def sweep(folder: Path) -> None:
    """Remove what a kill left half written."""
    for left in folder.glob(f"{TEMPORARY}*"):
        left.unlink()


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and make the folder remember it."""
    write_atomically(path, content, force=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def replace_json(path: Path, value: Any) -> None:
    """Write a value as strict JSON."""
    replace(path, json_text(value))


def json_text(value: Any) -> bytes:
    """A value as strict JSON."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The value in a JSON file; see `strict_json`."""
    return strict_json(read_bytes(path), str(path))


def strict_json(content: bytes, where: str) -> Any:
    """The value of a JSON text, without NaN and without a name that stands twice in an object.

    >>> strict_json(b'{"lr": 1, "lr": 2}', "config.json")
    Traceback (most recent call last):
    divergences.errors.FileFormatError: config.json must name each field once; 'lr' stands there twice.

    """

    def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []
        if twice:
            raise FileFormatError(f"{where} must name each field once; {twice[0]!r} stands there twice.")
        return dict(pairs)

    def constant(name: str) -> Any:
        raise FileFormatError(f"{where} must be strict JSON; it holds {name}.")

    try:
        return json.loads(content, object_pairs_hook=fields, parse_constant=constant)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{where} must be JSON; {error}.") from None
