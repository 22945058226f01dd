"""Generators as users write them: for arrays, for one number, for tensors; smooth, kinked, flat, steep."""

import math

import numpy as np
import torch

import divergences as dv


def kl_of_arrays(u):
    return u * np.log(u)


def reverse_kl_of_arrays(u):
    return -np.log(u)


def js_of_arrays(u):
    return (u * np.log(u) - (u + 1) * np.log((u + 1) / 2)) / 2


def total_variation_of_arrays(u):
    return abs(u - 1) / 2


def pearson_of_operators(u):
    return (u - 1) ** 2


def neyman_of_operators(u):
    return (1 - u) ** 2 / u


def squared_hellinger_of_arrays(u):
    return (np.sqrt(u) - 1) ** 2


def jeffreys_of_arrays(u):
    return (u - 1) * np.log(u)


def le_cam_of_operators(u):
    return (u - 1) ** 2 / (2 * (u + 1))


def kl_of_one_number(u):
    return u * math.log(u)


def squared_hellinger_of_one_number(u):
    return (math.sqrt(u) - 1) ** 2


def js_of_one_number(u):
    return (u * math.log(u) - (u + 1) * math.log((u + 1) / 2)) / 2


def total_variation_of_one_number(u):
    return max(u - 1, 1 - u) / 2


def js_of_tensors(u):
    return (u * torch.log(u) - (u + 1) * torch.log((u + 1) / 2)) / 2


def neyman_of_tensors(u):
    return torch.square(1 - u) / u


TWINS = {
    "kl": (kl_of_arrays, kl_of_one_number),
    "reverse_kl": (reverse_kl_of_arrays,),
    "js": (js_of_arrays, js_of_one_number, js_of_tensors),
    "total_variation": (total_variation_of_arrays, total_variation_of_one_number),
    "pearson": (pearson_of_operators,),
    "neyman": (neyman_of_operators, neyman_of_tensors),
    "squared_hellinger": (squared_hellinger_of_arrays, squared_hellinger_of_one_number),
    "jeffreys": (jeffreys_of_arrays,),
    "le_cam": (le_cam_of_operators,),
}
"""Generators of the catalogue's entries."""


def cubic(u):
    return abs(u - 1) ** 3


def one_sided_square(u):
    return np.maximum(1 - u, 0) ** 2


def kinked_at_two(u):
    return np.maximum(u - 2, 0) + np.sqrt(1 + (u - 1) ** 2) - 1


def piecewise_linear(u):
    return np.where(u < 0.5, 2 - 3 * u, np.where(u < 1, 1 - u, np.where(u < 3, (u - 1) / 2, 2 * u - 5)))


def hyperbolic_cosine(u):
    return np.cosh(u - 1) - 1


def square_times_logarithm(u):
    return (1 + u) ** 2 * np.log1p(u) - 4 * np.log(2)


def tilted_three_halves(u):
    """f'(1) = 5, though any multiple of u - 1 adds nothing to the divergence."""
    return abs(u - 1) ** 1.5 + 5 * (u - 1)


LAWFUL = (
    cubic,
    one_sided_square,
    kinked_at_two,
    piecewise_linear,
    square_times_logarithm,
    tilted_three_halves,
    kl_of_one_number,
    js_of_tensors,
)
"""What runs under every law; of each kind and of each way to be called at least one."""

USER_MADE = {f.__name__: dv.FDivergence.from_generator(f) for f in LAWFUL}
KINKS = {
    "kinked_at_two": (2.0,),
    "piecewise_linear": (0.5, 1.0, 3.0),
    "tilted_three_halves": (1.0,),  # no kink, but no second derivative
}
