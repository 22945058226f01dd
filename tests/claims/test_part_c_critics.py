"""Part C: the one-function dual and its critic."""

from math import log

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.spatial.distance import cdist

import divergences as dv
from gan.networks import Perceptron
from gan.random import Stream
from tests.claims import figures


def best_one_function(p, q, cost):
    """The maximum of Σ (p − q) f subject to f_i − f_j ≤ cost_ij, as a linear program."""
    n = len(p)
    i, j = (v.ravel() for v in np.indices((n, n)))
    rows = np.eye(n)[i] - np.eye(n)[j]
    found = linprog(q - p, A_ub=rows, b_ub=cost.ravel(), bounds=[(None, None)] * n)
    return -found.fun


@pytest.mark.claim("C8")
def test_k_lipschitz_functions(claim):
    """Over K-Lipschitz functions the maximum of E_p f − E_q f is K W."""
    claim.source("I")
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(8, 2)), rng.normal(size=(7, 2)) + 0.5
    points = np.concatenate([x, y])
    p, q = np.repeat([1 / 8, 0], [8, 7]), np.repeat([0, 1 / 7], [8, 7])
    w = dv.wasserstein(x, y).cost
    k = dv.kantorovich_rubinstein(x, y)
    for lipschitz in (0.5, 1.0, 3.0):
        best = best_one_function(p, q, lipschitz * cdist(points, points))
        claim.check(f"K = {lipschitz:g}: maximum", expected=lipschitz * w, measured=best, tolerance=1e-9)
        reached = lipschitz * (k.critic(x).mean() - k.critic(y).mean())
        claim.check(
            f"K = {lipschitz:g}: reached by K times the critic", expected=best, measured=reached, tolerance=1e-9
        )


def along_a_line(net, start, direction, z):
    """s -> the samples of a generator whose parameters move along a line."""
    return lambda s: net(start + s * direction, z)[0]


@pytest.mark.claim("C9")
def test_continuity_in_the_parameters(claim):
    """W(π, p_θ) is continuous in θ for a feed-forward generator, and its gradient is that of finite differences."""
    claim.source("I")
    net = Perceptron((2, 16, 2))
    start, other = (net.initial(torch.tensor([k]), Stream.GENERATOR_WEIGHTS, dtype=torch.float64) for k in (0, 1))
    z = torch.tensor(np.random.default_rng(9).normal(size=(1, 60, 2)))
    real = torch.tensor(np.random.default_rng(10).normal(size=(60, 2)))
    samples = along_a_line(net, start, other - start, z)
    s = torch.linspace(-1, 2, 121, dtype=torch.float64)
    w = np.array([float(dv.wasserstein(real, samples(v)).cost) for v in s])
    # The proof's bound: |W(θ) − W(θ')| ≤ E‖g_θ(z) − g_θ'(z)‖.
    moved = np.array([float((samples(a) - samples(b)).norm(dim=1).mean()) for a, b in zip(s[1:], s[:-1], strict=True)])
    claim.at_most(
        "largest |ΔW| over E‖Δg‖ on 120 steps", measured=(np.abs(np.diff(w)) / moved).max(), bound=1, tolerance=1e-9
    )
    for at in (-0.7123, 0.1417, 0.9371, 1.6111):
        v = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(dv.wasserstein(real, samples(v)).cost, v)
        h = 1e-7
        ends = [float(dv.wasserstein(real, samples(at + k)).cost) for k in (h, -h)]
        differences = (ends[0] - ends[1]) / (2 * h)
        claim.check(f"dW/ds at s = {at:g}", expected=differences, measured=float(slope), tolerance=1e-6)


