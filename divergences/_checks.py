"""The border: the only place that decides whether an input can be used, and says why not.

Inside the library nothing is checked again.
"""

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from divergences._arrays import Array, float64, is_torch, namespace, result_dtype, to_numpy
from divergences._numerics import quiet
from divergences._rows import BLOCK, divide_rows, row_totals
from divergences.errors import DataError, NotNormalizedError

NAN_POLICIES = ("raise", "omit")


class UnknownNameError(DataError):
    """A name that is not on a list: on a command line a matter of usage."""


def choice(value: Any, options: Iterable[Any], name: str) -> Any:
    """`value`, or an error that names the nearest of `options`."""
    options = list(options)
    if value in options:
        return value
    near = difflib.get_close_matches(str(value), [str(option) for option in options], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UnknownNameError(f"{name} must be one of {', '.join(map(str, options))}; got {value!r}.{hint}")


def scalar_or_nan(value: Any) -> float:
    """`value` as a float; NaN for what is no number, text and truth values among it."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def positive(value: Any, name: str, *, minimum: float = 0.0, strict: bool = True) -> float:
    """A finite real number above `minimum` (or equal to it, unless `strict`)."""
    number = scalar_or_nan(value)
    if not math.isfinite(number) or number < minimum or (strict and number == minimum):
        relation = "above" if strict else "at least"
        raise DataError(f"{name} must be a finite number {relation} {minimum:g}; got {value!r}.")
    return number


def real_number(value: Any, name: str) -> float:
    """A finite real number."""
    number = scalar_or_nan(value)
    if not math.isfinite(number):
        raise DataError(f"{name} must be a finite number; got {value!r}.")
    return number


def count(value: Any, name: str, *, minimum: int = 1) -> int:
    """A whole number of at least `minimum`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = minimum - 1
    if isinstance(value, bool | np.bool_) or number < minimum:
        raise DataError(f"{name} must be a whole number of at least {minimum}; got {value!r}.")
    return number


def generator(rng: Any) -> np.random.Generator:
    """A `numpy.random.Generator` from None (fresh entropy), a seed in [0, 2**63) or a generator."""
    if rng is None or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    try:
        seed = operator.index(rng)
    except TypeError:
        seed = -1
    if isinstance(rng, bool | np.bool_) or not 0 <= seed < 2**63:
        raise DataError(f"rng must be a numpy.random.Generator or a whole number from 0 to 2**63 - 1; got {rng!r}.")
    return np.random.default_rng(seed)


def real_array(value: Any, name: str) -> Array:
    """`value` as a NumPy array or torch tensor of real numbers, its dtype kept; never copied, never changed."""
    if is_torch(value):
        if value.is_complex() or not str(value.layout).endswith("strided"):
            raise DataError(f"{name} must be a dense tensor of real numbers; got {value.dtype}, {value.layout}.")
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise DataError(f"{name} is a masked array, whose mask would be lost. Pass value.compressed() or fill it.")
    if isinstance(value, np.matrix) or hasattr(value, "toarray"):
        raise DataError(f"{name} must be a plain array; got {type(value).__name__}. Pass np.asarray or .toarray().")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name} must be an array of real numbers; {error}.") from None
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{name} must hold real numbers; got dtype {array.dtype}. Convert or drop what is not a number."
        )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        raise DataError(f"{name} must be at most float64, in which everything is computed; got {array.dtype}.")
    return array


def finite(array: Array, name: str) -> Array:
    """`array`, or an error that counts its NaNs and infinities and names where the first one stands."""
    xp = namespace(array)
    bad = ~xp.isfinite(array)
    if bool(xp.any(bad)):
        host = np.asarray(bad.detach().cpu() if is_torch(bad) else bad)
        first = tuple(int(i) for i in np.argwhere(host)[0])
        places = {0: "", 1: " at index {}", 2: " at row {}, column {}"}
        where = places.get(len(first), f" at index {first}").format(*first)
        raise DataError(
            f"{name} must be finite; got {int(host.sum())} NaN or infinite of {host.size} values, "
            f"the first ({array[first].item()}){where}. "
            "Clean the data, or drop rows with NaN by nan_policy='omit' where it is offered."
        )
    return array


