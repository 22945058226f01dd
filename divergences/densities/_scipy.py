"""Frozen distributions of `scipy.stats`, univariate and multivariate, and the newer ones with `logpdf` and `sample`."""

import warnings
from collections.abc import Callable
from functools import partial
from math import log
from typing import Any

import numpy as np
from scipy import stats

from divergences._numerics import quiet
from divergences.densities._law import Law, Member
from divergences.densities._logdensities import SOUND, beta, poisson
from divergences.errors import DataError

FAMILIES = (stats.rv_continuous, stats.rv_discrete)
LEVELS = (1e-9, 1e-5, 1e-3, 0.02, 0.1, 0.3)


def is_scipy(value: Any) -> bool:
    """True for a frozen distribution, or one of the newer kind."""
    kinds = (stats.distributions.rv_frozen, *FAMILIES, type(stats.multivariate_normal([0.0])).__mro__[1])
    return isinstance(value, (*kinds, _new_kind()))


def _new_kind() -> type:
    return stats.Normal.__mro__[-3] if hasattr(stats, "Normal") else type(None)


def scipy_law(value: Any, name: str) -> Law:
    """The law of a SciPy distribution with scalar parameters."""
    if isinstance(value, FAMILIES):
        value = _frozen(value, name)
    if isinstance(value, stats.distributions.rv_frozen):
        return _univariate(value, name)
    if isinstance(value, _new_kind()):
        return _new(value, name)
    return _multivariate(value, name)


def _frozen(family: Any, name: str) -> Any:
    """A family without shape parameters, or `rv_discrete(values=...)`, is one distribution already."""
    if family.numargs:
        raise DataError(
            f"{name} must have its parameters; got the family {family.name}. Pass stats.{family.name}({family.shapes})."
        )
    return family()


def _number(value: Any, what: str) -> float:
    array = np.asarray(value, dtype=float)
    if array.size != 1 or not np.isfinite(array).all():
        raise DataError(
            f"{what} must be one distribution with finite scalar parameters; got {array.tolist()!r}. "
            "Pass distributions one by one."
        )
    return float(array.reshape(()))


def _univariate(frozen: Any, name: str) -> Law:
    dist = frozen.dist
    shapes, loc, scale = dist._parse_args(*frozen.args, **frozen.kwds)
    shapes = tuple(_number(s, name) for s in shapes)
    loc, scale = _number(loc, name), _number(scale, name)
    label = f"{dist.name}({', '.join(f'{s:g}' for s in (*shapes, loc, scale))})"
    low, high = (float(end) for end in frozen.support())
    if dist.name == "vonmises":  # a law on the circle: one turn, the same for every location
        low, high = -np.pi * scale, np.pi * scale
    if np.isnan(low) or np.isnan(high):
        raise DataError(f"{name} must have valid parameters; got {label}, which SciPy refuses.")
    if hasattr(dist, "xk"):
        return _atoms(np.asarray(dist.xk, dtype=float) + loc, np.asarray(dist.pk, dtype=float), label)

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.asarray(frozen.rvs(size=n, random_state=rng), dtype=float)

    common: dict[str, Any] = {"support": (low, high), "sample": sample, "member": member(dist.name, shapes, loc, scale)}
    discrete = isinstance(dist, stats.rv_discrete)
    with quiet():
        common |= dict(zip(("centres", "marks"), layout(frozen.ppf, frozen.isf, middle=discrete), strict=True))
    if discrete:
        masses = _silent(frozen.logpmf)
        if dist.name == "poisson" and shapes[0] > 0:
            masses = partial(poisson, rate=shapes[0], loc=loc)
        return Law(label, masses, kind="lattice", offset=loc % 1.0, **common)

    density = _silent(SOUND.get(dist.name) or dist.logpdf)
    near = beta(shapes[0], shapes[1], loc, scale) if dist.name == "beta" else _shifted(density, shapes, loc, scale)
    # (edge - loc) + t rounds onto any end but loc: that is felt where the density is 0 or infinite.
    rounded = (
        ()
        if dist.name == "beta"
        else tuple(
            end
            for end in (low, high)
            if np.isfinite(end) and end != loc and not np.isfinite(near(np.array([loc]), np.array([end - loc]))[0])
        )
    )
    return Law(label, lambda x: near(np.full_like(x, loc), x - loc), near=near, rounded=rounded, **common)


