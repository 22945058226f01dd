"""Mixtures that know their modes and, but for one, their density; the variants of published protocols by name."""

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache

import torch
from torch import Tensor

from gan.data.laws import Law
from gan.random import Step, Stream, normal, uniform


def _modes(law: Law, *, dimension: int, modes: int) -> None:
    """Say of a law that is being made how many coordinates and modes, which are the labels, it has."""
    for name, value in {"shape": (dimension,), "classes": modes, "mode_count": modes}.items():
        object.__setattr__(law, name, value)


@dataclass(frozen=True)
class GaussianMixture(Law):
    """Modes with a weight, a mean and an isotropic standard deviation each. A point's label is its mode.

    Attributes:
        means: one tuple of d coordinates per mode; weights: summing to one; sigmas: one per mode.
        source: whose protocol this is.
        radius: a point is of high quality within so many standard deviations of a mode.

    >>> mixture = GaussianMixture(means=((-1.0,), (1.0,)), weights=(0.5, 0.5), sigmas=(0.1, 0.1), source="example")
    >>> mixture.dimension, tuple(mixture.sample(torch.arange(3), Stream.REAL, 0, 5).shape)
    (1, (3, 5, 1))

    """

    means: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    sigmas: tuple[float, ...]
    source: str
    radius: float = 3.0
    shape: tuple[int, ...] = field(init=False)
    classes: int = field(init=False)
    mode_count: int = field(init=False)

    def __post_init__(self) -> None:
        _modes(self, dimension=len(self.means[0]), modes=len(self.means))

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent points per seed, (S,) -> (S, count, d), and their modes (S, count)."""
        means, sigmas, weights = _tensors(self, dtype, seeds.device)
        # The last edge is left out, so that weights summing to 1 - 1e-16 still leave no number without a mode.
        edges = weights.double().cumsum(0)[:-1]
        mode = torch.bucketize(uniform(seeds, stream, step, (count,)), edges)  # (S, count)
        noise = normal(seeds, stream, step, (count, self.dimension), dtype=dtype)  # (S, count, d)
        return torch.addcmul(means[mode], sigmas[mode][..., None], noise), mode

    def log_density(self, x: Tensor) -> Tensor:
        """Log p(x) in nats: (..., d) -> (...).

        >>> round(float(GaussianMixture(((0.0,),), (1.0,), (1.0,), "normal").log_density(torch.zeros(1))), 4)
        -0.9189
        """
        _, sigmas, weights = _tensors(self, x.dtype, x.device)
        normaliser = self.dimension * (sigmas.log() + 0.5 * math.log(2 * math.pi))
        return torch.logsumexp(weights.log() - normaliser - 0.5 * self.standardised(x).square(), dim=-1)

    def standardised(self, x: Tensor) -> Tensor:
        """The distance to each mode in units of its standard deviation: (..., d) -> (..., modes)."""
        means, sigmas, _ = _tensors(self, x.dtype, x.device)
        return torch.linalg.vector_norm(x[..., None, :] - means, dim=-1) / sigmas

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each point's nearest mode in units of its sigma, and whether it lies within `radius`: (..., d) -> (...).

        >>> mode, good = RING8.assign(torch.tensor([[2.1, 0.0], [0.0, 3.0]]))
        >>> mode.tolist(), good.tolist()
        ([0, 2], [True, False])
        """
        distance, mode = self.standardised(x).min(dim=-1)
        return mode, distance <= self.radius


