"""What the tests of all joint distances share: permutations that are solved again, and how a result is told."""

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

import numpy as np

from divergences._results import Interval
from divergences.samples.joint.embedding import Embedding
from divergences.samples.permutation import labels, null_95, pvalue, sequential

Progress = Callable[[str, float], None]
NORMAL_975 = 1.959963984540054
FEWEST = 19  # permutations in any case, so that there is a 95% quantile to show


def silent(*_: Any) -> None:
    """Progress that nobody follows."""


def resolved(
    statistic: Callable[[np.ndarray], np.ndarray],
    points: Embedding,
    permutations: int,
    rng: np.random.Generator,
    report: Callable[[float], None],
) -> dict[str, Any]:
    """The test of a statistic that takes time: it stops as soon as the observed value is seen to be a usual one.

    `statistic` takes labellings (k, n + m) and gives (k,) values. It is the same function for the observed labelling
    and for all others, without which the p-value would not be exact.
    """
    drawn = _shuffled(points, permutations, rng)
    done = 0

    def draw(count: int) -> np.ndarray:
        nonlocal done
        out = []
        for label in np.array_split(np.array([next(drawn) for _ in range(count)]), -(-count // FEWEST)):
            report(done / permutations)
            out.append(statistic(label))
            done += len(label)
        return np.concatenate(out)

    observed = float(statistic(points.observed[None])[0])
    found = sequential(observed, draw, permutations, first=FEWEST)
    values = np.concatenate([[observed], found.values])
    return {"pvalue": found.pvalue, "permutations": len(found.values), "null_95": null_95(values)}


def _shuffled(points: Embedding, permutations: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Labellings one by one, without the observed one."""
    blocks = labels(points.n, points.m, permutations, rng)
    next(blocks)
    return (row for block in blocks for row in block)


def batched(
    statistic: Callable[[np.ndarray], np.ndarray], points: Embedding, permutations: int, rng: np.random.Generator
) -> tuple[float, dict[str, Any]]:
    """The observed value, and the test, of a statistic that is cheap for many labellings at once."""
    blocks = labels(points.n, points.m, permutations, rng)
    values = np.concatenate([statistic(block) for block in blocks])
    return float(values[0]), {"pvalue": pvalue(values), "permutations": len(values) - 1, "null_95": null_95(values)}


def normal(value: float, error: float) -> Interval:
    """The 95% interval of a value whose error is normal."""
    return Interval(value - NORMAL_975 * error, value + NORMAL_975 * error)


def spread(influence: np.ndarray, n: int) -> float:
    """The standard error of a statistic from its influence at the pooled rows, the first n of them of the reference."""
    return sqrt(influence[:n].var() / n + influence[n:].var() / (len(influence) - n))
