"""Part A: divergences on known distributions."""

from math import inf, log

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import rel_entr
from scipy.stats import norm

import divergences as dv
from tests.claims import figures
from tests.claims.games import MINIMAX, log_ratio, pull, push_on_samples, separated_lines, trained_discriminators
from tests.claims.laws import gaussian, gaussian_kl, random_pmfs


@pytest.mark.claim("A1")
def test_definitions(claim):
    """KL, reverse KL and JSD are what they are defined to be; JSD is symmetric and fills [0, log 2]."""
    claim.source("I", "S", "E", "N", "W")
    p, q = random_pmfs(300, 5), random_pmfs(300, 5, seed=1)
    p[:50, :2] = 0  # outcomes that p, or q, or neither has
    q[25:75, 1:3] = 0
    p, q = (v / v.sum(axis=1, keepdims=True) for v in (p, q))
    m = (p + q) / 2
    defined = {
        "KL": (dv.kl, rel_entr(p, q).sum(1)),
        "reverse KL": (dv.reverse_kl, rel_entr(q, p).sum(1)),
        "JSD": (dv.js, (rel_entr(p, m) + rel_entr(q, m)).sum(1) / 2),
    }
    for name, (divergence, definition) in defined.items():
        measured, infinite = divergence(p, q), np.isinf(definition)
        claim.check(f"{name}: infinite on the same pairs", expected=1, measured=(np.isinf(measured) == infinite).all())
        error = np.abs(measured[~infinite] - definition[~infinite]).max()
        claim.check(f"{name}: largest error on the others", expected=0, measured=error, tolerance=1e-13)
    claim.check("JSD: largest asymmetry", expected=0, measured=np.abs(dv.js(p, q) - dv.js(q, p)).max(), tolerance=1e-15)
    claim.at_most("JSD: largest", measured=dv.js(p, q).max(), bound=log(2))
    claim.at_least("JSD: smallest", measured=dv.js(p, q).min(), bound=0)
    ends = [dv.js([0.5, 0.5], [0.5, 0.5]), dv.js([1.0, 0.0], [0.0, 1.0])]
    claim.check("JSD: of equal and of disjoint laws", expected=[0, log(2)], measured=ends, tolerance=1e-15)

    x = np.linspace(-15, 16, 3101)
    for mean, sd in ((0.7, 0.8), (2.0, 1.5)):
        p, q, where = gaussian(x), gaussian(x, mean, sd), f"N(0, 1), N({mean:g}, {sd:g}²)"
        claim.check(f"{where}: KL", expected=gaussian_kl(0, 1, mean, sd), measured=dv.kl(p, q), tolerance=1e-12)
        reverse = gaussian_kl(mean, sd, 0, 1)
        claim.check(f"{where}: reverse KL", expected=reverse, measured=dv.reverse_kl(p, q), tolerance=1e-12)
        claim.check(f"{where}: JSD", expected=gaussian_jsd(mean, sd), measured=dv.js(p, q), tolerance=1e-9)


def gaussian_jsd(mean, sd):
    """JSD of N(0, 1) and N(mean, sd²) by quadrature of the densities."""

    def integrand(x):
        p, q = norm.pdf(x), norm.pdf(x, mean, sd)
        return (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)) / 2

    return quad(integrand, -14, 16, points=[0, mean], epsabs=1e-11, epsrel=1e-11, limit=200)[0]


@pytest.mark.claim("A2")
def test_divergences_separate(claim):
    """A divergence is at least 0, and 0 only at equality; the GAN value has −log 4 for 0, and some do not separate."""
    claim.source("I")
    p, q = random_pmfs(200, 4, seed=2), random_pmfs(200, 4, seed=3)
    near = p + 1e-6 * np.array([1, -1, 0, 0]) * p.min(axis=1, keepdims=True)
    for name, d in dv.CATALOGUE.items():
        least = -log(4) if name == "gan" else 0
        at_equality = np.abs(d(p, p) - least).max()
        claim.check(f"{name}: at p = q, farthest from its least", expected=0, measured=at_equality, tolerance=1e-15)
        if d.separates:
            # Beside −log 4, rounding hides what nearly equal laws add.
            others = d(p, q) if name == "gan" else np.concatenate([d(p, q), d(p, near)])
            claim.at_least(f"{name}: smallest over its least at p ≠ q", measured=others.min() - least, bound=1e-30)
        else:
            apart = d([0.5, 0.5], [0.4, 0.6])
            claim.check(f"{name}: does not separate (.5, .5) from (.4, .6)", expected=0, measured=apart)
    blind = sum(not d.separates for d in dv.CATALOGUE.values())
    claim.at_least("entries that do not separate", measured=blind, bound=1)


