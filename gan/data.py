"""Targets that know their density: Gaussian mixtures, sampled for all seeds at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from gan.random import Stream, normal, uniform


@dataclass(frozen=True)
class GaussianMixture:
    """Modes with a weight, a mean and an isotropic standard deviation each.

    Attributes:
        means: one tuple of d coordinates per mode; weights: summing to one; sigmas: one per mode.
        source: whose protocol this is.

    >>> mixture = GaussianMixture(means=((-1.0,), (1.0,)), weights=(0.5, 0.5), sigmas=(0.1, 0.1), source="example")
    >>> mixture.dimension, tuple(mixture.sample(torch.arange(3), Stream.REAL, 0, 5).shape)
    (1, (3, 5, 1))

    """

    means: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    sigmas: tuple[float, ...]
    source: str

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.means[0])

    def sample(
        self, seeds: Tensor, stream: Stream, step: int, count: int, *, dtype: torch.dtype = torch.float64
    ) -> Tensor:
        """`count` independent points per seed: (S,) -> (S, count, d)."""
        means, sigmas, weights = self._tensors(dtype, seeds.device)
        # The last edge is left out, so that weights summing to 1 - 1e-16 still leave no number without a mode.
        edges = weights.double().cumsum(0)[:-1]
        mode = torch.bucketize(uniform(seeds, stream, step, (count,)), edges)  # (S, count)
        noise = normal(seeds, stream, step, (count, self.dimension), dtype=dtype)  # (S, count, d)
        return torch.addcmul(means[mode], sigmas[mode][..., None], noise)

    def log_density(self, x: Tensor) -> Tensor:
        """Log p(x) in nats: (..., d) -> (...).

        >>> round(float(DATASETS["mixture1d"].log_density(torch.tensor([-1.0]))), 4)
        -0.6232
        """
        _, sigmas, weights = self._tensors(x.dtype, x.device)
        normaliser = self.dimension * (sigmas.log() + 0.5 * math.log(2 * math.pi))
        return torch.logsumexp(weights.log() - normaliser - 0.5 * self.standardised(x).square(), dim=-1)

    def standardised(self, x: Tensor) -> Tensor:
        """The distance to each mode in units of its standard deviation: (..., d) -> (..., modes)."""
        means, sigmas, _ = self._tensors(x.dtype, x.device)
        return torch.linalg.vector_norm(x[..., None, :] - means, dim=-1) / sigmas

    @property
    def mode_count(self) -> int:
        """The number of modes."""
        return len(self.means)

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The mode that is nearest in its own sigmas, and whether x lies within three of them: (..., d) -> (...)."""
        distance, mode = self.standardised(x).min(dim=-1)
        return mode, distance <= 3.0

    def _tensors(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        make = lambda values: torch.tensor(values, dtype=dtype, device=device)
        return make(self.means), make(self.sigmas), make(self.weights)


def _equal(means: list[tuple[float, ...]], sigma: float, source: str) -> GaussianMixture:
    modes = len(means)
    return GaussianMixture(tuple(means), (1 / modes,) * modes, (sigma,) * modes, source)


# Angles 2 pi k / 8 with k below 8. The notebook that many papers copied ran a linspace that includes 2 pi:
# its "8" modes are 7, one of them twice as heavy.
_RING = [(2 * math.cos(math.pi * k / 4), 2 * math.sin(math.pi * k / 4)) for k in range(8)]
_GRID = [(float(x), float(y)) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]

DATASETS: Mapping[str, GaussianMixture] = MappingProxyType(
    {
        "ring8": _equal(_RING, 0.1, "radius 2, sigma 0.1: the CPU-sized ring of the paired-discriminator study (2026)"),
        "grid25": _equal(
            _GRID, 0.05, "spacing 2, sigma 0.05: VEEGAN, Srivastava et al. (2017); PacGAN, Lin et al. (2018)"
        ),
        "mixture1d": GaussianMixture(
            means=((-1.0,), (2.0,)),
            weights=(0.33, 0.67),
            sigmas=(0.255, 1.415),
            source="fitted to the published optima of f-GAN, Nowozin et al. (2016), table 2, to 3e-4",
        ),
    }
)
"""Every data set by name."""
