"""An f-divergence from nothing but its generator: every part derived numerically, and what was found reported."""

from divergences.f_divergences._generator.assembly import generated
from divergences.f_divergences._generator.found import Found

__all__ = ["Found", "generated"]
