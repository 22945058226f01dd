"""Part D: what two players do to each other."""

from math import log, sqrt

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, linprog

import divergences as dv
from tests.claims import figures
from tests.claims.laws import random_pmfs


def best_mixed(payoff):
    """The row player's best mixed strategy and its guaranteed payoff: max over x of min over columns of xᵀA."""
    n, m = payoff.shape
    found = linprog(
        np.append(np.zeros(n), -1),
        A_ub=np.hstack([-payoff.T, np.ones((m, 1))]),
        b_ub=np.zeros(m),
        A_eq=np.append(np.ones(n), 0)[None],
        b_eq=[1],
        bounds=[(0, None)] * n + [(None, None)],
    )
    return found.x[:n], -found.fun


@pytest.mark.claim("D6")
def test_minimax_theorem(claim):
    """Matrix games have max min = min max in mixed strategies, and no one gains by leaving the saddle."""
    claim.source("S")
    rng = np.random.default_rng(6)
    gap, gain, pure = 0.0, -np.inf, 0
    for _ in range(50):
        payoff = rng.normal(size=rng.integers(2, 6, 2))
        x, most = best_mixed(payoff)
        y, least = best_mixed(-payoff.T)
        gap = max(gap, abs(most + least))
        others = random_pmfs(50, len(x), seed=1) @ payoff @ y, -(x @ payoff @ random_pmfs(50, len(y), seed=2).T)
        gain = max(gain, (others[0] - most).max(), (others[1] + most).max())
        pure += payoff.min(axis=1).max() < payoff.max(axis=0).min() - 1e-9
    claim.check("50 games: |max min − min max|", expected=0, measured=gap, tolerance=1e-9)
    claim.at_most("best gain of 5,000 deviations", measured=gain, bound=0, tolerance=1e-9)
    claim.at_least("games where pure strategies leave a gap", measured=pure, bound=1)


def simultaneous(h):
    """One step of both players at once on xy: x descends, y ascends."""
    return lambda s: (s[0] - h * s[1], s[1] + h * s[0])


def alternating(h):
    """One step of x, then of y from the new x."""

    def step(s):
        x = s[0] - h * s[1]
        return x, s[1] + h * x

    return step


def extragradient(h):
    """A step with the gradient taken after a trial step."""

    def step(s):
        trial = simultaneous(h)(s)
        return s[0] - h * trial[1], s[1] + h * trial[0]

    return step


def optimistic(h):
    """A step with twice the gradient less the last one; the state carries the last point."""

    def step(s):
        x, y, last_x, last_y = s
        return x - h * (2 * y - last_y), y + h * (2 * x - last_x), x, y

    return step


def radius(step, size=2):
    """The spectral radius of a linear step, from what it does to the unit vectors."""
    matrix = np.array([step(e) for e in np.eye(size)]).T
    return np.abs(np.linalg.eigvals(matrix)).max()


def orbits(flow, h=0.2, steps=60):
    """The paths of each way to step, from where the flow starts."""
    paths = {"gradient flow": flow}
    start = tuple(flow[0])
    ways = {
        "simultaneous": simultaneous,
        "alternating": alternating,
        "extragradient": extragradient,
        "optimistic": optimistic,
    }
    for name, way in ways.items():
        state = (*start, *start) if way is optimistic else start
        path = [state]
        for _ in range(steps):
            path.append(way(h)(path[-1]))
        paths[name] = np.array(path)[:, :2]
    return paths


