"""Where a training runs: what decides its last bits beside its configuration."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from divergences.errors import DataError
from divergences.wording import plain
from gan import distributed
from gan.folder import read_json

SAME_BITS = ("threads", "processes", "torch", "machine")


def environment() -> dict[str, Any]:
    """What decides the last bits of a training here, beside its configuration, and the versions behind it."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.platform(),
        "threads": torch.get_num_threads(),
        "processes": distributed.processes(),
    }


def elsewhere(folder: Path) -> list[str]:
    """How the run in `folder` began, in words, wherever that was unlike here and the last bits may differ for it."""
    try:
        held = read_json(folder / "environment.json")
    except (OSError, DataError):
        return []
    here = environment()
    unlike = [name for name in SAME_BITS if isinstance(held, dict) and held.get(name) not in (None, here[name])]
    return [f"{name} {plain(held[name], 80)}, here {here[name]}" for name in unlike]
