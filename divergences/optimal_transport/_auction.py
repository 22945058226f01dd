"""An auction with masses: from any potentials to a flow and potentials that are optimal up to epsilon.

Rows bid for room in columns. A row with mass to place turns to the column where c - g is least; a full column takes it
in and turns out the mass that would pay least to stay, and its potential g falls to what the weakest holder pays (the
auction for similar objects). Throughout, with tolerance epsilon,

    c_ij - f_i - g_j >= -epsilon on every arc  and  <= 0 where there is flow,

so that the flow, once complete, costs at most epsilon times the mass more than the optimum. Bids that lead nowhere are
cut short: shortest paths from the columns with room (Dijkstra on those reduced costs) move all potentials at once, and
the mass goes along them. Sources: Bertsekas and Castanon (1989); Goldberg and Kennedy (1995).
"""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numba import typeof, types

from divergences._compiler import compiled
from divergences.optimal_transport._simplex import ARCS, Arcs

BIDS = 4  # looks at arcs between two rounds of shortest paths, as a multiple of the arcs
FACTOR = 8.0  # by which epsilon falls
PATIENCE = 100  # rounds of bids; then only shortest paths, each of which places mass for good


class Market(NamedTuple):
    """The state of an auction. Arcs lie in order of their rows; each column keeps a list of the arcs that it holds."""

    start: np.ndarray  # (n + 1,) first arc of each row
    by_column: np.ndarray  # arcs in order of their columns
    column_start: np.ndarray  # (m + 1,)
    f: np.ndarray
    g: np.ndarray
    excess: np.ndarray  # (n,) mass that a row has yet to place
    room: np.ndarray  # (m,) mass that a column has yet to take
    held: np.ndarray  # (m,) first arc in the list of a column
    after: np.ndarray  # next arc in its list, -2 for an arc in no list


_LONG, _REAL = np.zeros(1, np.int64), np.zeros(1)
MARKET = typeof(Market(_LONG, _LONG, _LONG, _REAL, _REAL, _LONG, _LONG, _LONG, _LONG))
_I, _F = types.int64, types.float64


@compiled(types.void(_I, _I, _I, ARCS, MARKET))
def _place(k: int, j: int, amount: int, arcs: Arcs, market: Market) -> None:
    """Put mass on arc k into column j, and the arc into its list."""
    arcs.flow[k] += amount
    market.excess[arcs.row[k]] -= amount
    if market.after[k] == -2:
        market.after[k] = market.held[j]
        market.held[j] = k


@compiled(types.void(ARCS, MARKET, _F))
def _open(arcs: Arcs, market: Market, epsilon: float) -> None:
    """Set f to the best offer plus epsilon, and take back the mass from arcs that are now too dear."""
    market.held[:] = -1
    for i in range(len(market.f)):
        best = np.inf
        for k in range(market.start[i], market.start[i + 1]):
            best = min(best, arcs.cost[k] - market.g[arcs.column[k]])
        market.f[i] = best + epsilon
        for k in range(market.start[i], market.start[i + 1]):
            market.after[k] = -2
            j, amount = arcs.column[k], arcs.flow[k]
            if amount > 0:
                arcs.flow[k] = 0
                market.excess[i] += amount
                if arcs.cost[k] - market.f[i] <= market.g[j]:
                    _place(k, j, amount, arcs, market)
                else:
                    market.room[j] += amount


@compiled(types.Tuple((_I, _F))(_I, _I, ARCS, MARKET))
def _weakest(j: int, bidder: int, arcs: Arcs, market: Market) -> tuple[Any, Any]:
    """The arc held by column j, other than the bidder's, whose row would pay least to stay, and that price as a g."""
    weakest, level, previous = -1, -np.inf, -1
    k = market.held[j]
    while k >= 0:
        following = market.after[k]
        if arcs.flow[k] == 0:
            market.after[k] = -2
            if previous < 0:
                market.held[j] = following
            else:
                market.after[previous] = following
        else:
            pays = arcs.cost[k] - market.f[arcs.row[k]]
            if k != bidder and pays > level:
                weakest, level = k, pays
            previous = k
        k = following
    return weakest, level