def floating(value: Any, name: str) -> Array:
    """Real numbers in a floating dtype (integers become float64), NaN refused, infinities allowed."""
    array = real_array(value, name)
    xp = namespace(array)
    if not xp.isdtype(array.dtype, "real floating"):
        array = xp.astype(array, xp.float64)
    if bool(xp.any(xp.isnan(array))):
        raise DataError(f"{name} must not hold NaN; got {int(xp.sum(xp.isnan(array)))} of {math.prod(array.shape)}.")
    return array


def masses(value: Any, name: str) -> Array:
    """Finite, nonnegative masses in float64, any shape with a last axis of at least one outcome."""
    return _masses_and_totals(real_array(value, name), name)[0]


def _masses_and_totals(array: Array, name: str) -> tuple[Array, Array]:
    if array.ndim == 0 or array.shape[-1] == 0:
        raise DataError(f"{name} must have at least one outcome on its last axis; got shape {tuple(array.shape)}.")
    array = float64(array)
    if math.prod(array.shape) > BLOCK and str(array.device) == "cpu":
        total, sound = row_totals(to_numpy(array))
        if sound:
            return array, namespace(array).asarray(total)
    array = finite(array, name)
    if bool((array < 0).any()):
        raise DataError(f"{name} must not be negative; got a minimum of {array.min().item():g}.")
    with quiet():
        return array, namespace(array).sum(array, axis=-1, keepdims=True)


def probabilities(value: Any, name: str, *, normalize: bool = False) -> Array:
    """Probability vectors on the last axis, in float64.

    A sum that is one up to the rounding of k additions is left as it is. Within 1e-6 of one (1e-5 for float32, the
    rounding unit of half precision) it is rescaled, the divisor being treated as a constant by gradients. Beyond that
    `NotNormalizedError`, unless `normalize` divides: then the division is part of the function, and gradients see it.
    """
    given = real_array(value, name)
    array, total = _masses_and_totals(given, name)
    xp = namespace(array)
    if normalize:
        largest = xp.max(array, axis=-1, keepdims=True)
        if bool((largest == 0).any()):
            raise NotNormalizedError(f"{name} must have a positive sum to be normalised; got 0.")
        # Division in two steps: sums that overflow or are subnormal stay exact to rounding.
        array = _divided(array, largest.detach() if is_torch(largest) else largest)
        return _divided(array, xp.sum(array, axis=-1, keepdims=True))
    tolerance = sum_tolerance(given.dtype)
    excess = xp.abs(total - 1)
    if not bool(xp.all(excess <= tolerance)):
        worst = xp.reshape(total, (-1,))[int(xp.argmax(xp.reshape(excess, (-1,))))].item()
        raise NotNormalizedError(
            f"{name} must sum to one within {tolerance:g} on its last axis; got a sum of {worst:.9g}. "
            "Pass normalize=True if these are weights."
        )
    rounding = array.shape[-1] * np.finfo(np.float64).eps
    if bool(xp.all(excess <= rounding)):
        return array
    divisor = xp.where(excess <= rounding, xp.ones_like(total), total)
    return _divided(array, divisor.detach() if is_torch(divisor) else divisor)


def sum_tolerance(dtype: Any) -> float:
    """How far from one the sum of probabilities of this type may be."""
    name = str(dtype).rpartition(".")[2]
    return {"float64": 1e-6, "float32": 1e-5, "float16": 2.0**-10, "bfloat16": 2.0**-7}.get(name, 1e-6)


def _divided(array: Array, divisor: Array) -> Array:
    return array / divisor if is_torch(array) or array.size <= BLOCK else divide_rows(array, divisor)


