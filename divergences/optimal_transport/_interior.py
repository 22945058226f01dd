"""Unbalanced transport with Kullback-Leibler penalties: an interior point method, and the bracket of what it finds.

In units of the price, min <P, c> + KL(P 1 | a) + KL(P' 1 | b) over P >= 0, whose dual is

    max sum_i a_i (1 - exp(-f_i)) + sum_j b_j (1 - exp(-g_j))   over f_i + g_j <= c_ij.

Every P >= 0 is feasible, and so are all potentials after a c-transform: both ends of the bracket need no repair.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from divergences.optimal_transport._rounding import EXTENDED, EXTENDED_UNIT, SUBNORMAL, UNIT, above, below, dot, total

FAR = 100.0  # a pair that costs more is used by less than exp(-FAR / 2) of the mass
NEVER = 1e30  # their cost, so that they get no mass
INSIDE = 0.99  # of the way to the boundary
SMALL = 1e-18  # the least distance from the boundary to start at
IDLE = 12  # steps that may pass without a narrower gap
LEAP = 8.0  # the largest change of a potential in one step, in prices


class Saddle(NamedTuple):
    """A plan (n, m) >= 0 and potentials, with the number of steps it took."""

    plan: np.ndarray
    f: np.ndarray
    g: np.ndarray
    steps: int


def saddle(cost: np.ndarray, a: np.ndarray, b: np.ndarray, tolerance: float, limit: int) -> Saddle:
    """A nearly optimal pair for costs >= 0 in units of the price and positive masses.

    Newton's method on P_ij (c_ij - f_i - g_j) = mu with the marginals of the dual, mu falling; after every step mass is
    balanced in closed form (f + t, g - t). It ends where the duality gap is below `tolerance`, relative, or where it is
    negligible, or where steps no longer narrow it.
    """
    if not cost.any():  # only the totals cost anything: any coupling will do
        share, half = math.sqrt(a.sum()) * math.sqrt(b.sum()), math.log(a.sum() / b.sum()) / 2
        return Saddle(np.outer(a, b / share), np.full(len(a), half), np.full(len(b), -half), 0)
    cost = np.where(cost > FAR, NEVER, cost)
    nothing = negligible(cost, a, b)
    # As far from the boundary as costs are, or a hundredth of what the totals cost that differ at least.
    ratio = math.sqrt(math.sqrt(a.sum()) / math.sqrt(b.sum()))
    aim = max(float((a / a.sum()) @ cost @ (b / b.sum())), 0.01 * (ratio - 1 / ratio) ** 2)
    margin = max(min(aim, 1.0), SMALL)
    f, g = _balanced(np.full(len(a), -margin), np.full(len(b), -margin), a, b)
    slack = cost + 2 * margin  # f and g, once balanced, may be too large to hold it
    plan = 1 / slack
    plan *= math.sqrt(a.sum()) * math.sqrt(b.sum()) / float(plan.sum())
    best, narrowest, idle, step = Saddle(plan, f, g, 0), math.inf, 0, 0
    for step in range(1, limit + 1):
        least = _dual(f, g, a, b)
        gap = _primal(plan, cost, a, b) - least
        if gap < narrowest:
            best, narrowest, idle = Saddle(plan, f, g, step), gap, 0
        idle += 1
        goal = max(tolerance * least, nothing)
        if gap <= goal or idle > IDLE:
            break
        # Never far below what the gap asks for: marginals that fall by e a step would be left behind.
        mu = 0.1 * max(float(np.mean(plan * slack)), min(gap, goal) / plan.size)
        move = _newton(plan, slack, f, g, a, b, mu)
        if move is None:
            break
        to_f, to_g, to_plan = move
        to_slack = -to_f[:, None] - to_g
        reach = min(1.0, LEAP / max(float(np.abs(to_f).max()), float(np.abs(to_g).max()), 1e-300))
        f, g = f + (t := min(reach, _room(slack, to_slack))) * to_f, g + t * to_g
        plan = plan + min(1.0, _room(plan, to_plan)) * to_plan
        f, g = _balanced(f, g, a, b)
        slack = np.maximum(cost - f[:, None] - g, slack * (1 - INSIDE) / 2)
    return best._replace(steps=step)


def negligible(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """A gap that counts as none: 1e-15 of the mean cost of the mass."""
    mass = math.sqrt(float(a.sum())) * math.sqrt(float(b.sum()))
    return 1e-15 * float((a / a.sum()) @ np.minimum(cost, FAR) @ (b / b.sum())) * mass


@np.errstate(over="ignore", invalid="ignore")
def _newton(
    plan: np.ndarray, slack: np.ndarray, f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray, mu: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Changes of f, g and the plan; None where the system is singular to rounding, or overflows."""
    if not slack.min() > 0:
        return None
    weight, centre = plan / slack, mu / slack
    rows, columns = a * np.exp(-f), b * np.exp(-g)
    left, right = rows + weight.sum(axis=1), columns + weight.sum(axis=0)
    to_left, to_right = rows - centre.sum(axis=1), columns - centre.sum(axis=0)
    share = weight / left[:, None]
    try:
        factor = cho_factor(np.diag(right) - weight.T @ share, check_finite=False)
        to_g = cho_solve(factor, to_right - share.T @ to_left, check_finite=False)
    except (LinAlgError, ValueError):
        return None
    to_f = (to_left - weight @ to_g) / left
    to_plan = centre - plan + weight * (to_f[:, None] + to_g)
    if not (np.isfinite(to_f).all() and np.isfinite(to_g).all() and np.isfinite(to_plan).all()):
        return None
    return to_f, to_g, to_plan


