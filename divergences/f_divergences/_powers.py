"""Powers of ratios of masses, without cancellation, through the deformed logarithm.

ln_c(u) = (u^c - 1)/c, log u at c = 0 (Tsallis, 1994): the derivative of the alpha generator of order 1 + c.
"""

import math

from divergences._arrays import Array, namespace
from divergences._numerics import log_excess, log_ratio


def exp_excess(z: Array) -> Array:
    """(e^z - 1 - z)/z² for |z| <= 1, ½ at 0."""
    total = namespace(z).zeros_like(z)
    for k in range(19, 1, -1):  # 1/20! is below rounding
        total = (total * z + 1) / k
    return total


def deformed_log(logarithm: Array, c: float) -> Array:
    """ln_c(u) from log u: (e^(c log u) - 1)/c, log u at c = 0."""
    if c == 0:
        return logarithm
    xp = namespace(logarithm)
    z = c * logarithm
    near = xp.abs(z) <= 1
    small = xp.where(near, z, xp.zeros_like(z))
    return xp.where(near, logarithm * (1 + small * exp_excess(small)), xp.expm1(z) / c)


def weighted_deformed_log(mass: Array | float, p: Array, q: Array, d: Array, c: float) -> Array:
    """mass ln_c(p/q), in which only the product may overflow; d = p - q."""
    xp = namespace(p, q)
    logarithm = log_ratio(p, q, d)
    if c == 0:
        return mass * logarithm
    ratio, z = p / q, c * logarithm
    # Half the power twice, because the power alone may overflow; and its base from roots where the ratio does.
    power = xp.where((ratio > 1e-300) & (ratio < 1e300), ratio ** (c / 2), (xp.sqrt(p) / xp.sqrt(q)) ** c)
    power = xp.where(xp.abs(logarithm) < 1, xp.exp(z / 2), power)
    return xp.where(xp.abs(z) <= 1, mass * deformed_log(logarithm, c), (mass * power * power - mass) / c)


def alpha_cost(p: Array, q: Array, d: Array, c: float) -> Array:
    """q f(p/q) with f(u) = (u^a - a u + a - 1)/(a(a - 1)) and a = 1 + c >= ½; d = p - q.

    It is (p ln_c(p/q) - d)/a, and near p = q the sum of two second-order terms, both taken without their first order.
    """
    xp = namespace(p, q)
    logarithm = log_ratio(p, q, d)
    z = c * logarithm
    near = (xp.abs(d) <= p / 4) & (xp.abs(z) <= 1)
    small = xp.where(near, z, xp.zeros_like(z))
    close = p * (log_excess(-d / p) + c * logarithm * logarithm * exp_excess(small))
    value = xp.where(near, close, weighted_deformed_log(p, p, q, d, c) - d)
    value = xp.where(p == 0, -d, value) / (1 + c)
    at_infinity = p / -c if c < 0 else xp.full_like(p, xp.inf)
    return xp.where((q == 0) & (p > 0), at_infinity, value)


def alpha_tail(delta: Array, c: float) -> tuple[Array, Array]:
    """Log of f(u)/u at u = e^δ, and its derivative in δ, for order a = 1 + c > ½: f(u)/u = (ln_c(u) - 1 + 1/u)/a."""
    xp = namespace(delta)
    a, z, rest = 1 + c, c * delta, xp.exp(-delta)
    value = deformed_log(delta, c) - 1 + rest
    near = xp.log(value / a), (xp.exp(z) - rest) / value
    if c <= 0:
        return near
    decay = xp.exp(-z)  # e^z is taken out of the logarithm, because it overflows
    below = 1 - (a - c * rest) * decay
    far = z + xp.log(below / a) - math.log(c), c * (1 - rest * decay) / below
    return xp.where(z <= 1, near[0], far[0]), xp.where(z <= 1, near[1], far[1])
