"""Constraints: what keeps a critic in its class by its weights alone, without a term in its loss.

Parameters are (S, size) for S seeds; a constraint's memory is a dictionary of tensors whose leading axis is the seeds.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from divergences._checks import count, positive

Memory = dict[str, Tensor]


class Constraint(ABC):
    """What training asks of a constraint."""

    def initial(self, parameters: Tensor, network: Any) -> Memory:
        """The memory before the first step; parameters are projected in place where the constraint projects."""
        return self.after_step(parameters, {}, network)

    def effective(self, parameters: Tensor, memory: Memory, network: Any) -> Tensor:
        """The parameters that the network is evaluated with, differentiable in `parameters`."""
        return parameters

    @abstractmethod
    def after_step(self, parameters: Tensor, memory: Memory, network: Any) -> Memory:
        """The memory after a step of the optimiser; parameters are projected in place where the constraint projects."""


@dataclass(frozen=True)
class WeightClipping(Constraint):
    """Every weight of the critic is clipped to [-bound, bound]: K-Lipschitz for some unknown K. Arjovsky et al. (2017).

    >>> weights = torch.tensor([[-1.0, 0.005]])
    >>> WeightClipping(0.01).after_step(weights, {}, None); weights
    {}
    tensor([[-0.0100,  0.0050]])
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        positive(self.bound, "bound")

    def after_step(self, parameters: Tensor, memory: Memory, network: Any) -> Memory:
        with torch.no_grad():
            parameters.clamp_(-self.bound, self.bound)
        return memory


@dataclass(frozen=True)
class SpectralNorm(Constraint):
    """Every weight matrix W is divided by its largest singular value, found by power iteration. Miyato et al. (2018).

    The memory holds one unit vector u per matrix; sigma = |W u| = v'W u with v = W u / |W u|. Since u is a constant to
    gradients, so is v, and d sigma / dW = v u'. `initial` finds u exactly; each step of the optimiser is followed by
    `iterations` of u <- W'W u, normalised. sigma never exceeds the largest singular value, up to rounding. A matrix
    of zeros is left as it is.

    >>> from types import SimpleNamespace
    >>> network = SimpleNamespace(matrices=((0, 2, 2),))  # 2 x 2 from the first parameter on, then a bias
    >>> parameters = torch.tensor([[4.0, 0.0, 0.0, 2.0, 7.0]])
    >>> norm = SpectralNorm()
    >>> norm.effective(parameters, norm.initial(parameters, network), network)
    tensor([[1.0000, 0.0000, 0.0000, 0.5000, 7.0000]])
    """

    iterations: int = 1

    def __post_init__(self) -> None:
        count(self.iterations, "iterations")

    def initial(self, parameters: Tensor, network: Any) -> Memory:
        with torch.no_grad():
            pieces = enumerate(_matrices(parameters, network))
            return {f"u{k}": torch.linalg.svd(w, full_matrices=False).Vh[:, 0] for k, w in pieces}

    def effective(self, parameters: Tensor, memory: Memory, network: Any) -> Tensor:
        pieces, end = [], 0
        for k, (w, (offset, rows, columns)) in enumerate(
            zip(_matrices(parameters, network), network.matrices, strict=True)
        ):
            sigma = _norm(w @ memory[f"u{k}"][..., None])
            scaled = w / torch.where(sigma > 0, sigma, torch.ones_like(sigma))
            pieces += [parameters[:, end:offset], scaled.flatten(1)]
            end = offset + rows * columns
        return torch.cat((*pieces, parameters[:, end:]), dim=1)

    def after_step(self, parameters: Tensor, memory: Memory, network: Any) -> Memory:
        with torch.no_grad():
            return {f"u{k}": self._iterate(w, memory[f"u{k}"]) for k, w in enumerate(_matrices(parameters, network))}

    def _iterate(self, w: Tensor, u: Tensor) -> Tensor:
        for _ in range(self.iterations):
            back = _unit(w.mT @ _unit(w @ u[..., None]))[..., 0]
            # In the kernel of W, u would be lost; so it goes to a row outside, that of the largest weight.
            largest = w.abs().amax(-1).argmax(-1)[:, None, None].expand(-1, 1, w.shape[-1])
            row = _unit(w.gather(1, largest).mT)[..., 0]
            u = torch.where((back != 0).any(-1, keepdim=True), back, row)
        return u


def spectral_norms(parameters: Tensor, network: Any) -> Tensor:
    """The largest singular value of every weight matrix, exactly: (S, size) -> (S, layers); NaN where one is lost."""
    norms = []
    for w in _matrices(parameters.detach(), network):
        lost = ~w.isfinite().all(-1).all(-1)
        sound = torch.where(lost[:, None, None], torch.zeros_like(w), w)
        norms.append(torch.linalg.svdvals(sound)[:, 0].masked_fill(lost, torch.nan))
    return torch.stack(norms, dim=1) if norms else parameters.new_zeros(len(parameters), 0)


def _matrices(parameters: Tensor, network: Any) -> list[Tensor]:
    """Views of the weight matrices, (S, rows, columns) each."""
    return [
        parameters[:, offset : offset + rows * columns].view(-1, rows, columns)
        for offset, rows, columns in network.matrices
    ]


def _norm(vector: Tensor) -> Tensor:
    """(S, n, 1) -> (S, 1, 1), scaled so that no square under- or overflows."""
    size = vector.detach().abs().amax(-2, keepdim=True)
    size = torch.where(size > 0, size, torch.ones_like(size))
    return size * torch.linalg.vector_norm(vector / size, dim=-2, keepdim=True)


def _unit(vector: Tensor) -> Tensor:
    """(S, n, 1) at norm one; zeros stay zeros."""
    norm = _norm(vector)
    return vector / torch.where(norm > 0, norm, torch.ones_like(norm))
