"""Compiled k-d tree: built by medians, searched in the order of its leaves so that neighbours share the cache.

A tree of height h is an implicit heap: node 1 is the root, node i has the children 2i and 2i + 1, and the 2^h leaves
hold n/2^h points each, up to rounding. Points are kept in the order of the leaves. Boxes of the nodes at every third
level up from the leaves, eight by eight, and the points of a leaf also lie in memory coordinate by coordinate, padded
so that no padding is ever near: a search measures them by vector instructions and walks over the bits of a mask.
"""
# The types of compiled code are in its signature, and an intrinsic is called without its first parameter.
# ruff: noqa: ANN001, ANN202
# pyright: reportCallIssue=false

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from divergences._compiler import compiled

LANES = 8  # of a vector
LEAF = 4 * LANES  # points of a leaf at most

_POINTS = types.Array(types.float64, 2, "C")
_BLOCKS = types.Array(types.float64, 3, "C")
_VALUES = types.Array(types.float64, 1, "C")
_INDICES = types.Array(types.int64, 1, "C")
_TABLE = types.Array(types.int64, 2, "C")
_inline = njit(inline="always", error_model="numpy")

_WORD, _VECTOR = ir.IntType(64), ir.VectorType(ir.DoubleType(), LANES)
_ZEROS = ir.Constant(_VECTOR, [0.0] * LANES)


def _address(context, builder, signature, args, which, offset):
    """A pointer to vectors, `offset` numbers into an array argument."""
    data = context.make_array(signature.args[which])(context, builder, args[which]).data
    return builder.bitcast(builder.gep(data, [offset]), _VECTOR.as_pointer())


