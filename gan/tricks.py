"""What published systems do besides their losses: noise on the critic's inputs, a memory of fakes, a slow average.

Each is a small part that a recipe names; whatever it remembers are tensors whose leading axis is the seeds.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from divergences._checks import count, positive
from divergences.errors import DataError


@dataclass(frozen=True)
class InstanceNoise:
    """Gaussian noise on what the critic sees, real and fake, falling linearly to zero over a share of the training.

    Sonderby et al. (2017); Arjovsky & Bottou (2017); lecture rows D13, D14.

    >>> InstanceNoise(0.5, until=0.5).sigma(step=26, steps=100)
    0.25
    """

    start: float = 0.3
    until: float = 1.0

    def __post_init__(self) -> None:
        positive(self.start, "start")
        if not 0 < self.until <= 1:
            raise DataError(f"until must be a share of the training, above 0 and at most 1; got {self.until!r}.")

    def sigma(self, step: int, steps: int) -> float:
        """The standard deviation at step number `step`, counted from 1, of `steps`."""
        return self.start * max(0.0, 1 - (step - 1) / (self.until * steps))


@dataclass(frozen=True)
class Replay:
    """Half of the fakes that the critic sees are earlier ones, from a memory that new fakes overwrite at random.

    Shrivastava et al. (2017); Salimans et al. (2016) call it historical batches.
    """

    size: int = 1024

    def __post_init__(self) -> None:
        count(self.size, "size")

    def mix(self, fake: Tensor, memory: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Fakes for the critic and the memory after them.

        Args: fake (S, b, d); memory (S, size, d); u (S, b, 1), uniform: which places of the memory are read and, with
        new fakes, written.
        """
        half = fake.shape[1] // 2
        place = (u[:, :half].double() * self.size).long().clamp(max=self.size - 1).expand(-1, -1, fake.shape[-1])
        old = memory.gather(1, place)
        mixed = torch.cat((old, fake[:, half:]), dim=1)
        # Of two writes to one place either may win on a GPU; the first half is read before it is written.
        return mixed, memory.scatter(1, place, fake[:, :half])


def distance_to_average(parameters: Tensor, average: Tensor) -> Tensor:
    """|parameters - average|^2 per seed, (S, size) -> (S,): historical averaging, Salimans et al. (2016), 3.3."""
    return (parameters - average).square().sum(-1)
