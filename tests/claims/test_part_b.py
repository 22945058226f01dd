"""Part B: the f-divergence family, its conjugates, its bound."""

from math import e, inf, log

import mpmath as mp
import numpy as np
import pytest
import torch

import divergences as dv
from tests import mp_oracle
from tests.claims import figures

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.25, 0.25, 0.5])
RATIOS = np.array([0.02, 0.05, 0.3, 1.0, 2.0, 7.0, 40.0])
# The lectures' names; their "Jensen-Shannon" is twice ours (row B8).
FAMILY = {name: 2 * d if name == "js" else d for name, d in dv.CATALOGUE.items()}

LECTURED = [name for name in FAMILY if name not in ("le_cam", "alpha", "hockey_stick")]


def random_pmfs(count, size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(size), count)


@pytest.mark.claim("B1")
def test_definition_and_biconjugate(claim):
    """D_f(p, q) = Σ q f(p/q) with f convex, f(1) = 0, and the conjugate of the conjugate is f again."""
    claim.source("I", "E", "W")
    p, q = random_pmfs(50, 6), random_pmfs(50, 6, seed=1)
    for name, d in dv.CATALOGUE.items():
        definition = np.sum(q * d.generator(p / q), axis=-1)
        claim.check(f"{name}: D", expected=definition[0], measured=d(p, q)[0], tolerance=1e-12)
        assert np.allclose(definition, d(p, q), rtol=1e-11, atol=1e-12)
        claim.check(f"{name}: f(1)", expected=-2 * log(2) if name == "gan" else 0, measured=d.generator(1.0))
        u = np.linspace(0.01, 8, 400)
        claim.at_most(f"{name}: largest concavity of f", measured=-np.diff(d.generator(u), 2).min(), bound=1e-12)
        t = d.activation(np.linspace(-100, 100, 400_001))
        biconjugate = [(t * u - d.conjugate(t)).max() for u in RATIOS]
        claim.check(f"{name}: f**(0.3)", expected=d.generator(RATIOS)[2], measured=biconjugate[2], tolerance=1e-6)
        assert np.allclose(biconjugate, d.generator(RATIOS), atol=1e-5)


@pytest.mark.claim("B2")
def test_generators_match_their_integrals(claim):
    """The ten generators give their integrals (Pearson's, Neyman's and Jensen-Shannon's as corrected)."""
    claim.source("W", "I")
    m, w = (P + Q) / 2, 0.3
    mixture = w * P + (1 - w) * Q
    kl = lambda a, b: np.sum(a * np.log(a / b))
    integrals = {
        "kl": kl(P, Q),
        "reverse_kl": kl(Q, P),
        "js": kl(P, m) + kl(Q, m),
        "total_variation": np.abs(P - Q).sum() / 2,
        "pearson": np.sum((P - Q) ** 2 / Q),
        "neyman": np.sum((P - Q) ** 2 / P),
        "squared_hellinger": np.sum((np.sqrt(P) - np.sqrt(Q)) ** 2),
        "jeffreys": np.sum((P - Q) * np.log(P / Q)),
        "gan": kl(P, m) + kl(Q, m) - log(4),
        "weighted_js": w * kl(P, mixture) + (1 - w) * kl(Q, mixture),
    }
    for name, integral in integrals.items():
        claim.check(name, expected=integral, measured=FAMILY[name](P, Q), tolerance=1e-14)


@pytest.mark.claim("B3")
def test_conjugates(claim):
    """The ten conjugates meet Fenchel-Young with equality at t = f'(u); Jeffreys' is stable down to t = -800."""
    claim.source("W")
    for name, d in FAMILY.items():
        t = d.derivative(RATIOS)
        gap = d.generator(RATIOS) + d.conjugate(t) - RATIOS * t
        claim.check(f"{name}: largest Fenchel-Young gap", expected=0, measured=np.abs(gap).max(), tolerance=1e-11)
    omega = mp.lambertw(mp.exp(801)).real
    exact = float(1 / omega - mp.log(omega) - 1)
    claim.check("Jeffreys: f*(-800)", expected=exact, measured=dv.jeffreys.conjugate(-800.0), tolerance=1e-12)


