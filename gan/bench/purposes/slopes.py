"""What keeps a critic tame: its slopes, its confidence, and what it remembers of earlier fakes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gan.bench.purposes.purpose import PLAIN, Values, alive, compared, trained
from gan.bench.purposes.training import on_line
from gan.game import View
from gan.penalties import PENALTIES
from gan.random import Stream, uniform
from gan.snapshot import Snapshot

N = 1000  # points per replica


def critic(last: Snapshot) -> View:
    """The critic as training sees it."""
    return last.game.view(last.state.critic.parameters, last.state.memory)


def points(last: Snapshot) -> tuple[Tensor, Tensor]:
    """Real and fake points that no step has seen."""
    batch = last.game.measured(0, N)
    with torch.no_grad():
        return batch.real, last.game.generator(last.state.generator.parameters, batch.latent)


def slope(last: Snapshot, x: Tensor) -> Tensor:
    """The norm of the critic's slope at each point: (S, b)."""
    return torch.linalg.vector_norm(critic(last).slope(x).detach(), dim=-1)


def off_one(last: Snapshot) -> np.ndarray:
    """How far the slope is from 1 around real points, in the mean: (S,)."""
    real = points(last)[0]
    u = uniform(last.game.seeds, Stream.PENALTY, 0, tuple(real.shape[1:]), dtype=real.dtype)
    near = PENALTIES["dragan"].place.points(real, real, u)
    return alive(last, (slope(last, near) - 1).abs().mean(-1))


def lipschitz(last: Snapshot) -> np.ndarray:
    """The product of the spectral norms of the critic's weights, which bounds its slope everywhere: (S,)."""
    return alive(last, last.spectral_norm)


def confidence(last: Snapshot) -> np.ndarray:
    """The mean probability of being real that the critic gives to real points: (S,)."""
    with torch.no_grad():
        return alive(last, critic(last)(points(last)[0])[..., 0].sigmoid().mean(-1))


def tame(recipe: str, value: Callable[[Snapshot], np.ndarray], **changes: object) -> Values:
    """A statistic of a recipe's critic and of the plain one's, in the game of `training.on_line`."""
    return compared(
        lambda config: value(trained(config)[-1]),
        lambda plan: on_line(plan, recipe, **changes),
        lambda plan: on_line(plan, PLAIN),
    )


def against_fixed(recipe: str, value: Callable[[Snapshot], np.ndarray]) -> Values:
    """A statistic of critics that face a generator at rest: they come as near to the best critic as they can."""
    rest = {"generator_lr": 1e-9, "steps": 500, "snapshots": 1}
    return compared(
        lambda config: value(trained(config)[-1]),
        lambda plan: on_line(plan, recipe, **rest),
        lambda plan: on_line(plan, PLAIN, **rest),
    )
