"""Part B: what the family's activations, weights and bounds are."""

import re

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import rel_entr

import divergences as dv
from gan.objectives import OBJECTIVES
from gan.recipes import RECIPES
from tests.claims.laws import random_pmfs

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])


@pytest.mark.claim("B6")
def test_output_activations(claim):
    """Activations map ℝ into dom f*; −log(1 + e^{−v}) turns the bound into the GAN objective with D = sigmoid(v)."""
    claim.source("E")
    v = np.linspace(-50, 50, 2001)
    for name, d in dv.CATALOGUE.items():
        t = d.activation(v)
        claim.check(f"{name}: finite f* on g(ℝ)", expected=1, measured=np.isfinite(d.conjugate(t)).all())
        claim.at_least(f"{name}: least rise of g", measured=np.diff(t).min(), bound=0, tolerance=1e-14)
        claim.at_least(f"{name}: least rise of g on [−2, 2]", measured=np.diff(t[np.abs(v) <= 2]).min(), bound=1e-4)
    gan = dv.gan_value.activation(v)
    claim.check(
        "g_GAN(v) + log(1 + e^{−v})", expected=0, measured=np.abs(gan + np.logaddexp(0, -v)).max(), tolerance=1e-14
    )
    real, fake = (torch.tensor(np.random.default_rng(s).normal(0, 3, (20, 40))) for s in (0, 1))
    log_d, log_not_d = torch.log(torch.sigmoid(real)), torch.log1p(-torch.sigmoid(fake))
    textbook = (log_d.mean(-1) + log_not_d.mean(-1)).numpy()
    for name in ("fgan-gan", "minimax"):
        off = np.abs(OBJECTIVES[name].estimate(real, fake).numpy() - textbook).max()
        claim.check(f"{name} and E log D + E log(1 − D)", expected=0, measured=off, tolerance=1e-10)
        loss = OBJECTIVES[name].critic_loss(real, fake).numpy()
        claim.check(f"{name}: critic's loss", expected=-textbook[0], measured=loss[0], tolerance=1e-10)


@pytest.mark.claim("B11")
def test_citation_of_f_gan(claim):
    """The cited arXiv 1406.2661 is the GAN paper of 2014; f-GAN is 1606.00709, of 2016."""
    claim.source("E")
    year = lambda recipe: int(next(iter(re.findall(r"\((\d{4})\)", RECIPES[recipe].source))))
    arxiv = lambda number: 2000 + int(number[:2])
    claim.check("year of GAN", expected=arxiv("1406.2661"), measured=year("minimax"))
    claim.check("year of f-GAN", expected=arxiv("1606.00709"), measured=[year(r) for r in RECIPES if "fgan" in r])
    claim.refutes("year of f-GAN by the citation", printed=arxiv("1406.2661"), measured=year("fgan-js"))


@pytest.mark.claim("B12")
def test_weighted_jensen_shannon(claim):
    """π KL(p‖m) + (1 − π) KL(q‖m), m = πp + (1 − π)q, has the printed conjugate; π = ½ gives JSD."""
    claim.source("W")
    p, q = random_pmfs(50, 4), random_pmfs(50, 4, seed=1)
    for w in (0.1, 0.3, 0.5, 0.8):
        d, m = dv.weighted_js(w), w * p + (1 - w) * q
        definition = w * rel_entr(p, m).sum(1) + (1 - w) * rel_entr(q, m).sum(1)
        off = np.abs(d(p, q) - definition).max()
        claim.check(f"π = {w:g}: value", expected=0, measured=off, tolerance=1e-15)
        t = d.domain[1] - np.array([0.01, 0.1, 1.0, 5.0])
        printed = (1 - w) * np.log((1 - w) / (1 - w * np.exp(t / w)))
        claim.check(f"π = {w:g}: conjugate", expected=printed, measured=d.conjugate(t), tolerance=1e-12)
        brute = [supremum(w, s) for s in t[1:]]
        claim.check(f"π = {w:g}: by brute force", expected=brute, measured=d.conjugate(t[1:]), tolerance=1e-8)
    off = np.abs(dv.weighted_js(0.5)(p, q) - dv.js(p, q)).max()
    claim.check("π = ½ and JSD", expected=0, measured=off, tolerance=1e-15)
    t = np.array([-3.0, -0.2, 0.3])
    same = dv.js.conjugate(t)
    claim.check("π = ½: conjugate of JSD", expected=same, measured=dv.weighted_js(0.5).conjugate(t), tolerance=1e-14)


