"""The parts that a configuration names, put together: their random numbers and their losses. (S, ...): replicas."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from divergences.errors import DataError
from gan import distributed
from gan.conditions import Space
from gan.config import DTYPES, Config
from gan.data import Data
from gan.networks import Network
from gan.objectives import Objective
from gan.penalties import GradientPenalty, autograd_slope
from gan.random import Step, Stream, normal, uniform
from gan.recipes import RECIPES, Recipe
from gan.state import Batch, Player, State
from gan.tricks import distance_to_average

FEATURES = 16  # outputs of the critic, where an objective takes any number
TRAINING = (Stream.REAL, Stream.LATENT, Stream.PENALTY, Stream.NOISE, Stream.REPLAY)  # in the order of `Batch`
MEASURING = (
    Stream.MEASURE_REAL, Stream.MEASURE_LATENT, Stream.MEASURE_PENALTY, Stream.MEASURE_NOISE, Stream.REPLAY,
)  # fmt: skip
DRAWN = 1 << 16  # random numbers drawn at once, at most: enough to hide the cost of a call, and still in the cache


@dataclass(frozen=True)
class View:
    """A critic as losses and penalties see it: outputs and slopes at points, for given parameters."""

    network: Network
    parameters: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return self.network(self.parameters, x)

    def both(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs at real and at fake points: in one pass, unless points of a batch see each other."""
        if self.network.couples:
            return self(real), self(fake)
        outputs = self(torch.cat((real, fake), dim=1))
        return outputs[:, : real.shape[1]], outputs[:, real.shape[1] :]

    def slope(self, x: Tensor) -> Tensor:
        """The gradient of the score at `x`; a network that knows its own need not be differentiated."""
        known = getattr(self.network, "slope", None)
        return known(self.parameters, x) if known else autograd_slope(lambda y: self(y)[..., 0])(x)


