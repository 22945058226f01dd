"""Compiled k-d tree: built by medians, searched by eight queries at a time, one in each lane of a vector.

A tree of height h is an implicit heap: node 1 is the root, node i has the children 2i and 2i + 1, and the 2^h leaves
hold n/2^h points each, up to rounding. Points are kept in the order of the leaves, so that points next to each other
in memory are near each other, and eight of them want nearly the same nodes: they walk together, into a node that may
hold a neighbour of any of them, and every point there is measured from all eight at once.
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
LEAF = 32  # points of a leaf at most
SAMPLED = 32  # points of a node that choose its axis and guess its median

_POINTS = types.Array(types.float64, 2, "C")
_VALUES = types.Array(types.float64, 1, "C")
_INDICES = types.Array(types.int64, 1, "C")
_TABLE = types.Array(types.int64, 2, "C")
_inline = njit(inline="always", error_model="numpy")

_WORD, _BITS = ir.IntType(64), ir.IntType(LANES)
_VECTOR, _WORDS = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(_WORD, LANES)


def _splat(builder, value):
    """The vector of equal numbers."""
    kind = ir.VectorType(value.type, LANES)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


class _Code:
    """The arguments of an intrinsic, and what can be done with them."""

    def __init__(self, context, builder, signature, args) -> None:
        self.builder, self.args = builder, args
        self.data = [
            context.make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else None
            for kind, value in zip(signature.args, args, strict=True)
        ]

    def row(self, which, offset=0):
        """A pointer to the vector in row args[which + 1] + offset of the array args[which]."""
        row = self.builder.add(self.args[which + 1], _WORD(offset))
        pointer = self.builder.gep(self.data[which], [self.builder.mul(row, _WORD(LANES))])
        kind = _WORDS if pointer.type.pointee == _WORD else _VECTOR
        return self.builder.bitcast(pointer, kind.as_pointer())

    def load(self, pointer):
        """The vector there; arrays are aligned as their numbers."""
        value = self.builder.load(pointer)
        value.align = 8
        return value

    def store(self, value, pointer):
        self.builder.store(value, pointer).align = 8

    def mask(self, lanes):
        """A bit for each lane."""
        return self.builder.zext(self.builder.bitcast(lanes, _BITS), _WORD)

    def lanes(self, mask):
        """The lanes of a mask."""
        return self.builder.bitcast(self.builder.trunc(mask, _BITS), ir.VectorType(ir.IntType(1), LANES))

    def squares(self, at, d, gap):
        """Σ_t gap(t, coordinate t of the queries)² over the rows of the array args[at]."""
        builder = self.builder
        total = cgutils.alloca_once(builder, _VECTOR)
        builder.store(_splat(builder, ir.DoubleType()(0.0)), total)
        with cgutils.for_range(builder, d) as loop:
            pointer = builder.gep(self.data[at], [builder.mul(loop.index, _WORD(LANES))])
            g = gap(loop.index, self.load(builder.bitcast(pointer, _VECTOR.as_pointer())))
            square = builder.fmul(g, g, flags=["contract"])
            builder.store(builder.fadd(builder.load(total), square, flags=["contract"]), total)
        return builder.load(total)

    def number(self, which, row, d, t):
        """The number args[which][row, t] of an array with d columns, in every lane."""
        place = self.builder.add(self.builder.mul(row, d), t)
        return _splat(self.builder, self.builder.load(self.builder.gep(self.data[which], [place])))


@intrinsic
def _to_point(_typing, points, j, at, d, bounds, row, out, place):
    """The squared distances of the queries `at` to a point into a row of `out`; the mask of those below the bounds."""

    def generate(context, builder, signature, args):
        code, (j, d) = _Code(context, builder, signature, args), (args[1], args[3])
        total = code.squares(2, d, lambda t, query: builder.fsub(query, code.number(0, j, d, t)))
        code.store(total, code.row(6))
        return code.mask(builder.fcmp_ordered("<", total, code.load(code.row(4))))

    word = types.int64
    return word(points, word, at, word, bounds, word, out, word), generate


def _boxes(outside):
    """An intrinsic as `_to_point`, of a box: the distance to it, or that to its farthest corner."""

    def measure(_typing, low, high, node, at, d, bounds, row, out, place):
        def generate(context, builder, signature, args):
            code, (node, d) = _Code(context, builder, signature, args), (args[2], args[4])
            larger = lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b)

            def gap(t, query):
                below = builder.fsub(code.number(0, node, d, t), query)
                above = builder.fsub(query, code.number(1, node, d, t))
                if outside:
                    return larger(larger(below, above), _splat(builder, ir.DoubleType()(0.0)))
                return larger(builder.fneg(below), builder.fneg(above))

            total = code.squares(3, d, gap)
            code.store(total, code.row(7))
            return code.mask(builder.fcmp_ordered("<", total, code.load(code.row(5))))

        word = types.int64
        return word(low, high, word, at, word, bounds, word, out, word), generate

    return intrinsic(measure)


_to_box, _to_corner = _boxes(outside=True), _boxes(outside=False)


@intrinsic
def _below(_typing, first, i, second, j):
    """The mask of the lanes in which row i of one array is below row j of the other."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        return code.mask(builder.fcmp_ordered("<", code.load(code.row(0)), code.load(code.row(2))))

    return types.int64(first, types.int64, second, types.int64), generate


