"""The parts of an `FDivergence` from a curve: NumPy inside, tensors at the border, with gradients."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from divergences._arrays import Array, is_torch, namespace
from divergences._checks import scalar_or_nan
from divergences._numerics import quiet
from divergences.errors import DataError
from divergences.f_divergences._generator.analysis import analyse, analyse_source
from divergences.f_divergences._generator.conjugate import conjugate
from divergences.f_divergences._generator.curve import Curve, mirrored
from divergences.f_divergences._generator.found import Found

if TYPE_CHECKING:
    from divergences.f_divergences.f_divergence import FDivergence

Rows = Callable[..., np.ndarray]


def generated(
    kind: "type[FDivergence]", f: Any, *, name: str | None, at_zero: float | None, slope_at_infinity: float | None
) -> "FDivergence":
    """The divergence that f generates, of class `kind`; its reverse is derived from u f(1/u) when it is asked for."""
    limits = _limit(at_zero, "at_zero"), _limit(slope_at_infinity, "slope_at_infinity")
    with quiet():
        curve, found = analyse(f, *limits)
    label = name or str(getattr(f, "__name__", type(f).__name__))
    if found.symmetric:
        return kind(name=label, **_fields(curve, found))

    @cache
    def reverse() -> "FDivergence":
        with quiet():
            fields = _fields(*analyse_source(mirrored(curve), *limits[::-1]))
        # Values and gradients are those of the original to the bit; only the conjugate needs the mirrored curve.
        fields["cost"] = lambda p, q, d: divergence.cost(q, p, -d)
        fields["partials"] = lambda p, q, d: divergence.partials(q, p, -d)[::-1]
        return kind(name=f"reverse of {label}", mirror=lambda: divergence, **fields)

    divergence = kind(name=label, mirror=reverse, **_fields(curve, found))
    return divergence


def _limit(value: Any, name: str) -> float | None:
    if value is None:
        return None
    number = scalar_or_nan(value)
    if np.isnan(number) or number == -np.inf:
        raise DataError(f"{name} must be a number or inf; got {value!r}.")
    return number


def _fields(curve: Curve, found: Found) -> dict[str, Any]:
    """All fields of the divergence but its name and its reverse."""

    def generator(u: np.ndarray) -> np.ndarray:
        return _values(curve, u, found.at_zero)

    def derivative(u: np.ndarray) -> np.ndarray:
        return _slopes(curve, u)

    def star(t: np.ndarray) -> np.ndarray:
        return conjugate(curve, t)[0]

    def argument(t: np.ndarray) -> np.ndarray:
        return conjugate(curve, t)[1]

    f_star = lambda t: _on_host(star, t, slope=argument)
    g = lambda v: _activation(v, curve.steepest, curve.slope)
    return {
        "f": lambda u: _on_host(generator, u, slope=derivative),
        "f_prime": lambda u: _on_host(derivative, u),
        "f_star": f_star,
        "high": curve.end,
        "g": g,
        "f_star_g": lambda v: f_star(_inside(g(v), v, curve.end)),
        "cost": lambda p, q, d: _on_host(curve.cost, p, q, d),
        "partials": lambda p, q, d: _both_on_host(curve.partials, p, q, d),
        "tail": _tail(curve),
        "slope_at_one": curve.slope,
        "separates": found.separates,
        "found": found,
    }


def _values(c: Curve, u: np.ndarray, at_zero: float) -> np.ndarray:
    """f(u) - f(1): the user's where it can be evaluated, by its laws beyond."""
    out = np.full_like(u, at_zero)
    with quiet():
        x = np.log(u)
        inside = (x >= c.low) & (x <= c.high)
        out[inside] = c.value(u[inside].astype(c.source.dtype))
        beyond = (u > 0) & ~inside
        one = np.ones_like(u[beyond])
        out[beyond] = c.cost(u[beyond], one, u[beyond] - 1) + c.slope * (u[beyond] - 1)
    return out


def _slopes(c: Curve, u: np.ndarray) -> np.ndarray:
    """f'(u), its limits at 0 and inf included: the user's where it can be had, which keeps small slopes small."""
    mass = np.where(np.isinf(u), 1.0, u)
    other = np.where(np.isinf(u), 0.0, 1.0)
    with quiet():
        slope = c.partials(mass, other, mass - other)[0] + c.slope
        x = np.log(u)
        own = (x >= c.low) & (x <= c.high) & ~c.beside(u - 1)
        if c.close is not None:
            own &= -x <= c.close.x
        if own.any():
            slope[own] = c.derivative(u[own].astype(c.source.dtype))
    return np.where(u == 1, c.slope, slope)


