"""The laws of an f-divergence as numbers: by how much each is violated (0 or less: it holds)."""

import math

import mpmath as mp
import numpy as np
import torch

from tests import mp_oracle


def below_minimum(d, p, q):
    """How far D(p, q) falls below f(1); inf for NaN."""
    value = d(p, q)
    return math.inf if math.isnan(value) else d.f_at_one - value


def above_maximum(d, p, q):
    """How far D(p, q) exceeds f~(0) + f~'(inf) + f(1)."""
    one, zero = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    largest = d(one, zero)
    return -math.inf if math.isinf(largest) else d(p, q) - largest


def data_processing_excess(d, p, q, channel):
    """How much a channel increases D, relative to 1 + D."""
    before, after = d(p, q), d(p @ channel, q @ channel, normalize=True)
    return -math.inf if math.isinf(before) else (after - before) / (1 + abs(before))


def convexity_excess(d, p, q, r, s, weight):
    """How far D at a mixture exceeds the mixture of the values, relative to 1 + their sum."""
    ends = d(p, q), d(r, s)
    if any(map(math.isinf, ends)):
        return -math.inf
    middle = d(weight * p + (1 - weight) * r, weight * q + (1 - weight) * s, normalize=True)
    return (middle - weight * ends[0] - (1 - weight) * ends[1]) / (1 + sum(map(abs, ends)))


def fenchel_young_violation(d, u, v):
    """How far t u exceeds f(u) + f*(t) at t = g(v), relative to the size of the terms."""
    t = float(d.activation(v))
    f, conjugate = float(d.generator(u)), float(d.conjugate(t))
    if math.isinf(f):
        return -math.inf
    return (t * u - f - conjugate) / (1 + abs(t * u) + abs(f) + abs(conjugate))


def fenchel_young_gap(d, u):
    """|f(u) + f*(f'(u)) - u f'(u)|, relative to the size of the terms."""
    t = float(d.derivative(u))
    f, conjugate = float(d.generator(u)), float(d.conjugate(t))
    return abs(f + conjugate - u * t) / (1 + abs(u * t) + abs(f) + abs(conjugate))


def composition_gap(d, v):
    """|f*(g(v)) stable - composed|, relative; 0 where g(v) has too few digits left before the end of the domain."""
    t = float(d.activation(v))
    if d.high - t < 1e-9 * max(1.0, abs(t)):
        return 0.0
    stable, composed = float(d.conjugate_activation(v)), float(d.conjugate(t))
    return abs(stable - composed) / (1 + abs(composed))


def perspective_gap(d, u):
    """|cost(u, 1) - f~(u)| relative to the terms of f~."""
    f = float(d.generator(u))
    cost = float(d.cost(np.array(u), np.array(1.0), np.array(u) - 1.0))
    expected = f - d.f_at_one - d.slope_at_one * (u - 1)
    return abs(cost - expected) / (1 + abs(f) + abs(d.slope_at_one * (u - 1)))


def reversal_gap(d, p, q):
    """|D.reverse(p, q) - D(q, p)|, relative."""
    a, b = d.reverse(p, q), d(q, p)
    return 0.0 if a == b else abs(a - b) / (1 + abs(b))


def oracle_error(name, measured, p, q):
    """Error against mpmath, relative to the sum of absolute terms (plus one unit of the smallest subnormal)."""
    expected, terms = mp_oracle.value(name, p, q)
    if mp.isinf(expected) or expected > np.finfo(float).max:
        return 0.0 if math.isinf(measured) else math.inf
    error = abs(mp.mpf(float(measured)) - expected)
    return float(error / (terms + abs(mp_oracle.GENERATORS[name][1]) + mp.mpf(5e-324) * 10**13))


def gradient_error(name, d, p, q):
    """Largest relative error of the gradient against mpmath where p, q > 0; -inf and overflow count as equal."""
    worst = 0.0
    for a, b, *measured in zip(p, q, *d.gradient(p, q), strict=True):
        if a == 0 or b == 0:
            continue
        for value, expected in zip(measured, mp_oracle.slopes(name, a, b), strict=True):
            if abs(expected) > np.finfo(float).max:
                gap = 0.0 if math.isinf(value) or (value == 0 and expected < 0) else math.inf
            else:
                gap = abs(mp.mpf(float(value)) - expected) / (abs(expected) + mp.mpf(10) ** -320)
            worst = math.inf if mp.isnan(gap) else max(worst, float(gap))
    return worst


def gradient_gap(d, p, q, h=1e-6):
    """Largest relative difference of autograd from central differences of the summed cost."""
    tensors = [torch.tensor(x, requires_grad=True) for x in (p, q)]
    gradients = torch.autograd.grad(d(*tensors), tensors)

    def total(a, b):
        return float(np.sum(d.cost(a, b, a - b)))

    worst = 0.0
    for i in range(len(p)):
        e = np.eye(len(p))[i] * h
        numeric = (total(p + e, q) - total(p - e, q)) / (2 * h), (total(p, q + e) - total(p, q - e)) / (2 * h)
        for gradient, slope in zip(gradients, numeric, strict=True):
            worst = max(worst, abs(float(gradient[i]) - slope) / (1 + abs(slope)))
    return worst
