"""`make bench`: speed and memory of ours and of its peers, measured in the same run, and the agreement of the answers.

    python tests/bench/run.py docs/benchmarks.md        every case, and write the page
    python tests/bench/run.py --only "KL|W1"            some cases, on the terminal; a page says that it has only these
    python tests/bench/run.py --list                    their names

A case is a function in a module of this folder and a line in that module's `CASES` (name -> function). It makes its
data and returns the contestants (name -> call), ours first, each call giving one number, or None where there is nothing
to compare. Each contestant runs in a process of its own, see `measure.py`; all have the same number of threads.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from divergences._parallel import thread_count

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from tests.bench.measure import SLOW  # noqa: E402

HEADER = [
    "| problem | contestant | time | ours is faster by | peak memory | relative difference |",
    "|---|---|---|---|---|---|",
]


def modules() -> dict[str, Any]:
    """The modules of this folder that have cases."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("run", "__init__"))
    found = {name: import_module(f"tests.bench.{name}") for name in names}
    return {name: module for name, module in found.items() if hasattr(module, "CASES")}


def measure(module: str, case: str, repeat: int, threads: int) -> list[dict[str, Any]]:
    """What `measure.py` says about each contestant of a case."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(threads)) | {"POT_BACKEND_DISABLE_PYTORCH": "1"}
    results: list[dict[str, Any]] = []
    while not results or len(results) < results[0]["contestants"]:
        command = [sys.executable, "-m", "tests.bench.measure", module, case, str(len(results)), str(repeat)]
        process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if process.returncode:
            sys.exit(f"{case}: a contestant ended with code {process.returncode}; its own words are above.")
        results.append(json.loads(process.stdout.splitlines()[-1]))
    return results


def lines(case: str, results: list[dict[str, Any]]) -> list[str]:
    """The rows of a case: ours, then its peers."""
    ours, rows = results[0], []
    for r in results:
        ratio, difference = "", ""
        if r is not ours:
            ratio = f"{r['seconds'] / ours['seconds']:.2g}"
            if r["value"] is not None and ours["value"] is not None:
                scale = abs(r["value"]) or 1.0
                difference = f"{abs(ours['value'] - r['value']) / scale:.1g}"
        cells = [case if r is ours else "", r["name"], f"{r['seconds']:.3g} s", ratio, f"{r['megabytes']:.0f} MB"]
        rows.append(f"| {' | '.join([*cells, difference])} |")
    return rows


def preface(threads: int, repeat: int) -> list[str]:
    """Where, with what and how it was measured."""
    packages = ("numpy", "scipy", "numba", "POT", "scikit-learn")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    share = f"{threads} thread{'s' if threads > 1 else ''}"
    return [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{versions}. Every contestant has a process of its own and may use {share}. "
        f"After a warm-up, the fastest of {repeat} runs counts, of what takes longer than {SLOW:g} s the only one; "
        "peak memory is what a run adds to the data.",
        "",
    ]


def processor() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    names = re.findall(r"model name\s*:\s*(.+)", text)
    vectors = [name for name in ("avx512f", "avx2") if f" {name} " in text]
    return ", ".join([*(names[:1] or [platform.machine()]), *vectors[:1]])


def main() -> None:
    """Measure, print, and write the page if one is named."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="the Markdown file to write; none: print only")
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="the cases whose name matches a regular expression"
    )
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each contestant, default 5")
    parser.add_argument("--threads", type=int, default=thread_count(), metavar="N", help="default: all processors")
    options = parser.parse_args()
    chosen = {
        name: (module, [case for case in module.CASES if re.search(options.only, case, re.IGNORECASE)])
        for name, module in modules().items()
    }
    if not any(cases for _, cases in chosen.values()):
        parser.error(f"no case matches {options.only!r}; --list shows their names")
    page, console = preface(options.threads, options.repeat), Console(stderr=True)
    if options.only:
        page += [f"Only the cases that match `{options.only}`: the others were not run for this page.", ""]
    for name, (module, cases) in chosen.items():
        if options.list:
            print(*cases, sep="\n")
            continue
        if not cases:
            continue
        page += [f"## {name.replace('_', '-')}", "", *(module.__doc__ or "").strip().splitlines(), "", *HEADER]
        print("\n".join(page[-len(HEADER) :]))
        for case in cases:
            with console.status(case):
                rows = lines(case, measure(name, case, options.repeat, options.threads))
            print("\n".join(rows), flush=True)
            page += rows
        page.append("")
    if options.page:
        options.page.write_text("\n".join(page), encoding="utf-8")
        print(options.page)


if __name__ == "__main__":
    main()
