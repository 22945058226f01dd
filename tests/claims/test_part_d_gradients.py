"""Part D: what reaches the generator through a discriminator."""

import numpy as np
import pytest
import torch
from scipy.special import expit

import divergences as dv
from gan.networks import Perceptron
from gan.random import Stream
from tests.claims import figures
from tests.claims.games import (
    MINIMAX,
    NONSATURATING,
    log_ratio,
    pull,
    push_on_samples,
    separated_lines,
    trained_discriminators,
)
from tests.claims.laws import gaussian, gradient

X = torch.linspace(-13, 14, 2701, dtype=torch.float64)
DATA = gaussian(X)


def slope_of(divergence, mean=0.7, sd=0.8):
    """The derivative in the mean of divergence(data, N(mean, sd²)), by the library's own gradients."""
    return gradient(lambda m: divergence(DATA, gaussian(X, m, sd)), mean)[0]


def scores_with_slope(logits):
    """Scores, and the derivatives of both generators' losses with respect to them."""
    s = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    losses = [objective.generator_loss(0 * s[:, None], s[:, None]).sum() for objective in (MINIMAX, NONSATURATING)]
    return [torch.autograd.grad(loss, s)[0].numpy() for loss in losses]


def slopes_by_logit():
    """Both slopes in the logit, from D(G(z)) = 5e-5 to nearly 1."""
    logits = np.linspace(-10, 10, 201)
    minimax, nonsaturating = np.abs(scores_with_slope(logits.tolist()))
    named = {"minimax: D": minimax, "non-saturating: 1 − D": nonsaturating}
    return figures.curves(
        logits, named, xlabel="logit of D(G(z)); at −10, D is 4.5e-5", ylabel="|slope in the logit|", yscale="log"
    )


@pytest.mark.claim("D8")
def test_vanishing_gradient(claim):
    """As D(G(z)) → 0 the minimax gradient in the logit, −D, vanishes; the non-saturating one, D − 1, tends to −1."""
    claim.source("I", "S", "W")
    logits = [-2.0, -5.0, -10.0]
    d = 1 / (1 + np.exp(-np.array(logits)))
    minimax, nonsaturating = scores_with_slope(logits)
    claim.check("minimax: slope in the logit", expected=-d, measured=minimax, tolerance=1e-15)
    claim.check("non-saturating: slope in the logit", expected=d - 1, measured=nonsaturating, tolerance=1e-15)
    by_d = 1 / (d * (1 - d))  # the slope in D is that in the logit over D(1 − D)
    claim.check("minimax: slope in D", expected=-1 / (1 - d), measured=minimax * by_d, tolerance=1e-12)
    claim.check(
        "non-saturating: slope in D, over −1/D", expected=1, measured=-nonsaturating * by_d * d, tolerance=1e-12
    )
    real, fake = separated_lines(64)
    push = {}
    for steps in (30, 500):
        trained = trained_discriminators(real, fake, steps)
        for name, objective in (("minimax", MINIMAX), ("non-saturating", NONSATURATING)):
            push[name, steps] = np.median(push_on_samples(objective.generator_loss, trained, fake))
    claim.at_most(
        "trained on parallel lines, minimax: 500 steps over 30",
        measured=push["minimax", 500] / push["minimax", 30],
        bound=0.05,
    )
    growth = push["non-saturating", 500] / push["non-saturating", 30]
    claim.at_least("non-saturating: 500 steps over 30", measured=growth, bound=1)
    claim.figure(slopes_by_logit, "what each generator's loss passes on where the discriminator gives D to its samples")


def near_optimal(epsilon):
    """A discriminator with |D| and |D′| at most ε/2 on the samples, where D* and its slope are 0: its logits."""
    return lambda x: torch.logit(epsilon / 4 * (1 + torch.sin(x - 8)))


