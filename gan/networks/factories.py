"""Networks of vectors by their widths: (inputs, hidden, outputs) -> network, as recipes name them.

`hidden` lists the widths of the hidden layers from the input on; options are keywords, bound with `functools.partial`.
Those for images, `dcgan_critic` and `dcgan_generator`, are in `convolutional.py`.
"""

import math
from collections.abc import Callable

from divergences._checks import choice
from gan.networks.batchwise import BatchNorm, MinibatchDiscrimination, ReferenceNorm, VirtualBatchNorm
from gan.networks.chain import Affine, Chain, Identity, Maxout, Network, Pointwise
from gan.networks.encodings import Encoded, LatentMixture
from gan.networks.perceptron import ACTIVATIONS, Perceptron
from gan.networks.wrappers import Autoencoder, Exposed, Packed

Widths = tuple[int, ...]


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


def maxout(inputs: int, hidden: Widths, outputs: int, *, activation: str = "maxout", pieces: int = 5) -> Chain:
    """Layers of maxout units, the critic of PacGAN's rings and grids (there 200 units of 5 pieces, three times).

    As every factory does it takes an `activation`; this one has no use for it.
    """
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
