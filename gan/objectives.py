"""What critic and generator minimise, from the critic's scores.

Scores come in the order (real, fake), with the batch on the last axis; every loss is a mean over it, so that a
leading axis of seeds gives one loss per seed. The critic wants real scores high.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import Tensor
from torch.nn.functional import logsigmoid

from divergences.catalogue import CATALOGUE
from divergences.f_divergence import FDivergence


class Objective(ABC):
    """A two-player game on scores: both losses are minimised, shapes (..., batch) -> (...)."""

    measures: str
    """The quantity that `estimate` approaches when the critic is at its best."""

    @abstractmethod
    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises."""

    @abstractmethod
    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""

    @abstractmethod
    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """What this critic believes `measures` to be: a lower bound, up to sampling, and up to the critic's class."""


def _log_likelihood(real: Tensor, fake: Tensor) -> Tensor:
    """V(D, G) = E_p log D + E_q log(1 - D) with D the sigmoid of the score; exact at any score."""
    return logsigmoid(real).mean(-1) + logsigmoid(-fake).mean(-1)


@dataclass(frozen=True)
class Minimax(Objective):
    """The game of Goodfellow et al. (2014): the generator minimises E_q log(1 - D).

    At the best critic the critic's loss is log 4 - 2 JSD. Lecture rows D1, D2.

    >>> import torch
    >>> Minimax().critic_loss(torch.zeros(3), torch.zeros(3))  # D = 1/2 everywhere: log 4
    tensor(1.3863)
    """

    measures = "2 JSD - log 4"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -_log_likelihood(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return _log_likelihood(real, fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return _log_likelihood(real, fake)


@dataclass(frozen=True)
class NonSaturating(Objective):
    """The same critic, but the generator minimises -E_q log D.

    Its gradient with respect to the score is D - 1, which tends to -1 where minimax's -D vanishes, that is where
    the critic sees through the generator. Goodfellow et al. (2014); lecture row D8.

    >>> import torch
    >>> NonSaturating().generator_loss(torch.zeros(3), torch.zeros(3))
    tensor(0.6931)
    """

    measures = "2 JSD - log 4"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -_log_likelihood(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -logsigmoid(fake).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return _log_likelihood(real, fake)


@dataclass(frozen=True)
class Wasserstein(Objective):
    """The dual of W1 by Kantorovich and Rubinstein: E_p T - E_q T, for a critic that is 1-Lipschitz.

    Who keeps the critic 1-Lipschitz is a penalty's or a constraint's business. Arjovsky et al. (2017).

    >>> import torch
    >>> Wasserstein().estimate(torch.tensor([2.0, 4.0]), torch.tensor([0.0, 1.0]))
    tensor(2.5000)
    """

    measures = "W1"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean(-1) - real.mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return real.mean(-1) - fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return real.mean(-1) - fake.mean(-1)


@dataclass(frozen=True)
class Variational(Objective):
    """f-GAN: E_p g(v) - E_q f*(g(v)), with g the activation of the divergence, for any entry of the catalogue.

    At the best critic the critic's loss is -D_f(p, q). Nowozin, Cseke & Tomioka (2016), their saddle point (6);
    the generator plays the same game and not their faster variant.

    >>> import torch
    >>> from divergences.catalogue import kl
    >>> Variational(kl).estimate(torch.ones(3), torch.ones(3))  # score f'(1) = 1 everywhere: no difference seen
    tensor(0.)
    """

    divergence: FDivergence
    measures: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.divergence.name.replace("_", " "))

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.estimate(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.estimate(real, fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        d = self.divergence
        return d.activation(real).mean(-1) - d.conjugate_activation(fake).mean(-1)


def _variational() -> dict[str, Objective]:
    return {f"fgan-{name.replace('_', '-')}": Variational(d) for name, d in CATALOGUE.items()}


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "minimax": Minimax(),
        "nonsaturating": NonSaturating(),
        "wasserstein": Wasserstein(),
        **_variational(),
    }
)
"""Every objective by name; `fgan-<divergence>` for every entry of `divergences.CATALOGUE`."""
