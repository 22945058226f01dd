"""What training remembers between two steps, and what is random in one. (S, ...) marks the leading axis of replicas."""

from dataclasses import dataclass

from torch import Tensor

from gan.optimisers import Moments


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
    """All that training remembers between two steps; randomness is a function of the step and needs no memory.

    Attributes:
        memory: what objective, constraint and tricks remember, under names.
        diverged: the step at which a replica left the finite numbers and was stopped, (S,); 0 while it trains.

    """

    step: int
    seconds: float
    critic: Player
    generator: Player
    memory: dict[str, Tensor]
    diverged: Tensor

    def copy(self) -> "State":
        """A copy that later steps do not touch."""
        memory = {name: tensor.clone() for name, tensor in self.memory.items()}
        players = self.critic.copy(), self.generator.copy()
        return State(self.step, self.seconds, *players, memory, self.diverged.clone())


@dataclass(frozen=True)
class Batch:
    """All that is random in one turn of one player, (S, b, ...).

    Attributes:
        real, latent: real points, and the generator's inputs.
        places: uniform numbers for the penalties; noise: standard normal, for real and for fake points;
        replay: uniform, where the memory of fakes is read. Empty where a recipe needs none.

    """

    real: Tensor
    latent: Tensor
    places: Tensor
    noise: Tensor
    replay: Tensor
