"""Published systems, each as a literal that names its parts and its published constants (lecture row D22)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

from gan.conditions import Codes, Condition, Labels, Translation, Unconditional
from gan.constraints import Constraint, SpectralNorm, WeightClipping
from gan.networks.architecture import (
    CriticFactory,
    GeneratorFactory,
    autoencoder,
    critic,
    discriminating,
    encoded,
    exposed,
    generator,
    identity,
    image_critic,
    image_generator,
    mixed,
    packed,
    virtually_normalised,
)
from gan.objectives import OBJECTIVES, Objective
from gan.optimisers import Adam, Optimiser, RMSProp
from gan.penalties import PENALTIES, GradientPenalty
from gan.tricks import InstanceNoise, Replay

_ADAM = Adam(2e-4, betas=(0.5, 0.999))  # DCGAN's
_CRITIC, _GENERATOR = critic(), generator()  # perceptrons


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An objective, what keeps its critic in its class, its networks, its optimisers, its rhythm and its tricks.

    Attributes:
        objective: the two losses, and with them whether the generator plays the saturating game.
        penalties: added to the critic's loss; constraint: on the critic's parameters.
        condition: what the generator is told and the critic sees.
        critic, generator: make networks from the experiment's architecture.
        optimiser: of the critic; generator_optimiser: the same if None.
        batch, critic_steps: samples of a step; steps of the critic before each step of the generator.
        noise: on what the critic sees; replay: a memory of fakes; history: weight of historical averaging;
        unroll: steps of the critic that the generator looks ahead; average: decay of the generator's slow average,
        which is what samples are drawn from; anneal: whether learning rates fall linearly to zero.
        measures: what the critic's estimate estimates, of the laws that the critic sees: of packs, of noisy points;
        empty for the objective's own quantity, of points.
        source: where the constants come from.

    """

    objective: Objective
    penalties: tuple[GradientPenalty, ...] = ()
    constraint: Constraint | None = None
    condition: Condition = field(default_factory=Unconditional)
    critic: CriticFactory = _CRITIC
    generator: GeneratorFactory = _GENERATOR
    optimiser: Optimiser = _ADAM
    generator_optimiser: Optimiser | None = None
    batch: int = 128
    critic_steps: int = 1
    noise: InstanceNoise | None = None
    replay: Replay | None = None
    history: float = 0.0
    unroll: int = 0
    average: float = 0.0
    anneal: bool = False
    measures: str = ""
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.measures or self.objective.measures)

    @property
    def optimisers(self) -> tuple[Optimiser, Optimiser]:
        """The critic's and the generator's."""
        return self.optimiser, self.generator_optimiser or self.optimiser


_DCGAN = "optimiser and batch of DCGAN, Radford et al. (2016)"
_JSD = OBJECTIVES["nonsaturating"].measures
_GP = Adam(1e-4, betas=(0.0, 0.9))
_ns = partial(Recipe, objective=OBJECTIVES["nonsaturating"])
_gp = partial(Recipe, objective=OBJECTIVES["wasserstein"], optimiser=_GP, batch=64, critic_steps=5)
_translation = partial(
    Recipe, objective=OBJECTIVES["least-squares"], condition=Translation(), measures="Le Cam, both domains' sum"
)


