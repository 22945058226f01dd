"""The two front doors, `wasserstein` for samples and `transport` for a cost matrix."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np

from divergences import _checks as check
from divergences._arrays import Array, is_torch, like, namespace, result_dtype, to_numpy, with_gradients
from divergences.errors import DataError
from divergences.optimal_transport._gradients import Tensors, gradients
from divergences.optimal_transport._metrics import METRICS
from divergences.optimal_transport._problem import MASS_TOLERANCE, NARROW_TOLERANCE, Problem, power_of
from divergences.optimal_transport._result import EntropicResult, TransportResult, accept, certify
from divergences.optimal_transport._solution import GibbsPlan, Solver, usable
from divergences.optimal_transport.exact import Exact
from divergences.optimal_transport.univariate import Univariate, monotone

_LARGEST = float(np.finfo(np.float64).max)


def wasserstein(
    x: Any,
    y: Any,
    p: float = 1,
    *,
    a: Any = None,
    b: Any = None,
    metric: str = "euclidean",
    solver: Solver | None = None,
    strict: bool = True,
    nan_policy: str = "raise",
) -> TransportResult:
    """The Wasserstein distance W_p of two samples, with a proof: W_p^p = min over couplings P of <P, metric(x, y)^p>.

    x (n, d) or (n,), y (m, d) or (m,): samples, NumPy or torch. p >= 1 finite. a (n,), b (m,): masses with equal
    totals, None for 1/n and 1/m. metric: euclidean, cityblock or chebyshev. solver: None sorts one-dimensional points
    (`Univariate`) and otherwise takes `Exact`; it never approximates. nan_policy: "omit" drops rows with NaN, their
    mass going to the other rows in proportion.

    The result's `distance` is in the units of the points, `cost`, `lower`, `upper` and `potentials` in these to the
    power p, times mass. Torch inputs give tensors with gradients with respect to points and masses.

    Raises DataError for unusable input, NotNormalizedError for masses whose totals differ by more than 1e-9 relative
    (1e-5 where they came in less than float64), ConvergenceError (unless strict=False) when the solver stopped early;
    its `.result` is still true.

    >>> import numpy as np
    >>> r = wasserstein(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 3.0], [1.0, 3.0]]), p=2)
    >>> r.distance, r.lower <= 9 <= r.upper, r.solver
    (3.0, True, 'Exact')

    Source: Improved GAN slides (rows C3 and C4 of the claims); Peyre and Cuturi (2019), chapter 2.
    """
    x, keep_x = check.points(x_given := check.real_array(x, "x"), "x", nan_policy=nan_policy)
    y, keep_y = check.points(y_given := check.real_array(y, "y"), "y", nan_policy=nan_policy)
    tolerance = mass_tolerance(a, b)
    a, b = _weights(a, "a", len(x_given), keep_x), _weights(b, "b", len(y_given), keep_y)
    _one_kind(x, y, a, b)
    chosen = solver or (Univariate() if x.shape[1] == 1 else Exact())
    tensors = Tensors(x=x, y=y, a=a, b=b) if is_torch(x) else None

    def solve() -> TransportResult:
        problem = Problem.from_samples(to_numpy(x), to_numpy(y), p, _host(a), _host(b), metric, tolerance=tolerance)
        return _solve(problem, chosen, tensors, (x_given, y_given), strict=strict)

    if isinstance(chosen, Univariate) and tensors is None and a is None and b is None and x.shape[1] == y.shape[1] == 1:
        check.choice(metric, METRICS, "metric")
        return monotone(x[:, 0], y[:, 0], power_of(p), solve) or solve()
    return solve()


def transport(
    cost: Any, a: Any = None, b: Any = None, *, solver: Solver | None = None, strict: bool = True
) -> TransportResult:
    """Optimal transport for any cost matrix, with a proof: min <P, cost> over P >= 0 with marginals a and b.

    cost (n, m): finite, of any sign, NumPy or torch. a (n,), b (m,): masses with equal totals, None for 1/n and 1/m.
    solver: None takes `Exact`. In the result `distance` is the cost itself. Torch inputs give tensors with gradients
    with respect to costs and masses. Raises as `wasserstein` does.

    >>> import numpy as np
    >>> r = transport(np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([0.75, 0.25]), np.array([0.5, 0.5]))
    >>> r.cost, r.plan.toarray().tolist()
    (1.5, [[0.5, 0.25], [0.0, 0.25]])

    Source: Improved GAN slides (row C4 of the claims).
    """
    given = check.real_array(cost, "cost")
    if given.ndim != 2 or 0 in given.shape:
        raise DataError(f"cost must be a matrix (n, m) with n, m >= 1; got shape {tuple(given.shape)}.")
    cost = check.finite(given.double() if is_torch(given) else given.astype(np.float64, copy=False), "cost")
    tolerance = mass_tolerance(a, b)
    a, b = _weights(a, "a", cost.shape[0], None), _weights(b, "b", cost.shape[1], None)
    _one_kind(cost, cost, a, b)
    problem = Problem.from_costs(to_numpy(cost), _host(a), _host(b), tolerance=tolerance)
    tensors = Tensors(a=a, b=b, cost=cost) if is_torch(cost) else None
    return _solve(problem, solver or Exact(), tensors, (given,), strict=strict)


def _solve(
    problem: Problem, solver: Solver, tensors: Tensors | None, given: tuple[Array, ...], *, strict: bool
) -> TransportResult:
    """Solve, certify, and for tensors attach what the envelope theorem knows."""
    solution = usable(solver).solve(problem)
    result = accept(certify(problem, solution, type(solver).__name__), strict=strict)
    return result if tensors is None else _as_tensors(result, problem, tensors, given)


def _as_tensors(
    result: TransportResult, problem: Problem, tensors: Tensors, given: tuple[Array, ...]
) -> TransportResult:
    """The result with tensors in the dtype and on the device of the inputs, carrying gradients where they exist."""
    dtype, example = result_dtype(*given), tensors.given[0]
    potentials = tuple(like(0.0, example).new_tensor(v) for v in result.potentials)
    common: dict[str, Any] = {"potentials": potentials}
    if isinstance(result, EntropicResult):
        raw = cast(GibbsPlan, result._raw)
        f, g = (v * 2.0 ** (problem.power * problem.exponent) for v in (raw.f, raw.g))
        slopes = _needed(problem, lambda: raw.dense() * 2.0**problem.mass_exponent, f, g, tensors)
        common["regularized"] = with_gradients(result.regularized, tensors.given, slopes).to(dtype)
        common["cost"], common["distance"] = (like(v, example).to(dtype) for v in (result.cost, result.distance))
        return replace(result, **common)
    slopes = _needed(problem, lambda: result.plan, *result.potentials, tensors)
    common["cost"] = with_gradients(result.cost, tensors.given, slopes).to(dtype)
    # The chain rule of cost**(1/p); at cost 0, its minimum, the gradient is set to 0.
    power, distance = problem.power, np.float64(result.distance)
    with np.errstate(over="ignore"):
        outer = 1.0 if power == 1 else min(distance ** (1 - power) / power, _LARGEST) if distance > 0 else 0.0
    slopes = [None if s is None else outer * s for s in slopes]
    common["distance"] = with_gradients(result.distance, tensors.given, slopes).to(dtype)
    return replace(result, **common)


def _needed(problem: Problem, plan: Callable[[], Any], f: Any, g: Any, tensors: Tensors) -> list[np.ndarray | None]:
    """Gradients for the inputs, or nothing where no input asks for one."""
    if not any(t.requires_grad for t in tensors.given):
        return [None] * len(tensors.given)
    return list(gradients(problem, plan(), f, g, tensors))


def mass_tolerance(*weights: Any) -> float:
    """How far the totals may differ, relative: what rounding to the narrowest dtype among the masses can do."""
    given = [check.real_array(value, "the masses") for value in weights if value is not None]
    narrow = any(array.dtype.itemsize < 8 and namespace(array).isdtype(array.dtype, "real floating") for array in given)
    return NARROW_TOLERANCE if narrow else MASS_TOLERANCE


def _weights(value: Any, name: str, size: int, keep: Array | None) -> Array | None:
    """Masses in float64, the mass of omitted rows handed to the others in proportion."""
    if value is None:
        return None
    masses = check.masses(value, name)
    if tuple(masses.shape) != (size,):
        raise DataError(f"{name} must hold one mass per point, shape ({size},); got shape {tuple(masses.shape)}.")
    if keep is None:
        return masses
    kept = masses[keep]
    return kept * (masses.sum() / kept.sum()) if bool(kept.sum() > 0) else kept


def _one_kind(*arrays: Array | None) -> None:
    """Refuse NumPy beside torch, or tensors on two devices."""
    namespace(*(array for array in arrays if array is not None))


def _host(array: Array | None) -> np.ndarray | None:
    """float64 NumPy, or None."""
    return None if array is None else to_numpy(array)
