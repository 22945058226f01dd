"""Training: one loop that yields snapshots. Replicas are the leading axis of every tensor, written (S, ...)."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from divergences.errors import ConvergenceError
from gan import distributed
from gan.config import Config
from gan.game import Game
from gan.optimisers import Optimiser
from gan.snapshot import Snapshot, snapshot
from gan.state import Player, State


def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
    """Train; yield a snapshot at the start, every `config.every` steps, and at the end.

    With the `state` of a snapshot, go on after it, to the same bits as a run that was never interrupted.
    Whoever iterates evaluates, prints or saves; to stop early, stop iterating.

    A replica that leaves the finite numbers is stopped where it last was finite, and `snapshot.diverged` says so; the
    others do not notice. Raises ConvergenceError when none is left; its `.result` is the last snapshot.

    >>> config = Config(recipe="wgan-gp", seeds=(0, 1), steps=2, every=1)
    >>> [(snapshot.step, tuple(snapshot.estimate.shape)) for snapshot in train(config)]
    [(0, (2,)), (1, (2,)), (2, (2,))]
    """
    game = Game(config)
    recipe, k = game.recipe, game.critic_steps
    fresh, state = state is None, game.start() if state is None else state.copy()
    critic, generator, memory = state.critic, state.generator, state.memory
    last = snapshot(game, state)
    if fresh:
        yield last

    began = time.perf_counter()
    for step, batches in game.batches(state.step + 1, config.steps):
        sigma, before = game.sigma(step), dict(memory)

        # The critic first: the generator's gradient is only as good as the critic that it is taken through.
        with torch.no_grad():
            fakes = _fakes(game, generator.parameters, [batch.latent for batch in batches[:k]])
        for batch, fake in zip(batches[:k], fakes, strict=True):
            if recipe.replay:
                mixed, memory["replay"] = recipe.replay.mix(distributed.whole(fake), memory["replay"], batch.replay)
                fake = mixed[:, distributed.part(game.batch)]
            loss = partial(game.critic_loss, batch=batch, fake=fake, state=state, sigma=sigma)
            _descend(state, critic, loss, recipe.optimisers[0], game.rate(0, step), step)
            if recipe.constraint:
                memory |= recipe.constraint.after_step(critic.parameters, memory, game.critic)
            _advance(game, state, batch.real, fake)

        # Then the generator, through the critic as it now is.
        for batch in batches[k:]:
            loss = partial(game.generator_loss, batch=batch, state=state, sigma=sigma)
            _descend(state, generator, loss, recipe.optimisers[1], game.rate(1, step), step)
        _remember(game, state, step)
        _settle(state, before, step)

        state.step = step
        if step % config.every == 0 or step == config.steps:
            state.seconds += time.perf_counter() - began
            if bool((state.diverged > 0).all()):
                raise ConvergenceError(_nobody_left(game, state), last)
            last = snapshot(game, state)
            yield last
            began = time.perf_counter()


def _fakes(game: Game, parameters: Tensor, latents: list[Tensor]) -> list[Tensor]:
    """The critic's fake points, in one pass unless the points of a batch see each other."""
    if not latents or game.generator.couples:
        return [game.generator(parameters, latent) for latent in latents]
    return list(game.generator(parameters, torch.cat(latents, dim=1)).chunk(len(latents), dim=1))


def _descend(
    state: State, player: Player, loss: Callable[[Tensor], Tensor], optimiser: Optimiser, rate: Tensor, step: int
) -> None:
    """One step of the player's optimiser, for every replica by itself."""
    parameters = player.parameters.detach().requires_grad_()
    # A replica's loss depends on no other's parameters: the gradient of the sum holds every replica's own gradient.
    (gradient,) = torch.autograd.grad(loss(parameters).sum(), parameters)
    gradient = distributed.mean(gradient)
    player.updates += 1
    direction, moments = optimiser.direction(gradient, player.moments, player.updates)
    moved = player.parameters - rate * direction
    _stop(state, (moved, *moments.values()), step)
    if bool((state.diverged > 0).any()):
        stopped = (state.diverged > 0)[:, None]
        moved = torch.where(stopped, player.parameters, moved)
        moments = {name: torch.where(stopped, player.moments[name], new) for name, new in moments.items()}
    player.parameters, player.moments = moved, moments


def _stop(state: State, tensors: Iterable[Tensor], step: int) -> None:
    """Mark the replicas of which something, (S, ...), is about to leave the finite numbers."""
    # A sum is finite only if all of it is; one that overflows ends a training as well.
    finite = torch.stack([x.reshape(len(x), -1).sum(1) for x in tensors]).isfinite().all(0)
    if not bool(finite.all()):
        state.diverged = torch.where(finite | (state.diverged > 0), state.diverged, step)


def _settle(state: State, before: dict[str, Tensor], step: int) -> None:
    """A replica that is stopped keeps what it remembered: what cannot be saved could not be resumed."""
    if before:
        _stop(state, state.memory.values(), step)
        stopped = state.diverged > 0
        if bool(stopped.any()):
            for name, old in before.items():
                state.memory[name] = torch.where(stopped.view(-1, *[1] * (old.ndim - 1)), old, state.memory[name])


def _advance(game: Game, state: State, real: Tensor, fake: Tensor) -> None:
    """The objective's own state after a step of the critic."""
    objective = game.recipe.objective.at(state.memory)
    if not objective.initial(game.seeds, game.space.dtype):
        return
    with torch.no_grad():
        outputs = game.view(state.critic.parameters, state.memory).both(real, fake)
        scores = [game.recipe.condition.scores(x) for x in outputs] if objective.outputs == 1 else outputs
        state.memory |= objective.advance(*map(distributed.whole, scores))


def _remember(game: Game, state: State, step: int) -> None:
    """Slow averages, after both players' turns."""
    memory = state.memory
    if game.recipe.history:  # the mean over all steps so far
        for name, player in (("critic", state.critic), ("generator", state.generator)):
            memory[f"history.{name}"] = memory[f"history.{name}"].lerp(player.parameters, 1 / (step + 1))
    if game.recipe.average:
        # A young average is over fewer steps: nothing of the untrained start lingers in it.
        decay = min(game.recipe.average, (step - 1) / (step + 9))
        memory["average"] = memory["average"].lerp(state.generator.parameters, 1 - decay)


def _nobody_left(game: Game, state: State) -> str:
    first = int(state.diverged[state.diverged > 0].min())
    lost = ", ".join(str(replica) for replica in game.config.replicas)
    return (
        f"Training must stay finite; every replica ({lost}) diverged, the first at step {first}, with learning rates "
        f"{', '.join(sorted({f'{rate:g}' for rate in game.rates[0][:, 0].tolist()}))}. Lower lr."
    )
