"""The mean of critic values, on samples or on weighted atoms."""

from typing import Any

from divergences._arrays import Array, namespace
from divergences._checks import probabilities, same_outcomes
from divergences.errors import DataError


def expectation(values: Array, weights: Any, name: str) -> Array:
    """The mean over the last axis; `weights` are probabilities, None for equal ones."""
    xp = namespace(values)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise DataError(f"t_{name} must hold at least one critic value; got shape {tuple(values.shape)}.")
    if weights is None:
        return xp.mean(values, axis=-1)
    weights = probabilities(weights, name)
    namespace(values, weights)
    same_outcomes(values, weights)
    # A mass of zero does not charge an infinite value.
    return xp.sum(weights * xp.where(weights == 0, xp.zeros_like(values), values), axis=-1)
