"""Gauss–Kronrod panels on linear and logarithmic axes, refined where the error is, in logarithms throughout."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from divergences._numerics import quiet
from divergences.densities._integrand import Values

ROUNDS = 60
MOST_PANELS = 40_000
TOLERANCE = 1e-13
ROUNDED = np.log(32 * 2.0**-52)  # an estimate this small, relative to its panel, is rounding
SAFETY = 4.0  # what the combinations are multiplied by to be a bound


class Axis(NamedTuple):
    """Points edge + t: with t = u on a linear axis, t = sign * scale * e^u on a logarithmic one (scale > 0)."""

    edge: float
    scale: float
    sign: float
    active: tuple[bool, bool]


class Axes:
    """Several axes as columns, so that panels on all of them are measured at once."""

    def __init__(self, axes: list[Axis]) -> None:
        self.edge, self.scale, self.sign = (np.array([axis[i] for axis in axes], dtype=float) for i in range(3))
        self.active = np.array([axis.active for axis in axes])

    def place(self, k: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(edge, t, log of dt/du) of the points u on the axes k."""
        with quiet():
            scale = self.scale[k]
            log_axis = scale > 0
            t = np.where(log_axis, self.sign[k] * scale * np.exp(np.where(log_axis, u, 0.0)), u)
            return self.edge[k], t, np.where(log_axis, u + np.log(scale), 0.0)


class Panels(NamedTuple):
    """An axis, an interval on it, and for the integrand, P and Q the logs of: integral, error, and noise."""

    axis: np.ndarray
    low: np.ndarray
    high: np.ndarray
    integral: np.ndarray  # (panels, 3)
    error: np.ndarray  # (panels, 3)
    noise: np.ndarray  # (panels,)

    def where(self, mask: np.ndarray) -> "Panels":
        """Those panels."""
        return Panels(*(column[mask] for column in self))


@dataclass(frozen=True)
class Totals:
    """Logarithms of ∫, of its error bound from the rule, of its rounding; for the integrand, P and Q."""

    integral: np.ndarray
    error: np.ndarray
    noise: float


@cache
def rule() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """23 nodes on [-1, 1], weights, and combinations of values whose largest is the error estimate.

    The nodes are those of the 21-point Kronrod rule and the ends, which have weight 0. The combinations: Kronrod less
    Gauss; the coefficients of degrees 17 to 20 in Legendre's basis, because one difference alone vanishes by chance now
    and then; and how far the ends are from the interpolant, times their gap: there a kink hides between nodes.

    The Kronrod nodes are the zeros of the Gauss polynomial and of the Stieltjes polynomial E_11, which is orthogonal
    with it to all lower degrees; E is found here in Legendre's basis, so that no table is copied.
    """
    legendre = np.polynomial.legendre
    gauss, gauss_weights = legendre.leggauss(10)
    x, w = legendre.leggauss(60)
    p10 = legendre.legval(x, [0] * 10 + [1])
    basis = np.array([legendre.legval(x, [0] * k + [1]) for k in range(12)])
    odd = [1, 3, 5, 7, 9]
    system = np.array([[np.sum(w * p10 * basis[i] * basis[j]) for j in odd] for i in range(1, 11, 2)])
    target = -np.array([np.sum(w * p10 * basis[i] * basis[11]) for i in range(1, 11, 2)])
    coefficients = np.zeros(12)
    coefficients[11], coefficients[odd] = 1.0, np.linalg.solve(system, target)
    roots = legendre.legroots(coefficients).real
    slope = legendre.legder(coefficients)
    roots -= legendre.legval(roots, coefficients) / legendre.legval(roots, slope)
    nodes = np.sort(np.concatenate([gauss, roots]))
    nodes = (nodes - nodes[::-1]) / 2
    vandermonde = np.array([legendre.legval(nodes, [0] * k + [1]) for k in range(21)])
    weights = np.linalg.solve(vandermonde, np.eye(21)[0] * 2)
    weights = (weights + weights[::-1]) / 2
    difference = weights.copy()
    difference[1::2] -= gauss_weights
    coefficients = np.linalg.inv(vandermonde.T)
    gap = 1 - nodes[-1]
    at_ends = np.array([legendre.legval([-1.0, 1.0], [0] * k + [1]) for k in range(21)]).T @ coefficients
    inner = np.vstack([difference, coefficients[17:], -gap * at_ends])
    ends = np.zeros((len(inner), 2))
    ends[-2:] = gap * np.eye(2)
    null = np.column_stack([ends[:, :1], inner, ends[:, 1:]])
    return np.array([-1.0, *nodes, 1.0]), np.array([0.0, *weights, 0.0]), null.T


