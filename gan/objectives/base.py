"""What an objective is: two losses on the critic's outputs for real and fake points."""

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import Tensor


class Objective(ABC):
    """A two-player game on the critic's outputs, always in the order (real, fake); both losses are minimised.

    Outputs are scores (..., batch), or (..., batch, k) where `outputs` is not 1; a result is one number per leading
    index, so that a leading axis of seeds gives one loss per seed. The critic wants real scores high.
    """

    measures: str
    """The quantity that `estimate` approaches when the critic is at its best."""

    outputs: int = 1
    """How many numbers the critic gives per point; 0 for any number."""

    couples: bool = False
    """Whether a loss is more than a mean over the batch, so that halves of a batch cannot be averaged."""

    @abstractmethod
    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises."""

    @abstractmethod
    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""

    @abstractmethod
    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """What this critic believes `measures` to be: a lower bound, up to sampling, and up to the critic's class."""

    def initial(self, seeds: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        """What the objective remembers before the first step: named tensors of shape (S,)."""
        return {}

    def at(self, memory: dict[str, Tensor]) -> Self:
        """The objective with its memory put in."""
        return self

    def advance(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The memory after a step of the critic whose outputs were these."""
        return {}


class Separable(Objective):
    """An objective whose critic pays for real and for fake points apart: E real_loss + E fake_loss.

    So a critic can also be asked to reject points of a third kind, by a further `fake_loss`.
    """

    @abstractmethod
    def real_loss(self, scores: Tensor) -> Tensor:
        """What the critic pays for real points: (..., batch) -> (...)."""

    @abstractmethod
    def fake_loss(self, scores: Tensor) -> Tensor:
        """What the critic pays for points that it is to reject: (..., batch) -> (...)."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.real_loss(real) + self.fake_loss(fake)