def _splat(builder, value):
    one = builder.insert_element(_ZEROS, value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, _ZEROS, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _load(builder, pointer, index):
    value = builder.load(builder.gep(pointer, [index]))
    value.align = 8
    return value


def _squares(context, builder, signature, args, vectors, gap):
    """Write Σ_t gap(t)² of `vectors` vectors to the last argument; the mask of the lanes where it is below `bound`."""
    queries, row, d, bound, _ = args[-5:]
    data = context.make_array(signature.args[-5])(context, builder, queries).data
    query = builder.gep(data, [builder.mul(row, d)])
    sums = [cgutils.alloca_once_value(builder, _ZEROS) for _ in range(vectors)]
    for total in sums:
        builder.store(_ZEROS, total)
    with cgutils.for_range(builder, d) as loop:
        coordinate = _splat(builder, builder.load(builder.gep(query, [loop.index])))
        for chunk, total in enumerate(sums):
            g = gap(coordinate, builder.add(builder.mul(loop.index, _WORD(vectors)), _WORD(chunk)))
            square = builder.fmul(g, g, flags=["contract"])
            builder.store(builder.fadd(builder.load(total), square, flags=["contract"]), total)
    out, mask = _address(context, builder, signature, args, len(args) - 1, _WORD(0)), _WORD(0)
    for chunk, total in enumerate(sums):
        builder.store(builder.load(total), builder.gep(out, [_WORD(chunk)])).align = 8
        near = builder.fcmp_ordered("<", builder.load(total), _splat(builder, bound))
        bits = builder.zext(builder.bitcast(near, ir.IntType(LANES)), _WORD)
        mask = builder.or_(mask, builder.shl(bits, _WORD(LANES * chunk)))
    return mask


@intrinsic
def _to_leaf(_typing, leaves, leaf, queries, row, d, bound, out):
    """The squared distances of a query to the points of a leaf into `out`; the mask of those below `bound`."""

    def generate(context, builder, signature, args):
        offset = builder.mul(args[1], builder.mul(args[4], _WORD(LEAF)))
        points = _address(context, builder, signature, args, 0, offset)
        gap = lambda coordinate, index: builder.fsub(_load(builder, points, index), coordinate)
        return _squares(context, builder, signature, args, LEAF // LANES, gap)

    return types.int64(leaves, types.int64, queries, types.int64, types.int64, types.float64, out), generate


def _boxes(outside):
    """An intrinsic that measures eight boxes: the distance to them, or that to their farthest corner."""

    def measure(_typing, low, high, group, queries, row, d, bound, out):
        def generate(context, builder, signature, args):
            offset = builder.mul(args[2], builder.mul(args[5], _WORD(LANES)))
            low, high = (_address(context, builder, signature, args, side, offset) for side in (0, 1))
            larger = lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b)

            def gap(coordinate, index):
                below = builder.fsub(_load(builder, low, index), coordinate)
                above = builder.fsub(coordinate, _load(builder, high, index))
                return (
                    larger(larger(below, above), _ZEROS)
                    if outside
                    else larger(builder.fneg(below), builder.fneg(above))
                )

            return _squares(context, builder, signature, args, 1, gap)

        return types.int64(low, high, types.int64, queries, types.int64, types.int64, types.float64, out), generate

    return intrinsic(measure)


_to_boxes, _to_corners = _boxes(outside=True), _boxes(outside=False)


@intrinsic
def _lowest(_typing, mask):
    """The position of the lowest bit that is set."""
    return types.int64(types.int64), lambda _c, builder, _s, args: builder.cttz(args[0], ir.IntType(1)(1))


@intrinsic
def _bits(_typing, mask):
    """How many bits are set."""
    return types.int64(types.int64), lambda _c, builder, _s, args: builder.ctpop(args[0])


def empty(n: int, d: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """The height of a tree of n points, the least that fits them into leaves, and its unfilled arrays."""
    h = 0
    while -(-n // 2**h) > LEAF:
        h += 1
    boxes = (max(1, 2**h // 4), d, LANES)
    return h, np.empty((2**h, d, LEAF)), np.empty(boxes), np.empty(boxes)


@_inline
def _span(h, node):
    """How many levels lie below a node."""
    span = h
    while (2 << (h - span)) <= node:
        span -= 1
    return span


@_inline
def _rows(n, h, node, span):
    """The points of a node, whose first leaf is the node shifted to the leaves' level."""
    leaf = (node << span) - (1 << h)
    return (n * leaf) >> h, (n * (leaf + (1 << span))) >> h


@_inline
def _select(points, order, start, stop, middle, axis):
    """Reorder rows start:stop so that what comes before `middle` is not above what follows it, on one axis."""
    low, high = start, stop - 1
    while low < high:
        pivot = points[(low + high) // 2, axis]
        i, j = low, high
        while i <= j:
            while points[i, axis] < pivot:
                i += 1
            while points[j, axis] > pivot:
                j -= 1
            if i <= j:
                order[i], order[j] = order[j], order[i]
                for t in range(points.shape[1]):
                    points[i, t], points[j, t] = points[j, t], points[i, t]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break


@compiled(types.void(_POINTS, types.int64, _INDICES, _BLOCKS, _BLOCKS, _BLOCKS))
def build(points, h, order, leaves, low, high):
    """Sort the points, and `order` with them; fill `leaves` (2^h, d, LEAF), the boxes `low`, `high` (., d, LANES)."""
    n, d = points.shape
    least, most = np.empty(d), np.empty(d)
    low[:], high[:], leaves[:] = np.inf, -np.inf, np.inf
    for node in range(1, 2 << h):
        span = _span(h, node)
        start, stop = _rows(n, h, node, span)
        least[:], most[:] = np.inf, -np.inf
        for i in range(start, stop):
            for t in range(d):
                least[t], most[t] = min(least[t], points[i, t]), max(most[t], points[i, t])
        if span % 3 == 0:
            low[node >> 3, :, node & 7], high[node >> 3, :, node & 7] = least, most
        if span > 0:
            middle = _rows(n, h, 2 * node, span - 1)[1]
            _select(points, order, start, stop, middle, np.argmax(most - least))
        else:
            for t in range(d):
                for i in range(start, stop):
                    leaves[node - (1 << h), t, i - start] = points[i, t]


@_inline
def _push(mask, distances, node, waiting, remoteness, depth):
    """Put the children of a node that the mask names onto the stack, the nearest on top; returns the stack's size."""
    bottom = depth
    while mask:
        c = _lowest(mask)
        mask &= mask - 1
        slot = depth
        while slot > bottom and remoteness[slot - 1] < distances[c]:
            waiting[slot], remoteness[slot] = waiting[slot - 1], remoteness[slot - 1]
            slot -= 1
        waiting[slot], remoteness[slot] = 8 * node + c, distances[c]
        depth += 1
    return depth


@_inline
def _between(queries, i, points, j):
    total = 0.0
    for t in range(queries.shape[1]):
        total += (queries[i, t] - points[j, t]) ** 2
    return total


_TREE = (_POINTS, types.int64, _BLOCKS, _BLOCKS, _BLOCKS)


@compiled(types.void(_POINTS, types.int64, types.int64, types.int64, *_TREE, types.boolean, _POINTS, _TABLE))
def nearest(queries, start, stop, k, points, h, leaves, low, high, own, distances, indices):
    """The k nearest points of queries start:stop, ascending, squared: into `distances` and `indices`, (., k).

    With `own` the queries are the tree's own points, and a point is not its own neighbour.
    """
    n, d = points.shape
    squared, boxes = np.empty(LEAF), np.empty(LANES)
    waiting, remoteness = np.empty(8 * h + 8, np.int64), np.empty(8 * h + 8)
    found, who = np.empty(k), np.empty(k, np.int64)
    for i in range(start, stop):
        worst = np.inf
        if i > start:
            # The neighbours of the query before are k points of the tree: none of ours is farther than they are.
            worst = _between(queries, i, points, i - 1) if own else 0.0
            for slot in range(k):
                worst = max(worst, _between(queries, i, points, who[slot]))
            worst = worst * (1 + 1e-12) + 5e-324
        for slot in range(k):
            found[slot] = worst
        waiting[0], remoteness[0], depth = (1 if h % 3 == 0 else 0), 0.0, 1
        while depth > 0:
            depth -= 1
            if remoteness[depth] >= worst:
                continue
            node = waiting[depth]
            if node < (1 << h):
                mask = _to_boxes(low, high, node, queries, i, d, worst, boxes)
                depth = _push(mask, boxes, node, waiting, remoteness, depth)
                continue
            base = (n * (node - (1 << h))) >> h
            mask = _to_leaf(leaves, node - (1 << h), queries, i, d, worst, squared)
            while mask:
                c = _lowest(mask)
                mask &= mask - 1
                if squared[c] >= worst or (own and base + c == i):
                    continue
                slot = k - 1
                while slot > 0 and found[slot - 1] > squared[c]:
                    found[slot], who[slot] = found[slot - 1], who[slot - 1]
                    slot -= 1
                found[slot], who[slot] = squared[c], base + c
                worst = found[k - 1]
        for slot in range(k):
            distances[i, slot], indices[i, slot] = found[slot], who[slot]


@compiled(types.void(_POINTS, types.int64, types.int64, _VALUES, *_TREE, _INDICES))
def within(queries, first, last, bounds, points, h, leaves, low, high, counts):
    """How many points have a squared distance below the bound of each query first:last, into `counts`."""
    n, d = points.shape
    squared, boxes = np.empty(LEAF), np.empty(LANES)
    waiting, remoteness = np.empty(8 * h + 8, np.int64), np.empty(8 * h + 8)
    for i in range(first, last):
        counts[i] = 0
        waiting[0], depth = (1 if h % 3 == 0 else 0), 1
        while depth > 0:
            depth -= 1
            node = waiting[depth]
            if node < (1 << h):
                whole = _to_corners(low, high, node, queries, i, d, bounds[i], boxes)
                mask = _to_boxes(low, high, node, queries, i, d, bounds[i], boxes) & ~whole
                depth = _push(mask, boxes, node, waiting, remoteness, depth)
                while whole:
                    child = 8 * node + _lowest(whole)
                    start, stop = _rows(n, h, child, _span(h, child))
                    counts[i] += stop - start
                    whole &= whole - 1
            else:
                counts[i] += _bits(_to_leaf(leaves, node - (1 << h), queries, i, d, bounds[i], squared))
