"""What a generator is worth, measured against samples of the target: per seed, with the values a perfect one gets."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

from divergences.optimal_transport import wasserstein
from gan.game import Game
from gan.random import Stream
from gan.train import Snapshot

RADIUS = 3.0  # a sample within 3 sigma of a mode is of high quality
SHARE = 0.01  # a mode is covered by at least 1 % of all samples, of high quality


@dataclass(frozen=True)
class Evaluation:
    """One seed's generator at one moment.

    Attributes:
        w1, w1_lower, w1_upper: W1 between samples of generator and target, with its certified bracket.
        floor: W1 between two samples of the target, of the same size: what a perfect generator gets.
        modes: modes covered, that is hit within 3 sigma by at least 1 % of the samples.
        high_quality: the share of samples within 3 sigma of a mode. A perfect generator gets `ceiling(d)`.

    """

    w1: float
    w1_lower: float
    w1_upper: float
    floor: float
    modes: int
    high_quality: float


def ceiling(dimension: int) -> float:
    """The share of a Gaussian within 3 sigma of its mean: 1 - exp(-9/2) in two dimensions.

    >>> round(ceiling(2), 5), round(ceiling(1), 5)
    (0.98889, 0.9973)
    """
    return float(chi2.cdf(RADIUS**2, dimension))


@dataclass(frozen=True, eq=False)
class Reference:
    """Samples of the target that a whole run is measured against, (S, n, d), and each seed's floor."""

    game: Game
    samples: Tensor
    floors: tuple[float, ...]

    @classmethod
    def of(cls, game: Game, n: int) -> "Reference":
        """`n` samples per seed, and W1 to `n` others."""
        samples, others = (game.real(stream, 0, n) for stream in (Stream.REFERENCE, Stream.FLOOR))
        floors = tuple(wasserstein(_host(x), _host(y)).upper for x, y in zip(samples, others, strict=True))
        return cls(game, samples, floors)

    def evaluate(self, snapshot: Snapshot) -> list[Evaluation]:
        """One evaluation per seed, on as many samples as the reference has.

        >>> from gan import Config, train
        >>> start = next(train(Config(steps=1)))
        >>> one = Reference.of(start.game, 100).evaluate(start)[0]
        >>> one.w1_lower <= one.w1 <= one.w1_upper and one.floor < one.w1
        True
        """
        samples = snapshot.sample(self.samples.shape[1])
        covered, quality = modes_covered(self.game, samples)
        rows = zip(self.samples, samples, self.floors, covered.tolist(), quality.tolist(), strict=True)
        return [_one(real, fake, floor, modes, share) for real, fake, floor, modes, share in rows]


def modes_covered(game: Game, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Modes covered and share of high quality, per seed: (S, n, d) -> (S,), (S,)."""
    distance, mode = game.data.standardised(samples).min(dim=-1)  # (S, n)
    good = distance <= RADIUS
    hits = torch.nn.functional.one_hot(mode, len(game.data.means)) * good[..., None]  # (S, n, modes)
    return (hits.sum(1) >= SHARE * samples.shape[1]).sum(-1), good.double().mean(-1)


def _one(real: Tensor, fake: Tensor, floor: float, modes: int, share: float) -> Evaluation:
    result = wasserstein(_host(real), _host(fake))
    return Evaluation(float(result.cost), result.lower, result.upper, floor, modes, share)


def _host(x: Tensor) -> np.ndarray:
    return x.double().cpu().numpy()
