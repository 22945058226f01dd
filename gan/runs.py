"""Run folders: what a run was, what it measured, and where it goes on after a kill.

    config.json       the format's version, the configuration, what is measured, and the data's fingerprint
    reference.json    what a perfect generator would get, measure by measure
    environment.json  versions and threads, for whoever wants to repeat the bits
    metrics.jsonl     one line per snapshot
    samples.npz       samples of the last snapshot
    checkpoint.npz    the training state at the last snapshot
    missing.json      why measures of the last snapshot are missing, where some are
    failed.json       why the run ended with an error, if it did
    done.json         written last: the run is complete

Files are replaced whole (a temporary file in the same folder, fsync, rename, fsync of the folder), so that a kill at
any moment leaves the previous one. Nothing is unpickled: a checkpoint is arrays, of exactly the names, shapes and
types that the configuration implies.
"""

import io
import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from divergences._checks import count
from divergences.errors import ConvergenceError, DataError, FileFormatError
from divergences.files import read_bytes
from divergences.wording import plain
from gan import distributed, records
from gan.checkpoint import decode, encode, packed, unpacked
from gan.config import Config
from gan.folder import FILES, foreign, locked, read_json, replace, replace_json, strict_json, sweep
from gan.game import Game
from gan.measures import SAMPLES, Reference
from gan.records import Record
from gan.snapshot import Snapshot
from gan.state import State
from gan.statistic import Statistic
from gan.train import train

VERSION = 2
FAILED, MISSING = "failed.json", "missing.json"
SAME_BITS = ("threads", "processes", "torch", "machine")


