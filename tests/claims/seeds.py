"""What claims about training say: a statistic over seeds, its interval, and a bound that other seeds keep as well."""

from typing import Any

import numpy as np

from divergences.claims import Claim
from gan.statistic import Statistic


def _described(what: str, values: np.ndarray) -> str:
    found = Statistic.of(values)
    interval = "" if found.low is None else f", 95 % interval ({found.low:.3g}, {found.high:.3g})"
    return f"{what}: mean of {len(values)} seeds{interval}"


def mean_at_least(claim: Claim, what: str, values: Any, bound: float) -> None:
    """Assert that the mean over seeds reaches the bound; a seed that diverged, NaN, does not let it."""
    values = np.asarray(values, dtype=float)
    claim.at_least(_described(what, values), measured=values.mean(), bound=bound)


def mean_at_most(claim: Claim, what: str, values: Any, bound: float) -> None:
    """Assert that the mean over seeds keeps below the bound; a seed that diverged, NaN, does not let it."""
    values = np.asarray(values, dtype=float)
    claim.at_most(_described(what, values), measured=values.mean(), bound=bound)
