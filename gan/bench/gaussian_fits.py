"""The Gaussian nearest to a mixture on the line, by quadrature: what a fit under a divergence would be at its best."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import minimize, root_scalar
from scipy.special import logsumexp, ndtr, ndtri

from divergences._checks import choice, positive, real_number
from divergences.errors import DataError
from divergences.f_divergences.catalogue import CATALOGUE
from divergences.f_divergences.f_divergence import FDivergence
from gan.data.mixtures import MIXTURE1D, GaussianMixture

NAMES = (*CATALOGUE, "w1", "w2")
CORNERS = {CATALOGUE["total_variation"]: 0.0, CATALOGUE["hockey_stick"]: np.log(2)}  # of the generators, in log(p / q)
STEPS = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12])  # of a panel's ends, in standard deviations
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fit:
    """A Gaussian and its divergence from the target."""

    mean: float
    sd: float
    value: float


@dataclass(frozen=True)
class _Line:
    """A mixture of Gaussians on the line: the components as arrays (K,)."""

    weights: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    def log_density(self, x: np.ndarray) -> np.ndarray:
        z = (x[..., None] - self.means) / self.sds
        return logsumexp(np.log(self.weights / self.sds) - z * z / 2, axis=-1) - np.log(2 * np.pi) / 2

    def below(self, x: np.ndarray) -> np.ndarray:
        """The distribution function; `above` is one less it, without cancellation."""
        return ndtr((x[..., None] - self.means) / self.sds) @ self.weights

    def above(self, x: np.ndarray) -> np.ndarray:
        return ndtr((self.means - x[..., None]) / self.sds) @ self.weights

    def edges(self) -> np.ndarray:
        """Ends of panels about each component: its tails beyond the last are below 1e-32."""
        return (self.means[:, None] + self.sds[:, None] * np.concatenate([-STEPS, STEPS])).ravel()


def divergence(name: str, mean: float, sd: float, target: GaussianMixture = MIXTURE1D) -> float:
    """D(p, q) of a mixture p on the line and q = N(mean, sd^2), by Gauss-Legendre quadrature.

    Args: name: of an entry of `divergences.CATALOGUE`, in nats; w1 or w2, in units of the line.
    Infinite where it is: a chi-squared divergence whose denominator has the narrower tails.

    Raises DataError for a name that there is not, a mean that is not finite, an sd that is not positive, a target in
    more dimensions.

    >>> divergence("kl", 1.0, 2.0), divergence("pearson", 1.0, 1.0)
    (0.2903, inf)
    """
    choice(name, NAMES, "divergence")
    return _divergence(name, _line(target), real_number(mean, "mean"), positive(sd, "sd"))


@cache
def nearest(name: str, target: GaussianMixture = MIXTURE1D) -> Fit:
    """The Gaussian of least D(p, q); see `divergence`.

    Found by Nelder and Mead from the target's own moments, as accurately as values of 1e-15 tell: to about 1e-7.

    >>> nearest("kl")  # its own moments
    Fit(mean=1.01, sd=1.8311, value=0.2830)
    """
    choice(name, NAMES, "divergence")
    p = _line(target)
    mean = float(p.weights @ p.means)
    sd = float(np.sqrt(p.weights @ ((p.means - mean) ** 2 + p.sds**2)))

    def value(theta: np.ndarray) -> float:
        return _divergence(name, p, float(theta[0]), float(np.exp(theta[1])))

    options = {"xatol": 1e-9, "fatol": 1e-15, "maxfev": 500}
    found = minimize(value, [mean, np.log(sd)], method="Nelder-Mead", options=options)
    return Fit(float(found.x[0]), float(np.exp(found.x[1])), float(found.fun))


def _line(target: GaussianMixture) -> _Line:
    if target.dimension != 1:
        raise DataError(f"target must be a mixture on the line; its points are of dimension {target.dimension}.")
    return _Line(np.array(target.weights), np.array(target.means)[:, 0], np.array(target.sigmas))


def _divergence(name: str, p: _Line, mean: float, sd: float) -> float:
    q = _Line(np.ones(1), np.array([mean]), np.array([sd]))
    edges = np.concatenate([p.edges(), q.edges()])
    if name == "w1":
        return _integral(lambda x: np.abs(p.below(x) - q.below(x)), edges, lambda x: p.below(x) - q.below(x))
    if name == "w2":
        return _w2(p, mean, sd)
    return _f_divergence(CATALOGUE[name], p, q, edges)


def _f_divergence(d: FDivergence, p: _Line, q: _Line, edges: np.ndarray) -> float:
    """The divergence of the masses that the quadrature's nodes stand for."""
    k = int(p.sds.argmax())
    for _, order in d.alphas:  # p^a q^(1-a), in the tails a Gaussian's, wider than either if a is outside [0, 1]
        precision = order / p.sds[k] ** 2 + (1 - order) / q.sds[0] ** 2
        if precision <= 0:
            return np.inf
        middle = (order * p.means[k] / p.sds[k] ** 2 + (1 - order) * q.means[0] / q.sds[0] ** 2) / precision
        edges = np.concatenate([edges, _Line(np.ones(1), np.array([middle]), np.array([precision**-0.5])).edges()])
    corner = CORNERS.get(d)
    kink = None if corner is None else lambda x: p.log_density(x) - q.log_density(x) - corner
    x, weights = _nodes(edges, kink)
    measure = np.log(weights)
    return float(d(p.log_density(x) + measure, q.log_density(x) + measure, log=True))


def _w2(p: _Line, mean: float, sd: float) -> float:
    """W2^2 = (E X - mean)^2 + Var X + sd^2 - 2 sd E[T(Z) Z], T the increasing map from N(0, 1) to p.

    By parts E[T(Z) Z] = E T'(Z), which is the integral of phi(z) dx over x = T(z): no quantile of p is needed.
    """
    middle = float(p.weights @ p.means)
    variance = float(p.weights @ ((p.means - middle) ** 2 + p.sds**2))

    def height(x: np.ndarray) -> np.ndarray:
        z = ndtri(np.minimum(p.below(x), p.above(x)))
        return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

    return float(np.sqrt(max((middle - mean) ** 2 + variance + sd**2 - 2 * sd * _integral(height, p.edges()), 0.0)))


def _integral(f: Function, edges: np.ndarray, kink: Function | None = None) -> float:
    x, weights = _nodes(edges, kink)
    return float(f(x) @ weights)


def _nodes(edges: np.ndarray, kink: Function | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on panels, which are cut where `kink` changes sign, for there is a corner."""
    edges = np.unique(edges)
    x, weights = _on(edges)
    if kink is None:
        return x, weights
    sign = np.sign(kink(x))
    at = np.flatnonzero(sign[1:] * sign[:-1] < 0)
    scalar = lambda x: float(kink(np.array(x)))
    return _on(np.unique([*edges, *(root_scalar(scalar, bracket=x[k : k + 2], xtol=1e-14).root for k in at)]))


def _on(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * NODES).ravel(), (half[:, None] * WEIGHTS).ravel()
