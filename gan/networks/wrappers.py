"""Networks around networks: packs, pairs of domains, labels, reconstruction errors and features beside scores."""

from dataclasses import dataclass

import torch
from torch import Tensor

from divergences._checks import count
from divergences.errors import DataError
from gan.networks.chain import Network, Wrapped


@dataclass(frozen=True)
class Packed(Wrapped):
    """One score for `count` points: neighbours in the batch are joined to one long point. PacGAN, Lin et al. (2018).

    The network inside takes `count` * d numbers. Raises DataError for a batch that does not divide into packs.
    """

    count: int = 2
    blends = True

    def __post_init__(self) -> None:
        count(self.count, "count")

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, d) -> (S, batch / count, outputs)."""
        batch = x.shape[1]
        if batch % self.count:
            raise DataError(
                f"The batch must be a multiple of {self.count}, the points this critic packs into one; got {batch}."
            )
        return self.inner(parameters, x.reshape(len(x), batch // self.count, -1))


@dataclass(frozen=True)
class Labelled(Wrapped):
    """A conditional generator: (z, one-hot label) -> (inner(z, label), label), a point of the joint space."""

    classes: int

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, latent + classes) -> (S, batch, d + classes)."""
        return torch.cat((self.inner(parameters, x), x[..., -self.classes :]), dim=-1)


@dataclass(frozen=True)
class Autoencoder(Wrapped):
    """The critic of EBGAN and BEGAN: score = -mean over coordinates of |x - inner(x)|^power, `inner` from d to d.

    The score is minus the energy, so that real points score high. Power 2 is EBGAN's (Zhao et al. 2017), 1
    BEGAN's (Berthelot et al. 2017).
    """

    power: int = 2

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, d) -> (S, batch, 1)."""
        error = x - self.inner(parameters, x)
        return -(error.abs() if self.power == 1 else error.square()).mean(-1, keepdim=True)


@dataclass(frozen=True)
class Pair(Network):
    """Two networks, the parameters of the first before those of the second; subclasses say how they are called."""

    first: Network
    second: Network

    @property
    def inside(self) -> tuple[Network, ...]:
        return self.first, self.second


@dataclass(frozen=True)
class Exposed(Pair):
    """Features and the score made from them: (first = body, second = head), outputs (head(features), features)."""

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, inputs) -> (S, batch, outputs + features)."""
        body, head = self.split(parameters)
        features = self.first(body, x)
        return torch.cat((self.second(head, features), features), dim=-1)


@dataclass(frozen=True)
class Domains(Pair):
    """Two networks for points of two domains, (a, b), with a in the first `split_at` columns."""

    split_at: int

    def __post_init__(self) -> None:
        count(self.split_at, "split_at")

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, d_a + d_b) -> (S, batch, outputs of both)."""
        first, second = self.split(parameters)
        a, b = self.domains(x)
        return torch.cat((self.first(first, a), self.second(second, b)), dim=-1)

    def domains(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the first and what the second network reads."""
        return x[..., : self.split_at], x[..., self.split_at :]


class Both(Domains):
    """A critic for each of two domains: (a, b) -> (first(a), second(b))."""


class Swap(Domains):
    """Two translators, first = B to A, second = A to B: (a, b) -> (first(b), second(a)).

    Applied twice to (a, b) it gives the two round trips, which CycleGAN compares with (a, b) (Zhu et al. 2017).
    """

    def domains(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(b, a)."""
        a, b = super().domains(x)
        return b, a
