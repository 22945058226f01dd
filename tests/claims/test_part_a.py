"""Part A: divergences on known distributions."""

from math import inf, log

import numpy as np
import pytest
import torch

import divergences as dv


def line(theta, heights):
    """Points of the vertical line {theta} x [0, 1]."""
    return np.column_stack([np.full_like(heights, theta), heights])


def as_pmfs(x, y):
    """The laws of two point sets as probability vectors on the union of their atoms."""
    atoms, index = np.unique(np.concatenate([x, y]), axis=0, return_inverse=True)
    p = np.bincount(index[: len(x)], minlength=len(atoms)) / len(x)
    q = np.bincount(index[len(x) :], minlength=len(atoms)) / len(y)
    return p, q


@pytest.mark.claim("A3")
def test_parallel_lines(claim):
    """Lines θ apart: KL = reverse KL = ∞, JSD = log 2, W = |θ|; all 0 at θ = 0; only W has a gradient in θ."""
    claim.source("I", "S")
    heights = {"grid": (np.arange(300) + 0.5) / 300, "samples": np.random.default_rng(0).uniform(size=300)}
    for kind, h in heights.items():
        for theta in (-1.5, -0.25, 0.0, 0.4, 2.0):
            p, q = as_pmfs(line(0.0, h), line(theta, h))
            apart = theta != 0
            where = f"{kind}, θ = {theta:g}"
            claim.check(f"{where}: KL", expected=inf if apart else 0, measured=dv.kl(p, q))
            claim.check(f"{where}: reverse KL", expected=inf if apart else 0, measured=dv.reverse_kl(p, q))
            claim.check(f"{where}: JSD", expected=log(2) if apart else 0, measured=dv.js(p, q), tolerance=1e-12)
            transport = dv.wasserstein(line(0.0, h), line(theta, h))
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