def line(theta, heights):
    """Points of the vertical line {theta} x [0, 1]."""
    return np.column_stack([np.full_like(heights, theta), heights])


def as_pmfs(x, y):
    """The laws of two point sets as probability vectors on the union of their atoms."""
    atoms, index = np.unique(np.concatenate([x, y]), axis=0, return_inverse=True)
    p = np.bincount(index[: len(x)], minlength=len(atoms)) / len(x)
    q = np.bincount(index[len(x) :], minlength=len(atoms)) / len(y)
    return p, q


def between_lines(theta, heights):
    """KL, reverse KL, JSD and the optimal transport between a vertical line at 0 and one at θ."""
    p, q = as_pmfs(line(0.0, heights), line(theta, heights))
    return dv.kl(p, q), dv.reverse_kl(p, q), dv.js(p, q), dv.wasserstein(line(0.0, heights), line(theta, heights))


def lines_in_steps():
    """KL, JSD and W for θ from −1 to 1."""
    thetas = np.linspace(-1, 1, 41)
    heights = (np.arange(40) + 0.5) / 40
    kl, _, jsd, transport = zip(*(between_lines(theta, heights) for theta in thetas), strict=True)
    w = [result.cost for result in transport]
    return figures.lines_apart(thetas, {"KL": kl, "JSD": jsd, "W": w})


@pytest.mark.claim("A3")
def test_parallel_lines(claim):
    """Lines θ apart: KL = reverse KL = ∞, JSD = log 2, W = |θ|; all 0 at θ = 0; only W has a gradient in θ."""
    claim.source("I", "S")
    heights = {"grid": (np.arange(300) + 0.5) / 300, "samples": np.random.default_rng(0).uniform(size=300)}
    for kind, h in heights.items():
        for theta in (-1.5, -0.25, 0.0, 0.4, 2.0):
            kl, reverse_kl, jsd, transport = between_lines(theta, h)
            apart = theta != 0
            where = f"{kind}, θ = {theta:g}"
            claim.check(f"{where}: KL", expected=inf if apart else 0, measured=kl)
            claim.check(f"{where}: reverse KL", expected=inf if apart else 0, measured=reverse_kl)
            claim.check(f"{where}: JSD", expected=log(2) if apart else 0, measured=jsd, tolerance=1e-12)
            claim.check(f"{where}: W", expected=abs(theta), measured=transport.cost, tolerance=1e-9)
            assert transport.lower <= abs(theta) + 1e-12
            assert abs(theta) - 1e-12 <= transport.upper

    h = heights["samples"]
    for side in (-0.5, 0.5):
        theta = torch.tensor(side, dtype=torch.float64, requires_grad=True)
        moved = torch.stack([theta.expand(len(h)), torch.tensor(h)], dim=1)
        dv.wasserstein(torch.tensor(line(0.0, h)), moved).cost.backward()
        assert theta.grad is not None
        claim.check(f"dW/dθ at {side:+g}", expected=np.sign(side), measured=float(theta.grad), tolerance=1e-9)
        left, right = (dv.js(*as_pmfs(line(0.0, h), line(side + step, h))) for step in (-1e-3, 1e-3))
        claim.check(f"dJSD/dθ at {side:+g}", expected=0, measured=(right - left) / 2e-3, tolerance=1e-9)

    rng = np.random.default_rng(1)
    independent = dv.wasserstein(line(0.0, rng.uniform(size=300)), line(0.4, rng.uniform(size=300)))
    claim.at_most("independent heights: W exceeds |θ| by", measured=independent.cost - 0.4, bound=0.1)
    claim.at_most("and is not below it, -excess", measured=0.4 - independent.cost, bound=0.0, tolerance=1e-9)
    claim.figure(lines_in_steps, "vertical lines θ apart: only W says how far, and which way is nearer")