def log_probabilities(value: Any, name: str, *, normalize: bool = False) -> Array:
    """Logarithms of probability vectors on the last axis, in float64; -inf allowed. `normalize` takes any logits.

    The rule of `probabilities`, on logarithms: a sum that is one up to rounding is left as it is, one within the
    tolerance is rescaled by a constant, beyond that `NotNormalizedError`. No large number is exponentiated.
    """
    given = real_array(value, name)
    if given.ndim == 0 or given.shape[-1] == 0:
        raise DataError(f"{name} must have at least one outcome on its last axis; got shape {tuple(given.shape)}.")
    array = float64(given)
    xp = namespace(array)
    bad = xp.isnan(array) | (array == np.inf)
    if bool(xp.any(bad)):
        raise DataError(
            f"{name} must hold log-probabilities, finite or -inf; "
            f"got {int(xp.sum(bad))} NaN or inf of {math.prod(array.shape)}."
        )
    largest = xp.max(array, axis=-1, keepdims=True)
    largest = largest.detach() if is_torch(largest) else largest
    if bool((largest == -np.inf).any()):
        raise NotNormalizedError(f"{name} must give some outcome a positive probability; got -inf everywhere.")
    with quiet():
        shifted = array - largest
        spread = xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))
        if normalize:
            return shifted - spread
        total = largest + (spread.detach() if is_torch(spread) else spread)
        excess = xp.abs(xp.expm1(total))
    k = array.shape[-1]
    narrow = given.dtype.itemsize < 8 and xp.isdtype(given.dtype, "real floating")
    # A log-probability of about -log k is rounded by log k units.
    tolerance = max(1e-5, float(xp.finfo(given.dtype).eps) * (1 + math.log(k))) if narrow else 1e-6
    if not bool(xp.all(excess <= tolerance)):
        worst = xp.reshape(total, (-1,))[int(xp.argmax(xp.reshape(excess, (-1,))))].item()
        raise NotNormalizedError(
            f"{name} must hold log-probabilities whose exponentials sum to one within {tolerance:g} on its last axis; "
            f"got a log-sum-exp of {worst:.9g} instead of 0. Pass normalize=True if these are logits."
        )
    rounding = k * np.finfo(np.float64).eps
    return array - xp.where(excess <= rounding, xp.zeros_like(total), total)


def mass_pair(p: Any, q: Any, *, normalize: bool = False, log: bool = False) -> tuple[Array, Array, Any]:
    """p and q as float64 (log-)probabilities of one kind on the same outcomes, and the dtype to answer in."""
    dtype = result_dtype(real_array(p, "p"), real_array(q, "q"))
    check = log_probabilities if log else probabilities
    p, q = check(p, "p", normalize=normalize), check(q, "q", normalize=normalize)
    same_outcomes(p, q)
    return p, q, dtype


def points(value: Any, name: str, *, nan_policy: str = "raise") -> tuple[Array, Array | None]:
    """Samples as an (n, d) float64 array, and the mask of the rows kept (None: all). 1-D input is one column."""
    choice(nan_policy, NAN_POLICIES, "nan_policy")
    array = real_array(value, name)
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise DataError(
            f"{name} must be samples of shape (n,) or (n, d) with n, d >= 1; got shape {tuple(array.shape)}."
        )
    array = float64(array)
    array = array[:, None] if array.ndim == 1 else array
    if nan_policy == "raise":
        return finite(array, name), None
    xp = namespace(array)
    keep = ~xp.any(xp.isnan(array), axis=1)
    if not bool(xp.any(keep)):
        raise DataError(f"{name} has nothing left once its {array.shape[0]} rows with NaN are omitted.")
    return finite(array[keep], name), keep


def same_dimension(x: Array, y: Array) -> None:
    """Two (n, d) samples must have the same d."""
    if x.shape[1] != y.shape[1]:
        raise DataError(f"x and y must have the same number of columns; got {x.shape[1]} and {y.shape[1]}.")


def same_outcomes(p: Array, q: Array) -> None:
    """Two mass vectors must have the same last axis, and leading axes that broadcast."""
    if p.shape[-1] != q.shape[-1]:
        raise DataError(
            f"p and q must have the same number of outcomes on the last axis; got {p.shape[-1]} and {q.shape[-1]}."
        )
    try:
        np.broadcast_shapes(tuple(p.shape), tuple(q.shape))
    except ValueError:
        raise DataError(
            f"The leading axes of p and q must broadcast; got shapes {tuple(p.shape)} and {tuple(q.shape)}."
        ) from None