@compiled(types.Tuple((_I, _I))(ARCS, MARKET, _F, _I, types.int64[::1], types.boolean[::1]))
def _bid(
    arcs: Arcs, market: Market, epsilon: float, budget: int, queue: np.ndarray, queued: np.ndarray
) -> tuple[Any, Any]:
    """Let rows with mass bid, first come first served, within the budget of looks: (rows left, looks spent)."""
    n = len(market.f)
    head, count, spent = 0, 0, 0
    for i in range(n):
        queued[i] = market.excess[i] > 0
        if queued[i]:
            queue[count] = i
            count += 1
    while count > 0 and spent < budget:
        i = queue[head]
        head = (head + 1) % n
        count -= 1
        queued[i] = False
        while market.excess[i] > 0 and spent < budget:
            first, second, chosen = np.inf, np.inf, -1
            for k in range(market.start[i], market.start[i + 1]):
                value = arcs.cost[k] - market.g[arcs.column[k]]
                if value < first:
                    first, second, chosen = value, first, k
                elif value < second:
                    second = value
            spent += market.start[i + 1] - market.start[i] + 4
            j, wanted = arcs.column[chosen], market.excess[i]
            market.f[i] = max(market.f[i], first + epsilon)
            if market.room[j] > 0:
                amount = min(wanted, market.room[j])
                market.room[j] -= amount
                _place(chosen, j, amount, arcs, market)
                continue
            limit = arcs.cost[chosen] - second - epsilon  # what i would pay rather than go elsewhere
            taken = 0
            weakest, level = _weakest(j, chosen, arcs, market)
            while weakest >= 0 and level > limit and taken < wanted:
                h = arcs.row[weakest]
                amount = min(wanted - taken, arcs.flow[weakest])
                arcs.flow[weakest] -= amount
                market.excess[h] += amount
                taken += amount
                spent += 4
                if not queued[h]:
                    queue[(head + count) % n] = h
                    count += 1
                    queued[h] = True
                weakest, level = _weakest(j, chosen, arcs, market)
            if taken > 0:
                _place(chosen, j, taken, arcs, market)
            elsewhere = min(second, arcs.cost[chosen] - level if weakest >= 0 else np.inf) + epsilon
            if elsewhere < np.inf:
                market.f[i] = max(market.f[i], elsewhere)
            if arcs.flow[chosen] > 0:
                level = max(level, arcs.cost[chosen] - market.f[i])
            market.g[j] = min(market.g[j], level)
        if market.excess[i] > 0 and not queued[i]:
            queue[(head + count) % n] = i
            count += 1
            queued[i] = True
    return count, spent


@compiled(types.void(types.float64[::1], types.int64[::1], types.int64[::1], _I, _I, _F))
def _lower_key(keys: np.ndarray, heap: np.ndarray, place: np.ndarray, v: int, p: int, key: float) -> None:
    """Let v rise in the binary heap from position p with a smaller key."""
    while p > 0 and keys[(p - 1) >> 1] > key:
        q = (p - 1) >> 1
        keys[p], heap[p] = keys[q], heap[q]
        place[heap[p]] = p
        p = q
    keys[p], heap[p], place[v] = key, v, p


@compiled(types.void(types.float64[::1], types.int64[::1], types.int64[::1], _I))
def _drop_first(keys: np.ndarray, heap: np.ndarray, place: np.ndarray, size: int) -> None:
    """Take the first entry out of the binary heap, which then has `size` entries."""
    key, v, p = keys[size], heap[size], 0
    while 2 * p + 1 < size:
        q = 2 * p + 1
        if q + 1 < size and keys[q + 1] < keys[q]:
            q += 1
        if keys[q] >= key:
            break
        keys[p], heap[p] = keys[q], heap[q]
        place[heap[p]] = p
        p = q
    keys[p], heap[p], place[v] = key, v, p


@compiled(types.void(ARCS, MARKET, _F, types.float64[::1], types.int64[::1], types.float64[::1], types.int64[::1],
                     types.int64[::1]))  # fmt: skip