@pytest.mark.claim("D9")
def test_bound_on_the_vanishing_gradient(claim):
    """On disjoint supports, ‖D − D*‖ ≤ ε in value and gradient bounds the generator's gradient by M ε/(1 − ε)."""
    claim.source("N")
    z = torch.linspace(0, 1, 2001, dtype=torch.float64)
    # Samples 10 + G(z) in [10, 12], data in [0, 1]: D* = 0 around the samples. M² = E‖∂g/∂θ‖².
    g = lambda theta: theta[0] + theta[1] * z + theta[2] * z**2
    for epsilon in (0.5, 0.1, 1e-3):
        score = near_optimal(epsilon)
        theta = torch.tensor([10.0, 1.0, 0.5], dtype=torch.float64)
        x = g(theta).requires_grad_()
        d = torch.sigmoid(score(x))
        (slope,) = torch.autograd.grad(d.sum(), x)
        distance = float((d.abs() + slope.abs()).detach().max())  # of D from D* = 0, in value plus gradient
        claim.at_most(f"ε = {epsilon:g}: distance of D from D*", measured=distance, bound=epsilon)
        loss = lambda theta, score=score: MINIMAX.generator_loss(0 * z, score(g(theta)))
        size = float(torch.autograd.functional.jacobian(loss, theta).norm())
        m = float((1 + z**2 + z**4).mean().sqrt())
        claim.at_most(
            f"ε = {epsilon:g}: gradient over M ε/(1 − ε)", measured=size * (1 - epsilon) / (m * epsilon), bound=1
        )
        claim.at_most(f"ε = {epsilon:g}: gradient over M ε, which would do", measured=size / (m * epsilon), bound=1)
        claim.at_least(f"ε = {epsilon:g}: no idle bound, the ratio", measured=size / (m * epsilon), bound=0.05)


def boxes(x):
    """The densities of data on [0, 1] and of samples on [9, 13], where the samples of row D9 lie."""
    return np.where((x >= 0) & (x <= 1), 1.0, 0.0), np.where((x >= 9) & (x <= 13), 0.25, 0.0)


@pytest.mark.claim("D10")
def test_step_of_that_proof(claim):
    """‖a − b‖² ≥ ‖a‖² − ‖b‖² is false; the theorem survives, as ∇D* = 0 on the supports makes ∇D − ∇D* just ∇D."""
    claim.source("N")
    a, b = 2.0, 1.5
    claim.check("‖a − b‖² at a = 2, b = 1.5", expected=0.25, measured=abs(a - b) ** 2)
    claim.refutes("at least ‖a‖² − ‖b‖²", printed=a**2 - b**2, measured=abs(a - b) ** 2, margin=1)
    x = np.linspace(9.5, 12.5, 301)
    p, q = boxes(x)
    best = p / (p + q)
    slopes = np.gradient(best, x)
    claim.check("∇D* around the samples", expected=0, measured=np.abs(slopes).max())
    v = torch.tensor(x, requires_grad=True)
    (own,) = torch.autograd.grad(torch.sigmoid(near_optimal(0.1)(v)).sum(), v)
    off = np.abs((own.numpy() - slopes) - own.numpy()).max()
    claim.check("‖∇D − ∇D*‖ and ‖∇D‖: largest difference", expected=0, measured=off)


@pytest.mark.claim("D11")
def test_nonsaturating_gradient(claim):
    """With D* fixed, the non-saturating gradient is that of KL(p_g‖p_r) − 2 JSD(p_g‖p_r)."""
    claim.source("W")
    frozen = pull(NONSATURATING.generator_loss, log_ratio())[0]
    difference = slope_of(dv.reverse_kl) - 2 * slope_of(dv.js)
    claim.check("N(0,1) and N(0.7, 0.8²), by z", expected=difference, measured=frozen, tolerance=1e-10)
    claim.check("as listed", expected=0.34292, measured=frozen, tolerance=5e-6)
    for mean, sd in ((-1.2, 1.1), (2.0, 0.6)):
        frozen = pull(NONSATURATING.generator_loss, log_ratio(mean, sd), mean, sd)[0]
        difference = slope_of(dv.reverse_kl, mean, sd) - 2 * slope_of(dv.js, mean, sd)
        claim.check(f"N({mean:g}, {sd:g}²)", expected=difference, measured=frozen, tolerance=1e-9)


def likelihood_cost(real, fake):
    """−E exp(σ⁻¹(D)): the maximum-likelihood generator."""
    return -torch.exp(fake).mean(-1)


@pytest.mark.claim("D12")
def test_maximum_likelihood_generator(claim):
    """Under D* the generator cost −E exp(σ⁻¹(D)) has the gradient of KL(p_data‖p_g)."""
    claim.source("S")
    frozen = pull(likelihood_cost, log_ratio())[0]
    claim.check("N(0,1) and N(0.7, 0.8²)", expected=slope_of(dv.kl), measured=frozen, tolerance=1e-8)
    claim.check("as listed", expected=1.09375, measured=frozen, tolerance=5e-6)
    closed = 0.7 / 0.8**2
    claim.check("closed form of the KL's", expected=closed, measured=slope_of(dv.kl), tolerance=1e-8)