Evaluate = Callable[[np.ndarray, np.ndarray, tuple[bool, bool]], Values]


def measure(axes: Axes, evaluate: Evaluate, axis: np.ndarray, low: np.ndarray, high: np.ndarray) -> Panels:
    """Both rules on each panel; sums are taken relative to the largest value of each panel."""
    nodes, kronrod, null = rule()
    half = (high - low) / 2
    u = ((low + high) / 2)[:, None] + half[:, None] * nodes
    edge, t, jacobian = axes.place(np.broadcast_to(axis[:, None], u.shape), u)
    jacobian = jacobian + np.log(half)[:, None]
    logs = np.empty((len(axis), 3, len(nodes)))
    noise = np.empty((len(axis), len(nodes)))
    for active in ((True, True), (True, False), (False, True)):
        mine = (axes.active[axis] == active).all(axis=1)
        if mine.any():
            values = evaluate(edge[mine].ravel(), t[mine].ravel(), active)
            for i, part in enumerate((values.cost, values.p, values.q)):
                logs[mine, i] = part.reshape(-1, len(nodes)) + jacobian[mine]
            noise[mine] = values.noise.reshape(-1, len(nodes)) + jacobian[mine]
    with quiet():
        top = logs.max(axis=2, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        shares = np.exp(logs - top)
        integral = np.log(shares @ kronrod) + top[..., 0]
        error = np.log(SAFETY * np.max(np.abs(shares @ null), axis=-1)) + top[..., 0]
        lift = np.where(np.isfinite(noise.max(axis=1)), noise.max(axis=1), 0.0)
        blur = np.log(np.exp(noise - lift[:, None]) @ kronrod) + lift
    return Panels(axis, low, high, integral, np.where(np.isnan(error), np.inf, error), blur)


def total(panels: Panels) -> Totals:
    """The sums over all panels."""
    return Totals(log_sum(panels.integral), log_sum(panels.error), float(log_sum(panels.noise)))


def log_sum(logs: np.ndarray) -> np.ndarray:
    """log Σ e^logs over the first axis, by one shift: adding logarithms pair by pair would round at every step."""
    with quiet():
        top = np.max(logs, axis=0)
        shift = np.where(np.isfinite(top), top, 0.0)
        return shift + np.log(np.sum(np.exp(logs - shift), axis=0))


def refine(
    axes: Axes,
    evaluate: Evaluate,
    panels: Panels,
    floor: float,
    *,
    allowed: Callable[[int], bool] = lambda points: True,
) -> Panels:
    """Halve the panels that hold the error until it is below the tolerance, or below rounding (`floor` for P and Q).

    Each round first asks whether it is `allowed` to evaluate so many points.
    """
    before, stalled = np.full(3, np.inf), 0
    for _ in range(ROUNDS):
        sums = total(panels)
        # A kink or a jump halves the error at each round; the noise of a density does not go away.
        stalled = 0 if np.any(sums.error < before - 0.3) else stalled + 1
        before = sums.error
        if stalled > 3:
            return panels
        if np.isposinf(sums.integral[0]):
            return panels
        goal = sums.integral + np.log([TOLERANCE, floor, floor])
        goal[0] = max(goal[0], sums.noise - 1)
        share = np.where(sums.error > goal, goal - np.log(len(panels.axis)), np.inf)
        over = (panels.error > share) & (panels.error > panels.integral + ROUNDED)
        middle = (panels.low + panels.high) / 2
        split = over.any(axis=1) & (panels.low < middle) & (middle < panels.high)
        if not split.any() or len(panels.axis) > MOST_PANELS or not allowed(2 * int(split.sum()) * len(rule()[0])):
            return panels
        rest, chosen = panels.where(~split), panels.where(split)
        middle = middle[split]
        halves = measure(
            axes,
            evaluate,
            np.tile(chosen.axis, 2),
            np.concatenate([chosen.low, middle]),
            np.concatenate([middle, chosen.high]),
        )
        panels = Panels(*(np.concatenate(pair) for pair in zip(rest, halves, strict=True)))
    return panels
