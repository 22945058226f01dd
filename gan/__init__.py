"""Generative adversarial networks: a compact trainer for many seeds at once, measured by `divergences`."""

from gan.config import Config
from gan.data import DATASETS
from gan.networks import Architecture
from gan.objectives import OBJECTIVES
from gan.penalties import PENALTIES
from gan.recipes import RECIPES
from gan.snapshot import Snapshot
from gan.train import train

__all__ = ["DATASETS", "OBJECTIVES", "PENALTIES", "RECIPES", "Architecture", "Config", "Snapshot", "train"]
