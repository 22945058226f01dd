"""What a run measured: one record per snapshot, one line of `metrics.jsonl` each."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from divergences.errors import FileFormatError
from divergences.files import read_bytes
from gan.folder import strict_json
from gan.snapshot import BELIEVED, Snapshot

Record = dict[str, Any]
"""Numbers by name: `step` and `seconds`, and of everything else a list with one number, or None, per replica."""
SINGLE = ("step", "seconds")


def record(snapshot: Snapshot, measured: dict[str, list[float | None]]) -> Record:
    """A snapshot as plain data: one list entry per replica, None for what is not finite.

    None throughout for a replica that has diverged: its last finite parameters are no result of its training.
    """
    lost = snapshot.diverged.tolist()
    believed = {name: [_number(v) for v in getattr(snapshot, name).tolist()] for name in BELIEVED}
    numbers = {
        name: [None if step else value for value, step in zip(values, lost, strict=True)]
        for name, values in {**believed, **measured}.items()
    }
    return {"step": snapshot.step, "seconds": round(snapshot.seconds, 3), "diverged": lost, **numbers}


def line(record: Record) -> bytes:
    """A record as it stands in the file."""
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def read(path: Path, replicas: int) -> list[Record]:
    """The records in a file, none if there is no file; a last line without its end was torn by a kill."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return []
    lines = read_bytes(path).split(b"\n")[:-1]
    return [parsed(text, f"{path}, line {k}", replicas, SINGLE) for k, text in enumerate(lines, 1)]


def parsed(content: bytes, where: str, replicas: int, single: Sequence[str] = ()) -> Record:
    """A record: the names of `single` hold a number, and every other one number, or None, per replica."""
    found = strict_json(content, where)
    if not isinstance(found, dict):
        raise FileFormatError(f"{where} must be an object of numbers; got {type(found).__name__}.")
    missing = [name for name in single if name not in found]
    if missing:
        raise FileFormatError(f"{where} must be the record of a snapshot; it has no {missing[0]!r}.")
    for name, value in found.items():
        _check(name, value, None if name in single else replicas, where)
    return found


def missing(path: Path, replicas: int) -> dict[str, list[str | None]]:
    """Why measures of the last snapshot are missing: by name a reason, or None, per replica; empty without a file."""
    found = strict_json(read_bytes(path), str(path)) if path.exists() else {}
    lists = found.values() if isinstance(found, dict) else [None]
    if not all(isinstance(x, list) and len(x) == replicas and all(isinstance(v, str | None) for v in x) for x in lists):
        raise FileFormatError(f"{path} must name a reason, or null, per replica ({replicas}) for each measure.")
    return found


def failure(path: Path) -> str:
    """Why a run ended before its last step; empty without a file."""
    if not path.exists():
        return ""
    found = strict_json(read_bytes(path), str(path))
    if not isinstance(found, dict) or not isinstance(found.get("reason"), str):
        raise FileFormatError(f"{path} must be an object with a reason.")
    return found["reason"]


def _check(name: str, value: Any, replicas: int | None, where: str) -> None:
    try:
        shape = np.shape(np.asarray(value, dtype=float))
    except (ValueError, TypeError, OverflowError):
        raise FileFormatError(f"{where} must hold numbers in {name!r}; got {value!r}.") from None
    if replicas is None and (shape or value is None):
        raise FileFormatError(f"{where} must hold one number in {name!r}; got {value!r}.")
    if replicas is not None and shape != (replicas,):
        raise FileFormatError(f"{where} must hold one number per replica ({replicas}) in {name!r}.")


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
