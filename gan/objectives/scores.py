"""Objectives on one score per point: the game of Goodfellow et al., its variants, W1, every f-divergence, energies.

E_p is the mean over the scores of real points, E_q over those of fake points; v is a score and D = sigmoid(v). An
energy, low for real points as the error of an auto-encoder is, is minus a score.
"""

from dataclasses import dataclass, field, replace
from math import log
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from divergences._checks import positive, real_number
from divergences.errors import DataError
from divergences.f_divergences.f_divergence import FDivergence
from gan.objectives.base import Objective, Separable


@dataclass(frozen=True)
class _Logistic(Separable):
    """The critic maximises V = E_p log D + E_q log(1 - D): max V = 2 JSD(p, q) - log 4, at D = p / (p + q).

    With `smoothing` s < 1 the real label is s instead of 1, Salimans et al. (2016): the best critic is s p / (p + q),
    and it pays 2 H(s/2) - 2 JSD_w(p, r) with JSD_w weighted by w = s/2, r = ((1 - s) p + q) / (2 - s), H(w) the
    entropy of (w, 1 - w).
    """

    smoothing: float = 1.0
    measures: str = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < real_number(self.smoothing, "smoothing") <= 1:
            raise DataError(f"smoothing, the label of real points, must be in (0, 1]; got {self.smoothing}.")
        measures = "2 JSD - log 4" if self.smoothing == 1 else f"2 JSD - log 4, with real labels {self.smoothing:g}"
        object.__setattr__(self, "measures", measures)

    def real_loss(self, scores: Tensor) -> Tensor:
        loss = -logsigmoid(scores).mean(-1)  # exact at any score, as log(sigmoid) is not
        # -s log D - (1 - s) log(1 - D) is -log D plus (1 - s) v
        return loss if self.smoothing == 1 else loss + (1 - self.smoothing) * scores.mean(-1)

    def fake_loss(self, scores: Tensor) -> Tensor:
        return -logsigmoid(-scores).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.critic_loss(real, fake)


@dataclass(frozen=True)
class Minimax(_Logistic):
    """The game of Goodfellow et al. (2014): the generator minimises E_q log(1 - D).

    At the best critic the critic's loss is log 4 - 2 JSD. Lecture rows D1, D2.

    >>> import torch
    >>> Minimax().critic_loss(torch.zeros(3), torch.zeros(3))  # D = 1/2 everywhere: log 4
    tensor(1.3863)
    """

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.critic_loss(real, fake)


@dataclass(frozen=True)
class NonSaturating(_Logistic):
    """The same critic, but the generator minimises -E_q log D.

    Its gradient with respect to the score is D - 1, which tends to -1 where minimax's -D vanishes, that is where
    the critic sees through the generator. Goodfellow et al. (2014); lecture row D8.

    >>> import torch
    >>> NonSaturating().generator_loss(torch.zeros(3), torch.zeros(3))
    tensor(0.6931)
    >>> NonSaturating(smoothing=0.9).real_loss(torch.tensor([2.1972]))  # D = 0.9 is what a label of 0.9 asks for
    tensor(0.3251)
    """

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -logsigmoid(fake).mean(-1)


@dataclass(frozen=True)
class MaximumLikelihood(_Logistic):
    """The same critic, but the generator minimises -E_q D / (1 - D) = -E_q exp(v).

    At the best critic, exp(v) = p / q, its gradient is that of KL(p, q). The value itself leaves float32 at scores
    above 88 and float64 above 709. Goodfellow (2016), section 3.2.4; lecture row D12.

    >>> import torch
    >>> MaximumLikelihood().generator_loss(torch.zeros(3), torch.zeros(3))
    tensor(-1.)
    """

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.exp().mean(-1)


@dataclass(frozen=True)
class LeastSquares(Separable):
    """Least squares on raw scores, labels 1 and 0: critic (E_p (v - 1)^2 + E_q v^2) / 2, generator E_q (v - 1)^2 / 2.

    The best critic is v = p / (p + q) and pays sum pq / (p + q) / 2 = (1 - LC) / 4, LC the Le Cam distance
    sum (p - q)^2 / (p + q) / 2. Mao et al. (2017), their (9).

    >>> import torch
    >>> LeastSquares().estimate(torch.tensor([1.0]), torch.tensor([0.0]))  # told apart without error: the largest
    tensor(1.)
    """

    measures = "Le Cam"

    def real_loss(self, scores: Tensor) -> Tensor:
        return (scores - 1).square().mean(-1) / 2

    def fake_loss(self, scores: Tensor) -> Tensor:
        return scores.square().mean(-1) / 2

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (fake - 1).square().mean(-1) / 2

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return 1 - 4 * self.critic_loss(real, fake)


