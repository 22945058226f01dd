"""f-divergences between two samples."""

from typing import Any

from divergences._checks import choice, generator
from divergences._results import Estimate
from divergences.catalogue import CATALOGUE
from divergences.f_divergence import FDivergence
from divergences.samples.estimators import METHODS, Method, Pair


def estimate(
    x: Any, y: Any, divergence: str | FDivergence, *, method: str | Method | None = None, rng: Any = None
) -> Estimate:
    """Estimate D(p, q) in nats from samples x of p and y of q.

    Args:
        x, y: samples of shape (n, d) and (m, d), or 1-D arrays.
        divergence: a name in `CATALOGUE`, or an `FDivergence`.
        method: a name in `METHODS`, one of its classes with options of your own, or None to choose.
        rng: a seed or generator for the bootstrap.

    Raises:
        DataError: not finite, of different d, an unknown name, or a method that does not apply.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> e = estimate(rng.normal(0, 1, 4000), rng.normal(1, 1, 4000), "kl", rng=1)
    >>> e.confidence_interval.low < 0.5 < e.confidence_interval.high  # KL of the laws is 1/2
    True

    """
    if not isinstance(divergence, FDivergence):
        divergence = CATALOGUE[choice(divergence, CATALOGUE, "divergence")]
    if method is None or isinstance(method, str):
        method = METHODS[choice(method or "histogram", METHODS, "method")]
    return method.estimate(Pair.of(x, y), divergence, generator(rng))