def _packs(word: str, count: int, batch: int = 128) -> Recipe:
    """PacGAN, whose batch is made of whole packs."""
    return _ns(
        critic=critic(partial(packed, count=count)),
        batch=batch,
        measures=f"{_JSD} of packs of {count}",
        source=f"Lin et al. (2018), {word} points a pack; {_DCGAN}",
    )


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "minimax": Recipe(objective=OBJECTIVES["minimax"], source=f"Goodfellow et al. (2014); {_DCGAN}"),
        "nonsaturating": _ns(source=f"Goodfellow et al. (2014); {_DCGAN}"),
        "max-likelihood": Recipe(objective=OBJECTIVES["max-likelihood"], source=f"Goodfellow (2014); {_DCGAN}"),
        "lsgan": Recipe(objective=OBJECTIVES["least-squares"], source=f"Mao et al. (2017), labels 0 and 1; {_DCGAN}"),
        "hinge": Recipe(objective=OBJECTIVES["hinge"], source=f"Lim & Ye (2017); {_DCGAN}"),
        "relativistic": Recipe(objective=OBJECTIVES["relativistic"], source=f"Jolicoeur-Martineau (2019); {_DCGAN}"),
        "r3gan": Recipe(
            objective=OBJECTIVES["relativistic"],
            penalties=(PENALTIES["r1"], PENALTIES["r2"]),
            optimiser=Adam(2e-4, betas=(0.0, 0.99)),
            average=0.999,
            source="Huang et al. (2024); gamma of R1, slow average of their order",
        ),
        **{
            name: Recipe(objective=objective, source=f"Nowozin, Cseke & Tomioka (2016); {_DCGAN}")
            for name, objective in OBJECTIVES.items()
            if name.startswith("fgan-")
        },
        "wgan": Recipe(
            objective=OBJECTIVES["wasserstein"],
            constraint=WeightClipping(0.01),
            optimiser=RMSProp(5e-5),
            batch=64,
            critic_steps=5,
            measures="K W1, K unknown",  # clipping bounds the Lipschitz constant by a K that nobody knows
            source="Arjovsky, Chintala & Bottou (2017), Algorithm 1",
        ),
        "wgan-gp": _gp(penalties=(PENALTIES["gradient-penalty"],), source="Gulrajani et al. (2017), Algorithm 1"),
        "wgan-gp-onesided": _gp(penalties=(PENALTIES["one-sided"],), source="Gulrajani et al. (2017), section 4"),
        "wgan-gp-mixture": _gp(
            penalties=(GradientPenalty(weight=1.0),),
            critic=critic(encoded),
            generator=generator(mixed),
            optimiser=Adam(1e-3, betas=(0.5, 0.99)),
            generator_optimiser=Adam(2e-3, betas=(0.5, 0.99)),
            batch=128,
            critic_steps=2,
            average=0.99,
            anneal=True,
            source="tuned here, on grid25-paired: Gulrajani et al. (2017), with the latent mixture of "
            "DeLiGAN, Gurumurthy et al. (2017), and the waves of Tancik et al. (2020)",
        ),
        "sngan": Recipe(
            objective=OBJECTIVES["hinge"],
            constraint=SpectralNorm(),
            optimiser=Adam(2e-4, betas=(0.0, 0.9)),
            batch=64,
            critic_steps=5,
            source="Miyato et al. (2018), their residual networks' optimiser, batch and five steps, and hinge loss",
        ),
        "dragan": _ns(
            penalties=(PENALTIES["dragan"],), source=f"Kodali et al. (2017), noise as in their code, uniform; {_DCGAN}"
        ),
        "r1": _ns(penalties=(PENALTIES["r1"],), source=f"Mescheder, Geiger & Nowozin (2018); {_DCGAN}"),
        "r2": _ns(penalties=(PENALTIES["r2"],), source=f"Mescheder, Geiger & Nowozin (2018); {_DCGAN}"),
        "ebgan": Recipe(
            objective=OBJECTIVES["ebgan"],
            critic=critic(autoencoder),
            optimiser=Adam(1e-3, betas=(0.5, 0.999)),
            source="Zhao, Mathieu & LeCun (2017), without the pulling-away term",
        ),
        "began": Recipe(
            objective=OBJECTIVES["began"],
            critic=critic(partial(autoencoder, power=1)),
            optimiser=Adam(1e-4, betas=(0.5, 0.999)),
            batch=16,
            source="Berthelot, Schumm & Metz (2017)",
        ),
        "mmd-gan": Recipe(
            objective=OBJECTIVES["mmd"],
            constraint=WeightClipping(0.01),
            optimiser=RMSProp(5e-5),
            batch=64,
            critic_steps=5,
            source="Li et al. (2017), without its autoencoder",
        ),
        "sinkhorn-gan": Recipe(
            objective=OBJECTIVES["sinkhorn"],
            critic=critic(identity),
            critic_steps=0,
            source=f"Genevay, Peyre & Cuturi (2018), cost on the points themselves; {_DCGAN}",
        ),
        "unrolled": _ns(
            unroll=5,
            optimiser=Adam(1e-4, betas=(0.5, 0.999)),
            generator_optimiser=Adam(1e-3, betas=(0.5, 0.999)),
            batch=512,
            source="Metz et al. (2017), the ring of its appendix",
        ),
        "minibatch-discrimination": _ns(
            critic=critic(discriminating),
            measures=f"{_JSD} of points seen with their batch",
            source=f"Salimans et al. (2016), section 3.2; {_DCGAN}",
        ),
        "pacgan": _packs("two", 2),
        "pacgan3": _packs("three", 3, batch=129),
        "pacgan4": _packs("four", 4),
        "feature-matching": Recipe(
            objective=OBJECTIVES["feature-matching"],
            critic=critic(exposed),
            source=f"Salimans et al. (2016), section 3.1; {_DCGAN}",
        ),
        "label-smoothing": Recipe(
            objective=OBJECTIVES["label-smoothing"], source=f"Salimans et al. (2016), section 3.4; {_DCGAN}"
        ),
        "historical-averaging": _ns(history=0.01, source=f"Salimans et al. (2016), section 3.3; {_DCGAN}"),
        "experience-replay": _ns(replay=Replay(), source=f"Shrivastava et al. (2017), section 2.3; {_DCGAN}"),
        "virtual-batch-norm": _ns(
            generator=generator(virtually_normalised), source=f"Salimans et al. (2016), section 3.5; {_DCGAN}"
        ),
        "instance-noise": _ns(
            noise=InstanceNoise(),
            measures=f"{_JSD}, by a critic of noisy points",
            source=f"Sonderby et al. (2017); Arjovsky & Bottou (2017); {_DCGAN}",
        ),
        "dcgan": _ns(
            critic=image_critic,
            generator=image_generator,
            source="Radford, Metz & Chintala (2016); lecture row D42",
        ),
        "cgan": _ns(
            condition=Labels(),
            measures=f"{_JSD} of points with labels",
            source=f"Mirza & Osindero (2014), Reed et al. (2016); {_DCGAN}",
        ),
        "infogan": _ns(condition=Codes(), source=f"Chen et al. (2016); {_DCGAN}"),
        "cyclegan": _translation(
            source=f"Zhu et al. (2017), without memory of fakes, adversarial losses halved as in lsgan; {_DCGAN}"
        ),
        "cyclegan-without-cycle": _translation(
            condition=Translation(weight=0), source="cyclegan with its cycle term left out, to see what that is for"
        ),
    }
)
"""Every recipe by name; `fgan-<divergence>` for every entry of `divergences.CATALOGUE`."""
