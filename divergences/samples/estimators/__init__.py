"""One file per way to estimate an f-divergence from samples; a new one is a file and a line in `METHODS`."""

from collections.abc import Mapping
from types import MappingProxyType

from divergences.samples.estimators._pair import Method, Pair
from divergences.samples.estimators.density_ratio import DensityRatio
from divergences.samples.estimators.histogram import Histogram
from divergences.samples.estimators.kernel_density import KernelDensity
from divergences.samples.estimators.nearest_neighbour import NearestNeighbour
from divergences.samples.estimators.variational import DonskerVaradhan, Variational

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "histogram": Histogram(),
        "nearest_neighbour": NearestNeighbour(),
        "kernel_density": KernelDensity(),
        "logistic": DensityRatio("logistic"),
        "ulsif": DensityRatio("ulsif"),
        "variational": Variational(),
        "donsker_varadhan": DonskerVaradhan(),
    }
)

__all__ = [
    "METHODS",
    "DensityRatio",
    "DonskerVaradhan",
    "Histogram",
    "KernelDensity",
    "Method",
    "NearestNeighbour",
    "Pair",
    "Variational",
]
