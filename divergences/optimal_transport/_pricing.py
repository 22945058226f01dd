"""Pricing: the smallest c(x_i, y_j) - g_j of each row i, over all j, without the matrix.

Rows walk down the cells of y, a group of neighbours at a time, and leave out those where a lower bound shows that
nothing is to be found: every cost is convex in y, hence above its tangent at the centre z of a box with half widths r,
and g is below its trend (`_cells`), so that in the cell

    c(x, y) - g(y) >= c(x, z) - alpha - sum_k |d_k c(x, z) - beta_k| r_k,

exactly minimised over the box for the squared Euclidean cost; and c - g >= distance(x, box)**p - max g. Bounds are
lowered by what rounding may have added to them, so leaving out is a proof. Leaves are large: what is left is done at
the speed of the arithmetic.
"""

from typing import Any

import numpy as np
from numba import types

from divergences._compiler import compiled
from divergences._parallel import run_blocks
from divergences.optimal_transport._cells import CELLS, Cells
from divergences.optimal_transport._metrics import METRICS

GROUP = 32  # rows that go together: their bounds are taken by the same instructions
TASK = 512  # rows handed to a thread at a time
NORM, BOX, TREND, SIZE, SHARE, RISE = (k * GROUP for k in range(6))
EUCLIDEAN, CITYBLOCK, CHEBYSHEV = (METRICS.index(name) for name in ("euclidean", "cityblock", "chebyshev"))
UNIT, TINY, NOTHING = 2.0**-53, 2.0**-1000, 2.0**-450
_F, _I, _F1, _F2 = types.float64, types.int64, types.float64[::1], types.float64[:, ::1]


@compiled(types.void(_F2, _I, CELLS, _I, _F, _F1, _F1), fastmath={"contract", "nnan", "nsz"})
def _bounds(rows: np.ndarray, v: int, y: Cells, metric: int, power: float, room: np.ndarray, out: np.ndarray) -> None:
    """out[i] is below c(x, y) - g(y) for all y of cell v, x being point i of rows (d, GROUP)."""
    d, alpha, top = len(rows), y.alpha[v], y.top[v]
    if top == -np.inf:
        out[:] = np.inf  # nothing there binds
        return
    # One array holds all of the loops' numbers at constant distances, or they would not become vector instructions.
    for i in range(4 * GROUP):
        room[i] = 0.0
    for t in range(d):
        z, r = y.center[v, t], y.half[v, t]
        for i in range(GROUP):
            u = abs(z - rows[t, i])
            gap = max(u * (1.0 - 4.0 * UNIT) - r, 0.0)
            if metric == EUCLIDEAN:
                room[i + NORM] += u * u
                room[i + BOX] += gap * gap
            elif metric == CITYBLOCK:
                room[i + NORM] += u
                room[i + BOX] += gap
            else:
                room[i + NORM] = max(room[i + NORM], u)
                room[i + BOX] = max(room[i + BOX], gap)
    if metric == EUCLIDEAN and power == 2.0:
        for t in range(d):
            z, r, b = y.center[v, t], y.half[v, t], y.beta[v, t]
            for i in range(GROUP):
                u = z - rows[t, i]
                w = 2.0 * u - b
                s = min(max(-0.5 * w, -r), r)
                room[i + TREND] += (w + s) * s
                room[i + SIZE] += (2.0 * abs(u) + abs(b) + r) * r
    else:
        if metric == EUCLIDEAN:
            for i in range(2 * GROUP):
                room[i] = np.sqrt(room[i])
        for i in range(GROUP):
            room[i + SHARE] = room[i + NORM] if metric == CHEBYSHEV else 1.0 / room[i + NORM]
            room[i + RISE] = 1.0
            if room[i + NORM] < NOTHING:
                room[i + NORM], room[i + SHARE], room[i + RISE] = 0.0, 0.0, 0.0  # 0 is a subgradient at 0
        if power != 1.0:
            for i in range(GROUP):
                cost = room[i + NORM] ** power
                room[i + RISE] *= power * cost / max(room[i + NORM], NOTHING)
                room[i + NORM], room[i + BOX] = cost, room[i + BOX] ** power
        for t in range(d):
            z, r, b = y.center[v, t], y.half[v, t], y.beta[v, t]
            for i in range(GROUP):
                u = z - rows[t, i]
                if metric == EUCLIDEAN:
                    slope = room[i + RISE] * (u * room[i + SHARE])
                else:
                    slope = room[i + RISE] if u > 0.0 else -room[i + RISE]
                    if metric == CHEBYSHEV:
                        slope = slope if abs(u) == room[i + SHARE] else 0.0
                        room[i + RISE] -= abs(slope)  # only one of the farthest coordinates counts
                room[i + TREND] -= abs(slope - b) * r
                room[i + SIZE] += (abs(slope) + abs(b)) * r
    rounding = UNIT * (power + 1.0) * (2.0 * d + 16.0)
    for i in range(GROUP):
        low = room[i + NORM] + room[i + TREND] - alpha
        low -= rounding * (room[i + NORM] + room[i + SIZE] + abs(alpha))
        near = room[i + BOX] - top - rounding * (room[i + BOX] + abs(top))
        out[i] = max(low, near) - TINY


