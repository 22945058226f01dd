"""Part D: objectives as printed, recipes, and what finite samples and classes do."""

from math import log

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial import KDTree

import divergences as dv
from gan.constraints import WeightClipping
from gan.data import DATASETS, GaussianMixture
from gan.objectives import OBJECTIVES
from gan.optimisers import Adam
from gan.penalties import GradientPenalty, autograd_slope, between, excess, two_sided
from gan.random import Stream
from gan.recipes import RECIPES
from tests.claims.games import MINIMAX, NONSATURATING
from tests.claims.laws import gaussian, random_pmfs


@pytest.mark.claim("D21")
def test_printed_generator_steps(claim):
    """The conditional generator maximises Ṽ, so its step adds ∇Ṽ; the WGAN generator's objective has no logarithm."""
    claim.source("W")
    rng = np.random.default_rng(21)
    c, z, x = (
        torch.tensor(rng.choice([-1.0, 1.0], 40)),
        torch.tensor(rng.normal(size=40)),
        torch.tensor(rng.normal(size=40)),
    )
    start = torch.tensor([0.3, -0.2], dtype=torch.float64)  # G(c, z) = θ₀ c + θ₁ z
    sample = lambda theta: theta[0] * c + theta[1] * z
    score = lambda v: 0.8 * c + 1.5 * v - 0.4
    loss = lambda theta: NONSATURATING.generator_loss(score(x), score(sample(theta)))  # −Ṽ
    gradient = torch.autograd.functional.jacobian(loss, start)
    by_hand = [-float(((1 - torch.sigmoid(score(sample(start)))) * 1.5 * v).mean()) for v in (c, z)]
    claim.check("CGAN: −∇Ṽ by hand", expected=by_hand, measured=gradient, tolerance=1e-14)
    before, rate = -float(loss(start)), 0.1
    corrected, printed = (-float(loss(start + sign * rate * gradient)) for sign in (-1, 1))
    claim.at_least("CGAN, corrected step: log D(G(c, z)) rises by", measured=corrected - before, bound=1e-3)
    claim.refutes("CGAN, printed step: log D(G(c, z))", printed=corrected, measured=printed, margin=1e-3)
    claim.at_least("CGAN, printed step: it falls by", measured=before - printed, bound=1e-3)

    wasserstein = OBJECTIVES["wasserstein"].generator_loss
    stray = lambda theta: score(x).log().mean() - score(sample(theta)).mean()
    without = lambda theta: wasserstein(score(x), score(sample(theta)))
    slopes = [torch.autograd.functional.jacobian(f, start) for f in (stray, without)]
    claim.check("WGAN: gradient with the stray logarithm", expected=slopes[1], measured=slopes[0], tolerance=1e-15)
    by_hand = [-float((1.5 * v).mean()) for v in (c, z)]
    claim.check("WGAN: corrected gradient by hand", expected=by_hand, measured=slopes[1], tolerance=1e-14)
    finite = [float(f(start).isfinite()) for f in (stray, without)]
    claim.check("WGAN: value finite as printed, as corrected", expected=[0, 1], measured=finite)


@pytest.mark.claim("D22")
def test_published_defaults(claim):
    """The recipes hold the published constants of WGAN, WGAN-GP and DCGAN."""
    claim.source("I")
    wgan, penalised = RECIPES["wgan"], RECIPES["wgan-gp"]
    assert isinstance(wgan.constraint, WeightClipping)
    assert type(wgan.optimiser).__name__ == "RMSProp"
    measured = [wgan.optimiser.rate, wgan.constraint.bound, wgan.batch, wgan.critic_steps]
    claim.check("WGAN, RMSProp: α, c, m, n_critic", expected=[5e-5, 0.01, 64, 5], measured=measured)
    (penalty,) = penalised.penalties
    assert penalty == GradientPenalty()
    assert penalty.charge is two_sided
    assert isinstance(penalised.optimiser, Adam)
    measured = [penalty.weight, penalised.critic_steps, penalised.optimiser.rate, *penalised.optimiser.betas]
    claim.check("WGAN-GP, Adam: λ, n_critic, α, β", expected=[10, 5, 1e-4, 0, 0.9], measured=measured)
    for name in ("minimax", "nonsaturating"):
        recipe = RECIPES[name]
        assert isinstance(recipe.optimiser, Adam)
        measured = [recipe.optimiser.rate, recipe.optimiser.betas[0], recipe.batch]
        claim.check(f"{name}, as DCGAN: rate, β₁, batch", expected=[2e-4, 0.5, 128], measured=measured)


