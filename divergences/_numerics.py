"""Elementary functions that are accurate where their textbook formula cancels or overflows.

All work on NumPy arrays and torch tensors alike. Branches that are not taken may divide by zero: callers
silence NumPy with `quiet()`.
"""

import math
from collections.abc import Callable

import numpy as np

from divergences._arrays import Array, is_torch, namespace
from divergences._parallel import run_blocks

NARROW = 2.0**-900  # masses below it are near the subnormals, where digits would be lost


def quiet() -> np.errstate:
    """Infinities are legitimate here, and NaN only appears in branches that `where` throws away."""
    return np.errstate(all="ignore")


def in_blocks(f: Callable[[Array, Array], Array], p: Array, q: Array, size: int = 1 << 15) -> Array:
    """f(p, q), elementwise, in blocks whose temporaries stay in the processor's cache; NumPy's on all threads."""
    xp = namespace(p, q)
    p, q = xp.broadcast_arrays(p, q)
    shape, total = p.shape, math.prod(p.shape)
    if total <= size or str(p.device) != "cpu":
        return f(p, q)
    p, q, out = xp.reshape(p, (-1,)), xp.reshape(q, (-1,)), xp.empty(total, dtype=p.dtype)

    def work(start: int, stop: int) -> None:
        out[start:stop] = f(p[start:stop], q[start:stop])

    if not is_torch(p):
        run_blocks(work, total, size)
    else:  # torch has threads of its own
        for start in range(0, total, size):
            work(start, min(start + size, total))
    return xp.reshape(out, shape)


def unit_scale(p: Array, q: Array) -> Array:
    """2**150 for atoms of narrow masses, else 1: what is summed is homogeneous."""
    xp = namespace(p, q)
    one = xp.ones_like(p + q)
    return xp.where(xp.maximum(p, q) < NARROW, one * 2.0**150, one)


def two_difference(x: Array, y: Array) -> tuple[Array, Array]:
    """x - y rounded, and what rounding took, exactly (Knuth, TwoSum); the latter is NaN where x - y is infinite."""
    difference = x - y
    part = difference - x
    return difference, (x - (difference - part)) - (y + part)


def exp_of_sum(x: Array, y: Array, correction: Array) -> Array:
    """exp(x + y + correction) for a tiny correction: the rounding of x + y, which may be large, is made good."""
    xp = namespace(x, y)
    total, error = two_difference(x, -y)
    value = xp.exp(total)
    refined = value * (1 + (error + correction))
    return xp.where(xp.isfinite(refined), refined, value)


def log_excess(x: Array) -> Array:
    """X - log(1 + x) >= 0, to full relative accuracy down to x = 0 (where it is x**2 / 2)."""
    xp = namespace(x)
    near = xp.abs(x) < 0.25
    small = xp.where(near, x, xp.zeros_like(x))
    # log(1 + x) = 2 artanh(r) with r = x / (2 + x), and x - 2 r = x r, so the first order never appears.
    r = small / (2 + small)
    y = r * r
    tail = xp.zeros_like(x)
    for k in range(11, -1, -1):  # y <= 1/49: the next term is below rounding
        tail = tail * y + 1 / (2 * k + 3)
    return xp.where(near, r * (small - 2 * y * tail), x - xp.log1p(x))


def log_ratio(p: Array, q: Array, d: Array) -> Array:
    """log(p / q) for masses: accurate near p = q, where p / q leaves the floats, and -inf or inf at a single zero.

    d is p - q, at least as accurate as the subtraction.
    """
    xp = namespace(p, q)
    ratio = p / q
    away = xp.log(ratio)
    beyond = ~((ratio > 1e-300) & (ratio < 1e300))
    if bool(xp.any(beyond)):
        away = xp.where(beyond, xp.log(p) - xp.log(q), away)
    return xp.where(xp.abs(d) <= q / 4, xp.log1p(d / q), away)


def kl_cost(p: Array, q: Array, d: Array) -> Array:
    """P log(p / q) - p + q >= 0 per atom; q where p = 0, inf where q = 0 < p.

    d is p - q, at least as accurate as the subtraction.
    """
    xp = namespace(p, q)
    near = xp.abs(d) <= p / 4
    cost = xp.where(near, p * log_excess(-d / p), p * log_ratio(p, q, d) - d)
    return xp.where(p == 0, -d, cost)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    xp = namespace(x)
    return xp.maximum(x, xp.zeros_like(x)) + xp.log1p(xp.exp(-xp.abs(x)))


def xlogx(x: Array) -> Array:
    """X log x, 0 at 0."""
    xp = namespace(x)
    return xp.where(x == 0, xp.zeros_like(x), x * xp.log(xp.where(x == 0, xp.ones_like(x), x)))


def log_sum_exp(x: Array) -> Array:
    """log Σ e^x over the last axis; infinities allowed."""
    xp = namespace(x)
    largest = xp.max(x, axis=-1, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    return largest[..., 0] + xp.log(xp.sum(xp.exp(x - largest), axis=-1))


def log_one_minus_exp(t: Array) -> Array:
    """log(1 - e^t) for t <= 0, accurate at both ends."""
    xp = namespace(t)
    return xp.where(t > -0.5, xp.log(-xp.expm1(t)), xp.log1p(-xp.exp(xp.clip(t, max=-0.5))))


def mirrored_above_one(f: Callable[[Array], Array], u: Array) -> Array:
    """f(u) as u f(1/u) where u > 1, for an f that equals its mirror: large terms would cancel or overflow there."""
    xp = namespace(u)
    large = u > 1
    s = xp.where(large, 1 / xp.where(large, u, xp.ones_like(u)), u)
    return xp.where(large, u * f(s), f(s))


def exact_product(c: float, x: Array) -> tuple[Array, Array]:
    """c x rounded, and what rounding took, exactly (Dekker)."""
    mantissa, exponent = math.frexp(c)
    head = math.ldexp(math.trunc(mantissa * 2**26) / 2**26, exponent)
    shifted = x * 134217729.0  # 2**27 + 1 splits the digits in halves
    high = shifted - (shifted - x)
    low, product = x - high, c * x
    return product, ((head * high - product) + head * low + (c - head) * high) + (c - head) * low


def log_omega(z: Array) -> Array:
    """Log of the Wright omega function: the y with y + exp(y) = z, by Newton's method from above.

    exp(log_omega(1 - t)) is the Lambert W of e**(1 - t), without ever forming that power. At ±inf, y = z.
    """
    xp = namespace(z)
    infinite, z_given = xp.isinf(z), z
    z = xp.where(infinite, xp.zeros_like(z), z)
    fixed = z.detach() if is_torch(z) else z
    y = xp.where(fixed > 1, xp.log(xp.where(fixed > 1, fixed, xp.ones_like(fixed))), fixed)
    for _ in range(8):  # quadratic, and monotone because y + exp(y) is convex and increasing
        y = y - (y + xp.exp(y) - fixed) / (1 + xp.exp(y))
    for _ in range(2):  # on the graph: one step has the first derivative in z of the solution, two have three
        y = y - (y + xp.exp(y) - z) / (1 + xp.exp(y))
    return xp.where(infinite, z_given, y)
