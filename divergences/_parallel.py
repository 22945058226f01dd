"""Threads for code that releases the interpreter lock: compiled kernels and NumPy on large blocks.

Blocks are fixed by the problem, never by the number of threads, so results have the same bits with one thread or many.
"""

import os
import re
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Lock, Thread

_busy: ContextVar[bool] = ContextVar("_busy", default=False)


def thread_count() -> int:
    """How many threads to use: the processors this process may run on, or fewer by OMP_ or NUMBA_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        number = re.match(r"\s*(\d+)", os.environ.get(variable, ""))  # OpenMP allows a list: 4,2
        if number and int(number[1]) > 0:
            allowed = min(allowed, int(number[1]))
    return allowed


class Team:
    """Threads that help their caller with many short runs: waking them is sooner than starting some.

    They sleep between runs, and end with the team. Two locks wake a thread in half the time of an executor's queue.

    >>> seen = []
    >>> Team(2).run(lambda: seen.append(1))
    >>> seen
    [1, 1, 1]
    """

    def __init__(self, helpers: int | None = None) -> None:
        """So many of them, by default one less than `thread_count`; they start when they are first needed."""
        self.helpers = thread_count() - 1 if helpers is None else helpers
        self._posts: list[_Post] = []

    def run(self, work: Callable[[], object], helpers: int | None = None) -> None:
        """Call work() in the caller's thread and in the helpers, or the first few; the first error is raised."""
        helpers = self.helpers if helpers is None else min(helpers, self.helpers)
        while len(self._posts) < helpers:
            post = _Post()
            Thread(target=post.serve, daemon=True).start()
            weakref.finalize(self, post.send, None)
            self._posts.append(post)
        busy = self._posts[:helpers]
        for post in busy:
            post.send(partial(copy_context().run, work))
        try:
            work()
        finally:
            errors = [post.wait() for post in busy]
        for error in errors:
            if error is not None:
                raise error


class _Post:
    """Where a helping thread waits for work, and its caller for the end of it."""

    def __init__(self) -> None:
        self.go, self.done = Lock(), Lock()
        self.go.acquire()
        self.done.acquire()
        self.work: Callable[[], object] | None = None
        self.error: BaseException | None = None

    def send(self, work: Callable[[], object] | None) -> None:
        """Begin this; None ends the thread."""
        self.work = work
        self.go.release()

    def wait(self) -> BaseException | None:
        """Until it is done; what it raised."""
        self.done.acquire()
        return self.error

    def serve(self) -> None:
        """What the thread does."""
        while True:
            self.go.acquire()
            if self.work is None:
                return
            try:
                self.work()
                self.error = None
            except BaseException as error:
                self.error = error
            self.work = None  # nothing is kept alive between runs
            self.done.release()


def run_blocks(work: Callable[[int, int], object], total: int, size: int, *, team: Team | None = None) -> None:
    """Call work(start, stop) once for each block of `size` consecutive indices below `total`, on all threads.

    `team` holds the helping threads of a caller with many short runs.

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
    copy_context().run((team or Team(helpers)).run, drain, helpers)
