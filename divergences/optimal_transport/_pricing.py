"""Pricing: the smallest c(x_i, y_j) - g_j of each row i, over all j, without the matrix.

In few dimensions each row walks down the cells of y and leaves out those where a lower bound shows that nothing is to
be found: every cost is convex in y, hence above its tangent at the centre z of a box with half widths r, and g is below
its trend (`_cells`), so that in the cell

    c(x, y) - g(y) >= c(x, z) - alpha - sum_k |d_k c(x, z) - beta_k| r_k,

exactly minimised over the box for the squared Euclidean cost; and c - g >= distance(x, box)**p - max g. In many
dimensions the leaves are large and are visited in turn by blocks of rows, at the speed of the arithmetic. Bounds are
lowered by what rounding may have added to them, so leaving out is a proof.
"""

from typing import Any

import numpy as np
from numba import types

from divergences._compiler import compiled
from divergences._parallel import run_blocks
from divergences.optimal_transport._cells import CELLS, FEW_DIMENSIONS, Cells
from divergences.optimal_transport._metrics import METRICS

ROWS = 32  # rows that visit a leaf together, while it is in the cache
TASK = 512  # rows handed to a thread at a time
EUCLIDEAN, CITYBLOCK = METRICS.index("euclidean"), METRICS.index("cityblock")
UNIT, TINY = 2.0**-53, 2.0**-1000
_F, _I, _F1, _F2 = types.float64, types.int64, types.float64[::1], types.float64[:, ::1]
ROWS_AGAINST_CELLS = types.void(_F2, _I, _I, CELLS, _I, _F, _F, _F1, _F2, types.int32[:, ::1], types.int64[::1])


@compiled("void(float64[::1], float64[:, ::1], int64, int64, int64, float64, float64[::1])", fastmath={"contract"})
def _costs(x: np.ndarray, points: np.ndarray, low: int, high: int, metric: int, power: float, out: np.ndarray) -> None:
    """Costs of the point x (d,) to points[:, low:high]; out[:high - low] is filled."""
    d, w = len(x), high - low
    out = out[:w]
    start = d % 4 if metric == EUCLIDEAN else d  # the coordinates that are taken one by one
    for q in range(w):
        out[q] = 0.0
    for t in range(start):
        row, u = points[t][low:high], x[t]
        if metric == EUCLIDEAN:
            for q in range(w):
                out[q] += (u - row[q]) * (u - row[q])
        elif metric == CITYBLOCK:
            for q in range(w):
                out[q] += abs(u - row[q])
        else:
            for q in range(w):
                out[q] = max(out[q], abs(u - row[q]))
    if metric == EUCLIDEAN:
        # Four coordinates at a time: the sums stay in registers.
        for t in range(start, d, 4):
            row0, row1, row2, row3 = (
                points[t][low:high], points[t + 1][low:high], points[t + 2][low:high], points[t + 3][low:high]
            )  # fmt: skip
            u0, u1, u2, u3 = x[t], x[t + 1], x[t + 2], x[t + 3]
            for q in range(w):
                v0, v1, v2, v3 = u0 - row0[q], u1 - row1[q], u2 - row2[q], u3 - row3[q]
                out[q] += (v0 * v0 + v1 * v1) + (v2 * v2 + v3 * v3)
        if power != 2.0:
            for q in range(w):
                out[q] = np.sqrt(out[q])
    if power != 1.0 and not (metric == EUCLIDEAN and power == 2.0):
        for q in range(w):
            out[q] = out[q] ** power


