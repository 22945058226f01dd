"""Part D: the GAN game."""

from math import log

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit

import divergences as dv
from tests.claims.games import MINIMAX, NONSATURATING, log_ratio
from tests.claims.laws import gaussian
from tests.laws.objective_laws import best_critic


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
        claim.at_least(f"V above −log 4, pair {k + 1}", measured=-loss, bound=-log(4) + 1e-3)
        same, _ = best_critic(MINIMAX, p, p)
        assert abs(same - log(4)) < 1e-15
    p = random_pmfs(1, 5, seed=4)[0]
    loss, scores = best_critic(MINIMAX, p, p)
    claim.check("V at p_g = p", expected=-log(4), measured=-loss, tolerance=1e-15)
    claim.check("D* at p_g = p", expected=np.full(5, 0.5), measured=1 / (1 + np.exp(-scores)), tolerance=1e-12)
    claim.check("the same by `gan_value`", expected=-log(4), measured=float(dv.gan_value(p, p)), tolerance=1e-15)


@pytest.mark.claim("D3")
def test_optimum_keeps_its_constant(claim):
    """The optimum is 2 JSD − 2 log 2; the printed 2 JSD drops the constant."""
    claim.source("N")
    p, q = random_pmfs(2, 5, seed=30)
    value, jsd = -best_critic(MINIMAX, p, q)[0], float(dv.js(p, q))
    claim.check("V(G, D*)", expected=2 * jsd - 2 * log(2), measured=value, tolerance=1e-9)
    claim.refutes("V(G, D*) printed as 2 JSD", printed=2 * jsd, measured=value, margin=1)


@pytest.mark.claim("D4")
def test_range_of_the_value(claim):
    """V lies in (−∞, 0]: 0 at D(x) = 1 and D(G(z)) = 0, −∞ at D(G(z)) = 1."""
    claim.source("S")
    scores = torch.tensor(np.random.default_rng(4).normal(0, 20, (2, 500, 8)))
    claim.at_most("largest of 500 games", measured=float(MINIMAX.estimate(*scores).max()), bound=0)
    ends = torch.tensor([[1.0], [10.0], [800.0]], dtype=torch.float64)
    perfect, fooled = MINIMAX.estimate(ends, -ends), MINIMAX.estimate(ends, ends)
    logits = ends[:, 0].numpy()
    exact = -2 * np.log1p(np.exp(-logits))
    claim.check("logits (s, −s), s = 1, 10, 800: to 0", expected=exact, measured=perfect.numpy(), tolerance=1e-15)
    claim.check("V at D(x) = 1, D(G(z)) = 0", expected=0, measured=float(perfect[-1]))
    exact = -np.logaddexp(0, -logits) - np.logaddexp(0, logits)
    claim.check("logits (s, s): as −s", expected=exact, measured=fooled.numpy(), tolerance=1e-12)
    infinite = torch.full((1,), np.inf, dtype=torch.float64)
    claim.check("V at D(G(z)) = 1", expected=-np.inf, measured=float(MINIMAX.estimate(infinite, infinite)))


@pytest.mark.claim("D5")
def test_discriminator_cost_is_cross_entropy(claim):
    """J_D is the binary cross-entropy of real against fake, twice its mean without the ½; J_G = −J_D + const."""
    claim.source("S")
    real, fake = torch.tensor(np.random.default_rng(5).normal(0, 3, (2, 20, 64)))
    labels = torch.cat([torch.ones(20, 64), torch.zeros(20, 64)], dim=1).double()
    reference = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.cat([real, fake], dim=1), labels, reduction="none"
    )
    j_d, j_g = MINIMAX.critic_loss(real, fake), MINIMAX.generator_loss(real, fake)
    halved = (j_d / 2 - reference.mean(1)).abs().max()
    claim.check("½ J_D less the mean cross-entropy", expected=0, measured=float(halved), tolerance=1e-14)
    whole = (j_d - reference[:, :64].mean(1) - reference[:, 64:].mean(1)).abs().max()
    claim.check("J_D less the sum of both halves", expected=0, measured=float(whole), tolerance=1e-14)
    scores = fake.clone().requires_grad_()
    slopes = [
        torch.autograd.grad(loss(real, scores).sum(), scores)[0]
        for loss in (MINIMAX.critic_loss, MINIMAX.generator_loss)
    ]
    claim.check("∇J_G + ∇J_D", expected=0, measured=float((slopes[0] + slopes[1]).abs().max()))
    claim.check("J_G + J_D, the same for all", expected=0, measured=float((j_g + j_d).std()), tolerance=1e-14)


@pytest.mark.claim("D30")
def test_sum_of_two_kls_is_twice_jsd(claim):
    """The printed KL(p‖m) + KL(p_g‖m) is 2 JSD, not JSD: V(G, D*) = −log 4 + 2 JSD."""
    claim.source("S")
    p, q = random_pmfs(2, 5, seed=31)
    m, value, jsd = (p + q) / 2, -best_critic(MINIMAX, p, q)[0], float(dv.js(p, q))
    claim.check("KL(p‖m) + KL(p_g‖m)", expected=2 * jsd, measured=dv.kl(p, m) + dv.kl(q, m), tolerance=1e-14)
    claim.check("V(G, D*)", expected=-log(4) + 2 * jsd, measured=value, tolerance=1e-9)
    claim.refutes("V(G, D*) as −log 4 + JSD", printed=-log(4) + jsd, measured=value, margin=jsd / 2)


def lemma(a, b, y):
    """a log y + b log(1 − y)."""
    return a * np.log(y) + b * np.log1p(-y)


