"""Part D: the GAN game."""

from math import log

import numpy as np
import pytest

import divergences as dv
from gan.objectives import OBJECTIVES
from tests.laws.objective_laws import best_critic

MINIMAX = OBJECTIVES["minimax"]


def random_pmfs(count, size, seed=0):
    rng = np.random.default_rng(seed)
    # Away from the corners: a best critic of log(p/q) is then found to many digits.
    return 0.9 * rng.dirichlet(np.ones(size), count) + 0.1 / size


@pytest.mark.claim("D1")
def test_best_discriminator(claim):
    """a log y + b log(1 − y) is maximal at y = a/(a + b), so that the best discriminator is D* = p/(p + q)."""
    claim.source("S", "N")
    y = np.linspace(0, 1, 100_001)
    for a, b in [(0.3, 0.7), (2.0, 0.5), (1.0, 0.0), (0.0, 1.0), (1e-3, 1.0)]:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(a == 0, 0.0, a * np.log(y)) + np.where(b == 0, 0.0, b * np.log1p(-y))
        claim.check(
            f"argmax for a = {a:g}, b = {b:g}", expected=a / (a + b), measured=y[value.argmax()], tolerance=1e-5
        )
    for k, (p, q) in enumerate(zip(random_pmfs(5, 4), random_pmfs(5, 4, seed=1), strict=True)):
        _, scores = best_critic(MINIMAX, p, q)
        what = f"D* found by optimisation, pair {k + 1}"
        claim.check(what, expected=p / (p + q), measured=1 / (1 + np.exp(-scores)), tolerance=1e-6)


@pytest.mark.claim("D2")
def test_value_at_the_best_discriminator(claim):
    """V(G, D*) = −log 4 + 2 JSD(p, q), which is −log 4 exactly at p_g = p and above it everywhere else."""
    claim.source("S", "N")
    for k, (p, q) in enumerate(zip(random_pmfs(10, 5, seed=2), random_pmfs(10, 5, seed=3), strict=True)):
        loss, _ = best_critic(MINIMAX, p, q)
        expected = -log(4) + 2 * float(dv.js(p, q))
        claim.check(f"V(G, D*), pair {k + 1}", expected=expected, measured=-loss, tolerance=1e-9)
        claim.at_most(f"−log 4 below V, pair {k + 1}", measured=-log(4) + 1e-3, bound=-loss)
        same, _ = best_critic(MINIMAX, p, p)
        assert abs(same - log(4)) < 1e-15
    p = random_pmfs(1, 5, seed=4)[0]
    loss, scores = best_critic(MINIMAX, p, p)
    claim.check("V at p_g = p", expected=-log(4), measured=-loss, tolerance=1e-15)
    claim.check("D* at p_g = p", expected=np.full(5, 0.5), measured=1 / (1 + np.exp(-scores)), tolerance=1e-12)
    claim.check("the same by `gan_value`", expected=-log(4), measured=float(dv.gan_value(p, p)), tolerance=1e-15)
