"""Threads for code that releases the interpreter lock: compiled kernels and NumPy on large blocks.

Blocks are fixed by the problem, never by the number of threads, so results have the same bits with one thread or many.
"""

import os
import re
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import ContextVar, copy_context

_busy: ContextVar[bool] = ContextVar("_busy", default=False)


def thread_count() -> int:
    """How many threads to use: the processors this process may run on, or fewer by OMP_ or NUMBA_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        number = re.match(r"\s*(\d+)", os.environ.get(variable, ""))  # OpenMP allows a list: 4,2
        if number and int(number[1]) > 0:
            allowed = min(allowed, int(number[1]))
    return allowed


def run_blocks(
    work: Callable[[int, int], object], total: int, size: int, *, pool: ThreadPoolExecutor | None = None
) -> None:
    """Call work(start, stop) once for each block of `size` consecutive indices below `total`, on all threads.

    `pool` holds the helping threads of a caller with many short runs: starting some takes longer than waking them.

    The blocks are handed out one by one, so a slow thread takes fewer. Workers see the caller's context
    (`np.errstate`); a call from inside a worker runs on that worker alone. The first error ends the run and is raised.

    >>> import numpy as np
    >>> squares = np.zeros(5)
    >>> def work(start, stop):
    ...     squares[start:stop] = np.arange(start, stop) ** 2
    >>> run_blocks(work, total=5, size=2)
    >>> squares
    array([ 0.,  1.,  4.,  9., 16.])
    """
    starts = iter(range(0, total, size))  # shared: next() on it is one step under the interpreter's lock

    def drain() -> None:
        _busy.set(True)
        try:
            for start in starts:
                work(start, min(start + size, total))
        except BaseException:
            deque(starts, maxlen=0)  # the others stop at their next block
            raise

    helpers = 0 if _busy.get() else min(thread_count(), -(-total // size)) - 1
    if helpers < 1:
        copy_context().run(drain)
        return
    with nullcontext(pool) if pool else ThreadPoolExecutor(helpers) as threads:
        futures = [threads.submit(copy_context().run, drain) for _ in range(helpers)]
        copy_context().run(drain)
    for future in futures:
        future.result()
