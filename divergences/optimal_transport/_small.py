"""Small problems, solved and judged by compiled kernels alone, so that many of them need no interpreter in between.

Masses become whole numbers, so flows are exact. On the line the monotone coupling is walked. Elsewhere a network
simplex on all pairs starts where each point of x takes the cheapest points of y that are left; of a few rows that are
looked at, the cell that costs least beside its potentials enters. Trees stay strongly feasible (Cunningham 1976): where
several arcs block a pivot, the one leaves that keeps it from cycling.

The bracket is that of `_certificate`, with its radii: f is the c-transform of g, sums are carried as pairs, and the
mass by which whole numbers miss the true masses is charged at the worst cost. What is extraordinary (input to be
refused, scales near the ends of the floats, totals to be reconciled, a gap that stays open) gets NaN, for the general
path.
"""

import math

import numpy as np
from numba import njit, types

from divergences._compiler import bits, compiled, from_bits
from divergences.optimal_transport._metrics import METRICS

EUCLIDEAN, CITYBLOCK, CHEBYSHEV = (METRICS.index(name) for name in ("euclidean", "cityblock", "chebyshev"))
UNIT, SUBNORMAL = 2.0**-53, 2.0**-1074
TINY = 2.0**-900  # a cost below it is left to the general path
NEGLIGIBLE = 2.0**-36  # of the cost: what misplaced mass may be charged here, far below every gap that is asked for
ROUNDED = 2.0**-49  # relative difference of two totals that is rounding
GAP = 1e-9
BITS = 61  # a total mass between 1/2 and 1 is that many bits of units, unless masses are uniform
PARENT, CHILD, AFTER, BEFORE, DEPTH, FLOW = range(6)  # what is known of a node of the tree
ROWS = 4  # rows that are looked at before a pivot
WANTING = 2.0**-50  # relative: a reduced cost that is not rounding
PIVOTS = 100  # for each row and column, after which the simplex gives up
FULL, MOST = 2**62, np.int64(2**63 - 1)
_F, _I, _F1, _I1 = types.float64, types.int64, types.float64[::1], types.int64[::1]
_F2, _I2 = types.float64[:, ::1], types.int64[:, ::1]
_inline = njit(inline="always", error_model="numpy")
_PAIR = types.UniTuple(_F, 2)


@compiled(_F(_F, _F, _F))
def _lost(u: float, v: float, product: float) -> float:
    """What rounding took from u v (Dekker)."""
    t, s = 134217729.0 * u, 134217729.0 * v
    u_high, v_high = t - (t - u), s - (s - v)
    u_low, v_low = u - u_high, v - v_high
    return ((u_high * v_high - product) + u_high * v_low + u_low * v_high) + u_low * v_low


