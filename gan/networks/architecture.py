"""What an experiment chooses about a network, and how a recipe turns it into one for points of a shape."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from divergences._checks import choice, count, positive
from divergences.errors import DataError
from gan.networks.chain import Chain, Network, Pointwise
from gan.networks.convolutional import dcgan_critic, dcgan_generator
from gan.networks.factories import encoded, normalised, perceptron
from gan.networks.perceptron import ACTIVATIONS, STARTS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Architecture:
    """What the layers of a network are. Without hidden layers a perceptron is an affine map.

    Attributes:
        hidden: widths of the hidden layers, channels of convolutional ones.
        activation: a name in `ACTIVATIONS`, or "maxout". batch_norm: whether hidden layers are normalised.
        frequencies: of waves that a critic of plain points sees beside them, for fine detail; see `Encoded`.
        start: of a perceptron's weights and biases, "he" or "torch"; see `Perceptron.initial`.

    """

    hidden: tuple[int, ...] = (128, 128)
    activation: str = "leaky-relu"
    batch_norm: bool = False
    frequencies: tuple[float, ...] = ()
    start: str = "he"

    def __post_init__(self) -> None:
        if not isinstance(self.hidden, tuple | list):
            raise DataError(f"hidden must list the widths of the hidden layers; got {self.hidden!r}.")
        object.__setattr__(self, "hidden", tuple(count(width, "a width in hidden") for width in self.hidden))
        choice(self.activation, (*ACTIVATIONS, "maxout"), "activation")
        if not isinstance(self.batch_norm, bool):
            raise DataError(f"batch_norm must be True or False; got {self.batch_norm!r}.")
        if not isinstance(self.frequencies, tuple | list):
            raise DataError(f"frequencies must list the frequencies of waves; got {self.frequencies!r}.")
        checked = tuple(positive(frequency, "a frequency") for frequency in self.frequencies)
        object.__setattr__(self, "frequencies", checked)
        choice(self.start, STARTS, "start")


CriticFactory = Callable[[Shape, int, Architecture], Network]  # shape of a point, outputs
GeneratorFactory = Callable[[int, Shape, Architecture], Network]  # inputs, shape of a point


def critic(make: Callable[..., Network] = perceptron) -> CriticFactory:
    """Critics of flat points, by a factory of `factories.py`."""

    def of_shape(shape: Shape, outputs: int, chosen: Architecture) -> Network:
        return _chosen(make, chosen)(math.prod(shape), chosen.hidden, outputs, activation=chosen.activation)

    return of_shape


def generator(make: Callable[..., Network] = perceptron) -> GeneratorFactory:
    """Generators of flat points, by a factory of `factories.py`; images end in tanh, for they lie in [-1, 1]."""

    def of_shape(inputs: int, shape: Shape, chosen: Architecture) -> Network:
        if chosen.frequencies:
            raise DataError("frequencies must be empty for a generator: it is the critic that sees waves.")
        network = _chosen(make, chosen)(inputs, chosen.hidden, math.prod(shape), activation=chosen.activation)
        return Chain((network, Pointwise("tanh"))) if len(shape) == 3 else network

    return of_shape


def image_critic(*, normalise: bool = True, deviation: float | None = 0.02) -> CriticFactory:
    """DCGAN's critic; `hidden` lists its channels."""

    def of_shape(shape: Shape, outputs: int, chosen: Architecture) -> Network:
        choice(chosen.activation, ACTIVATIONS, "activation of convolutions")
        if chosen.frequencies:
            raise DataError(
                "frequencies must be empty for a critic of images: it is one of plain points that sees waves."
            )
        _usual_start(chosen)
        image = _image(shape)
        return dcgan_critic(
            image, chosen.hidden, outputs, normalise=normalise, activation=chosen.activation, deviation=deviation
        )

    return of_shape


def image_generator(*, normalise: bool = True, deviation: float | None = 0.02) -> GeneratorFactory:
    """DCGAN's generator; `hidden` lists its channels from the image inward. Its nonlinearity is ReLU, as published."""

    def of_shape(inputs: int, shape: Shape, chosen: Architecture) -> Network:
        _usual_start(chosen)
        return dcgan_generator(inputs, chosen.hidden, _image(shape), normalise=normalise, deviation=deviation)

    return of_shape


def _chosen(make: Callable[..., Network], chosen: Architecture) -> Callable[..., Network]:
    """The recipe's own kind of network, of which only a plain perceptron can be normalised or see waves."""
    named = [name for name in ("batch_norm", "frequencies") if getattr(chosen, name)]
    if named and make is not perceptron:
        raise DataError(f"{named[0]} must be left out for this recipe, whose network is of a kind of its own.")
    if len(named) > 1:
        raise DataError("batch_norm and frequencies must not both be asked for; take one.")
    if named:
        make = normalised if chosen.batch_norm else partial(encoded, frequencies=chosen.frequencies)
    if chosen.start == STARTS[0]:
        return make
    if "start" not in inspect.signature(make).parameters:
        _usual_start(chosen)
    return partial(make, start=chosen.start)


def _usual_start(chosen: Architecture) -> None:
    if chosen.start != STARTS[0]:
        raise DataError(f"start must be {STARTS[0]!r} for this network, which is not a perceptron.")


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise DataError(f"data must be images for this recipe, such as digits; its points are of shape {shape}.")
    channels, height, width = shape
    return channels, height, width
