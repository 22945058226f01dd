"""What it means that a recipe does what it is for: one statistic over seeds, the plain GAN's beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from divergences._checks import choice
from divergences.errors import ConvergenceError
from gan.config import Config
from gan.networks import Architecture
from gan.random import check_seeds
from gan.snapshot import Snapshot
from gan.statistic import Statistic
from gan.train import train

PLAIN = "nonsaturating"
SEEDS = 8
SMALL = Architecture((32, 32))


@dataclass(frozen=True)
class Plan:
    """How much is trained: for which seeds, and what share of each purpose's steps."""

    seeds: Iterable[int] = range(SEEDS)
    share: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", check_seeds(self.seeds))

    def config(self, recipe: str, *, steps: int, snapshots: int = 1, **changes: Any) -> Config:
        """A small experiment: two hidden layers of 32, batch 64, learning rate 1e-3, unless changed."""
        steps = max(1, round(self.share * steps))
        small = {"batch": 64, "lr": 1e-3, "generator": SMALL, "critic": SMALL, "every": -(-steps // snapshots)}
        return Config(recipe=recipe, steps=steps, seeds=tuple(self.seeds), **{**small, **changes})


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """What a recipe is for, and the statistic that shows it.

    Attributes:
        recipe: its name; purpose, task, statistic: what it is for, data and settings, the number, in words.
        better: "higher" or "lower"; value: the statistic of a training's snapshots, (S,).
        shared, own, other: settings of `Plan.config` for both trainings, for the recipe's, and for the one it is
        compared with, which is of the recipe `than`; against: what that is, in words.

    """

    recipe: str
    purpose: str
    task: str
    statistic: str
    better: str
    value: Callable[[Sequence[Snapshot]], np.ndarray]
    shared: Mapping[str, Any]
    own: Mapping[str, Any] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)
    than: str = PLAIN
    against: str = "the plain GAN"

    def __post_init__(self) -> None:
        choice(self.better, ("higher", "lower"), "better")

    def measure(self, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
        """The statistic of the recipe and of what it is compared with, the same seeds in both: (S,) each."""
        ours = trained(plan.config(self.recipe, **{**self.shared, **self.own}))
        plain = trained(plan.config(self.than, **{**self.shared, **self.other}))
        return self.value(ours), self.value(plain)

    def finding(self, plan: Plan) -> "Finding":
        """Train and compare, seed by seed."""
        return self.compared(*self.measure(plan))

    def compared(self, ours: np.ndarray, plain: np.ndarray) -> "Finding":
        """The finding that these statistics are."""
        return Finding(ours, plain, 1 if self.better == "higher" else -1)


@dataclass(frozen=True, eq=False)
class Finding:
    """The statistic over seeds, NaN for a replica that diverged; `sign` is 1 if more is better, else -1."""

    ours: np.ndarray
    plain: np.ndarray
    sign: int

    @property
    def statistics(self) -> tuple[Statistic, Statistic, Statistic]:
        """Ours, the plain one's, and their difference over the same seeds."""
        return Statistic.of(self.ours), Statistic.of(self.plain), Statistic.of(self.ours - self.plain)

    @property
    def verdict(self) -> str:
        """Is the interval of the difference on the better side of 0? "yes"; "no" if on the other, "open" if on both.

        A recipe of which a replica diverged does not do what it is for.

        >>> Finding(np.array([3.0, 4.0, 5.0]), np.array([1.0, 2.0, 2.0]), 1).verdict
        'yes'
        >>> Finding(np.array([3.0, 4.0, np.nan]), np.array([1.0, 2.0, 2.0]), 1).verdict
        'no'
        """
        difference = self.statistics[2]
        if np.isnan(self.ours).any():
            return "no"
        if difference.low is None or difference.high is None:
            return "open"
        low, high = sorted((self.sign * difference.low, self.sign * difference.high))
        return "yes" if low > 0 else "no" if high < 0 else "open"


@lru_cache(maxsize=16)
def trained(config: Config) -> tuple[Snapshot, ...]:
    """The snapshots of a training; kept, because several purposes share their plain GAN.

    If every replica diverges, the last snapshot stands for the end and says so.
    """
    snapshots: list[Snapshot] = []
    try:
        for snapshot in train(config):
            snapshots.append(snapshot)  # what came before an error is kept
    except ConvergenceError:
        state = snapshots[-1].state.copy()
        state.diverged = torch.full_like(state.diverged, config.steps)
        snapshots.append(replace(snapshots[-1], state=state))
    return tuple(snapshots)