@pytest.mark.claim("D23")
def test_one_sided_penalty(claim):
    """The one-sided penalty max(0, ‖∇D‖ − 1) is 0 where the two-sided one punishes small gradients."""
    claim.source("W")
    real, fake, u = torch.rand(3, 30, 2, dtype=torch.float64, generator=torch.manual_seed(23))
    slopes = [0.5, 1.0, 3.0]
    critics = [lambda x, s=s: s * (0.6 * x[..., 0] - 0.8 * x[..., 1]) for s in slopes]
    one, two = (
        [float(penalty(autograd_slope(critic), real, fake, u[:, :1])) for critic in critics]
        for penalty in (GradientPenalty(1.0, between, excess), GradientPenalty(1.0))
    )
    claim.check("slopes ½, 1, 3: one-sided", expected=[0, 0, 2], measured=one, tolerance=1e-12)
    claim.check("slopes ½, 1, 3: two-sided, squared", expected=[0.25, 0, 4], measured=two, tolerance=1e-12)


def best_in_class(p, q, features):
    """The largest V over discriminators whose logit is linear in the features, under known laws."""
    f, real, fake = torch.tensor(features), torch.tensor(p), torch.tensor(q)

    def loss_and_slope(weights):
        w = torch.tensor(weights, requires_grad=True)
        v = (f @ w)[:, None]
        loss = (
            real @ MINIMAX.critic_loss(v, 0 * v) + fake @ MINIMAX.critic_loss(0 * v, v) - log(2) * (p.sum() + q.sum())
        )
        return float(loss.detach()), torch.autograd.grad(loss, w)[0].numpy()

    found = minimize(loss_and_slope, np.zeros(features.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-8})
    return -found.fun


@pytest.mark.claim("D29")
def test_lower_bound_of_the_maximum(claim):
    """A discriminator of a class finds a lower bound of max V, better as the class grows; a sample can exceed it."""
    claim.source("W")
    x = np.linspace(-6, 6, 241)
    p, q = (gaussian(x, -2, 0.7) + gaussian(x, 2, 0.7)) / 2, gaussian(x, 0.3, 1.5)
    exact = float(dv.gan_value(p, q))
    basis = np.polynomial.legendre.legvander(x / 6, 8)
    found = [best_in_class(p, q, basis[:, : degree + 1]) for degree in (0, 1, 2, 4, 8)]
    claim.check("constant discriminators", expected=-log(4), measured=found[0], tolerance=1e-12)
    claim.at_most("polynomials of degree 0, 1, 2, 4, 8: V", measured=found, bound=exact)
    claim.at_least("least gain of a larger class", measured=np.diff(found).min(), bound=1e-4)
    claim.at_most("what degree 8 misses of 2 JSD", measured=(exact - found[-1]) / (exact + log(4)), bound=0.2)
    counts = np.random.default_rng(29).multinomial(60, np.full(30, 1 / 30), size=(2, 50)) / 60
    excess = dv.gan_value(counts[0], counts[1]) - -log(4)
    claim.at_least("60 samples of one law twice: least excess over max V", measured=excess.min(), bound=1e-3)


@pytest.mark.claim("D37")
def test_logits_instead_of_ratios(claim):
    """p/(p + p_g) is 0/0 far out, where the logit still knows the answer; off both supports D does not matter."""
    claim.source("S")
    one = lambda mean: GaussianMixture(((mean,),), (1.0,), (1.0,), "a normal law")
    x = torch.tensor([45.0], dtype=torch.float64)
    log_p, log_q = one(0.0).log_density(x), one(1.0).log_density(x)
    ratio = log_p.exp() / (log_p.exp() + log_q.exp())
    claim.check("N(0,1), N(1,1), x = 45: the ratio is a number", expected=0, measured=not ratio.isnan())
    by_logit = float(torch.sigmoid(log_p - log_q))
    claim.check("by its logit, over 4.719e-20", expected=1, measured=by_logit / 4.719e-20, tolerance=2e-4)
    claim.check("over e^{½ − x}/(1 + e^{½ − x})", expected=1, measured=by_logit / np.exp(-44.5), tolerance=1e-12)
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.0, 0.3, 0.7, 0.0])
    critic = dv.gan_value.optimal_critic(p, q)
    values = []
    for off in (-9.0, -1.0, -1e-3):
        t = np.where((p == 0) & (q == 0), off, critic)
        values.append(dv.gan_value.lower_bound(t, t, p=p, q=q))
    claim.check("V for any D off both supports", expected=dv.gan_value(p, q), measured=values, tolerance=1e-14)


def three_terms(p, p_g, mixed):
    """max over D of E_p log D + E_{p_g} log(1 − D) + E_mixed log(1 − D), for joint laws."""
    return 3 * float(dv.weighted_js(1 / 3)(p, (p_g + mixed) / 2)) - log(3) + 2 * log(2 / 3)


def best_generator(p, mixed):
    """The joint law p_g with the labels' frequencies of p that minimises the three terms, from several starts."""
    labels = p.sum(axis=1, keepdims=True)

    def law(logits):
        weights = np.exp(logits.reshape(p.shape) - logits.max())
        return labels * weights / weights.sum(axis=1, keepdims=True)

    value = lambda logits: three_terms(p.ravel(), law(logits).ravel(), mixed.ravel())
    starts = np.random.default_rng(39).normal(size=(3, p.size))
    best = min((minimize(value, s, method="BFGS", options={"gtol": 1e-9}) for s in starts), key=lambda r: r.fun)
    return law(best.x), best.fun


