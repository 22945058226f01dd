"""Drift tools beside one another: speed and memory on large tables, false alarms under no change, power under shifts.

    python tests/bench/drift.py docs/drift-benchmarks.md     measure what is missing, and write page and picture
    python tests/bench/drift.py --seconds 60                 give each cell of the tables of decisions that long
    python tests/bench/drift.py --only speed

The peers come from the extra `bench` in an environment of their own, `.venv-bench` (`make bench` makes it). Every
cell is kept in build/drift.jsonl as soon as it is measured, so that a stopped run goes on; delete it to begin anew.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

ROOT = Path(__file__).parents[2]
STORE = ROOT / "build" / "drift.jsonl"
sys.path.insert(0, str(ROOT))

from tests.bench.drift_worker import FILES, LAWS, TOOLS  # noqa: E402
from tests.bench.run import PEERS, processor  # noqa: E402

WORKER = Path(__file__).with_name("drift_worker.py")
SIZES = (100, 1_000, 10_000, 100_000)
COLUMNS = 20  # of one table: so many repetitions at once
REPETITIONS = 2_000
EFFECT = 4.0  # a shift of EFFECT / √n standard deviations: tests of level 5 % should see it about as often at each n
TABLES = {"1 million x 50": (1_000_000, 50), "10 million x 20": (10_000_000, 20), "100,000 x 1,000": (100_000, 1_000)}
TOO_LONG = 480  # seconds, after which a tool is stopped
MEMORY = 16 * 2**30  # bytes of address space that a tool may have
console = Console(stderr=True, highlight=False)


def work(tool: str, task: str, arguments: dict[str, Any], limit: float | None = None) -> dict[str, Any]:
    """What `drift_worker.py` says, in the environment of the tool; an `error` where it stops or is stopped."""
    python = sys.executable if tool.startswith(("divergences", "SciPy")) else str(PEERS)
    command = [python, str(WORKER), task, tool, json.dumps(arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    try:
        limits = ["prlimit", f"--as={MEMORY}"] if shutil.which("prlimit") else []
        done = subprocess.run(
            [*limits, *command], capture_output=True, text=True, check=False, timeout=limit, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {limit:g} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


# ------------------------------------------------------------------------------------------------------ the store


def stored() -> dict[str, dict[str, Any]]:
    """Every cell measured so far, the parts of one cell added up."""
    cells: dict[str, dict[str, Any]] = {}
    for line in STORE.read_text(encoding="utf-8").splitlines() if STORE.exists() else ():
        entry = json.loads(line)
        known = cells.setdefault(entry["key"], {"alarms": 0, "repetitions": 0, "seconds": 0.0})
        for name, value in entry["found"].items():
            adds = name in ("alarms", "repetitions", "seconds") and "alarms" in entry["found"] and value is not None
            known[name] = known[name] + value if adds else value
    return cells


def keep(key: str, found: dict[str, Any]) -> None:
    """Add one measurement."""
    STORE.parent.mkdir(exist_ok=True)
    with STORE.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"key": key, "found": found}) + "\n")


# --------------------------------------------------------------------------------------------------------- speed


def tables(name: str) -> tuple[Path, Path]:
    """Two Parquet files of normals, every fifth column of the second moved by 0.02; written in parts, once."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows, columns = TABLES[name]
    folder = ROOT / "build" / "drift"
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(f"c{k}", pa.float64()) for k in range(columns)])
    paths = folder / f"ref-{rows}-{columns}.parquet", folder / f"cur-{rows}-{columns}.parquet"
    part = 2**18 if columns <= 100 else 2**14
    for side, path in enumerate(paths):
        if path.exists():
            continue
        rng = np.random.default_rng(side)
        with parquet.ParquetWriter(path.with_suffix(".part"), schema) as writer:
            for start in range(0, rows, part):
                count = min(part, rows - start)
                values = [rng.normal(0.02 * side * (k % 5 == 0), 1, count) for k in range(columns)]
                writer.write_table(pa.table(values, schema=schema))
        path.with_suffix(".part").rename(path)
    return paths