def _shifted(
    density: Callable[..., np.ndarray], shapes: tuple[float, ...], loc: float, scale: float
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """With the location taken from the edge first: a point just beside a far edge keeps its digits."""
    return lambda edge, t: density((edge - loc) + t, *shapes, loc=0, scale=scale)


def _silent(f: Callable[..., Any]) -> Callable[..., np.ndarray]:
    def quietly(*args: Any, **kwargs: Any) -> np.ndarray:
        with quiet():
            return np.asarray(f(*args, **kwargs), dtype=float)

    return quietly


def layout(
    ppf: Callable[[Any], Any], isf: Callable[[Any], Any], *, middle: bool = False
) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]]:
    """Where the mass is: its median with half the interquartile range, and a ladder of quantiles.

    `middle` leaves the ladder out: SciPy walks to a far quantile of a heavy lattice law one atom at a time.
    """
    levels = np.array(() if middle else LEVELS)
    with warnings.catch_warnings(action="ignore"):  # a quantile that is not found is only a mark less
        marks = np.concatenate([np.asarray(ppf(levels), float), np.asarray(isf(levels), float)])
        median, quarter, upper = (float(ppf(level)) for level in (0.5, 0.25, 0.75))
    half = max((upper - quarter) / 2, 1.0 if middle else 0.0)
    centres = ((median, half),) if np.isfinite(median) and half > 0 else ()
    return centres, tuple(np.unique(marks[np.isfinite(marks)]).tolist())


def _atoms(places: np.ndarray, masses: np.ndarray, label: str, member: Member | None = None) -> Law:
    with quiet():
        return atoms_law(places, np.log(masses), label, member)


def atoms_law(places: np.ndarray, log_masses: np.ndarray, label: str, member: Member | None = None) -> Law:
    """Finitely many atoms with known logarithms of their masses."""
    order = np.argsort(places)
    places, log_masses = places[order], log_masses[order]

    def log_density(x: np.ndarray) -> np.ndarray:
        i = np.searchsorted(places, x).clip(0, len(places) - 1)
        return np.where(places[i] == x, log_masses[i], -np.inf)

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        masses = np.exp(log_masses)
        return rng.choice(places, size=n, p=masses / masses.sum())

    ends = (float(places[0]), float(places[-1]))
    return Law(label, log_density, kind="atoms", atoms=places, support=ends, sample=sample, member=member)


def member(family: str, shapes: tuple[float, ...], loc: float, scale: float) -> Member | None:
    """The canonical member that a SciPy name and its parameters stand for; None if it has no closed forms."""
    if family in ("norm", "laplace", "cauchy"):
        return Member({"norm": "normal"}.get(family, family), (loc, scale))
    if family == "lognorm":
        return Member("normal", (log(scale), shapes[0]), ("log", loc))
    if family in ("expon", "gamma", "erlang", "chi2"):
        shape = {"expon": 1.0, "chi2": shapes[0] / 2 if shapes else 0.0}.get(family) or shapes[0]
        return Member("gamma", (shape, scale * (2 if family == "chi2" else 1)), (loc,))
    if family == "beta":
        return Member("dirichlet", shapes, (loc, scale))
    if family == "uniform":
        return Member("uniform", (loc, loc + scale))
    if family == "bernoulli":
        return Member("bernoulli", shapes, (loc,))
    if family == "poisson":
        return Member("poisson", shapes, (loc,)) if shapes[0] > 0 else None
    return None


ALIASES = {
    "Normal": "norm", "StandardNormal": "norm", "Uniform": "uniform", "Gamma": "gamma", "Beta": "beta",
    "Exponential": "expon", "Laplace": "laplace", "Poisson": "poisson", "Cauchy": "cauchy", "LogNormal": "lognorm",
    "ChiSquared": "chi2",
}  # fmt: skip


