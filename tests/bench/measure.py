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


def kilobytes(field: str) -> int:
    """A line of the process's status: VmRSS is resident memory, VmHWM the most it ever was."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(field))


def extra_megabytes(call: Callable[[], Any]) -> float:
    """How far resident memory rises above what it was, during a call; NaN off Linux."""
    gc.collect()
    if not STATUS.exists():
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)  # what earlier runs have freed goes back first
    before = kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from here
    call()
    return max(0, kilobytes("VmHWM") - before) / 1024


def fastest(call: Callable[[], Any], repeat: int) -> float:
    """Seconds of the fastest run."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main(module: str, case: str, number: str, repeat: str) -> None:
    """Warm up, time, weigh."""
    contestants = import_module(f"tests.bench.{module}").CASES[case]()
    name, call = list(contestants.items())[int(number)]
    value = call()
    result = {
        "name": name,
        "contestants": len(contestants),
        "value": None if value is None else float(value),
        "seconds": fastest(call, int(repeat)),
        "megabytes": extra_megabytes(call),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
