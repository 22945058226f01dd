"""Training: one loop that yields snapshots. Seeds are the leading axis of every tensor, written (S, ...)."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from divergences._checks import count
from divergences.errors import ConvergenceError
from gan.config import Config
from gan.game import Game, Player, State
from gan.random import Stream

MEASURED = 2048  # real and fake samples per seed, fresh at every step, behind a snapshot's losses and estimate


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of training; its numbers are per seed, shape (S,), measured on samples that no step has seen.

    Attributes:
        critic_loss, generator_loss: the objective's two losses, without a penalty.
        estimate: what the critic believes the recipe's `measures` to be.
        state: a copy of all that training remembers, from which `train` can go on.

    """

    game: Game
    state: State
    critic_loss: Tensor
    generator_loss: Tensor
    estimate: Tensor

    @property
    def step(self) -> int:
        """Steps of the generator so far."""
        return self.state.step

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self.state.seconds

    def sample(self, n: int) -> Tensor:
        """`n` samples of every seed's generator, (S, n, d), from latent points that are the same at every step."""
        latent = self.game.latent(Stream.SAMPLE, 0, count(n, "n"))
        with torch.no_grad():
            return self.game.generator(self.state.generator.parameters, latent)


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train; yield a snapshot at the start, every `config.every` steps, and at the end.

    With the `state` of a snapshot, go on after it, to the same bits as a run that was never interrupted.
    Whoever iterates evaluates, prints or saves; to stop early, stop iterating.

    Raises ConvergenceError when a seed leaves the finite numbers; its `.result` is the last snapshot.

    >>> config = Config(recipe="wgan-gp", seeds=(0, 1), steps=2, every=1, hidden=(8,))
    >>> [(snapshot.step, tuple(snapshot.estimate.shape)) for snapshot in train(config)]
    [(0, (2,)), (1, (2,)), (2, (2,))]
    """
    game = Game(config)
    batch, k = game.batch, game.recipe.critic_steps
    fresh, state = state is None, game.start() if state is None else state.copy()
    critic, generator = state.critic, state.generator
    last = snapshot(game, state)
    if fresh:
        yield last

    for step in range(state.step + 1, config.steps + 1):
        began = time.perf_counter()

        # All that is random in this step; k batches for the critic's steps, and the generator's own comes last.
        real = game.real(Stream.REAL, step, k * batch)  # (S, k b, d)
        latent = game.latent(Stream.LATENT, step, (k + 1) * batch)  # (S, (k + 1) b, latent)
        u = game.mixing(step, k * batch) if game.recipe.penalty else None  # (S, k b, 1)
        with torch.no_grad():
            fake = game.generator(generator.parameters, latent[:, : k * batch])  # (S, k b, d)

        # The critic first: the generator's gradient is only as good as the critic that it is taken through.
        for i in range(k):
            now = slice(i * batch, (i + 1) * batch)
            parts = {"real": real[:, now], "fake": fake[:, now], "u": None if u is None else u[:, now]}
            _descend(game, critic, partial(game.critic_loss, **parts), last)
            if game.recipe.constraint:
                game.recipe.constraint.after_step(critic.parameters, {}, game.critic)

        # Then the generator, through the critic as it now is.
        parts = {"critic": critic.parameters, "real": real[:, -batch:], "latent": latent[:, -batch:]}
        _descend(game, generator, partial(game.generator_loss, **parts), last)

        state.step, state.seconds = step, state.seconds + time.perf_counter() - began
        if step % config.every == 0 or step == config.steps:
            last = snapshot(game, state)
            yield last


def _descend(game: Game, player: Player, loss: Callable[[Tensor], Tensor], last: Snapshot) -> None:
    """One step of the player's optimiser, for every seed by itself."""
    parameters = player.parameters.detach().requires_grad_()
    # A seed's loss depends on no other seed's parameters: the gradient of the sum holds every seed's own gradient.
    (gradient,) = torch.autograd.grad(loss(parameters).sum(), parameters)
    if not bool(gradient.isfinite().all()):
        _diverged(game, gradient, last)
    player.updates += 1
    game.optimiser.step(player.parameters, gradient, player.moments, player.updates)


def _diverged(game: Game, gradient: Tensor, last: Snapshot) -> None:
    lost = [seed for seed, fine in zip(game.config.seeds, gradient.isfinite().all(dim=1), strict=True) if not fine]
    raise ConvergenceError(
        f"Training must stay finite; seed {', '.join(map(str, lost))} diverged after step {last.step} "
        f"with lr {game.optimiser.rate:g}. Lower lr, or leave the seed out: the others do not depend on it.",
        last,
    )


def snapshot(game: Game, state: State) -> Snapshot:
    """Losses and estimate on fresh samples: a function of the state alone, so that a resumed run repeats it."""
    with torch.no_grad():
        real = game.real(Stream.MEASURE_REAL, state.step, MEASURED)
        latent = game.latent(Stream.MEASURE_LATENT, state.step, MEASURED)
        fake = game.generator(state.generator.parameters, latent)
        scores = [game.scores(state.critic.parameters, x) for x in (real, fake)]
        objective = game.recipe.objective
        losses = objective.critic_loss(*scores), objective.generator_loss(*scores)
        return Snapshot(game, state.copy(), *losses, objective.estimate(*scores))
