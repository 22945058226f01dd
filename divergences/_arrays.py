"""Where NumPy arrays and torch tensors meet.

Formulas are written once against the array-API namespace `xp` of their arguments. Solvers work on
NumPy and re-attach the gradients they know in closed form with `with_gradients`. Nothing here imports
torch unless a tensor has been passed in.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import array_api_compat
import numpy as np

from divergences.errors import DataError

Array = Any  # a NumPy array or a torch tensor; "torch in, torch out"


def is_torch(array: Array) -> bool:
    """True for a torch tensor; does not import torch."""
    return array_api_compat.is_torch_array(array)


def namespace(*arrays: Array) -> Any:
    """The array-API namespace that all `arrays` share; mixing NumPy and torch is refused."""
    kinds = {is_torch(array) for array in arrays}
    if len(kinds) > 1:
        raise DataError(
            "All inputs must be of one kind; got NumPy arrays beside torch tensors. "
            "Convert one side, with torch.as_tensor or tensor.numpy()."
        )
    devices = {str(array.device) for array in arrays if is_torch(array)}
    if len(devices) > 1:
        raise DataError(f"All tensors must be on one device; got {', '.join(sorted(devices))}. Move them with .to().")
    return array_api_compat.array_namespace(*arrays)


def to_numpy(array: Array) -> np.ndarray:
    """A float64 NumPy view or copy, cut off from the autograd graph: only for solvers that re-attach gradients."""
    if is_torch(array):
        array = array.detach().cpu().resolve_neg().numpy()
    return np.asarray(array, dtype=np.float64)


def float64(array: Array) -> Array:
    """`array` in float64, in its own namespace, on its own device, with its gradient."""
    return array.double() if is_torch(array) else np.asarray(array, dtype=np.float64)


def result_dtype(*arrays: Array) -> Any:
    """The floating dtype in which an answer about `arrays` is returned; float64 where none of them is floating."""
    xp = namespace(*arrays)
    floating = [array.dtype for array in arrays if xp.isdtype(array.dtype, "real floating")]
    return xp.result_type(*floating) if floating else xp.float64


def like(value: Array | float, example: Array) -> Array:
    """`value` in the kind of `example`: a 0-d tensor on its device for torch, else NumPy, in a floating dtype."""
    if not is_torch(example):
        return np.asarray(value, dtype=result_dtype(example))[()]
    import torch

    dtype = example.dtype if example.dtype.is_floating_point else torch.float64
    return torch.as_tensor(value, dtype=dtype, device=example.device)


def scalar(array: Array) -> Array:
    """0-d NumPy arrays become scalars; the rest stays."""
    return array if is_torch(array) else array[()]


Slopes = Callable[..., Sequence[Array]]


def elementwise(f: Callable[..., Array], slopes: Slopes, p: Array, q: Array) -> Array:
    """f(p, q) for tensors, elementwise, with the partial derivatives `slopes(p, q)`: no autograd through `where`."""
    return _with_slopes().apply(f, partial(_times, slopes), None, p, q)


def row_sums(f: Callable[..., Array], slopes: Slopes, p: Array, q: Array, *, times: Slopes | None = None) -> Array:
    """f(p, q) for tensors, a sum over the last axis of terms with the partial derivatives `slopes(p, q)`.

    `times(p, q, asked)` gives the slopes times a number for each row in one step, where nobody differentiates it again.
    """
    return _with_slopes().apply(f, lambda p, q, asked: _times(slopes, p, q, asked.unsqueeze(-1)), times, p, q)


def _times(slopes: Slopes, p: Array, q: Array, asked: Array) -> list[Array]:
    """`asked` times the slopes. Atoms that nothing asks about (0) stay out, even where the slope is infinite."""
    ignored = asked == 0
    some = bool(ignored.any())
    return [(slope * asked).masked_fill(ignored, 0) if some else slope * asked for slope in slopes(p, q)]


@cache
def _with_slopes() -> Any:
    import torch

    class WithSlopes(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, f: Any, products: Any, in_one: Any, p: Any, q: Any) -> Any:
            ctx.products, ctx.in_one = products, in_one
            ctx.save_for_backward(p, q)
            return f(p, q)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            sides = ctx.saved_tensors
            # Where grad is enabled, a graph of the gradient is asked for.
            products = ctx.products if ctx.in_one is None or torch.is_grad_enabled() else ctx.in_one
            parts = products(*sides, upstream[0])
            return (None, None, None, *(part.sum_to_size(side.shape) for part, side in zip(parts, sides, strict=True)))

    return WithSlopes


def with_gradients(value: float, inputs: Sequence[Array], gradients: Sequence[np.ndarray | None]) -> Array:
    """`value` as a 0-d tensor whose gradient with respect to `inputs[k]` is `gradients[k]`.

    It is how a solver that runs in NumPy joins the autograd graph: by the envelope theorem the gradient of an
    optimal value is known in closed form from the optimal plan and potentials. None stands for "no gradient".
    """
    import torch

    tensors = [(t, g) for t, g in zip(inputs, gradients, strict=True) if g is not None and t.requires_grad]
    base = like(value, inputs[0])
    if not tensors:
        return base

    class Envelope(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            return base.clone()

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            return tuple(upstream[0] * torch.as_tensor(g, dtype=t.dtype, device=t.device) for t, g in tensors)

    return Envelope.apply(*(t for t, _ in tensors))
