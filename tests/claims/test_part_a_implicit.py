"""Part A: implicit models, laws that are known by their samples only."""

from math import log, pi

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import chi2, norm
from scipy.stats import t as student

import divergences as dv
from divergences.samples import Gaussian
from gan.networks import Perceptron
from gan.objectives import OBJECTIVES
from gan.random import Stream
from tests.claims.laws import gaussian, slope

Z = np.linspace(-9, 9, 3601)


def monotone(z):
    """A generator on the line, increasing: its slope is 1 + 0.6/cosh²(z)."""
    return z + 0.4 + 0.6 * np.tanh(z)


def density(x):
    """The density of `monotone(z)`, z standard normal: p(z)/G′(z) at the z that x comes from."""
    z = np.interp(x, monotone(Z), Z)
    for _ in range(3):  # Newton
        z = z - (monotone(z) - x) / (1 + 0.6 / np.cosh(z) ** 2)
    return norm.pdf(z) / (1 + 0.6 / np.cosh(z) ** 2)


def interval(values):
    """The 95 % interval of a mean by Student's t, from independent values."""
    half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


def truths():
    """MMD² (Gaussian kernel of width 1), W₁ and JSD of N(0, 1) and the law of `monotone`, by sums over the line."""
    p, x = gaussian(Z), np.linspace(-9, 10, 3801)
    kernel = lambda u, v: p @ np.exp(-((u[:, None] - v) ** 2) / 2) @ p
    y = monotone(Z)
    grids = [d / d.sum() for d in (norm.pdf(x), density(x))]
    return kernel(Z, Z) + kernel(y, y) - 2 * kernel(Z, y), float(p @ np.abs(y - Z)), float(dv.js(*grids))


@pytest.mark.claim("A10")
def test_sample_based_measures(claim):
    """MMD, W and JSD of an implicit model from samples alone: their intervals cover the truth, as a rule."""
    claim.source("S")
    rng = np.random.default_rng(10)
    kinds, repeats, batches = ("MMD²", "W", "JSD"), 40, 10
    covered = dict.fromkeys(kinds, 0)
    widths = dict.fromkeys(kinds, 0.0)
    truth = dict(zip(kinds, truths(), strict=True))
    for _ in range(repeats):
        x, y = rng.normal(size=(batches, 400)), monotone(rng.normal(size=(batches, 400)))
        pairs = list(zip(x, y, strict=True))
        intervals = {
            "MMD²": interval([float(dv.mmd(a[:150], b[:150], Gaussian(1.0))) for a, b in pairs]),
            "W": interval([float(dv.wasserstein(a, b).cost) for a, b in pairs]),
            "JSD": dv.estimate(x.ravel(), y.ravel(), "js", rng=rng).confidence_interval,
        }
        for kind, (low, high) in intervals.items():
            covered[kind] += low <= truth[kind] <= high
            widths[kind] += (high - low) / repeats / truth[kind]
    for kind in kinds:
        claim.at_least(f"{kind}: intervals of 40 that cover it", measured=covered[kind], bound=30)
        what = f"{kind}: mean width of an interval over the truth, {truth[kind]:.4f}"
        claim.at_most(what, measured=widths[kind], bound=1.2)


@pytest.mark.claim("A11")
def test_dimension_of_the_sample_space(claim):
    """The samples of a generator lie on a set of dimension at most dim z: 1 or 2 in space, whatever its weights."""
    claim.source("N")
    for latent in (1, 2, 3):
        net = Perceptron((latent, 32, 32, 3))
        weights = net.initial(torch.arange(20), Stream.GENERATOR_WEIGHTS, dtype=torch.float64)
        centre = torch.linspace(-1, 1, 20 * latent, dtype=torch.float64).reshape(20, 1, latent)
        # Samples of a small neighbourhood: their spread has as many directions as z has.
        z = centre + 1e-6 * torch.randn(20, 50, latent, dtype=torch.float64, generator=torch.manual_seed(latent))
        x = net(weights, z)
        spread = torch.linalg.svdvals(x - x.mean(1, keepdim=True))
        rank = (spread > 1e-6 * spread[:, :1]).sum(1)
        claim.check(f"dim z = {latent}: largest local rank of 20 generators", expected=latent, measured=int(rank.max()))


@pytest.mark.claim("A14")
def test_density_of_a_generator(claim):
    """p_g(x) = Σ p(z)/|G′(z)| over the z that G brings to x; and E_z h(G(z)) = E_{p_g} h(x)."""
    claim.source("S")
    x = np.linspace(-9, 10, 3801)
    folded = lambda v: 2 * norm.pdf(np.sqrt(v)) / (2 * np.sqrt(v))  # of z², from z = ±√x
    z = np.random.default_rng(14).normal(size=100_000)
    edges = {"monotone": np.linspace(-3, 4, 36), "folded": np.linspace(0.05, 6, 36)}
    cases = {"monotone": (monotone, density), "folded": (np.square, folded)}
    for name, (generator, formula) in cases.items():
        bins = edges[name]
        fine = np.linspace(bins[0], bins[-1], 35 * 200 + 1)
        middle = (fine[1:] + fine[:-1]) / 2
        mass = (formula(middle) * np.diff(fine)).reshape(35, 200).sum(1)
        counts, _ = np.histogram(generator(z), bins)
        expected = np.append(mass, 1 - mass.sum())
        seen = np.append(counts, len(z) - counts.sum()) / len(z)
        # Wilks: n KL(histogram‖law) is half a χ² of 35 degrees.
        bound = chi2.isf(2e-4, 35) / 2
        claim.at_most(f"{name}: n KL(histogram‖formula)", measured=len(z) * dv.kl(seen, expected), bound=bound)
        flat = np.histogram(generator(Z), bins, weights=gaussian(Z))[0]
        away = dv.total_variation(np.append(flat, 1 - flat.sum()), expected)
        claim.at_most(f"{name}: TV of the exact bins and the formula", measured=away, bound=0.01)
    h = lambda v: np.cos(v) + v / 3
    by_z, by_x = gaussian(Z) @ h(monotone(Z)), np.sum(density(x) * h(x)) * (x[1] - x[0])
    claim.check("E_z h(G(z)) = E_{p_g} h(x)", expected=by_z, measured=by_x, tolerance=1e-6)
    places = np.array([0.0, 3.0])  # brought together least, and hardly moved
    stretch = [slope(monotone, place) for place in places]
    squeezed = density(monotone(places)) / norm.pdf(places)
    claim.check("density per p(z): 1/G′", expected=1 / np.array(stretch), measured=squeezed, tolerance=1e-9)


