"""Objectives on features: the critic gives k numbers per point, and two clouds (..., batch, k) are compared."""

from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from divergences._checks import count, positive
from divergences.errors import DataError
from gan.objectives.base import Objective

PLAIN, RELAXATION = 5, 1.5  # Sinkhorn's sweeps before over-relaxation, and by how much


class _SquaredDistances(torch.autograd.Function):
    """|x_i - y_j|^2 by differences, since the product form cancels; its gradient by products, since nothing does there.

    So nothing of size (n, m, k) is made: several times as fast as autograd on the differences. Twice differentiable.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        (slope,), (x, y) = slopes, ctx.saved_tensors
        middle = y.detach().mean(-2, keepdim=True)  # a shift changes nothing, but rounds less near 0
        x, y = x - middle, y - middle
        to_x = slope.sum(-1)[..., None] * x - slope @ y  # sum over j of slope_ij (x_i - y_j)
        to_y = slope.sum(-2)[..., None] * y - slope.mT @ x
        return 2 * to_x, 2 * to_y


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(..., n, k), (..., m, k) -> (..., n, m), twice differentiable."""
    return _SquaredDistances.apply(x, y)


class Adversarial(Objective):
    """A distance of features, which the generator makes small and the critic, whose features they are, large."""

    outputs = 0
    couples = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.estimate(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.estimate(real, fake)


@dataclass(frozen=True)
class MMD(Adversarial):
    """Unbiased squared maximum mean discrepancy of the features, E k(x, x') + E k(y, y') - 2 E k(x, y), x' != x.

    The kernel is the sum of exp(-|x - y|^2 / (2 b^2)) over the bandwidths b. Unbiased, so it may be negative.
    A learned critic makes the kernel one of its own: estimates of two runs, or of two moments of one, are in different
    kernels, and follow no distance of the points such as W1.

    Li et al. (2017), whose bandwidths these are; Gretton et al. (2012), lemma 6.

    >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    >>> MMD(bandwidths=(1.0,)).estimate(x, y)
    tensor(-0.3935)
    """

    bandwidths: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)

    measures = "MMD^2 in the critic's present kernel"

    def __post_init__(self) -> None:
        if not self.bandwidths:
            raise DataError("bandwidths must hold at least one number; got none.")
        for bandwidth in self.bandwidths:
            positive(bandwidth, "a bandwidth")

    def _kernel(self, x: Tensor, y: Tensor) -> Tensor:
        squares = squared_distances(x, y)
        return torch.stack([(squares / (-2 * b * b)).exp() for b in self.bandwidths]).sum(0)

    def _within(self, x: Tensor) -> Tensor:
        n = x.shape[-2]
        if n < 2:
            raise DataError(f"MMD, being unbiased, needs at least 2 points on each side; got {n}. Raise the batch.")
        # k(x, x) is exactly the number of bandwidths.
        return (self._kernel(x, x).sum((-2, -1)) - n * len(self.bandwidths)) / (n * (n - 1))

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return self._within(real) + self._within(fake) - 2 * self._kernel(real, fake).mean((-2, -1))


@dataclass(frozen=True)
class Sinkhorn(Adversarial):
    """Sinkhorn divergence of the features, S = OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2 with squared distances as costs.

    OT = min <P, c> + eps KL(P | uniform), eps = `epsilon` times the mean cost between x and y, which gradients take for
    a constant; all three after `iterations` sweeps in log-domain, so that nothing can fail to converge while training
    (`divergences.sinkhorn_divergence` iterates until it has; the laws compare the two). Gradients are those of the dual
    at fixed potentials. Genevay, Peyre & Cuturi (2018); debiased: Feydy et al. (2019); relaxed: Thibault et al. (2021).

    >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    >>> Sinkhorn().estimate(x, y)  # a shift by 2 costs its square
    tensor(4.0000)
    """

    epsilon: float = 0.05
    iterations: int = 50

    measures = "Sinkhorn divergence of features"

    def __post_init__(self) -> None:
        positive(self.epsilon, "epsilon")
        count(self.iterations, "iterations")

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        cross = squared_distances(real, fake)
        mean = cross.detach().mean((-2, -1), keepdim=True)
        # Clouds that are one and the same point cost nothing, whatever eps is.
        eps = self.epsilon * torch.where(mean > 0, mean, torch.ones_like(mean))
        within = (self._entropic(squared_distances(x, x), eps) for x in (real, fake))
        return self._entropic(cross, eps) - sum(within) / 2

    def _entropic(self, costs: Tensor, eps: Tensor) -> Tensor:
        """The dual value of costs (..., n, m) after the sweeps: (...)."""
        n, m = costs.shape[-2:]
        with torch.no_grad():
            scaled = -costs.detach() / eps
            f, g = scaled.new_zeros((*scaled.shape[:-1], 1)), scaled.new_zeros((*scaled.shape[:-2], 1, m))
            for sweep in range(self.iterations):
                # Over-relaxed, which needs a fifth of the sweeps, once plain sweeps have come near enough for it.
                w = 1.0 if sweep < PLAIN else RELAXATION
                f = torch.lerp(f, log(m) - torch.logsumexp(scaled + g, -1, keepdim=True), w)
                g = torch.lerp(g, log(n) - torch.logsumexp(scaled + f, -2, keepdim=True), w)
        # One exact sweep each way from the potentials: the envelope theorem gives the gradient in the costs.
        scaled = -costs / eps
        rows = (log(m) - torch.logsumexp(scaled + g, -1)).mean(-1) + g.mean((-2, -1))
        columns = (log(n) - torch.logsumexp(scaled + f, -2)).mean(-1) + f.mean((-2, -1))
        return eps[..., 0, 0] * (rows + columns) / 2


@dataclass(frozen=True)
class FeatureMatching(Objective):
    """The first output is the score of a logistic critic, the others are features whose means the generator matches.

    Critic -E_p log D - E_q log(1 - D), at best log 4 - 2 JSD; generator |E_p features - E_q features|^2.
    Salimans et al. (2016), section 3.1.

    >>> real, fake = torch.tensor([[0.0, 1.0], [0.0, 3.0]]), torch.tensor([[0.0, 5.0], [0.0, 5.0]])
    >>> FeatureMatching().generator_loss(real, fake)  # means 2 and 5
    tensor(9.)
    """

    measures = "2 JSD - log 4"
    outputs = 0
    couples = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return -self.estimate(real, fake)

    def generator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        if real.shape[-1] < 2:
            raise DataError("Feature matching needs a critic of at least 2 outputs, a score and features; got 1.")
        return (real[..., 1:].mean(-2) - fake[..., 1:].mean(-2)).square().sum(-1)

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        return logsigmoid(real[..., 0]).mean(-1) + logsigmoid(-fake[..., 0]).mean(-1)
