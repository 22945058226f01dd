"""How far apart two distributions are, with a proof beside every number.

Order `(p, q)`: p is the data distribution. Nats. The last axis holds the outcomes. See docs/conventions.md.
"""

from divergences._results import Estimate, Interval
from divergences.bounds import Inequalities, Inequality, inequalities
from divergences.catalogue import (
    CATALOGUE,
    alpha,
    gan_value,
    hockey_stick,
    jeffreys,
    js,
    js_distance,
    kl,
    le_cam,
    neyman,
    pearson,
    reverse_kl,
    squared_hellinger,
    total_variation,
    weighted_js,
)
from divergences.comparing import Comparison, compare
from divergences.densities.mixture import Mixture
from divergences.errors import ConvergenceError, DataError, FileFormatError, NotNormalizedError
from divergences.f_divergence import FDivergence
from divergences.files import Column, Table, read_table
from divergences.optimal_transport import (
    Exact,
    LinearProgram,
    MaxSliced,
    Sinkhorn,
    TransportResult,
    UnbalancedResult,
    Univariate,
    kantorovich_rubinstein,
    max_sliced_wasserstein,
    partial_transport,
    sinkhorn_divergence,
    sliced_wasserstein,
    transport,
    unbalanced_transport,
    wasserstein,
)
from divergences.profiles import Profile
from divergences.renyi import bhattacharyya, chernoff, renyi
from divergences.samples import (
    MMDTest,
    energy_distance,
    estimate,
    frechet_distance,
    gaussian_wasserstein,
    mmd,
    mmd_test,
)

__all__ = [
    "CATALOGUE",
    "Column",
    "Comparison",
    "ConvergenceError",
    "DataError",
    "Estimate",
    "Exact",
    "FDivergence",
    "FileFormatError",
    "Inequalities",
    "Inequality",
    "Interval",
    "LinearProgram",
    "MMDTest",
    "MaxSliced",
    "Mixture",
    "NotNormalizedError",
    "Profile",
    "Sinkhorn",
    "Table",
    "TransportResult",
    "UnbalancedResult",
    "Univariate",
    "alpha",
    "bhattacharyya",
    "chernoff",
    "compare",
    "energy_distance",
    "estimate",
    "frechet_distance",
    "gan_value",
    "gaussian_wasserstein",
    "hockey_stick",
    "inequalities",
    "jeffreys",
    "js",
    "js_distance",
    "kantorovich_rubinstein",
    "kl",
    "le_cam",
    "max_sliced_wasserstein",
    "mmd",
    "mmd_test",
    "neyman",
    "partial_transport",
    "pearson",
    "read_table",
    "renyi",
    "reverse_kl",
    "sinkhorn_divergence",
    "sliced_wasserstein",
    "squared_hellinger",
    "total_variation",
    "transport",
    "unbalanced_transport",
    "wasserstein",
    "weighted_js",
]