def measure_speed(names: Sequence[str]) -> None:
    """Each tool on each pair of files, once."""
    for name in names:
        for tool in FILES:
            key = f"speed|{name}|{tool}"
            if key in stored():
                continue
            ref, cur = tables(name)
            with console.status(f"{tool}: {name}"):
                _into_memory(ref, cur)
                keep(key, work(tool, "judge", {"ref": str(ref), "cur": str(cur)}, TOO_LONG))


def _into_memory(*paths: Path) -> None:
    """Read the files once, so that no tool waits for the disk."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(2**24):
                pass


def speed_section() -> Iterator[str]:
    """The table of seconds and memory."""
    cells = stored()
    yield from (
        "## Time and memory",
        "",
        "Two Parquet files, in the system's cache, from reading to a verdict on every column; memory is the peak of "
        "the process. Every fifth column of the second file has moved by 0.02 standard deviations.",
        "",
        "| table | tool | seconds | times ours | peak memory | columns called different |",
        "|---|---|---|---|---|---|",
    )
    for name, (_, columns) in TABLES.items():
        ours = cells.get(f"speed|{name}|{next(iter(FILES))}", {}).get("seconds")
        for tool in FILES:
            found = cells.get(f"speed|{name}|{tool}")
            if found is None:
                continue
            if "error" in found:
                yield f"| {name} | {tool} | ended by an error: {found['error']} | | | |"
                continue
            ratio = f"{found['seconds'] / ours:.2g}" if ours else ""
            told = f"{found['found']} of {columns}, {-(-columns // 5)} have moved"
            yield f"| {name} | {tool} | {found['seconds']:.1f} | {ratio} | {found['megabytes']:.0f} MB | {told} |"
    yield ""


# ----------------------------------------------------------------------------------------------------- decisions


def measure_decisions(seconds: float, tools: Sequence[str]) -> None:
    """False alarms and power of each tool, law and size, for `seconds` a cell or up to 2,000 repetitions."""
    for tool in tools:
        for n in SIZES:
            for law in LAWS:
                for strength in (0.0, EFFECT / math.sqrt(n)):
                    _cell(tool, law, n, strength, seconds)


def _cell(tool: str, law: str, n: int, strength: float, seconds: float) -> None:
    key = f"decide|{tool}|{law}|{n}|{'moved' if strength else 'same'}"
    found = stored().get(key, {"repetitions": 0, "seconds": 0.0})
    most, limit = REPETITIONS - found["repetitions"], seconds - found["seconds"]
    if most <= 0 or limit <= 0 or key in unable():
        return
    arguments = {"law": law, "n": n, "strength": strength, "columns": COLUMNS, "first": found["repetitions"]}
    with console.status(f"{key}: {found['repetitions']} repetitions"):
        keep(key, work(tool, "decide", arguments | {"most": most, "limit": limit}))


def unable() -> set[str]:
    """Cells that a tool cannot judge, or failed at."""
    return {key for key, found in stored().items() if "error" in found or found.get("repetitions") == 0}


def decisions_section() -> Iterator[str]:
    """One table of rates for each size: false alarms, then power."""
    cells = stored()
    for state, title, told in (
        ("same", "False alarms", "Two samples of one law. Nominal is 5 %, where a tool claims a level at all"),
        ("moved", "Power", f"The second sample has moved by {EFFECT:g} / √n standard deviations"),
    ):
        yield from (
            f"## {title}",
            "",
            f"{told}. Share of columns called different, in percent, ± its standard error.",
            "",
        )
        if state == "same":
            yield (
                "Up to 1,000 rows Evidently's preset tests at 5 % (KS; of categories a chi-square that takes the "
                "shares of the reference for the truth), beyond it compares distances with 0.1; PSI too."
            )
            yield ""
        yield "| law | tool | " + " | ".join(f"n = {n:,}" for n in SIZES) + " |"
        yield "|---|---|" + "---|" * len(SIZES)
        for law in LAWS:
            for tool in TOOLS:
                rates = [_rate(cells.get(f"decide|{tool}|{law}|{n}|{state}")) for n in SIZES]
                if any(rates):
                    yield f"| {law} | {tool} | " + " | ".join(rates) + " |"
        yield ""


def _rate(found: dict[str, Any] | None) -> str:
    if not found or not found.get("repetitions"):
        return ""
    share = found["alarms"] / found["repetitions"]
    error = math.sqrt(max(share * (1 - share), 1e-12) / found["repetitions"])
    return f"{100 * share:.1f} ± {100 * error:.1f}"


def picture(path: Path) -> None:
    """Rates over n, averaged over the laws that a tool can judge: false alarms and power."""
    from matplotlib.figure import Figure

    cells = stored()
    figure = Figure(figsize=(8.2, 3.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = dict(zip(TOOLS, ("#d9641e", "#2f6db3", "#8a929b", "#4a9b6e", "#8d5fb0"), strict=True))
    for axes, state, title in zip(
        panels, ("same", "moved"), ("nothing has changed", "a shift of 4 / √n sd"), strict=True
    ):
        for tool in TOOLS:
            shares = []
            for n in SIZES:
                rows = [cells.get(f"decide|{tool}|{law}|{n}|{state}", {}) for law in LAWS]
                rates = [row["alarms"] / row["repetitions"] for row in rows if row.get("repetitions")]
                shares.append(100 * float(np.mean(rates)) if rates else math.nan)
            if not np.isfinite(shares).any():
                continue
            axes.plot(SIZES, shares, "o-", color=colours[tool], label=tool, markersize=4, linewidth=1.5)
        axes.set_xscale("log")
        axes.set_xlabel("rows of each sample")
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].axhline(5, color="black", linewidth=0.8, linestyle=":")
    panels[0].annotate("5 %", (1, 5), (3, -3), ("axes fraction", "data"), "offset points", fontsize=8)
    panels[0].set_ylabel("columns called different, %")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=9
    )
    figure.savefig(path, dpi=130)


def versions() -> str:
    """What was compared with what."""
    code = "from importlib.metadata import version; print(*(f'{n} {version(n)}' for n in %r), sep=', ')"
    told = []
    for python, names in ((sys.executable, ("numpy", "scipy")), (str(PEERS), ("evidently", "frouros"))):
        told.append(subprocess.run([python, "-c", code % (names,)], capture_output=True, text=True, check=True).stdout)
    return ", ".join(text.strip() for text in told)


def main() -> None:
    """Measure, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="the Markdown file to write; none: print")
    parser.add_argument("--seconds", type=float, default=20, metavar="S", help="for each cell of decisions, default 20")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="of decisions, default all")
    parser.add_argument("--table", action="append", choices=list(TABLES), help="of speed, default all")
    parser.add_argument("--only", choices=("speed", "decisions", "page"), help="measure one part, or nothing")
    options = parser.parse_args()
    if not PEERS.exists():
        parser.error(f"{PEERS} is missing; `make bench` makes it")
    if options.only in (None, "speed") and not options.tool:
        measure_speed(options.table or list(TABLES))
    if options.only in (None, "decisions"):
        measure_decisions(options.seconds, options.tool or list(TOOLS))
    lines = [
        "# Drift tools, measured",
        "",
        f"Written by `tests/bench/drift.py` on {processor()}, {os.cpu_count()} cores; {versions()}. Each tool as its "
        f"makers set it up, in a process of its own with at most {MEMORY >> 30} GiB, stopped after {TOO_LONG} s.",
        "",
        *speed_section(),
    ]
    if options.page:
        picture(options.page.with_suffix(".png"))
        lines += [f"![False alarms and power of each tool over sample size]({options.page.stem}.png)", ""]
    text = "\n".join([*lines, *decisions_section()])
    if options.page:
        options.page.write_text(text, encoding="utf-8")
    print(options.page or text)


if __name__ == "__main__":
    main()