@dataclass(frozen=True, eq=False)
class Game:
    """Two networks, a target and a recipe, as a configuration names them."""

    config: Config
    recipe: Recipe = field(init=False)
    space: Space = field(init=False)
    critic: Network = field(init=False)
    generator: Network = field(init=False)
    penalties: tuple[GradientPenalty, ...] = field(init=False)
    rates: tuple[Tensor, Tensor] = field(init=False)
    batch: int = field(init=False)
    critic_steps: int = field(init=False)
    seeds: Tensor = field(init=False)

    def __post_init__(self) -> None:
        config, dtype = self.config, DTYPES[self.config.dtype]
        chosen = {"anneal": config.anneal, "average": config.average}
        recipe = replace(RECIPES[config.recipe], **{name: x for name, x in chosen.items() if x is not None})
        if config.betas:
            critics, generators = (replace(optimiser, betas=config.betas) for optimiser in recipe.optimisers)
            recipe = replace(recipe, optimiser=critics, generator_optimiser=generators)
        space = Space(config.targets, config.latent, dtype)
        outputs = recipe.objective.outputs or FEATURES
        make_critic = lambda shape, k: recipe.critic(shape, k, config.critic)
        make_generator = lambda inputs, shape: recipe.generator(inputs, shape, config.generator)
        parts = {
            "recipe": recipe,
            "space": space,
            "critic": recipe.condition.critic(make_critic, space, outputs),
            "generator": recipe.condition.generator(make_generator, space),
            "rates": (self._setting("lr", recipe.optimisers[0].rate), self._generator_rate(recipe)),
            "batch": recipe.batch if config.batch is None else config.batch,
            "critic_steps": recipe.critic_steps if config.critic_steps is None else config.critic_steps,
            "seeds": torch.tensor([replica.seed for replica in config.replicas], device=config.device),
        }
        weights = [self._setting("penalty_weight", float(penalty.weight)) for penalty in recipe.penalties]
        parts["penalties"] = tuple(replace(p, weight=w[:, 0]) for p, w in zip(recipe.penalties, weights, strict=True))
        for name, part in parts.items():
            object.__setattr__(self, name, part)
        distributed.check(self._couplings(), self.batch)
        self._check_memory()

    @property
    def coupled(self) -> bool:
        """Whether the points of a batch see each other, in the loss or in a network."""
        return self.recipe.objective.couples or self.critic.couples or self.generator.couples

    def _check_memory(self) -> None:
        """Raise DataError, before anything is allocated, for what cannot fit: networks, or the points of a step."""
        copies = 6  # parameters, a gradient, two moments, and the steps between them
        drawn = self.batch * (self.critic_steps + 1) * self.space.targets[0].dimension
        size = (self.critic.size + self.generator.size + drawn) * len(self.seeds) * self.space.dtype.itemsize
        device = self.seeds.device
        if device.type == "cuda":
            there = torch.cuda.get_device_properties(device).total_memory
        else:
            there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if copies * size > there:
            raise DataError(
                f"The networks and batches of {len(self.seeds)} replicas must fit into memory: training takes about "
                f"{copies * size / 2**30:.3g} GiB, {device} has {there / 2**30:.3g}. Take fewer or smaller ones."
            )

    def _couplings(self) -> list[str]:
        """What would have to see a whole batch at once, in words."""
        found = {
            "its loss": self.recipe.objective.couples,
            "its critic": self.critic.couples,
            "its generator": self.generator.couples,
            "its penalty": any(penalty.place.couples for penalty in self.penalties),
            "its condition": self.recipe.condition.couples,
            "unrolling": self.recipe.unroll > 0,
        }
        return [what for what, couples in found.items() if couples]

    def _setting(self, name: str, published: float) -> Tensor:
        """A setting of every replica, (S, 1)."""
        given = getattr(self.config, name)
        values = [replica.settings.get(name, published if given is None else given) for replica in self.config.replicas]
        held = torch.tensor(values, dtype=DTYPES[self.config.dtype], device=self.config.device)
        if not bool((held.isfinite() & (held > 0)).all()) or len(held.unique()) < len(set(values)):
            raise DataError(
                f"{name} must be above 0, finite and of different values in {self.config.dtype} too; got {given!r}. "
                "Take dtype='float64', or other values."
            )
        return held[:, None]

    def _generator_rate(self, recipe: Recipe) -> Tensor:
        """A learning rate of its own, or else the common one, or else the recipe's."""
        named = "generator_lr" if self.config.generator_lr is not None else "lr"
        return self._setting(named, recipe.optimisers[1].rate)

    def start(self) -> State:
        """The state before the first step."""
        recipe, dtype = self.recipe, self.space.dtype
        critic = self.critic.initial(self.seeds, Stream.CRITIC_WEIGHTS, dtype=dtype)
        generator = self.generator.initial(self.seeds, Stream.GENERATOR_WEIGHTS, dtype=dtype)
        memory = dict(recipe.objective.initial(self.seeds, dtype))
        if recipe.constraint:
            memory |= recipe.constraint.initial(critic, self.critic)
        if recipe.replay:
            latent = self.latent(Stream.REPLAY, 0, recipe.replay.size)
            memory["replay"] = self.generator(generator, latent)
        if recipe.history:
            memory |= {"history.critic": critic.clone(), "history.generator": generator.clone()}
        if recipe.average:
            memory["average"] = generator.clone()
        players = (
            Player(critic, recipe.optimisers[0].initial(critic)),
            Player(generator, recipe.optimisers[1].initial(generator)),
        )
        # A checkpoint keeps numbers, not strides; and a product may round by its operands' strides.
        memory = {name: tensor.contiguous() for name, tensor in memory.items()}
        return State(0, 0.0, *players, memory, torch.zeros_like(self.seeds))

    def real(self, stream: Stream, step: Step, batch: int, seeds: Tensor | None = None) -> Tensor:
        """Real points of the game's space: (S, batch, d)."""
        return self.recipe.condition.real(self.space, self.seeds if seeds is None else seeds, stream, step, batch)

    def latent(self, stream: Stream, step: Step, batch: int, seeds: Tensor | None = None) -> Tensor:
        """The generator's input: (S, batch, inputs)."""
        return self.recipe.condition.latent(self.space, self.seeds if seeds is None else seeds, stream, step, batch)

    @property
    def target(self) -> Data:
        """What samples are compared with: the data set, or two side by side."""
        return self.recipe.condition.target(self.space)

    def points(self, outputs: Tensor) -> Tensor:
        """What is measured of points of the game's space, such as an image without its label."""
        return self.recipe.condition.points(self.space, outputs)

    def batches(self, first: int, last: int) -> Iterator[tuple[int, list[Batch]]]:
        """The steps from `first` to `last` with the batches of their turns: the critic's, then the generator's.

        Many steps are drawn at once; the numbers are a function of the step, and do not depend on that.
        """
        turns = self.critic_steps + self.config.generator_steps
        per_step = len(self.seeds) * turns * self.batch * 2 * (self.space.latent + self.space.targets[0].dimension)
        block = max(1, min(64, DRAWN // per_step))
        for start in range(first, last + 1, block):
            steps = range(start, min(start + block, last + 1))
            drawn = self._drawn(steps, turns)
            for step, parts in zip(steps, zip(*drawn, strict=True), strict=True):
                yield step, [Batch(*(part[:, turn] for part in parts)) for turn in range(turns)]

    def _drawn(self, steps: range, turns: int) -> list[Tensor]:
        """The tensors of `Batch` for many steps: (steps, S, turns, b, k) each, of which this process takes its part."""
        count, replicas = turns * self.batch, len(self.seeds)
        seeds = self.seeds.repeat(len(steps))
        each = torch.tensor(list(steps), device=self.seeds.device).repeat_interleave(replicas)
        drawn = self._draws(TRAINING, seeds, each, count)
        drawn = [x.view(len(steps), replicas, turns, self.batch, x.shape[-1]) for x in drawn]
        part = distributed.part(self.batch)
        return [*(x[:, :, :, part] for x in drawn[:-1]), drawn[-1]]  # the memory of fakes is fed with whole batches

    def measured(self, step: int, most: int) -> Batch:
        """A batch drawn for no step; of the recipe's own size where the points of a batch see each other."""
        return Batch(*self._draws(MEASURING, self.seeds, step, self.batch if self.coupled else most))

    def _draws(self, streams: tuple[Stream, ...], seeds: Tensor, step: Step, count: int) -> list[Tensor]:
        """The tensors of `Batch`, each from its stream: (seeds, count, k)."""
        real = self.real(streams[0], step, count, seeds)
        d = real.shape[-1]
        needed = (
            (uniform, sum(penalty.draws(d) for penalty in self.penalties)),
            (normal, 2 * d if self.recipe.noise else 0),
            (uniform, 1 if self.recipe.replay else 0),
        )
        others = zip(needed, streams[2:], strict=True)
        drawn = [law(seeds, stream, step, (count, k), dtype=self.space.dtype) for (law, k), stream in others]
        return [real, self.latent(streams[1], step, count, seeds), *drawn]

    def view(self, parameters: Tensor, memory: dict[str, Tensor]) -> View:
        """The critic with these parameters, in its class."""
        constraint = self.recipe.constraint
        return View(self.critic, constraint.effective(parameters, memory, self.critic) if constraint else parameters)

    def losses(self, which: str, objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
        """A loss or the estimate of the objective, from the critic's outputs: (S, batch, k) twice -> (S,)."""
        if objective.outputs == 1:
            real, fake = self.recipe.condition.scores(real), self.recipe.condition.scores(fake)
        values = getattr(objective, which)(real, fake)
        return values.sum(-1) if values.ndim > 1 else values  # one game per domain

    def critic_loss(self, critic: Tensor, *, batch: Batch, fake: Tensor, state: State, sigma: float) -> Tensor:
        """The critic's loss as a function of its parameters: (S, size) -> (S,)."""
        recipe, condition, view = self.recipe, self.recipe.condition, self.view(critic, state.memory)
        real, fake = self._noisy(batch, batch.real, fake, sigma)
        objective = recipe.objective.at(state.memory)
        outputs = view.both(real, fake)
        loss = self.losses("critic_loss", objective, *outputs)
        loss = loss + condition.critic_term(self.space, objective, view, real, outputs[1], batch.latent)
        places = batch.places.split([p.draws(real.shape[-1]) for p in self.penalties], dim=-1)
        for penalty, u in zip(self.penalties, places, strict=True):
            loss = loss + penalty(view.slope, real, fake, u)
        if recipe.history:
            loss = loss + recipe.history * distance_to_average(critic, state.memory["history.critic"])
        return loss

    def generator_loss(self, generator: Tensor, *, batch: Batch, state: State, sigma: float) -> Tensor:
        """The generator's loss as a function of its parameters: (S, size) -> (S,)."""
        recipe = self.recipe
        made = self.generator(generator, batch.latent)
        critic = self._unrolled(made, batch, state, sigma) if recipe.unroll else state.critic.parameters
        view = self.view(critic, state.memory)
        real, fake = self._noisy(batch, batch.real, made, sigma)
        if self.critic.couples or recipe.unroll:
            outputs = view(real), view(fake)
        else:  # the generator has no hand in the real points
            with torch.no_grad():
                seen = view(real)
            outputs = seen, view(fake)
        loss = self.losses("generator_loss", recipe.objective.at(state.memory), *outputs)
        loss = loss + recipe.condition.generator_term(
            partial(self.generator, generator), made, outputs[1], batch.latent
        )
        if recipe.history:
            loss = loss + recipe.history * distance_to_average(generator, state.memory["history.generator"])
        return loss

    def _unrolled(self, fake: Tensor, batch: Batch, state: State, sigma: float) -> Tensor:
        """The critic after some steps of its own on this batch, as a function of the fakes. Metz et al. (2017)."""
        critic, moments = state.critic.parameters.detach().requires_grad_(), state.critic.moments
        optimiser, rate = self.recipe.optimisers[0], self.rate(0, min(state.step + 1, self.config.steps))
        for ahead in range(1, self.recipe.unroll + 1):
            loss = self.critic_loss(critic, batch=batch, fake=fake, state=state, sigma=sigma)
            (gradient,) = torch.autograd.grad(loss.sum(), critic, create_graph=True)
            direction, moments = optimiser.direction(gradient, moments, state.critic.updates + ahead)
            critic = critic - rate * direction
        return critic

    def _noisy(self, batch: Batch, real: Tensor, fake: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """Both with instance noise."""
        if not sigma:
            return real, fake
        for_real, for_fake = batch.noise.chunk(2, dim=-1)
        return real + sigma * for_real, fake + sigma * for_fake

    def sigma(self, step: int) -> float:
        """The instance noise of a step."""
        return self.recipe.noise.sigma(step, self.config.steps) if self.recipe.noise else 0.0

    def rate(self, player: int, step: int) -> Tensor:
        """The learning rates of a step, (S, 1): constant, or falling linearly to zero."""
        rate = self.rates[player]
        return rate * (1 - (step - 1) / self.config.steps) if self.recipe.anneal else rate
