"""Blocks on threads: each once, errors raised, the caller's context kept."""

import threading
import time

import numpy as np
import pytest

from divergences import _parallel
from divergences._parallel import run_blocks, thread_count


@pytest.fixture(params=[1, 2, 5])
def threads(request, monkeypatch):
    """As many threads, whatever the machine."""
    monkeypatch.setattr(_parallel, "thread_count", lambda: request.param)
    return request.param


@pytest.mark.parametrize(("total", "size"), [(0, 3), (1, 3), (3, 3), (7, 3), (1000, 7)])
def test_every_index_is_in_one_block(threads, total, size):
    """The blocks cover 0 .. total - 1 once, whatever the number of threads."""
    seen, blocks = np.zeros(total, int), []

    def work(start, stop):
        seen[start:stop] += 1
        blocks.append((start, stop))

    run_blocks(work, total, size)
    assert (seen == 1).all()
    assert sorted(blocks) == [(i, min(i + size, total)) for i in range(0, total, size)]


def test_several_threads_work_at_once(monkeypatch):
    """Two blocks that wait for each other both finish: they run side by side."""
    monkeypatch.setattr(_parallel, "thread_count", lambda: 2)
    meeting = threading.Barrier(2, timeout=20)
    run_blocks(lambda start, stop: meeting.wait(), total=2, size=1)


def test_an_error_ends_the_run(threads):
    """The error of a block is raised in the caller, and blocks far behind it are not started."""
    done = []

    def work(start, stop):
        if start == 3:
            raise ZeroDivisionError("block 3")
        done.append(start)

    with pytest.raises(ZeroDivisionError, match="block 3"):
        run_blocks(work, 10**6, 1)
    assert len(done) < 10**6 - 1


def test_workers_see_the_error_state_of_the_caller(threads):
    """np.errstate of the caller holds in every thread: no warning where it is silenced."""
    with np.errstate(all="ignore"):
        run_blocks(lambda start, stop: np.ones(3) / np.zeros(3), 20, 1)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        run_blocks(lambda start, stop: np.ones(3) / np.zeros(3), 20, 1)


def test_blocks_inside_blocks_start_no_more_threads(threads):
    """A nested call runs on the worker that makes it; afterwards the caller may use threads again."""
    owners = []

    def outer(start, stop):
        def inner(a, b):
            time.sleep(0.005)  # time enough for another thread to take the next block
            owners.append((start, threading.get_ident()))

        run_blocks(inner, 4, 1)

    run_blocks(outer, 6, 1)
    assert all(len({owner for block, owner in owners if block == i}) == 1 for i in range(6))
    assert not _parallel._busy.get()


def test_number_of_threads(monkeypatch):
    """The processors this process may use, or fewer if OMP_NUM_THREADS or NUMBA_NUM_THREADS says so."""
    monkeypatch.setattr(_parallel.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for omp, numba, expected in [
        (None, None, 8), ("3", None, 3), ("3", "2", 2), ("99", None, 8), ("4,2", None, 4), ("0", None, 8),
        ("many", "5", 5), ("", " 6 ", 6),
    ]:  # fmt: skip
        for name, value in (("OMP_NUM_THREADS", omp), ("NUMBA_NUM_THREADS", numba)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        assert thread_count() == expected, (omp, numba)