@dataclass(frozen=True, eq=False)
class Run:
    """What a run folder holds.

    Attributes:
        config: the configuration. records: one per snapshot; every list in one has an entry per replica, None where a
            replica has diverged or a measure cannot be taken.
        samples: of the last snapshot, (S, n, d).
        perfect: what a perfect generator would get, a list over replicas by measure.
        done: whether the run is complete; failed: the error that ended it before, or empty.
        missing: why the last record has None for a measure: by name a reason, or None, per replica.

    """

    config: Config
    records: list[Record]
    samples: np.ndarray
    perfect: dict[str, list[float | None]]
    done: bool
    failed: str = ""
    missing: dict[str, list[str | None]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many points of a replica are behind each number: of a finite set no more than it holds out."""
        n = self.samples.shape[1]
        return min(n, Game(self.config).target.held_out or n)

    def column(self, name: str) -> np.ndarray:
        """One quantity over training, (snapshots,) or (snapshots, S); NaN for None."""
        return np.array([record[name] for record in self.records], dtype=float)

    def attainable(self, name: str) -> float:
        """What a perfect generator would get, on average over replicas; NaN where it cannot be measured."""
        mean = Statistic.of(np.array(self.perfect[name], float)).mean
        return math.nan if mean is None else mean

    def last(self, name: str) -> np.ndarray:
        """One quantity at the last snapshot, (S,)."""
        return self.column(name)[-1]

    @property
    def gaps(self) -> list[str]:
        """A sentence for each measure that the last snapshot lacks: why."""
        said = {
            name: dict.fromkeys(plain(why, 200) for why in reasons if why) for name, reasons in self.missing.items()
        }
        return [f"no {name.replace('_', ' ')}: {'; '.join(reasons)}" for name, reasons in said.items()]


def run(config: Config, folder: Path, *, measures: Sequence[str] | None = None, n: int = SAMPLES) -> Iterator[Record]:
    """Train in `folder`, or go on with the unfinished run that it holds; yield each new record once it is on disk.

    `measures` are names in `MEASURES`, by default the usual ones of the target, each on `n` samples per replica. Of
    several processes that `torchrun` started, the first one reads and writes, and tells the others where to begin.

    Raises DataError when the folder holds another experiment or another process trains in it, FileFormatError when
    a file in it is damaged, ConvergenceError from training.
    """
    game = Game(config)
    if distributed.rank() > 0:
        yield from _follow(game)
        return
    reference = Reference.of(game.target, game.seeds, n, measures)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _claim(folder, game, [measure.name for measure in reference.measures], count(n, "n"))
        sweep(folder)
        done = (folder / "done.json").exists()
        state = None if done else _checkpoint(folder, game)
        distributed.tell(json.dumps({"done": done, **_experiment(game)}).encode())
        if done:
            return
        distributed.tell(b"" if state is None else encode(state))
        _replace_records(folder, config, state)
        replace_json(folder / "reference.json", reference.perfect)
        (folder / FAILED).unlink(missing_ok=True)
        try:
            for snapshot in train(config, state):
                samples = snapshot.sample(n)
                judged = reference.judge(samples)
                record = records.record(snapshot, reference.values(judged))
                _save(folder, snapshot, record, samples, reference.reasons(judged))
                yield record
        except (ConvergenceError, DataError) as error:
            replace_json(folder / FAILED, {"reason": str(error)})
            raise
        replace_json(folder / "done.json", {"step": config.steps})


def _follow(game: Game) -> Iterator[Record]:
    """Train beside the first process, from where it says, and yield nothing."""
    told = strict_json(distributed.tell(b""), "What the first process says")
    ours = _experiment(game)
    differing = [name for name in ours if ours[name] != told[name]]
    if differing:
        name = differing[0]
        raise DataError(
            f"Every process must train the same experiment; {name} is {told[name]!r} in the first one and "
            f"{ours[name]!r} in number {distributed.rank()}."
        )
    if not told["done"]:
        checkpoint = distributed.tell(b"")
        state = decode(io.BytesIO(checkpoint), game, "The first process's state") if checkpoint else None
        for _ in train(game.config, state):
            pass
    yield from ()


def read(folder: Path) -> Run:
    """What is on disk of a run, finished or not; see `run` for the errors."""
    held = _held(folder)
    config, replicas = held.config, len(held.config.replicas)
    dimension = _game(folder, held).target.dimension
    lines = records.read(folder / "metrics.jsonl", replicas)
    path = folder / "samples.npz"
    if not lines or not path.exists():
        raise DataError(f"{folder} must hold at least one snapshot; it was stopped before its first. Train on.")
    samples = unpacked(path, {"samples": (np.dtype(config.dtype), (replicas, held.n, dimension))}, str(path))
    perfect = records.parsed(read_bytes(folder / "reference.json"), str(folder / "reference.json"), replicas)
    done, failed = (folder / "done.json").exists(), records.failure(folder / FAILED)
    return Run(config, lines, samples["samples"], perfect, done, failed, records.missing(folder / MISSING, replicas))


def restore(folder: Path) -> tuple[Game, State]:
    """The game of a run and its last checkpoint."""
    game = _game(folder, _held(folder))
    state = _checkpoint(folder, game)
    if state is None:
        raise DataError(f"{folder} must hold a checkpoint; it was stopped before its first. Train on.")
    return game, state


def discard(folder: Path) -> None:
    """Remove a run that no process trains in; a folder that is none, or holds anything else, is left as it is."""
    if not (folder / "config.json").exists():
        return
    others = foreign(folder)
    if others:
        raise DataError(f"{folder} must hold nothing but a run to be replaced; it holds {others[0]!r}.")
    with locked(folder):
        sweep(folder)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)


def environment() -> dict[str, Any]:
    """What decides the last bits of a training here, beside its configuration, and the versions behind it."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.platform(),
        "threads": torch.get_num_threads(),
        "processes": distributed.processes(),
    }


def elsewhere(folder: Path) -> list[str]:
    """How the run in `folder` began, in words, wherever that was unlike here and the last bits may differ for it."""
    try:
        held = read_json(folder / "environment.json")
    except (OSError, DataError):
        return []
    here = environment()
    unlike = [name for name in SAME_BITS if isinstance(held, dict) and held.get(name) not in (None, here[name])]
    return [f"{name} {plain(held[name], 80)}, here {here[name]}" for name in unlike]


