"""Sinkhorn's two half-steps on a problem: by NumPy on a small matrix, by compiled passes over points or a large one.

Both kinds know the kernel b_j exp((f_i + g_j - c_ij) / epsilon) of the latest `guide` that stored it, and can scale its
columns faster than they can compute it anew.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from divergences._parallel import Team, run_blocks
from divergences.errors import DataError
from divergences.optimal_transport._metrics import METRICS
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._solution import Measured

COMPILED_FROM = 2**17  # pairs; below, loading Numba costs more
SHARE = 0.25  # of the machine's memory, that stored kernels may take
LIGHTEST = 1e-25  # mass, relative to the mean, that single precision can tell from nothing
GROUP = 4  # rows that kernels take together
_BLOCKS = 8  # of rows, each with its own sums over columns
_PAIRS = 2**17  # that a block has at least: fewer are done sooner than a thread wakes up


class Sweeps(Protocol):
    """What iterations need of a problem; a (n,) and b (m,) are its positive masses, for total mass one."""

    a: np.ndarray
    b: np.ndarray
    stored: bool  # whether `guide` stores the kernel that `scaled` works on
    guided: bool  # whether `guide` is right to single precision only
    measures: bool  # whether `judge` measures

    def mean_cost(self) -> float:
        """Sum_ij a_i b_j |c_ij|."""
        ...

    def sweep(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> np.ndarray:
        """Make rows exact by moving f, in place; the column sums of the plan."""
        ...

    def guide(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> np.ndarray:
        """As `sweep`, but sooner: right to single precision where `guided` says so."""
        ...

    def scaled(self, v: np.ndarray) -> np.ndarray:
        """The column sums of the plan after v scales the columns of the stored kernel, and rows are exact again."""
        ...

    def judge(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> tuple[np.ndarray, Measured | None]:
        """As `sweep`, while what is stored stays; and what else a pass in float64 can tell."""
        ...

    def softmin(self, potential: np.ndarray, epsilon: float, index: np.ndarray, *, columns: bool) -> np.ndarray:
        """The potential that makes the given columns (or rows) of the whole problem exact."""
        ...


def sweeps(
    problem: Problem, rows: np.ndarray, columns: np.ndarray, *, streamed: bool | None, team: Team | None = None
) -> Sweeps:
    """The right kind for the problem's size, over the given rows and columns, whose masses are positive."""
    n, m = problem.shape
    if n * m < COMPILED_FROM and not streamed:
        return Written(problem, rows, columns)
    return Compiled(problem, rows, columns, streamed=streamed, team=team)


