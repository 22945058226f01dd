"""What targets that are distributions share, and two in the plane that are no mixtures of Gaussians."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gan.random import Step, Stream, normal, uniform


class Law(ABC):
    """A distribution: any number of independent points, none of them kept back.

    What has modes states `mode_count`, and `assign(x)`: each point's mode and whether it counts as of high quality,
    (..., d) -> (...), (...). What knows its density states `log_density(x)` in nats, (..., d) -> (...).
    `source` says where it comes from.
    """

    source: str
    shape: tuple[int, ...]  # a point's natural shape, (d,) or (channels, height, width)
    classes: int = 0  # the number of labels, 0 for none
    size = None
    held_out = None
    fingerprint = None

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


_BLOCK = 1024  # points whose density is computed at once


@dataclass(frozen=True)
class SwissRoll(Law):
    """(t cos t, t sin t) with t uniform on [3 pi/2, 9 pi/2], plus Gaussian noise, over `scale`.

    scikit-learn's `make_swiss_roll` without its second coordinate.

    >>> roll = SwissRoll(noise=0.25, scale=7.5, source="example")
    >>> tuple(roll.sample(torch.arange(2), Stream.REAL, 0, 3).shape)
    (2, 3, 2)
    """

    noise: float
    scale: float
    source: str
    shape = (2,)

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent points per seed, (S,) -> (S, count, 2), all with the label 0."""
        t = 1.5 * math.pi * (1 + 2 * uniform(seeds, stream, step, (count,)))
        noise = normal(seeds, stream, step, (count, 2))
        x = (_spiral(t) + self.noise * noise) / self.scale
        return x.to(dtype), torch.zeros_like(t, dtype=torch.int64)

    def log_density(self, x: Tensor) -> Tensor:
        """Log p(x) in nats, (..., 2) -> (...), by Gauss-Legendre quadrature over t.

        Right to 1e-9 within 10 units of the roll for the published noise; the integrand narrows with the distance.

        >>> roll = SwissRoll(noise=0.25, scale=7.5, source="example")
        >>> round(float(roll.log_density(torch.tensor([0.0, 5 * math.pi / 2]).double() / 7.5)), 4)
        0.1849
        """
        nodes, weights = (torch.as_tensor(v, device=x.device) for v in _panels(256, 12))
        curve, sigma = _spiral(nodes) / self.scale, self.noise / self.scale
        constant = weights.log() - math.log(3 * math.pi) - 2 * math.log(sigma) - math.log(2 * math.pi)
        blocks = x.double().reshape(-1, 2).split(_BLOCK)
        squares = lambda block: (block[:, None, :] - curve).square().sum(-1)
        values = [torch.logsumexp(constant - squares(block) / (2 * sigma**2), -1) for block in blocks]
        return torch.cat(values).reshape(x.shape[:-1]).to(x.dtype)


def _spiral(t: Tensor) -> Tensor:
    return torch.stack((t * t.cos(), t * t.sin()), -1)


@lru_cache(maxsize=2)
def _panels(panels: int, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre's rule on panels of [3 pi/2, 9 pi/2], equal but for those at the ends.

    Seen from far beyond an end, the integrand falls off steeply there: these panels are halved again and again.
    """
    nodes, weights = np.polynomial.legendre.leggauss(order)
    inner = np.linspace(1.5 * math.pi, 4.5 * math.pi, panels + 1)
    finer = (inner[1] - inner[0]) * 0.5 ** np.arange(1, 16)
    edges = np.sort(np.concatenate((inner, inner[0] + finer, inner[-1] - finer)))
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (nodes + 1)).ravel(), (half * weights).ravel()


@dataclass(frozen=True)
class Lines(Law):
    """The parallel lines of Arjovsky et al. (2017), example 1: (theta, U[0, 1]). It has no density on the plane.

    >>> Lines(theta=1.0, source="example").sample(torch.arange(1), Stream.REAL, 0, 2)[..., 0]
    tensor([[1., 1.]], dtype=torch.float64)
    """

    theta: float
    source: str
    shape = (2,)

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent points per seed, (S,) -> (S, count, 2), all with the label 0."""
        height = uniform(seeds, stream, step, (count,), dtype=dtype)
        return torch.stack((torch.full_like(height, self.theta), height), -1), torch.zeros_like(height).long()
