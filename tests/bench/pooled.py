"""Cells of a table, each repeated in a process of its own, and a record of them that outlives the run and the machine.

The record is a file of the repository, a JSON line for each cell: how many repetitions, and the sums of what they told.
The k-th repetition of a cell draws from a generator seeded by the cell and k, so a later run goes on where the last one
ended, and adds. A line holds the digest of the code that it judges: of the modules in question, and of what they import
from the same package, comments, docstrings and layout apart. Lines of other code are dropped when the cell runs again.
"""

import argparse
import ast
import hashlib
import json
import multiprocessing
import os
import re
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from rich.progress import Progress

ROOT = Path(__file__).parents[2]
C = TypeVar("C")  # a frozen dataclass
Once = Callable[[Any, np.random.Generator], Mapping[str, float]]


@dataclass(frozen=True)
class Record(Generic[C]):
    """What the repetitions of a cell gave, added up."""

    cell: C
    code: str
    repetitions: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)

    def mean(self, name: str) -> float:
        """Per repetition."""
        return self.sums.get(name, 0.0) / self.repetitions


def repeated(once: Once, record: Record[C], repetitions: int, seconds: float) -> Record[C]:
    """The record with what it lacks in repetitions, as far as so many seconds of a processor reach; one at least."""
    count, sums, start = record.repetitions, dict(record.sums), time.process_time()
    while count < repetitions:
        rng = np.random.default_rng([zlib.crc32(repr(record.cell).encode()), count])
        for name, value in once(record.cell, rng).items():
            sums[name] = sums.get(name, 0.0) + float(value)
        count += 1
        if time.process_time() - start >= seconds:
            break
    return Record(record.cell, record.code, count, round(record.seconds + time.process_time() - start, 3), sums)


def options(about: str, store: str, seconds: float) -> argparse.ArgumentParser:
    """What every table of repetitions asks for."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="the Markdown file to write; none: print only")
    parser.add_argument("--repetitions", type=int, default=2000, metavar="N")
    parser.add_argument(
        "--seconds",
        type=float,
        default=seconds,
        metavar="S",
        help=f"of a processor, for each cell ({seconds:g}; 0: none)",
    )
    parser.add_argument("--only", type=re.compile, default="", metavar="REGEX", help="the cells whose line matches")
    parser.add_argument("--store", type=Path, default=Path(__file__).parent / "records" / store, metavar="FILE")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), metavar="N")
    return parser


def measured(once: Once, cells: Sequence[C], code: Callable[[C], str], asked: argparse.Namespace) -> dict[C, Record[C]]:
    """The records of those cells that have any, after `--seconds` more of the ones that `--only` names.

    Args:
        once: one repetition: numbers to add up, by name.
        cells: dataclasses of one class, in the order in which they run.
        code: the digest of what a cell judges.
        asked: the options.

    """
    known = {cell: Record(cell, code(cell)) for cell in cells}
    known |= {r.cell: r for r in _read(asked.store, type(cells[0])) if r.cell in known and r.code == code(r.cell)}
    chosen = [cell for cell in cells if asked.seconds > 0 and re.search(asked.only, json.dumps(vars(cell)))]
    missing = [known[cell] for cell in chosen if known[cell].repetitions < asked.repetitions]
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    context = multiprocessing.get_context("spawn")  # compiled code does not survive a fork
    with ProcessPoolExecutor(asked.processes, mp_context=context) as pool, Progress() as progress:
        bar = progress.add_task("cells", total=len(missing))
        futures = [pool.submit(repeated, once, record, asked.repetitions, asked.seconds) for record in missing]
        for future in as_completed(futures):
            record = future.result()
            known[record.cell] = record
            _write(asked.store, [r for r in known.values() if r.repetitions])
            progress.advance(bar)
    return {cell: record for cell, record in known.items() if record.repetitions}


def _read(store: Path, kind: type[C]) -> Iterator[Record[C]]:
    if store.exists():
        for line in map(json.loads, store.read_text(encoding="utf-8").splitlines()):
            yield Record(**line | {"cell": kind(**line["cell"])})


def _write(store: Path, records: Sequence[Record[Any]]) -> None:
    """All of them; the file is whole at any time."""
    new = store.with_suffix(".new")
    new.write_text("".join(json.dumps(asdict(record)) + "\n" for record in records), encoding="utf-8")
    new.replace(store)


def digest(modules: Collection[str], package: str, *, apart: Collection[str] = ()) -> str:
    """Twelve hexadecimal digits of the code of modules and of all that they import from a package, without `apart`."""
    waiting, seen = list(modules), {*apart}
    total = hashlib.sha256()
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not file.exists():
            continue
        seen.add(name)
        tree = _bare(ast.parse(file.read_text(encoding="utf-8")))
        total.update(f"{name} {ast.dump(tree)}".encode())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(package):
                waiting += sorted({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return total.hexdigest()[:12]


def _bare(tree: ast.Module) -> ast.Module:
    """The tree without docstrings, and other expressions that are only a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                line for line in node.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
    return tree


def write(lines: Sequence[str], page: Path | None) -> None:
    """The page, or its text on the terminal."""
    text = "\n".join(lines)
    if page:
        page.write_text(text, encoding="utf-8")
    print(page or text)
