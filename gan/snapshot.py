"""A moment of training: what the players' losses and the critic's belief are, on samples drawn for it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from divergences._checks import count
from gan.constraints import spectral_norms
from gan.game import Game
from gan.random import Stream
from gan.state import State

BELIEVED = (
    "critic_loss", "generator_loss", "estimate", "critic_gradient", "generator_gradient", "slope", "spectral_norm",
)  # fmt: skip
"""The fields of a snapshot that have a number per replica."""
MEASURED = 2048  # real and fake samples per replica, fresh at every step, behind a snapshot's numbers


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of training; its numbers are per replica, shape (S,), measured on samples drawn for it alone.

    Of a finite set those are rows that training draws from as well.

    Attributes:
        critic_loss, generator_loss: the objective's two losses, without penalties.
        estimate: what the critic believes the recipe's `measures` to be.
        critic_gradient, generator_gradient: norms of the gradients that the players would follow, without replay.
        slope: the mean norm of the critic's slope, at points between real and fake ones.
        spectral_norm: the product of the critic's spectral norms, which bounds its slope everywhere for a perceptron.
        state: a copy of all that training remembers, from which `train` can go on.

    """

    game: Game
    state: State
    critic_loss: Tensor
    generator_loss: Tensor
    estimate: Tensor
    critic_gradient: Tensor
    generator_gradient: Tensor
    slope: Tensor
    spectral_norm: Tensor

    @property
    def step(self) -> int:
        """Steps of the generator so far."""
        return self.state.step

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self.state.seconds

    @property
    def diverged(self) -> Tensor:
        """The step at which a replica was stopped because it left the finite numbers; 0 while it trains."""
        return self.state.diverged

    def outputs(self, n: int) -> Tensor:
        """`n` outputs of every generator, its label beside each if it has one, from the same latent points always."""
        game, state = self.game, self.state
        latent = game.latent(Stream.SAMPLE, 0, count(n, "n"))
        with torch.no_grad():
            return game.generator(state.memory.get("average", state.generator.parameters), latent)

    def sample(self, n: int) -> Tensor:
        """`n` samples of every generator, (S, n, d), from latent points that are the same at every step."""
        return self.game.points(self.outputs(n))


def snapshot(game: Game, state: State) -> Snapshot:
    """The numbers of this moment: a function of the state alone, so that a resumed run repeats them."""
    batch = game.measured(state.step, MEASURED)
    step = max(state.step, 1)
    with torch.no_grad():
        fake = game.generator(state.generator.parameters, batch.latent)
        view = game.view(state.critic.parameters, state.memory)
        objective = game.recipe.objective.at(state.memory)
        outputs = view.both(batch.real, fake)
        names = ("critic_loss", "generator_loss", "estimate")
        believed = {name: game.losses(name, objective, *outputs) for name in names}
        middle = torch.lerp(fake, batch.real, 0.5)
        slope = torch.linalg.vector_norm(view.slope(middle).detach(), dim=-1).mean(-1)
        spectral = spectral_norms(view.parameters, game.critic).prod(-1)
    sigma = game.sigma(step)
    norms = {
        "critic_gradient": _norm(
            state.critic.parameters, lambda x: game.critic_loss(x, batch=batch, fake=fake, state=state, sigma=sigma)
        ),
        "generator_gradient": _norm(
            state.generator.parameters, lambda x: game.generator_loss(x, batch=batch, state=state, sigma=sigma)
        ),
    }
    return Snapshot(game, state.copy(), **believed, **norms, slope=slope, spectral_norm=spectral)


def _norm(parameters: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The norm of a loss's gradient in its parameters: (S, size) -> (S,)."""
    parameters = parameters.detach().requires_grad_()
    value = loss(parameters).sum()
    (gradient,) = torch.autograd.grad(value, parameters, allow_unused=True, materialize_grads=True)
    return torch.linalg.vector_norm(gradient, dim=-1)
