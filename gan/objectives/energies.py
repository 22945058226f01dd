"""Objectives on energies, low for real points, as the errors of an auto-encoder are; a score is minus an energy."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from divergences._checks import positive
from divergences.errors import DataError
from gan.objectives.base import Objective, Separable


@dataclass(frozen=True)
class EnergyBased(Separable):
    """Energies e = -v >= 0: critic E_p e + E_q max(0, margin - e), generator E_q e.

    Among nonnegative energies the best is 0 where p >= q, `margin` elsewhere, and pays margin (1 - TV(p, q)). Energies
    below 0, which an auto-encoder cannot give, would take the critic's loss below that. Zhao, Mathieu & LeCun (2017).

    >>> EnergyBased(margin=10.0).critic_loss(torch.tensor([0.0, -2.0]), torch.tensor([-4.0, -12.0]))
    tensor(4.)
    """

    margin: float = 10.0

    measures = "total variation"

    def __post_init__(self) -> None:
        positive(self.margin, "margin")

    def real_loss(self, scores: Tensor) -> Tensor:
        return -scores.mean(-1)

    def fake_loss(self, scores: Tensor) -> Tensor:
        return (self.margin + scores).relu().mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return 1 - self.critic_loss(real, fake) / self.margin


@dataclass(frozen=True)
class BoundaryEquilibrium(Objective):
    """Energies e = -v >= 0: critic E_p e - k E_q e, generator E_q e, and k keeps E_q e at `gamma` E_p e.

    After each step of the critic k grows by rate * (gamma E_p e - E_q e), kept within [0, 1]. The best critic's loss is
    no divergence: `estimate` is the paper's measure of convergence, E_p e + |gamma E_p e - E_q e|, small at
    equilibrium. Berthelot, Schumm & Metz (2017): gamma (0.5 for their pictures) trades variety for quality.

    >>> real, fake = torch.tensor([-2.0]), torch.tensor([-0.6])
    >>> memory = BoundaryEquilibrium(gamma=0.5, rate=0.1).advance(real, fake)  # 0.1 (0.5 * 2 - 0.6)
    >>> memory["k"], BoundaryEquilibrium().at(memory).critic_loss(real, fake)  # 2 - 0.04 * 0.6
    (tensor(0.0400), tensor(1.9760))
    """

    gamma: float = 0.5
    rate: float = 0.001
    k: float | Tensor = 0.0

    measures = "convergence"

    def __post_init__(self) -> None:
        if positive(self.gamma, "gamma") > 1:
            raise DataError(f"gamma, the wanted ratio of fake to real energy, must be in (0, 1]; got {self.gamma}.")
        positive(self.rate, "rate")

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.k * fake.mean(-1) - real.mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return (self.gamma * real.mean(-1) - fake.mean(-1)).abs() - real.mean(-1)

    def initial(self, seeds: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"k": torch.zeros(seeds.shape, dtype=dtype, device=seeds.device)}

    def at(self, memory: dict[str, Tensor]) -> Self:
        return replace(self, k=memory["k"])

    def advance(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            imbalance = fake.mean(-1) - self.gamma * real.mean(-1)  # energies are minus the scores
            return {"k": (self.k + self.rate * imbalance).clamp(0, 1)}
