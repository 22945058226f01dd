"""Distances between points, their powers and slopes, taken from differences of coordinates."""

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

METRICS = ("euclidean", "cityblock", "chebyshev")
_cdist: Any = cdist  # its stubs take only literal metric names


def distances(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """All distances (n, m) between the rows of x (n, d) and of y (m, d)."""
    return _cdist(x, y, metric)


def lengths(difference: np.ndarray, metric: str) -> np.ndarray:
    """The norm that goes with `metric`, of each row of `difference` (k, d)."""
    size = np.abs(difference)
    if metric == "chebyshev" or size.shape[1] == 1:
        return np.max(size, axis=1)
    return np.sum(size, axis=1) if metric == "cityblock" else np.sqrt(np.sum(size * size, axis=1))


def raised(distance: np.ndarray, power: float) -> np.ndarray:
    """distance**power, in place."""
    return distance if power == 1 else np.power(distance, power, out=distance)


def slopes(difference: np.ndarray, metric: str, power: float) -> np.ndarray:
    """The gradient (k, d) of length**power at each difference (k, d), 0 at 0."""
    distance = lengths(difference, metric)[:, None]
    if metric == "cityblock":
        direction = np.sign(difference)
    elif metric == "chebyshev":
        peak = np.argmax(np.abs(difference), axis=1)
        direction = np.zeros_like(difference)
        each = np.arange(len(difference))
        direction[each, peak] = np.sign(difference[each, peak])
    else:
        direction = np.divide(difference, distance, out=np.zeros_like(difference), where=distance > 0)
    return direction if power == 1 else power * distance ** (power - 1) * direction
