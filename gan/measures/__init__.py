"""What a generator is worth, measured against the target: per seed, with the values that a perfect one gets."""

from gan.measures.catalogue import MEASURES, Measure, applicable, default_measures
from gan.measures.reference import SAMPLES, Reference

__all__ = ["MEASURES", "SAMPLES", "Measure", "Reference", "applicable", "default_measures"]