@lru_cache(maxsize=64)
def _tensors(mixture: GaussianMixture, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    with torch.inference_mode(False):  # kept for all callers, and autograd may not save what inference made
        make = lambda values: torch.tensor(values, dtype=dtype, device=device)
        return make(mixture.means), make(mixture.sigmas), make(mixture.weights)


@dataclass(frozen=True)
class ShiftedNoise(Law):
    """VEEGAN's high-dimensional target: one number added to all coordinates, unit noise in the first `noisy` of them.

    It has no density, because the other coordinates of a mode are constant.

    Attributes:
        shifts: one number per mode, of equal weights; coordinates, noisy: how many, and how many of them vary.
        radius: a point is of high quality within so much, in Euclidean distance, of a mode.

    """

    shifts: tuple[float, ...]
    coordinates: int
    noisy: int
    radius: float
    source: str
    shape: tuple[int, ...] = field(init=False)
    classes: int = field(init=False)
    mode_count: int = field(init=False)

    def __post_init__(self) -> None:
        _modes(self, dimension=self.coordinates, modes=len(self.shifts))

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent points per seed, (S,) -> (S, count, d), and their modes (S, count)."""
        mode = (uniform(seeds, stream, step, (count,)) * self.mode_count).long()
        noise = normal(seeds, stream, step, (count, self.noisy), dtype=dtype)
        noise = torch.nn.functional.pad(noise, (0, self.coordinates - self.noisy))
        return _shifts(self, dtype, seeds.device)[mode][..., None] + noise, mode

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Each point's nearest mode, and whether it lies within `radius` of it: (..., d) -> (...)."""
        middle = x.mean(-1, keepdim=True)
        spread = (x - middle).square().sum(-1)
        offset, mode = (middle - _shifts(self, x.dtype, x.device)).abs().min(-1)
        return mode, (spread + self.coordinates * offset.square()).sqrt() <= self.radius


@lru_cache(maxsize=8)
def _shifts(law: ShiftedNoise, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(law.shifts, dtype=dtype, device=device)


def _equal(means: list[tuple[float, ...]], sigma: float, source: str) -> GaussianMixture:
    modes = len(means)
    return GaussianMixture(tuple(means), (1 / modes,) * modes, (sigma,) * modes, source)


def _ring(radius: float) -> list[tuple[float, ...]]:
    return [(radius * math.cos(math.pi * k / 4), radius * math.sin(math.pi * k / 4)) for k in range(8)]


def _grid(spacing: float) -> list[tuple[float, ...]]:
    return [(spacing * x, spacing * y) for x in range(-2, 3) for y in range(-2, 3)]


RING8 = _equal(_ring(2.0), 0.1, "radius 2, sigma 0.1: the CPU-sized ring of the paired-discriminator study (2026)")
RING8_VEEGAN = _equal(
    _ring(1.0),
    0.01,
    "unit circle, sigma 0.01: VEEGAN, Srivastava et al. (2017); PacGAN, Lin et al. (2018); (alpha_D, alpha_G)-GAN",
)
RING8_WGAN_GP = _equal(
    _ring(2 / 1.414), 0.02 / 1.414, "radius 2, sigma 0.02, both over 1.414: the toy of Gulrajani et al. (2017)"
)
# The notebook that many papers copied takes its angles from linspace(0, 2 pi, 8), which includes both ends.
RING8_SEVEN = GaussianMixture(
    means=tuple((math.cos(2 * math.pi * k / 7), math.sin(2 * math.pi * k / 7)) for k in range(7)),
    weights=(2 / 8,) + (1 / 8,) * 6,
    sigmas=(0.01,) * 7,
    source="the faulty ring of the unrolled-GAN notebook and of GDPP: unit circle, sigma 0.01, and 7 modes instead of "
    "8, the first twice as heavy",
)
GRID25 = _equal(_grid(2.0), 0.05, "spacing 2, sigma 0.05: VEEGAN, Srivastava et al. (2017); PacGAN, Lin et al. (2018)")
GRID25_PAIRED = _equal(_grid(1.5), 0.1, "spacing 1.5, sigma 0.1: the paired-discriminator study (2026)")
GRID25_BOURGAN = _equal(_grid(2.0), 0.1, "spacing 2, sigma 0.1: the code of BourGAN, Xiao et al. (2018)")
GRID25_WGAN_GP = _equal(
    _grid(2 / 2.828), 0.05 / 2.828, "spacing 2, sigma 0.05, both over 2.828: the toy of Gulrajani et al. (2017)"
)
MIXTURE1D = GaussianMixture(
    means=((-1.0,), (2.0,)),
    weights=(0.33, 0.67),
    sigmas=(0.255, 1.415),
    source="fitted to the published optima of f-GAN, Nowozin et al. (2016), table 2, to 3e-4",
)
GAUSSIAN = GaussianMixture(((0.0, 0.0),), (1.0,), (1.0,), "the standard normal law of the plane")
VEEGAN_1200 = ShiftedNoise(
    shifts=(-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5),
    coordinates=1200,
    noisy=700,
    radius=10.0,
    source="ten modes in 1200 dimensions: VEEGAN, Srivastava et al. (2017), whose radius of 10 is at fault: "
    "a point of the target lies 26.5 from its mode, so that a perfect generator scores 0",
)
VEEGAN_1200_CALIBRATED = replace(
    VEEGAN_1200,
    radius=28.0778,  # chi2(700).ppf(1 - exp(-9/2)) ** 0.5
    source="ten modes in 1200 dimensions: VEEGAN, Srivastava et al. (2017), with the radius that keeps as many points "
    "of the target, 98.889 %, as 3 sigma keep in the plane",
)
