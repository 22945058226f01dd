"""From large NumPy arrays to the compiled row sums of `_kernels.py`: blocks, broadcasting, threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from divergences._arrays import Array, is_torch, namespace, result_dtype, row_sums, to_numpy
from divergences._checks import mass_pair, real_array, sum_tolerance
from divergences._parallel import run_blocks
from divergences.f_divergences import _perspective as perspective

if TYPE_CHECKING:
    from divergences.f_divergences.f_divergence import FDivergence

LARGE = 1 << 17  # atoms; below it, loading the compiled code takes longer than it saves
BLOCK = 1 << 16  # atoms a thread takes at once: two such blocks fit the second-level cache


@dataclass(frozen=True)
class Fused:
    """An entry of `_kernels.KINDS` with its weight, its arguments swapped or not, times a factor."""

    kind: str
    weight: float = 0.5
    swapped: bool = False
    factor: float = 1.0

    def __call__(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Σ cost over the last axis, NaN for rows that need the general path, see `row_costs`."""
        sides = (q, p) if self.swapped else (p, q)
        return self.factor * row_costs(self.kind, *sides, weight=self.weight)

    def slopes(
        self, p: np.ndarray, q: np.ndarray, asked: np.ndarray, empty: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `row_slopes`, of the factor's multiple; `empty` is that of the entry itself."""
        slopes = partial(row_slopes, self.kind, factor=self.factor, weight=self.weight)
        if not self.swapped:
            return slopes(p, q, asked, empty)
        by_q, by_p, fit = slopes(q, p, asked, (empty[1], empty[0]))
        return by_p, by_q, fit


def total_cost(d: FDivergence, p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> tuple[Array, Any]:
    """Σ cost over the last axis in float64, and the dtype to answer in; large arrays by the kernel of `d`.

    The kernel checks as it adds: where it finds nothing wrong, one pass over the memory is all there is.
    """
    if d.fused is not None and not (normalize or log):
        masses = real_array(p, "p"), real_array(q, "q")
        if _large(*masses) and _as_they_are(*masses):
            value = d.fused(*(to_numpy(m) if is_torch(m) else m for m in masses))
            if not np.isnan(value).any():
                if is_torch(masses[0]):
                    value = _with_gradients(d, value, *masses)
                return value, result_dtype(*masses)
    p, q, dtype = mass_pair(p, q, normalize=normalize, log=log)
    if d.fused is None or log or not _large(p, q):
        return namespace(p).sum(perspective.contributions(d, p, q, log=log), axis=-1), dtype
    if is_torch(p):
        return _with_gradients(d, _by_rows(d, to_numpy(p), to_numpy(q)), p, q), dtype
    return _by_rows(d, p, q), dtype


def _as_they_are(p: Array, q: Array) -> bool:
    """Whether the kernel can judge these numbers: of one kind, floating, and tensors in float64.

    The sums of others may ask for rescaling, of which the gradient must know.
    """
    if is_torch(p) != is_torch(q):
        return False
    return all(str(m.dtype) == "torch.float64" if is_torch(m) else m.dtype.kind == "f" for m in (p, q))


def _large(p: Array, q: Array) -> bool:
    """Whether two arrays or tensors in main memory fit each other and are worth a compiled pass."""
    if str(p.device) != "cpu" or not (p.ndim and q.ndim and p.shape[-1] == q.shape[-1] > 0):
        return False
    try:
        return math.prod(np.broadcast_shapes(tuple(p.shape), tuple(q.shape))) >= LARGE
    except ValueError:
        return False


def _by_rows(d: FDivergence, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The kernel's sums of checked masses, the general path's where it gives none."""
    assert d.fused is not None  # noqa: S101
    value = np.asarray(d.fused(p, q))
    rest = np.isnan(value)
    if rest.any():
        shape = (*value.shape, p.shape[-1])
        p, q = np.broadcast_to(p, shape)[rest], np.broadcast_to(q, shape)[rest]
        value[rest] = perspective.contributions(d, p, q).sum(-1)
    return value


def _with_gradients(d: FDivergence, value: np.ndarray, p: Array, q: Array) -> Array:
    """The tensor of this value, with the gradients of `perspective.gradient`."""
    own = lambda p, q: namespace(p).asarray(value)
    return row_sums(own, partial(perspective.gradient, d), p, q, times=partial(_slopes_times, d))


def _slopes_times(d: FDivergence, p: Array, q: Array, asked: Array) -> tuple[Array, Array]:
    """`asked`, one number per row, times the two slopes: compiled, and by the general path in rows that it must do."""
    assert d.fused is not None  # noqa: S101
    xp, (p, q, asked) = namespace(p), map(to_numpy, (p, q, asked))
    *found, fit = d.fused.slopes(p, q, asked, perspective.empty_slopes(d))
    if not fit.all():
        rest = ~fit
        shape = (*fit.shape, p.shape[-1])
        sides = (np.broadcast_to(side, shape)[rest] for side in (p, q))
        for out, slope in zip(found, perspective.gradient(d, *sides), strict=True):
            out[rest] = slope * asked[rest][:, None]
    return xp.asarray(found[0]), xp.asarray(found[1])


def row_costs(kind: str, p: np.ndarray, q: np.ndarray, *, weight: float = 0.5) -> np.ndarray:
    """Σ q f̃(p/q) over the last axis for an entry of `_kernels.KINDS`; p and q of shape (..., k), unchecked.

    NaN marks the rows that the kernel leaves alone: an atom that is NaN, negative or below 2^-900, or a sum that is not
    one up to the rounding of k additions. Rows of a narrower type become float64 block by block, and are rescaled by
    the rule of `_checks.probabilities`. The bits do not depend on the number of threads.
    """
    from divergences.f_divergences._kernels import KINDS, row_sums

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


def row_slopes(
    kind: str,
    p: np.ndarray,
    q: np.ndarray,
    asked: np.ndarray,
    empty: tuple[float, float],
    *,
    factor: float = 1.0,
    weight: float = 0.5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(by p, by q, fit): `asked` (...) and a factor times the slopes of an entry of `_kernels.KINDS` at p, q (..., k).

    `empty` are its slopes where p = q = 0. Rows that are not `fit`, shape (...), have an atom that is NaN, negative or
    below 2^-900: their slopes are not to be used.
    """
    from divergences.f_divergences import _kernels

    code, k = _kernels.KINDS.index(kind), p.shape[-1]
    lead = np.broadcast_shapes(p.shape[:-1], q.shape[:-1])
    p_block, q_block = _blocks(p, lead), _blocks(q, lead)
    times = np.ascontiguousarray(factor * np.broadcast_to(asked, lead)).reshape(-1)
    empty = (empty[0] / factor, empty[1] / factor)
    by_p, by_q, fit = np.empty((len(times), k)), np.empty((len(times), k)), np.empty(len(times), bool)

    def work(start: int, stop: int) -> None:
        every, rows = slice(None), slice(start, stop)
        sides = p_block(rows, every), q_block(rows, every)
        _kernels.row_slopes(code, weight, times[rows], empty, *sides, by_p[rows], by_q[rows], fit[rows])

    run_blocks(work, len(times), max(1, BLOCK // k))
    return by_p.reshape(*lead, k), by_q.reshape(*lead, k), fit.reshape(lead)


def _blocks(array: np.ndarray, lead: tuple[int, ...]) -> Any:
    """(rows, columns) -> that block of `array` in float64, its leading axes broadcast to `lead` and flattened."""
    shape = array.shape[:-1]
    flat = array.reshape(-1, array.shape[-1])
    narrow, tolerance = array.dtype.kind == "f" and array.dtype.itemsize < 8, sum_tolerance(array.dtype)
    index = None if shape == lead else np.broadcast_to(np.arange(len(flat)).reshape(shape), lead).reshape(-1)

    def block(rows: slice, columns: slice) -> np.ndarray:
        part = np.require(flat[rows if index is None else index[rows], columns], np.float64, ["C", "ALIGNED"])
        return _rescaled(part, tolerance) if narrow and part.shape[1] == flat.shape[1] else part

    return block


def _rescaled(rows: np.ndarray, tolerance: float) -> np.ndarray:
    """The rows whose sums are one within the tolerance, divided by them; others as they are."""
    total = rows.sum(axis=-1, keepdims=True)
    rounded = abs(total - 1) <= rows.shape[-1] * np.finfo(np.float64).eps
    return np.divide(rows, np.where((abs(total - 1) > tolerance) | rounded, 1.0, total), out=rows)
