"""What critic and generator minimise, as functions of the critic's outputs."""

from collections.abc import Mapping
from types import MappingProxyType

from divergences.f_divergences.catalogue import CATALOGUE
from gan.objectives import features, scores
from gan.objectives.base import Objective, Separable

__all__ = ["OBJECTIVES", "Objective", "Separable"]

OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "minimax": scores.Minimax(),
        "nonsaturating": scores.NonSaturating(),
        "max-likelihood": scores.MaximumLikelihood(),
        "label-smoothing": scores.NonSaturating(smoothing=0.9),
        "least-squares": scores.LeastSquares(),
        "hinge": scores.Hinge(),
        "relativistic": scores.Relativistic(),
        "wasserstein": scores.Wasserstein(),
        "ebgan": scores.EnergyBased(),
        "began": scores.BoundaryEquilibrium(),
        "mmd": features.MMD(),
        "sinkhorn": features.Sinkhorn(),
        "feature-matching": features.FeatureMatching(),
        **{f"fgan-{name.replace('_', '-')}": scores.Variational(d) for name, d in CATALOGUE.items()},
    }
)
"""Every objective by name; `fgan-<divergence>` for every entry of `divergences.CATALOGUE`."""
