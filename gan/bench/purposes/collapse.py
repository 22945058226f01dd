"""Against collapse: how many modes of a ring, where the plain GAN loses some. Lecture row D25."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from gan.bench.purposes.purpose import PLAIN, Plan, Values, alive, compared, trained
from gan.config import Config
from gan.measures import Reference

N = 500  # samples per replica; a mode counts from 5 of them on
RING = {"data": "ring8", "lr": 5e-4, "generator_lr": 2e-3, "batch": 32}
TASK = "`ring8`, generator's rate 2e-3, critic's {}, batch {}, {} steps"


def modes(config: Config) -> np.ndarray:
    """How many modes have 1 % of the generator's samples within 3 sigma, at the end of training: (S,)."""
    last = trained(config)[-1]
    reference = Reference.of(last.game.target, last.game.seeds, N, ("modes_1pct",))
    return alive(last, reference.evaluate(last.sample(N))["modes_1pct"])


def ring(plan: Plan, recipe: str, steps: int, **changes: Any) -> Config:
    """A generator that learns faster than its critic: the plain one runs from mode to mode."""
    return plan.config(recipe, **{**RING, "steps": steps, **changes})


def covers(recipe: str, steps: int = 1000, own: Mapping[str, Any] = MappingProxyType({}), **changes: Any) -> Values:
    """Modes of a recipe and of the plain GAN, with the same changes of the settings, and the recipe's `own`."""
    return compared(
        modes,
        lambda plan: ring(plan, recipe, steps, **changes, **own),
        lambda plan: ring(plan, PLAIN, steps, **changes),
    )
