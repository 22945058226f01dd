"""What targets that are distributions share."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from gan.random import Step, Stream


class Law(ABC):
    """A distribution: any number of independent points, none of them kept back.

    What has modes states `mode_count`, and `assign(x)`: each point's mode and whether it counts as of high quality,
    (..., d) -> (...), (...). What knows its density states `log_density(x)` in nats, (..., d) -> (...).
    `source` says where it comes from.
    """

    source: str
    size = None
    held_out = None
    fingerprint = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """A point's natural shape, (d,) or (channels, height, width)."""

    @property
    def classes(self) -> int:
        """The number of labels, 0 for none."""
        return 0

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return math.prod(self.shape)

    @abstractmethod
    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent points per seed, (S,) -> (S, count, d), and their labels (S, count)."""

    def sample(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> Tensor:
        """`count` independent points per seed: (S,) -> (S, count, d)."""
        return self.labelled(seeds, stream, step, count, dtype=dtype)[0]

    def check_batch(self, batch: int) -> None:  # noqa: B027 - nothing is the right thing to do
        """Nothing to check: a batch of a distribution may be of any size."""