@pytest.mark.claim("A4")
def test_disjoint_supports(claim):
    """Disjoint supports: KL = ∞ both ways, JSD = log 2 wherever they lie: the best discriminator has no gradient."""
    claim.source("I", "N")
    p, q = np.hstack([random_pmfs(100, 3), np.zeros((100, 4))]), np.hstack([np.zeros((100, 3)), random_pmfs(100, 4)])
    claim.check("KL, smallest of 100", expected=inf, measured=dv.kl(p, q).min())
    claim.check("reverse KL, smallest of 100", expected=inf, measured=dv.reverse_kl(p, q).min())
    off = np.abs(dv.js(p, q) - log(2)).max()
    claim.check("JSD − log 2, largest of 100", expected=0, measured=off, tolerance=1e-15)

    # A law that moves without touching the other: JSD does not see it.
    box = lambda left: np.where((np.arange(400) >= 100 * left) & (np.arange(400) < 100 * left + 100), 0.01, 0.0)
    thetas = np.array([1.2, 1.7, 2.4, 3.0])
    slopes = np.diff([dv.js(box(0), box(theta)) for theta in thetas]) / np.diff(thetas)
    claim.check("U[0,1] and U[θ,θ+1], θ > 1: slopes of JSD", expected=[0, 0, 0], measured=slopes, tolerance=1e-14)
    for apart in (4.0, 10.0, 20.0):
        slope = pull(MINIMAX.generator_loss, log_ratio(apart, 1.0), apart, 1.0)[0]
        bound = apart / 2 * np.exp(-(apart**2) / 8)  # since p q/(p + q) ≤ ½ √(p q)
        claim.at_most(f"N(0,1) and N({apart:g},1): generator's slope under D*", measured=abs(slope), bound=bound)
    real, fake = separated_lines(64)
    early, late = (
        push_on_samples(MINIMAX.generator_loss, trained_discriminators(real, fake, k), fake) for k in (30, 500)
    )
    ratio = (late / early).max()
    claim.at_most("trained on parallel lines: gradient after 500 steps over that after 30", measured=ratio, bound=0.1)


@pytest.mark.claim("A5")
def test_strength_of_convergence(claim):
    """On a compact space KL → 0 ⇒ JSD → 0 ⇒ W → 0; no arrow can be turned, and the last needs compactness."""
    claim.source("I")
    x = np.linspace(0, 1, 101)
    p, q = random_pmfs(100, 101, seed=4), random_pmfs(100, 101, seed=5)
    q[:50] = p[:50] + 0.05 * (q[:50] - p[:50])
    kl, jsd = dv.kl(p, q), dv.js(p, q)
    w = np.array([dv.wasserstein(x, x, a=a, b=b).cost for a, b in zip(p, q, strict=True)])
    # The arrows with rates: JSD ≤ log 2 TV ≤ log 2 √(KL/2), and W ≤ diameter · TV ≤ √(2 JSD).
    claim.at_most("largest JSD/√KL", measured=(jsd / np.sqrt(kl)).max(), bound=log(2) / np.sqrt(2))
    claim.at_most("largest W/√JSD on [0, 1]", measured=(w / np.sqrt(jsd)).max(), bound=np.sqrt(2))
    uniform, tilt = np.full(101, 1 / 101), np.linspace(-1, 1, 101) / 101
    tilted = [uniform + tilt / t for t in (10, 100, 1000)]
    rows = [(dv.kl(uniform, b), dv.js(uniform, b), dv.wasserstein(x, x, a=uniform, b=b).cost) for b in tilted]
    shrink = np.array(rows[1:]) / rows[:-1]
    claim.check("tilt 1/t, t = 10, 100, 1000: KL and JSD shrink", expected=0.01, measured=shrink[:, :2], tolerance=1e-4)
    claim.check("and W, by", expected=0.1, measured=shrink[:, 2], tolerance=1e-9)

    for t in (10, 1000):
        point = dv.wasserstein([0.0], [1 / t]).cost
        claim.check(f"δ at 0 and 1/{t}: W", expected=1 / t, measured=point, tolerance=1e-15)
        shifted = np.full(t, 1 / t)
        p, q = np.append(shifted, 0.0), np.append(0.0, shifted)  # U[0,1] and U[1/t, 1 + 1/t] in cells of 1/t
        claim.check(f"U[0,1] and U[1/{t},1+1/{t}]: JSD", expected=log(2) / t, measured=dv.js(p, q), tolerance=1e-14)
        claim.check(f"U[0,1] and U[1/{t},1+1/{t}]: KL", expected=inf, measured=dv.kl(p, q))
        far = np.array([1 - 1 / t, 1 / t])  # a mass of 1/t at distance t: on no bounded space for all t
        claim.at_most(f"mass 1/{t} at distance {t}: JSD", measured=dv.js([1.0, 0.0], far), bound=log(2) / t)
        moved = dv.wasserstein([0.0], [0.0, t], b=far).cost
        claim.check(f"mass 1/{t} at distance {t}: W", expected=1, measured=moved, tolerance=1e-12)
    claim.check("δ apart, however near: JSD", expected=log(2), measured=dv.js([1.0, 0.0], [0.0, 1.0]), tolerance=1e-15)