@dataclass(frozen=True)
class Hinge(Separable):
    """Critic E_p max(0, 1 - v) + E_q max(0, 1 + v), generator -E_q v.

    The best critic is the sign of p - q and pays 2 sum min(p, q) = 2 - 2 TV. Lim & Ye (2017), Tran et al. (2017).

    >>> import torch
    >>> Hinge().critic_loss(torch.tensor([2.0, 0.0]), torch.tensor([-1.0, -3.0]))
    tensor(0.5000)
    """

    measures = "total variation"

    def real_loss(self, scores: Tensor) -> Tensor:
        return (1 - scores).relu().mean(-1)

    def fake_loss(self, scores: Tensor) -> Tensor:
        return (1 + scores).relu().mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return 1 - self.critic_loss(real, fake) / 2


def _advantage(real: Tensor, fake: Tensor) -> Tensor:
    """How much more real the real point of each pair is."""
    if real.shape[-1] != fake.shape[-1]:
        raise DataError(
            f"A relativistic critic needs as many real as fake points; got {real.shape[-1]} and {fake.shape[-1]}."
        )
    return real - fake


@dataclass(frozen=True)
class Relativistic(Objective):
    """Is the real point of a pair the more real one? Critic E log(1 + e^(w - v)), generator E log(1 + e^(v - w)).

    v, w are the scores of the i-th real and the i-th fake point. The best critic is v = log p/q + constant, because
    its differences tell the pairs (x, y) ~ p x q from the exchanged ones, and it pays log 2 - JSD(p x q, q x p).
    Jolicoeur-Martineau (2018), RSGAN; with R1 and R2 it is the loss of R3GAN.

    >>> import torch
    >>> Relativistic().critic_loss(torch.zeros(3), torch.zeros(3))
    tensor(0.6931)
    """

    measures = "JSD of pairs"

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-_advantage(real, fake)).mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(_advantage(real, fake)).mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return log(2) - self.critic_loss(real, fake)


@dataclass(frozen=True)
class Wasserstein(Separable):
    """The dual of W1 by Kantorovich and Rubinstein: E_p T - E_q T, for a critic that is 1-Lipschitz.

    Who keeps the critic 1-Lipschitz is a penalty's or a constraint's business. Arjovsky et al. (2017).

    >>> import torch
    >>> Wasserstein().estimate(torch.tensor([2.0, 4.0]), torch.tensor([0.0, 1.0]))
    tensor(2.5000)
    """

    measures = "W1"

    def real_loss(self, scores: Tensor) -> Tensor:
        return -scores.mean(-1)

    def fake_loss(self, scores: Tensor) -> Tensor:
        return scores.mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return real.mean(-1) - fake.mean(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return real.mean(-1) - fake.mean(-1)


@dataclass(frozen=True)
class Variational(Separable):
    """f-GAN: E_p g(v) - E_q f*(g(v)), with g the activation of the divergence, for any entry of the catalogue.

    At the best critic the critic's loss is -D_f(p, q). Nowozin, Cseke & Tomioka (2016), their saddle point (6), in
    which the generator minimises -E_q f*(g(v)); unless `saturating`, it minimises -E_q g(v), their section 3.2.
    Some divergences have e^v or e^-v in g or f*, whose true value leaves float32 at 88 and float64 at 709.

    >>> import torch
    >>> from divergences.f_divergences.catalogue import kl
    >>> Variational(kl).estimate(torch.ones(3), torch.ones(3))  # score f'(1) = 1 everywhere: no difference seen
    tensor(0.)
    """

    divergence: FDivergence
    saturating: bool = True
    measures: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.divergence.name.replace("_", " "))

    # The literals g and f_star_g are called as they are: a NaN of one seed is no error for the others.
    def real_loss(self, scores: Tensor) -> Tensor:
        return -self.divergence.g(scores).mean(-1)

    def fake_loss(self, scores: Tensor) -> Tensor:
        return self.divergence.f_star_g(scores).mean(-1)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.saturating:
            return -self.critic_loss(real, fake)
        return self.real_loss(fake)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.critic_loss(real, fake)


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
