"""What the generator is told, and what the critic therefore sees.

Conditional systems are games on a joint space: a point of the conditional GAN is (x, label), a point of CycleGAN is
(a, b) with a from one domain and b from the other. A condition makes the points, the generator's input and the
networks of that space, and adds its own terms to the losses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from divergences._checks import count, positive
from divergences.errors import DataError
from gan.data import Data
from gan.data.laws import Law
from gan.networks.chain import Network
from gan.networks.wrappers import Both, Labelled, Swap
from gan.objectives import Objective, Separable
from gan.random import Step, Stream, normal, uniform

Map = Callable[[Tensor], Tensor]
MakeCritic = Callable[[tuple[int, ...], int], Network]  # shape of a point, outputs
MakeGenerator = Callable[[int, tuple[int, ...]], Network]  # inputs, shape of a point

_OTHER_DOMAIN = 1 << 62  # the second domain draws what the seed with this bit flipped would


@dataclass(frozen=True)
class Space:
    """The targets of a game, one or two, the dimension of its noise, and its floating type."""

    targets: tuple[Data, ...]
    latent: int
    dtype: torch.dtype

    def noise(self, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        """Standard normal, (S, batch, latent)."""
        return normal(seeds, stream, step, (batch, self.latent), dtype=self.dtype)

    def labelled(self, seeds: Tensor, stream: Stream, step: Step, batch: int) -> tuple[Tensor, Tensor]:
        """Points of the first target and their labels as one-hot vectors."""
        x, labels = self.targets[0].labelled(seeds, stream, step, batch, dtype=self.dtype)
        return x, one_hot(labels, self.targets[0].classes).to(self.dtype)


@dataclass(frozen=True)
class Joint(Law):
    """Independent points of two targets side by side: (a, b)."""

    a: Data
    b: Data
    source: str = field(init=False)
    shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", f"{self.a.source}; {self.b.source}")
        object.__setattr__(self, "shape", (self.a.dimension + self.b.dimension,))

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        a = self.a.sample(seeds, stream, step, count, dtype=dtype)
        b = self.b.sample(seeds ^ _OTHER_DOMAIN, stream, step, count, dtype=dtype)
        return torch.cat((a, b), dim=-1), torch.zeros(a.shape[:2], dtype=torch.int64, device=a.device)


@dataclass(frozen=True)
class Unconditional:
    """The generator is told nothing: standard normal noise in, a point out.

    A condition `couples` if its terms depend on which points are in a batch together.
    """

    couples: ClassVar[bool] = False

    def check(self, targets: tuple[Data, ...]) -> None:
        """Raise DataError unless the targets fit."""
        if len(targets) != 1:
            raise DataError(f"data must be one data set for this recipe; got {len(targets)}. Two are for cyclegan.")

    def critic(self, make: MakeCritic, space: Space, outputs: int) -> Network:
        """The critic on this space."""
        return make(space.targets[0].shape, outputs)

    def generator(self, make: MakeGenerator, space: Space) -> Network:
        """The generator on this space."""
        return make(space.latent, space.targets[0].shape)

    def real(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        """Real points, (S, batch, d)."""
        return space.targets[0].sample(seeds, stream, step, batch, dtype=space.dtype)

    def latent(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        """The generator's input: noise, and what it is told."""
        return space.noise(seeds, stream, step, batch)

    def scores(self, outputs: Tensor) -> Tensor:
        """The scores among the critic's outputs: (..., batch, k) -> (..., batch), or (..., scores, batch)."""
        return outputs[..., 0]

    def target(self, space: Space) -> Data:
        """What `points` are compared with."""
        return space.targets[0]

    def points(self, space: Space, outputs: Tensor) -> Tensor:
        """What is measured and drawn of real points and of the generator's outputs."""
        return outputs[..., : space.targets[0].dimension]

    def critic_term(
        self, space: Space, objective: Objective, critic: Map, real: Tensor, outputs: Tensor, latent: Tensor
    ) -> Tensor | float:
        """Added to the critic's loss; `outputs` are the critic's at the fake points."""
        return 0.0

    def generator_term(self, generator: Map, fake: Tensor, outputs: Tensor, latent: Tensor) -> Tensor | float:
        """Added to the generator's loss."""
        return 0.0


