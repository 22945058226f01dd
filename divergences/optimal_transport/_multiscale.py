"""Exact transport between clouds in memory O(n + m + plan): coarse to fine, few arcs at a time, all pairs priced.

At each scale (`_hierarchy`) the coarser plan and potentials give a feasible plan and good potentials; the arcs of least
c - f - g of every point, in both directions, and those of the plan are the candidates; an auction (`_auction`) brings
the plan near the optimum over the candidates, and the network simplex (`_simplex`) to it. At the finest scale all pairs
are then priced (`_pricing`), those that would lower the cost join the candidates, and the simplex goes on from where it
is, until none would.

Sources: Gerber and Maggioni (2017) and Schmitzer (2016) for scales, Bertsekas and Castanon (1989) for the auction,
Ahuja, Magnanti and Orlin (1993) for the simplex.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from divergences.optimal_transport._auction import auction
from divergences.optimal_transport._cells import Cells, cells
from divergences.optimal_transport._hierarchy import (
    Flow,
    Level,
    aligned,
    distinct,
    levels,
    north_west,
    refined,
    shared_out,
)
from divergences.optimal_transport._metrics import lengths, raised, slopes
from divergences.optimal_transport._pricing import cheapest
from divergences.optimal_transport._simplex import Arcs, pivot_to_optimum, spanning_tree

CANDIDATES, CANDIDATES_OF_A_DISTANCE = 8, 16  # per point; for p = 1 whole rays of points are nearly as good as the best
MORE, LARGE = 24, 2**15  # for p = 1 from so many points a side on, where a pivot is dear
VIOLATED = 16  # arcs added per row and round, at most
FEW_PAIRS = 2**14  # are all candidates
NEAR = 1e-4  # the auction hands over to the simplex once it is this near to the optimum, relative
APART, SMALL = 1e-2, 2**12  # the same for unequal masses, which bids have to split, among at most so many points
COARSE = 1e-4  # at coarse scales smaller violations, relative to the mean cost, are left alone
CLOSED = 5e-10  # the relative gap at which the finest scale is done
PRECISION = 1e-13  # of reduced costs in the simplex, relative to the mean cost


class Potentials(NamedTuple):
    """f (n,) and g (m,), with a good partner of each point: of row i column to_y[i], of column j row to_x[j]."""

    f: np.ndarray
    g: np.ndarray
    to_y: np.ndarray
    to_x: np.ndarray


class Outcome(NamedTuple):
    """A feasible plan in whole masses, potentials, rounds of pricing, and whether no pair is left that matters."""

    flow: Flow
    f: np.ndarray
    g: np.ndarray
    rounds: int
    finished: bool


@dataclass(frozen=True)
class Costs:
    """The cost metric(x, y)**power."""

    metric: str
    power: float

    def between(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Costs (k,) of pairs of points (k, d)."""
        return raised(lengths(x - y, self.metric), self.power)

    def cells_of(self, points: np.ndarray, potential: np.ndarray, partners: np.ndarray) -> Cells:
        """The points as cells: a potential climbs as the cost to the partner does."""
        return cells(points, potential, slopes(points - partners, self.metric, self.power))

    def cheapest(self, x: np.ndarray, y: Cells, limits: np.ndarray | float, count: int) -> tuple[np.ndarray, ...]:
        """See `_pricing.cheapest`."""
        return cheapest(x, y, self.metric, self.power, limits, count)


