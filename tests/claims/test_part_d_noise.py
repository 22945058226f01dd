"""Part D: noise on the inputs of the discriminator."""

from math import log

import numpy as np
import pytest
import torch

import divergences as dv
from tests.claims.games import MINIMAX, WEIGHTS, Z, log_ratio, pull
from tests.claims.laws import gaussian, gradient
from tests.laws.objective_laws import best_critic


def noisy_lines(theta):
    """Two parallel lines θ apart in units of the noise: their laws across; along the lines they agree."""
    x = torch.linspace(-12, 32, 2201, dtype=torch.float64)
    return gaussian(x), gaussian(x, theta)


@pytest.mark.claim("D13")
def test_noise_makes_jsd_smooth(claim):
    """With noise σ the JSD of parallel lines rises strictly with |θ| up to 12 σ, with a gradient everywhere."""
    claim.source("I", "N")
    thetas = np.arange(0.25, 12.25, 0.25)
    jsd = np.array([float(dv.js(*noisy_lines(theta))) for theta in thetas])
    claim.at_least("least rise per σ/4", measured=np.diff(jsd).min(), bound=1e-12)
    claim.at_most("its value at 12 σ", measured=jsd[-1], bound=log(2) - 1e-12)
    slopes = [gradient(lambda t: dv.js(*noisy_lines(t)), theta)[0] for theta in (-12.0, -1.0, 1.0, 6.0, 12.0)]
    claim.check("signs of dJSD/dθ at −12, −1, 1, 6, 12 σ", expected=[-1, -1, 1, 1, 1], measured=np.sign(slopes))
    claim.at_least("smallest |dJSD/dθ| of these", measured=np.abs(slopes).min(), bound=1e-9)
    claim.check("at θ = 0", expected=0, measured=gradient(lambda t: dv.js(*noisy_lines(t)), 0.0)[0], tolerance=1e-15)
    claim.check("beyond 17 σ, rounded", expected=log(2), measured=float(dv.js(*noisy_lines(18.0))), tolerance=3e-16)

    # In the plane, noise along the lines included, and the discriminator found by optimisation.
    across, along = np.linspace(-6, 8, 57), np.linspace(-3, 4, 29)
    height = sum(gaussian(along, h, 1.0) for h in np.linspace(0, 1, 21)) / 21
    p, q = (np.outer(gaussian(across, t), height).ravel() for t in (0.0, 2.0))
    flat = dv.js(*noisy_lines(2.0))
    claim.check("in the plane, θ = 2 σ: JSD", expected=float(flat), measured=dv.js(p, q), tolerance=1e-9)
    coarse = np.linspace(-4, 6, 11)
    p, q = (np.asarray(gaussian(coarse, mean)) for mean in (0.0, 2.0))
    _, scores = best_critic(MINIMAX, p, q)
    claim.check("best noisy discriminator", expected=p / (p + q), measured=1 / (1 + np.exp(-scores)), tolerance=1e-4)


def density(x, mean, variance):
    """The density of a Gaussian in torch."""
    return torch.exp(-((x - mean) ** 2) / (2 * variance)) / (2 * torch.pi * variance) ** 0.5


def attraction_and_repulsion(mean, sd, noise):
    """The two terms of the printed formula, in (mean, sd): E a ∫ p_ε ∇‖g − y‖² dP, and E b ∫ p_ε ∇‖g − y‖² dP_g."""
    g = mean + sd * Z
    p, q = density(g, 0.0, 1 + noise**2), density(g, mean, sd**2 + noise**2)
    a = 1 / (2 * noise**2 * (p + q))
    kernel = lambda y: density(g[:, None], y, torch.tensor(noise**2)) * 2 * (g[:, None] - y)
    y, weights = Z[::4], gaussian(Z[::4])
    pulled, pushed = kernel(y) @ weights, kernel(mean + sd * y) @ weights
    terms = a * pulled, a * p / q * pushed
    return [[float(WEIGHTS @ (t * by)) for by in (torch.ones_like(Z), Z)] for t in terms]


def moving(mean, sd, noise):
    """The derivatives of E log(1 − D*(g)) in mean and sd where the optimal noisy D* moves along."""

    def loss(m, s):
        g = m + s * Z
        p, q = density(g, 0.0, 1 + noise**2), density(g, m, s**2 + noise**2)
        return WEIGHTS @ torch.log(q / (p + q))

    return gradient(loss, mean, sd)


@pytest.mark.claim("D14")
def test_noisy_gradient(claim):
    """Attraction to data less repulsion from samples is the gradient under a noisy D* held fixed."""
    claim.source("N")
    mean, sd, noise = 0.7, 0.8, 0.5
    frozen = pull(MINIMAX.generator_loss, log_ratio(mean, sd, noise), mean, sd)[0]
    attraction, repulsion = (term[0] for term in attraction_and_repulsion(mean, sd, noise))
    claim.check("attraction − repulsion", expected=frozen, measured=attraction - repulsion, tolerance=1e-9)
    claim.check("as listed", expected=0.27137, measured=frozen, tolerance=5e-6)
    along = moving(mean, sd, noise)[0]
    claim.check("D* moving along, as listed", expected=0.17652, measured=along, tolerance=5e-6)
    claim.check("in a location family: the attraction alone", expected=attraction, measured=along, tolerance=1e-9)
    claim.at_least("the difference of the two", measured=frozen - along, bound=0.09)


@pytest.mark.claim("D40")
def test_large_noise(claim):
    """For large noise the gradient becomes attraction to the data's mean: (mean_g − mean_x)/(2σ²)."""
    claim.source("N")
    relative = []
    for noise, listed in ((5.0, 0.013355), (20.0, 8.7236e-4), (80.0, None)):
        frozen = pull(MINIMAX.generator_loss, log_ratio(0.7, 0.8, noise), 0.7, 0.8)[0]
        limit = 0.7 / (2 * noise**2)
        if listed:
            claim.check(f"σ = {noise:g}: as listed", expected=listed, measured=frozen, tolerance=5e-5 * listed)
        relative.append(1 - frozen / limit)
        claim.check(f"σ = {noise:g}: over its limit", expected=1, measured=frozen / limit, tolerance=1.3 / noise**2)
    ratios = np.array(relative[:-1]) / relative[1:]
    claim.check("what is missing falls as 1/σ²", expected=16, measured=ratios, tolerance=1.0)


@pytest.mark.claim("D41")
def test_noisy_gradient_of_the_scale(claim):
    """For a scale parameter attraction alone, both terms, and a moving D* are three different numbers."""
    claim.source("N")
    mean, sd, noise = 0.7, 0.8, 0.5
    frozen = pull(MINIMAX.generator_loss, log_ratio(mean, sd, noise), mean, sd)[1]
    attraction, repulsion = (term[1] for term in attraction_and_repulsion(mean, sd, noise))
    along = moving(mean, sd, noise)[1]
    claim.check("frozen", expected=-0.183971, measured=frozen, tolerance=5e-7)
    listed = [0.249646, 0.433617]
    claim.check("attraction, repulsion", expected=listed, measured=[attraction, repulsion], tolerance=5e-7)
    claim.check("their difference", expected=frozen, measured=attraction - repulsion, tolerance=1e-9)
    claim.check("moving", expected=-0.263899, measured=along, tolerance=5e-7)
    apart = np.diff(np.sort([attraction, frozen, along])).min()
    claim.at_least("least difference of the three", measured=apart, bound=0.05)
