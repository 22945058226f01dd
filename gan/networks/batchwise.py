"""Parts that look at more than one point: normalisations, and what tells a collapsed batch from a diverse one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from divergences._checks import count
from divergences.errors import DataError
from gan.networks.chain import Layer, Network, Wrapped, he
from gan.random import Stream, normal

EPSILON = 1e-5  # added to variances, as in Ioffe & Szegedy (2015) and torch


@dataclass(frozen=True)
class BatchNorm(Network):
    """scale (x - mean) / sqrt(variance + 1e-5) + shift per channel, over the batch and the channel's sites.

    Ioffe & Szegedy (2015). A point is `channels` x `sites` numbers (sites: the pixels of an image). The statistics are
    those of the batch at hand, always: samples drawn for an evaluation are normalised by their own batch.

    Raises DataError for a batch with a single value per channel, which has no variance.

    >>> net = BatchNorm(1)
    >>> net(net.initial(torch.arange(1), Stream.CRITIC_WEIGHTS, dtype=torch.float32), torch.tensor([[[1.0], [3.0]]]))
    tensor([[[-1.0],
             [ 1.0]]])
    """

    channels: int
    sites: int = 1
    blends = True

    @property
    def size(self) -> int:
        """A scale and a shift for each channel."""
        return 2 * self.channels

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Scales 1, shifts 0: (S,) -> (S, 2 channels)."""
        ones = torch.ones(len(seeds), self.channels, dtype=dtype, device=seeds.device)
        return torch.cat((ones, torch.zeros_like(ones)), dim=1)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, channels * sites) -> the same shape."""
        seeds, batch, _ = x.shape
        if batch * self.sites < 2:
            raise DataError("Batch normalisation needs at least two points, or there is no variance; got a batch of 1.")
        scale, shift = parameters.split(self.channels, dim=1)
        # Channels of different seeds are channels like any other: (b, S c, sites) is one call of torch's own.
        stacked = x.transpose(0, 1).reshape(batch, seeds * self.channels, self.sites)
        weight, bias = scale.reshape(-1), shift.reshape(-1)
        y = torch.nn.functional.batch_norm(stacked, None, None, weight, bias, training=True, eps=EPSILON)
        return y.view(batch, seeds, -1).transpose(0, 1)


@dataclass(frozen=True)
class ReferenceNorm(BatchNorm):
    """Normalisation by a reference batch, which is the first `reference` points of the batch it is given.

    The reference is normalised by its own statistics; every other point by those of the reference and itself
    together, as in Salimans et al. (2016), section 3.5. Other points do not touch one another. A part of
    `VirtualBatchNorm`, which prepends the reference.
    """

    reference: int = 64
    blends = False

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, reference + batch, channels * sites) -> the same shape."""
        x = x.reshape(*x.shape[:2], self.channels, self.sites)
        first, rest = x[:, : self.reference], x[:, self.reference :]
        centre = first.mean((1, 3), keepdim=True)
        first, rest = first - centre, rest - centre
        spread, offset = first.square().mean((1, 3), keepdim=True), rest.mean(3, keepdim=True)
        within, share = (rest - offset).square().mean(3, keepdim=True), 1 / (self.reference + 1)
        # Var of the union from within and between: no difference of squares, so it cannot come out negative.
        union = (1 - share) * spread + share * (within + (1 - share) * offset.square())
        y = torch.cat((first * (spread + EPSILON).rsqrt(), (rest - share * offset) * (union + EPSILON).rsqrt()), dim=1)
        scale, shift = (half[:, None, :, None] for half in parameters.split(self.channels, dim=1))
        return torch.addcmul(shift, scale, y).flatten(2)


@dataclass(frozen=True)
class VirtualBatchNorm(Wrapped):
    """A chain whose normalisations (`ReferenceNorm`) look at a fixed reference batch. Salimans et al. (2016), 3.5.

    The reference is `reference` standard normal points, drawn once for all seeds and all steps: for a generator they
    are latent codes. A point's output depends on that point alone.
    """

    inputs: int
    reference: int = 64

    def __post_init__(self) -> None:
        count(self.reference, "reference")

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, inputs) -> (S, batch, outputs)."""
        zero = torch.zeros(1, dtype=torch.int64, device=x.device)
        first = normal(zero, Stream.VIRTUAL_BATCH, 0, (self.reference, self.inputs), dtype=x.dtype)
        return self.inner(parameters, torch.cat((first.expand(len(x), -1, -1), x), dim=1))[:, self.reference :]


@dataclass(frozen=True)
class MinibatchDiscrimination(Layer):
    """Features and, appended to them, how close the other points of the batch are. Salimans et al. (2016), 3.2.

    With M_i = features_i T, a `kernels` x `width` matrix, o_ik = sum over j of exp(-|M_ik - M_jk|_1), where j runs over
    the batch and i is among them, which adds 1. A collapsed batch has o = batch, far points have o = 1. Memory is a few
    times (S, kernels, width, batch, batch) numbers: 268 MB each for 4 seeds, 16 kernels of width 4, batch 512, float32.

    >>> net = MinibatchDiscrimination(inputs=2, kernels=1, width=1)
    >>> net(torch.tensor([[1.0, 0.0]]), torch.tensor([[[0.0, 5.0], [0.0, 6.0], [100.0, 7.0]]]))
    tensor([[[  0.,   5.,   2.],
             [  0.,   6.,   2.],
             [100.,   7.,   1.]]])
    """

    inputs: int
    kernels: int = 16
    width: int = 4
    blends = True

    def __post_init__(self) -> None:
        count(self.kernels, "kernels")
        count(self.width, "width")

    @property
    def form(self) -> tuple[int, int, int]:
        return self.inputs, self.kernels * self.width, 0

    @property
    def spread(self) -> float:
        return he(self.inputs, None)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, inputs) -> (S, batch, inputs + kernels)."""
        rows = torch.bmm(x, parameters.view(len(x), self.inputs, -1))
        m = rows.unflatten(2, (self.kernels, self.width)).movedim(1, 3).contiguous()  # (S, kernels, width, b)
        # One column of M at a time is faster than all at once, whose temporaries leave the cache.
        distances = sum(
            ((column[..., :, None] - column[..., None, :]).abs() for column in m.unbind(2)), m.new_zeros(())
        )
        return torch.cat((x, distances.neg().exp().sum(3).transpose(1, 2)), dim=2)
