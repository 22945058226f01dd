"""The theory bench: small games whose dynamics are known in closed form, and every recipe's place among them."""

from gan.dynamics.closed_forms import BILINEAR, SLOPES, alternating_contraction, dirac_eigenvalues
from gan.dynamics.dirac import dirac, neutral_score
from gan.dynamics.fields import DifferentiableGame, bilinear, derivative, eigenvalues, jacobian
from gan.dynamics.updates import UPDATES, contraction, linear_part, trajectory

__all__ = [
    "BILINEAR",
    "SLOPES",
    "UPDATES",
    "DifferentiableGame",
    "alternating_contraction",
    "bilinear",
    "contraction",
    "derivative",
    "dirac",
    "dirac_eigenvalues",
    "eigenvalues",
    "jacobian",
    "linear_part",
    "neutral_score",
    "trajectory",
]
