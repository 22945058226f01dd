"""Drift tools beside one another: speed and memory on large tables, false alarms under no change, power under shifts.

    python tests/bench/drift.py docs/drift-benchmarks.md     measure what is missing, and write page and picture
    python tests/bench/drift.py --only decisions --seconds 60 --tool Evidently     so much longer for each cell
    python tests/bench/drift.py --only page docs/drift-benchmarks.md               write it from what is recorded
    python tests/bench/drift.py --only speed --again         on this machine, as it is now

The peers come from the extra `bench` in an environment of their own, `.venv-bench` (`make bench` makes it). Every
cell is kept in records/drift.jsonl as soon as it is measured, so that a stopped run goes on, and so does the next one.
A cell of decisions has the version of the peer, or the digest of the code of ours that decides: others do not count.
Several runs may share the record.
"""

import argparse
import fcntl
import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy.stats import binomtest

ROOT = Path(__file__).parents[2]
STORE = Path(__file__).parent / "records" / "drift.jsonl"
sys.path.insert(0, str(ROOT))

from tests.bench.drift_worker import FILES, LAWS, TOOLS  # noqa: E402
from tests.bench.pooled import digest  # noqa: E402
from tests.bench.run import PEERS, processor  # noqa: E402

WORKER = Path(__file__).with_name("drift_worker.py")
SIZES = (100, 1_000, 10_000, 100_000)
COLUMNS = 20  # of one table: so many repetitions at once
REPETITIONS = 2_000
LEVEL = 0.05
OURS, RIVAL = "divergences", "SciPy KS"
DECIDING = ("divergences.samples.columns.numeric", "divergences.samples.columns.categorical")
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
    """The cells measured so far, by key; no decisions of other code."""
    lines = STORE.read_text(encoding="utf-8").splitlines() if STORE.exists() else ()
    cells = {cell.pop("key"): cell for cell in map(json.loads, lines)}
    for cell in cells.values():
        if "called" in cell:
            cell["called"] = f"{int(cell['called'], 16):0{cell['repetitions']}b}"
    return {key: cell for key, cell in cells.items() if "tool" not in cell or cell["tool"] == code(key.split("|")[1])}


def keep(key: str, found: dict[str, Any]) -> None:
    """Add a measurement, or put it in the place of an earlier one: a line for each cell, in the order of their keys."""
    STORE.parent.mkdir(exist_ok=True)
    folder = os.open(STORE.parent, os.O_RDONLY)  # locked: other runs may keep theirs at this moment
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        lines = []
        for name, cell in sorted((stored() | {key: found}).items()):
            if called := cell.get("called"):
                cell = cell | {"repetitions": len(called), "called": f"{int(called, 2):x}"}
            lines.append(json.dumps({"key": name, **cell}) + "\n")
        new = STORE.with_suffix(".new")
        new.write_text("".join(lines), encoding="utf-8")
        new.replace(STORE)
    finally:
        os.close(folder)


@cache
def code(tool: str) -> str:
    """What decides: the version of a peer, the digest of our modules."""
    if tool == OURS:
        return digest(DECIDING, "divergences.samples", apart=["divergences.samples.columns.binned"])
    return version(tool.split()[0].lower())


@cache
def version(peer: str) -> str:
    """Of a package, with its name, in the environment where it runs."""
    told = f"from importlib.metadata import version; print({peer!r}, version({peer!r}))"
    python = sys.executable if peer in ("scipy", "numpy") else str(PEERS)
    return subprocess.run([python, "-c", told], capture_output=True, text=True, check=True).stdout.strip()


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


def measure_speed(names: Sequence[str], again: bool) -> None:
    """Each tool on each pair of files, once; `again` also those that are stored."""
    for name in names:
        for tool in FILES:
            key = f"speed|{name}|{tool}"
            if key in stored() and not again:
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


def measure_decisions(seconds: float, tools: Sequence[str], sizes: Sequence[int]) -> None:
    """False alarms and power of each tool, law and size, for `seconds` more a cell or up to 2,000 repetitions."""
    for tool in tools:
        for n in sizes:
            for law in LAWS:
                for strength in (0.0, EFFECT / math.sqrt(n)):
                    _cell(tool, law, n, strength, seconds)


def _key(tool: str, law: str, n: int, state: str) -> str:
    return f"decide|{tool}|{law}|{n}|{state}"


