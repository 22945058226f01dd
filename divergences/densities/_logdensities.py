"""Log densities that neither cancel near the mode nor underflow far from it, where SciPy's do.

Those of the gamma, beta and Poisson laws are written by deviances x - log(1 + x) (after Loader, 2000): their textbook
forms are differences of numbers as large as the parameters.
"""

from collections.abc import Callable
from math import log, pi

import numpy as np
from scipy.special import gammaln

from divergences._numerics import log_excess, quiet
from divergences.densities._families import SHIFT, STIRLING


def _deviance(x: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """X - log(1 + x), where ratio = 1 + x is known better than x is near -1."""
    return np.where(x < -0.5, x - np.log(ratio), log_excess(np.maximum(x, -0.5)))


def _remainder(z: np.ndarray | float) -> np.ndarray:
    """z log z - z - log Γ(z) for z > 0, by Stirling's series from 12 on."""
    z = np.asarray(z, dtype=float)
    large = np.maximum(z, SHIFT)
    series = sum(c / large ** (2 * i + 1) for i, c in enumerate(STIRLING))
    small = np.where(z < SHIFT, z, 1.0)
    return np.where(z < SHIFT, small * np.log(small) - small - gammaln(small), np.log(large / (2 * pi)) / 2 - series)


def gamma(x: np.ndarray, shape: float, *, loc: float, scale: float) -> np.ndarray:
    """-a (u - 1 - log u) - log x + remainder(a) with u = x over the mean."""
    x, mean = x - loc, shape * scale
    with quiet():
        value = -shape * _deviance((x - mean) / mean, x / mean) - np.log(x) + _remainder(shape)
        at_zero = -np.inf if shape > 1 else np.inf if shape < 1 else -log(scale)
        return np.where(x > 0, value, np.where(x == 0, at_zero, -np.inf))


def beta(a: float, b: float, loc: float, scale: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """By (edge, t): both ends are reached to full precision, because 1 - z is not what z leaves of one."""
    n = a + b
    constant = float(_remainder(a) + _remainder(b) - _remainder(n)) - log(scale)

    def near(edge: np.ndarray, t: np.ndarray) -> np.ndarray:
        z, rest = ((edge - loc) + t) / scale, ((loc + scale - edge) - t) / scale
        with quiet():
            off = np.where(z < rest, (n * z - a) / n, (b - n * rest) / n)
            fit = a * _deviance(off * n / a, z * n / a) + b * _deviance(-off * n / b, rest * n / b)
            return constant - fit - np.log(z) - np.log(rest)

    return near


def poisson(k: np.ndarray, rate: float, *, loc: float) -> np.ndarray:
    """-k (r - 1 - log r) - log k + remainder(k) with r = rate / k; -rate at k = 0."""
    k = k - loc
    with quiet():
        whole = (k >= 0) & (k == np.floor(k))
        some = np.where(whole & (k > 0), k, 1.0)
        value = -some * _deviance((rate - some) / some, rate / some) - np.log(some) + _remainder(some)
    return np.where(whole, np.where(k == 0, -rate, value), -np.inf)


def laplace(x: np.ndarray, *, loc: float, scale: float) -> np.ndarray:
    """-abs(x - μ)/b - log 2b; SciPy takes the logarithm of a density that underflows."""
    return -np.abs(x - loc) / scale - log(2 * scale)


def cauchy(x: np.ndarray, *, loc: float, scale: float) -> np.ndarray:
    """-log(1 + z²) - log πγ, beyond the square root of the largest float too."""
    z = np.abs(x - loc) / scale
    with quiet():
        return -log(pi * scale) - np.where(z < 1e10, np.log1p(np.minimum(z, 1e10) ** 2), 2 * np.log(z))


def pareto(x: np.ndarray, b: float, *, loc: float, scale: float) -> np.ndarray:
    """log(b/s) - (b + 1) log z for z >= 1; SciPy takes the logarithm of a density that underflows."""
    z = (x - loc) / scale
    with quiet():
        return np.where(z >= 1, log(b / scale) - (b + 1) * np.log(z), -np.inf)


def levy(x: np.ndarray, *, loc: float, scale: float) -> np.ndarray:
    """-log(2π)/2 - log s - 3/2 log z - 1/(2z) for z > 0; SciPy's density is inf * 0 near 0."""
    z = (x - loc) / scale
    with quiet():
        return np.where(z > 0, -log(2 * pi) / 2 - log(scale) - 1.5 * np.log(z) - 0.5 / z, -np.inf)


SOUND: dict[str, Callable[..., np.ndarray]] = {
    "gamma": gamma,
    "erlang": gamma,
    "chi2": lambda x, df, *, loc, scale: gamma(x, df / 2, loc=loc, scale=2 * scale),
    "laplace": laplace,
    "cauchy": cauchy,
    "pareto": pareto,
    "levy": levy,
}