def supremum(w, t):
    """The largest t u − f(u) of the weighted generator over a fine grid of u."""
    u = np.exp(np.linspace(-40, 10, 500_001))
    return np.max(t * u - w * u * np.log(u) + (1 - w + w * u) * np.log(1 - w + w * u))


@pytest.mark.claim("B13")
def test_jensen_shannon_is_no_combination(claim):
    """JSD combines KLs to the mixture, not KL and reverse KL: these are the limits of JS_π/π and JS_π/(1 − π)."""
    claim.source("E")
    forward, backward = rel_entr(P, Q).sum(), rel_entr(Q, P).sum()
    for w, tolerance in ((1e-3, 1e-3), (1e-6, 1e-6)):
        at_zero, at_one = dv.weighted_js(w)(P, Q) / w, dv.weighted_js(1 - w)(P, Q) / w
        claim.check(f"JS_π/π at π = {w:g}", expected=forward, measured=at_zero, tolerance=tolerance)
        claim.check(f"JS_π/(1 − π) at π = 1 − {w:g}", expected=backward, measured=at_one, tolerance=tolerance)
    claim.check("both at 1e-6", expected=[0.2180117, 0.2392779], measured=[at_zero, at_one], tolerance=6e-8)
    m = (P + Q) / 2
    claim.check(
        "(KL(p‖m) + KL(q‖m))/2", expected=dv.js(P, Q), measured=(dv.kl(P, m) + dv.kl(Q, m)) / 2, tolerance=1e-15
    )
    claim.refutes(
        "JSD as the mean of KL and reverse KL", printed=dv.jeffreys(P, Q) / 2, measured=dv.js(P, Q), margin=0.1
    )
    # Equal in both KLs, not in JSD: no function of the two, whatever the combination.
    half, none = ([0.5, 0.5, 0.0], [0.5, 0.0, 0.5]), ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    both = [[dv.kl(*pair), dv.reverse_kl(*pair)] for pair in (half, none)]
    claim.check("two pairs: KL and reverse KL of the second", expected=both[0], measured=both[1])
    claim.refutes(
        "two pairs: JSD of the second as of the first", printed=dv.js(*half), measured=dv.js(*none), margin=0.3
    )


def best_bound(d, p, q, features):
    """The largest bound E_p g(v) − E_q f*(g(v)) over scores v = features @ weights."""

    def loss_and_slope(weights):
        w = torch.tensor(weights, requires_grad=True)
        v = torch.tensor(features) @ w
        loss = torch.tensor(q) @ d.conjugate_activation(v) - torch.tensor(p) @ d.activation(v)
        (slope,) = torch.autograd.grad(loss, w)
        return float(loss.detach()), slope.numpy()

    found = minimize(loss_and_slope, np.zeros(features.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-9})
    t = d.activation(features @ found.x)
    return float(d.lower_bound(t, t, p=p, q=q))


@pytest.mark.claim("B15")
def test_what_makes_the_bound_loose(claim):
    """Exchanging supremum and sum costs nothing: over all T the bound is D; only a restricted class is below."""
    claim.source("E")
    x = np.linspace(-1, 1, 5)
    p, q = np.array([0.3, 0.1, 0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.35, 0.25, 0.1])
    for name, d in dv.CATALOGUE.items():
        truth, critic = float(d(p, q)), d.optimal_critic(p, q)
        bound = d.lower_bound(critic, critic, p=p, q=q)
        claim.check(f"{name}: at T = f′(p/q)", expected=truth, measured=bound, tolerance=1e-14)
        t = d.activation(np.linspace(-12, 12, 48_001))  # T at one point, anywhere in the domain
        inside = q @ np.max((p / q)[:, None] * t - d.conjugate(t), axis=1)
        claim.check(f"{name}: Σ q sup over t", expected=truth, measured=inside, tolerance=1e-4)
        linear = best_bound(d, p, q, np.stack([np.ones(5), x], axis=1))
        share = (linear - d.f_at_one) / (truth - d.f_at_one)
        claim.at_most(f"{name}: share that linear scores gain", measured=share, bound=0.9)
    free = best_bound(dv.kl, p, q, np.eye(5))
    truth, linear = float(dv.kl(p, q)), best_bound(dv.kl, p, q, np.stack([np.ones(5), x], axis=1))
    claim.check("kl: sup over all T of the sum", expected=truth, measured=free, tolerance=1e-12)
    claim.refutes("kl: gap put down to the exchange", printed=truth - linear, measured=truth - free, margin=0.05)
