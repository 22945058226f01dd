"""Targets: distributions that know their modes or density, pictures inside installed packages, and a user's files.

| name | what it is |
|---|---|
| `ring8` `grid25` | modes on a circle and on a grid; with `-veegan`, `-wgan-gp`, `-paired`, `-bourgan` as published |
| `ring8-seven` | the ring of the unrolled-GAN notebook, which has seven modes by mistake |
| `veegan-1200` | ten modes in 1200 dimensions; `-calibrated` with a radius that a perfect generator meets |
| `mixture1d` `gaussian` | the mixture that f-GAN was fitted to; the standard normal law of the plane |
| `swissroll` `lines` | WGAN-GP's roll; a segment at distance 1 from the origin, singular in the plane |
| `digits` `mnist5k` | 8x8 and 28x28 pixels, ten labels |
| `faces25` | 100 faces of 25x25 pixels |
| `textures` | patches of brick, grass and gravel, 16x16 pixels |
| `stacked-digits` | three digits as channels: 1,000 modes |

A target is a `Law` or `Rows`. It states `shape`, `dimension`, `classes` (labels, 0 for none), `size` and `held_out`
(None for a law) and `fingerprint`, and draws `sample(seeds, stream, step, count)` and `labelled(...)` for all seeds at
once. Points are flat: pictures travel as channels * height * width numbers. Laws draw without end, where some protocols
fix 100,000 points beforehand. Finite sets keep a fifth of their rows for measuring. Pictures are in [-1, 1]; numbers
of other files are taken as they are.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from divergences._checks import UnknownNameError, choice
from divergences.errors import DataError
from gan.data import mixtures
from gan.data.files import PATH_SUFFIXES, read_rows
from gan.data.images import DIGITS, FACES25, MNIST5K, StackedDigits, Textures
from gan.data.laws import Law, Lines, SwissRoll
from gan.data.mixtures import GaussianMixture
from gan.data.rows import Rows

__all__ = ["DATASETS", "Data", "GaussianMixture", "Rows", "dataset"]

Data = Law | Rows

DATASETS: Mapping[str, Data] = MappingProxyType(
    {
        "ring8": mixtures.RING8,
        "ring8-veegan": mixtures.RING8_VEEGAN,
        "ring8-wgan-gp": mixtures.RING8_WGAN_GP,
        "ring8-seven": mixtures.RING8_SEVEN,
        "grid25": mixtures.GRID25,
        "grid25-paired": mixtures.GRID25_PAIRED,
        "grid25-bourgan": mixtures.GRID25_BOURGAN,
        "grid25-wgan-gp": mixtures.GRID25_WGAN_GP,
        "veegan-1200": mixtures.VEEGAN_1200,
        "veegan-1200-calibrated": mixtures.VEEGAN_1200_CALIBRATED,
        "mixture1d": mixtures.MIXTURE1D,
        "gaussian": mixtures.GAUSSIAN,
        "swissroll": SwissRoll(
            0.25, 7.5, "noise 0.25, coordinates 0 and 2, over 7.5: the toy of Gulrajani et al. (2017)"
        ),
        "lines": Lines(1.0, "the parallel lines of Arjovsky et al. (2017), example 1, at theta = 1"),
        "digits": DIGITS,
        "mnist5k": MNIST5K,
        "faces25": FACES25,
        "textures": Textures("patches of 16x16 pixels of scikit-image's brick, grass and gravel (CC0)"),
        "stacked-digits": StackedDigits("three of scikit-learn's digits as channels, after Metz et al. (2017)"),
    }
)
"""Every data set by name."""


def dataset(name: str | os.PathLike[str]) -> Data:
    """A target by its name in `DATASETS`, or a user's own by its path.

    A path is a .npy, .npz, .csv, .tsv, .txt or .parquet file of numeric columns, an IDX file (MNIST's format, gzipped
    or not), or a folder of .png and .jpg pictures of one size. A name wins over a file of that name: write ./ring8.

    Raises:
        DataError: the name is unknown, or the content cannot be used.
        OSError: the file is missing or may not be read.

    >>> dataset("grid25").mode_count
    25
    >>> dataset("rign8")
    Traceback (most recent call last):
    divergences._checks.UnknownNameError: data must be one of ... Did you mean 'ring8'? ...

    """
    text = os.fspath(name) if isinstance(name, str | os.PathLike) else name
    if isinstance(text, str) and text in DATASETS:
        return DATASETS[text]
    if isinstance(text, str) and "\0" not in text and (os.path.lexists(text) or _means_a_path(text)):
        return read_rows(text)
    try:
        return DATASETS[choice(text, DATASETS, "data")]
    except DataError as error:
        raise UnknownNameError(f"{error} Or give the path of a file or folder.") from None


def _means_a_path(text: str) -> bool:
    return os.sep in text or Path(text).suffix.lower() in PATH_SUFFIXES
