"""Derivatives of a function known by its values only: piecewise Chebyshev interpolation in x = log u.

Panels are halved until the interpolant is resolved, so that a kink ends up alone in a panel as wide as rounding and
no panel that is differentiated straddles one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from divergences.errors import DataError

DEGREE = 12
WIDTH = 0.5
NARROWEST = 2.0**-46
KINKED = 1e-7
MOST_PANELS = 40_000
_NODES = chebyshev.chebpts1(DEGREE + 1)
_COEFFICIENTS = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))


@dataclass(frozen=True, eq=False)
class Panels:
    """An interpolant of y(x) = f(e^x): `edges` (n+1,) and Chebyshev coefficients (n, DEGREE+1) per panel."""

    edges: np.ndarray
    coefficients: np.ndarray
    dtype: Any

    @classmethod
    def of(cls, y: Callable[[np.ndarray], np.ndarray], low: float, high: float, scale: float, dtype: Any) -> "Panels":
        """Panels on [low, high] with an edge at 0; values below `scale` times rounding are noise."""
        left = np.linspace(low, 0.0, max(int(np.ceil(-low / WIDTH)), 1) + 1)
        right = np.linspace(0.0, high, max(int(np.ceil(high / WIDTH)), 1) + 1)
        edges = np.concatenate([left, right[1:]])
        todo, done = (edges[:-1], edges[1:]), []
        while len(todo[0]):
            a, b = todo
            coefficients, unresolved = _interpolate(y, a, b, scale, dtype)
            split = unresolved & (b - a > NARROWEST)
            done.append((a[~split], b[~split], coefficients[~split]))
            if sum(len(part[0]) for part in done) + 2 * split.sum() > MOST_PANELS:
                raise DataError(
                    "f must be piecewise smooth to be differentiated from its values; it has too many kinks or jumps, "
                    "or is known to too few digits. Write it with NumPy functions of an array."
                )
            middle = (a[split] + b[split]) / 2
            todo = np.concatenate([a[split], middle]), np.concatenate([middle, b[split]])
        a, b, c = (np.concatenate(parts) for parts in zip(*done, strict=True))
        order = np.argsort(a)
        return cls(np.append(a[order], b[order][-1]), c[order], dtype)

    def jet(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(f, f', f'') at u, from the right at an edge."""
        x = np.log(u)
        i = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.edges) - 2)
        half = (self.edges[i + 1] - self.edges[i]) / 2
        z = (x - self.edges[i]) / half - 1
        c = np.moveaxis(self.coefficients[i], -1, 0)
        y0 = chebyshev.chebval(z, c, tensor=False)
        y1 = chebyshev.chebval(z, chebyshev.chebder(c), tensor=False) / half
        y2 = chebyshev.chebval(z, chebyshev.chebder(c, 2), tensor=False) / half**2
        return y0, y1 / u, (y2 - y1) / u / u

    def kinks(self) -> np.ndarray:
        """The x at which panels had to become far narrower than a smooth function asks, each once."""
        width = np.diff(self.edges)
        narrow = np.flatnonzero(width <= KINKED)
        if not len(narrow):
            return np.zeros(0)
        groups = np.split(narrow, np.flatnonzero(np.diff(self.edges[narrow]) > 16 * KINKED) + 1)
        return np.array([self.edges[g[np.argmin(width[g])]] for g in groups])


def _interpolate(y: Any, a: np.ndarray, b: np.ndarray, scale: float, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients per panel, and which panels they do not resolve."""
    middle, half = (a + b) / 2, (b - a) / 2
    x = middle[:, None] + half[:, None] * _NODES
    values = y(x.ravel()).reshape(x.shape)
    centre = values[:, DEGREE // 2, None]  # taken out first: only what varies is rounded by the matrix
    coefficients = (values - centre) @ _COEFFICIENTS.T.astype(dtype)
    coefficients[:, 0] += centre[:, 0]
    noise = 1e-13 * (np.abs(values).max(axis=1) + scale)
    tail = np.abs(coefficients[:, -2:]).max(axis=1)
    return coefficients, ~(tail <= noise)
