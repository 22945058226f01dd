"""The monotone (north-west) coupling of two mass vectors in their given order."""

import math

import numpy as np

from divergences.optimal_transport._rounding import cumulative, total


def staircase(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and masses of the n + m - 1 cells of the monotone coupling of a (n,) and b (m,).

    The path goes from cell (0, 0) to (n - 1, m - 1) one step at a time, along a row or down a column; where both
    run out together it passes a cell of mass 0, so that potentials can follow it. Totals that differ are
    reconciled by rescaling b.

    >>> rows, columns, mass = staircase(np.array([1.0, 2.0]), np.array([1.0, 1.0, 1.0]))
    >>> rows.tolist(), columns.tolist(), mass.tolist()
    ([0, 1, 1, 1], [0, 0, 1, 2], [1.0, 0.0, 1.0, 1.0])
    """
    n, m = len(a), len(b)
    a_high, a_low = cumulative(a)
    b_high, b_low = cumulative(_rescaled(a, b))
    high = np.concatenate([a_high[:-1], b_high[:-1]])
    low = np.concatenate([a_low[:-1], b_low[:-1]])
    order = np.argsort(high, kind="stable")
    ties = np.diff(high[order]) == 0
    if np.any(ties & (np.diff(low[order]) < 0)):
        order = np.lexsort((low, high))
    down = order < n - 1  # this breakpoint ends a row
    rows = np.concatenate([[0], np.cumsum(down)])
    columns = np.concatenate([[0], np.cumsum(~down)])
    last = np.array([a_high[-1]]), np.array([a_low[-1]])
    mass = np.diff(np.concatenate([high[order], last[0]]), prepend=0.0)
    mass += np.diff(np.concatenate([low[order], last[1]]), prepend=0.0)
    return rows[: n + m - 1], columns[: n + m - 1], np.maximum(mass, 0.0)


def whole_masses(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Masses of one total whose sums are exact if possible, and the unit (u, v): t of them stands for t / u * v.

    Uniform masses become whole numbers; others keep their bits where their totals agree to rounding.
    """
    n, m = len(a), len(b)
    if np.all(a == a[0]) and np.all(b == b[0]) and n * m < 2**52:
        return np.full(n, float(m)), np.full(m, float(n)), (float(m), float(a[0]))
    scale = 2.0 ** np.frexp(np.sum(a))[1]
    a, b = a / scale, b / scale
    if abs(total(np.concatenate([a, -b]))[0]) > 2.0**-51:
        b = b * (total(a)[0] / total(b)[0])
    return a, b, (1.0, scale)


def counted_masses(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Masses as whole numbers (int64) of exactly one total, and the unit (u, v): t of them stand for t / u * v.

    Uniform masses become small numbers; others are rounded to 2**-61 of the total, which smaller ones do not survive.

    >>> counted_masses(np.full(4, 0.25), np.full(2, 0.5))[:2]
    (array([1, 1, 1, 1]), array([2, 2]))
    """
    a, b, (unit, value) = whole_masses(a, b)
    if a[0] >= 1:  # whole numbers already: others are parts of a total below 1
        common = math.gcd(int(a[0]), int(b[0]))
        return (a / common).astype(np.int64), (b / common).astype(np.int64), (unit / common, value)
    counts = [np.rint(v * 2.0**61).astype(np.int64) for v in (a, b)]
    larger = counts[1] if counts[1].max() >= counts[0].max() else counts[0]
    excess = int(np.sum(counts[1])) - int(np.sum(counts[0]))
    larger[np.argmax(larger)] -= excess if larger is counts[1] else -excess
    return counts[0], counts[1], (2.0**61, value)


def _rescaled(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """b with the total of a, untouched where the totals agree exactly."""
    difference = total(np.concatenate([a, -b]))[0]
    return b if difference == 0 else b * (total(a)[0] / total(b)[0])
