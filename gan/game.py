"""The parts that a configuration names, and what training remembers. (S, ...) marks the leading axis of seeds."""

from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from gan.config import DTYPES, Config
from gan.data import DATASETS, GaussianMixture
from gan.networks import Perceptron
from gan.optimisers import Moments, Optimiser
from gan.penalties import autograd_slope
from gan.random import Stream, normal, uniform
from gan.recipes import RECIPES, Recipe


@dataclass(eq=False)
class Player:
    """What one network has learned: its parameters (S, size), its optimiser's moments, and how often it stepped."""

    parameters: Tensor
    moments: Moments
    updates: int = 0

    def copy(self) -> "Player":
        """A copy that later steps do not touch."""
        moments = {name: moment.clone() for name, moment in self.moments.items()}
        return Player(self.parameters.clone(), moments, self.updates)


@dataclass(eq=False)
class State:
    """All that training remembers between two steps; randomness is a function of the step and needs no memory."""

    step: int
    seconds: float
    critic: Player
    generator: Player

    def copy(self) -> "State":
        """A copy that later steps do not touch."""
        return State(self.step, self.seconds, self.critic.copy(), self.generator.copy())


@dataclass(frozen=True, eq=False)
class Game:
    """Two networks, a target and a recipe, as a configuration names them."""

    config: Config
    recipe: Recipe = field(init=False)
    data: GaussianMixture = field(init=False)
    critic: Perceptron = field(init=False)
    generator: Perceptron = field(init=False)
    optimiser: Optimiser = field(init=False)
    batch: int = field(init=False)
    seeds: Tensor = field(init=False)
    dtype: torch.dtype = field(init=False)

    def __post_init__(self) -> None:
        config, recipe, data = self.config, RECIPES[self.config.recipe], DATASETS[self.config.data]
        if recipe.penalty and config.penalty_weight is not None:
            recipe = replace(recipe, penalty=replace(recipe.penalty, weight=config.penalty_weight))
        parts = {
            "recipe": recipe,
            "data": data,
            "critic": recipe.network((data.dimension, *config.hidden, 1)),
            "generator": recipe.network((config.latent, *config.hidden, data.dimension)),
            "optimiser": recipe.optimiser if config.lr is None else replace(recipe.optimiser, rate=config.lr),
            "batch": recipe.batch if config.batch is None else config.batch,
            "seeds": torch.tensor(list(config.seeds), device=config.device),
            "dtype": DTYPES[config.dtype],
        }
        for name, part in parts.items():
            object.__setattr__(self, name, part)

    def start(self) -> State:
        """The state before the first step."""
        critic = self.critic.initial(self.seeds, Stream.CRITIC_WEIGHTS, dtype=self.dtype)
        generator = self.generator.initial(self.seeds, Stream.GENERATOR_WEIGHTS, dtype=self.dtype)
        if self.recipe.constraint:
            self.recipe.constraint.initial(critic, self.critic)
        return State(0, 0.0, *(Player(p, self.optimiser.initial(p)) for p in (critic, generator)))

    def real(self, stream: Stream, step: int, count: int) -> Tensor:
        """Samples of the target: (S, count, d)."""
        return self.data.sample(self.seeds, stream, step, count, dtype=self.dtype)

    def latent(self, stream: Stream, step: int, count: int) -> Tensor:
        """The generator's input, standard normal: (S, count, latent)."""
        return normal(self.seeds, stream, step, (count, self.config.latent), dtype=self.dtype)

    def mixing(self, step: int, count: int) -> Tensor:
        """What a penalty draws for each of its points, uniform: (S, count, draws)."""
        draws = self.recipe.penalty.draws(self.data.dimension) if self.recipe.penalty else 0
        return uniform(self.seeds, Stream.PENALTY, step, (count, draws), dtype=self.dtype)

    def scores(self, critic: Tensor, x: Tensor) -> Tensor:
        """The critic's scores: (S, count, d) -> (S, count)."""
        return self.critic(critic, x)[..., 0]

    def critic_loss(self, critic: Tensor, *, real: Tensor, fake: Tensor, u: Tensor | None) -> Tensor:
        """The critic's loss as a function of its parameters: (S, size) -> (S,)."""
        scores = self.scores(critic, torch.cat((real, fake), dim=1))  # (S, 2b), one pass for both
        loss = self.recipe.objective.critic_loss(scores[:, : real.shape[1]], scores[:, real.shape[1] :])
        if self.recipe.penalty is None or u is None:
            return loss
        return loss + self.recipe.penalty(autograd_slope(partial(self.scores, critic)), real, fake, u)

    def generator_loss(self, generator: Tensor, *, critic: Tensor, real: Tensor, latent: Tensor) -> Tensor:
        """The generator's loss as a function of its parameters: (S, size) -> (S,)."""
        with torch.no_grad():
            real_scores = self.scores(critic, real)
        fake_scores = self.scores(critic, self.generator(generator, latent))
        return self.recipe.objective.generator_loss(real_scores, fake_scores)
