"""How a user's function can be called, and how its derivatives are had: found by trying, never assumed."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from divergences._numerics import quiet
from divergences.errors import DataError
from divergences.f_divergences._generator.jets import Jet, jet_at
from divergences.f_divergences._generator.panels import Panels

PROBE = (0.2, 0.7, 1.0, 1.9, 6.0)
Derivatives = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Source:
    """A function on u > 0 as one that takes 1-D arrays of `dtype`.

    Attributes:
        value: u -> f(u), not finite where f overflows.
        jet: u -> (f, f', f''); None until `panels` are made from the values.
        dtype: what f is evaluated in: extended precision where f keeps it, else float64.
        calls: "arrays", "scalars" or "tensors".
        derivatives: where f' and f'' come from. by_differences: they lose digits where f hardly varies.
        panels: the interpolants, where they come from these.

    """

    value: Callable[[np.ndarray], np.ndarray]
    jet: Derivatives | None
    dtype: Any
    calls: str
    derivatives: str
    by_differences: bool = False
    panels: Panels | None = None


def source(f: Any, dtype: Any = np.longdouble) -> Source:
    """Find out how `f` can be called: on arrays (in `dtype` if it keeps it), on one number, or on torch tensors."""
    if not callable(f):
        raise DataError(
            f"f must be a function of the ratio u > 0; got {f!r}. Pass for example lambda u: u * np.log(u)."
        )
    for kind in (dtype, np.float64):
        probe = np.array(PROBE, dtype=kind)
        result = _attempt(f, probe)
        if isinstance(result, np.ndarray):
            _wide(result.dtype)
        if _is_array(result, probe) and (kind == np.float64 or result.dtype == kind):
            _check_array(result, f, probe)
            jet = _numpy_jet(f)
            how = "automatic differentiation" if jet else "differences of its values"
            return Source(_on_arrays(f), jet, kind, "arrays", how)
    if _attempt_torch(f):
        return Source(_on_tensors(f), _torch_jet(f), np.float64, "tensors", "torch.autograd")
    first = _attempt(f, PROBE[0])
    if isinstance(first, Exception):
        raise DataError(f"f must take a ratio u > 0; f({PROBE[0]}) raised {type(first).__name__}: {first}") from first
    return Source(_on_scalars(f), None, np.float64, "scalars", "differences of its values")


def with_panels(s: Source, low: float, high: float, scale: float) -> Source:
    """`s`, with derivatives of piecewise interpolants in log u where it has none of its own."""
    if s.jet is not None:
        return s
    panels = Panels.of(lambda x: s.value(np.exp(x.astype(s.dtype))), low, high, scale, s.dtype)
    return replace(s, jet=panels.jet, panels=panels, by_differences=True)


def _attempt(f: Any, u: Any) -> Any:
    """f(u), or the exception it raises: any exception says that f cannot be called this way."""
    with quiet():
        try:
            return f(u)
        except Exception as error:
            return error


def _wide(dtype: Any) -> None:
    if str(dtype).rsplit(".", maxsplit=1)[-1] in ("float16", "float32", "bfloat16"):
        raise DataError(f"f must keep the precision it is called in; it rounds float64 to {dtype}. Leave out the cast.")


def _is_array(result: Any, probe: np.ndarray) -> bool:
    return isinstance(result, np.ndarray) and result.shape == probe.shape and result.dtype.kind in "fiub"


def _check_array(result: np.ndarray, f: Any, probe: np.ndarray) -> None:
    """The same numbers one at a time: a function that looks at the whole array is not one of the ratio."""
    with quiet():
        alone = np.array([np.asarray(f(probe[i : i + 1])).ravel()[0] for i in range(len(probe))], dtype=float)
    bad = ~np.isclose(alone, result.astype(float), rtol=1e-9, atol=1e-9, equal_nan=True)
    if bad.any():
        i = int(np.argmax(bad))
        raise DataError(
            f"f must act on each ratio alone; f({probe[i]:g}) is {alone[i]:.9g} by itself and {result[i]:.9g} "
            "inside an array."
        )


def _on_arrays(f: Any) -> Callable[[np.ndarray], np.ndarray]:
    def value(u: np.ndarray) -> np.ndarray:
        with quiet():
            result = np.asarray(f(u))
        if result.shape != u.shape:
            raise DataError(f"f must return one number per ratio; got shape {result.shape} for {u.shape}.")
        return result.astype(u.dtype, copy=False)

    return value


def _on_scalars(f: Any) -> Callable[[np.ndarray], np.ndarray]:
    def one(u: float) -> float:
        try:
            result = f(u)
            if np.ndim(result) or isinstance(result, complex | np.complexfloating):
                raise TypeError(f"it is {result!r}")
            return float(result)
        except OverflowError:  # Python's math raises where NumPy's gives inf
            return np.inf
        except Exception as error:
            raise DataError(f"f must return a real number at every ratio u > 0; at u = {u:g}: {error}.") from error

    def value(u: np.ndarray) -> np.ndarray:
        with quiet():
            return np.array([one(float(x)) for x in u], dtype=np.float64)

    return value


def _numpy_jet(f: Any) -> Derivatives | None:
    """Derivatives by `Jet`, where f is made of functions it knows and they agree with differences of its values."""

    def jet(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with quiet():
            result = f(jet_at(u))
        parts = (result.value, result.first, result.second) if isinstance(result, Jet) else (result, 0.0, 0.0)
        value, first, second = (np.broadcast_to(np.asarray(part, dtype=u.dtype), u.shape) for part in parts)
        return value, first, second

    u = np.array(PROBE) * 1.01  # away from 1, where many f have a kink
    result = _attempt(jet, u)
    if isinstance(result, Exception):
        return None
    value, first, second = result
    with quiet():
        v, h = _on_arrays(f), 1e-4 * u
        slope = (v(u + h) - v(u - h)) / (2 * h)
        agrees = np.allclose(value, v(u), rtol=1e-12, atol=1e-14) and np.allclose(first, slope, rtol=1e-4, atol=1e-6)
    return jet if agrees and np.all(np.isfinite(second)) else None


def _torch(u: np.ndarray) -> Any:
    return sys.modules["torch"].as_tensor(u, dtype=sys.modules["torch"].float64)


def _attempt_torch(f: Any) -> bool:
    """Whether f maps float64 tensors to tensors of the same shape; a user who wrote f in torch has imported it."""
    if "torch" not in sys.modules:
        return False
    probe = _torch(np.array(PROBE))
    result = _attempt(f, probe)
    if sys.modules["torch"].is_tensor(result):
        _wide(result.dtype)
    return sys.modules["torch"].is_tensor(result) and result.shape == probe.shape and not result.is_complex()


def _on_tensors(f: Any) -> Callable[[np.ndarray], np.ndarray]:
    def value(u: np.ndarray) -> np.ndarray:
        with sys.modules["torch"].no_grad():
            return f(_torch(u)).double().numpy()

    return value


def _torch_jet(f: Any) -> Derivatives:
    def jet(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        torch = sys.modules["torch"]

        def slope(y: Any, x: Any) -> Any:
            if not y.requires_grad:
                return torch.zeros_like(x)
            (g,) = torch.autograd.grad(y.sum(), x, create_graph=True, allow_unused=True)
            return torch.zeros_like(x) if g is None else g

        with torch.enable_grad():
            x = _torch(u).requires_grad_()
            y = f(x)
            first = slope(y, x)
            second = slope(first, x)
        return tuple(part.detach().double().numpy() for part in (y, first, second))

    return jet