def _shorten(
    arcs: Arcs, market: Market, epsilon: float, far: np.ndarray, toward: np.ndarray, keys: np.ndarray, heap: np.ndarray,
    place: np.ndarray,
) -> None:  # fmt: skip
    """Move all potentials by the distance to the nearest room, until every row with mass has been reached.

    Nodes are rows, then columns; `toward` keeps the first arc on the way and `place` is -2 for nodes that are settled.
    """
    n = len(market.f)
    size, waiting, top = 0, 0, 0.0
    for v in range(n + len(market.g)):
        far[v], toward[v], place[v] = np.inf, -1, -1
        if v < n and market.excess[v] > 0:
            waiting += 1
        if v >= n and market.room[v - n] > 0:
            far[v] = 0.0
            keys[size], heap[size], place[v] = 0.0, v, size
            size += 1
    while size > 0 and waiting > 0:
        v, top = heap[0], keys[0]
        size -= 1
        _drop_first(keys, heap, place, size)
        place[v] = -2
        column = v >= n
        if not column and market.excess[v] > 0:
            waiting -= 1
        low = market.column_start[v - n] if column else market.start[v]
        high = market.column_start[v - n + 1] if column else market.start[v + 1]
        for q in range(low, high):
            k = market.by_column[q] if column else q
            if not column and arcs.flow[k] == 0:
                continue
            i, j = np.int64(arcs.row[k]), np.int64(arcs.column[k])
            w = i if column else n + j
            if place[w] == -2:
                continue
            reduced = arcs.cost[k] - market.f[i] - market.g[j]
            length = top + max(reduced + epsilon if column else -reduced, 0.0)
            if length < far[w]:
                far[w], toward[w] = length, k
                if place[w] < 0:
                    place[w] = size
                    size += 1
                _lower_key(keys, heap, place, w, place[w], length)
    for v in range(n + len(market.g)):
        move = far[v] if place[v] == -2 else top
        if v < n:
            market.f[v] += move
        else:
            market.g[v - n] -= move


@compiled(_I(ARCS, MARKET, types.int64[::1], types.int64[::1]))
def _follow(arcs: Arcs, market: Market, toward: np.ndarray, place: np.ndarray) -> int:
    """Send the mass of each row along its shortest path while there is room; how many rows have some left."""
    n, left = len(market.f), 0
    for i in range(n):
        if market.excess[i] == 0:
            continue
        amount = market.excess[i] if place[i] == -2 else 0
        v = i
        while amount > 0 and toward[v] >= 0:
            k = toward[v]
            if v >= n:
                amount = min(amount, arcs.flow[k])
            v = n + arcs.column[k] if v < n else np.int64(arcs.row[k])
        amount = min(amount, market.room[v - n]) if amount > 0 else 0
        v = i
        while amount > 0 and toward[v] >= 0:
            k = toward[v]
            if v < n:
                _place(k, arcs.column[k], amount, arcs, market)
                v = n + arcs.column[k]
            else:
                arcs.flow[k] -= amount
                v = np.int64(arcs.row[k])
                market.excess[v] += amount
        if amount > 0:
            market.room[v - n] -= amount
        left += market.excess[i] > 0
    return left


def auction(
    arcs: Arcs, g: np.ndarray, n: int, epsilon: float, last: float, go_on: Callable[[int], bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Potentials (f, g), and in place a flow, optimal up to `last`, from a feasible flow and about right g (m,).

    The arcs must lie in order of their rows, and every row and column must have one. Where go_on(0) says no, flow and
    potentials are those of the last epsilon that was reached.
    """
    m = len(g)
    start, column_start = (np.searchsorted(np.sort(v), np.arange(k + 1)) for v, k in ((arcs.row, n), (arcs.column, m)))
    by_column = np.argsort(arcs.column, kind="stable")
    none = np.zeros(n, np.int64), np.zeros(m, np.int64)
    lists = np.empty(m, np.int64), np.empty(len(arcs.row), np.int64)
    market = Market(start, by_column, column_start, np.zeros(n), g.copy(), *none, *lists)
    queue, queued = np.empty(n, np.int64), np.empty(n, np.bool_)
    nodes = [np.empty(n + m, kind) for kind in (np.float64, np.int64, np.float64, np.int64, np.int64)]
    reached = np.minimum.reduceat(arcs.cost - g[arcs.column], start[:-1]), g, arcs.flow.copy()
    while True:
        _open(arcs, market, epsilon)
        for trial in count():
            budget = BIDS * len(arcs.row) if trial < PATIENCE else 0
            if not _bid(arcs, market, epsilon, budget, queue, queued)[0]:
                break
            _shorten(arcs, market, epsilon, *nodes)
            if not _follow(arcs, market, nodes[1], nodes[4]):
                break
            if not go_on(0):
                arcs.flow[:] = reached[2]
                return reached[:2]
        if epsilon <= last:
            return market.f, market.g
        reached = market.f.copy(), market.g.copy(), arcs.flow.copy()
        epsilon = max(epsilon / FACTOR, last)
