"""Run folders: what a run was, what it measured, and where it goes on after a kill.

    config.json       the format's version, the configuration, what is measured, and the data's fingerprint
    reference.json    what a perfect generator would get, measure by measure
    environment.json  versions and threads, for whoever wants to repeat the bits
    metrics.jsonl     one line per snapshot
    samples.npz       samples of the last snapshot
    checkpoint.npz    the training state at the last snapshot
    done.json         written last: the run is complete

Files are replaced whole (a temporary file in the same folder, fsync, rename, fsync of the folder), so that a kill at
any moment leaves the previous one. Nothing is unpickled: a checkpoint is arrays, of exactly the names, shapes and
types that the configuration implies.
"""

import fcntl
import json
import math
import os
import platform
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from divergences.errors import DataError, FileFormatError
from divergences.saving import write_atomically
from gan import distributed
from gan.checkpoint import decode, encode, packed
from gan.config import Config
from gan.game import Game
from gan.measures import SAMPLES, Reference
from gan.snapshot import BELIEVED, Snapshot
from gan.state import State
from gan.train import train

VERSION = 2

Record = dict[str, Any]  # one line of metrics.jsonl


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder holds.

    Attributes:
        config: the configuration. records: one per snapshot; every list in one has an entry per replica, None where a
            replica has diverged or a measure cannot be taken.
        samples: of the last snapshot, (S, n, d).
        perfect: what a perfect generator would get, a list over replicas by measure.
        done: whether the run is complete.

    """

    config: Config
    records: list[Record]
    samples: np.ndarray
    perfect: dict[str, list[float | None]]
    done: bool

    def column(self, name: str) -> np.ndarray:
        """One quantity over training, (snapshots,) or (snapshots, S); NaN for None."""
        return np.array([record[name] for record in self.records], dtype=float)

    def last(self, name: str) -> np.ndarray:
        """One quantity at the last snapshot, (S,)."""
        return self.column(name)[-1]


def run(config: Config, folder: Path, *, measures: Sequence[str] | None = None, n: int = SAMPLES) -> Iterator[Record]:
    """Train in `folder`, or go on with the unfinished run that it holds; yield each new record once it is on disk.

    `measures` are names in `MEASURES`, by default the usual ones of the target, each on `n` samples per replica. Of
    several processes that `torchrun` started, the first one writes.

    Raises DataError when the folder holds another experiment or another process trains in it, FileFormatError when
    a file in it is damaged, ConvergenceError from training.
    """
    game = Game(config)
    if distributed.rank() > 0:
        distributed.wait()
        for _ in train(config, _checkpoint(folder, game)):
            pass
        return
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        for left_by_a_kill in folder.glob(".writing-*"):
            left_by_a_kill.unlink()
        reference = Reference.of(game.target, game.seeds, n, measures)
        _claim(folder, game, [measure.name for measure in reference.measures], n)
        distributed.wait()
        if (folder / "done.json").exists():
            return
        state = _checkpoint(folder, game)
        records = [] if state is None else [r for r in _records(folder, config) if r["step"] <= state.step]
        # Lines after the checkpoint, and a line torn by a kill, are measured again.
        _replace(folder / "metrics.jsonl", b"".join(map(_line, records)))
        _replace_json(folder / "reference.json", reference.perfect)
        for snapshot in train(config, state):
            samples = snapshot.sample(n)
            record = _record(snapshot, reference.evaluate(samples))
            _save(folder, snapshot, record, samples)
            yield record
        _replace_json(folder / "done.json", {"step": config.steps})


def read(folder: Path) -> Run:
    """What is on disk of a run, finished or not; see `run` for the errors."""
    config = _configuration(folder)
    records = _records(folder, config)
    path = folder / "samples.npz"
    if not records or not path.exists():
        raise DataError(f"{folder} must hold at least one snapshot; it was stopped before its first. Train on.")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            samples = arrays["samples"]
    except (ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise FileFormatError(f"{path} must hold an array named samples; {error}.") from None
    replicas, dimension = len(config.replicas), Game(config).target.dimension
    if samples.ndim != 3 or samples.shape[::2] != (replicas, dimension):
        raise FileFormatError(f"{path} must hold samples of {replicas} replicas in {dimension} dimensions.")
    perfect = _parsed((folder / "reference.json").read_bytes(), str(folder / "reference.json"), replicas, ())
    return Run(config, records, samples, perfect, (folder / "done.json").exists())


def restore(folder: Path) -> tuple[Game, State]:
    """The game of a run and its last checkpoint."""
    game = Game(_configuration(folder))
    state = _checkpoint(folder, game)
    if state is None:
        raise DataError(f"{folder} must hold a checkpoint; it was stopped before its first. Train on.")
    return game, state


def threads(folder: Path) -> int | None:
    """How many threads the run in `folder` began with; None if no run did, or none can tell."""
    try:
        held = json.loads((folder / "environment.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return held.get("threads") if isinstance(held, dict) else None


def discard(folder: Path) -> None:
    """Remove a run folder that no process trains in; a folder that is not one is left as it is."""
    if (folder / "config.json").exists():
        with _locked(folder):
            shutil.rmtree(folder)


def _save(folder: Path, snapshot: Snapshot, record: Record, samples: torch.Tensor) -> None:
    """Metrics before the checkpoint: after a kill between them the extra line is dropped and measured again."""
    with open(folder / "metrics.jsonl", "ab") as file:
        file.write(_line(record))
        file.flush()
        os.fsync(file.fileno())
    _replace(folder / "samples.npz", packed({"samples": samples.cpu().numpy()}))
    _replace(folder / "checkpoint.npz", encode(snapshot.state))


def _record(snapshot: Snapshot, measured: dict[str, list[float | None]]) -> Record:
    """A snapshot as plain data: one list entry per replica, None for what is not finite."""
    believed = {name: [_number(v) for v in getattr(snapshot, name).tolist()] for name in BELIEVED}
    moment = {"step": snapshot.step, "seconds": round(snapshot.seconds, 3), "diverged": snapshot.diverged.tolist()}
    return {**moment, **believed, **measured}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line(record: Record) -> bytes:
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def _records(folder: Path, config: Config) -> list[Record]:
    """The records on disk; a last line without its end was torn by a kill and does not count."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    names = ("step", "seconds")
    return [_parsed(line, f"{path}, line {k}", len(config.replicas), names) for k, line in enumerate(lines, 1)]