@pytest.mark.claim("D15")
def test_optimal_discriminator_on_separated_data(claim):
    """At an optimal discriminator on separated data the objective is 0, and so is the generator's gradient."""
    claim.source("E")
    real, fake = separated_lines(64)
    p, q = np.repeat([1 / 64, 0], 64), np.repeat([0, 1 / 64], 64)
    value = dv.gan_value(p, q)
    claim.check("V at D* by `gan_value`", expected=0, measured=value, tolerance=1e-15)
    v, push = [], []
    for sharpness in (1.0, 10.0, 2000.0):
        score = lambda x, s=sharpness: s * (0.5 - x[:, 0])
        v.append(float(MINIMAX.estimate(score(real), score(fake))))
        push.append(push_on_samples(MINIMAX.generator_loss, lambda x, score=score: score(x)[None], fake)[0])
    d = expit(-np.array([0.5, 5, 1000]))
    claim.check("V at D = σ(s (½ − x)), s = 1, 10, 2000", expected=2 * np.log1p(-d), measured=v, tolerance=1e-12)
    claim.check("gradient there", expected=np.array([1.0, 10, 2000]) * d, measured=push, tolerance=1e-12)
    claim.check("both in the end", expected=0, measured=[v[-1], push[-1]])
    trained = trained_discriminators(real, fake, 500)
    claim.at_most(
        "trained, 8 seeds: largest −V",
        measured=-float(MINIMAX.estimate(trained(real), trained(fake)).min()),
        bound=0.05,
    )
    claim.at_most("largest gradient", measured=push_on_samples(MINIMAX.generator_loss, trained, fake).max(), bound=0.5)


@pytest.mark.claim("D32")
def test_sign_of_the_generator(claim):
    """The generator minimises, not maximises as printed, the log-probability that its samples are called fake."""
    claim.source("S")
    net, critic = Perceptron((2, 16, 2)), Perceptron((2, 16, 1))
    seeds = torch.arange(8)
    theta = net.initial(seeds, Stream.GENERATOR_WEIGHTS, dtype=torch.float64).requires_grad_()
    judge = critic.initial(seeds, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    z = torch.tensor(np.random.default_rng(32).normal(size=(8, 100, 2)))
    scores = lambda theta: critic(judge, net(theta, z))[..., 0]
    loss = MINIMAX.generator_loss(torch.zeros(8, 100, dtype=torch.float64), scores(theta))
    (slope,) = torch.autograd.grad(loss.sum(), theta)
    fooled = lambda theta: float(torch.log(torch.sigmoid(scores(theta.detach()))).mean())
    rate = 1e-4
    before, corrected, printed = fooled(theta), fooled(theta - rate * slope), fooled(theta + rate * slope)
    claim.at_least("corrected: log D(G(z)) rises by", measured=corrected - before, bound=1e-7)
    claim.refutes("printed: log D(G(z)) raised", printed=corrected, measured=printed, margin=1e-7)
    claim.at_least("printed: it falls by", measured=before - printed, bound=1e-7)


@pytest.mark.claim("D33")
def test_overlapping_supports_pass_a_gradient(claim):
    """D near p/(p + p_g) is 1 and 0 for disjoint supports only; where they overlap it passes the gradient of 2 JSD."""
    claim.source("N")
    frozen = pull(MINIMAX.generator_loss, log_ratio())[0]
    claim.check("N(0,1) and N(0.7, 0.8²)", expected=2 * slope_of(dv.js), measured=frozen, tolerance=1e-10)
    claim.check("as listed", expected=0.357080, measured=frozen, tolerance=5e-7)
    other = pull(NONSATURATING.generator_loss, log_ratio())[0]
    claim.check(
        "and the non-saturating one adds to", expected=slope_of(dv.reverse_kl), measured=frozen + other, tolerance=1e-10
    )
    claim.refutes("no gradient, D being 1 and 0", printed=0, measured=frozen, margin=0.3)
    d = torch.sigmoid(log_ratio()(torch.tensor([0.0, 0.7], dtype=torch.float64)))
    claim.refutes("D at the two means", printed=[1, 0], measured=d.numpy(), margin=0.3)
