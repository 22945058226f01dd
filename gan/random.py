"""Random numbers that are a pure function of (seed, stream, step, shape, index).

There is no generator and no state: a training step asks for the numbers of that step. Two things follow for
free. A run that was killed resumes to the same bits, because nothing about randomness has to be saved; and
replica i of a batched run draws exactly what the run of seed i alone draws, because no number depends on how
many seeds are trained beside it.

The bits are SplitMix64 (Steele, Lea & Flood 2014): a Weyl sequence `key + (index + 1) * GOLDEN` through a
64-bit finaliser, where the key is itself the finalised seed, stream and step. torch has no unsigned 64-bit
arithmetic on all devices, so the words live in int64, whose products wrap around in the same way.
"""

import math
import operator
from collections.abc import Iterable
from enum import IntEnum

import torch
from torch import Tensor

from divergences.errors import DataError

_GOLDEN = -0x61C8864680B583EB  # 0x9E3779B97F4A7C15, the odd number nearest 2**64 / golden ratio, as int64
_FIRST = -0x40A7B892E31B1A47  # 0xBF58476D1CE4E5B9
_SECOND = -0x6B2FB644ECCEEE15  # 0x94D049BB133111EB


class Stream(IntEnum):
    """What a number is drawn for; different streams are unrelated. Values are part of what a seed means."""

    GENERATOR_WEIGHTS = 1
    CRITIC_WEIGHTS = 2
    REAL = 3
    LATENT = 4
    PENALTY = 5
    MEASURE_REAL = 6
    MEASURE_LATENT = 7
    SAMPLE = 8
    REFERENCE = 9
    FLOOR = 10
    NOISE = 13
    REPLAY = 14
    MEASURE_PENALTY = 16
    MEASURE_NOISE = 17
    DATA_SPLIT = 30
    CLASSIFIER = 31
    VIRTUAL_BATCH = 50


Step = int | Tensor  # of training; a tensor holds one per seed, shape (S,)


def check_seeds(seeds: Iterable[int] | int) -> tuple[int, ...]:
    """Distinct whole numbers from 0 to 2**63 - 1; a single number is one seed.

    >>> check_seeds(range(3))
    (0, 1, 2)

    Raises DataError otherwise.
    """
    listed = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str | bytes) else [seeds]
    if not listed:
        raise DataError("seeds must name at least one seed; got none.")
    checked = tuple(_seed(seed) for seed in listed)
    if len(set(checked)) < len(checked):
        twice = next(seed for seed in checked if checked.count(seed) > 1)
        raise DataError(f"seeds must be distinct, or replicas would be copies; got {twice} more than once.")
    return checked


def _seed(value: object) -> int:
    try:
        seed = -1 if isinstance(value, bool) else operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        seed = -1
    if not 0 <= seed < 2**63:
        raise DataError(f"A seed must be a whole number from 0 to 2**63 - 1; got {value!r}.")
    return seed


def uniform(
    seeds: Tensor, stream: Stream, step: Step, shape: tuple[int, ...], *, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Uniform numbers in (0, 1), one block of `shape` per seed: (S,) int64 -> (S, *shape).

    `step` is one for all, or one per seed: the numbers of many steps can be drawn at once and are the same.

    They are (k + 1/2) / 2**32 for 32 random bits k (rounded to `dtype`, so that float32 may reach 1.0).

    >>> u = uniform(torch.tensor([0, 1]), Stream.REAL, 5, (3,))
    >>> tuple(u.shape), bool((uniform(torch.tensor([1]), Stream.REAL, 5, (3,))[0] == u[1]).all())
    ((2, 3), True)
    """
    words = _words(seeds, 2 * stream, step, -(-math.prod(shape) // 2))  # two numbers a word
    halves = _halves(words)
    return torch.cat(halves, dim=1)[:, : math.prod(shape)].reshape(len(seeds), *shape).contiguous().to(dtype)


def normal(
    seeds: Tensor, stream: Stream, step: Step, shape: tuple[int, ...], *, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Standard normal numbers, one block of `shape` per seed: (S,) int64 -> (S, *shape).

    Box-Muller on the two halves of each word, in float64 and then rounded to `dtype`, so that a float32 run
    draws the float64 run's numbers. The tails end at sqrt(2 log 2**33) = 6.76.

    >>> z = normal(torch.arange(2), Stream.LATENT, 0, (1000,))
    >>> bool(z.mean().abs() < 0.1), bool((z.std() - 1).abs() < 0.1)
    (True, True)
    """
    count = math.prod(shape)
    radial, angular = _halves(_words(seeds, 2 * stream + 1, step, -(-count // 2)))
    radius = radial.log_().mul_(-2).sqrt_()
    angle = angular.mul_(2 * math.pi)
    pair = torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)
    return pair[:, :count].reshape(len(seeds), *shape).contiguous().to(dtype)


def _words(seeds: Tensor, stream: int, step: Step, count: int) -> Tensor:
    """`count` random 64-bit words per seed: (S, count) int64. Uniform numbers take the even streams, normal the odd."""
    weyl = step * _GOLDEN if isinstance(step, Tensor) else _weyl(step)
    key = _finalise(_finalise(_finalise(seeds + _GOLDEN) + _weyl(stream)) + weyl)
    index = torch.arange(1, count + 1, device=seeds.device)
    return _finalise(key[:, None] + index * _GOLDEN)


def _weyl(multiple: int) -> int:
    """`multiple` * GOLDEN modulo 2**64, as an int64: Python's own integers do not wrap."""
    return (multiple * _GOLDEN + 2**63) % 2**64 - 2**63


def _finalise(x: Tensor) -> Tensor:
    """SplitMix64's finaliser, a bijection of 64-bit words in which every bit depends on every bit."""
    x = (x ^ _shift(x, 30)) * _FIRST
    x = (x ^ _shift(x, 27)) * _SECOND
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """The logical right shift, which int64 lacks."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _halves(words: Tensor) -> tuple[Tensor, Tensor]:
    """Two numbers in (0, 1) from each word."""
    mask = (1 << 32) - 1
    scale = 2.0**-32
    low, high = (words & mask).double(), _shift(words, 32).double()
    return low.add_(0.5).mul_(scale), high.add_(0.5).mul_(scale)