def solve(
    x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray, costs: Costs, least: float, go_on: Callable[[int], bool]
) -> Outcome:
    """Transport between points x (n, d), y (m, d) with positive whole masses a (n,), b (m,) of one total.

    Gaps are relative to the mean cost or to `least`, whichever is more. go_on(pivots since the last call) is asked from
    time to time; once it says no, what there is is carried to the finest scale without being improved.
    """
    (x_first, x_of), (y_first, y_of) = distinct(x), distinct(y)
    if len(x_first) < len(x) or len(y_first) < len(y):
        merged_a, merged_b = np.zeros(len(x_first), np.int64), np.zeros(len(y_first), np.int64)
        np.add.at(merged_a, x_of, a)
        np.add.at(merged_b, y_of, b)
        out = solve(x[x_first], y[y_first], merged_a, merged_b, costs, least, go_on)
        return out._replace(flow=shared_out(out.flow, x_of, y_of, a, b), f=out.f[x_of], g=out.g[y_of])
    x_order, x_levels = levels(x, a)
    y_order, y_levels = levels(y, b)
    scales = aligned(x_levels, y_levels)
    flow, potentials = _coarsest(*scales[0], costs)
    rounds, finished = 0, True
    for depth, (fine_x, fine_y) in enumerate(scales):
        if depth:
            coarse_x, coarse_y = scales[depth - 1]
            flow = refined(flow, coarse_x, coarse_y, fine_x, fine_y)
            potentials = _extended(potentials, coarse_x, coarse_y, fine_x, fine_y, costs)
        if go_on(0):
            scale = _Scale(fine_x, fine_y, costs, least, depth == len(scales) - 1)
            flow, potentials, rounds, finished = scale.solve(flow, potentials, go_on)
        else:
            finished = False
    f, g = np.empty(len(x)), np.empty(len(y))
    f[x_order], g[y_order] = potentials.f, potentials.g
    return Outcome(Flow(x_order[flow.row], y_order[flow.column], flow.amount), f, g, rounds, finished)


def _coarsest(x: Level, y: Level, costs: Costs) -> tuple[Flow, Potentials]:
    """The monotone plan in k-d order and potentials of a free choice of partners."""
    partners = np.zeros(len(y.masses), np.int64)
    nearest = costs.cells_of(y.points, np.zeros(len(y.masses)), x.points[partners])
    values, index, _ = costs.cheapest(x.points, nearest, np.inf, 1)
    return north_west(x.masses, y.masses), Potentials(values[:, 0], np.zeros(len(y.masses)), index[:, 0], partners)


def _extended(old: Potentials, x: Level, y: Level, fine_x: Level, fine_y: Level, costs: Costs) -> Potentials:
    """Potentials at finer points: the c-transform of f gives g, that of g gives f."""
    sources = costs.cells_of(x.points, old.f, y.points[old.to_y])
    values, index, _ = costs.cheapest(fine_y.points, sources, np.inf, 1)
    g, partners = values[:, 0].copy(), x.points[index[:, 0]]
    values, to_y, _ = costs.cheapest(fine_x.points, costs.cells_of(fine_y.points, g, partners), np.inf, 1)
    # A child of the partner stands for it.
    return Potentials(values[:, 0].copy(), g, to_y[:, 0], x.child[index[:, 0]])