class Written:
    """On the matrix of costs, by NumPy."""

    def __init__(self, problem: Problem, rows: np.ndarray, columns: np.ndarray) -> None:
        self.rows, self.columns = rows, columns
        whole = problem.shape == (len(self.rows), len(self.columns))
        self.all = problem.cost
        self.cost = self.all if whole else self.all[np.ix_(self.rows, self.columns)]
        self.a, self.b = _laws(problem, self.rows, self.columns)
        self.kernel, self.other = np.empty_like(self.cost), np.empty_like(self.cost)
        self.stored, self.guided, self.measures = True, False, False

    def mean_cost(self) -> float:
        """Sum_ij a_i b_j |c_ij|."""
        return float(self.a @ np.abs(self.cost) @ self.b)

    def sweep(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> np.ndarray:
        """As in `Sweeps`."""
        return self._swept(f, g, epsilon, self.other)

    def guide(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> np.ndarray:
        """As in `Sweeps`."""
        return self._swept(f, g, epsilon, self.kernel)

    def _swept(self, f: np.ndarray, g: np.ndarray, epsilon: float, kernel: np.ndarray) -> np.ndarray:
        f[:] = softmin(self.cost, g, self.b, epsilon, kernel)
        kernel *= self.b
        kernel /= kernel.sum(axis=1)[:, None]
        return self.a @ kernel

    def scaled(self, v: np.ndarray) -> np.ndarray:
        """As in `Sweeps`."""
        return v * (self.kernel.T @ (self.a / (self.kernel @ v)))

    def judge(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> tuple[np.ndarray, Measured | None]:
        """As in `Sweeps`."""
        return self.sweep(f, g, epsilon), None

    def softmin(self, potential: np.ndarray, epsilon: float, index: np.ndarray, *, columns: bool) -> np.ndarray:
        """As in `Sweeps`."""
        if columns:
            return softmin(self.all[np.ix_(self.rows, index)].T, potential, self.a, epsilon)
        return softmin(self.all[np.ix_(index, self.columns)], potential, self.b, epsilon)


class Compiled:
    """By compiled passes, on points without their matrix or on a matrix; the kernel, if stored, in single precision."""

    def __init__(
        self,
        problem: Problem,
        rows: np.ndarray,
        columns: np.ndarray,
        *,
        streamed: bool | None,
        team: Team | None = None,
    ) -> None:
        from divergences.optimal_transport import _gibbs, _stored  # compiled

        self.kernels: Any = _gibbs
        self.scaled_sweep: Any = _stored.scaled_sweep
        self.problem, self.rows, self.columns = problem, rows, columns
        self.a, self.b = _laws(problem, self.rows, self.columns)
        self.pairs = pairs_of(problem, self.rows, self.columns)
        n, m = len(self.a), len(self.b)
        memory = SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        fits = 4.0 * n * m <= memory
        if streamed is False and not fits:
            raise DataError(
                f"{n} x {m} kernels must fit in memory: {4.0 * n * m / 2**30:.1f} GiB are needed, the limit (a quarter "
                f"of the machine) is {memory / 2**30:.1f} GiB. Use Sinkhorn(streamed=None) or True, which store none."
            )
        self.guided = float(self.b.min()) * m > LIGHTEST
        self.stored = fits and not streamed and self.guided
        self.blocks = row_blocks(n, m, team)
        self.offset = aligned(_gibbs.TILE * -(-m // _gibbs.TILE))  # columns, filled up to whole tiles
        self.offset[:] = -np.inf
        height, width = (GROUP * -(-n // GROUP), len(self.offset)) if self.stored else (0, 0)
        self.kernel = aligned(height, width, kind=np.float32)
        self.scaling = aligned(m)
        self.measures = (n, m) == problem.shape

    def mean_cost(self) -> float:
        """Sum_ij a_i b_j |c_ij|."""
        out = np.empty(len(self.a))
        self.blocks.run(lambda start, stop: self.kernels.mean_costs(self.pairs, start, stop, self.b, out))
        return float(self.a @ out)

    def sweep(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> np.ndarray:
        """As in `Sweeps`."""

        def block(start: int, stop: int, out: np.ndarray) -> None:
            self.kernels.row_sweep(self.pairs, start, stop, epsilon, g, self.a, self.b, f, out)

        return self.blocks.sums(block, len(g))

    def guide(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> np.ndarray:
        """As in `Sweeps`."""
        if not self.guided:
            return self.sweep(f, g, epsilon)
        m, alpha, inverse = len(g), f / epsilon, 1 / epsilon
        self.offset[:m] = g * inverse + np.log(self.b)

        def block(start: int, stop: int, out: np.ndarray) -> None:
            self.kernels.guided_sweep(self.pairs, start, stop, inverse, self.offset, self.a, alpha, out, self.kernel)

        sums = self.blocks.sums(block, len(self.offset))[:m]
        f[:] = epsilon * alpha
        return sums

    def scaled(self, v: np.ndarray) -> np.ndarray:
        """As in `Sweeps`."""
        self.scaling[:] = v

        def block(start: int, stop: int, out: np.ndarray) -> None:
            self.scaled_sweep(self.kernel, start, stop, self.scaling, self.a, out)

        return v * self.blocks.sums(block, len(v))

    def judge(self, f: np.ndarray, g: np.ndarray, epsilon: float) -> tuple[np.ndarray, Measured | None]:
        """As in `Sweeps`."""
        if not self.measures:
            return self.sweep(f, g, epsilon), None
        problem, m = self.problem, len(g)
        shrink, lower = 1 - 2 * problem.relative_error, 2 * problem.absolute_error
        spent, least = np.empty(len(f)), np.empty(len(f))

        def block(start: int, stop: int, out: np.ndarray) -> None:
            self.kernels.measured_sweep(
                self.pairs, start, stop, epsilon, g, problem.a, self.b, f, out[:m], spent, shrink, lower, least, out[m:]
            )

        def reduce(partial: np.ndarray, axis: int) -> np.ndarray:
            return np.stack([np.sum(partial[:, :m], axis), np.min(partial[:, m:], axis)])

        columns, best = self.blocks.sums(block, 2 * m, reduce)
        return columns / np.sum(problem.a), Measured(columns, spent, least, best)

    def softmin(self, potential: np.ndarray, epsilon: float, index: np.ndarray, *, columns: bool) -> np.ndarray:
        """As in `Sweeps`."""
        other, mass = (self.rows, self.a) if columns else (self.columns, self.b)
        step = len(index) if self.problem.matrix is None else max(1, 2**24 // len(other))
        values = np.zeros(len(index))
        for first in range(0, len(index), step):
            part = index[first : first + step]
            pairs = pairs_of(self.problem, other, part, turned=True) if columns else pairs_of(self.problem, part, other)
            sweep = partial(self.kernels.row_sweep, pairs)
            given = epsilon, potential, np.ones(len(part)), mass, values[first : first + step]

            def block(start: int, stop: int, sums: np.ndarray, sweep: Any = sweep, given: Any = given) -> None:
                sweep(start, stop, *given, sums)

            row_blocks(len(part), len(other), self.blocks.team).sums(block, len(other))
        return values


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of rows, fixed by the problem alone, and the threads that work on them."""

    rows: int
    height: int
    team: Team
    rooms: dict[int, np.ndarray] = field(default_factory=dict)  # fresh memory costs more than small sums do

    def run(self, work: Callable[[int, int], object]) -> None:
        """Call work(start, stop) for each block, on all threads."""
        run_blocks(work, self.rows, self.height, team=self.team)

    def sums(
        self, work: Callable[[int, int, np.ndarray], object], m: int, reduce: Callable[..., np.ndarray] = np.sum
    ) -> np.ndarray:
        """Call work(start, stop, out (m,)) for each block, and sum (or reduce) what each wrote to its `out`."""
        if m not in self.rooms:
            self.rooms[m] = aligned(-(-self.rows // self.height), 8 * -(-m // 8))
        partial = self.rooms[m][:, :m]
        self.run(lambda start, stop: work(start, stop, partial[start // self.height]))
        return reduce(partial, axis=0)


def row_blocks(rows: int, columns: int, team: Team | None = None) -> Blocks:
    """Blocks of `block_height`, on the threads of the team or new ones."""
    return Blocks(rows, block_height(rows, columns), team or Team())


def block_height(rows: int, columns: int) -> int:
    """How many rows each block has, the last but few: there are at most eight, of whole groups, none of few pairs."""
    return GROUP * -(-max(-(-rows // _BLOCKS), _PAIRS // columns) // GROUP)


def aligned(*shape: int, kind: Any = np.float64) -> np.ndarray:
    """An empty array that begins at a cache line."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    room = np.empty(size + 64, np.uint8)
    skip = -room.ctypes.data % 64
    return room[skip : skip + size].view(kind).reshape(shape)


def pairs_of(
    problem: Problem, rows: np.ndarray | None = None, columns: np.ndarray | None = None, *, turned: bool = False
) -> Any:
    """The pairs rows x columns of the problem (None is all), or columns x rows, as kernels take them."""
    from divergences.optimal_transport._gibbs import TILE, Pairs  # compiled

    n, m = problem.shape
    rows, columns = (None if v is not None and len(v) == k else v for v, k in ((rows, n), (columns, m)))
    empty = np.zeros((0, 0))
    if problem.x is None or problem.y is None:
        matrix = problem.cost if rows is None else problem.cost[rows]
        matrix = matrix if columns is None else matrix[:, columns]
        return Pairs(empty, empty, np.ascontiguousarray(matrix.T if turned else matrix), 0, 1.0)
    x, y = (v if index is None else v[index] for v, index in ((problem.x, rows), (problem.y, columns)))
    x, y = (y, x) if turned else (x, y)
    metric, power = METRICS.index(problem.metric), float(problem.power)
    d = x.shape[1]
    whole, tiles = aligned(GROUP * -(-len(x) // GROUP), 2 * -(-d // 2)), -(-len(y) // TILE)
    whole[:] = 0.0
    whole[: len(x), :d] = x
    by_tile = aligned(tiles, whole.shape[1], TILE)
    by_tile[:] = 0.0
    for tile in range(tiles):
        part = y[tile * TILE : (tile + 1) * TILE]
        by_tile[tile, :d, : len(part)] = part.T
    return Pairs(whole, by_tile.reshape(tiles, -1), empty, metric, power)


def _laws(problem: Problem, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masses, for total mass one."""
    a, b = problem.a[rows], problem.b[columns]
    return a / np.sum(a), b / np.sum(b)


def softmin(
    cost: np.ndarray, potential: np.ndarray, mass: np.ndarray, epsilon: float, out: np.ndarray | None = None
) -> np.ndarray:
    """-epsilon log sum_j mass_j exp((potential_j - cost_ij) / epsilon), for each i; `out` keeps the exponentials.

    These are exp((potential_j - cost_ij) / epsilon) divided by the largest of their row.
    """
    work = np.empty_like(cost) if out is None else out
    np.subtract(potential, cost, out=work)
    work /= epsilon
    peak = np.max(work, axis=1)
    work -= peak[:, None]
    if work.min() > -1:  # a large epsilon would multiply the rounding of a sum near one
        below = np.expm1(work, out=work) @ mass
        work += 1
        return -epsilon * (peak + np.log1p(below))
    np.exp(work, out=work)
    return -epsilon * (peak + np.log(work @ mass))
