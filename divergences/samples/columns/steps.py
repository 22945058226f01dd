"""Two samples on one line as the steps of their distribution functions, and re-labellings of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import frexp, ldexp, sqrt

import numpy as np
from scipy.special import ndtri

from divergences.samples.permutation import shuffled

SMALL = 20_000  # values in all up to which samples are sorted by NumPy; beyond, the compiled kernels are worth loading
BLOCK = 2**15  # steps at a time, so that their arrays stay in the processor's cache
MARGINALS = 10**9  # NumPy draws hypergeometric counts below this total
DRAWN, CACHED = 2**22, 2**16  # labels or counts drawn at a time; summed at a time


@dataclass(frozen=True, eq=False)
class Steps:
    """The distinct values of two samples, rising, with how many of each sample are at most that.

    Index 0 is the state before the first step: its counts are what came before (zeros, or another block's last), and
    its value is where the function left off.
    """

    values: np.ndarray  # (k + 1,)
    ahead_x: np.ndarray  # (k + 1,) int64, cumulative
    ahead_y: np.ndarray

    @classmethod
    def of_counts(cls, values: np.ndarray, counts_x: np.ndarray, counts_y: np.ndarray) -> "Steps":
        """Of k rising values and their counts."""
        ahead = (np.concatenate([[0], np.cumsum(c, dtype=np.int64)]) for c in (counts_x, counts_y))
        return cls(np.concatenate([values[:1], values]), *ahead)

    @property
    def n(self) -> int:
        """Values of the reference up to the last step."""
        return int(self.ahead_x[-1])

    @property
    def m(self) -> int:
        """Values of the current sample up to the last step."""
        return int(self.ahead_y[-1])

    @property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the k values in x and in y."""
        return np.diff(self.ahead_x), np.diff(self.ahead_y)

    @property
    def scores(self) -> np.ndarray:
        """The normal scores of the k values: Φ⁻¹ of their mid-ranks in the pooled sample, as shares.

        They do not depend on the unit of the values, nor on how far the outermost lie out.

        Source: van der Waerden (1952); ties as in Conover, Practical Nonparametric Statistics (1999), section 5.10.
        """
        rank = self.ahead_x + self.ahead_y
        return ndtri((rank[1:] + rank[:-1]) / (2.0 * rank[-1]))

    def w1(self, ahead_x: np.ndarray, lines: np.ndarray | None = None) -> np.ndarray:
        """W₁ = ∫ |F − G| when so many of the n reference values, (..., k), are at most each value.

        With `lines`, (s, k) rising places for the values on s lines: (..., s), W₁ on each.
        """
        rank = (self.ahead_x + self.ahead_y)[1:-1]
        difference = ahead_x[..., :-1] * float(self.n + self.m)  # n m (F − G), whole: equal laws differ by nothing
        difference -= float(self.n) * rank
        places = self.values[None, 1:] if lines is None else lines
        unit = np.array([unit_of(line[0], line[-1]) for line in places])
        gaps = (np.diff(places) / unit[:, None]).T
        found = unit * (np.abs(difference, out=difference) @ gaps / self.n / self.m)
        return found[..., 0] if lines is None else found

    def relabelled(self, rows: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Blocks (..., k) of `ahead_x` for random choices of which n of the n + m pooled values are the reference."""
        rank, total = (self.ahead_x + self.ahead_y)[1:], self.n + self.m
        if 32 * len(rank) <= total:  # drawing counts takes less time than shuffling labels
            step = max(1, DRAWN // len(rank))
            for size in _sizes(rows, step):
                counts = np.diff(rank, prepend=0)
                yield np.cumsum(rng.multivariate_hypergeometric(counts, self.n, size, method="marginals"), axis=1)
            return
        for size in _sizes(rows, max(1, DRAWN // total)):
            label, step = shuffled(self.n, total, size, rng), max(1, CACHED // total)
            for k in range(0, size, step):
                ahead = np.cumsum(label[k : k + step], axis=1, dtype=np.int32)
                yield ahead if len(rank) == total else ahead[:, rank - 1]

    def permuted_w1(self, rows: int, rng: np.random.Generator, lines: np.ndarray | None = None) -> np.ndarray:
        """W₁ of `rows` random re-labellings, (rows,); with `lines` (rows, s), see `w1`."""
        if self.n + self.m >= MARGINALS:
            return self.bridged_w1(rows, rng, lines)
        return np.concatenate([self.w1(ahead, lines) for ahead in self.relabelled(rows, rng)])

    def bridged_w1(self, rows: int, rng: np.random.Generator, lines: np.ndarray | None = None) -> np.ndarray:
        """The same from Gaussian bridges with the covariance that F - G has under re-labelling."""
        level = (self.ahead_x + self.ahead_y) / (self.n + self.m)
        path = np.cumsum(rng.standard_normal((rows, len(level) - 1)) * np.sqrt(np.diff(level)), axis=1)
        bridge = path - path[:, -1:] * level[1:]
        scale = sqrt((1 / self.n + 1 / self.m) * (self.n + self.m) / (self.n + self.m - 1))
        places = self.values[1:] if lines is None else lines
        return scale * (np.abs(bridge)[:, :-1] @ np.diff(places).T)


def unit_of(low: float, high: float) -> float:
    """The power of two at or below high - low, in which no square or sum of lengths overflows or vanishes.

    >>> unit_of(0.0, 5.0), unit_of(1.0, 1.0)
    (4.0, 1.0)
    """
    return ldexp(1.0, frexp(high - low)[1] - 1) if high > low else 1.0


def _sizes(rows: int, step: int) -> Iterator[int]:
    return (min(step, rows - k) for k in range(0, rows, step))


def steps_of(x: np.ndarray, y: np.ndarray) -> Iterator[Steps]:
    """The steps of finite samples x and y in blocks; few values give a single block."""
    if len(x) + len(y) <= SMALL:
        values, place = np.unique(np.concatenate([x, y]), return_inverse=True)
        yield Steps.of_counts(
            values, *(np.bincount(place[part], minlength=len(values)) for part in (slice(len(x)), slice(len(x), None)))
        )
        return
    from divergences._sorting import sorted_copy
    from divergences.samples.columns._merge import merge

    x, y = (sorted_copy(np.require(sample, np.float64, ["C", "W"])) for sample in (x, y))
    i = j = 0
    value = min(x[0], y[0])
    while i < len(x) or j < len(y):
        values, ahead_x, ahead_y = np.empty(BLOCK + 1), np.empty(BLOCK + 1, np.int64), np.empty(BLOCK + 1, np.int64)
        values[0], ahead_x[0], ahead_y[0] = value, i, j
        i, j, k = merge(x, y, i, j, values, ahead_x, ahead_y)
        value = values[k]
        yield Steps(values[: k + 1], ahead_x[: k + 1], ahead_y[: k + 1])