def _room(values: np.ndarray, change: np.ndarray) -> float:
    """How far positive values may change and stay positive, at most 1."""
    falling = change < 0
    if not falling.any():
        return 1.0
    return min(1.0, INSIDE * float(np.min(values[falling] / -change[falling])))


def _balanced(f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best of the potentials f + t, g - t."""
    low = float(f.min()), float(g.min())
    rows, columns = (math.log(float(m @ np.exp(least - v))) - least for m, v, least in ((a, f, low[0]), (b, g, low[1])))
    move = (rows - columns) / 2
    return f + move, g - move


def _dual(f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The dual value, to rounding."""
    with np.errstate(over="ignore"):
        return -float(a @ np.expm1(-f) + b @ np.expm1(-g))


def _primal(plan: np.ndarray, cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The primal value, to rounding."""
    value = float(np.vdot(plan, cost))
    for mass, kept in ((a, plan.sum(axis=1)), (b, plan.sum(axis=0))):
        value += float(np.sum(_divergence(kept.astype(EXTENDED), mass.astype(EXTENDED))))
    return value


def _divergence(kept: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """r log(r / a) - r + a for each r >= 0 and a > 0, without cancellation to first order where r is near a."""
    excess = (kept - mass) / mass
    near = kept > mass / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(kept == 0, 0.0, np.log(kept / mass))
        return np.where(near, mass * ((1 + excess) * np.log1p(np.where(near, excess, 0.0)) - excess),
                        kept * log - kept + mass)  # fmt: skip


def upper_end(
    plan: np.ndarray, cost: np.ndarray, error: tuple[float, float], a: np.ndarray, b: np.ndarray, price: float
) -> float:
    """A bound on the objective at `plan` from above; costs may be off by (relative, absolute) `error`."""
    used = plan > 0
    value, radius = dot(plan[used], cost[used])
    radius += error[0] * abs(value) * 1.01 + error[1] * float(plan.sum()) * 1.01
    for mass, sums, terms in ((a, plan.sum(axis=1, dtype=EXTENDED), plan.shape[1]),
                              (b, plan.sum(axis=0, dtype=EXTENDED), plan.shape[0])):  # fmt: skip
        there = mass > 0  # elsewhere the plan is empty
        kept, wanted = sums[there], mass[there].astype(EXTENDED)
        each = price * _divergence(kept, wanted)
        with np.errstate(divide="ignore"):
            slope = np.where(kept == 0, 0.0, np.abs(np.log(kept / wanted)))
        # Sums of `terms` entries are off by so many units, which counts by the slope; each value by a few of its parts.
        loose = price * EXTENDED_UNIT * (kept * slope * (terms + 8) + 16 * (np.abs(kept - wanted) + kept * slope))
        part, off = total(each.astype(np.float64))
        rounding = UNIT * float(np.sum(np.abs(each)))
        value, radius = value + part, radius + off + (rounding + float(np.sum(loose))) * 1.01 + UNIT * abs(value + part)
    return above(value, radius + SUBNORMAL * plan.size)


def feasible(
    cost: np.ndarray, error: tuple[float, float], g: np.ndarray, price: float
) -> tuple[np.ndarray, np.ndarray]:
    """Potentials below the true costs, f the c-transform of g and then g that of f; nothing rounds upwards.

    Costs beyond FAR prices are lowered to that: it loses next to nothing, and huge potentials would drown the others.
    """
    lowered = np.minimum(cost, FAR * price) * (1 - 2 * error[0]) - 2 * error[1]
    f = np.nextafter(np.min(lowered - g, axis=1), -np.inf)
    return f, np.nextafter(np.min(lowered - f[:, None], axis=0), -np.inf)


def lower_end(f: np.ndarray, g: np.ndarray, a: np.ndarray, b: np.ndarray, price: float) -> float:
    """A bound on the dual value of feasible potentials from below, and never below 0."""
    value, radius = 0.0, 0.0
    for mass, potential in ((a, f), (b, g)):
        there = mass > 0
        ratio = potential[there] / price
        if ratio.min() < -700:
            return 0.0
        each = np.expm1(-ratio)
        off = 8 * UNIT * np.abs(each) + 2 * UNIT * np.abs(ratio) * (1 + np.abs(each))
        part, rounding = dot(mass[there], -price * each)
        value += part
        radius += rounding + float(mass[there] @ off) * price * 1.01 + UNIT * (abs(part) + abs(value))
    return max(0.0, below(value, radius + SUBNORMAL * (len(a) + len(b))))