@dataclass(frozen=True)
class Labels(Unconditional):
    """Mirza & Osindero (2014), with the mismatched real pairs of Reed et al. (2016): lecture rows D24, D39.

    A point is (x, one-hot label). The critic's third term rejects real x beside a label drawn regardless of it, with
    the lecture's weights 1, 1, 1, at which samples follow the data only where classes do not overlap (row D39); Reed
    et al. halve the last two. The labels that the generator is told follow the data's own law.
    """

    couples = True

    def check(self, targets: tuple[Data, ...]) -> None:
        super().check(targets)
        if targets[0].classes < 2:
            raise DataError("data must have labels for this recipe, as ring8 and digits have; these have none.")

    def critic(self, make: MakeCritic, space: Space, outputs: int) -> Network:
        return make((space.targets[0].dimension + space.targets[0].classes,), outputs)

    def generator(self, make: MakeGenerator, space: Space) -> Network:
        classes = space.targets[0].classes
        return Labelled(make(space.latent + classes, space.targets[0].shape), classes)

    def real(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        return torch.cat(space.labelled(seeds, stream, step, batch), dim=-1)

    def latent(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        # The data's own labels; its uniform numbers are unrelated to the normal ones of the same stream.
        _, told = space.labelled(seeds, stream, step, batch)
        return torch.cat((space.noise(seeds, stream, step, batch), told), dim=-1)

    def critic_term(
        self, space: Space, objective: Objective, critic: Map, real: Tensor, outputs: Tensor, latent: Tensor
    ) -> Tensor | float:
        if not isinstance(objective, Separable):
            return 0.0
        x, told = real.split((space.targets[0].dimension, space.targets[0].classes), dim=-1)
        return objective.fake_loss(critic(torch.cat((x, told.roll(1, dims=-2)), dim=-1))[..., 0])


@dataclass(frozen=True)
class Codes(Unconditional):
    """InfoGAN, Chen et al. (2016): some inputs are codes, uniform in (-1, 1), that the critic has to read off.

    Both losses get weight * E |code - read|^2 / 2, the negative log-likelihood of a unit Gaussian: minimising it
    maximises a lower bound of the information between code and point. Lecture row D46.
    """

    codes: int = 2
    weight: float = 1.0

    def __post_init__(self) -> None:
        count(self.codes, "codes")
        positive(self.weight, "weight")

    def critic(self, make: MakeCritic, space: Space, outputs: int) -> Network:
        return make(space.targets[0].shape, outputs + self.codes)

    def generator(self, make: MakeGenerator, space: Space) -> Network:
        return make(space.latent + self.codes, space.targets[0].shape)

    def latent(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        codes = 2 * uniform(seeds, stream, step, (batch, self.codes), dtype=space.dtype) - 1
        return torch.cat((space.noise(seeds, stream, step, batch), codes), dim=-1)

    def critic_term(
        self, space: Space, objective: Objective, critic: Map, real: Tensor, outputs: Tensor, latent: Tensor
    ) -> Tensor | float:
        return self._misread(outputs, latent)

    def generator_term(self, generator: Map, fake: Tensor, outputs: Tensor, latent: Tensor) -> Tensor | float:
        return self._misread(outputs, latent)

    def _misread(self, outputs: Tensor, latent: Tensor) -> Tensor:
        error = outputs[..., -self.codes :] - latent[..., -self.codes :]
        return self.weight * error.square().sum(-1).mean(-1) / 2


@dataclass(frozen=True)
class Translation(Unconditional):
    """CycleGAN, Zhu et al. (2017): from one domain to the other and back, from unpaired sets. Lecture row D26.

    A point is (a, b). The generator maps real (a, b) to (G(b), F(a)), so that applying it twice is the round trip;
    its loss gets weight times the mean absolute error of both round trips together, 2 E |round trip - (a, b)|_1 / d
    with d the coordinates of (a, b): a mean, as in the published code, so that the weight fits points and pictures
    alike; 0 leaves the term out. The critic gives one score for each domain.
    """

    weight: float = 10.0

    def __post_init__(self) -> None:
        if self.weight:
            positive(self.weight, "weight")

    def check(self, targets: tuple[Data, ...]) -> None:
        if len(targets) != 2:
            raise DataError(
                f"data must name two data sets for this recipe, as ('ring8', 'grid25'); got {len(targets)}."
            )

    def critic(self, make: MakeCritic, space: Space, outputs: int) -> Network:
        a, b = space.targets
        return Both(make(a.shape, outputs), make(b.shape, outputs), split_at=a.dimension)

    def generator(self, make: MakeGenerator, space: Space) -> Network:
        a, b = space.targets
        return Swap(make(b.dimension, a.shape), make(a.dimension, b.shape), split_at=a.dimension)

    def real(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        return self.target(space).sample(seeds, stream, step, batch, dtype=space.dtype)

    def latent(self, space: Space, seeds: Tensor, stream: Stream, step: Step, batch: int) -> Tensor:
        return self.real(space, seeds, stream, step, batch)

    def scores(self, outputs: Tensor) -> Tensor:
        return outputs.transpose(-1, -2)

    def target(self, space: Space) -> Data:
        return Joint(*space.targets)

    def points(self, space: Space, outputs: Tensor) -> Tensor:
        return outputs

    def generator_term(self, generator: Map, fake: Tensor, outputs: Tensor, latent: Tensor) -> Tensor | float:
        return 2 * self.weight * (generator(fake) - latent).abs().mean((-2, -1)) if self.weight else 0.0


Condition = Unconditional
