"""What an experiment chooses about a network, and the networks that recipes name, made for points of a shape.

A recipe names `critic(make)`, `generator(make)`, `image_critic` or `image_generator`, where `make` is a function
(inputs, hidden, outputs) -> network: `perceptron` and those after it, with options bound by `functools.partial`.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from divergences._checks import choice, count, positive
from divergences.errors import DataError
from gan.networks.batchwise import BatchNorm, MinibatchDiscrimination, ReferenceNorm, VirtualBatchNorm
from gan.networks.chain import ACTIVATIONS, Affine, Chain, Identity, Maxout, Network, Pointwise
from gan.networks.convolutional import dcgan_critic, dcgan_generator
from gan.networks.encodings import Encoded, LatentMixture
from gan.networks.perceptron import STARTS, Perceptron
from gan.networks.wrappers import Autoencoder, Exposed, Packed

Shape = tuple[int, ...]
Widths = tuple[int, ...]  # of the hidden layers, from the input on


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


def perceptron(
    inputs: int, hidden: Widths, outputs: int, *, activation: str = "leaky-relu", start: str = "he"
) -> Perceptron | Chain:
    """The plain network. More outputs make it multi-headed, as InfoGAN's critic is: (score, prediction of the code).

    The activation may be "maxout" here: see `maxout`, which has a start of its own.
    """
    if activation == "maxout":
        choice(start, ("he",), "start of maxout")
        return maxout(inputs, hidden, outputs)
    return Perceptron((inputs, *hidden, outputs), activation, start)


def normalised(inputs: int, hidden: Widths, outputs: int, *, activation: str = "relu") -> Chain:
    """A perceptron with batch normalisation before each nonlinearity.

    >>> net = normalised(2, (8, 8), 1)
    >>> net.size, net.couples
    (121, True)
    """
    body = _body(inputs, hidden, activation, norm=BatchNorm)
    return Chain((*body.parts, Affine((inputs, *hidden)[-1], outputs)))


def virtually_normalised(
    inputs: int, hidden: Widths, outputs: int, *, activation: str = "relu", reference: int = 64
) -> VirtualBatchNorm:
    """A generator with virtual batch normalisation before each nonlinearity: its points do not touch one another."""
    body = _body(inputs, hidden, activation, norm=lambda width: ReferenceNorm(width, reference=reference))
    return VirtualBatchNorm(Chain((*body.parts, Affine((inputs, *hidden)[-1], outputs))), inputs, reference)


def maxout(inputs: int, hidden: Widths, outputs: int, *, pieces: int = 5) -> Chain:
    """Layers of maxout units, the critic of PacGAN's rings and grids (there 200 units of 5 pieces, three times)."""
    parts: list[Network] = []
    for before, width in zip((inputs, *hidden), hidden, strict=False):
        parts += [Affine(before, pieces * width, deviation=1 / math.sqrt(before)), Maxout(pieces)]
    return Chain((*parts, Affine((inputs, *hidden)[-1], outputs)))


def discriminating(
    inputs: int, hidden: Widths, outputs: int, *, activation: str = "leaky-relu", kernels: int = 16, width: int = 4
) -> Chain:
    """A critic that sees, beside its own features, how close to them the rest of the batch is.

    >>> [type(part).__name__ for part in discriminating(2, (8,), 1).parts]
    ['Affine', 'Pointwise', 'MinibatchDiscrimination', 'Affine']
    """
    body, features = _body(inputs, hidden, activation), (inputs, *hidden)[-1]
    head = (MinibatchDiscrimination(features, kernels, width), Affine(features + kernels, outputs))
    return Chain((*body.parts, *head))


def packed(
    inputs: int, hidden: Widths, outputs: int, *, activation: str = "leaky-relu", start: str = "he", count: int = 2
) -> Packed:
    """A critic of `count` points at once."""
    return Packed(perceptron(count * inputs, hidden, outputs, activation=activation, start=start), count)


def autoencoder(
    inputs: int, hidden: Widths, outputs: int = 1, *, activation: str = "leaky-relu", power: int = 2
) -> Autoencoder:
    """A critic whose score is minus a reconstruction error; the last of `hidden` is the code, the rest is mirrored.

    >>> autoencoder(2, (16, 4)).inner.widths
    (2, 16, 4, 16, 2)
    """
    choice(activation, ACTIVATIONS, "activation of this network")
    return Autoencoder(Perceptron((inputs, *hidden, *hidden[-2::-1], inputs), activation), power)


