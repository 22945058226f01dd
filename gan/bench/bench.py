"""Run the cells of a protocol: each in a run folder of its own, one after another, side by side, or on other machines.

A finished cell is not run again and a stopped one goes on, so a bench is resumed by the command that began it.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import torch

from divergences._checks import choice, count
from divergences.errors import ConvergenceError, DataError, FileFormatError
from gan import runs
from gan.bench.protocol import Cell, Protocol
from gan.folder import replace_json
from gan.game import Game
from gan.measures.reference import checked

TABLE = "bench.json"
BACKENDS = ("loky", "dask")

Progress = Callable[[str, float], Any]  # what goes on, and the part of the bench that is done


def run_cells(
    protocol: Protocol,
    out: Path,
    *,
    shard: tuple[int, int] = (0, 1),
    jobs: int = 1,
    backend: str = "loky",
    scheduler: str | None = None,
    threads: int = 1,
    seconds: float = math.inf,
    progress: Progress | None = None,
) -> None:
    """Run every n-th cell from the i-th, `shard` = (i, n), in folders of `out`.

    `jobs` cells run side by side, by joblib's `backend`: "loky", processes here, or "dask", on the cluster whose
    `scheduler` is at that address, which must see `out` under the same path. Torch takes `threads` in each: the last
    bits of a run depend on that, and on nothing else of this. After `seconds` no further cell is begun.

    Raises DataError for a cell that cannot be trained, before any is, or if dask is not installed.
    """
    cells = shard_of(protocol, shard)
    choice(backend, BACKENDS, "backend")
    for cell in cells:
        _check(cell)
    work = [(cell, out / cell.folder) for cell in cells if not finished(out / cell.folder)]
    show = progress or (lambda stage, part: None)
    total, ended = len(cells), len(cells) - len(work)
    stop = time.monotonic() + seconds
    work = (task for task in work if time.monotonic() < stop)  # judged when its turn comes
    if count(jobs, "jobs") == 1 and backend == "loky":
        for k, (cell, folder) in enumerate(work, ended):
            train(cell, folder, threads, lambda stage, part, k=k: show(stage, (k + part) / total))
        return
    tasks = (joblib.delayed(train)(cell, folder, threads) for cell, folder in work)
    with _cluster(jobs, scheduler) if backend == "dask" else nullcontext():
        for k, name in enumerate(joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks), ended + 1):
            show(f"finished {name}", k / total)


def train(cell: Cell, folder: Path, threads: int, progress: Progress | None = None) -> str:
    """Run one cell to its end, in any process; returns its name. That its training fails is a result like others."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for record in runs.run(cell.config, folder, measures=cell.measures or None, n=cell.n):
            if progress:
                progress(f"{cell.data}: {cell.name}, step {record['step']}", record["step"] / cell.config.steps)
    except (ConvergenceError, DataError):
        if not (folder / runs.FAILED).exists():  # refused before it began
            raise
    finally:
        torch.set_num_threads(before)
    return f"{cell.data}: {cell.name}"


def finished(folder: Path) -> bool:
    """Whether a cell has run to its end."""
    return (folder / "done.json").exists() or (folder / runs.FAILED).exists()


def shard_of(protocol: Protocol, shard: tuple[int, int]) -> tuple[Cell, ...]:
    """Every n-th cell from the i-th."""
    i, n = shard
    if not 0 <= i < n:
        raise DataError(f"shard must be i/n with i from 0 to n - 1, such as 0/2 and 1/2; got {i}/{n}.")
    return protocol.cells[i::n]


def claim(protocol: Protocol, out: Path, *, force: bool = False) -> None:
    """Make `out` the folder of this bench, or check that it is.

    `force` removes the runs of another bench, and nothing that is not one. Raises DataError for a folder with other
    things in it, FileFormatError for a damaged table, OSError.
    """
    out.mkdir(parents=True, exist_ok=True)
    if force and (out / TABLE).exists():
        for folder in [path for path in out.iterdir() if path.is_dir() and not path.is_symlink()]:
            runs.discard(folder)
        (out / TABLE).unlink()
    if (out / TABLE).exists():
        held = _arguments(out / TABLE)
        if held != list(protocol.arguments):
            raise DataError(
                f"{out} holds another bench: gan bench {' '.join(map(str, held))}. "
                "Choose another folder, or --force to start over."
            )
        return
    ours = {TABLE, *(cell.folder for cell in protocol.cells)}  # the table: of another shard that begins just now
    names = sorted(path.name for path in out.iterdir())
    foreign = [name for name in names if name not in ours and not name.startswith(".writing-")]
    if foreign:
        raise DataError(f"{out} must be empty or the folder of a bench; it holds {foreign[0]!r}. Choose another.")
    replace_json(out / TABLE, {"arguments": protocol.arguments})


def _arguments(path: Path) -> list[Any]:
    try:
        held = json.loads(path.read_bytes())["arguments"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FileFormatError(
            f"{path} must be the table of a bench; {error!r}. Remove it to have it rewritten."
        ) from None
    return held if isinstance(held, list) else [held]


def _check(cell: Cell) -> None:
    """Raise before hours of other work what would stop this cell: networks that do not fit, measures that cannot be."""
    try:
        checked(Game(cell.config).target, cell.measures)
    except DataError as error:
        raise type(error)(f"{cell.data}, {cell.name}: {error}") from None


@contextmanager
def _cluster(jobs: int, scheduler: str | None) -> Iterator[None]:
    """Joblib's tasks go to dask's workers: those of a scheduler, or `jobs` processes here."""
    try:
        from distributed import Client  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports]
    except ImportError:
        raise DataError(
            "backend dask must have dask.distributed installed: pip install 'divergences[cluster]'."
        ) from None
    local = partial(Client, n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None)
    with Client(scheduler) if scheduler else local(), joblib.parallel_config(backend="dask"):
        yield
