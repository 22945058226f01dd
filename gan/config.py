"""What an experiment is: everything that decides its numbers, and nothing else."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch

from divergences._checks import choice, count, positive, real_number
from divergences.errors import DataError
from gan.data import Data, dataset
from gan.networks import Architecture
from gan.optimisers import Adam
from gan.random import check_seeds
from gan.recipes import RECIPES

DTYPES = {"float32": torch.float32, "float64": torch.float64}
SETTINGS = ("lr", "generator_lr", "penalty_weight")  # may be lists: every combination is trained, for every seed


@dataclass(frozen=True)
class Replica:
    """One of the trainings that run side by side: a seed, and the settings of whatever the configuration lists."""

    seed: int
    settings: Mapping[str, float]

    def __str__(self) -> str:
        return ", ".join((f"seed {self.seed}", *(f"{name} {value:g}" for name, value in self.settings.items())))


@dataclass(frozen=True)
class Config:
    """One experiment: a recipe on a data set, for some seeds trained together.

    None stands for the recipe's published constant. Those were chosen for images and long runs; small networks on a
    toy target learn faster with `lr=1e-3`, and WGAN-GP with `penalty_weight=1`.

    Attributes:
        recipe: a name in `RECIPES`. data: a name in `DATASETS` or a file or folder; two of them for two domains.
        seeds: distinct whole numbers from 0 to 2**63 - 1; one replica each.
        steps: steps of the generator; a snapshot is taken every `every` of them, at the start and at the end.
        batch: samples per step and seed. critic_steps: of the critic before each step, and generator_steps after them.
        lr: learning rate of both players, or of the critic alone where generator_lr is given.
        betas: how slowly Adam forgets gradients and their squares, of both players. A second beta of 0.9 suits critics
        whose gradients have heavy tails: at 0.999 one giant slows the next thousand steps.
        penalty_weight: the weight of the recipe's penalties, for a recipe that has some.
        generator, critic: the architectures of the two; latent: dimension of the generator's noise.
        anneal: whether learning rates fall linearly to zero; average: decay of the generator's slow average, from which
        samples are drawn, in [0, 1).
        dtype: float32 or float64; device: a torch device.

    `lr`, `generator_lr` and `penalty_weight` may be lists: every combination is trained beside the others, for every
    seed, each in its own replica. Raises DataError, which names the field.

    >>> Config(recipe="wgan-gp", seeds=range(3)).seeds
    (0, 1, 2)
    >>> [str(replica) for replica in Config(seeds=(5,), lr=(1e-3, 1e-4)).replicas]
    ['seed 5, lr 0.001', 'seed 5, lr 0.0001']

    """

    recipe: str = "nonsaturating"
    data: str | tuple[str, ...] = "ring8"
    seeds: Iterable[int] = (0,)
    steps: int = 2000
    every: int = 200
    batch: int | None = None
    critic_steps: int | None = None
    generator_steps: int = 1
    lr: float | tuple[float, ...] | None = None
    generator_lr: float | tuple[float, ...] | None = None
    betas: tuple[float, float] | None = None
    penalty_weight: float | tuple[float, ...] | None = None
    generator: Architecture = field(default_factory=Architecture)
    critic: Architecture = field(default_factory=Architecture)
    latent: int = 4
    anneal: bool | None = None
    average: float | None = None
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None or one.default is not None:  # None is the recipe's constant where it is the default
                object.__setattr__(self, one.name, CHECKS[one.name](value, one.name))
        recipe = RECIPES[self.recipe]
        if self.penalty_weight is not None and not recipe.penalties:
            raise DataError(f"penalty_weight must be None for {self.recipe}, which has no penalty.")
        if self.betas and not all(isinstance(optimiser, Adam) for optimiser in recipe.optimisers):
            raise DataError("betas must be None for this recipe, whose optimiser is not Adam.")
        recipe.condition.check(self.targets)
        for target in self.targets:
            target.check_batch(self.batch or recipe.batch)

    @property
    def names(self) -> tuple[str, ...]:
        """What `data` names, one data set or two."""
        return (self.data,) if isinstance(self.data, str) else self.data

    @property
    def targets(self) -> tuple[Data, ...]:
        """The data sets."""
        return tuple(dataset(name) for name in self.names)

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """What is trained side by side, in the order of the leading axis: every setting with every seed."""
        listed = {name: value for name in SETTINGS if isinstance(value := getattr(self, name), tuple)}
        settings = [dict(zip(listed, values, strict=True)) for values in itertools.product(*listed.values())]
        return tuple(Replica(seed, setting) for setting in settings for seed in self.seeds)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `Config.from_dict` is the way back."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """A configuration from plain data; every field must be there, and no other."""
        parts = {name: _of(Architecture, values[name], name) for name in ("generator", "critic") if name in values}
        return _of(cls, {**values, **parts} if isinstance(values, Mapping) else values, "The configuration")


def _of(kind: type, values: Any, what: str) -> Any:
    names = [field.name for field in fields(kind)]
    if not isinstance(values, Mapping):
        raise DataError(f"{what} must be an object of named fields; got {type(values).__name__}.")
    for name in values:
        choice(name, names, f"A field of {what}")
    missing = [name for name in names if name not in values]
    if missing:
        raise DataError(f"{what} must name every field; {', '.join(missing)} is missing.")
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def _plain(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    return list(values) if isinstance(values, tuple) else values


def _setting(value: Any, name: str) -> float | tuple[float, ...]:
    if not isinstance(value, tuple | list):
        return positive(value, name)
    checked = tuple(positive(v, f"a value in {name}") for v in value)
    if not checked or len(set(checked)) < len(checked):
        raise DataError(f"{name} must be a number or a list of different numbers; got {value!r}.")
    return checked


def _decay(value: float, name: str) -> float:
    if not 0 <= real_number(value, name) < 1:
        raise DataError(f"{name}, a decay, must lie in [0, 1); got {value!r}.")
    return float(value)


def _betas(values: Any, name: str) -> tuple[float, float]:
    if not isinstance(values, tuple | list) or len(values) != 2:
        raise DataError(f"{name} must be Adam's two, such as (0.5, 0.999); got {values!r}.")
    return _decay(values[0], f"the first of {name}"), _decay(values[1], f"the second of {name}")


def _data(value: Any, name: str) -> str | tuple[str, ...]:
    if not isinstance(value, str | tuple | list):
        raise DataError(f"{name} must be a name, or two for two domains; got {value!r}.")
    return value if isinstance(value, str) else value[0] if len(value) == 1 else tuple(value)


def _architecture(value: Any, name: str) -> Architecture:
    if not isinstance(value, Architecture):
        raise DataError(f"{name} must be an Architecture; got {value!r}.")
    return value


def _switch(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"{name} must be True or False, or None for the recipe's own; got {value!r}.")
    return value


def _device(value: str, name: str) -> str:
    """A device that can hold tensors here."""
    try:
        torch.zeros(1, device=torch.device(value)).tolist()
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{name} must be a torch device of this machine, such as 'cpu'; got {value!r}: {reason}"
        ) from None
    return value


CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "recipe": lambda value, name: choice(value, RECIPES, name),
    "data": _data,
    "seeds": lambda value, name: check_seeds(value),
    **dict.fromkeys(("steps", "every", "batch", "critic_steps", "generator_steps", "latent"), count),
    **dict.fromkeys(SETTINGS, _setting),
    "betas": _betas,
    **dict.fromkeys(("generator", "critic"), _architecture),
    "anneal": _switch,
    "average": _decay,
    "dtype": lambda value, name: choice(value, DTYPES, name),
    "device": _device,
}
"""By field, what takes a value and the field's name, and gives the value as it is kept or raises DataError."""
