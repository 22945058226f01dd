"""Numbers between samples: each is a float or an `Estimate`; `compare` computes them all."""

from divergences.samples.comparison import ColumnComparison, Comparison, JointComparison
from divergences.samples.energy import energy_distance
from divergences.samples.estimation import estimate
from divergences.samples.frechet import frechet_distance, gaussian_wasserstein
from divergences.samples.kernel_test import MMDTest, mmd_test
from divergences.samples.kernels import Gaussian, mmd
from divergences.samples.tables import compare

__all__ = [
    "ColumnComparison",
    "Comparison",
    "Gaussian",
    "JointComparison",
    "MMDTest",
    "compare",
    "energy_distance",
    "estimate",
    "frechet_distance",
    "gaussian_wasserstein",
    "mmd",
    "mmd_test",
]
