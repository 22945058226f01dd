"""Laws of transport whose masses need not agree, as numbers: by how much each is violated (0 or less: it holds)."""

from fractions import Fraction

import numpy as np


def plan_of(result):
    """The plan as a dense array."""
    return result.plan if isinstance(result.plan, np.ndarray) else result.plan.toarray()


def outside(result, optimum):
    """How far the true optimum lies outside the bracket, exactly."""
    return float(max(Fraction(float(result.lower)) - optimum, optimum - Fraction(float(result.upper))))


def overdrawn(result, a, b):
    """How much more than a or b the plan takes somewhere, or how far below 0 it goes; beyond rounding."""
    plan = plan_of(result)
    worst = max(np.max(plan.sum(axis=1) - a), np.max(plan.sum(axis=0) - b), -plan.min())
    return float(worst) - 1e-14 * float(np.sum(a) + np.sum(b))


def dual_excess(result, cost):
    """The largest f_i + g_j + multiplier - c_ij, exactly."""
    f, g = ([Fraction(float(v)) for v in potential] for potential in result.potentials)
    price = Fraction(float(result.multiplier))
    return float(max(u + v + price - Fraction(c) for u, row in zip(f, cost, strict=True)
                     for v, c in zip(g, row, strict=True)))  # fmt: skip


def dual_shortfall(result, a, b, mass, scale):
    """How far the value of the potentials lies below the lower end they are to prove, beyond rounding."""
    f, g = result.potentials
    # A potential is rounded down by some subnormals, each of which counts as often as there is mass.
    return result.lower - float(a @ f + b @ g + mass * result.multiplier) - 1e-12 * scale - 1e-320 * max(1.0, a.sum())


def looseness(result, scale):
    """How far the gap exceeds 1e-9 of the cost and 1e-13 of the sums it is made of, or some subnormals."""
    return result.gap - 1e-9 * abs(float(result.cost)) - 1e-13 * scale - 1e-320


def concavity(values):
    """How far the middle one of three values at equal steps lies above the mean of the others."""
    low, middle, high = values
    return middle - (low + high) / 2
