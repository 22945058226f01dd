"""Mixtures of distributions of any kinds that lie on one space."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from divergences._arrays import to_numpy
from divergences._checks import probabilities
from divergences._numerics import quiet
from divergences.densities._law import Law
from divergences.errors import DataError


@dataclass(frozen=True)
class Mixture:
    """The law Σ w_k P_k, for `FDivergence.between` where the components' own library has no mixture of them.

    Attributes:
        weights: probabilities of the components.
        components: distributions of SciPy or torch, objects with `logpdf`, log densities, or mixtures of these.

    >>> import divergences as dv
    >>> from scipy import stats
    >>> p = dv.Mixture([0.5, 0.5], [stats.norm(-1, 0.5), stats.norm(1, 0.5)])
    >>> print(round(dv.kl.between(p, stats.norm(0, 1)).value, 10))
    0.1854269868

    """

    weights: Any
    components: Sequence[Any]


def is_distribution(value: Any) -> bool:
    """True for what `between` takes as a distribution, False for arrays and tensors.

    >>> is_distribution([0.5, 0.5]), is_distribution(lambda x: -x * x)
    (False, True)
    """
    known = isinstance(value, Law | Mixture) or any(hasattr(value, name) for name in ("logpdf", "logpmf", "log_prob"))
    return known or (callable(value) and not isinstance(value, type))


def mixture_law(weights: Any, laws: Sequence[Law], name: str) -> Law:
    """The law of a mixture; components of weight zero are left out."""
    mass = to_numpy(probabilities(weights, f"the weights of {name}"))
    if mass.ndim != 1 or len(mass) != len(laws):
        raise DataError(f"{name} must have one weight per component; got {mass.shape} weights, {len(laws)} components.")
    kept = [(w, law) for w, law in zip(mass.tolist(), laws, strict=True) if w > 0]
    laws = [law for _, law in kept]
    spaces = {(law.kind, law.dimension, law.offset) for law in laws}
    if len(spaces) > 1 or laws[0].kind == "atoms":
        raise DataError(
            f"The components of {name} must lie on one space: all continuous, or all on one lattice, of one dimension; "
            f"got {'; '.join(sorted(f'{kind} in dimension {d}' for kind, d, _ in spaces))}."
        )
    logs = np.log([w for w, _ in kept])
    ends = [end for law in laws for end in (*law.support, *law.edges)]
    low, high = min(ends), max(ends)

    def combine(values: list[np.ndarray]) -> np.ndarray:
        with quiet():
            return np.logaddexp.reduce([value + w for value, w in zip(values, logs, strict=True)], axis=0)

    univariate = laws[0].dimension == 1

    def log_density(x: np.ndarray) -> np.ndarray:
        return combine([law.at(np.zeros_like(x), x) if univariate else law.log_density(x) for law in laws])

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        counts = rng.multinomial(n, np.exp(logs) / np.exp(logs).sum())
        drawn = [law.sample(rng, int(k)) for law, k in zip(laws, counts, strict=True) if k and law.sample]
        return rng.permutation(np.concatenate(drawn))

    return Law(
        f"mixture of {len(laws)}",
        log_density,
        dimension=laws[0].dimension,
        kind=laws[0].kind,
        offset=laws[0].offset,
        support=(low, high),
        near=(lambda edge, t: combine([law.at(edge, t) for law in laws])) if univariate else None,
        edges=tuple(sorted({end for end in ends if low < end < high and np.isfinite(end)})),
        intervals=tuple(interval for law in laws for interval in law.intervals or (law.support,)) if univariate else (),
        centres=tuple(centre for law in laws for centre in law.centres),
        marks=tuple(mark for law in laws for mark in law.marks),
        sample=sample if all(law.sample for law in laws) else None,
        unit=max(law.unit for law in laws),
        trusted=all(law.trusted for law in laws),
    )