@pytest.mark.claim("D7")
def test_bilinear_game(claim):
    """On xy the gradient flow runs in circles and gradient steps never converge; extragradient and optimism do."""
    claim.source("S")
    x0, y0 = 1.3, 0.4
    flow = solve_ivp(lambda t, s: [-s[1], s[0]], (0, 2 * np.pi), [x0, y0], rtol=1e-11, atol=1e-12, dense_output=True)
    t = np.linspace(0, 2 * np.pi, 50)
    circle = np.array([x0 * np.cos(t) - y0 * np.sin(t), x0 * np.sin(t) + y0 * np.cos(t)])
    off = np.abs(flow.sol(t) - circle).max()
    claim.check("flow and its formula", expected=0, measured=off, tolerance=1e-8)
    quarters = flow.sol(np.arange(5) * np.pi / 2)
    cycle = [[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]]
    claim.check("signs of (x, y) at quarter turns", expected=cycle, measured=np.sign(quarters).T)
    for h in (0.01, 0.5, 2.0):
        claim.check(
            f"simultaneous, h = {h:g}: radius",
            expected=sqrt(1 + h * h),
            measured=radius(simultaneous(h)),
            tolerance=1e-12,
        )
    for h in (0.1, 1.0, 1.9):
        claim.check(f"alternating, h = {h:g}: radius", expected=1, measured=radius(alternating(h)), tolerance=1e-12)
    claim.check("alternating, h = 3: radius", expected=6.854, measured=radius(alternating(3.0)), tolerance=5e-4)
    state, sizes = (1.0, 0.5), []
    for _ in range(400):
        state = alternating(2.0)(state)
        sizes.append(np.hypot(*state))
    growth = sizes[399] / sizes[199]
    claim.check("alternating, h = 2: twice the steps, size grows by", expected=2, measured=growth, tolerance=0.02)
    edge = brentq(lambda h: radius(extragradient(h)) - 1, 0.5, 1.5)
    claim.check("extragradient converges up to h =", expected=1, measured=edge, tolerance=1e-9)
    edge = brentq(lambda h: radius(optimistic(h), 4) - 1, 0.3, 0.9)
    claim.check("optimistic converges up to h =", expected=1 / sqrt(3), measured=edge, tolerance=1e-9)
    inside = [radius(extragradient(h)) for h in (0.1, 0.9)] + [radius(optimistic(h), 4) for h in (0.1, 0.55)]
    claim.at_most("radius inside", measured=inside, bound=1 - 1e-4)
    outside = [radius(extragradient(1.1)), radius(optimistic(0.6), 4)]
    claim.at_least("radius outside", measured=outside, bound=1 + 1e-4)
    claim.figure(
        lambda: figures.orbits(orbits(flow.sol(np.linspace(0, 2 * np.pi, 100)).T)),
        "both players of xy from (1.3, 0.4): the gradient flow, and 60 steps of length 0.2 of each kind",
    )


def mirror_descent(p, q, steps, rate=0.5):
    """V(·, D*) + log 4 along exponentiated gradient steps of p_g: its slope in p_g(x) is log(1 − D*(x))."""
    values = []
    for _ in range(steps + 1):
        values.append(dv.gan_value(p, q) + log(4))
        q = q * np.exp(-rate * np.log(q / (p + q)))
        q = q / q.sum(axis=-1, keepdims=True)
    return np.array(values)


@pytest.mark.claim("D36")
def test_alternating_optimisation_converges(claim):
    """V(·, D*) is convex in p_g: with D optimal at every step, improving p_g reaches the global optimum."""
    claim.source("S")
    p, q, r = (random_pmfs(300, 6, seed=s) for s in (1, 2, 3))
    weight = np.random.default_rng(4).uniform(size=(300, 1))
    mixed = dv.gan_value(p, weight * q + (1 - weight) * r)
    chord = weight[:, 0] * dv.gan_value(p, q) + (1 - weight[:, 0]) * dv.gan_value(p, r)
    claim.at_most("300 mixtures: largest V above its chord", measured=(mixed - chord).max(), bound=0, tolerance=1e-15)
    values = mirror_descent(p, q, 100)
    rise = np.diff(values, axis=0).max()
    claim.at_most("300 pairs: largest rise of V in a step", measured=rise, bound=0, tolerance=1e-15)
    claim.at_most("V + log 4 after 10 steps over the start", measured=(values[10] / values[0]).max(), bound=0.03)
    claim.check("V + log 4 after 100 steps, largest", expected=0, measured=values[100].max(), tolerance=1e-12)