def _tail(c: Curve) -> Callable[[Array], tuple[Array, Array]] | None:
    """δ -> (log of f̃(u)/u at u = e^δ, its derivative), from f as far as it goes and by its law beyond."""
    law = c.growth_right
    if law is None:
        return None

    def tail(delta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inside = delta <= c.high
        with quiet():
            log, rate = law.log(delta), law.rate(delta)
            x = delta[inside]
            u, e = np.exp(x.astype(c.source.dtype)), np.expm1(x)
            excess = c.excess(u, e)
            log[inside], rate[inside] = np.log(excess) - x, c.conjugates(u, e) / excess
        return log, rate

    return lambda delta: _both_on_host(tail, delta)


def _activation(v: Array, steepest: float, centre: float) -> Array:
    """An increasing map of R into t < f'(∞): v about f'(1) = `centre`, or a branch of a hyperbola below f'(∞).

    It approaches the end like 1/v and not like e^-v, so that the distance from the end, on which f* depends, keeps
    its digits at any score that a critic gives; v = 0 is f'(1), the critic that sees no difference.
    """
    if steepest == np.inf:
        return v + centre
    xp = namespace(v)
    size = steepest or 1.0  # where f is a line above 1, the end is f'(1) itself and v = 0 lies below it
    # Not abs(v), whose gradient at v = 0 would be 0.
    root = (xp.where(v > 0, v, -v) + xp.hypot(v, xp.full_like(v, 2 * size))) / 2
    return (steepest + centre) - xp.where(v > 0, size * (size / root), root)


def _inside(t: Array, v: Array, end: float) -> Array:
    """Finite scores give numbers inside the domain even where they round to its end."""
    if end == np.inf:
        return t
    xp = namespace(t)
    last = xp.nextafter(xp.full_like(t, end), xp.full_like(t, -np.inf))
    return xp.where(xp.isinf(v), t, xp.minimum(t, last))


def _flat(arrays: tuple[Array, ...]) -> tuple[tuple[int, ...], list[np.ndarray]]:
    host = [np.asarray(a.detach().cpu() if is_torch(a) else a, dtype=np.float64) for a in arrays]
    host = np.broadcast_arrays(*host)
    return host[0].shape, [a.ravel() for a in host]


def _back(value: np.ndarray, shape: tuple[int, ...], like: Array) -> Array:
    value = np.asarray(value, dtype=np.float64).reshape(shape)
    if not is_torch(like):
        return value.astype(like.dtype, copy=False)
    import torch

    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def _on_host(rows: Rows, *arrays: Array, slope: Rows | None = None) -> Array:
    """`rows` of the flattened arrays; a tensor that requires a gradient gets `slope` times what comes from above."""
    if any(is_torch(a) and a.requires_grad for a in arrays) and _recording():
        return _differentiable().apply(rows, slope, *arrays)
    shape, flat = _flat(arrays)
    with quiet():
        return _back(rows(*flat), shape, arrays[0])


def _both_on_host(rows: Callable[..., tuple[np.ndarray, np.ndarray]], *arrays: Array) -> tuple[Array, Array]:
    if any(is_torch(a) and a.requires_grad for a in arrays) and _recording():
        first, second = (_on_host(lambda *flat, k=k: rows(*flat)[k], *arrays) for k in range(2))
        return first, second
    shape, flat = _flat(arrays)
    with quiet():
        first, second = rows(*flat)
    return _back(first, shape, arrays[0]), _back(second, shape, arrays[0])


def _recording() -> bool:
    import torch

    return torch.is_grad_enabled()


@cache
def _differentiable() -> Any:
    import torch

    class Once(torch.autograd.Function):
        """A function of one tensor with a given slope, and no second derivative: it would be wrong in silence."""

        @staticmethod
        def forward(ctx: Any, rows: Rows, slope: Rows | None, *arrays: Any) -> Any:
            ctx.slope = slope
            ctx.save_for_backward(*arrays)
            shape, flat = _flat(arrays)
            with quiet():
                return _back(rows(*flat), shape, arrays[0])

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            if ctx.slope is None or torch.is_grad_enabled():
                raise DataError(
                    "A divergence made by from_generator has first derivatives only; got a request for a second one. "
                    "Use an entry of the catalogue, or call backward without create_graph."
                )
            (x,) = ctx.saved_tensors
            shape, flat = _flat((x,))
            with quiet():
                slope = _back(ctx.slope(*flat), shape, x)
            return None, None, (slope * upstream[0]).masked_fill(upstream[0] == 0, 0)

    return Once
