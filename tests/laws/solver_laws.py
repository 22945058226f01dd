"""The laws of a transport result as numbers: by how much each is violated (0 or less: it holds).

Where the truth is a fraction the comparison is exact: no tolerance stands between the library and the law.
"""

from fractions import Fraction

import numpy as np

from tests.oracles import common_total, exact_masses

ROUNDING = 1e-14  # what float64 marginals of a handful of points may be off by, relative to the mass


def entries(result):
    """The plan as a dense float64 array."""
    plan = result.plan
    return plan if isinstance(plan, np.ndarray) else plan.toarray()


def marginal_excess(result, a=None, b=None):
    """How far the plan's marginals are from the masses, L1 relative to the mass, beyond rounding."""
    plan = entries(result)
    a, b = common_total(exact_masses(a, plan.shape[0]), exact_masses(b, plan.shape[1]))
    exact = [[Fraction(float(v)) for v in row] for row in plan]
    off = sum(abs(sum(row) - mass) for row, mass in zip(exact, a, strict=True))
    off += sum(abs(sum(column) - mass) for column, mass in zip(zip(*exact, strict=True), b, strict=True))
    return float(off / sum(a)) - ROUNDING


def negative_mass(result):
    """How far the smallest entry of the plan is below 0."""
    return -float(entries(result).min())


def bracket_violation(result, optimum):
    """How far the true optimum lies outside [lower, upper], exactly."""
    return float(max(Fraction(float(result.lower)) - optimum, optimum - Fraction(float(result.upper))))


def infeasibility(result, cost):
    """The largest f_i + g_j - c_ij, exactly, for a cost matrix of floats or fractions."""
    f, g = ([Fraction(float(v)) for v in potential] for potential in result.potentials)
    return float(
        max(fi + gj - Fraction(c) for fi, row in zip(f, cost, strict=True) for gj, c in zip(g, row, strict=True))
    )


def cost_mismatch(result, cost):
    """How far `cost` is from <plan, c>, beyond rounding of the sum and of the marginals."""
    plan, cost = entries(result), np.asarray(cost, dtype=float)
    return abs(float(result.cost) - np.sum(plan * cost)) - 1e-13 * plan.sum() * np.abs(cost).max()


def gap_excess(result, cost, a=None):
    """How far the gap of an exact solver exceeds 1e-9 max(cost, 1e-6 mean |cost|)."""
    mass = 1.0 if a is None else float(np.sum(a))
    return result.gap - 1e-9 * max(abs(result.cost), 1e-6 * float(np.mean(np.abs(np.asarray(cost, float)))) * mass)


def disjointness(first, second, *, factor: Fraction | int = 1, shift: Fraction | int = 0):
    """How far apart the brackets of two problems are whose values satisfy second = factor * first + shift."""
    low, high = (Fraction(float(end)) * factor + shift for end in (first.lower, first.upper))
    return float(max(low - Fraction(float(second.upper)), Fraction(float(second.lower)) - high))


def distance_of_nothing(result):
    """How far a result between equal measures is from cost 0: its bracket must hold 0, and no end be negative."""
    return max(-result.distance_lower, result.lower, -result.upper)