@pytest.mark.claim("B4")
def test_optimal_critics(claim):
    """The optimal critic is T* = f'(p/q), in the forms that the lecture prints."""
    claim.source("I")
    r = P / Q
    printed = {
        "kl": 1 + np.log(r),
        "reverse_kl": -Q / P,
        "pearson": 2 * (r - 1),
        "squared_hellinger": (np.sqrt(r) - 1) * np.sqrt(Q / P),
        "js": np.log(2 * P / (P + Q)),
        "gan": np.log(P / (P + Q)),
    }
    for name, critic in printed.items():
        claim.check(name, expected=critic, measured=FAMILY[name].optimal_critic(P, Q), tolerance=1e-14)
    off_kinks = np.array([0.2, 0.25, 0.55])
    for name, d in dv.CATALOGUE.items():
        slopes = [float(mp_oracle.derivative(name, u)) for u in P / off_kinks]
        claim.check(f"{name}: f'", expected=slopes, measured=d.optimal_critic(P, off_kinks), tolerance=1e-12)


def trained_critic(d, p, q, x, seed):
    """A small network's critic on the points `x`, trained with exact expectations under p and q, and its bound."""
    torch.manual_seed(seed)
    net = torch.nn.Sequential(
        torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
    ).double()
    p, q, x = (torch.tensor(a) for a in (p, q, x))
    optimiser = torch.optim.LBFGS(net.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        v = net(x[:, None])[:, 0]
        value = torch.sum(q * d.conjugate_activation(v)) - torch.sum(p * d.activation(v))
        value.backward()
        return value

    optimiser.step(loss)
    t = d.activation(net(x[:, None])[:, 0].detach()).numpy()
    return t, float(d.lower_bound(t, t, p=p.numpy(), q=q.numpy()))


@pytest.mark.claim("B5")
def test_variational_bound(claim):
    """E_p T - E_q f*(T) <= D_f(p, q), tight at T*; a trained critic stays below the truth and comes within 5 %."""
    claim.source("I", "E", "W")
    x = np.linspace(-4, 5, 61)
    p = np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    q = np.exp(-((x - 1) ** 2) / 2) / np.exp(-((x - 1) ** 2) / 2).sum()
    fits = {}
    for name, d in dv.CATALOGUE.items():
        truth, critic = d(p, q), d.optimal_critic(p, q)
        bound = d.lower_bound(critic, critic, p=p, q=q)
        claim.check(f"{name}: bound at T*", expected=truth, measured=bound, tolerance=1e-9)
        t, trained = max((trained_critic(d, p, q, x, seed) for seed in range(2)), key=lambda found: found[1])
        fits[name] = critic, t, truth, trained
        claim.at_most(f"{name}: trained critic", measured=trained, bound=truth, tolerance=1e-12)
        shortfall = (truth - trained) / (truth - d.f_at_one)
        claim.at_most(f"{name}: its relative shortfall", measured=shortfall, bound=0.05)
    claim.figure(
        lambda: figures.fitted_critics(x, {name: fits[name] for name in LECTURED}),
        "N(0,1) against N(1,1): the optimal critic f'(p/q) in blue, a trained one dashed, its bound ≤ the divergence",
    )


@pytest.mark.claim("B7")
def test_pearson_and_neyman_are_swapped(claim):
    """Printed Pearson ∫(q-p)²/p belongs to Neyman's generator: (u-1)² gives ∫(p-q)²/q."""
    claim.source("I", "W")
    claim.check("∫(p-q)²/q", expected=0.44, measured=dv.pearson(P, Q), tolerance=1e-15)
    claim.check(
        "∫(p-q)²/p", expected=0.25**2 / 0.5 + 0.05**2 / 0.3 + 0.3**2 / 0.2, measured=dv.neyman(P, Q), tolerance=1e-15
    )
    claim.refutes("Pearson as ∫(q-p)²/p", printed=np.sum((Q - P) ** 2 / P), measured=dv.pearson(P, Q), margin=0.1)
    claim.refutes("Neyman as ∫(p-q)²/q", printed=np.sum((P - Q) ** 2 / Q), measured=dv.neyman(P, Q), margin=0.1)


@pytest.mark.claim("B8")
def test_jensen_shannon_is_doubled(claim):
    """The generator u log u - (u+1) log((u+1)/2) gives 2 JSD, not the printed integral with its factor ½."""
    claim.source("I", "W")
    u = P / Q
    generated = np.sum(Q * (u * np.log(u) - (u + 1) * np.log((u + 1) / 2)))
    claim.check("generator's value over JSD", expected=2, measured=generated / dv.js(P, Q), tolerance=1e-13)
    t = np.array([-2.0, -0.5, 0.3])
    claim.check(
        "its conjugate is that of 2 JSD",
        expected=-np.log(2 - np.exp(t)),
        measured=(2 * dv.js).conjugate(t),
        tolerance=1e-14,
    )
    claim.refutes("value printed with ½", printed=dv.js(P, Q), measured=generated, margin=0.05)


@pytest.mark.claim("B9")
def test_gan_generator_is_no_divergence(claim):
    """The GAN generator has f(1) = -2 log 2, not 0, so D(p, p) = -log 4."""
    claim.source("I", "W")
    claim.check("f(1)", expected=-2 * log(2), measured=dv.gan_value.generator(1.0), tolerance=1e-15)
    claim.check("D(p, p)", expected=-log(4), measured=dv.gan_value(P, P), tolerance=1e-15)
    claim.check("D(p, q)", expected=2 * dv.js(P, Q) - log(4), measured=dv.gan_value(P, Q), tolerance=1e-15)
    claim.refutes(
        "f(1) = 0 by the definition of an f-divergence", printed=0, measured=dv.gan_value.generator(1.0), margin=1
    )


@pytest.mark.claim("B10")
def test_pearson_conjugate_below_minus_two(claim):
    """Pearson's printed conjugate t²/4 + t holds for t >= -2 only; below it is -1."""
    claim.source("W")
    brute = float(mp_oracle.conjugate("pearson", mp.mpf(-5)))
    claim.check("f*(-5), brute force", expected=brute, measured=dv.pearson.conjugate(-5.0), tolerance=1e-15)
    claim.check("f*(1)", expected=1.25, measured=dv.pearson.conjugate(1.0), tolerance=1e-15)
    claim.refutes("t²/4 + t at t = -5", printed=(-5) ** 2 / 4 - 5, measured=dv.pearson.conjugate(-5.0), margin=2)


@pytest.mark.claim("B14")
def test_domains_of_the_conjugates(claim):
    """Total variation's printed conjugate t holds for -½ <= t <= ½ only; every conjugate has a domain."""
    claim.source("W")
    tv = dv.total_variation
    claim.check("f*(t) at -3, ¼, 0.51", expected=[-0.5, 0.25, inf], measured=tv.conjugate([-3.0, 0.25, 0.51]))
    u = np.array([1e2, 1e4, 1e6])
    grows = 0.51 * u - tv.generator(u)
    claim.at_least("growth of t u - f(u) at t = 0.51", measured=np.diff(grows), bound=1)
    claim.refutes("f*(-3) = t", printed=-3.0, measured=tv.conjugate(-3.0), margin=2)
    ends = {"kl": inf, "reverse_kl": 0, "pearson": inf, "neyman": 1, "squared_hellinger": 1, "jeffreys": inf}
    ends |= {"js": log(2), "gan": 0, "weighted_js": -0.3 * log(0.3), "total_variation": 0.5}
    for name, end in ends.items():
        d = FAMILY[name]
        claim.check(f"{name}: end of the domain", expected=end, measured=d.domain[1], tolerance=1e-15)
        if end < inf:
            claim.check(f"{name}: f* beyond it", expected=inf, measured=d.conjugate(end + 0.01))
            assert np.isfinite(d.conjugate(end - 1e-6))
        else:
            assert np.isfinite(d.conjugate(10 * e))
