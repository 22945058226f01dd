"""Part D: what clipping and the gradient penalty do to deep critics; bounds as in `test_part_d_training`."""

import numpy as np
import pytest
import torch

from gan.data import DATASETS
from gan.networks import Perceptron
from gan.networks.chain import ACTIVATIONS
from gan.penalties import GradientPenalty
from gan.random import Stream, normal
from tests.claims import figures
from tests.claims.critics import fitted
from tests.claims.seeds import mean_at_least, mean_at_most

LAYERS = 12
CLIPPED = ((16, 0.1, -0.13), (16, 0.01, -1.4), (16, 1e-3, -2.5), (64, 0.01, -1.1), (64, 1e-3, -2.1))  # width, at, bound


def critic(width, seeds, steps, *, clip=None):
    """A critic of twelve layers between swiss roll and normal noise, clipped or else penalised: network, parameters."""
    net = Perceptron((2, *(width,) * (LAYERS - 1), 1), "relu")
    rate = clip / 10 if clip else 1e-3  # clipped weights reach their bounds
    penalty = None if clip else GradientPenalty()
    return net, fitted(net, seeds, steps, points, rate=rate, clip=clip, penalty=penalty)


def points(seeds, step):
    """64 real points and 64 of a generator that stays as it is, per seed."""
    real = DATASETS["swissroll"].sample(seeds, Stream.REAL, step, 64)
    return real, normal(seeds, Stream.LATENT, step, (64, 2), dtype=torch.float64)


def reaching(net, theta, x, layers):
    """The norm of the gradient of the score in what enters each of the layers, the mean over points: (layers, S)."""
    norms = []
    for layer in layers:
        start = net.matrices[layer][0]
        with torch.no_grad():
            below = Perceptron(net.widths[: layer + 1], net.activation)(theta[:, :start], x)
        entering = ACTIVATIONS[net.activation].function(below).requires_grad_()
        score = Perceptron(net.widths[layer:], net.activation)(theta[:, start:], entering)
        norms.append(torch.autograd.grad(score.sum(), entering)[0].norm(dim=-1).mean(-1))
    return torch.stack(norms).detach()


def growth(net, theta, x):
    """log10 of the factor by which a layer multiplies the gradient on its way down, the mean over layers: (S,)."""
    first, last = reaching(net, theta, x, (1, LAYERS - 1))
    return (torch.log10(first / last) / (LAYERS - 2)).numpy()


def layer_by_layer(critics, x):
    """The gradient that reaches each layer, over that of the last, the median over seeds."""
    norms = {name: reaching(net, theta, x, range(1, LAYERS)).numpy() for name, (net, theta) in critics.items()}
    return figures.gradients_by_layer({name: np.median(n / n[-1], axis=1) for name, n in norms.items()})


@pytest.mark.claim("D17")
def test_gradients_through_clipped_layers(claim):
    """Clipped at too little, gradients decay layer by layer; at too much they explode; the penalty keeps them even."""
    claim.source("W")
    seeds = torch.arange(300, 304)
    x, _ = points(seeds, 0)
    critics = {}
    for width, clip in [(width, clip) for width, clip, _ in CLIPPED] + [(64, 0.1), (256, 0.1)]:
        critics[f"width {width}, clipped at {clip:g}"] = critic(width, seeds, 20, clip=clip)
    critics["width 64, penalised"] = critic(64, seeds, 80)
    found = {name: growth(net, theta, x) for name, (net, theta) in critics.items()}
    for width, clip, bound in CLIPPED:
        name = f"width {width}, clipped at {clip:g}"
        mean_at_most(claim, f"{name}: log10 of the factor of a layer", found[name], bound)
    mean_at_most(claim, "width 64, clipped at 0.1: the same", found["width 64, clipped at 0.1"], 0.7)
    mean_at_least(claim, "width 64, clipped at 0.1: from below", found["width 64, clipped at 0.1"], -0.1)
    mean_at_least(claim, "width 256, clipped at 0.1: it explodes", found["width 256, clipped at 0.1"], 0.6)
    mean_at_most(claim, "width 64, penalised: distance from 0", abs(found["width 64, penalised"]), 0.06)
    claim.figure(
        lambda: layer_by_layer(critics, x), "what reaches each of twelve layers, swiss roll, median of four seeds"
    )