@pytest.mark.claim("D39")
def test_three_term_objective(claim):
    """The printed three-term conditional objective is least at 2p − p(c)p(x), not p, unless classes are apart."""
    claim.source("W")
    p = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]) / 2
    mixed = np.outer(p.sum(axis=1), p.sum(axis=0))
    d = np.linspace(0, 1, 20_003)[1:-1, None]
    by_hand = (p.ravel() * np.log(d) + (p + mixed).ravel() * np.log1p(-d)).max(axis=0).sum()
    at_data = three_terms(p.ravel(), p.ravel(), mixed.ravel())
    claim.check("V at p_g = p, by the best D of a grid", expected=by_hand, measured=at_data, tolerance=1e-7)
    claim.check("V at p_g = p, as listed", expected=-1.897655, measured=at_data, tolerance=5e-7)
    law, least = best_generator(p, mixed)
    claim.check("least V, as listed", expected=-1.909543, measured=least, tolerance=5e-7)
    claim.check("its p(x|c)", expected=2 * (2 * p - mixed), measured=2 * law, tolerance=1e-4)
    claim.check(
        "its p(x|c), as listed", expected=[[0.65, 0.3, 0.05], [0.05, 0.3, 0.65]], measured=2 * law, tolerance=1e-4
    )
    claim.refutes("p_g = p is least", printed=at_data, measured=least, margin=0.01)
    apart = np.array([[0.35, 0.15, 0.0, 0.0], [0.0, 0.0, 0.1, 0.4]])
    law, _ = best_generator(apart, np.outer(apart.sum(axis=1), apart.sum(axis=0)))
    claim.check("classes apart: p_g", expected=apart, measured=law, tolerance=1e-3)


def pairwise_features(batch):
    """The L2 distances between all pairs of a batch: (..., b, d) -> (..., b (b − 1)/2)."""
    i, j = np.triu_indices(batch.shape[-2], 1)
    return (batch[..., i, :] - batch[..., j, :]).norm(dim=-1)


@pytest.mark.claim("D44")
def test_batch_diversity_features(claim):
    """Distances between the pairs of a batch are 0 for a collapsed batch, and enough to tell it from a diverse one."""
    claim.source("S")
    batches = lambda step: DATASETS["ring8"].sample(torch.arange(100), Stream.REAL, step, 16)
    diverse, fresh = batches(0), batches(1)
    one_point = lambda batch: batch[:, :1].expand(-1, 16, -1)
    features = pairwise_features(one_point(diverse))
    claim.check("collapsed batches: largest distance", expected=0, measured=float(features.max()))
    claim.at_least("diverse batches: mean distance", measured=float(pairwise_features(diverse).mean()), bound=1)
    real, fake = (pairwise_features(b).mean(-1) for b in (diverse, one_point(diverse)))
    optimiser, weights = Adam(0.05), torch.zeros(2, dtype=torch.float64)
    moments = optimiser.initial(weights)
    score = lambda theta, feature: theta[0] * feature + theta[1]
    for step in range(1, 301):
        loss = lambda theta: MINIMAX.critic_loss(score(theta, real), score(theta, fake))
        slope = torch.autograd.functional.jacobian(loss, weights)
        direction, moments = optimiser.direction(slope, moments, step)
        weights = weights - optimiser.rate * direction
    right = [(score(weights, pairwise_features(b).mean(-1)) > 0).double().mean() for b in (fresh, one_point(fresh))]
    claim.check("fresh batches called diverse: real, collapsed", expected=[1, 0], measured=right)


@pytest.mark.claim("D45")
def test_memorising_is_the_optimum(claim):
    """Memorising the training set is the global optimum of the empirical game, though the generator never sees it."""
    claim.source("S")
    train, held_out, fresh = (
        DATASETS["ring8"].sample(torch.arange(1), Stream.REAL, 45, 3000)[0].numpy().reshape(3, 1000, 2)
    )
    empirical = np.append(np.full(1000, 1e-3), 0.0)
    claim.check(
        "V at p_g = the training set", expected=-log(4), measured=dv.gan_value(empirical, empirical), tolerance=1e-14
    )
    others = random_pmfs(100, 1001, seed=45)
    least = dv.gan_value(empirical, others).min()
    claim.at_least("smallest V of 100 others", measured=least, bound=-log(4) + 0.01)
    nearest = lambda points: np.median(KDTree(train).query(points)[0])
    memory = train[np.random.default_rng(45).integers(0, 1000, 1000)]
    claim.check("memory: median distance to the training set", expected=0, measured=nearest(memory))
    claim.at_least("held out: theirs", measured=nearest(held_out), bound=1e-3)
    ratio = nearest(fresh) / nearest(held_out)
    claim.check("fresh samples of the law: over held-out", expected=1, measured=ratio, tolerance=0.25)
