"""`make bench`: speed and memory of ours and of its peers, measured in the same run, and the agreement of the answers.

    python tests/bench/run.py docs/benchmarks.md        every case, and write the page
    python tests/bench/run.py --only "KL|W1"            some cases, on the terminal; a page says that it has only these
    python tests/bench/run.py --list                    their names

A case is a function in a module of this folder and a line in that module's `CASES` (name -> function). It makes its
data and returns the contestants (name -> call), ours first, each call giving one number, or None where there is nothing
to compare, alone or with a note that joins its name. A call that is a `Peer` runs in the environment of the extra
`bench`. Each contestant runs in a process of its own, see `measure.py`; all have the same number of threads.

A module may have `CURVES` too: name -> function of a size n that returns contestants. A picture beside the page shows
their time and memory for all SIZES that take at most some 30 seconds and 8 GiB.
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
from divergences.saving import write_atomically

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-bench" / "bin" / "python"
SIZES = (500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
TOO_LONG = 240  # seconds, after which a contestant of a case is stopped, its warming up and repetitions included
LONGEST, LARGEST = 30.0, 8192.0  # seconds and MB of a point of a curve, as the point before it foretells them
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
    results = [contestant(module, case, 0, sys.executable, repeat, threads)]
    for number, (name, elsewhere) in enumerate(results[0]["all"].items()):
        if number > 0:
            python = str(PEERS) if elsewhere else sys.executable
            results.append({"name": name} | contestant(module, case, number, python, repeat, threads))
    return results


def contestant(module: str, case: str, number: int, python: str, repeat: int, threads: int) -> dict[str, Any]:
    """What `measure.py` says about one of them, nothing where it is stopped; `CURVE:n` is a case too."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(threads)) | {"POT_BACKEND_DISABLE_PYTORCH": "1"}
    if not Path(python).exists():
        sys.exit(f"{case}: {python} is missing; `make bench` makes it.")
    command = [python, "-m", "tests.bench.measure", module, case, str(number), str(repeat), str(threads)]
    try:
        process = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=TOO_LONG
        )
    except subprocess.TimeoutExpired:
        return {}
    if process.returncode:
        sys.exit(f"{case}: a contestant ended with code {process.returncode}; its own words are above.")
    return json.loads(process.stdout.splitlines()[-1])


def curve(module: str, name: str, threads: int) -> dict[str, list[tuple[int, float, float]]]:
    """Size, seconds and MB of each contestant, as far as it goes."""
    found: dict[str, list[tuple[int, float, float]]] = {}
    first = contestant(module, f"{name}:{SIZES[0]}", 0, sys.executable, 1, threads)
    for number, (label, peer) in enumerate(first["all"].items()):
        python, points = str(PEERS) if peer else sys.executable, []
        for n in SIZES:
            if points:
                last, seconds, megabytes = points[-1]
                growth = (n / last) ** 2
                if seconds * growth > 2 * LONGEST or megabytes * growth > LARGEST or seconds > LONGEST:
                    break
            result = contestant(module, f"{name}:{n}", number, python, 1, threads)
            if not result:
                break
            points.append((n, result["seconds"], result["megabytes"]))
            print(f"{name} | {label} | {n} | {result['seconds']:.3g} s | {result['megabytes']:.0f} MB", flush=True)
        found[label] = points
    return found


def picture(curves: dict[str, dict[str, list[tuple[int, float, float]]]], path: Path) -> None:
    """Time and memory over n, a row of panels for each curve."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(len(curves), 2, figsize=(10, 4 * len(curves)), layout="constrained", squeeze=False)
    for row, (name, contestants) in zip(panels, curves.items(), strict=True):
        for axes, of, unit, least in ((row[0], 1, "seconds", 0.0), (row[1], 2, "MB", 1.0)):
            for index, (label, points) in enumerate(contestants.items()):
                sizes, values = [point[0] for point in points], [max(point[of], least) for point in points]
                axes.plot(sizes, values, "o-", label=label, linewidth=2.5 if index == 0 else 1.2, markersize=4)
            axes.set(xscale="log", yscale="log", xlabel="points of each sample", ylabel=unit, title=name)
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        row[0].legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def lines(case: str, results: list[dict[str, Any]]) -> list[str]:
    """The rows of a case: ours, then its peers."""
    ours, rows = results[0], []
    for r in results:
        ratio, difference = "", ""
        if "seconds" not in r or r["value"] != r["value"]:
            rows.append(f"|  | {r['name']} | {'-' if 'seconds' in r else f'stopped after {TOO_LONG} s'} |  |  |  |")
            continue
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
    code = "from importlib.metadata import version; print(*(f'{n} {version(n)}' for n in %r), sep=', ')"
    peers = ("numpy", "POT", "ott-jax", "jax", "geomloss", "torch", "lapx")
    if PEERS.exists():
        told = subprocess.run([PEERS, "-c", code % (peers,)], capture_output=True, text=True, check=True).stdout
        versions += f"; in an environment of their own {told.strip()}"
    share = f"{threads} thread{'s' if threads > 1 else ''}"
    return [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{versions}. Every contestant has a process of its own and may use {share}. "
        f"After a warm-up, the fastest of {repeat} runs counts, or of as many as begin within {SLOW:g} s; "
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


def save(page: list[str], path: Path) -> None:
    """Write the page as far as it is."""
    write_atomically(path, "\n".join(page), force=True)


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
    curves = [name for module in modules().values() for name in getattr(module, "CURVES", {})]
    if not any(cases for _, cases in chosen.values()) and not any(re.search(options.only, c, re.I) for c in curves):
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
            if options.page:
                save(page, options.page)  # a run that is stopped leaves what it measured
        page.append("")
    wanted = [
        (name, curve_name)
        for name, module in modules().items()
        for curve_name in getattr(module, "CURVES", {})
        if re.search(options.only, curve_name, re.IGNORECASE)
    ]
    if options.page and not options.list and wanted:
        file = options.page.with_suffix(".png")
        picture({name: curve(module, name, options.threads) for module, name in wanted}, file)
        page += ["## Time and memory over n", "", f"![Time and memory of each contestant over n]({file.name})", ""]
    if options.page:
        save(page, options.page)
        print(options.page)


if __name__ == "__main__":
    main()
