"""Published systems, each as a literal that names its parts and its published constants (lecture row D22)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gan.constraints import WeightClipping
from gan.networks import Perceptron
from gan.objectives import OBJECTIVES, Objective
from gan.optimisers import Adam, Optimiser, RMSProp
from gan.penalties import GradientPenalty

DCGAN = Adam(2e-4, betas=(0.5, 0.999))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An objective, what keeps its critic in its class, its networks, its optimiser and its rhythm.

    Attributes:
        objective: the two losses.
        penalty: added to the critic's loss; constraint: applied after each step of the critic.
        network: makes a network from its widths; the widths are the experiment's (`Config.hidden`).
        optimiser: of both players.
        batch, critic_steps: samples of a step; steps of the critic before each step of the generator.
        measures: what the critic's estimate estimates; empty for the objective's own quantity.
        source: where the constants come from.

    """

    objective: Objective
    penalty: GradientPenalty | None = None
    constraint: WeightClipping | None = None
    network: Callable[[tuple[int, ...]], Perceptron] = Perceptron
    optimiser: Optimiser = DCGAN
    batch: int = 128
    critic_steps: int = 1
    measures: str = ""
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.measures or self.objective.measures)


_ORIGINAL = "Goodfellow et al. (2014); optimiser and batch of DCGAN, Radford et al. (2016)"
_F_GAN = "Nowozin, Cseke & Tomioka (2016); optimiser and batch of DCGAN, Radford et al. (2016)"

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "minimax": Recipe(objective=OBJECTIVES["minimax"], source=_ORIGINAL),
        "nonsaturating": Recipe(objective=OBJECTIVES["nonsaturating"], source=_ORIGINAL),
        "wgan": Recipe(
            objective=OBJECTIVES["wasserstein"],
            constraint=WeightClipping(0.01),
            optimiser=RMSProp(5e-5),
            batch=64,
            critic_steps=5,
            measures="K W1, K unknown",  # clipping bounds the Lipschitz constant by a K that nobody knows
            source="Arjovsky, Chintala & Bottou (2017), Algorithm 1",
        ),
        "wgan-gp": Recipe(
            objective=OBJECTIVES["wasserstein"],
            penalty=GradientPenalty(10.0),
            optimiser=Adam(1e-4, betas=(0.0, 0.9)),
            batch=64,
            critic_steps=5,
            source="Gulrajani et al. (2017), Algorithm 1",
        ),
        **{
            name: Recipe(objective=objective, source=_F_GAN)
            for name, objective in OBJECTIVES.items()
            if name.startswith("fgan-")
        },
    }
)
"""Every recipe by name; `fgan-<divergence>` for every entry of `divergences.CATALOGUE`."""
