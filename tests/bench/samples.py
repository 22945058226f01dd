"""Numbers between samples: energy distance on the line, the Fréchet distance, and the aggregated kernel test."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.stats

import divergences as dv

Contestants = dict[str, Callable[[], Any]]
sqrtm: Any = scipy.linalg.sqrtm  # its stubs cannot tell arrays from tuples


def energy_on_the_line() -> Contestants:
    """Two sorts and a merge; SciPy's is the root."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=1_000_000), rng.normal(0.1, 1.2, 1_000_000)
    return {
        "dv.energy_distance": lambda: dv.energy_distance(x, y),
        "scipy energy_distance²": lambda: scipy.stats.energy_distance(x, y) ** 2,
    }


def frechet() -> Contestants:
    """Moments, and a trace norm; the published code takes the root of a product of covariances."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2000, 256)), rng.normal(0.1, 1.1, (2000, 256))

    def published() -> float:
        gap, a, b = x.mean(0) - y.mean(0), np.cov(x.T), np.cov(y.T)
        return float(gap @ gap + np.trace(a + b - 2 * sqrtm(a @ b).real))

    return {"dv.frechet_distance": lambda: dv.frechet_distance(x, y), "scipy sqrtm": published}


def kernel_test() -> Contestants:
    """Six bandwidths under 99 permutations as matrix products, against one loop over permutations and bandwidths."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(500, 2)), rng.normal(0.2, 1, (500, 2))

    def loop() -> None:
        for kernel in dv.mmd_test(x, y, permutations=1, rng=0).kernels:
            matrix = kernel(np.concatenate([x, y]), np.concatenate([x, y]))
            for _ in range(99):
                rows = rng.permutation(1000)
                first, second = rows[:500], rows[500:]
                for a, b in ((first, first), (second, second), (first, second)):
                    matrix[np.ix_(a, b)].sum()

    return {
        "dv.mmd_test": lambda: dv.mmd_test(x, y, permutations=99, rng=0).statistic,
        "NumPy, one permutation at a time": loop,
    }


CASES = {
    "energy distance in 1-D, n = 1e6": energy_on_the_line,
    "Fréchet distance, n = 2,000, d = 256": frechet,
    "two-sample test, 6 kernels, 99 permutations, n = 500": kernel_test,
}
