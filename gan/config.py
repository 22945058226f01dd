"""What an experiment is: everything that decides its numbers, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from divergences._checks import choice, count, positive
from divergences.errors import DataError
from gan.data import DATASETS
from gan.random import check_seeds
from gan.recipes import RECIPES

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Config:
    """One experiment: a recipe on a data set, for some seeds trained together.

    None stands for the recipe's published constant. Those were chosen for images and long runs; small networks on a
    toy target learn faster with `lr=1e-3`, and WGAN-GP with `penalty_weight=1`.

    Attributes:
        recipe, data: names in `RECIPES` and `DATASETS`.
        seeds: distinct whole numbers from 0 to 2**63 - 1; one replica each.
        steps: steps of the generator; a snapshot is taken every `every` of them, at the start and at the end.
        batch: samples per step and seed. lr: learning rate of both players.
        penalty_weight: the weight of the recipe's penalty, for a recipe that has one.
        hidden: widths of the hidden layers of both networks; latent: dimension of the generator's input.
        dtype: float32 or float64; device: a torch device.

    Raises DataError, which names the field.

    >>> Config(recipe="wgan-gp", seeds=range(3)).seeds
    (0, 1, 2)

    """

    recipe: str = "nonsaturating"
    data: str = "ring8"
    seeds: Iterable[int] = (0,)
    steps: int = 2000
    every: int = 200
    batch: int | None = None
    lr: float | None = None
    penalty_weight: float | None = None
    hidden: tuple[int, ...] = (128, 128)
    latent: int = 4
    dtype: str = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        choice(self.recipe, RECIPES, "recipe")
        choice(self.data, DATASETS, "data")
        choice(self.dtype, DTYPES, "dtype")
        if not isinstance(self.hidden, tuple | list) or not self.hidden:
            raise DataError(f"hidden must list the width of at least one layer; got {self.hidden!r}.")
        if self.penalty_weight is not None and RECIPES[self.recipe].penalty is None:
            raise DataError(f"penalty_weight must be None for {self.recipe}, which has no penalty.")
        _device(self.device)
        normalised: dict[str, Any] = {
            "seeds": check_seeds(self.seeds),
            "hidden": tuple(count(width, "a width in hidden") for width in self.hidden),
            "batch": None if self.batch is None else count(self.batch, "batch"),
            "lr": None if self.lr is None else positive(self.lr, "lr"),
            "penalty_weight": (
                None if self.penalty_weight is None else positive(self.penalty_weight, "penalty_weight")
            ),
        } | {name: count(getattr(self, name), name) for name in ("steps", "every", "latent")}
        for name, value in normalised.items():
            object.__setattr__(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `Config.from_dict` is the way back."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """A configuration from plain data; every field must be there, and no other."""
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping):
            raise DataError(f"A configuration must be an object of named fields; got {type(values).__name__}.")
        for name in values:
            choice(name, names, "A field of the configuration")
        missing = [name for name in names if name not in values]
        if missing:
            raise DataError(f"The configuration must name every field; {', '.join(missing)} is missing.")
        return cls(**values)


def _device(name: str) -> None:
    """A device that can hold tensors here."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"device must be a torch device of this machine, such as 'cpu'; got {name!r}: {reason}"
        ) from None
