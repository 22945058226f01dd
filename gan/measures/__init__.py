"""What a generator is worth, measured against the target: per seed, with the values that a perfect one gets."""

from gan.measures.catalogue import MEASURES, applicable, default_measures
from gan.measures.measure import Measure
from gan.measures.modes import RADIUS, SHARE, ceiling
from gan.measures.reference import SAMPLES, Judgement, Reference
from gan.measures.sample import Pair, Sample

__all__ = [
    "MEASURES",
    "RADIUS",
    "SAMPLES",
    "SHARE",
    "Judgement",
    "Measure",
    "Pair",
    "Reference",
    "Sample",
    "applicable",
    "ceiling",
    "default_measures",
]
