"""Slow and independent answers: exact rational arithmetic, nothing shared with the library."""

from fractions import Fraction
from itertools import combinations, product

import mpmath as mp
import numpy as np


def exact_masses(values, size):
    """Masses as fractions; None stands for exactly 1/n each."""
    return [Fraction(1, size)] * size if values is None else [Fraction(float(v)) for v in values]


def common_total(a, b):
    """Both laws at the mean of the two totals, which is what a problem with rounded masses means."""
    total = (sum(a) + sum(b)) / 2
    return [v * total / sum(a) for v in a], [v * total / sum(b) for v in b]


def exact_costs(x, y, p, metric="euclidean"):
    """|x_i - y_j|^p from the floats as given: exact for whole p without a root, else to 60 digits."""
    with mp.workdps(60):
        return [[_cost(row, column, p, metric) for column in np.atleast_2d(y)] for row in np.atleast_2d(x)]


def _cost(u, v, p, metric):
    differences = [abs(Fraction(float(s)) - Fraction(float(t))) for s, t in zip(u, v, strict=True)]
    norm = {"cityblock": sum(differences), "chebyshev": max(differences)}.get(metric, differences[0])
    if p == int(p) and (metric != "euclidean" or len(differences) == 1):
        return norm ** int(p)
    if metric == "euclidean":
        square = sum(d * d for d in differences)
        if p == 2:
            return square
        return _fraction(mp.power(mp.mpf(square.numerator) / square.denominator, mp.mpf(p) / 2))
    return _fraction(mp.power(mp.mpf(norm.numerator) / norm.denominator, p))


def _fraction(value):
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def polytope_vertices(a, b):
    """Every vertex of the transport polytope of the fractions a and b, as {(i, j): mass} without the empty cells.

    A vertex is the unique solution on a spanning tree of the complete bipartite graph; each tree is solved by
    removing leaves.
    """
    n, m = len(a), len(b)
    seen = set()
    for cells in combinations(product(range(n), range(m)), n + m - 1):
        flow = _tree_flow(cells, list(a), list(b))
        if flow is not None and min(flow.values()) >= 0:
            seen.add(frozenset((cell, mass) for cell, mass in flow.items() if mass > 0))
    return [dict(vertex) for vertex in seen]


def _tree_flow(cells, a, b):
    """The masses on the cells of a spanning tree, or None where the cells hold a cycle."""
    left, flow = set(cells), {}
    while left:
        rows, columns = [i for i, _ in left], [j for _, j in left]
        for cell in left:
            i, j = cell
            if rows.count(i) == 1:
                mass = a[i]
            elif columns.count(j) == 1:
                mass = b[j]
            else:
                continue
            flow[cell] = mass
            a[i] -= mass
            b[j] -= mass
            left.remove(cell)
            break
        else:
            return None
    return None if any(a) or any(b) else flow


def plan_cost(vertex, cost):
    """<P, c> of a vertex, as a fraction."""
    return sum((mass * Fraction(cost[i][j]) for (i, j), mass in vertex.items()), Fraction(0))


def transport_optimum(cost, a=None, b=None):
    """The optimal cost as a fraction, by trying every vertex."""
    a, b = common_total(exact_masses(a, len(cost)), exact_masses(b, len(cost[0])))
    return min(plan_cost(vertex, cost) for vertex in polytope_vertices(a, b))
