"""Pictures: what convolutions are for."""

import numpy as np

from gan.bench.purposes.purpose import PLAIN, Plan, alive, trained
from gan.bench.purposes.training import w1
from gan.config import Config
from gan.measures import Reference
from gan.networks import Architecture

N = 179  # the rows of digits that are held out


def frechet(config: Config) -> np.ndarray:
    """Frechet distance to held-out pictures in the features of a classifier of them, at the end of training: (S,)."""
    last = trained(config)[-1]
    reference = Reference.of(last.game.target, last.game.seeds, N, ("frechet_features",))
    return alive(last, reference.evaluate(last.sample(N))["frechet_features"])


def digits(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """dcgan and a perceptron of about as many parameters, on 8x8 digits at equal steps."""
    shared = {"data": "digits", "latent": 16, "batch": 32, "steps": 300}
    channels, widths = Architecture((16, 32)), Architecture((64, 64))
    ours = plan.config("dcgan", generator=channels, critic=channels, **shared)
    plain = plan.config(PLAIN, generator=widths, critic=widths, **shared)
    return frechet(ours), frechet(plain)


def matches(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """mmd-gan and the plain GAN on digits: weights clipped at 0.01 see too little of two coordinates."""
    shared = {"data": "digits", "latent": 8, "steps": 150, "generator": Architecture((64, 64))}
    ours = plan.config("mmd-gan", critic=Architecture((256,)), lr=5e-4, generator_lr=1e-3, **shared)
    return w1(ours), w1(plan.config(PLAIN, critic=Architecture((64, 64)), **shared))
