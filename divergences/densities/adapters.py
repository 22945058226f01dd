"""From what a caller calls a distribution to a `Law`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from divergences._numerics import quiet
from divergences.densities._law import INFINITY, Law
from divergences.densities._scan import find_centres, find_edges
from divergences.densities._scipy import is_scipy, scipy_law
from divergences.densities._torch import is_torch_distribution, torch_law
from divergences.densities.mixture import Mixture, is_distribution, mixture_law
from divergences.errors import DataError

REMOTE = 1e50
KINDS = (
    "a frozen distribution of scipy.stats, a torch distribution, an object with logpdf, a log-density callable, "
    "or a Mixture of these"
)


def law_of(value: Any, name: str, support: tuple[float, float] | None = None) -> Law:
    """The law that `value` stands for; `support` is that of a callable or a plain object with `logpdf`."""
    if isinstance(value, Law):
        return value
    if isinstance(value, Mixture):
        laws = [with_centres(law_of(c, f"a component of {name}", support), name) for c in value.components]
        return mixture_law(value.weights, laws, name)
    if is_torch_distribution(value):
        return torch_law(value, name)
    if is_scipy(value):
        return scipy_law(value, name)
    if not is_distribution(value):
        raise DataError(
            f"{name} must be {KINDS}; got {type(value).__name__}. Probability vectors go to the divergence itself, "
            "samples to estimate(x, y, name)."
        )
    return _plain(value, name, support)


def _plain(value: Any, name: str, support: tuple[float, float] | None) -> Law:
    """An object with `logpdf`, or a callable: nothing but a log density, whose shape must be found."""
    function = value.logpdf if hasattr(value, "logpdf") else value
    label = getattr(value, "__name__", type(value).__name__)
    own: Any = getattr(value, "support", None)
    if support is None and callable(own):
        own = own()
    if support is None and isinstance(own, tuple):
        support = own[0], own[1]
    low, high = (-INFINITY, INFINITY) if support is None else interval(support)
    rvs = getattr(value, "rvs", None)

    return Law(
        label,
        checked(function, name),
        dimension=None,
        support=(low, high),
        sample=None if rvs is None else lambda rng, n: np.asarray(rvs(size=n, random_state=rng), dtype=float),
        trusted=False,
    )


def interval(support: Any) -> tuple[float, float]:
    """A support as two numbers in order."""
    try:
        low, high = (float(end) for end in support)
    except (TypeError, ValueError):
        low = high = float("nan")
    if not low < high:
        raise DataError(f"support must be an interval (low, high) with low < high; got {support!r}.")
    return low, high


def checked(function: Callable[[Any], Any], name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A caller's log density: applied to arrays, or point by point if it takes no arrays; NaN is refused."""

    def log_density(x: np.ndarray) -> np.ndarray:
        value = _numbers(function, x, name)
        if value.shape != (len(x),):
            raise DataError(
                f"The log density of {name} must give one number per point; got shape {value.shape} for {x.shape}."
            )
        if x.ndim == 1:  # so far out it is overflow, in x², say
            value = np.where(np.isnan(value) & (np.abs(x) > REMOTE), -np.inf, value)
        if np.isnan(value).any():
            raise DataError(
                f"The log density of {name} must not be NaN; it is at {x[np.isnan(value)][0]}. Return -inf outside "
                "the support, or pass support=(low, high)."
            )
        return value

    return log_density


def _numbers(function: Callable[[Any], Any], x: np.ndarray, name: str) -> np.ndarray:
    with quiet():
        try:
            value = np.asarray(function(x))
        except (TypeError, ValueError):  # it takes one number at a time
            try:
                value = np.array([function(point) for point in (x.tolist() if x.ndim == 1 else x)])
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"The log density of {name} must take numbers or an array of points; got {error}."
                ) from error
    if value.dtype.kind not in "fiub":
        raise DataError(f"The log density of {name} must give real numbers; got dtype {value.dtype}.")
    return value.astype(float)


def with_centres(law: Law, name: str) -> Law:
    """A univariate law whose support and bumps are known, found from its log density where its maker did not say."""
    if law.centres or law.kind != "continuous" or law.dimension not in (1, None):
        return law
    law = replace(law, dimension=1)
    if not law.trusted:
        support, edges, intervals = find_edges(law, name)
        law = replace(law, support=support, edges=edges, intervals=intervals)
    return replace(law, centres=find_centres(law, name))
