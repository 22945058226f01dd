"""Passes over the rows of large NumPy arrays: in blocks that stay in the cache, on all threads."""

import math

import numpy as np

from divergences._parallel import run_blocks

BLOCK = 1 << 16  # atoms


def row_totals(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """The sums over the last axis, which is kept, and whether every number is certain to be finite and nonnegative."""
    rows = array.reshape(-1, array.shape[-1])
    totals, sound = np.empty((len(rows), 1)), []

    def work(start: int, stop: int) -> None:
        block = rows[start:stop]
        np.sum(block, axis=-1, keepdims=True, out=totals[start:stop])
        # NaN makes the minimum NaN, an infinity the sum infinite.
        sound.append(bool(block.min() >= 0) and bool(np.isfinite(totals[start:stop]).all()))

    with np.errstate(all="ignore"):
        run_blocks(work, len(rows), _rows_in_a_block(rows))
    return totals.reshape(*array.shape[:-1], 1), all(sound)


def divide_rows(array: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """array / divisor, of shapes (..., k) and (..., 1)."""
    rows, by, out = array.reshape(-1, array.shape[-1]), divisor.reshape(-1, 1), np.empty(array.shape)
    flat = out.reshape(rows.shape)

    def work(start: int, stop: int) -> None:
        np.divide(rows[start:stop], by[start:stop], out=flat[start:stop])

    run_blocks(work, len(rows), _rows_in_a_block(rows))
    return out


def _rows_in_a_block(rows: np.ndarray) -> int:
    return max(1, BLOCK // math.prod(rows.shape[1:]))