@compiled(
    "Tuple((int64, float64))(float64[::1], float64[:, ::1], float64[::1], int64, int64, int64, float64, float64,"
    " float64, float64[::1], int32[::1], int64, float64[::1])",
    fastmath={"contract"},
)
def _visit(
    x: np.ndarray, points: np.ndarray, g: np.ndarray, low: int, high: int, metric: int, power: float, shrink: float,
    limit: float, values: np.ndarray, index: np.ndarray, count: int, costs: np.ndarray,
) -> tuple[int, float]:  # fmt: skip
    """Enter the points low..high with c * shrink - g < limit into the sorted lists of one row; (length, new limit)."""
    d, first, w = len(x), np.uint64(low), np.uint64(high - low)  # as no index is negative, loops become vectors
    for q in range(w):
        costs[q] = 0.0
    if metric == EUCLIDEAN:
        # Four coordinates at a time, those left over by one and two: the sums stay in registers.
        if d & 1:
            u = x[0]
            for q in range(w):
                costs[q] += (u - points[0, first + q]) ** 2
        if d & 2:
            t = d & 1
            u0, u1 = x[t], x[t + 1]
            for q in range(w):
                costs[q] += (u0 - points[t, first + q]) ** 2 + (u1 - points[t + 1, first + q]) ** 2
        for t in range(d & 3, d, 4):
            u0, u1, u2, u3 = x[t], x[t + 1], x[t + 2], x[t + 3]
            for q in range(w):
                v0, v1 = u0 - points[t, first + q], u1 - points[t + 1, first + q]
                v2, v3 = u2 - points[t + 2, first + q], u3 - points[t + 3, first + q]
                costs[q] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)
    for t in range(0 if metric == EUCLIDEAN else d):
        u = x[t]
        for q in range(w):
            size = abs(u - points[t, first + q])
            costs[q] = costs[q] + size if metric == CITYBLOCK else max(costs[q], size)
    if metric == EUCLIDEAN and power not in (1.0, 2.0):
        for q in range(w):
            costs[q] = np.sqrt(costs[q])
    if power != 1.0 and not (metric == EUCLIDEAN and power == 2.0):
        for q in range(w):
            costs[q] = costs[q] ** power
    hit = False
    if metric == EUCLIDEAN and power == 1.0:
        for q in range(w):
            costs[q] = np.sqrt(costs[q]) * shrink - g[first + q]
            hit |= costs[q] < limit
    else:
        for q in range(w):
            costs[q] = costs[q] * shrink - g[first + q]
            hit |= costs[q] < limit
    if not hit:
        return count, limit
    room = len(values)
    for q in range(w):
        value = costs[q]
        if value < limit:
            place = min(count, room - 1)
            while place > 0 and values[place - 1] > value:
                values[place], index[place] = values[place - 1], index[place - 1]
                place -= 1
            values[place], index[place] = value, first + q
            count = min(count + 1, room)
            if count == room:
                limit = values[room - 1]
    return count, limit


@compiled(types.boolean(_F1, _F1))
def _below(low: np.ndarray, limit: np.ndarray) -> bool:
    """Whether any bound is below its limit."""
    found = False
    for i in range(GROUP):
        found |= low[i] < limit[i]
    return found


@compiled(types.void(_F2, _I, _I, CELLS, _I, _F, _F, _F1, _F2, types.int32[:, ::1], types.int64[::1]))
def _walk(
    x: np.ndarray, start: int, stop: int, y: Cells, metric: int, power: float, shrink: float, limits: np.ndarray,
    values: np.ndarray, index: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Rows start..stop of x, by groups, down the tree of y, the more promising child first."""
    m, depth = y.points.shape[1], y.depth
    costs, rows, room = np.empty((m >> depth) + 2), np.empty((x.shape[1], GROUP)), np.empty(6 * GROUP)
    cell, level, low = np.empty(depth + 2, np.int64), np.empty(depth + 2, np.int64), np.empty((depth + 2, GROUP))
    bounds, limit, best = np.empty((2, GROUP)), np.empty(GROUP), np.empty(2)
    for first in range(start, stop, GROUP):
        group = min(stop - first, GROUP)
        for i in range(GROUP):
            limit[i] = limits[first + i] if i < group else -np.inf
            rows[:, i] = x[first + min(i, group - 1)]
        counts[first : first + group] = 0
        cell[0], level[0], size = 0, 0, 1
        low[0, :] = -np.inf
        while size > 0:
            size -= 1
            k, l = cell[size], level[size]
            if l == depth:
                for i in range(group):
                    if low[size, i] < limit[i]:
                        counts[first + i], limit[i] = _visit(
                            x[first + i], y.points, y.g, (m * k) >> l, (m * (k + 1)) >> l, metric, power, shrink,
                            limit[i], values[first + i], index[first + i], counts[first + i], costs,
                        )  # fmt: skip
                continue
            if not _below(low[size], limit):
                continue
            for c in range(2):
                _bounds(rows, (2 << l) - 1 + 2 * k + c, y, metric, power, room, bounds[c])
                best[c] = np.min(bounds[c])
            near = 0 if best[0] <= best[1] else 1
            for c in (1 - near, near):
                if _below(bounds[c], limit):
                    cell[size], level[size] = 2 * k + c, l + 1
                    low[size] = bounds[c]
                    size += 1


def cheapest(
    x: np.ndarray, y: Cells, metric: str, power: float, limits: Any, count: int, *, shrink: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each row of x (n, d) the up to `count` smallest c(x_i, y_j) * shrink - g_j below limits[i].

    Returns values (n, count) in rising order, their indices j (n, count) and how many there are (n,). Points left out
    have, in real arithmetic, c(x_i, y_j) - g_j >= limits[i], or >= the last value of a full list; `shrink` lowers the
    computed costs of the others by what rounding may have added.
    """
    n = len(x)
    values, index = np.full((n, count), np.inf), np.zeros((n, count), np.int32)
    counts = np.zeros(n, np.int64)
    limits = np.zeros(n) + limits

    def block(start: int, stop: int) -> None:
        _walk(x, start, stop, y, METRICS.index(metric), power, shrink, limits, values, index, counts)

    run_blocks(block, n, TASK)
    return values, index, counts
