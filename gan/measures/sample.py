"""One seed's samples, and what several measures want to know of them: computed at most once, when first asked for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from divergences.errors import DataError
from divergences.samples.pairwise import blocks, distances, median_distance
from gan.data.classifier import classifier

NEIGHBOURS = 5  # as many as any measure looks at


@dataclass(frozen=True, eq=False)
class Sample:
    """Finite points (n, d) in float64, of a target or of a generator of it.

    Attributes:
        data: the target; training: for a finite one, the rows that its generator is trained on.

    """

    points: np.ndarray
    data: Any
    training: np.ndarray | None = None

    @cached_property
    def nearest(self) -> np.ndarray:
        """Distances to the first `NEIGHBOURS` other points, ascending, (n, 5); a duplicate is at distance 0."""
        n = len(self.points)
        if n <= NEIGHBOURS:
            raise DataError(f"Nearest neighbours need more than {NEIGHBOURS} points; got {n}. Take more samples.")
        rows = []
        for start, block in blocks(distances, self.points, self.points):
            np.fill_diagonal(block[:, start:], np.inf)
            rows.append(np.sort(np.partition(block, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS], axis=1))
        return np.concatenate(rows)

    @cached_property
    def assigned(self) -> tuple[np.ndarray, np.ndarray]:
        """The mode of each point, and whether the point is a good one of it: (n,) int64 and (n,) bool."""
        mode, good = self.data.assign(self._tensor)
        return mode.numpy(), good.numpy()

    @cached_property
    def log_density(self) -> np.ndarray:
        """Log p at each point, p the target: (n,)."""
        return self.data.log_density(self._tensor).numpy()

    @cached_property
    def features(self) -> np.ndarray:
        """What the target's classifier sees in each point: (n, k)."""
        return classifier(self.data).features(self._tensor).numpy()

    @cached_property
    def classes(self) -> np.ndarray:
        """The classifier's class of each point: (n,) int64."""
        return classifier(self.data).classify(self._tensor).numpy()

    @cached_property
    def scale(self) -> float:
        """The median distance of two points."""
        return median_distance(self.points)

    @cached_property
    def to_training(self) -> np.ndarray:
        """The distance of each point to the nearest training row: (n,)."""
        if self.training is None:
            raise DataError("The target must be a finite set, for a generator to repeat its rows.")
        return np.concatenate([block.min(axis=1) for _, block in blocks(distances, self.points, self.training)])

    @property
    def _tensor(self) -> torch.Tensor:
        return torch.from_numpy(self.points)


@dataclass(frozen=True, eq=False)
class Encounters:
    """Who lies how near to whom, of two samples.

    Attributes:
        to_fake, to_real: the distance of each real point to its nearest fake one (n,), and the reverse (m,).
        real_balls, fake_balls: for k = 3 and 5, how many balls of the other sample hold each point: a fake point in
            the balls of real ones {k: (m,)}, a real point in those of fake ones {k: (n,)}. A ball reaches up to the
            k-th nearest neighbour in its own sample, which it includes.

    """

    to_fake: np.ndarray
    to_real: np.ndarray
    real_balls: dict[int, np.ndarray]
    fake_balls: dict[int, np.ndarray]


@dataclass(frozen=True, eq=False)
class Pair:
    """A sample of the target and one of a generator."""

    real: Sample
    fake: Sample

    @cached_property
    def encounters(self) -> Encounters:
        """One pass over all distances between the two samples, in blocks."""
        real, fake = self.real, self.fake
        n, m = len(real.points), len(fake.points)
        to_fake, to_real = np.empty(n), np.full(m, np.inf)
        real_balls = {k: np.zeros(m, int) for k in (3, NEIGHBOURS)}
        fake_balls = {k: np.zeros(n, int) for k in (3, NEIGHBOURS)}
        for start, block in blocks(distances, real.points, fake.points):
            rows = slice(start, start + len(block))
            to_fake[rows] = block.min(axis=1)
            np.minimum(to_real, block.min(axis=0), out=to_real)
            for k in real_balls:
                real_balls[k] += (block <= real.nearest[rows, k - 1, None]).sum(axis=0)
                fake_balls[k][rows] = (block <= fake.nearest[:, k - 1]).sum(axis=1)
        return Encounters(to_fake, to_real, real_balls, fake_balls)