def _new(value: Any, name: str) -> Law:
    """A distribution of the newer kind: one that it is known to mean, else by its own methods."""
    if hasattr(value, "components") and hasattr(value, "weights"):
        from divergences.densities.mixture import mixture_law

        return mixture_law(value.weights, [scipy_law(c, name) for c in value.components], name)
    known = _frozen_equivalent(value, 0.0, 1.0)
    if known is not None:
        return _univariate(known, name)
    _number(value.median() if np.isfinite(value.median()) else 0.0, name)
    low, high = (float(end) for end in value.support())

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.asarray(value.sample(n, rng=rng), dtype=float)

    centres, marks = layout(
        _silent(value.icdf), _silent(value.iccdf), middle=isinstance(value, stats.Binomial.__mro__[1])
    )
    discrete = isinstance(value, stats.Binomial.__mro__[1])
    density = _silent(value.logpmf if discrete else value.logpdf)
    kind = "lattice" if discrete else "continuous"
    return Law(str(value), density, kind=kind, support=(low, high), centres=centres, marks=marks, sample=sample)


def _frozen_equivalent(value: Any, loc: float, scale: float) -> Any:
    """The frozen distribution that `loc + scale * value` is, if its family is known; else None."""
    kind = str(value).split("(")[0]
    if type(value).__name__ == "ShiftedScaledDistribution":
        inner_loc, inner_scale = _number(value.loc, "loc"), _number(value.scale, "scale")
        return _frozen_equivalent(value._dist, loc + scale * inner_loc, scale * inner_scale)
    if kind not in ALIASES or (scale < 0 and kind not in ("Normal", "StandardNormal", "Laplace", "Cauchy")):
        return None
    if kind == "Normal":
        return stats.norm(loc + scale * _number(value.mu, "mu"), abs(scale) * _number(value.sigma, "sigma"))
    if kind == "Uniform":
        a, b = _number(getattr(value, "a", 0.0), "a"), _number(getattr(value, "b", 1.0), "b")
        return stats.uniform(loc + scale * a, scale * (b - a))
    family = getattr(stats, ALIASES[kind])
    names = [name for name in (family.shapes or "").replace(" ", "").split(",") if name]
    shapes = [_number(getattr(value, name), name) for name in names]
    if isinstance(family, stats.rv_discrete):
        return family(*shapes, loc=loc) if scale == 1 else None
    return family(*shapes, loc=loc, scale=abs(scale))


def _multivariate(frozen: Any, name: str) -> Law:
    kind = type(frozen).__name__.removesuffix("_frozen")

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.asarray(frozen.rvs(size=n, random_state=rng), dtype=float).reshape(n, -1)

    if kind == "multivariate_normal":
        return normal_law(frozen.mean, frozen.cov, name)
    if kind == "dirichlet":
        alpha = tuple(np.asarray(frozen.alpha, dtype=float).tolist())
        return Law(
            f"dirichlet{alpha}",
            _silent(lambda x: frozen.logpdf(x.T)),
            dimension=len(alpha),
            kind="simplex",
            sample=sample,
            member=Member("dirichlet", alpha),
        )
    draw = np.asarray(frozen.rvs(size=2, random_state=0))
    if draw.ndim != 2:
        raise DataError(f"{name} must be a distribution of vectors; got {kind}, with draws of shape {draw.shape[1:]}.")
    discrete = not hasattr(frozen, "logpdf")
    density = _silent(getattr(frozen, "logpmf" if discrete else "logpdf"))
    return Law(kind, density, dimension=draw.shape[1], kind="lattice" if discrete else "continuous", sample=sample)


def normal_law(mean: Any, covariance: Any, name: str) -> Law:
    """A multivariate normal law; in one dimension, the univariate one."""
    mean, covariance = np.atleast_1d(np.asarray(mean, float)), np.atleast_2d(np.asarray(covariance, float))
    eigenvalues = np.linalg.eigvalsh(covariance)
    if eigenvalues[0] <= len(mean) * np.finfo(float).eps * eigenvalues[-1]:
        raise DataError(
            f"{name} must have a covariance of full rank, or it has no density; got eigenvalues from "
            f"{eigenvalues[0]:.3g} to {eigenvalues[-1]:.3g}. Project onto its range, or use optimal transport."
        )
    if len(mean) == 1:
        return _univariate(stats.norm(mean[0], covariance[0, 0] ** 0.5), name)
    frozen = stats.multivariate_normal(mean, covariance)
    return Law(
        f"multivariate normal in {len(mean)} dimensions",
        _silent(frozen.logpdf),
        dimension=len(mean),
        sample=lambda rng, n: np.asarray(frozen.rvs(size=n, random_state=rng), dtype=float).reshape(n, -1),
        member=Member("multivariate normal", (mean, covariance)),
    )
