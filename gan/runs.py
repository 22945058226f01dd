"""Run folders: what a run was, what it measured, and where it goes on after a kill.

    config.json       the format's version and the configuration
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
import os
import platform
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from divergences.errors import DataError, FileFormatError
from divergences.saving import write_atomically
from gan.checkpoint import decode, encode, packed
from gan.config import Config
from gan.data import DATASETS
from gan.evaluate import Evaluation, Reference
from gan.game import Game, State
from gan.train import Snapshot, train

VERSION = 1
EVALUATED = 1000  # samples per seed behind each measured distance
BELIEVED = ("critic_loss", "generator_loss", "estimate")
TRUE = tuple(field.name for field in fields(Evaluation))
PER_SEED = (*BELIEVED, *TRUE)

Record = dict[str, Any]  # one line of metrics.jsonl


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder holds: the configuration, a record per snapshot, and the last samples (S, n, d)."""

    config: Config
    records: list[Record]
    samples: np.ndarray
    done: bool


def run(config: Config, folder: Path) -> Iterator[Record]:
    """Train in `folder`, or go on with the unfinished run that it holds; yield each new record once it is on disk.

    Raises DataError when the folder holds another experiment or another process trains in it, FileFormatError when
    a file in it is damaged, ConvergenceError from training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        for left_by_a_kill in folder.glob(".writing-*"):
            left_by_a_kill.unlink()
        _claim(folder, config)
        if (folder / "done.json").exists():
            return
        game = Game(config)
        state = _checkpoint(folder, game)
        records = [] if state is None else [r for r in _records(folder, config) if r["step"] <= state.step]
        # Lines after the checkpoint, and a line torn by a kill, are measured again.
        _replace(folder / "metrics.jsonl", b"".join(map(_line, records)))
        reference = Reference.of(game, EVALUATED)
        for snapshot in train(config, state):
            record = _record(snapshot, reference.evaluate(snapshot))
            _save(folder, snapshot, record)
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
    seeds, dimension = len(tuple(config.seeds)), DATASETS[config.data].dimension
    if samples.ndim != 3 or samples.shape[::2] != (seeds, dimension) or not np.isfinite(samples).all():
        raise FileFormatError(f"{path} must hold finite samples of {seeds} seeds in {dimension} dimensions.")
    return Run(config, records, samples, (folder / "done.json").exists())


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


def _save(folder: Path, snapshot: Snapshot, record: Record) -> None:
    """Metrics before the checkpoint: after a kill between them the extra line is dropped and measured again."""
    with open(folder / "metrics.jsonl", "ab") as file:
        file.write(_line(record))
        file.flush()
        os.fsync(file.fileno())
    _replace(folder / "samples.npz", packed({"samples": snapshot.sample(EVALUATED).cpu().numpy()}))
    _replace(folder / "checkpoint.npz", encode(snapshot.state))


def _record(snapshot: Snapshot, evaluations: list[Evaluation]) -> Record:
    """A snapshot as plain data: one list entry per seed, in the order of the configuration."""
    believed = {name: getattr(snapshot, name).tolist() for name in BELIEVED}
    true = {name: [getattr(e, name) for e in evaluations] for name in TRUE}
    return {"step": snapshot.step, "seconds": round(snapshot.seconds, 3), **believed, **true}


def _line(record: Record) -> bytes:
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def _records(folder: Path, config: Config) -> list[Record]:
    """The records on disk; a last line without its end was torn by a kill and does not count."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_parsed(line, f"{path}, line {number}", len(tuple(config.seeds))) for number, line in enumerate(lines, 1)]


def _parsed(line: bytes, where: str, seeds: int) -> Record:
    """A record with its step, its seconds and a number per seed of everything else."""
    try:
        record = json.loads(line)
        shape = {name: np.shape(np.asarray(record[name], dtype=float)) for name in ("step", "seconds", *PER_SEED)}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileFormatError(f"{where}, must be the record of a snapshot; {error!r}.") from None
    wrong = [name for name, got in shape.items() if got != ((seeds,) if name in PER_SEED else ())]
    if wrong:
        raise FileFormatError(f"{where}, must hold one number per seed ({seeds}) in {wrong[0]!r}.")
    return record


def _claim(folder: Path, config: Config) -> None:
    """Make the folder this experiment's, or check that it already is."""
    path = folder / "config.json"
    if path.exists():
        held = _configuration(folder)
        ours, theirs = config.as_dict(), held.as_dict()
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
    _replace_json(path, {"version": VERSION, "config": config.as_dict()})


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
