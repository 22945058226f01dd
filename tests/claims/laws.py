"""Laws on the line as probability vectors, and the sums over them that are integrals.

On an equidistant grid that a smooth density leaves on both sides, sums agree with integrals to rounding (Trefethen &
Weideman 2014): divergences of these vectors are divergences of the densities.
"""

from math import log, pi, sqrt

import numpy as np
import torch
from scipy.special import softmax


def gaussian(x, mean=0.0, sd=1.0):
    """N(mean, sd²) on the grid `x`, NumPy or torch."""
    exponent = -(((x - mean) / sd) ** 2) / 2
    return torch.softmax(exponent, -1) if isinstance(exponent, torch.Tensor) else softmax(exponent, -1)


def log_density(x, mean=0.0, sd=1.0):
    """log of the density of N(mean, sd²)."""
    return -(((x - mean) / sd) ** 2) / 2 - log(sd * sqrt(2 * pi))


def gaussian_kl(mean, sd, other_mean, other_sd):
    """KL(N(mean, sd²) ‖ N(other_mean, other_sd²)) in closed form."""
    return log(other_sd / sd) + (sd**2 + (mean - other_mean) ** 2) / (2 * other_sd**2) - 0.5


def random_pmfs(count, size, seed=0):
    """Probability vectors drawn uniformly from the simplex."""
    return np.random.default_rng(seed).dirichlet(np.ones(size), count)


def slope(function, at, step=1e-4):
    """The derivative by central differences of fourth order."""
    f = lambda k: float(function(at + k * step))
    return (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * step)


def gradient(function, *values):
    """The derivatives of a torch function of numbers."""
    inputs = [torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in values]
    slopes = torch.autograd.grad(function(*inputs), inputs)
    return [float(s) for s in slopes]