@compiled(
    "float64(float64[::1], float64[::1], float64[::1], float64[::1], float64, float64, int64, float64)",
)
def _bound(
    x: np.ndarray, center: np.ndarray, half: np.ndarray, beta: np.ndarray, alpha: float, top: float,
    metric: int, power: float,
) -> float:  # fmt: skip
    """A number below c(x, y) - g(y) for all y of a cell."""
    if top == -np.inf:
        return np.inf  # nothing there binds
    d = len(x)
    trend, size, box, norm = 0.0, 0.0, 0.0, 0.0
    farthest = 0
    for t in range(d):
        u, r = center[t] - x[t], half[t]
        gap = max(abs(u) * (1.0 - 4.0 * UNIT) - r, 0.0)
        if metric == EUCLIDEAN:
            box += gap * gap
            norm += u * u
            if power == 2.0:
                w = 2.0 * u - beta[t]
                z = min(max(-0.5 * w, -r), r)
                trend += (w + z) * z
                size += (2.0 * abs(u) + abs(beta[t]) + r) * r
        elif metric == CITYBLOCK:
            box += gap
            norm += abs(u)
        else:
            box = max(box, gap)
            if abs(u) > norm:
                norm, farthest = abs(u), t
    cost = norm
    if not (metric == EUCLIDEAN and power == 2.0):
        if metric == EUCLIDEAN:
            box, norm = np.sqrt(box), np.sqrt(norm)
        cost, box = (norm, box) if power == 1.0 else (norm**power, box**power)
        rise = 0.0 if norm == 0.0 else power * cost / norm  # derivative of norm**power; 0 is a subgradient at 0
        for t in range(d):
            u = center[t] - x[t]
            if metric == EUCLIDEAN:
                slope = 0.0 if norm == 0.0 else rise * (u / norm)
            else:
                slope = np.sign(u) * rise if metric == CITYBLOCK or t == farthest else 0.0
            trend -= abs(slope - beta[t]) * half[t]
            size += (abs(slope) + abs(beta[t])) * half[t]
    rounding = UNIT * (power + 1.0) * (2.0 * d + 16.0)
    low = cost + trend - alpha - rounding * (cost + size + abs(alpha))
    return max(low, box - top - rounding * (box + abs(top))) - TINY


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
    _costs(x, points, low, high, metric, power, costs)
    w, cell = high - low, g[low:high]
    hit = False
    for q in range(w):
        costs[q] = costs[q] * shrink - cell[q]
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
            values[place], index[place] = value, low + q
            count = min(count + 1, room)
            if count == room:
                limit = values[room - 1]
    return count, limit


@compiled(ROWS_AGAINST_CELLS)
def _walk(
    x: np.ndarray, start: int, stop: int, y: Cells, metric: int, power: float, shrink: float, limits: np.ndarray,
    values: np.ndarray, index: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Rows start..stop of x, each down the tree of y, the more promising child first."""
    m, depth = y.points.shape[1], y.depth
    costs = np.empty((m >> depth) + 2)
    cell, level, low = np.empty(depth + 2, np.int64), np.empty(depth + 2, np.int64), np.empty(depth + 2)
    bounds = np.empty(2)
    for i in range(start, stop):
        limit, count, size = limits[i], 0, 1
        cell[0], level[0], low[0] = 0, 0, -np.inf
        while size > 0:
            size -= 1
            k, l = cell[size], level[size]
            if low[size] >= limit:
                continue
            if l == depth:
                count, limit = _visit(
                    x[i], y.points, y.g, (m * k) >> l, (m * (k + 1)) >> l, metric, power, shrink, limit,
                    values[i], index[i], count, costs,
                )  # fmt: skip
                continue
            for c in range(2):
                v = (2 << l) - 1 + 2 * k + c
                bounds[c] = _bound(
                    x[i], y.center[v], y.half[v], y.beta[v], y.alpha[v], y.top[v], metric, power
                )  # fmt: skip
            near = 0 if bounds[0] <= bounds[1] else 1
            for c in (1 - near, near):
                if bounds[c] < limit:
                    cell[size], level[size], low[size] = 2 * k + c, l + 1, bounds[c]
                    size += 1
        counts[i] = count


@compiled(ROWS_AGAINST_CELLS)
def _sweep(
    x: np.ndarray, start: int, stop: int, y: Cells, metric: int, power: float, shrink: float, limits: np.ndarray,
    values: np.ndarray, index: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    """Rows start..stop of x, by blocks, through all leaves of y, outwards from the leaf at their place in the order."""
    m, depth = y.points.shape[1], y.depth
    leaves = 1 << depth
    costs, limit = np.empty((m >> depth) + 2), np.empty(ROWS)
    for first in range(start, stop, ROWS):
        last = min(first + ROWS, stop)
        for i in range(first, last):
            limit[i - first], counts[i] = limits[i], 0
        for s in range(leaves):
            k = ((first * leaves) // len(x) + ((s + 1) >> 1) * (1 - 2 * (s & 1)) + leaves) % leaves
            v = leaves - 1 + k
            for i in range(first, last):
                low = _bound(x[i], y.center[v], y.half[v], y.beta[v], y.alpha[v], y.top[v], metric, power)
                if low < limit[i - first]:
                    counts[i], limit[i - first] = _visit(
                        x[i], y.points, y.g, (m * k) >> depth, (m * (k + 1)) >> depth, metric, power, shrink,
                        limit[i - first], values[i], index[i], counts[i], costs,
                    )  # fmt: skip


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
    kernel = _walk if x.shape[1] <= FEW_DIMENSIONS else _sweep

    def block(start: int, stop: int) -> None:
        kernel(x, start, stop, y, METRICS.index(metric), power, shrink, limits, values, index, counts)

    run_blocks(block, n, TASK)
    return values, index, counts
