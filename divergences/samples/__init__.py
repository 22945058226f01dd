"""Numbers between samples: each is a float or an `Estimate`; and one column, or all together, of two tables."""

from divergences.samples.comparison import ColumnComparison, JointComparison
from divergences.samples.energy import energy_distance
from divergences.samples.estimation import estimate
from divergences.samples.frechet import frechet_distance, gaussian_wasserstein
from divergences.samples.kernel_test import MMDTest, mmd_test
from divergences.samples.kernels import Gaussian, mmd

__all__ = [
    "ColumnComparison",
    "Gaussian",
    "JointComparison",
    "MMDTest",
    "energy_distance",
    "estimate",
    "frechet_distance",
    "gaussian_wasserstein",
    "mmd",
    "mmd_test",
]