@dataclass(frozen=True)
class _Scale:
    """One scale: the points of both sides."""

    x: Level
    y: Level
    costs: Costs
    least: float
    finest: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m)."""
        return len(self.x.masses), len(self.y.masses)

    def solve(
        self, flow: Flow, potentials: Potentials, go_on: Callable[[int], bool]
    ) -> tuple[Flow, Potentials, int, bool]:
        """A better plan and potentials; rounds of pricing; whether nothing is left to gain at this scale."""
        n, rounds = self.shape[0], 0
        arcs = self.candidates(flow, potentials)
        mean = self.mean_cost(arcs)
        f, g = potentials.f, potentials.g
        slack = float(np.sum(arcs.flow * (arcs.cost - f[arcs.row] - g[arcs.column])))
        epsilon = min(slack / self.total / 2, float(np.max(arcs.cost)))
        near = self.near * mean
        if epsilon > near:
            # Most of the slack is in a few places: elsewhere all would be torn up for nothing.
            f, g = auction(arcs, g, n, max(epsilon / 10, near), near, go_on)
        potentials = self.potentials(f, g, self.flow(arcs))
        tree = spanning_tree(arcs, f, g)
        while True:
            pivots, optimal = pivot_to_optimum(arcs, tree, n, PRECISION * mean, go_on)
            best, mean = self.flow(arcs), self.mean_cost(arcs)
            if not optimal:  # a tree under way may have potentials that are far worse than those it began with
                return best, potentials, rounds, False
            potentials = self.potentials(tree.potential[:n], tree.potential[n:-1], best)
            if rounds and not self.finest:
                return best, potentials, rounds, False
            if rounds and not pivots:
                return best, potentials, rounds, True  # what is still violated is below the rounding of the potentials
            new, gap = self.violated(potentials, mean)
            rounds += 1
            if len(new.row) == 0 or gap <= CLOSED * mean:
                return best, potentials, rounds, True
            arcs = Arcs(*(np.concatenate(pair) for pair in zip(arcs, new, strict=True)))

    @property
    def near(self) -> float:
        """How near to the optimum, relative, an auction comes at less expense than the simplex."""
        equal = all(np.all(side.masses == side.masses[0]) for side in (self.x, self.y))
        return APART if not equal and max(self.shape) <= SMALL else NEAR

    @property
    def total(self) -> float:
        """The mass of either side."""
        return float(np.sum(self.x.masses))

    def mean_cost(self, arcs: Arcs) -> float:
        """The cost of the plan per unit of mass, or the least that is told apart from 0."""
        return max(float(np.sum(arcs.flow * arcs.cost)) / self.total, self.least)

    def flow(self, arcs: Arcs) -> Flow:
        """The plan on the arcs."""
        used = arcs.flow > 0
        return Flow(*(v[used].astype(np.int64) for v in (arcs.row, arcs.column, arcs.flow)))

    def potentials(self, f: np.ndarray, g: np.ndarray, flow: Flow) -> Potentials:
        """Potentials around 0, with partners from the plan."""
        n, m = self.shape
        shift = (np.median(f) - np.median(g)) / 2
        to_y, to_x = np.zeros(n, np.int64), np.zeros(m, np.int64)
        to_y[flow.row], to_x[flow.column] = flow.column, flow.row
        return Potentials(f - shift, g + shift, to_y, to_x)

    def arcs(self, keys: np.ndarray) -> Arcs:
        """Empty arcs from their numbers row * m + column."""
        row, column = np.divmod(keys, self.shape[1])
        cost = self.costs.between(self.x.points[row], self.y.points[column])
        return Arcs(row.astype(np.int32), column.astype(np.int32), cost, np.zeros(len(keys), np.int64))

    def from_rows(self, potentials: Potentials, slack: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the `count` least c - f - g of each row, where below -slack; and the least of each row."""
        m = self.shape[1]
        x, y, f, g = self.x.points, self.y.points, potentials.f, potentials.g
        columns = self.costs.cells_of(y, g, x[potentials.to_x])
        values, j, counts = self.costs.cheapest(x, columns, f - slack, min(count, m))
        row, place = np.nonzero(np.arange(j.shape[1]) < counts[:, None])
        return row * m + j[row, place], np.minimum(values[:, 0] - f, 0.0)

    def from_columns(self, potentials: Potentials, count: int) -> np.ndarray:
        """Numbers of the `count` arcs of each column that are least in c - f - g."""
        n, m = self.shape
        x, y = self.x.points, self.y.points
        rows = self.costs.cells_of(x, potentials.f, y[potentials.to_y])
        i = self.costs.cheapest(y, rows, np.inf, min(count, n))[1]
        return (i.astype(np.int64) * m + np.arange(m)[:, None]).ravel()

    def candidates(self, flow: Flow, potentials: Potentials) -> Arcs:
        """The most promising arcs of every point and those of the plan, in order, with its flow."""
        n, m = self.shape
        plan = flow.row * m + flow.column
        if n * m <= FEW_PAIRS:
            keys = np.arange(n * m)
        else:
            of_a_distance = CANDIDATES_OF_A_DISTANCE if max(n, m) < LARGE else MORE
            count = of_a_distance if self.costs.power == 1 else CANDIDATES
            rows, columns = self.from_rows(potentials, -np.inf, count)[0], self.from_columns(potentials, count)
            keys = np.sort(np.concatenate([rows, columns, plan]))
            keys = keys[np.r_[True, keys[1:] != keys[:-1]]]  # np.unique hashes them, which takes longer
        arcs = self.arcs(keys)
        arcs.flow[np.searchsorted(keys, plan)] = flow.amount
        return arcs

    def violated(self, potentials: Potentials, mean: float) -> tuple[Arcs, float]:
        """Arcs that would lower the cost, and by how much, at most, per unit of mass."""
        slack = (PRECISION * 10 if self.finest else COARSE) * mean
        keys, best = self.from_rows(potentials, slack, VIOLATED)
        return self.arcs(keys), float(np.sum(self.x.masses * -best)) / self.total
