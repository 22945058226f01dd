"""Laws of the perspective q f̃(p/q) for every entry: at zeros, on logarithms, on products, behind a softmax.

Like those of `test_every_f_divergence.py`, each is shown in `test_laws_bite.py` to reject a planted error.
"""

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given

from divergences.f_divergences import _perspective as perspective
from tests import entries, mp_oracle
from tests.strategies import coarse, pmf_pairs

EVERY = pytest.mark.parametrize("d", entries.EVERY.values(), ids=list(entries.EVERY))
NAMED = pytest.mark.parametrize(("name", "d"), entries.NAMED.items(), ids=list(entries.NAMED))


@EVERY
@pytest.mark.parametrize("u", [0.05, 0.3, 1.0, 1.7, 4.0])
def test_biconjugate(d, u):
    """f(u) = sup over t of t u - f*(t): the conjugate of the conjugate is the generator."""
    end = min(d.domain[1], 3000.0)
    low, high, best = -3000.0, end, -math.inf
    for _ in range(10):  # the objective is concave: each round keeps the neighbours of the best
        t = np.minimum(np.linspace(low, high, 61), end)
        values = t * u - d.conjugate(t)
        k = int(np.argmax(values))
        best = max(best, float(values[k]))
        low, high = t[max(k - 1, 0)], t[min(k + 1, 60)]
    f = float(d.generator(u))
    assert abs(best - f) <= 1e-9 * (1 + abs(f) + abs(u * float(d.derivative(u))))


@NAMED
def test_limits_of_the_generator(name, d):
    """cost(0, q) = q f~(0) and cost(p, 0) = p f~'(inf), the limits of the textbook generator at 10**-+(10**16)."""
    f, f_at_one, slope_at_one, at_zero, slope = mp_oracle.GENERATORS[name]
    far = mp.mpf(10) ** (10**16)
    for measured, limit in ((f(1 / far), at_zero), (f(far) / far, slope)):
        assert measured > 10**15 if mp.isinf(limit) else abs(measured - limit) < mp.mpf(10) ** -30
    by_p, by_q = float(slope - slope_at_one), float(at_zero - f_at_one + slope_at_one)
    measured = d.contributions([0.3, 0.7, 0.0], [0.0, 0.2, 0.8])
    assert float(measured[0]) == pytest.approx(0.3 * by_p, rel=1e-14)
    assert float(measured[2]) == pytest.approx(0.8 * by_q, rel=1e-14)


def interaction(d):
    """The k of D(joint) = D1 + D2 + k D1 D2 on independent pairs; None where no such law holds."""
    name, _, parameter = d.name.rstrip(")").partition("(")
    if name == "alpha":
        return float(parameter) * (float(parameter) - 1)
    return {
        "kl": 0.0,
        "reverse_kl": 0.0,
        "jeffreys": 0.0,
        "pearson": 1.0,
        "neyman": 1.0,
        "squared_hellinger": -0.5,
    }.get(name)


PRODUCTS = {name: d for name, d in entries.NAMED.items() if interaction(d) is not None}


@pytest.mark.parametrize("d", PRODUCTS.values(), ids=list(PRODUCTS))
@given(pair=pmf_pairs(), other=pmf_pairs())
def test_products(d, pair, other):
    """KL, its reverse and Jeffreys add over independent pairs; 1 + chi2, 1 - H2/2 and alpha's sums multiply."""
    one, two = ([coarse(x) for x in couple] for couple in (pair, other))
    p, q = (np.outer(x, y).ravel() for x, y in zip(one, two, strict=True))
    joint, first, second, k = d(p, q, normalize=True), d(*one), d(*two), interaction(d)
    together = k * first * second if k and first and second else 0.0
    assert joint == pytest.approx(first + second + together, rel=1e-9, abs=1e-10 + 1e-12 * (first + second))


@EVERY
@given(pair=pmf_pairs())
def test_log_equals_linear(d, pair):
    """log=True on the logarithms gives the same number, up to what rounding the logarithms moves."""
    p, q = map(coarse, pair)
    with np.errstate(divide="ignore"):
        lp, lq = np.log(p), np.log(q)
    expected, measured = d(p, q), d(lp, lq, log=True)
    if math.isinf(expected):
        assert measured == expected
        return
    moved = sum(
        np.sum(np.abs(x[m > 0] * m[m > 0] * np.log(m[m > 0]))) for x, m in zip(d.gradient(p, q), (p, q), strict=True)
    )
    assert abs(measured - expected) <= 1e-13 * (expected - d.f_at_one) + 1e-15 * (moved + abs(d.f_at_one)) + 1e-28


LOGS = [0.0, -1e-9, -0.3, -0.3 - 1e-12, -5.0, -39.9, -41.7, -300.1, -699.7, -700.0, -745.2, -1000.3, -1500.0, -np.inf]


