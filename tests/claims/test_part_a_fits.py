"""Part A: which model a divergence prefers."""

from functools import partial
from math import log, sqrt

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import expit

import divergences as dv
from tests.claims import figures
from tests.claims.laws import gaussian, random_pmfs

X = np.linspace(-22, 22, 1101)


def mixture(m, weight=0.5, sds=(1.0, 1.0)):
    """The law (1 − weight) N(−m, ·) + weight N(m, ·)."""
    return (1 - weight) * gaussian(X, -m, sds[0]) + weight * gaussian(X, m, sds[1])


def fit(divergence, target, start):
    """The Gaussian at a local minimum of divergence(target, ·) near `start`: (mean, sd, value)."""

    def value(theta):
        # A narrow Gaussian underflows far out and KL is infinite: a large number tells the line search the same.
        return min(float(getattr(dv, divergence)(target, gaussian(X, theta[0], np.exp(theta[1])))), 1e6)

    found = minimize(value, [start[0], log(start[1])], method="BFGS", options={"gtol": 1e-7})
    return found.x[0], np.exp(found.x[1]), found.fun


def minima(divergence, m):
    """Every local minimum that is found from nine starts, sorted by the mean."""
    starts = [(mean, sd) for mean in (-1.1 * m, 0.0, 0.9 * m) for sd in (1.0, 1.5, sqrt(1 + m * m))]
    found = sorted(fit(divergence, mixture(m), start) for start in starts)
    return [a for a, b in zip(found, [*found[1:], (np.inf, 0, 0)], strict=True) if b[0] - a[0] > 0.01]


def advantage(divergence, m):
    """The value at the centre less that on a mode: positive where seeking one mode is best."""
    target = mixture(m)
    centre, mode = fit(divergence, target, (0.0, sqrt(1 + m * m))), fit(divergence, target, (m, 1.0))
    return centre[2] - mode[2]


@pytest.mark.claim("A6")
def test_covering_and_seeking(claim):
    """One Gaussian for ½N(−m,1) + ½N(m,1): KL covers both modes, reverse KL seeks one if far, JSD is between."""
    claim.source("I", "S", "E")
    for m in (1.0, 3.0, 4.0):
        ((mean, sd, _),) = minima("kl", m)
        claim.check(
            f"KL, m = {m:g}: mean and variance", expected=[0, 1 + m * m], measured=[mean, sd**2], tolerance=1e-4
        )
    for m, count in ((2.0, 1), (2.4, 1), (2.42, 3), (3.0, 3)):
        claim.check(f"reverse KL, m = {m:g}: local minima", expected=count, measured=len(minima("reverse_kl", m)))
    left, centre, right = minima("reverse_kl", 3.0)
    claim.check("reverse KL, m = 3: centre", expected=[0, 2.744, 0.8406], measured=centre, tolerance=6e-4)
    claim.check("reverse KL, m = 3: right mode", expected=[2.984, 1.023, 0.6888], measured=right, tolerance=6e-4)
    claim.check("and the left one mirrors it", expected=np.array(right) * [-1, 1, 1], measured=left, tolerance=1e-4)
    switch = brentq(partial(advantage, "reverse_kl"), 2.6, 3.0, xtol=1e-4)
    claim.check("reverse KL: a mode is global from m =", expected=2.800, measured=switch, tolerance=1e-3)
    best = min(minima("js", 3.0), key=lambda v: v[2])
    claim.check("JSD, m = 3: best", expected=[0, 3.120, 0.1284], measured=best, tolerance=6e-4)
    switch = brentq(partial(advantage, "js"), 4.0, 4.5, xtol=1e-4)
    claim.check("JSD: a mode is best from m =", expected=4.245, measured=switch, tolerance=1e-3)
    claim.figure(
        lambda: figures.modes(
            X,
            mixture(3.0),
            {k: minima(d, 3.0) for k, d in (("KL", "kl"), ("JSD", "js"), ("reverse KL", "reverse_kl"))},
            gaussian,
        ),
        "one Gaussian fitted to ½N(−3,1) + ½N(3,1); dotted: local minima that are not the best",
    )