@pytest.mark.claim("A7")
def test_what_each_kl_ignores(claim):
    """Where p = 0 forward KL ignores how q spreads its mass; where q = 0 reverse KL ignores p."""
    claim.source("E")
    p = np.array([0.6, 0.4, 0.0, 0.0, 0.0])
    spreads = np.hstack([np.full((50, 2), 0.25), 0.5 * random_pmfs(50, 3, seed=6)])
    kept = np.sum(p[:2] * np.log(p[:2] / 0.25))
    cases = {
        "KL(p‖q) where p = 0": (dv.kl(p, spreads), dv.reverse_kl(p, spreads)),
        "KL(q‖p) where q = 0": (dv.reverse_kl(spreads, p), dv.kl(spreads, p)),
    }
    for name, (values, other) in cases.items():
        claim.check(f"{name}: largest change over 50 spreads", expected=0, measured=np.ptp(values), tolerance=1e-15)
        claim.check(f"{name}: all comes from the rest", expected=kept, measured=values[0], tolerance=1e-14)
        claim.check(f"{name}: the other direction", expected=inf, measured=other.min())
    integrand = pointwise_kl([1e-12, 1 - 1e-12], [0.5, 0.5])[0]
    claim.check("p log(p/q) as p → 0", expected=1e-12 * log(2e-12), measured=integrand, tolerance=1e-15)


def pointwise_kl(p, q):
    """p log(p/q) per atom; what `contributions` adds to it, q − p, sums to zero."""
    return dv.kl.contributions(p, q) + np.asarray(p) - np.asarray(q)


@pytest.mark.claim("A8")
def test_costs_of_dropping_and_inventing(claim):
    """KL(p_g‖p_x) asks 0 for a dropped mode and ∞ for invented data; JSD asks ½ log 2 per unit of mass for each."""
    claim.source("N")
    drop, invent = ([0.5, 0.5], [1.0, 0.0]), ([1.0, 0.0], [0.5, 0.5])  # (p_x, p_g)
    claim.check("KL(p_g‖p_x), dropped mode", expected=0, measured=pointwise_kl(drop[1], drop[0])[1])
    claim.check("KL(p_g‖p_x), invented mode", expected=inf, measured=pointwise_kl(invent[1], invent[0])[1])
    for what, (p, q) in (("dropped", drop), ("invented", invent)):
        per_mass = dv.js.contributions(p, q)[1] / 0.5
        claim.check(f"JSD per unit of {what} mass", expected=log(2) / 2, measured=per_mass, tolerance=1e-15)
        claim.refutes(f"JSD per unit of {what} mass, printed log 2", printed=log(2), measured=per_mass, margin=0.3)
    limits = [dv.js.generator(1e-12), dv.js.generator(1e12) / 1e12]
    claim.check("limits of the integrand, p/q → 0 and ∞", expected=log(2) / 2, measured=limits, tolerance=1e-10)
    both = dv.js([0.5, 0.0, 0.5], [0.5, 0.5, 0.0]) / 0.5
    claim.check("both together", expected=log(2), measured=both, tolerance=1e-15)
    definition = (rel_entr([0.5, 0.5], [0.75, 0.25]).sum() + rel_entr(1.0, 0.75)) / 2
    claim.check("one of two equal modes dropped", expected=definition, measured=dv.js(*drop), tolerance=1e-15)


@pytest.mark.claim("A18")
def test_what_happens_at_zero(claim):
    """Parallel lines at θ = 0: JSD jumps from 0 to log 2; W = |θ| is Lipschitz with a kink, not smooth."""
    claim.source("S")
    heights = (np.arange(50) + 0.5) / 50
    w = lambda theta: float(dv.wasserstein(line(0.0, heights), line(theta, heights)).cost)
    jsd = lambda theta: float(dv.js(*as_pmfs(line(0.0, heights), line(theta, heights))))
    for h in (1e-2, 1e-6):
        slopes = [(w(0) - w(-h)) / h, (w(h) - w(0)) / h]
        claim.check(f"W: slopes left and right, h = {h:g}", expected=[-1, 1], measured=slopes, tolerance=1e-9)
        values = [jsd(-h), jsd(0), jsd(h)]
        claim.check(f"JSD at −h, 0, h = {h:g}", expected=[log(2), 0, log(2)], measured=values, tolerance=1e-12)
    claim.refutes("W smooth: one slope from both sides", printed=slopes[1], measured=slopes[0], margin=1)
    claim.refutes("JSD merely not differentiable: continuous", printed=jsd(0), measured=jsd(1e-6), margin=0.5)
    thetas = np.linspace(-0.5, 0.5, 11)
    rise = np.abs(np.diff([w(t) for t in thetas])) / np.diff(thetas)
    claim.at_most("W: largest Lipschitz quotient", measured=rise.max(), bound=1, tolerance=1e-9)
