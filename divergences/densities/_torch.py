"""Distributions of `torch.distributions`, read without importing torch: the caller has."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from divergences._arrays import to_numpy
from divergences.densities._law import Law, Member
from divergences.densities._scipy import atoms_law, normal_law, scipy_law
from divergences.densities.mixture import mixture_law
from divergences.errors import DataError


def is_torch_distribution(value: Any) -> bool:
    """True for an instance of a class of `torch.distributions`, or of one derived from it."""
    return any(c.__module__ == "torch.distributions.distribution" for c in type(value).__mro__)


# The parameters of each class, and the frozen SciPy distribution that they name.
UNIVARIATE: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "Normal": (("loc", "scale"), stats.norm),
    "LogNormal": (("loc", "scale"), lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc))),
    "Laplace": (("loc", "scale"), stats.laplace),
    "Cauchy": (("loc", "scale"), stats.cauchy),
    "Gumbel": (("loc", "scale"), stats.gumbel_r),
    "StudentT": (("df", "loc", "scale"), stats.t),
    "Exponential": (("rate",), lambda rate: stats.expon(scale=1 / rate)),
    "Gamma": (("concentration", "rate"), lambda shape, rate: stats.gamma(shape, scale=1 / rate)),
    "Chi2": (("df",), stats.chi2),
    "Beta": (("concentration1", "concentration0"), stats.beta),
    "HalfNormal": (("scale",), lambda scale: stats.halfnorm(scale=scale)),
    "Weibull": (("concentration", "scale"), lambda c, scale: stats.weibull_min(c, scale=scale)),
    "Pareto": (("alpha", "scale"), lambda alpha, scale: stats.pareto(alpha, scale=scale)),
    "Uniform": (("low", "high"), lambda low, high: stats.uniform(low, high - low)),
    "Poisson": (("rate",), stats.poisson),
    "Bernoulli": (("probs",), stats.bernoulli),
    "Binomial": (("total_count", "probs"), stats.binom),
    "Geometric": (("probs",), lambda probs: stats.geom(probs, loc=-1)),
}


def torch_law(value: Any, name: str) -> Law:
    """The law of one torch distribution, its parameters taken to float64."""
    batch, event = list(value.batch_shape), list(value.event_shape)
    if any(size != 1 for size in batch) or len(event) > 1:
        raise DataError(
            f"{name} must be one distribution of numbers or vectors; got batch shape {tuple(batch)} and event shape "
            f"{tuple(event)}. Index the batch, or wrap it in Independent if its coordinates are one vector."
        )
    kind = type(value).__name__
    if kind == "MultivariateNormal":
        d = event[0]
        return normal_law(_double(value.loc).reshape(d), _double(value.covariance_matrix).reshape(d, d), name)
    if kind == "Dirichlet":
        return scipy_law(stats.dirichlet(_double(value.concentration).reshape(-1)), name)
    if kind == "MixtureSameFamily":
        return _mixture(value, name)
    if kind == "Independent" and len(event) == 1 and not list(value.base_dist.event_shape):
        parts = [_known(value.base_dist, i, name) for i in range(event[0])]
        if all(part is not None for part in parts):
            return product_law([part for part in parts if part is not None])
    if not event:
        known = _known(value, 0, name)
        if known is not None:
            return known
    return _generic(value, name)


def _double(tensor: Any) -> np.ndarray:
    return to_numpy(tensor)


def _known(value: Any, index: int, name: str) -> Law | None:
    """Element `index` of a batch, if its family is known."""
    kind = type(value).__name__
    if kind == "Categorical":
        logits = _double(value.logits).reshape(-1, value.logits.shape[-1])[index]
        logits = logits - np.logaddexp.reduce(logits)
        law = atoms_law(np.arange(len(logits), dtype=float), logits, "categorical")
        return replace(law, unit=2.0**-22) if value.logits.itemsize < 8 else law  # its logarithms are rounded
    if kind not in UNIVARIATE and kind != "Independent":
        return None
    if kind == "Independent":
        return _known(value.base_dist, index, name)
    names, build = UNIVARIATE[kind]
    return scipy_law(build(*(float(_double(getattr(value, n)).reshape(-1)[index]) for n in names)), name)


def product_law(parts: list[Law]) -> Law:
    """The law of a vector of independent coordinates."""

    def log_density(x: np.ndarray) -> np.ndarray:
        columns = [part.at(np.zeros(len(x)), x[:, i]) for i, part in enumerate(parts)]
        return np.sum(columns, axis=0)

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.column_stack([part.sample(rng, n) for part in parts if part.sample])

    members = tuple(part.member for part in parts)
    return Law(
        f"product of {len(parts)}",
        log_density,
        dimension=len(parts),
        kind="lattice" if parts[0].kind in ("lattice", "atoms") else "continuous",
        sample=sample,
        member=Member("product", members) if all(members) else None,
    )


def _mixture(value: Any, name: str) -> Law:
    weights = _double(value.mixture_distribution.probs).reshape(-1)
    weights = weights / weights.sum()  # the rounding of float32 is not the user's error
    components = value.component_distribution
    if not tuple(value.event_shape):
        laws = [_known(components, k, name) for k in range(len(weights))]
        if all(law is not None for law in laws):
            return mixture_law(weights, [law for law in laws if law is not None], name)
    if type(components).__name__ == "MultivariateNormal":
        d = value.event_shape[0]
        means = _double(components.loc).reshape(-1, d)
        covariances = _double(components.covariance_matrix).reshape(-1, d, d)
        laws = [normal_law(m, c, name) for m, c in zip(means, covariances, strict=True)]
        return mixture_law(weights, laws, name)
    return _generic(value, name)


def _generic(value: Any, name: str) -> Law:
    """By `log_prob` and `sample` alone."""
    import torch

    dimension = int(value.event_shape[0]) if value.event_shape else 1
    discrete = bool(value.support.is_discrete)
    low, high = _ends(value.support) if dimension == 1 else (-np.inf, np.inf)
    if type(value).__name__ == "VonMises":  # a law on the circle: one turn
        low, high = -np.pi, np.pi
    value = _unguarded(value)
    dtypes = {t.dtype for t in vars(value).values() if isinstance(t, torch.Tensor)}
    narrow = any(t.is_floating_point and t.itemsize < 8 for t in dtypes) or not dtypes

    def log_density(x: np.ndarray) -> np.ndarray:
        points = torch.as_tensor(x, dtype=torch.float64).reshape(-1, *value.batch_shape, *value.event_shape)
        with torch.no_grad():
            return to_numpy(value.log_prob(points)).reshape(-1)

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        with torch.random.fork_rng(devices=[]):  # torch draws from a global state, which is put back
            torch.manual_seed(int(rng.integers(2**62)))
            drawn = to_numpy(value.sample((n,)))
        return drawn.reshape(n) if dimension == 1 else drawn.reshape(n, dimension)

    from divergences.densities.adapters import with_centres

    law = Law(
        type(value).__name__,
        log_density,
        dimension=dimension,
        kind="simplex" if "implex" in repr(value.support) else "lattice" if discrete else "continuous",
        support=(low, high),
        sample=sample,
        unit=2.0**-22 if narrow else 2.0**-50,
    )
    return with_centres(law, name) if dimension == 1 and not discrete else law


def _unguarded(value: Any) -> Any:
    """A copy that answers -inf outside the support, where torch's validation would raise."""
    value = copy.copy(value)
    value._validate_args = False
    if hasattr(value, "base_dist"):
        value.base_dist = _unguarded(value.base_dist)
    return value


def _ends(support: Any) -> tuple[float, float]:
    """The ends of an interval of torch's constraints."""
    ends = (getattr(support, "lower_bound", -np.inf), getattr(support, "upper_bound", np.inf))
    low, high = (float(_double(end).reshape(-1)[0]) if hasattr(end, "detach") else float(end) for end in ends)
    return low, high