def matched_pairs(seed=11):
    """Two point sets and, for each x, the y that an optimal plan sends it to."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(40, 2)), rng.normal((1.5, 0.5), size=(40, 2))
    plan = coo_array(dv.wasserstein(x, y).plan).toarray()
    return x, y, y[plan.argmax(axis=1)]


def critic_gradient(critic, points, h=1e-6):
    """The gradient of a critic at each point, by central differences."""
    steps = h * np.eye(points.shape[1])
    return np.stack([(critic(points + s) - critic(points - s)) / (2 * h) for s in steps], axis=1)


@pytest.mark.claim("C10")
def test_unit_gradient_of_the_critic(claim):
    """An optimal critic falls with slope 1 along transport segments; without γ(x = y) = 0 it may be flat."""
    claim.source("I")
    x, y, partner = matched_pairs()
    critic = dv.kantorovich_rubinstein(x, y).critic
    length = np.linalg.norm(x - partner, axis=1)
    drop = critic(x) - critic(partner)
    claim.check(
        "f*(x) − f*(y) less ‖x − y‖, largest of 40", expected=0, measured=np.abs(drop - length).max(), tolerance=1e-9
    )
    for t in (0.1, 0.5, 0.9):
        between = t * x + (1 - t) * partner
        off = np.abs(critic(between) - (critic(partner) + t * length)).max()
        claim.check(f"linear at t = {t:g}: largest error", expected=0, measured=off, tolerance=1e-9)
        norms = np.linalg.norm(critic_gradient(critic, between), axis=1)
        claim.check(
            f"‖∇f*‖ at t = {t:g}: farthest from 1", expected=0, measured=np.abs(norms - 1).max(), tolerance=1e-4
        )

    half_way = critic_gradient(critic, (x + partner) / 2)
    claim.figure(
        lambda: figures.critic_and_pairs(critic, x, partner, {"∇f*, length 1": half_way}),
        "an optimal critic's level lines, and its gradient half-way along the transport segments",
    )

    unit = (np.arange(50) + 0.5) / 50
    p, q = np.concatenate([unit, unit + 2]), np.concatenate([unit, unit + 4])
    flat = lambda v: -np.clip(v, 2, 5)
    w = dv.wasserstein(p, q).cost
    claim.check("½U[0,1] + ½U[2,3] and ½U[0,1] + ½U[4,5]: W", expected=1, measured=w, tolerance=1e-12)
    claim.check("reached by a 1-Lipschitz f", expected=w, measured=flat(p).mean() - flat(q).mean(), tolerance=1e-12)
    slopes = critic_gradient(lambda v: flat(v[:, 0]), unit[:, None])[:, 0]
    claim.refutes("gradient norm 1 on the half that does not move", printed=1, measured=np.abs(slopes), margin=0.9)


@pytest.mark.claim("C11")
def test_direction_of_the_gradient(claim):
    """With x ~ π and objective E_π f − E_p f the gradient at x_t points to x, not to y as printed."""
    claim.source("I")
    x, y, partner = matched_pairs(seed=12)
    critic = dv.kantorovich_rubinstein(x, y).critic
    unit = lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)
    for t in (0.2, 0.5, 0.8):
        between = t * x + (1 - t) * partner
        gradient = critic_gradient(critic, between)
        inner = lambda direction, gradient=gradient: np.sum(gradient * direction, axis=1)
        towards_x = inner(unit(x - between))
        claim.check(
            f"t = {t:g}: ⟨∇f*, (x − x_t)/‖·‖⟩, farthest from 1",
            expected=0,
            measured=np.abs(towards_x - 1).max(),
            tolerance=1e-4,
        )
        claim.refutes(
            f"t = {t:g}: ⟨∇f*, (y − x_t)/‖·‖⟩", printed=1, measured=inner(unit(partner - between)), margin=1.9
        )
    half_way = (x + partner) / 2
    arrows = {"∇f*": critic_gradient(critic, half_way), "as printed": unit(partner - half_way)}
    claim.figure(
        lambda: figures.critic_and_pairs(critic, x, partner, arrows),
        "half-way along the segments the gradient points to x; the printed direction points to y",
    )


def between_generations(data, distance):
    """JSD and W of the data and of a generator that makes the same points, moved."""
    generated = data + distance * np.array([0.6, 0.8])
    atoms, index = np.unique(np.concatenate([data, generated]), axis=0, return_inverse=True)
    counts = [np.bincount(part, minlength=len(atoms)) / len(data) for part in np.split(index, 2)]
    return dv.js(*counts), dv.wasserstein(data, generated).cost


def approaching(data):
    """JSD and W of 21 generations."""
    generations = np.linspace(0, 100, 21)
    jsd, w = np.transpose([between_generations(data, 5 * (1 - k / 100)) for k in generations])
    return figures.curves(generations, {"W": w, "JSD": jsd}, xlabel="generation k of G_k", style="o")


@pytest.mark.claim("C12")
def test_far_and_near_generators(claim):
    """JSD cannot tell a far generator from a near one, both log 2, and is 0 only at the data; W falls all the way."""
    claim.source("W")
    data = np.random.default_rng(13).normal(size=(80, 2))
    distances = {0: 5.0, 50: 0.5, 100: 0.0}
    jsd, w = np.transpose([between_generations(data, distance) for distance in distances.values()])
    claim.check("JSD of G_0, G_50, G_100", expected=[log(2), log(2), 0], measured=jsd, tolerance=1e-12)
    claim.check("W of G_0, G_50, G_100", expected=list(distances.values()), measured=w, tolerance=1e-9)
    claim.figure(lambda: approaching(data), "a generator that comes nearer, 5 away at first and at the data in the end")


@pytest.mark.claim("C15")
def test_one_function_needs_a_metric(claim):
    """For a cost that is no metric the (f, g) dual holds, but one function f is not enough: 2 of 4 for squares."""
    claim.source("W")
    squared = np.subtract.outer(np.arange(3.0), np.arange(3.0)) ** 2
    p, q = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    result = dv.transport(squared, p, q)
    claim.check("primal", expected=4, measured=result.cost, tolerance=1e-12)
    f, g = result.potentials
    claim.check("(f, g) dual", expected=4, measured=p @ f + q @ g, tolerance=1e-12)
    claim.at_most("its largest f + g − d", measured=(f[:, None] + g - squared).max(), bound=0, tolerance=1e-12)
    one = best_one_function(p, q, squared)
    claim.check("one-function maximum", expected=2, measured=one, tolerance=1e-9)
    claim.refutes("one function reaches the primal", printed=result.cost, measured=one, margin=1.9)
    metric = dv.transport(np.sqrt(squared), p, q).cost
    claim.check(
        "for the metric |x − y| it does",
        expected=metric,
        measured=best_one_function(p, q, np.sqrt(squared)),
        tolerance=1e-9,
    )


@pytest.mark.claim("C16")
def test_c_transform_repairs_the_step(claim):
    """∫pf + qg ≤ ∫pf − qf proves nothing, as (f, −f) may be infeasible; −f^c is feasible and better."""
    claim.source("W")
    d, p, q = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
    f, g = np.array([10.0, 0.0]), np.array([-10.0, -10.0])
    w = dv.transport(d, p, q).cost
    claim.check("W", expected=1, measured=w, tolerance=1e-12)
    claim.at_most("(f, g): largest f + g − d", measured=(f[:, None] + g - d).max(), bound=0)
    claim.check("∫pf − qf", expected=10, measured=p @ f - q @ f)
    claim.refutes("∫pf − qf ≤ W", printed=w, measured=p @ f - q @ f, margin=8)
    transformed = lambda f, d: -(d - f[:, None]).min(axis=0)
    h = transformed(f, d)
    claim.at_most("h = −f^c: ∫ph − qh", measured=p @ h - q @ h, bound=w)

    rng = np.random.default_rng(16)
    worst_slope, worst_loss, worst_excess = 0.0, -np.inf, -np.inf
    for _ in range(200):
        x = rng.normal(size=(6, 2))
        d, (p, q) = cdist(x, x), rng.dirichlet(np.ones(6), 2)
        f = rng.normal(size=6)
        g = (d - f[:, None]).min(axis=0) - rng.exponential(size=6)
        h = transformed(f, d)
        worst_slope = max(worst_slope, np.max(np.abs(h[:, None] - h) - d))
        worst_loss = max(worst_loss, p @ f + q @ g - (p @ h - q @ h))
        worst_excess = max(worst_excess, p @ h - q @ h - dv.transport(d, p, q).cost)
    claim.at_most("200 feasible pairs: h steeper than 1 by", measured=worst_slope, bound=0, tolerance=1e-14)
    claim.at_most("∫pf + qg less ∫ph − qh", measured=worst_loss, bound=0, tolerance=1e-14)
    claim.at_most("∫ph − qh less W", measured=worst_excess, bound=0, tolerance=1e-12)
