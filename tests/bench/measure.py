"""One contestant of one case, in a process of its own: its name, answer, fastest time and peak memory, as JSON.

python -m tests.bench.measure MODULE CASE NUMBER REPEAT
"""

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

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


def main(module: str, case: str, number: str, repeat: str) -> None:
    """Warm up, time, weigh; what takes longer than SLOW runs once."""
    contestants = import_module(f"tests.bench.{module}").CASES[case]()
    name, call = list(contestants.items())[int(number)]
    value, fastest, megabytes = weighed(call)
    if fastest < SLOW:
        runs = [weighed(call) for _ in range(int(repeat))]
        fastest, megabytes = min(seconds for _, seconds, _ in runs), runs[-1][2]
    result = {
        "name": name,
        "contestants": len(contestants),
        "value": None if value is None else float(value),
        "seconds": fastest,
        "megabytes": megabytes,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
