"""What a small network is helped by on points of few dimensions: waves before a critic, a mixture before a generator.

A perceptron learns slow functions first. A critic that cannot resolve modes far narrower than their distance leaves a
blur, and a generator that must be steep between modes fills the gaps. Both are cured at the input.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from divergences._checks import count, positive
from divergences.errors import DataError
from gan.networks.chain import Matrices, Network, Wrapped
from gan.networks.perceptron import Perceptron
from gan.random import Stream, normal


@dataclass(frozen=True)
class Encoded(Wrapped):
    """A perceptron of (x, sin(f x), cos(f x)) for each coordinate of x and frequency f. Tancik et al. (2020).

    The network inside takes d (1 + 2 frequencies) numbers. Frequencies are in radians per unit of the data: from one
    wave over its width to one over its finest detail.
    """

    inner: Perceptron  # pyright: ignore[reportIncompatibleVariableOverride]
    frequencies: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.frequencies:
            raise DataError("frequencies must name at least one; got none. Without any, use the perceptron itself.")
        for frequency in self.frequencies:
            positive(frequency, "a frequency")

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, d) -> (S, batch, outputs)."""
        return self.inner(parameters, torch.cat((x, *self._waves(x)), dim=-1))

    def slope(self, parameters: Tensor, x: Tensor) -> Tensor:
        """The gradient of the first output at `x`: (S, size), (S, batch, d) -> (S, batch, d).

        >>> net = Encoded(Perceptron((3, 1)), (2.0,))
        >>> weights = torch.tensor([[3.0, 4.0, 0.0, 0.0]])  # 3 x + 4 sin(2 x)
        >>> net.slope(weights, torch.zeros(1, 1, 1))
        tensor([[[11.]]])
        """
        sine, cosine = self._waves(x)
        inner = self.inner.slope(parameters, torch.cat((x, sine, cosine), dim=-1))
        direct, of_sine, of_cosine = inner.split((x.shape[-1], sine.shape[-1], sine.shape[-1]), dim=-1)
        waves = (of_sine * cosine - of_cosine * sine).unflatten(-1, (x.shape[-1], -1))
        return direct + waves @ waves.new_tensor(self.frequencies)

    def _waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Sines and cosines, (S, batch, d * frequencies) each."""
        angle = (x[..., None] * x.new_tensor(self.frequencies)).flatten(-2)
        return angle.sin(), angle.cos()


@dataclass(frozen=True)
class LatentMixture(Network):
    """Normal noise (S, b, inputs) to a mixture of Gaussians with learned means and scales: (S, b, inputs - 1).

    The first number of a noise vector chooses one of `components` of equal weight, the others are spread about its
    mean: mean + width * scale * z. Scales start at 1, means as N(0, 1). DeLiGAN, Gurumurthy, Sarvadevabhatla &
    Babu (2017), there with scales that start at 0.2 and means uniform in (-1, 1).

    >>> net = LatentMixture(3, components=2)
    >>> means_and_scales = torch.tensor([[5.0, 5.0, 7.0, 7.0, 1.0, 1.0, 1.0, 1.0]])
    >>> net(means_and_scales, torch.tensor([[[-1.5, 0.0, 0.0], [1.5, 0.0, 1.0]]]))
    tensor([[[5.0000, 5.0000],
             [7.0000, 7.1000]]])
    """

    inputs: int
    components: int = 100
    width: float = 0.1

    def __post_init__(self) -> None:
        count(self.components, "components")
        positive(self.width, "width")
        if self.inputs < 2:
            raise DataError(
                f"latent must be at least 2 for a mixture, whose first number is a choice; got {self.inputs}."
            )

    @property
    def outputs(self) -> int:
        """The dimension of the mixture."""
        return self.inputs - 1

    @property
    def size(self) -> int:
        """A mean and a scale for each coordinate of each component."""
        return 2 * self.components * self.outputs

    @property
    def matrices(self) -> Matrices:
        """The means."""
        return ((0, self.components, self.outputs),)

    def initial(self, seeds: Tensor, stream: Stream, *, dtype: torch.dtype) -> Tensor:
        """Normal means and scales of one: (S,) -> (S, size)."""
        means = normal(seeds, stream, 0, (self.components * self.outputs,), dtype=dtype)
        return torch.cat((means, torch.ones_like(means)), dim=1)

    def __call__(self, parameters: Tensor, x: Tensor) -> Tensor:
        """(S, size), (S, batch, inputs) -> (S, batch, inputs - 1)."""
        uniform = torch.special.ndtr(x[..., 0].detach().double())
        component = (uniform * self.components).long().clamp(max=self.components - 1)
        # A product with one-hot rows, unlike indexing, has a gradient that sums in the same order on every device.
        chosen = one_hot(component, self.components).to(x.dtype)
        means, scales = parameters.view(len(parameters), 2, self.components, self.outputs).unbind(1)
        return torch.bmm(chosen, means) + self.width * torch.bmm(chosen, scales) * x[..., 1:]
