"""What an experiment chooses about a network, and how a recipe turns it into one for points of a shape."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from divergences._checks import choice, count
from divergences.errors import DataError
from gan.networks.chain import Chain, Network, Pointwise
from gan.networks.convolutional import dcgan_critic, dcgan_generator
from gan.networks.factories import normalised, perceptron
from gan.networks.perceptron import ACTIVATIONS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Architecture:
    """Widths of the hidden layers (channels of convolutional ones), a nonlinearity, and batch normalisation or not.

    Without hidden layers a perceptron is an affine map.
    """

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "leaky-relu"
    batch_norm: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple | list):
            raise DataError(f"hidden must list the widths of the hidden layers; got {self.hidden!r}.")
        object.__setattr__(self, "hidden", tuple(count(width, "a width in hidden") for width in self.hidden))
        choice(self.activation, (*ACTIVATIONS, "maxout"), "activation")
        if not isinstance(self.batch_norm, bool):
            raise DataError(f"batch_norm must be True or False; got {self.batch_norm!r}.")


CriticFactory = Callable[[Shape, int, Architecture], Network]  # shape of a point, outputs
GeneratorFactory = Callable[[int, Shape, Architecture], Network]  # inputs, shape of a point


def critic(make: Callable[..., Network] = perceptron) -> CriticFactory:
    """Critics of flat points, by a factory of `factories.py`."""

    def of_shape(shape: Shape, outputs: int, chosen: Architecture) -> Network:
        return _plain_or_normalised(make, chosen)(
            math.prod(shape), chosen.hidden, outputs, activation=chosen.activation
        )

    return of_shape


def generator(make: Callable[..., Network] = perceptron) -> GeneratorFactory:
    """Generators of flat points, by a factory of `factories.py`; images end in tanh, for they lie in [-1, 1]."""

    def of_shape(inputs: int, shape: Shape, chosen: Architecture) -> Network:
        network = _plain_or_normalised(make, chosen)(
            inputs, chosen.hidden, math.prod(shape), activation=chosen.activation
        )
        return Chain((network, Pointwise("tanh"))) if len(shape) == 3 else network

    return of_shape


def image_critic(*, normalise: bool = True, deviation: float | None = 0.02) -> CriticFactory:
    """DCGAN's critic; `hidden` lists its channels."""

    def of_shape(shape: Shape, outputs: int, chosen: Architecture) -> Network:
        choice(chosen.activation, ACTIVATIONS, "activation of convolutions")
        image = _image(shape)
        return dcgan_critic(
            image, chosen.hidden, outputs, normalise=normalise, activation=chosen.activation, deviation=deviation
        )

    return of_shape


def image_generator(*, normalise: bool = True, deviation: float | None = 0.02) -> GeneratorFactory:
    """DCGAN's generator; `hidden` lists its channels from the image inward. Its nonlinearity is ReLU, as published."""

    def of_shape(inputs: int, shape: Shape, chosen: Architecture) -> Network:
        return dcgan_generator(inputs, chosen.hidden, _image(shape), normalise=normalise, deviation=deviation)

    return of_shape


def _plain_or_normalised(make: Callable[..., Network], chosen: Architecture) -> Callable[..., Network]:
    """The recipe's own kind of network, which only a plain perceptron lets the experiment normalise."""
    if not chosen.batch_norm:
        return make
    if make is not perceptron:
        raise DataError("batch_norm must be False for this recipe, whose network is of a kind of its own.")
    return normalised


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise DataError(f"data must be images for this recipe, such as digits; its points are of shape {shape}.")
    channels, height, width = shape
    return channels, height, width
