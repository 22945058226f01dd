"""One contestant of one case, in a process of its own: its name, answer, fastest time and peak memory, as JSON.

python -m tests.bench.measure MODULE CASE NUMBER REPEAT THREADS
"""

import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.peer import Peer

STATUS = Path("/proc/self/status")
SLOW = 30.0  # seconds


def kilobytes(field: str) -> int:
    """A line of the process's status: VmRSS is resident memory, VmHWM the most it ever was."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field))


def weighed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a call returns, its seconds, and by how many MB resident memory rises above what it was; NaN off Linux."""
    gc.collect()
    before = float("nan")
    if STATUS.exists():
        ctypes.CDLL(None).malloc_trim(0)  # what earlier runs have freed goes back first
        before = kilobytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    start = time.perf_counter()
    value = call()
    seconds = time.perf_counter() - start
    return value, seconds, max(0.0, kilobytes("VmHWM") - before) / 1024 if STATUS.exists() else before


def main(module: str, case: str, number: str, repeat: str, threads: str) -> None:
    """Warm up, time, weigh; no run begins more than SLOW seconds after the first, and what takes longer runs once."""
    if hasattr(os, "sched_setaffinity"):  # XLA knows no other limit
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    cases = import_module(f"tests.bench.{module}")
    curve, _, size = case.rpartition(":")
    contestants = cases.CURVES[curve](int(size)) if curve in getattr(cases, "CURVES", {}) else cases.CASES[case]()
    name, call = list(contestants.items())[int(number)]
    value, fastest, megabytes = weighed(call)
    if fastest < SLOW or isinstance(call, Peer):  # peers may have been imported and compiled just now
        runs, end = [weighed(call)], time.perf_counter() + SLOW
        while len(runs) < int(repeat) and time.perf_counter() < end:
            runs.append(weighed(call))
        fastest, megabytes = min(seconds for _, seconds, _ in runs), runs[-1][2]
    value, note = value if isinstance(value, tuple) else (value, "")
    result = {
        "name": f"{name}, {note}" if note else name,
        "all": {each: isinstance(call, Peer) for each, call in contestants.items()},
        "value": None if value is None else float(value),
        "seconds": fastest,
        "megabytes": megabytes,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
