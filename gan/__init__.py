"""Generative adversarial networks: a compact trainer for many seeds at once, measured by `divergences`.

Where to begin to read, and in which order:

1. `random`, then `networks.chain` and `networks.perceptron`: numbers and networks of many seeds in one tensor.
2. `objectives.base` with a few of `objectives.scores`, `penalties`, `constraints`, `optimisers`, `tricks`: the parts.
3. `conditions`, `recipes`, `config`: parts are named together, and an experiment names a recipe.
4. `game`, `train`, `snapshot`: the whole of training. Who has read this far can change a recipe.
5. `data.laws`, `data.rows`: the two kinds of targets; `measures.sample`, `measures.reference`, `measures.catalogue`.
6. `folder`, `checkpoint`, `records`, `runs`, `cli`: what is on disk, and the commands.
7. `bench.protocol`, `bench.bench`, `bench.table`: many runs and one table of them.

To be left out until one is needed: the other networks, objectives and data sets, single measures, `distributed`,
presets (`bench.protocols`, `bench.purposes` are literals), pages and figures, and `dynamics`, which stands alone.
"""

from gan.config import Config
from gan.data import DATASETS
from gan.networks import Architecture
from gan.objectives import OBJECTIVES
from gan.penalties import PENALTIES
from gan.recipes import RECIPES
from gan.snapshot import Snapshot
from gan.train import train

__all__ = ["DATASETS", "OBJECTIVES", "PENALTIES", "RECIPES", "Architecture", "Config", "Snapshot", "train"]
