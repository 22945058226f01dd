"""Fidelity and coverage by nearest neighbours. A ball reaches to the k-th nearest neighbour and includes it."""

import numpy as np

from gan.measures.sample import Pair


def precision(pair: Pair) -> float:
    """The share of generated points in the union of the real points' balls, k = 3."""
    return float((pair.encounters.real_balls[3] > 0).mean())


def recall(pair: Pair) -> float:
    """The share of real points in the union of the generated points' balls, k = 3."""
    return float((pair.encounters.fake_balls[3] > 0).mean())


def density(pair: Pair) -> float:
    """How many real balls, k = 5, hold a generated point, on average over those points and divided by k: 1 at best.

    Above 1 where the generator prefers the middle of the target.
    """
    return float(pair.encounters.real_balls[5].mean() / 5)


def coverage(pair: Pair) -> float:
    """The share of real balls, k = 5, that hold a generated point; of a perfect generator about 1 - 2^-5."""
    return float((pair.encounters.to_fake <= pair.real.nearest[:, 4]).mean())


def one_nearest_neighbour(pair: Pair) -> float:
    """How often a point's nearest other point, of both samples, is of its own kind: the mean of both kinds' shares.

    A tie counts as half.

    1/2 if the laws agree, 1 if they are far apart, less than 1/2 if the generator repeats the very sample.
    """
    meet = pair.encounters
    return float(np.mean([_wins(pair.real.nearest[:, 0], meet.to_fake), _wins(pair.fake.nearest[:, 0], meet.to_real)]))


def memorisation(pair: Pair) -> float:
    """How often a generated point is nearer to the training rows than a row held out is; a tie counts as half.

    1/2 for new samples of the target's law, 1 for copies of training rows. It also feels quality: less than 1/2 for
    samples far from all rows, more for those in the middle of them, as blurred pictures are.
    """
    mine, held = pair.fake.to_training, np.sort(pair.real.to_training)
    nearer = 2 * len(held) - np.searchsorted(held, mine, "left") - np.searchsorted(held, mine, "right")
    return float(nearer.mean() / (2 * len(held)))


def _wins(own: np.ndarray, other: np.ndarray) -> float:
    """How often the first distance is the smaller one."""
    return float(((own < other) + 0.5 * (own == other)).mean())
