"""What every target offers, and what those that are distributions share."""

import math
from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from gan.random import Step, Stream


class Data(Protocol):
    """A target that a generator is trained on. Points are flat: images travel as c*h*w numbers in [-1, 1].

    Targets with modes have `mode_count`, and `assign(x)`, (..., d) -> the mode of each point, and whether it counts as
    of high quality. Targets that know their density have `log_density(x)` in nats, (..., d) -> (...).

    Attributes:
        shape: a point's natural shape, (d,) or (c, h, w); dimension: its product.
        source: where the target comes from. classes: how many labels there are, 0 without labels.
        size: rows of a finite set, None for a distribution.
        held_out: rows that `Stream.REFERENCE`, and as many again that `Stream.FLOOR`, draws before it repeats any.
        fingerprint: SHA-256 of the content of a user's own rows, None for what is built in.

    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dimension(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def classes(self) -> int: ...
    @property
    def size(self) -> int | None: ...
    @property
    def held_out(self) -> int | None: ...
    @property
    def fingerprint(self) -> str | None: ...

    def sample(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> Tensor:
        """`count` points per seed: (S,) -> (S, count, d)."""
        ...

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """The points that `sample` draws and their labels, int64 of shape (S, count)."""
        ...

    def check_batch(self, batch: int) -> None:
        """Raises DataError if there are fewer training rows than points in a batch."""
        ...


class Law(ABC):
    """A distribution: any number of independent points, none of them kept back."""

    size = None
    held_out = None
    fingerprint = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """A point's natural shape."""

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