@compiled(_PAIR(_F1, _F1))
def _dot(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """`(value, radius)` with |value - sum_k x_k y_k| <= radius: sums as pairs, as in `_rounding`."""
    high, low, size, underflow = 0.0, 0.0, 0.0, 0
    for k in range(len(x)):
        u, v = x[k], y[k]
        product = u * v
        underflow += int(abs(product) < TINY and u != 0.0 and v != 0.0)
        lost = _lost(u, v, product)
        both = high + product
        back = both - high
        error = (high - (both - back)) + (product - back)
        high = both
        low += lost + error
        size += abs(lost) + abs(error)
    value = high + low
    back = value - high
    radius = abs((high - (value - back)) + (low - back)) + (3.0 * len(x) + 8.0) * UNIT * size * 1.01
    return value, radius + 4.0 * SUBNORMAL * underflow


@compiled(_F(_F, _F))
def _above(value: float, extra: float) -> float:
    """At least value + extra, equal to value where extra is 0."""
    return value if extra == 0.0 else np.nextafter(value + extra * (1.0 + 2.0**-48), np.inf)


@compiled(types.void(_F2, _F2, _I, _F, _F2))
def _costs(x: np.ndarray, y: np.ndarray, metric: int, power: float, cost: np.ndarray) -> None:
    """All costs (n, m) between x (d, n) and y (d, m)."""
    n, m = cost.shape
    for i in range(n):
        for j in range(m):
            cost[i, j] = 0.0
        for t in range(len(y)):
            u = x[t, i]
            if metric == EUCLIDEAN:
                for j in range(m):
                    cost[i, j] += (u - y[t, j]) ** 2
            elif metric == CITYBLOCK:
                for j in range(m):
                    cost[i, j] += abs(u - y[t, j])
            else:
                for j in range(m):
                    size = abs(u - y[t, j])
                    cost[i, j] = size if size > cost[i, j] else cost[i, j]
        if metric == EUCLIDEAN and power != 2.0:
            for j in range(m):
                cost[i, j] = np.sqrt(cost[i, j])
        if power == 2.0 and metric != EUCLIDEAN:
            for j in range(m):
                cost[i, j] *= cost[i, j]
        elif power not in (1.0, 2.0):
            for j in range(m):
                cost[i, j] = cost[i, j] ** power


@compiled(types.boolean(_F2, _F2, _F2))
def _underflows(x: np.ndarray, y: np.ndarray, cost: np.ndarray) -> bool:
    """Whether a cost is so small, between points that differ, that underflow may have taken part of it."""
    for i in range(x.shape[1]):
        for j in range(y.shape[1]):
            if cost[i, j] < TINY:
                for t in range(len(y)):
                    if x[t, i] != y[t, j]:
                        return True
    return False


@compiled(_F(_F2, _I, _F1, _F))
def _least(cost: np.ndarray, i: int, g: np.ndarray, shrink: float) -> float:
    """min_j c_ij shrink - g_j, found as a whole number of the same order, which becomes vector instructions."""
    best = MOST
    for j in range(len(g)):
        k = bits(cost[i, j] * shrink - g[j])
        best = min(best, k ^ ((k >> 63) & MOST))
    return from_bits(best ^ ((best >> 63) & MOST))


@compiled(types.void(_I, _I, _I2))
def _hang(v: int, p: int, tree: np.ndarray) -> None:
    """Make v the first child of p."""
    w = tree[CHILD, p]
    tree[PARENT, v], tree[AFTER, v], tree[BEFORE, v] = p, w, -1
    if w >= 0:
        tree[BEFORE, w] = v
    tree[CHILD, p] = v


@compiled(types.void(_I, _I2))
def _unhang(v: int, tree: np.ndarray) -> None:
    """Take v from its parent."""
    w, u = tree[AFTER, v], tree[BEFORE, v]
    if u >= 0:
        tree[AFTER, u] = w
    else:
        tree[CHILD, tree[PARENT, v]] = w
    if w >= 0:
        tree[BEFORE, w] = u


@compiled(_I(_I, _I, _I2))
def _next(v: int, top: int, tree: np.ndarray) -> int:
    """The node after v in a walk, depth first, through what hangs below `top`; -1 at its end."""
    if tree[CHILD, v] >= 0:
        return tree[CHILD, v]
    while v != top and tree[AFTER, v] < 0:
        v = tree[PARENT, v]
    return -1 if v == top else tree[AFTER, v]


@compiled(types.void(_I, _I, _F, _I, _I2, _F1))
def _pivot(i: int, j: int, rise: float, n: int, tree: np.ndarray, potential: np.ndarray) -> None:
    """Raise the flow between row i and column j until an arc of their cycle is empty, which leaves the tree."""
    room_i, room_j, block_i, block_j = FULL, FULL, -1, -1
    u, v = i, j
    while u != v:
        if tree[DEPTH, u] >= tree[DEPTH, v]:
            if u < n and tree[FLOW, u] < room_i:
                room_i, block_i = tree[FLOW, u], u
            u = tree[PARENT, u]
        else:
            if v >= n and tree[FLOW, v] <= room_j:
                room_j, block_j = tree[FLOW, v], v
            v = tree[PARENT, v]
    apex, amount = u, min(room_i, room_j)
    if amount > 0:
        u, v = i, j
        while u != apex:
            tree[FLOW, u] += -amount if u < n else amount
            u = tree[PARENT, u]
        while v != apex:
            tree[FLOW, v] += amount if v < n else -amount
            v = tree[PARENT, v]
    # Turn the part below `cut` round, so that it hangs by `inner` on `outer`.
    inner, outer, cut = (i, j, block_i) if room_i < room_j else (j, i, block_j)
    v, p, carried = inner, outer, amount
    while True:
        up, old = tree[PARENT, v], tree[FLOW, v]
        _unhang(v, tree)
        _hang(v, p, tree)
        tree[FLOW, v] = carried
        if v == cut:
            break
        v, p, carried = up, v, old
    v = inner
    while v >= 0:
        tree[DEPTH, v] = tree[DEPTH, tree[PARENT, v]] + 1
        potential[v] += rise if (v < n) == (inner < n) else -rise
        v = _next(v, inner, tree)


@compiled(_I2(_F2, _I1, _I1))
def _cells(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray) -> np.ndarray:
    """Row, column and flow of n + m - 1 cells that form a tree and carry the masses, which are used up.

    Each row takes the columns that are left in order of cost, counted from the least in their column. A tie uses up the
    column, so that a row goes on with nothing: no column ever hangs by an empty arc, seen from the last column.
    """
    n, m = cost.shape
    cells, least = np.empty((3, n + m - 1), np.int64), np.full(m, np.inf)
    for i in range(n):
        for j in range(m):
            least[j] = min(least[j], cost[i, j])
    count, left = 0, m
    for i in range(n):
        over = False
        while not over:
            best, found = np.inf, -1
            for j in range(m):
                if demand[j] >= 0 and cost[i, j] - least[j] < best:
                    best, found = cost[i, j] - least[j], j
            over = supply[i] < demand[found] or left == 1
            amount = min(supply[i], demand[found])
            cells[0, count], cells[1, count], cells[2, count] = i, found, amount
            count += 1
            supply[i] -= amount
            demand[found] -= amount
            if not over:
                demand[found] = -1
                left -= 1
    return cells


@compiled(_I2(_I, _I, _I2))
def _grown(n: int, m: int, cells: np.ndarray) -> np.ndarray:
    """The tree of these cells below the last column that was filled; nodes are rows, then columns."""
    nodes = n + m
    start = np.zeros(nodes + 2, np.int64)  # start[v + 1] walks from the first arc of v to the first of v + 1
    around, tree = np.empty(2 * nodes - 2, np.int64), np.full((6, nodes), -1)
    for k in range(nodes - 1):
        start[cells[0, k] + 2] += 1
        start[n + cells[1, k] + 2] += 1
    for v in range(nodes):
        start[v + 2] += start[v + 1]
    for k in range(nodes - 1):
        for v in (cells[0, k], n + cells[1, k]):
            around[start[v + 1]] = k
            start[v + 1] += 1
    queue = np.empty(nodes, np.int64)
    queue[0], tail = n + cells[1, nodes - 2], 1
    tree[DEPTH, queue[0]] = 0
    for head in range(nodes):
        v = queue[head]
        for q in range(start[v], start[v + 1]):
            k = around[q]
            w = cells[0, k] + n + cells[1, k] - v
            if w != tree[PARENT, v]:
                _hang(w, v, tree)
                tree[FLOW, w], tree[DEPTH, w] = cells[2, k], tree[DEPTH, v] + 1
                queue[tail] = w
                tail += 1
    return tree


@compiled(types.void(_F2, _I, _I2, _F1))
def _lay(cost: np.ndarray, root: int, tree: np.ndarray, potential: np.ndarray) -> None:
    """Potentials that are equal to the costs along the tree, 0 at its root."""
    n = len(cost)
    potential[root], v = 0.0, _next(root, root, tree)
    while v >= 0:
        p = tree[PARENT, v]
        potential[v] = (cost[v, p - n] if v < n else cost[p, v - n]) - potential[p]
        v = _next(v, root, tree)


@compiled(types.Tuple((_I2, _F1))(_F2, _I1, _I1, _I))
def simplex(cost: np.ndarray, supply: np.ndarray, demand: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The tree of an optimal flow and its potentials, rows before columns; uses up the masses.

    After `limit` pivots, or PIVOTS for each row and column, the flow is feasible and no more.
    """
    n, m = cost.shape
    cells = _cells(cost, supply, demand)
    tree, potential = _grown(n, m, cells), np.empty(n + m)
    root, g = n + cells[1, n + m - 2], potential[n:]
    _lay(cost, root, tree, potential)
    i, looked, fresh = 0, 0, True
    for _ in range(min(limit, PIVOTS * (n + m))):
        worst, row, at = 0.0, -1, 0.0
        for _ in range(min(ROWS, n)):
            least = _least(cost, i, g, 1.0)
            rise = least - potential[i]
            if rise < worst and rise < -WANTING * (abs(least) + abs(potential[i])):
                worst, row, at = rise, i, least
            i = i + 1 if i + 1 < n else 0
        looked += ROWS
        if row >= 0:
            j = 0
            while cost[row, j] - g[j] != at:
                j += 1
            _pivot(row, n + j, worst, n, tree, potential)
            looked, fresh = 0, False
        elif looked >= n:
            if fresh:
                break
            _lay(cost, root, tree, potential)  # they have been moved many times
            looked, fresh = 0, True
    return tree, potential


@compiled(types.Tuple((_I1, _I1, _F, _F, _F))(_F1, _F1))
def _counts(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """Masses as whole numbers of exactly one total, and what one of them stands for.

    Then bounds on the L1 distance between these and the masses at one total, NaN where totals differ by more than
    rounding, and on that difference, relative.
    """
    one = np.ones(max(len(a), len(b)))
    (left, left_radius), (right, right_radius) = _dot(a, one[: len(a)]), _dot(b, one[: len(b)])
    apart = abs(left - right) * (1.0 + 4.0 * UNIT) + left_radius + right_radius
    counts = np.empty(len(a), np.int64), np.empty(len(b), np.int64)
    if not apart <= ROUNDED * left:
        return counts[0], counts[1], np.nan, np.nan, np.nan
    exponent = math.frexp(left)[1] - BITS
    missed = 0.0
    for masses, whole in ((a, counts[0]), (b, counts[1])):
        for k in range(len(masses)):
            exact = math.ldexp(masses[k], -exponent)
            whole[k] = int(np.rint(exact))
            missed += abs(exact - np.rint(exact))
    excess = 0
    for count in counts[0]:
        excess -= count
    for count in counts[1]:
        excess += count
    i, j = np.argmax(counts[0]), np.argmax(counts[1])
    if counts[1][j] >= counts[0][i]:
        counts[1][j] -= excess
    else:
        counts[0][i] += excess
    unit = math.ldexp(1.0, exponent)
    missed = (missed + abs(float(excess))) * unit * 1.01 + apart
    return counts[0], counts[1], unit, missed, apart / left * (1.0 + 2.0**-40)


@compiled(_PAIR(_F, _F, _F, _F))
def _shared(value: float, radius: float, unit: float, shares: float) -> tuple[float, float]:
    """value * unit / shares with its radius; the unit is a power of two."""
    value, radius = value * unit, radius * unit
    part = value / shares
    back = part * shares
    if radius == 0.0 and back == value and _lost(part, shares, back) == 0.0:
        return part, 0.0
    return part, radius / shares * (1.0 + 2.0**-40) + UNIT * abs(part) + 4.0 * SUBNORMAL


@compiled(_PAIR(_F1, _F1, _I1, _I1, _F, _F, _F, _F))
def _on_line(
    x: np.ndarray, y: np.ndarray, supply: np.ndarray, demand: np.ndarray,
    unit: float, shares: float, power: float, misplaced: float,
) -> tuple[float, float]:  # fmt: skip
    """Both ends from what the monotone coupling of sorted points costs: that is the optimum for whole masses."""
    mass, cost, count = np.empty(len(x) + len(y)), np.empty(len(x) + len(y)), 0
    i, j, rounded = 0, 0, False
    while i < len(x) and j < len(y):
        u, v = x[i], y[j]
        amount = min(supply[i], demand[j])
        size = u - v
        back = size - u
        rounded |= (u - (size - back)) - (v + back) != 0.0 or amount >= 2**53
        size = abs(size)
        paid = size if power == 1.0 else size * size if power == 2.0 else size**power
        if size > 0.0 and paid < TINY:
            return np.nan, np.nan
        rounded |= power != 1.0 and (power != 2.0 or _lost(size, size, paid) != 0.0)
        mass[count], cost[count] = float(amount), paid
        count += 1
        supply[i] -= amount
        demand[j] -= amount
        i, j = i + int(supply[i] == 0), j + int(demand[j] == 0)
    value, radius = _dot(mass[:count], cost[:count])
    radius += UNIT * value * (power * 5.0 + (0.0 if power == 1.0 else 8.0)) if rounded else 0.0
    value, radius = _shared(value, radius, unit, shares)
    if not misplaced <= NEGLIGIBLE * value:
        return np.nan, np.nan
    return max(-_above(-value, radius + misplaced), 0.0), _above(value, radius + misplaced)


@compiled(_PAIR(_F2, _I1, _I1, _F1, _F1, _F, _F, _F, _F, _F))
def _between(
    cost: np.ndarray, supply: np.ndarray, demand: np.ndarray, a: np.ndarray, b: np.ndarray,
    unit: float, shares: float, relative: float, misplaced: float, imbalance: float,
) -> tuple[float, float]:  # fmt: skip
    """Both ends from the costs; a and b are the masses times `shares`."""
    n, m = cost.shape
    tree, potential = simplex(cost, supply, demand, FULL)
    mass, paid, count, rounded = np.empty(n + m), np.empty(n + m), 0, False
    for v in range(n + m):
        p, amount = tree[PARENT, v], tree[FLOW, v]
        if p >= 0 and amount > 0:
            mass[count], paid[count] = float(amount), cost[v, p - n] if v < n else cost[p, v - n]
            rounded |= amount >= 2**53
            count += 1
    value, radius = _dot(mass[:count], paid[:count])
    radius += (relative + (UNIT if rounded else 0.0)) * value * (1.0 + 2.0**-40)
    value, radius = _shared(value, radius, unit, shares)
    if not misplaced <= NEGLIGIBLE * value:
        return np.nan, np.nan
    upper = _above(value, radius + misplaced)
    f, g = np.empty(n), potential[n:]
    for i in range(n):
        f[i] = np.nextafter(_least(cost, i, g, 1.0 - 2.0 * relative), -np.inf)
    (left, left_radius), (right, right_radius) = _dot(a, f), _dot(b, g)
    value = left + right
    radius = left_radius + right_radius + UNIT * abs(value) + imbalance * (abs(left) + abs(right))
    value, radius = _shared(value, radius, 1.0, shares)
    lower = max(-_above(-value, radius), 0.0)
    return (lower, upper) if upper - lower <= GAP * upper else (np.nan, np.nan)


@compiled(types.boolean(_F1))
def _usable(masses: np.ndarray) -> bool:
    """Whether all are finite and not negative, and the largest far from the ends of the floats."""
    sound, largest = True, 0.0
    for mass in masses:
        sound &= 0.0 <= mass < np.inf
        largest = max(largest, mass)
    return sound and 2.0**-300 < largest < 2.0**300


@compiled(types.Tuple((_F2, _F1))(_F1, _F1, _I))
def _with_mass(values: np.ndarray, masses: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """The points (d, k) that have mass, and the masses."""
    count = 0
    for mass in masses:
        count += int(mass > 0.0)
    points, kept, k = np.empty((d, count)), np.empty(count), 0
    for i in range(len(masses)):
        if masses[i] > 0.0:
            kept[k] = masses[i]
            for t in range(d):
                points[t, k] = values[i * d + t]
            k += 1
    return points, kept


@compiled(types.boolean(_F2, _F2, _F2))
def _widen(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Widen a box, low (d, 1) to high, until it holds the points (d, k), NaN where one is; whether all are whole."""
    whole, finite = True, True
    for t in range(len(points)):
        for value in points[t]:
            low[t, 0], high[t, 0] = min(low[t, 0], value), max(high[t, 0], value)
            whole &= np.rint(value) == value
            finite &= abs(value) < np.inf
        low[t, 0] = low[t, 0] if finite else np.nan
    return whole


@_inline
def _bracket(values: np.ndarray, where: np.ndarray, metric: int, power: float) -> tuple[float, float]:
    """lower <= optimal cost <= upper of one problem, or NaN."""
    n, m, d = where[0], where[1], where[2]
    uniform, nothing = where[5] < 0 and where[6] < 0, (np.nan, np.nan)
    a = np.full(n, 1.0 / n) if where[5] < 0 else values[where[5] : where[5] + n]
    b = np.full(m, 1.0 / m) if where[6] < 0 else values[where[6] : where[6] + m]
    if not (_usable(a) and _usable(b)):
        return nothing
    x, a = _with_mass(values[where[3] : where[3] + n * d], a, d)
    y, b = _with_mass(values[where[4] : where[4] + m * d], b, d)
    low, high, worst, extent, farthest = np.empty((d, 1)), np.empty((d, 1)), np.empty((1, 1)), 0.0, 0.0
    for t in range(d):
        low[t, 0], high[t, 0] = np.inf, -np.inf
    whole = _widen(x, low, high) & _widen(y, low, high)
    for t in range(d):
        if not -np.inf < low[t, 0]:
            return nothing
        extent, farthest = max(extent, high[t, 0] - low[t, 0]), max(farthest, -low[t, 0], high[t, 0])
    if not (extent == 0.0 or 2.0 ** (-300.0 / power) < extent < 2.0 ** (300.0 / power)):
        return nothing
    whole &= (metric != EUCLIDEAN or d == 1 or power == 2.0) and power in (1.0, 2.0) and farthest * 2 * d < 2.0**26
    relative = 0.0 if whole else UNIT * (power * (d + 4) + (0.0 if power == 1.0 else 8.0))
    _costs(low, high, metric, power, worst)
    if uniform:
        shares = n // math.gcd(n, m) * m
        supply, demand = np.full(n, shares // n), np.full(m, shares // m)
        a[:], b[:], unit, missed, imbalance = shares // n, shares // m, 1.0, 0.0, 0.0
    else:
        supply, demand, unit, missed, imbalance = _counts(a, b)
        shares = 1
    if not missed >= 0.0:
        return nothing
    misplaced = missed * (worst[0, 0] * (1.0 + 4.0 * relative) * (1.0 + 2.0**-40))
    if d == 1:
        return _on_line(x[0], y[0], supply, demand, unit, float(shares), power, misplaced)
    cost = np.empty((len(a), len(b)))
    _costs(x, y, metric, power, cost)
    if _underflows(x, y, cost):
        return nothing
    return _between(cost, supply, demand, a, b, unit, float(shares), relative, misplaced, imbalance)


@compiled(types.void(_F1, _I2, _I, _F, _I, _I, _F2))
def brackets(
    values: np.ndarray, where: np.ndarray, metric: int, power: float, start: int, stop: int, out: np.ndarray
) -> None:
    """out[k] = lower and upper end of problem k, NaN where the general path must be taken.

    where[k] is n, m, d and the places in `values` of x (n, d), y (m, d), a (n,) and b (m,); -1 for uniform masses.
    Points on the line come sorted.
    """
    for k in range(start, stop):
        out[k, 0], out[k, 1] = _bracket(values, where[k], metric, power)
