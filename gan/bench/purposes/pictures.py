"""Pictures: what convolutions are for."""

import numpy as np

from gan.bench.purposes.purpose import PLAIN, Plan, alive, trained
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
