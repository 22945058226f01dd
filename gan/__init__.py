"""Generative adversarial networks: a compact trainer for many seeds at once, measured by `divergences`."""

from gan.config import Config
from gan.data import DATASETS
from gan.objectives import OBJECTIVES
from gan.penalties import PENALTIES
from gan.recipes import RECIPES
from gan.train import Snapshot, train

__all__ = ["DATASETS", "OBJECTIVES", "PENALTIES", "RECIPES", "Config", "Snapshot", "train"]