@intrinsic
def _insert(_typing, squared, place, j, found, slot, who, same):
    """Put the distances in a row of `squared`, of point j, into a slot of the lists `found` and `who` that end there.

    Where the slot before holds a larger one, that one moves up instead; the mask says in which lanes: go on there.
    """

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        value, point = code.load(code.row(0)), _splat(builder, args[2])
        here, before = code.row(3), code.row(3, -1)
        own, other = code.row(5), code.row(5, -1)
        beaten = builder.fcmp_ordered(">", code.load(here), value)
        further = builder.fcmp_ordered(">", code.load(before), value)
        lists = ((here, before, value), (own, other, point))
        for target, source, new in lists:
            moved = builder.select(further, code.load(source), new)
            code.store(builder.select(beaten, moved, code.load(target)), target)
        return code.mask(further)

    word = types.int64
    return word(squared, word, word, found, word, who, word), generate


@intrinsic
def _add(_typing, mask, amount, counts, row):
    """Add a number to the lanes of a mask in a row of `counts`."""

    def generate(context, builder, signature, args):
        code = _Code(context, builder, signature, args)
        none = ir.Constant(_WORDS, [0] * LANES)
        code.store(
            builder.add(code.load(code.row(2)), builder.select(code.lanes(args[0]), _splat(builder, args[1]), none)),
            code.row(2),
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, counts, types.int64), generate


@intrinsic
def _bits(_typing, mask):
    """How many bits are set."""
    return types.int64(types.int64), lambda _c, builder, _s, args: builder.ctpop(args[0])