@pytest.mark.claim("D31")
def test_quantifier_of_the_lemma(claim):
    """a log y + b log(1 − y) peaks at a/(a + b) for a, b ≥ 0, not both 0; the printed ℝ²∖{0} is too much."""
    claim.source("S", "N")
    y = np.linspace(0, 1, 100_002)[1:-1]
    value = lambda a, b: lemma(a, b, y)
    for a, b in ((3.0, 1.0), (0.2, 0.7), (1.0, 1.0)):
        what = f"({a:g}, {b:g}): largest at"
        claim.check(what, expected=a / (a + b), measured=y[value(a, b).argmax()], tolerance=1e-5)
    claim.check("(−1, −1): smallest at", expected=0.5, measured=y[value(-1, -1).argmin()], tolerance=1e-5)
    claim.refutes("(−1, −1): largest at", printed=0.5, measured=y[value(-1, -1).argmax()], margin=0.4)
    claim.refutes("(2, −1): largest at", printed=2 / (2 - 1), measured=y[value(2, -1).argmax()], margin=0.9)
    claim.check("(1, −1): a + b, by which the lemma divides", expected=0, measured=1 + -1)
    claim.check("(1, −1): the value only rises with y", expected=1, measured=(np.diff(value(1, -1)) > 0).all())


@pytest.mark.claim("D34")
def test_equilibrium(claim):
    """At p_g = p: D = ½, accuracy ½, J_D = log 4, ∂J_D/∂D = 0, and both generators are stationary."""
    claim.source("S")
    p = random_pmfs(1, 6, seed=34)[0]
    loss, scores = best_critic(MINIMAX, p, p)
    claim.check("D", expected=0.5, measured=expit(scores), tolerance=1e-12)
    claim.check("J_D", expected=log(4), measured=loss, tolerance=1e-15)
    atoms = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.tensor(p) @ MINIMAX.critic_loss(atoms[:, None], atoms[:, None]), atoms)
    claim.check("∂J_D/∂D", expected=0, measured=slope.numpy(), tolerance=1e-15)
    away = random_pmfs(1, 6, seed=35)[0]
    _, elsewhere = best_critic(MINIMAX, p, away)
    # Calling real what D puts above ½ is right with probability (1 + TV)/2.
    accuracy = [np.where(scores > 0, p, p).sum() / 2, np.where(elsewhere > 0, p, away).sum() / 2]
    best = [0.5, (1 + dv.total_variation(p, away)) / 2]
    claim.check("accuracy at p_g = p, and elsewhere", expected=best, measured=accuracy, tolerance=1e-12)
    for name, objective in (("minimax", MINIMAX), ("non-saturating", NONSATURATING)):
        still, moving = (push_on_law(objective, p, q) for q in (p, away))
        claim.check(f"{name}: gradient at p_g = p", expected=0, measured=still, tolerance=1e-12)
        claim.at_least(f"{name}: gradient elsewhere", measured=np.abs(moving).max(), bound=0.002)


def push_on_law(objective, p, q):
    """The gradient of the generator's loss in the logits of its law q, under the best discriminator of p and q."""
    _, scores = best_critic(MINIMAX, p, q)
    fixed = torch.tensor(scores)[:, None]
    logits = torch.tensor(np.log(q), requires_grad=True)
    loss = torch.softmax(logits, 0) @ objective.generator_loss(0 * fixed, fixed)
    return torch.autograd.grad(loss, logits)[0].numpy()


@pytest.mark.claim("D35")
def test_discriminator_as_a_density_ratio(claim):
    """D* > ½ exactly where p_g < p, uphill on D leads to p, and D/(1 − D) estimates p/p_g."""
    claim.source("S")
    for k, (p, q) in enumerate(zip(random_pmfs(5, 8, seed=36), random_pmfs(5, 8, seed=37), strict=True)):
        _, scores = best_critic(MINIMAX, p, q)
        claim.check(f"pair {k + 1}: D > ½", expected=q < p, measured=expit(scores) > 0.5)
    x = np.linspace(-12, 14, 1301)
    for mean in (0.5, 2.0):
        p, q = gaussian(x), gaussian(x, mean)
        slope, intercept = logistic_fit(p, q, x)
        what = f"N(0,1), N({mean:g},1): logistic discriminator"
        claim.check(what, expected=[-mean, mean**2 / 2], measured=[slope, intercept], tolerance=1e-6)
    # One small step of every sample uphill on D*, as a change of variables.
    nodes = torch.tensor(x, requires_grad=True)
    (uphill,) = torch.autograd.grad(torch.sigmoid(log_ratio()(nodes)).sum(), nodes)
    before, jacobian = gaussian(x, 0.7, 0.8), 1 + 0.05 * np.gradient(uphill.numpy(), x)
    after = np.interp(x, x + 0.05 * uphill.numpy(), before / jacobian)
    drop = dv.js(gaussian(x), before) - dv.js(gaussian(x), after / after.sum())
    claim.at_least("samples of N(0.7, 0.8²) uphill: JSD falls by", measured=drop, bound=1e-4)


def logistic_fit(p, q, x):
    """Slope and intercept of the best linear score, with exact expectations."""
    features = torch.tensor(np.stack([x, np.ones_like(x)], axis=1))

    def loss_and_slope(weights):
        theta = torch.tensor(weights, requires_grad=True)
        scores = (features @ theta)[:, None]
        on_real, on_fake = MINIMAX.critic_loss(scores, 0 * scores), MINIMAX.critic_loss(0 * scores, scores)
        loss = torch.tensor(p) @ on_real + torch.tensor(q) @ on_fake
        return float(loss.detach()), torch.autograd.grad(loss, theta)[0].numpy()

    return minimize(loss_and_slope, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10}).x
