"""A finite set of rows: what training sees of it, and what is kept back for measuring."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from divergences._checks import points
from divergences.errors import DataError
from gan.random import Step, Stream, uniform

MINIMUM = 10  # rows: a tenth of them is one at least
HELD_OUT = (Stream.REFERENCE, Stream.FLOOR)


@dataclass(frozen=True, eq=False)
class Rows:
    """A finite set, split once and for all: `Stream.REFERENCE` and `Stream.FLOOR` each draw from a tenth of its own.

    All other streams draw the rest, with replacement. Those two draw without, as long as there are rows: then all
    of their rows once more in another order, and so on.

    Attributes:
        load: gives the points (size, d) in float64, and the labels (size,) or None; called when they are needed.
        shape: a point's natural shape; size: the number of rows; classes: the number of labels, 0 without.
        source: where the rows come from; fingerprint: SHA-256 of the
            numbers and labels, None for what is built in.

    >>> rows = Rows.of(np.arange(30.0), source="example")
    >>> rows.size, rows.held_out, rows.sample(torch.arange(2), Stream.FLOOR, 0, 3).flatten(1).sort().values.tolist()
    (30, 3, [[2.0, 10.0, 28.0], [2.0, 10.0, 28.0]])

    """

    load: Callable[[], tuple[np.ndarray, np.ndarray | None]]
    shape: tuple[int, ...]
    size: int
    source: str
    classes: int = 0
    fingerprint: str | None = None

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        source: str,
        shape: tuple[int, ...] | None = None,
    ) -> "Rows":
        """Rows that are at hand: `values` (n, d) or (n,), `labels` whole numbers from 0. Raises DataError."""
        x = np.array(points(values, source)[0])
        if len(x) < MINIMUM:
            raise DataError(
                f"{source} must have at least {MINIMUM} rows, to train on some and keep some; got {len(x)}."
            )
        classes = 0
        if labels is not None:
            labels = np.asarray(labels)
            if (
                labels.shape != (len(x),)
                or labels.dtype.kind not in "iu"
                or not 0 <= labels.min() <= labels.max() < len(x)
            ):
                raise DataError(
                    f"{source} must have a label per row, whole numbers from 0 and below the number of rows; "
                    f"got {labels.dtype} of shape {labels.shape} for {len(x)} rows."
                )
            classes = int(labels.max()) + 1
        return cls(lambda: (x, labels), shape or (x.shape[1],), len(x), source, classes, _fingerprint(x, labels))

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return math.prod(self.shape)

    @property
    def held_out(self) -> int:
        """Rows that `Stream.REFERENCE`, and as many again that `Stream.FLOOR`, draws before it repeats any."""
        return self.size // MINIMUM

    def sample(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> Tensor:
        """`count` rows per seed: (S,) -> (S, count, d)."""
        return self.labelled(seeds, stream, step, count, dtype=dtype)[0]

    def labelled(
        self, seeds: Tensor, stream: Stream, step: Step, count: int, *, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """`count` rows per seed, (S,) -> (S, count, d), and their labels (S, count), 0 where there are none."""
        values, labels = _tensors(self, dtype, seeds.device)
        rows = _part(self.size, stream if stream in HELD_OUT else None, seeds.device)
        index = _without_replacement if stream in HELD_OUT else _with_replacement
        index = rows[index(len(rows), seeds, stream, step, count)]
        return values[index], labels[index]

    def check_batch(self, batch: int) -> None:
        """Raises DataError if there are fewer training rows than points in a batch.

        >>> Rows.of(np.arange(30.0), source="example").check_batch(25)
        Traceback (most recent call last):
        divergences.errors.DataError: batch must be at most 24, the training rows of example; got 25.
        """
        training = self.size - 2 * self.held_out
        if batch > training:
            raise DataError(f"batch must be at most {training}, the training rows of {self.source}; got {batch}.")


@lru_cache(maxsize=8)
def split(size: int) -> dict[Stream | None, np.ndarray]:
    """Row numbers that the streams REFERENCE, FLOOR and (under None) all others draw from, in a fixed random order.

    >>> {stream: len(rows) for stream, rows in split(1797).items()} == {
    ...     Stream.REFERENCE: 179, Stream.FLOOR: 179, None: 1439}
    True
    """
    order = uniform(torch.tensor([0]), Stream.DATA_SPLIT, 0, (size,))[0].argsort(stable=True).numpy()
    tenth = size // MINIMUM
    return {Stream.REFERENCE: order[:tenth], Stream.FLOOR: order[tenth : 2 * tenth], None: order[2 * tenth :]}


@lru_cache(maxsize=8)
def _part(size: int, stream: Stream | None, device: torch.device) -> Tensor:
    return torch.tensor(split(size)[stream], device=device)


def _with_replacement(n: int, seeds: Tensor, stream: Stream, step: Step, count: int) -> Tensor:
    return (uniform(seeds, stream, step, (count,)) * n).long()


def _without_replacement(n: int, seeds: Tensor, stream: Stream, step: Step, count: int) -> Tensor:
    """Whole rounds of n, each in an order of its own, cut at `count`."""
    order = torch.argsort(uniform(seeds, stream, step, (-(-count // n), n)), dim=-1, stable=True)
    return order.flatten(1)[:, :count]


@lru_cache(maxsize=8)
def _tensors(rows: Rows, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    values, labels = rows.load()
    with torch.inference_mode(False):  # kept for all callers, and autograd may not save what inference made
        x = torch.tensor(values, dtype=dtype, device=device)
        if not bool(x.isfinite().all()):
            raise DataError(f"{rows.source} holds numbers beyond {dtype}; pass dtype='float64', or rescale them.")
        marks = np.zeros(len(values), dtype=np.int64) if labels is None else labels
        return x, torch.tensor(marks, dtype=torch.int64, device=device)


def _fingerprint(values: np.ndarray, labels: np.ndarray | None) -> str:
    """SHA-256 of the shape, the numbers and the labels, as hexadecimal digits."""
    digest = hashlib.sha256(str((values.shape, labels is None)).encode())
    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()
