"""From large NumPy arrays to the compiled row sums of `_kernels.py`: blocks, broadcasting, threads."""

import math
from typing import Any

import numpy as np

from divergences._arrays import Array
from divergences._parallel import run_blocks

LARGE = 1 << 17  # atoms; below it, loading the compiled code takes longer than it saves
BLOCK = 1 << 16  # atoms a thread takes at once: two such blocks fit the second-level cache


def large(p: Array, q: Array) -> bool:
    """Whether a pair of NumPy arrays that broadcast is worth a compiled pass."""
    if not (isinstance(p, np.ndarray) and isinstance(q, np.ndarray)):
        return False
    return math.prod(np.broadcast_shapes(p.shape, q.shape)) >= LARGE


def row_costs(kind: str, p: np.ndarray, q: np.ndarray, *, weight: float = 0.5) -> np.ndarray:
    """Σ q f̃(p/q) over the last axis for an entry of `_kernels.KINDS`; p and q of shape (..., k), unchecked.

    NaN marks the rows that the kernel leaves alone: an atom that is NaN, negative or below 2^-900, or a sum that is not
    one up to the rounding of k additions. The bits do not depend on the number of threads.
    """
    from divergences._kernels import KINDS, row_sums

    code, k = KINDS.index(kind), p.shape[-1]
    lead = np.broadcast_shapes(p.shape[:-1], q.shape[:-1])
    p_block, q_block = _blocks(p, lead), _blocks(q, lead)
    pieces = -(-k // BLOCK)  # of a row
    sums = np.empty((math.prod(lead) * pieces, 3))

    def work(start: int, stop: int) -> None:
        row, piece = divmod(start, pieces)
        rows = slice(row, row + 1) if pieces > 1 else slice(start, stop)
        columns = slice(piece * BLOCK, (piece + 1) * BLOCK)
        row_sums(code, weight, p_block(rows, columns), q_block(rows, columns), sums[start:stop])

    run_blocks(work, len(sums), max(1, BLOCK // k) if pieces == 1 else 1)
    cost, p_sum, q_sum = sums.reshape(*lead, pieces, 3).sum(axis=-2).transpose(-1, *range(len(lead)))
    rounding = k * np.finfo(np.float64).eps
    return np.where((abs(p_sum - 1) <= rounding) & (abs(q_sum - 1) <= rounding), cost, np.nan)


def _blocks(array: np.ndarray, lead: tuple[int, ...]) -> Any:
    """(rows, columns) -> that block of `array`, its leading axes broadcast to `lead` and flattened."""
    shape = array.shape[:-1]
    flat = array.reshape(-1, array.shape[-1])
    index = None if shape == lead else np.broadcast_to(np.arange(len(flat)).reshape(shape), lead).reshape(-1)

    def block(rows: slice, columns: slice) -> np.ndarray:
        return np.require(flat[rows if index is None else index[rows], columns], np.float64, ["C", "ALIGNED"])

    return block
