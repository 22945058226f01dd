"""The network simplex on given arcs, started from any feasible flow and about right potentials.

The arcs of a basis form a spanning tree of rows, columns and a root; potentials are those of the tree, c = f + g on its
arcs. An arc with c - f - g < 0 enters, the flow around its cycle changes until an arc of the tree is empty, which
leaves, and the part of the tree below it moves its potentials (Ahuja, Magnanti and Orlin 1993, chapter 11). Pivots take
the worst of the arcs that one look at all of them found wanting. Most let no mass through: there the empty arc nearest
to the one that enters leaves, so that few potentials move, and most of the cycle is never walked. The tree is hung up
by its middle, so that less hangs below an arc. Masses are whole numbers, so flows are exact.

Nodes are numbered rows first, then columns, then the root. A branch of the tree that no arc joins to the others hangs
on the root by an arc that can carry nothing, and that never returns once it has left.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import typeof, types

from divergences._compiler import compiled
from divergences._parallel import Team, run_blocks

FULL = 2**62  # more than any flow
ROUNDING = 2.0**-50
SHARE, FEW = 4, 1024  # one in SHARE of the arcs found wanting, but at least FEW, are pivoted on before the next look
BLOCK = 2**17  # arcs that a thread looks at
LOOKS = 4  # how often a list of arcs found wanting is gone through before all arcs are looked at again


class Arcs(NamedTuple):
    """Row, column, cost and flow of each arc (k,)."""

    row: np.ndarray
    column: np.ndarray
    cost: np.ndarray
    flow: np.ndarray


class Tree(NamedTuple):
    """Per node: its parent, the arc to it (-1: none), its depth and potential, and its place among its siblings."""

    parent: np.ndarray
    arc: np.ndarray
    depth: np.ndarray
    child: np.ndarray  # the first one
    after: np.ndarray
    before: np.ndarray
    potential: np.ndarray
    stack: np.ndarray  # room for walks


_INT, _LONG, _REAL = np.zeros(1, np.int32), np.zeros(1, np.int64), np.zeros(1)
ARCS, TREE = typeof(Arcs(_INT, _INT, _REAL, _LONG)), typeof(Tree(_INT, _INT, _INT, _INT, _INT, _INT, _REAL, _INT))


@compiled(types.void(types.int64, types.int64, TREE))
def _hang(v: int, p: int, tree: Tree) -> None:
    """Make v the first child of p."""
    w = tree.child[p]
    tree.parent[v], tree.after[v], tree.before[v] = p, w, -1
    if w >= 0:
        tree.before[w] = v
    tree.child[p] = v


@compiled(types.void(types.int64, TREE))
def _unhang(v: int, tree: Tree) -> None:
    """Take v from its parent."""
    w, u = tree.after[v], tree.before[v]
    if u >= 0:
        tree.after[u] = w
    else:
        tree.child[tree.parent[v]] = w
    if w >= 0:
        tree.before[w] = u


@compiled(types.void(types.int64, ARCS, types.int64[::1], types.int64, types.int64, TREE))
def _grow(n: int, arcs: Arcs, chosen: np.ndarray, nodes: int, centre: int, tree: Tree) -> None:
    """Hang the forest of the chosen arcs below the root, breadth first; potentials of its roots are kept.

    The first of these is `centre`, unless that is the root.
    """
    start = np.zeros(nodes + 2, np.int64)  # start[v + 1] walks from the first arc of v to the first of v + 1
    for k in chosen:
        start[arcs.row[k] + 2] += 1
        start[n + arcs.column[k] + 2] += 1
    for v in range(nodes):
        start[v + 2] += start[v + 1]
    around = np.empty(2 * len(chosen), np.int64)
    for k in chosen:
        for v in (np.int64(arcs.row[k]), n + arcs.column[k]):
            around[start[v + 1]] = k
            start[v + 1] += 1
    queue = np.empty(nodes, np.int64)
    for s in range(-1, nodes):
        root = s if s >= 0 else centre
        if root == nodes or tree.parent[root] >= 0:
            continue
        _hang(root, nodes, tree)
        tree.depth[root] = 1
        queue[0], head, tail = root, 0, 1
        while head < tail:
            v = queue[head]
            head += 1
            for q in range(start[v], start[v + 1]):
                k = around[q]
                w = n + arcs.column[k] if v < n else np.int64(arcs.row[k])
                if tree.parent[w] < 0:
                    _hang(w, v, tree)
                    tree.arc[w], tree.depth[w] = k, tree.depth[v] + 1
                    tree.potential[w] = arcs.cost[k] - tree.potential[v]
                    queue[tail] = w
                    tail += 1


@compiled(types.int64(TREE))
def _centre(tree: Tree) -> Any:
    """The node whose removal leaves no part with more than half of the nodes: pivots move what hangs below an arc."""
    nodes = len(tree.parent) - 1
    size = np.ones(nodes + 1, np.int64)
    for v in np.argsort(-tree.depth):
        if v < nodes:
            size[tree.parent[v]] += size[v]
    v = nodes
    while True:
        w = tree.child[v]
        while w >= 0 and 2 * size[w] <= nodes:
            w = np.int64(tree.after[w])
        if w < 0:
            return v
        v = w


@compiled(types.int64(types.int64, ARCS, types.int64[::1], types.int64[::1]))
def _forest(n: int, arcs: Arcs, order: np.ndarray, union: np.ndarray) -> int:
    """Move to the front of `order` the arcs that close no cycle with those before (Kruskal); how many."""
    count = 0
    for k in order:
        i, j = np.int64(arcs.row[k]), np.int64(n + arcs.column[k])
        while union[i] != i:
            union[i] = union[union[i]]
            i = union[i]
        while union[j] != j:
            union[j] = union[union[j]]
            j = union[j]
        if i != j:
            union[i] = j
            order[count] = k
            count += 1
    return count


@compiled(types.void(types.int64, types.int64, types.int64, types.int64, types.boolean, ARCS, TREE))
def _push(v: int, apex: int, n: int, amount: int, losing_rows: bool, arcs: Arcs, tree: Tree) -> None:
    """Change the flows on the way from v up to the apex."""
    while v != apex:
        arcs.flow[tree.arc[v]] += -amount if (v < n) == losing_rows else amount
        v = tree.parent[v]


@compiled(types.int64(types.int64, types.boolean, types.int64, ARCS, TREE))
def _pivot(k: int, more: bool, n: int, arcs: Arcs, tree: Tree) -> int:
    """Raise (else lower) the flow of arc k until an arc of its cycle is empty; how many potentials moved."""
    i, j = np.int64(arcs.row[k]), np.int64(n + arcs.column[k])
    # What blocks on either side: when k gains, rows below the apex lose on i's side and columns on j's.
    room_i, room_j, block_i, block_j = FULL, FULL, -1, -1
    u, v = i, j
    while u != v and room_i > 0 and room_j > 0:  # the first arc that is empty lets nothing through and leaves
        if tree.depth[u] >= tree.depth[v]:
            q = tree.arc[u]
            room = 0 if q < 0 else arcs.flow[q] if (u < n) == more else FULL
            if room < room_i:
                room_i, block_i = room, u
            u = np.int64(tree.parent[u])
        else:
            q = tree.arc[v]
            room = 0 if q < 0 else arcs.flow[q] if (v >= n) == more else FULL
            if room < room_j:
                room_j, block_j = room, v
            v = np.int64(tree.parent[v])
    amount = min(room_i, room_j)
    stays_out = not more and arcs.flow[k] <= amount
    if stays_out:
        amount = arcs.flow[k]
    if amount > 0:
        arcs.flow[k] += amount if more else -amount
        _push(i, u, n, amount, more, arcs, tree)
        _push(j, u, n, amount, not more, arcs, tree)
    if stays_out:
        return 0
    inner, outer, cut = (i, j, block_i) if room_i < room_j else (j, i, block_j)
    rise = arcs.cost[k] - tree.potential[i] - tree.potential[j]
    # Turn the part below `cut` round, so that it hangs by `inner`, through k, on `outer`.
    v, p, arc = inner, outer, k
    while True:
        up, old = np.int64(tree.parent[v]), np.int64(tree.arc[v])
        _unhang(v, tree)
        _hang(v, p, tree)
        tree.arc[v] = arc
        if v == cut:
            break
        v, p, arc = up, v, old
    moved, size = 0, 1
    tree.stack[0] = inner
    while size > 0:
        size -= 1
        v = np.int64(tree.stack[size])
        tree.depth[v] = tree.depth[tree.parent[v]] + 1
        tree.potential[v] += rise if (v < n) == (inner < n) else -rise
        moved += 1
        w = tree.child[v]
        while w >= 0:
            tree.stack[size] = w
            size += 1
            w = tree.after[w]
    return moved


@compiled(types.float64(types.int64, types.int64, ARCS, TREE))
def _reduced(k: int, n: int, arcs: Arcs, tree: Tree) -> float:
    """c - f - g of an arc; 0 where that is only rounding."""
    f, g = tree.potential[arcs.row[k]], tree.potential[n + arcs.column[k]]
    value = arcs.cost[k] - f - g
    return value if abs(value) > ROUNDING * (abs(f) + abs(g)) else 0.0


@compiled(
    types.int64(types.int64, ARCS, TREE, types.float64, types.int64, types.int64, types.int64[::1], types.float64[::1])
)
def _wanting(
    n: int, arcs: Arcs, tree: Tree, tolerance: float, first: int, among: int, which: np.ndarray, reduced: np.ndarray
) -> int:
    """List the arcs that cost less than their potentials by more than the tolerance; how many.

    Looked at are `among` arcs from the first on; if that is below 0, those of the list as it stands.
    """
    count = 0
    for q in range(among):
        k = which[q] if first < 0 else first + q
        value = _reduced(k, n, arcs, tree)
        if value < -tolerance:
            which[count], reduced[count] = k, value
            count += 1
    return count


@compiled(types.int64(types.int64, ARCS, TREE, types.float64, types.int64[::1]))
def _enter(n: int, arcs: Arcs, tree: Tree, tolerance: float, which: np.ndarray) -> int:
    """Pivot on the arcs of the list that still are wanting, or that carry flow outside the tree; how many did."""
    pivots = 0
    for k in which:
        value = _reduced(k, n, arcs, tree)
        astray = arcs.flow[k] > 0 and tree.arc[arcs.row[k]] != k and tree.arc[n + arcs.column[k]] != k
        if astray or value < -tolerance:
            _pivot(k, value < 0.0, n, arcs, tree)
            pivots += 1
    return pivots


def spanning_tree(arcs: Arcs, f: np.ndarray, g: np.ndarray) -> Tree:
    """A tree of the arcs with most flow, then of those that the potentials f (n,) and g (m,) find cheapest."""
    n, nodes = len(f), len(f) + len(g)
    reduced = arcs.cost - f[arcs.row] - g[arcs.column]
    order = np.argsort(np.where(arcs.flow > 0, -arcs.flow.astype(float) - np.max(np.abs(reduced)), reduced))
    chosen = order[: _forest(n, arcs, order, np.arange(nodes))]
    links = np.empty((7, nodes + 1), np.int32)
    potential = np.concatenate([f, g, [0.0]])
    tree = cleared(Tree(links[0], links[1], links[2], links[3], links[4], links[5], potential, links[6]))
    _grow(n, arcs, chosen, nodes, 0, tree)
    _grow(n, arcs, chosen, nodes, _centre(tree), cleared(tree))
    return tree


def pivot_to_optimum(
    arcs: Arcs, tree: Tree, n: int, tolerance: float, go_on: Callable[[int], bool]
) -> tuple[int, bool]:
    """Pivot, in place, until no arc is wanting: (pivots, True); False where go_on(pivots since last) said to stop."""
    which, reduced, team = np.empty(len(arcs.row), np.int64), np.empty(len(arcs.row)), Team()
    # Flow outside the tree is driven into it or out of it first, never at a loss.
    total = pivots = _enter(n, arcs, tree, np.inf, np.flatnonzero(arcs.flow))
    fresh = False
    while True:
        count = _look(n, arcs, tree, tolerance, which, reduced, team)
        if count == 0 and fresh:
            return total, True
        if count == 0:
            # Potentials have been moved many times: add them up anew along the tree.
            centre = _centre(tree)
            _grow(
                n, arcs, np.unique(tree.arc[tree.arc >= 0]).astype(np.int64), len(tree.arc) - 1, centre, cleared(tree)
            )
        fresh = count == 0
        for _ in range(LOOKS):
            if not go_on(pivots):
                return total, False
            pivots = _enter(n, arcs, tree, tolerance, which[_worst(reduced[:count], max(count // SHARE, FEW))])
            total += pivots
            count = _wanting(n, arcs, tree, tolerance, -1, count, which, reduced)
            if count == 0:
                break


def _look(n: int, arcs: Arcs, tree: Tree, tolerance: float, which: np.ndarray, reduced: np.ndarray, team: Team) -> int:
    """`_wanting` of all arcs, on all threads."""
    counts = np.zeros(-(-len(which) // BLOCK), np.int64)

    def work(start: int, stop: int) -> None:
        counts[start // BLOCK] = _wanting(
            n, arcs, tree, tolerance, start, stop - start, which[start:stop], reduced[start:stop]
        )

    run_blocks(work, len(which), BLOCK, team=team)
    total = counts[0]
    for block, count in enumerate(counts[1:], 1):
        for found in (which, reduced):
            found[total : total + count] = found[block * BLOCK : block * BLOCK + count].copy()
        total += count
    return int(total)


def _worst(reduced: np.ndarray, count: int) -> np.ndarray:
    """Where the `count` least entries are, in rising order."""
    if count >= len(reduced):
        return np.argsort(reduced)
    least = np.argpartition(reduced, count)[:count]
    return least[np.argsort(reduced[least])]


def cleared(tree: Tree) -> Tree:
    """The same arrays without their links; potentials stay."""
    for links in (tree.parent, tree.arc, tree.child, tree.after, tree.before):
        links[:] = -1
    tree.depth[-1] = 0
    return tree