def empty(n: int, d: int) -> tuple[int, np.ndarray, np.ndarray]:
    """The height of a tree of n points, the least that fits them into leaves, and its unfilled boxes."""
    h = 0
    while -(-n // 2**h) > LEAF:
        h += 1
    return h, np.empty((2 << h, d)), np.empty((2 << h, d))


@_inline
def _rows(n, h, node):
    """The points of a node, whose first leaf is the node shifted to the leaves' level."""
    span = h
    while (2 << (h - span)) <= node:
        span -= 1
    leaf = (node << span) - (1 << h)
    return (n * leaf) >> h, (n * (leaf + (1 << span))) >> h


@_inline
def _axis(points, start, stop):
    """The axis along which some of the rows reach farthest."""
    best, most = 0, -1.0
    for t in range(points.shape[1]):
        low = high = points[start, t]
        for i in range(start, stop, max(1, (stop - start) // SAMPLED)):
            low, high = min(low, points[i, t]), max(high, points[i, t])
        if high - low > most:
            best, most = t, high - low
    return best


@_inline
def _guess(points, start, stop, middle, axis, sample):
    """A value near rank `middle` of the rows, a little to the side of it that is longer."""
    size = stop - start
    if size < 4 * SAMPLED:
        return points[(start + stop) // 2, axis]
    for s in range(SAMPLED):
        value, slot = points[start + s * size // SAMPLED, axis], s
        while slot > 0 and sample[slot - 1] > value:
            sample[slot] = sample[slot - 1]
            slot -= 1
        sample[slot] = value
    rank = (middle - start) * SAMPLED // size
    rank += 3 if 2 * (middle - start) < size else -3
    return sample[min(max(rank, 0), SAMPLED - 1)]


@_inline
def _select(points, order, start, stop, middle, axis, sample):
    """Reorder rows start:stop so that what comes before `middle` is not above what follows it, on one axis."""
    low, high = start, stop - 1
    while low < high:
        pivot = _guess(points, low, high + 1, middle, axis, sample)
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


@compiled(types.void(_POINTS, types.int64, _INDICES, _POINTS, _POINTS))
def build(points, h, order, low, high):
    """Sort the points, and `order` with them; fill the boxes of the nodes, `low` and `high`, (2^(h+1), d)."""
    n, d = points.shape
    sample = np.empty(SAMPLED)
    for node in range(1, 1 << h):
        start, stop = _rows(n, h, node)
        _select(points, order, start, stop, _rows(n, h, 2 * node)[1], _axis(points, start, stop), sample)
    low[:], high[:] = np.inf, -np.inf
    for node in range((2 << h) - 1, 0, -1):
        if node >= 1 << h:
            start, stop = _rows(n, h, node)
            for i in range(start, stop):
                for t in range(d):
                    low[node, t], high[node, t] = min(low[node, t], points[i, t]), max(high[node, t], points[i, t])
        for t in range(d):
            low[node >> 1, t] = min(low[node >> 1, t], low[node, t])
            high[node >> 1, t] = max(high[node >> 1, t], high[node, t])


@_inline
def _gather(queries, first, stop, at):
    """Eight queries, coordinate by coordinate; at the end of the sample the last one stands for those that lack."""
    for lane in range(LANES):
        for t in range(queries.shape[1]):
            at[t, lane] = queries[min(first + lane, stop - 1), t]


_TREE = (_POINTS, types.int64, _POINTS, _POINTS)


@_inline
def _nearest(queries, start, stop, k, points, h, low, high, own, distances, indices, d):
    n = len(points)
    at, squared = np.empty((d, LANES)), np.empty((1, LANES))
    waiting, remote = np.empty(h + 3, np.int64), np.empty((h + 3, LANES))
    found, who = np.empty((k + 1, LANES)), np.zeros((k + 1, LANES), np.int64)
    for first in range(start, stop, LANES):
        _gather(queries, first, stop, at)
        found[0], found[1:] = -np.inf, np.inf
        waiting[0], remote[0], depth = 1, 0.0, 1
        while depth > 0:
            depth -= 1
            if not _below(remote, depth, found, k):
                continue
            node = waiting[depth]
            if node >= 1 << h:
                leaf = node - (1 << h)
                for j in range((n * leaf) >> h, (n * (leaf + 1)) >> h):
                    if _to_point(points, j, at, d, found, k, squared, 0):
                        if own and first <= j < first + LANES:
                            squared[0, j - first] = np.inf
                        slot = k
                        while _insert(squared, 0, j, found, slot, who, slot):
                            slot -= 1
                continue
            top = depth
            for child in (2 * node + 1, 2 * node):
                waiting[top] = child
                top += _to_box(low, high, child, at, d, found, k, remote, top) != 0
            # The child that is nearer to most queries goes on top.
            if top == depth + 2 and _bits(_below(remote, depth, remote, depth + 1)) > _bits(
                _below(remote, depth + 1, remote, depth)
            ):
                waiting[depth], waiting[depth + 1] = waiting[depth + 1], waiting[depth]
                for lane in range(LANES):
                    remote[depth, lane], remote[depth + 1, lane] = remote[depth + 1, lane], remote[depth, lane]
            depth = top
        for lane in range(min(LANES, stop - first)):
            for slot in range(k):
                distances[first + lane, slot], indices[first + lane, slot] = found[slot + 1, lane], who[slot + 1, lane]


@compiled(types.void(_POINTS, types.int64, types.int64, types.int64, *_TREE, types.boolean, _POINTS, _TABLE))
def nearest(queries, start, stop, k, points, h, low, high, own, distances, indices):
    """The k nearest points of queries start:stop, ascending, squared: into `distances` and `indices`, (., k).

    With `own` the queries are the tree's own points, and a point is not its own neighbour. Where the compiler knows the
    number of coordinates, no loop over them is left.
    """
    if points.shape[1] == 2:
        _nearest(queries, start, stop, k, points, h, low, high, own, distances, indices, 2)
    elif points.shape[1] == 3:
        _nearest(queries, start, stop, k, points, h, low, high, own, distances, indices, 3)
    else:
        _nearest(queries, start, stop, k, points, h, low, high, own, distances, indices, points.shape[1])


@compiled(types.void(_POINTS, types.int64, types.int64, _VALUES, *_TREE, _INDICES))
def within(queries, start, stop, bounds, points, h, low, high, counts):
    """How many points have a squared distance below the bound of each query start:stop, into `counts`."""
    n, d = points.shape
    at, limits, squared = np.empty((d, LANES)), np.empty((1, LANES)), np.empty((1, LANES))
    waiting, open_lanes, inside = np.empty(h + 3, np.int64), np.empty(h + 3, np.int64), np.zeros((1, LANES), np.int64)
    for first in range(start, stop, LANES):
        _gather(queries, first, stop, at)
        for lane in range(LANES):
            limits[0, lane] = bounds[min(first + lane, stop - 1)]
        inside[:] = 0
        waiting[0], open_lanes[0], depth = 1, (1 << LANES) - 1, 1
        while depth > 0:
            depth -= 1
            node, lanes = waiting[depth], open_lanes[depth]
            if node >= 1 << h:
                leaf = node - (1 << h)
                for j in range((n * leaf) >> h, (n * (leaf + 1)) >> h):
                    _add(_to_point(points, j, at, d, limits, 0, squared, 0) & lanes, 1, inside, 0)
                continue
            for child in (2 * node, 2 * node + 1):
                near = _to_box(low, high, child, at, d, limits, 0, squared, 0) & lanes
                whole = _to_corner(low, high, child, at, d, limits, 0, squared, 0) & near
                if whole:
                    child_start, child_stop = _rows(n, h, child)
                    _add(whole, child_stop - child_start, inside, 0)
                waiting[depth], open_lanes[depth] = child, near & ~whole
                depth += near != whole
        for lane in range(min(LANES, stop - first)):
            counts[first + lane] = inside[0, lane]