@NAMED
def test_log_against_mpmath(name, d):
    """Within 1e-13 of each term, from equal logarithms to differences of 1500, far below the smallest float."""
    lp, lq = (x.ravel() for x in np.meshgrid(LOGS, LOGS))
    measured = perspective.log_cost(d, lp, lq)
    tensors = perspective.log_cost(d, torch.tensor(lp), torch.tensor(lq)).numpy()
    kink = name.startswith("hockey_stick")  # near the kink e^lp and its multiple of e^lq cancel, by their own rounding
    for a, b, value, tensor in zip(lp, lq, measured, tensors, strict=True):
        p, q = mp.exp(mp.mpf(a)), mp.exp(mp.mpf(b))
        expected = mp_oracle.atom(name, p, q)
        if expected > np.finfo(float).max:
            assert value == tensor == np.inf, (a, b)
        else:
            error = max(abs(mp.mpf(float(x)) - expected) for x in (value, tensor))
            assert error <= 1e-13 * (p + q if kink else expected) + mp.mpf(10) ** -320, (a, b, value)


@NAMED
def test_log_gradient_against_mpmath(name, d):
    """The derivatives in log p and log q: p and q times the slopes; 0 at -inf."""
    lp, lq = (x.ravel() for x in np.meshgrid([-1e-9, -0.3, -0.3 - 1e-12, -5.0, -60.5, -300.1, -np.inf], LOGS[:9]))
    for a, b, *measured in zip(lp, lq, *perspective.log_gradient(d, lp, lq), strict=True):
        if math.isinf(a):
            assert measured[0] == 0
            continue
        masses = mp.exp(mp.mpf(a)), mp.exp(mp.mpf(b))
        for value, mass, slope in zip(measured, masses, mp_oracle.slopes(name, *masses), strict=True):
            expected = mass * slope
            if abs(expected) > np.finfo(float).max:
                assert value == (np.inf if expected > 0 else 0)
            else:
                assert abs(mp.mpf(float(value)) - expected) <= 1e-12 * abs(expected) + mp.mpf(10) ** -320, (a, b)


LOGITS = [
    ([0.3, -1.2, 0.5], [1.0, 0.2, -0.4]),
    ([0.3, -np.inf, 0.5], [1.0, 0.2, -0.4]),
    ([0.3, -1.2, 0.5], [0.3, -1.2, 0.5 + 1e-9]),
    ([40.0, 0.0, -40.0], [0.0, 1.0, 0.5]),
    ([1000.0, -1000.0, 0.0], [0.0, 1.0, 0.5]),
    ([0.0, 1.0, 0.5], [1000.0, -1000.0, 0.0]),
    ([-np.inf, 1000.0, 999.2], [-np.inf, 0.0, 1.0]),
]


def softmax(logits):
    """Probabilities in mpmath."""
    weights = [mp.exp(mp.mpf(x) - mp.mpf(max(logits))) for x in logits]
    return [w / mp.fsum(weights) for w in weights]


def gradient_at_logits(name, p, q):
    """The value at two softmaxes and its gradient with respect to both vectors of logits, in mpmath."""
    inside = [(a, b) if a and b else None for a, b in zip(p, q, strict=True)]
    slopes = [mp_oracle.slopes(name, *pair) if pair else (0, 0) for pair in inside]
    value = mp.fsum(mp_oracle.atom(name, a, b) for a, b in zip(p, q, strict=True))
    if mp.isinf(value):
        return value, []
    _, f1, s1, f0, slope = mp_oracle.GENERATORS[name]
    by_p = [s[0] if a and b else (slope - s1 if a else 0) for a, b, s in zip(p, q, slopes, strict=True)]
    by_q = [s[1] if a and b else (f0 - f1 + s1 if b else 0) for a, b, s in zip(p, q, slopes, strict=True)]
    gradients = []
    for masses, by in ((p, by_p), (q, by_q)):
        mean = mp.fsum(m * s for m, s in zip(masses, by, strict=True) if m)
        gradients.append([m * (s - mean) if m else mp.mpf(0) for m, s in zip(masses, by, strict=True)])
    return value, gradients


@NAMED
@pytest.mark.parametrize("log", [False, True])
def test_gradient_reaches_every_logit(name, d, log):
    """Behind a softmax, from -inf to ±1000, the gradient is mpmath's wherever the value is finite."""
    for x, y in LOGITS:
        tensors = [torch.tensor(z, dtype=torch.float64, requires_grad=True) for z in (x, y)]
        if log:
            measured = d(*tensors, log=True, normalize=True)
            value, gradients = gradient_at_logits(name, softmax(x), softmax(y))
        else:  # a softmax that underflowed to 0 is 0
            masses = [torch.softmax(z, 0) for z in tensors]
            measured = d(*masses)
            value, gradients = gradient_at_logits(name, *(m.tolist() for m in masses))
        if value > np.finfo(float).max or torch.isinf(measured):
            assert not log or measured == torch.inf
            continue
        largest = max((abs(g) for side in gradients for g in side), default=0)
        for found, expected in zip(torch.autograd.grad(measured, tensors), gradients, strict=True):
            for a, b in zip(found.tolist(), expected, strict=True):
                assert abs(a - b) <= 1e-9 * largest + 1e-15, (x, y)
