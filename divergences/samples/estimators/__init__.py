"""One file per way to estimate an f-divergence from samples; a new one is a file and a line in `METHODS`."""

from collections.abc import Mapping
from types import MappingProxyType

from divergences.samples.estimators._pair import Method, Pair
from divergences.samples.estimators.histogram import Histogram

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "histogram": Histogram(),
    }
)

__all__ = ["METHODS", "Histogram", "Method", "Pair"]