def exposed(inputs: int, hidden: Widths, outputs: int = 1, *, activation: str = "leaky-relu") -> Exposed:
    """A critic that shows its last hidden layer: (score, features), one score whatever `outputs` is."""
    return Exposed(_body(inputs, hidden, activation), Affine((inputs, *hidden)[-1], 1))


def encoded(
    inputs: int,
    hidden: Widths,
    outputs: int,
    *,
    activation: str = "leaky-relu",
    start: str = "he",
    frequencies: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0),
) -> Encoded:
    """A critic that sees waves of its points beside them, for detail much finer than the width of the data.

    >>> encoded(2, (8,), 1).inner.widths
    (18, 8, 1)
    """
    choice(activation, ACTIVATIONS, "activation of this network")
    seen = inputs * (1 + 2 * len(frequencies))
    return Encoded(Perceptron((seen, *hidden, outputs), activation, start), frequencies)


def mixed(inputs: int, hidden: Widths, outputs: int, *, activation: str = "leaky-relu", components: int = 100) -> Chain:
    """A generator whose noise becomes a learned mixture first, for targets in pieces; `inputs` is 2 at least."""
    mixture = LatentMixture(inputs, components)
    return Chain((mixture, perceptron(mixture.outputs, hidden, outputs, activation=activation)))


def identity(inputs: int, hidden: Widths = (), outputs: int = 0, *, activation: str = "") -> Identity:
    """No critic: the points themselves."""
    return Identity()


def _body(inputs: int, hidden: Widths, activation: str, norm: Callable[[int], Network] | None = None) -> Chain:
    """Affine maps, each with its normalisation, if any, and its nonlinearity."""
    choice(activation, ACTIVATIONS, "activation of this network")
    parts: list[Network] = []
    for before, width in zip((inputs, *hidden), hidden, strict=False):
        deviation = ACTIVATIONS[activation].gain / math.sqrt(before)
        parts.append(Affine(before, width, bias=norm is None, deviation=deviation))
        parts += ([] if norm is None else [norm(width)]) + [Pointwise(activation)]
    return Chain(tuple(parts))


CriticFactory = Callable[[Shape, int, Architecture], Network]  # shape of a point, outputs
GeneratorFactory = Callable[[int, Shape, Architecture], Network]  # inputs, shape of a point


def critic(make: Callable[..., Network] = perceptron) -> CriticFactory:
    """Critics of flat points, by one of the functions above."""

    def of_shape(shape: Shape, outputs: int, chosen: Architecture) -> Network:
        return _chosen(make, chosen)(math.prod(shape), chosen.hidden, outputs, activation=chosen.activation)

    return of_shape


def generator(make: Callable[..., Network] = perceptron) -> GeneratorFactory:
    """Generators of flat points, by one of the functions above; images end in tanh, for they lie in [-1, 1]."""

    def of_shape(inputs: int, shape: Shape, chosen: Architecture) -> Network:
        if chosen.frequencies:
            raise DataError("frequencies must be empty for a generator: it is the critic that sees waves.")
        network = _chosen(make, chosen)(inputs, chosen.hidden, math.prod(shape), activation=chosen.activation)
        return Chain((network, Pointwise("tanh"))) if len(shape) == 3 else network

    return of_shape


def image_critic(shape: Shape, outputs: int, chosen: Architecture) -> Network:
    """DCGAN's critic; `hidden` lists its channels."""
    choice(chosen.activation, ACTIVATIONS, "activation of convolutions")
    if chosen.frequencies:
        raise DataError("frequencies must be empty for a critic of images: it is one of plain points that sees waves.")
    _usual_start(chosen)
    return dcgan_critic(_image(shape), chosen.hidden, outputs, activation=chosen.activation)


def image_generator(inputs: int, shape: Shape, chosen: Architecture) -> Network:
    """DCGAN's generator; `hidden` lists its channels from the image inward. Its nonlinearity is ReLU, as published."""
    _usual_start(chosen)
    return dcgan_generator(inputs, chosen.hidden, _image(shape))


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