@pytest.mark.claim("A9")
def test_maximum_likelihood_minimises_forward_kl(claim):
    """Maximum likelihood minimises KL(p_x‖p_g), which covers; the printed KL(p_g‖p_x) is another model, on one mode."""
    claim.source("N")
    forward, backward = minima("kl", 3.0)[0], minima("reverse_kl", 3.0)[-1]
    rng = np.random.default_rng(9)
    sample = rng.normal(size=20_000) + 3 * rng.choice([-1, 1], size=20_000)
    cost = lambda t: t[1] + np.mean((sample - t[0]) ** 2) * np.exp(-2 * t[1]) / 2
    likely = minimize(cost, [1.0, 0.0], method="BFGS").x
    mean, sd = likely[0], np.exp(likely[1])
    # Four standard errors of the mean, √10/√n, and of the sd (kurtosis 1.38): each misses once in 16,000.
    claim.check("20,000 samples: most likely mean", expected=forward[0], measured=mean, tolerance=4 * sqrt(10 / 20_000))
    claim.check("20,000 samples: most likely sd", expected=forward[1], measured=sd, tolerance=0.03)
    claim.refutes("mean by KL(p_g‖p_x)", printed=backward[0], measured=mean, margin=2)
    claim.refutes("sd by KL(p_g‖p_x)", printed=backward[1], measured=sd, margin=1)


@pytest.mark.claim("A12")
def test_evidence_lower_bound(claim):
    """ln p(DATA) = bound + KL(q‖posterior): the bound is −KL(q‖joint), tight there, not −KL(q‖p(DATA))."""
    claim.source("N")
    joint, q = np.array([0.1, 0.25, 0.05]), np.array([0.2, 0.5, 0.3])
    evidence, posterior = log(joint.sum()), joint / joint.sum()
    bound = lambda q: float(np.sum(q * np.log(joint / q)))
    claim.check("bound", expected=-1.022731, measured=bound(q), tolerance=5e-7)
    claim.check("ln p(DATA)", expected=-0.916291, measured=evidence, tolerance=5e-7)
    gap = float(dv.kl(q, posterior))
    claim.check("KL(q‖posterior)", expected=0.106440, measured=gap, tolerance=5e-7)
    claim.check("ln p(DATA) − bound", expected=gap, measured=evidence - bound(q), tolerance=1e-15)
    claim.check("the same at the posterior", expected=0, measured=evidence - bound(posterior), tolerance=1e-15)
    others = random_pmfs(200, 3)
    largest = max(map(bound, others))
    claim.at_most("largest bound of 200 q", measured=largest, bound=evidence)
    by_kl = evidence - dv.kl(others, posterior)
    claim.check("200 q: ln p − KL", expected=[bound(o) for o in others][:3], measured=by_kl[:3], tolerance=1e-13)
    printed = -float(np.sum(q * np.log(q / joint.sum())))
    claim.refutes("bound printed as −KL(q, p(DATA))", printed=printed, measured=bound(q), margin=1)
    claim.refutes("least KL(q‖joint) printed as 0", printed=0, measured=-bound(posterior), margin=0.9)


def two_components(theta):
    """A mixture of two Gaussians from free numbers: means, log sds, logit of the weight."""
    weight = expit(theta[4])
    return (1 - weight) * gaussian(X, theta[0], np.exp(theta[2])) + weight * gaussian(X, theta[1], np.exp(theta[3]))


@pytest.mark.claim("A13")
def test_collapse_comes_from_the_family(claim):
    """Minimising KL(p_g‖p) finds both modes if the model can have two; only a single Gaussian settles on one."""
    claim.source("S", "W")
    target = mixture(3.0)
    value = lambda theta: float(dv.reverse_kl(target, two_components(theta)))
    found = minimize(value, [-1.0, 1.0, 0.3, 0.3, 0.5], method="BFGS", options={"gtol": 1e-8})
    claim.check("two components: KL(p_g‖p)", expected=0, measured=found.fun, tolerance=1e-10)
    claim.check("two components: means", expected=[-3, 3], measured=found.x[:2], tolerance=1e-4)
    claim.check("two components: weight", expected=0.5, measured=expit(found.x[4]), tolerance=1e-4)
    mean, _, left = minima("reverse_kl", 3.0)[-1]
    claim.check("one Gaussian: KL(p_g‖p)", expected=0.6888, measured=left, tolerance=6e-4)
    claim.check("one Gaussian: weight within 1 of its mean from a mode", expected=1, measured=abs(mean - 3) < 1)
