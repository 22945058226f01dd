"""Cells of a table, each repeated in a process of its own and kept as soon as it is done: a stopped run goes on."""

import argparse
import json
import multiprocessing
import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import Progress

Found = dict[str, Any]
C = TypeVar("C", bound=Hashable)
Run = Callable[[Any, int, float], Found]


def options(about: str, store: str, seconds: float) -> argparse.ArgumentParser:
    """What every table of repetitions asks for."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="the Markdown file to write; none: print only")
    parser.add_argument("--repetitions", type=int, default=2000, metavar="N")
    parser.add_argument("--seconds", type=float, default=seconds, metavar="S", help=f"a cell, default {seconds:g}")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cells whose name contains TEXT")
    parser.add_argument("--store", type=Path, default=Path("build") / store, metavar="FILE")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    return parser


def measured(run: Run, cells: Sequence[C], cell: Callable[..., C], asked: argparse.Namespace) -> dict[C, Found]:
    """What run(cell, repetitions, seconds) told of each cell: a dictionary with "cell", "repetitions" and "seconds".

    An earlier answer stands if it had as many repetitions, or as much time.
    """
    known = {}
    if asked.store.exists():
        for line in map(json.loads, asked.store.read_text(encoding="utf-8").splitlines()):
            if line["repetitions"] >= asked.repetitions or line["seconds"] >= asked.seconds:
                known[cell(**line["cell"])] = line
    missing = [c for c in cells if c not in known]
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    asked.store.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")  # compiled code does not survive a fork
    with ProcessPoolExecutor(asked.processes, mp_context=context) as pool, Progress() as progress:
        bar = progress.add_task("cells", total=len(missing))
        futures = [pool.submit(run, c, asked.repetitions, asked.seconds) for c in missing]
        with asked.store.open("a", encoding="utf-8") as store:
            for future in as_completed(futures):
                result = future.result()
                known[cell(**result["cell"])] = result
                print(json.dumps(result), file=store, flush=True)
                progress.advance(bar)
    return {c: known[c] for c in cells}


def write(lines: Sequence[str], page: Path | None) -> None:
    """The page, or its text on the terminal."""
    text = "\n".join(lines)
    if page:
        page.write_text(text, encoding="utf-8")
    print(page or text)