@pytest.mark.claim("A15")
def test_gradient_goes_inside_the_expectation(claim):
    """∇_θ E_z h(G_θ(z)) = E_z ∇_θ h(G_θ(z)): a criterion of sample quality is enough to train a generator."""
    claim.source("S")
    net, critic = Perceptron((1, 6, 2)), Perceptron((2, 8, 1))
    seed = torch.arange(1)
    # Biases that are not zero, so that not every kink of the rectifiers sits at z = 0.
    away = lambda size: 0.1 * torch.linspace(-1, 1, size, dtype=torch.float64).sin()
    theta = net.initial(seed, Stream.GENERATOR_WEIGHTS, dtype=torch.float64) + away(net.size)
    judge = critic.initial(seed, Stream.CRITIC_WEIGHTS, dtype=torch.float64) + away(critic.size)
    z = torch.linspace(-6, 6, 1001, dtype=torch.float64)
    weights = gaussian(z)
    for name in ("minimax", "nonsaturating", "wasserstein"):
        loss = OBJECTIVES[name].generator_loss

        def each(theta, loss=loss) -> torch.Tensor:
            scores = critic(judge, net(theta, z[None, :, None]))[0]
            return loss(torch.zeros_like(scores), scores)

        expectation = lambda theta, each=each: weights @ each(theta)
        inside = torch.autograd.functional.jacobian(each, theta).reshape(len(z), -1)  # one gradient per z
        mean = (weights @ inside).numpy()
        steps = 1e-6 * torch.eye(net.size, dtype=torch.float64)
        outside = [float(expectation(theta + s) - expectation(theta - s)) / 2e-6 for s in steps]
        off = np.abs(mean - outside).max()
        claim.check(f"{name}: largest difference over {net.size} parameters", expected=0, measured=off, tolerance=1e-7)
        claim.at_least(f"{name}: largest derivative", measured=np.abs(mean).max(), bound=0.01)


@pytest.mark.claim("A16")
def test_discrete_outputs_stop_backpropagation(claim):
    """Rounded outputs have gradient exactly 0, argmax has none at all; a relaxation has one."""
    claim.source("E")
    net, critic = Perceptron((2, 8, 3)), Perceptron((3, 8, 1))
    seed = torch.arange(1)
    judge = critic.initial(seed, Stream.CRITIC_WEIGHTS, dtype=torch.float64)
    z = torch.linspace(-2, 2, 40, dtype=torch.float64).reshape(1, 20, 2)
    outputs = {
        "rounded": torch.round,
        "argmax": lambda x: torch.nn.functional.one_hot(x.argmax(-1), 3).double(),
        "softmax": lambda x: torch.softmax(x, -1),
    }
    norms = {}
    for name, output in outputs.items():
        theta = net.initial(seed, Stream.GENERATOR_WEIGHTS, dtype=torch.float64).requires_grad_()
        scores = critic(judge, output(net(theta, z)))[..., 0]
        loss = OBJECTIVES["nonsaturating"].generator_loss(scores, scores).sum()
        if loss.requires_grad:
            norms[name] = float(torch.autograd.grad(loss, theta)[0].norm())
    claim.check("rounded: gradient", expected=0, measured=norms["rounded"])
    claim.check("argmax: has a gradient", expected=0, measured="argmax" in norms)
    claim.at_least("softmax: gradient", measured=norms["softmax"], bound=1e-3)


def parzen_gap(dimension, rng, train=2000, test=1000):
    """Nats by which the best Parzen window falls short of the true mean log-density of held-out points."""
    x, y = rng.normal(size=(train, dimension)), rng.normal(size=(test, dimension))
    square = cdist(y, x, "sqeuclidean") / 2
    truth = np.mean(np.sum(norm.logpdf(y), axis=1))

    def shortfall(log_width):
        log_kernel = -square * np.exp(-2 * log_width) - dimension * (log_width + log(2 * pi) / 2)
        return truth - np.mean(np.asarray(logsumexp(log_kernel, axis=1))) + log(train)

    best = minimize_scalar(shortfall, bounds=(-2.5, 1.0), method="bounded", options={"xatol": 1e-2})
    return best.fun  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.claim("A17")
def test_likelihood_from_samples(claim):
    """Held-out likelihood from Parzen windows on 2,000 samples of N(0, I_d) is too low by nats that grow with d."""
    claim.source("S")
    rng = np.random.default_rng(17)
    # Means over 15 seeds, and at least four times their spread (0.003, 0.013, 0.04, 0.07).
    measured = {1: (0.002, 0.02), 5: (0.09, 0.06), 20: (1.64, 0.2), 50: (7.07, 0.3)}
    for dimension, (expected, tolerance) in measured.items():
        gap = parzen_gap(dimension, rng)
        claim.check(f"d = {dimension}: nats too low", expected=expected, measured=gap, tolerance=tolerance)