def _cell(tool: str, law: str, n: int, strength: float, seconds: float) -> None:
    key = _key(tool, law, n, "moved" if strength else "same")
    known = stored().get(key, {"called": "", "seconds": 0.0})
    called = known.get("called", "")
    if len(called) >= REPETITIONS or "error" in known:
        return
    arguments = {"law": law, "n": n, "strength": strength, "columns": COLUMNS, "first": len(called)}
    with console.status(f"{key}: {len(called)} repetitions"):
        found = work(tool, "decide", arguments | {"most": REPETITIONS - len(called), "limit": seconds})
    if "called" in found:
        found = {"seconds": round(known["seconds"] + found["seconds"], 1), "called": called + found["called"]}
        found = found if found["called"] else {"error": "not for this law"}
    keep(key, {"tool": code(tool), **found})


def decisions_section() -> Iterator[str]:
    """One table of rates for each size: false alarms, then power; and who saw what the other one missed."""
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
                "Bold: more than three standard errors from 5 %. Up to 1,000 rows Evidently's preset tests at 5 % (KS; "
                "of categories a chi-square that takes the shares of the reference for the truth), beyond it compares "
                "distances with 0.1; PSI too."
            )
            yield ""
        yield "| law | tool | " + " | ".join(f"n = {n:,}" for n in SIZES) + " |"
        yield "|---|---|" + "---|" * len(SIZES)
        for law in LAWS:
            for tool in TOOLS:
                called = [cells.get(_key(tool, law, n, state), {}).get("called", "") for n in SIZES]
                if any(called):
                    yield f"| {law} | {tool} | " + " | ".join(_rate(c, state == "same") for c in called) + " |"
        yield ""
    least = min((len(cell["called"]) for cell in cells.values() if "called" in cell), default=0)
    yield f"{REPETITIONS:,} pairs of samples for each number where time allowed it, {least:,} at the fewest."
    yield from ("", *_paired(cells))


def _rate(called: str, level: bool) -> str:
    if not called:
        return ""
    share, count = called.count("1") / len(called), len(called)
    told = f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / count):.1f}"
    return f"**{told}**" if level and abs(share - LEVEL) > 3 * math.sqrt(LEVEL * (1 - LEVEL) / count) else told


def _paired(cells: dict[str, dict[str, Any]]) -> Iterator[str]:
    """On the same pairs of samples, how many only one of two tools called different: sharper than two rates."""
    yield from (
        f"## {OURS} and {RIVAL}, pair by pair",
        "",
        f"The moved samples are the same for every tool. How many only {OURS} called different, and how many only "
        f"{RIVAL}; bold where equal power would give so uneven a number in less than 1 of 1,000 cases.",
        "",
        "| law | " + " | ".join(f"n = {n:,}" for n in SIZES) + " |",
        "|---|" + "---|" * len(SIZES),
    )
    for law in LAWS:
        told = []
        for n in SIZES:
            both = [cells.get(_key(tool, law, n, "moved"), {}).get("called", "") for tool in (OURS, RIVAL)]
            if not all(both):
                told.append("")
                continue
            pairs = Counter(zip(*both, strict=False))
            ours, theirs = pairs["1", "0"], pairs["0", "1"]
            sure = ours + theirs > 0 and binomtest(ours, ours + theirs).pvalue < 1e-3
            told.append(f"**{ours} : {theirs}**" if sure else f"{ours} : {theirs}")
        yield f"| {law} | " + " | ".join(told) + " |"
    yield ""


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
                called = [cells.get(_key(tool, law, n, state), {}).get("called") for law in LAWS]
                rates = [verdicts.count("1") / len(verdicts) for verdicts in called if verdicts]
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


def main() -> None:
    """Measure, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="the Markdown file to write; none: print")
    parser.add_argument("--seconds", type=float, default=20, metavar="S", help="more for each cell of decisions, or 20")
    parser.add_argument("--tool", action="append", choices=list(TOOLS), help="of decisions, default all")
    parser.add_argument("--size", action="append", type=int, choices=SIZES, help="of decisions, default all")
    parser.add_argument("--table", action="append", choices=list(TABLES), help="of speed, default all")
    parser.add_argument("--only", choices=("speed", "decisions", "page"), help="measure one part, or nothing")
    parser.add_argument("--again", action="store_true", help="measure speed anew")
    options = parser.parse_args()
    if not PEERS.exists():
        parser.error(f"{PEERS} is missing; `make bench` makes it")
    if options.only in (None, "speed") and not options.tool:
        measure_speed(options.table or list(TABLES), options.again)
    if options.only in (None, "decisions"):
        measure_decisions(options.seconds, options.tool or list(TOOLS), options.size or SIZES)
    lines = [
        "# Drift tools, measured",
        "",
        f"Written by `tests/bench/drift.py` on {processor()}, {os.cpu_count()} cores; "
        f"{', '.join(map(version, ('numpy', 'scipy', 'evidently', 'frouros')))}. Each tool as its "
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
