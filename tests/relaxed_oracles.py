"""Exact answers to transport problems whose masses need not agree: linear programs by all their vertices."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy.optimize import linprog


def exact_matrix(values):
    """Rows of floats or fractions as fractions."""
    return [[v if isinstance(v, Fraction) else Fraction(float(v)) for v in row] for row in values]


def partial_program(cost, a, b, mass):
    """Objective, matrix and right side of min <P, c>, P 1 + u = a, P' 1 + v = b, sum P = mass, all >= 0."""
    n, m = len(a), len(b)
    sums = _sums(n, m)
    slack = [[Fraction(int(i == k)) for k in range(n + m)] for i in range(n + m)]
    rows = [left + right for left, right in zip(sums, slack, strict=True)]
    rows.append([Fraction(1)] * (n * m) + [Fraction(0)] * (n + m))
    objective = [v for row in exact_matrix(cost) for v in row] + [Fraction(0)] * (n + m)
    return objective, rows, [*exact_matrix([a])[0], *exact_matrix([b])[0], Fraction(float(mass))]


def variation_program(cost, a, b, price):
    """The same for min <P, c> + price (|P 1 - a| + |P' 1 - b|): rows and columns may hold more or less than asked."""
    n, m = len(a), len(b)
    both = [[Fraction(int(i == k)) for k in range(n + m)] for i in range(n + m)]
    rows = [left + plus + [-v for v in plus] for left, plus in zip(_sums(n, m), both, strict=True)]
    penalty = [Fraction(float(price))] * (2 * (n + m))
    objective = [v for row in exact_matrix(cost) for v in row] + penalty
    return objective, rows, [*exact_matrix([a])[0], *exact_matrix([b])[0]]


def _sums(n, m):
    """The matrix of row and column sums of a plan."""
    cells = [(i, j) for i in range(n) for j in range(m)]
    return [[Fraction(int(i == k)) for i, _ in cells] for k in range(n)] + [
        [Fraction(int(j == k)) for _, j in cells] for k in range(m)
    ]


def optimum(objective, rows, right):
    """The least value over the vertices of {x >= 0, rows x = right}, as a fraction."""
    best = None
    for basis in combinations(range(len(objective)), len(rows)):
        x = _solved([[row[k] for k in basis] for row in rows], right)
        if x is not None and min(x) >= 0:
            value = sum((objective[k] * v for k, v in zip(basis, x, strict=True)), Fraction(0))
            best = value if best is None else min(best, value)
    return best


def _solved(matrix, right):
    """The solution of a square system in fractions; None where it is singular."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(len(rows)):
            if i != k and rows[i][k]:
                rows[i] = [u - rows[i][k] * v for u, v in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def highs(objective, rows, right):
    """The same optimum in floating point, for programs with too many vertices."""
    matrix, sides = np.array(rows, dtype=float), np.array(right, dtype=float)
    return linprog(np.array(objective, dtype=float), A_eq=matrix, b_eq=sides).fun