def _parsed(line: bytes, where: str, replicas: int, numbers: Sequence[str]) -> Record:
    """A record: the `numbers` named, and of everything else one number, or None, per replica."""
    try:
        record = json.loads(line)
        shape = {name: np.shape(np.asarray(value, dtype=float)) for name, value in record.items()}
        missing = [name for name in numbers if name not in shape]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"{where}, must be an object of numbers; {error!r}.") from None
    if missing:
        raise FileFormatError(f"{where}, must be the record of a snapshot; it has no {missing[0]!r}.")
    wrong = [name for name, got in shape.items() if got != (() if name in numbers else (replicas,))]
    if wrong:
        raise FileFormatError(f"{where}, must hold one number per replica ({replicas}) in {wrong[0]!r}.")
    return record


def _claim(folder: Path, game: Game, measures: list[str], n: int) -> None:
    """Make the folder this experiment's, or check that it already is."""
    path = folder / "config.json"
    prints = [target.fingerprint for target in game.space.targets]
    ours = {**game.config.as_dict(), "measures": measures, "n": n, "content of data": prints}
    if path.exists():
        _configuration(folder)
        held = json.loads(path.read_bytes())
        theirs = {**held["config"], **{name: held.get(name) for name in ("measures", "n", "content of data")}}
        differing = [name for name in ours if ours[name] != theirs[name]]
        if differing:
            name = differing[0]
            raise DataError(
                f"{folder} holds another experiment: {name} is {theirs[name]!r} there and {ours[name]!r} here. "
                "Choose another folder, or --force to start over."
            )
        return
    foreign = [p.name for p in folder.iterdir() if p.name not in ("lock", "environment.json")]
    if foreign:
        raise DataError(f"{folder} must be empty or a run folder; it holds {sorted(foreign)[0]!r}. Choose another.")
    environment = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.platform(),
        "threads": torch.get_num_threads(),
    }
    _replace_json(folder / "environment.json", environment)
    extra = {name: ours[name] for name in ("measures", "n", "content of data")}
    _replace_json(path, {"version": VERSION, "config": game.config.as_dict(), **extra})


def _configuration(folder: Path) -> Config:
    path = folder / "config.json"
    if not path.exists():
        raise DataError(f"{folder} must be a run folder; it has no config.json. Make one with `gan train --out`.")
    try:
        held = json.loads(path.read_bytes())
        version, values = held["version"], held["config"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileFormatError(f"{path} must hold a version and a config; {error}.") from None
    if version != VERSION:
        raise FileFormatError(f"{path} must be of version {VERSION}; got {version!r}. Use the release that wrote it.")
    try:
        return Config.from_dict(values)
    except DataError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _checkpoint(folder: Path, game: Game) -> State | None:
    path = folder / "checkpoint.npz"
    return decode(path, game) if path.exists() else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process trains in a folder; the system drops the lock when the process ends, however it ends."""
    with open(folder / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{folder} must be used by one run at a time; another process is training in it.") from None
        yield


def _replace_json(path: Path, value: Any) -> None:
    _replace(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and make the folder remember it."""
    write_atomically(path, content, force=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
