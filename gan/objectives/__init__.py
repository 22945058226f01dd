"""What critic and generator minimise, as functions of the critic's outputs."""

from collections.abc import Mapping
from types import MappingProxyType

from divergences.f_divergences.catalogue import CATALOGUE
from gan.objectives.base import Objective, Separable
from gan.objectives.energies import BoundaryEquilibrium, EnergyBased
from gan.objectives.features import MMD, FeatureMatching, Sinkhorn
from gan.objectives.scores import (
    Hinge,
    LeastSquares,
    MaximumLikelihood,
    Minimax,
    NonSaturating,
    Relativistic,
    Variational,
    Wasserstein,
)

__all__ = [
    "MMD",
    "OBJECTIVES",
    "BoundaryEquilibrium",
    "EnergyBased",
    "FeatureMatching",
    "Hinge",
    "LeastSquares",
    "MaximumLikelihood",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Relativistic",
    "Separable",
    "Sinkhorn",
    "Variational",
    "Wasserstein",
]


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "minimax": Minimax(),
        "nonsaturating": NonSaturating(),
        "max-likelihood": MaximumLikelihood(),
        "label-smoothing": NonSaturating(smoothing=0.9),
        "least-squares": LeastSquares(),
        "hinge": Hinge(),
        "relativistic": Relativistic(),
        "wasserstein": Wasserstein(),
        "ebgan": EnergyBased(),
        "began": BoundaryEquilibrium(),
        "mmd": MMD(),
        "sinkhorn": Sinkhorn(),
        "feature-matching": FeatureMatching(),
        **{f"fgan-{name.replace('_', '-')}": Variational(d) for name, d in CATALOGUE.items()},
    }
)
"""Every objective by name; `fgan-<divergence>` for every entry of `divergences.CATALOGUE`."""
