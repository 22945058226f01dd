"""Small classifiers trained here, in seconds: they read digits, and their last hidden layer is a feature space."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from divergences.errors import DataError
from gan.data.images import DIGITS, StackedDigits
from gan.data.laws import Law
from gan.data.rows import HELD_OUT, Rows, split
from gan.random import Stream

_EXAMPLES = 4000  # of a target that can draw as many as it likes
_VISITS = 280_000  # of an example by the optimiser


@dataclass(frozen=True, eq=False)
class Classifier:
    """A perceptron with ReLU layers, applied to each of `channels` equal parts of a point.

    All is computed in float64, without gradients.

    Attributes:
        layers: weights (inputs, outputs) and biases; classes: of one part, so that there are classes**channels labels.
        accuracy: the share of held-out points, of one part, that it labels rightly.

    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    classes: int
    accuracy: float
    channels: int = 1

    def features(self, x: Tensor) -> Tensor:
        """The activations of the last hidden layer: (..., d) -> (..., channels * width)."""
        return self._hidden(x).flatten(-2)

    def classify(self, x: Tensor) -> Tensor:
        """The most likely label: (..., d) -> (...) int64. With several parts, their labels are read as one number."""
        weights, bias = (t.to(x.device) for t in self.layers[-1])
        label = (self._hidden(x) @ weights + bias).argmax(-1)  # (..., channels)
        powers = torch.tensor([self.classes**k for k in reversed(range(self.channels))], device=label.device)
        return (label * powers).sum(-1)

    @torch.no_grad()
    def _hidden(self, x: Tensor) -> Tensor:
        h = x.double().unflatten(-1, (self.channels, len(self.layers[0][0])))
        for weights, bias in self.layers[:-1]:
            h = torch.relu(h @ weights.to(h.device) + bias.to(h.device))
        return h


@lru_cache(maxsize=8)
def classifier(data: Law | Rows) -> Classifier:
    """The classifier of a labelled target: the same on every call, trained on rows that no measure draws.

    Raises DataError for a target without labels.

    >>> reader = classifier(DIGITS)
    >>> tuple(reader.features(torch.zeros(5, 64)).shape), tuple(reader.classify(torch.zeros(5, 64)).shape)
    ((5, 64), (5,))
    """
    if isinstance(data, StackedDigits):
        return replace(classifier(DIGITS), channels=3)
    if data.classes < 2:
        raise DataError(f"A classifier needs a target with two labels at least; {data.source} has {data.classes}.")
    (x, labels), (held, truth) = _examples(data)
    layers = _train(_shifted(x, data.shape), np.tile(labels, 5 if len(data.shape) == 3 else 1))
    reader = Classifier(layers, data.classes, accuracy=0.0)
    right = reader.classify(torch.tensor(held)) == torch.tensor(truth)
    return replace(reader, accuracy=float(right.double().mean()))


def _examples(data: Law | Rows) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Points and labels to train on, and others to judge by."""
    if isinstance(data, Rows):
        values, labels = data.load()
        parts = split(data.size)
        pick = lambda rows: (values[rows], np.asarray(labels)[rows])
        return pick(parts[None]), pick(np.concatenate([parts[part] for part in HELD_OUT]))
    draws = (data.labelled(torch.tensor([0]), Stream.CLASSIFIER, step, _EXAMPLES) for step in range(2))
    training, judging = ((x[0].numpy(), labels[0].numpy()) for x, labels in draws)
    return training, judging


def _shifted(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Pictures as they are and moved by one pixel to each side, the edge repeated: (n, d) -> (5 n, d)."""
    if len(shape) < 3:
        return x
    _, h, w = shape
    padded = np.pad(x.reshape(-1, *shape), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    moves = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    return np.concatenate([padded[:, :, i : i + h, j : j + w].reshape(len(x), -1) for i, j in moves])


def _train(x: np.ndarray, labels: np.ndarray) -> tuple[tuple[Tensor, Tensor], ...]:
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    model = MLPClassifier((256, 64), alpha=0.03, random_state=0)
    with threadpool_limits(1):  # the order of sums, and so the bits, would depend on the number of threads
        for _ in range(-(-_VISITS // len(x))):
            model.partial_fit(x, labels, classes=np.unique(labels))
    pairs = zip(model.coefs_, model.intercepts_, strict=True)
    return tuple((torch.tensor(weights), torch.tensor(bias)) for weights, bias in pairs)
