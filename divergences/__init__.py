"""How far apart two distributions are, with a proof beside every number."""

from divergences._results import Estimate, Interval
from divergences.catalogue import (
    CATALOGUE,
    gan_value,
    jeffreys,
    js,
    js_distance,
    kl,
    neyman,
    pearson,
    reverse_kl,
    squared_hellinger,
    total_variation,
    weighted_js,
)
from divergences.errors import ConvergenceError, DataError, FileFormatError, NotNormalizedError
from divergences.f_divergence import FDivergence

__all__ = [
    "CATALOGUE",
    "ConvergenceError",
    "DataError",
    "Estimate",
    "FDivergence",
    "FileFormatError",
    "Interval",
    "NotNormalizedError",
    "gan_value",
    "jeffreys",
    "js",
    "js_distance",
    "kl",
    "neyman",
    "pearson",
    "reverse_kl",
    "squared_hellinger",
    "total_variation",
    "weighted_js",
]