def _save(
    folder: Path, snapshot: Snapshot, record: Record, samples: torch.Tensor, missing: dict[str, list[str | None]]
) -> None:
    """Metrics before the checkpoint: after a kill between them the extra line is dropped and measured again."""
    with open(folder / "metrics.jsonl", "ab") as file:
        file.write(records.line(record))
        file.flush()
        os.fsync(file.fileno())
    replace(folder / "samples.npz", packed({"samples": samples.cpu().numpy()}))
    if missing or (folder / MISSING).exists():
        replace_json(folder / MISSING, missing)
    replace(folder / "checkpoint.npz", encode(snapshot.state))


def _replace_records(folder: Path, config: Config, state: State | None) -> None:
    """Drop lines after the checkpoint, and a line torn by a kill: they are measured again."""
    path = folder / "metrics.jsonl"
    lines = [] if state is None else records.read(path, len(config.replicas))
    replace(path, b"".join(records.line(record) for record in lines if state and record["step"] <= state.step))


@dataclass(frozen=True)
class _Held:
    """What config.json says, judged."""

    config: Config
    measures: list[str]
    n: int
    prints: list[str | None]


def _experiment(game: Game) -> dict[str, Any]:
    """All that decides a training."""
    return {**game.config.as_dict(), "content of data": [target.fingerprint for target in game.space.targets]}


def _claim(folder: Path, game: Game, measures: list[str], n: int) -> None:
    """Make the folder this experiment's, or check that it already is."""
    path = folder / "config.json"
    if path.exists():
        held = _held(folder)
        ours = {**game.config.as_dict(), "measures": measures, "n": n}
        theirs = {**held.config.as_dict(), "measures": held.measures, "n": held.n}
        differing = [name for name in ours if ours[name] != theirs[name]]
        if differing:
            name = differing[0]
            raise DataError(
                f"{folder} holds another experiment: {name} is {theirs[name]!r} there and "
                f"{ours[name]!r} here. Choose another folder, or --force to start over."
            )
        _check_data(folder, held, game)
        return
    others = foreign(folder)
    if others:
        raise DataError(f"{folder} must be empty or a run folder; it holds {others[0]!r}. Choose another.")
    replace_json(folder / "environment.json", environment())
    prints = _experiment(game)["content of data"]
    extra = {"measures": measures, "n": n, "content of data": prints}
    replace_json(path, {"version": VERSION, "config": game.config.as_dict(), **extra})


def _held(folder: Path) -> _Held:
    path = folder / "config.json"
    if not path.exists():
        raise DataError(f"{folder} must be a run folder; it has no config.json. Make one with `gan train --out`.")
    held, where = read_json(path), str(path)
    if not isinstance(held, dict) or "version" not in held:
        raise FileFormatError(f"{where} must be an object with a version.")
    if held["version"] != VERSION:
        raise FileFormatError(
            f"{where} must be of version {VERSION}; got {held['version']!r}. Use the release that wrote it."
        )
    names = ("version", "config", "measures", "n", "content of data")
    unlike = sorted(set(held) ^ set(names))
    if unlike:
        raise FileFormatError(f"{where} must have the fields {', '.join(names)}; it differs in {unlike[0]!r}.")
    lists = [held["measures"], held["content of data"]]
    if not all(isinstance(x, list) and all(isinstance(v, str | None) for v in x) for x in lists):
        raise FileFormatError(f"{where} must list names in measures and in content of data.")
    try:
        return _Held(Config.from_dict(held["config"]), held["measures"], count(held["n"], "n"), lists[1])
    except DataError as error:
        raise FileFormatError(f"{where}: {error}") from None


def _game(folder: Path, held: _Held) -> Game:
    game = Game(held.config)
    _check_data(folder, held, game)
    return game


def _check_data(folder: Path, held: _Held, game: Game) -> None:
    if held.prints != [target.fingerprint for target in game.space.targets]:
        raise DataError(
            f"{folder} was trained on other data than {game.config.data!r} now holds: the content has "
            "changed. Restore it, or train in another folder."
        )


def _checkpoint(folder: Path, game: Game) -> State | None:
    path = folder / "checkpoint.npz"
    return decode(path, game, str(path)) if path.exists() else None
