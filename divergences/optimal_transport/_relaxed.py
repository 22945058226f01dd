"""What transport problems share whose masses need not agree: their input, their answer, and the reduction to balance.

`Extended` is a balanced problem with one more place on each side, which takes what is not transported. Its mass is
known to some 2**-106, as two points, so that the certificate of balanced transport holds for the masses as given.
"""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.sparse import coo_array

from divergences import _checks as check
from divergences._arrays import Array, is_torch, namespace, result_dtype, to_numpy, with_gradients
from divergences.errors import ConvergenceError, DataError, NotNormalizedError
from divergences.optimal_transport._gradients import Tensors, gradients
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._result import TransportResult, certify
from divergences.optimal_transport._rounding import SUBNORMAL, UNIT
from divergences.optimal_transport._solution import Solver


@dataclass(frozen=True, eq=False)
class UnbalancedResult:
    """The least cost of a transport problem that leaves mass behind, bracketed: `lower <= least cost <= upper`.

    Attributes:
        cost: the objective at `plan`, equal to `upper`; a tensor with gradients for torch inputs.
        plan: (n, m) >= 0, sparse or, where every cell has mass, dense.
        transport_cost: <plan, c>, the part of `cost` that is not a penalty.
        mass: what is transported, the sum of `plan`.
        removed: (n,) a less the plan's row sums: what stays behind; negative where a penalty lets rows grow.
        added: (m,) b less its column sums: what appears from nowhere.
        potentials: (f, g) in cost units; f_i + g_j + multiplier <= c_ij for every pair.
        multiplier: the price of one more unit of mass (`partial_transport`), else 0.
        notes: what qualifies the answer.

    """

    cost: Any
    lower: float
    upper: float
    plan: coo_array | np.ndarray
    transport_cost: float
    mass: float
    removed: np.ndarray
    added: np.ndarray
    potentials: tuple[np.ndarray, np.ndarray]
    multiplier: float
    converged: bool
    iterations: int
    solver: str
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        """Upper - lower: how far `cost` may be from optimal."""
        return self.upper - self.lower


@dataclass(frozen=True, eq=False)
class Given:
    """Checked input. True costs are those of `base` times 2**exponent, true masses a and b times 2**mass_exponent."""

    base: Problem  # with masses of its own: only its costs count
    a: np.ndarray
    b: np.ndarray
    mass_exponent: int
    tensors: Tensors | None
    dtype: Any

    @property
    def exponent(self) -> float:
        """Of the costs; not whole where the power is not."""
        return self.base.power * self.base.exponent


def given(x: Any, y: Any, p: float, cost: Any, a: Any, b: Any, metric: str) -> Given:
    """The checked problem between points x and y or with a cost matrix; masses of any two positive totals."""
    if (cost is None) == (x is None and y is None) or (x is None) != (y is None):
        raise DataError("Pass either samples x and y, or cost=, a matrix (n, m).")
    if cost is not None:
        raw = check.real_array(cost, "cost")
        if raw.ndim != 2 or 0 in raw.shape:
            raise DataError(f"cost must be a matrix (n, m) with n, m >= 1; got shape {tuple(raw.shape)}.")
        costs = check.finite(raw.double() if is_torch(raw) else raw.astype(np.float64, copy=False), "cost")
        sides, inputs, base = (costs,), (raw,), Problem.from_costs(to_numpy(costs))
    else:
        inputs = check.real_array(x, "x"), check.real_array(y, "y")
        sides = check.points(inputs[0], "x")[0], check.points(inputs[1], "y")[0]
        namespace(*sides)
        base = Problem.from_samples(to_numpy(sides[0]), to_numpy(sides[1]), p, metric=metric)
    masses = [None if v is None else check.masses(v, name) for v, name in ((a, "a"), (b, "b"))]
    namespace(*sides, *(v for v in masses if v is not None))
    left, right = (_mass(v, size, name) for v, size, name in zip(masses, base.shape, "ab", strict=True))
    tensors = None
    if is_torch(sides[0]):
        x, y, cost = (*sides, None) if len(sides) == 2 else (None, None, sides[0])
        tensors = Tensors(x, y, masses[0], masses[1], cost)
    return Given(base, left, right, 0, tensors, result_dtype(*inputs))


def in_range(problem: Given) -> Given:
    """The problem with masses whose products stay far from overflow; refused where that would round a mass.

    Large ones are not taken down further than needs be, to leave room for small ones.
    """
    peak = max(float(problem.a.max()), float(problem.b.max()))
    if 2.0**-300 < peak < 2.0**300:
        return problem
    exponent = math.frexp(peak)[1] - (200 if peak > 1 else 0)
    sides = [(v, np.ldexp(v, -exponent)) for v in (problem.a, problem.b)]
    if any(np.any(np.ldexp(inner, exponent) != v) for v, inner in sides):
        raise DataError(
            f"Masses must be at least {math.ldexp(1.0, exponent - 1022):.2g} where others reach {peak:.2g}; smaller "
            "ones would be rounded. Set them to 0, or cut the large ones off."
        )
    return replace(problem, a=sides[0][1], b=sides[1][1], mass_exponent=exponent)


def _mass(masses: Array | None, size: int, name: str) -> np.ndarray:
    """Masses (size,), the floats nearest to 1/size for None."""
    if masses is None:
        return np.full(size, 1.0 / size)
    if tuple(masses.shape) != (size,):
        raise DataError(f"{name} must hold one mass per point, shape ({size},); got shape {tuple(masses.shape)}.")
    if not bool((masses > 0).any()):
        raise NotNormalizedError(f"{name} must have a positive total; all its masses are 0.")
    return to_numpy(masses)


@dataclass(frozen=True, eq=False)
class Extended(Problem):
    """A balanced problem whose cost matrix holds rounded costs between points, and what their rounding can do."""

    relative: float = 0.0
    absolute: float = 0.0

    @property
    def relative_error(self) -> float:
        """Bound on the relative rounding error of a cost."""
        return self.relative

    @property
    def absolute_error(self) -> float:  # type: ignore[override]
        """Bound on what underflow may have taken from a cost."""
        return self.absolute


def extended(
    problem: Given,
    costs: np.ndarray,
    sides: tuple[list[float], list[float]],
    prices: tuple[float, float],
    exponent: float,
) -> Extended:
    """The balanced problem with points added: `sides` are the masses of added rows and of added columns.

    `costs` (n, m) are those between the old points, `prices` those of an added point with an old one and with an
    added one; all of them times 2**exponent are the true ones.
    """
    rows, columns = sides
    n, m = costs.shape
    matrix = np.full((n + len(rows), m + len(columns)), prices[0])
    matrix[:n, :m], matrix[n:, m:] = costs, prices[1]
    balanced = Problem.from_costs(matrix, np.append(problem.a, rows), np.append(problem.b, columns))
    base, same = problem.base, {f.name: getattr(balanced, f.name) for f in fields(balanced)}
    # A unit with a fractional exponent has been rounded itself, and other units round what is subnormal in them.
    fractional = exponent % 1 or problem.exponent % 1
    relative = base.relative_error + ((8 + abs(problem.exponent)) * UNIT if fractional else 0.0)
    step = problem.exponent - exponent
    absolute = float(scaled(base.absolute_error, step - balanced.exponent)) + balanced.absolute_error
    absolute += SUBNORMAL if step else 0.0
    exponents: Any = balanced.exponent + exponent, balanced.mass_exponent + problem.mass_exponent
    changed = dict(same, exponent=exponents[0], mass_exponent=exponents[1], relative=relative, absolute=absolute)
    changed["nonnegative"] = base.nonnegative
    out = Extended(**changed)
    out._representable()
    return out


def proved(balanced: Problem, solver: Solver, problem: Given, mass: float, cut: float = math.inf) -> TransportResult:
    """The bracket of the balanced problem, in which `mass` (internal units) is transported.

    It is solved where its gap is at most 1e-15 of `mass` at the mean cost, whatever points without mass cost, and a few
    roundings of all masses, most of which may stay where they are. The solver sees costs of at most `cut`, in the
    caller's units; the bracket is that of the full ones.
    """
    # Masses that a solver's scaling may flush to 0 would leave potentials unknown that it believes to know.
    least = 2.0**-500 * max(float(balanced.a.max()), float(balanced.b.max()))
    a, b = (np.where(v < least, 0.0, v) for v in (balanced.a, balanced.b))
    matrix = np.minimum(balanced.cost, scaled(cut, -balanced.exponent))
    solution = solver.solve(replace(balanced, a=a, b=b, matrix=matrix))
    proof = certify(balanced, solution, type(solver).__name__)
    known = 1e-15 * mass + 4 * UNIT * balanced.mass
    target = scaled(known * problem.base.mean_cost, problem.exponent + problem.mass_exponent)
    closed = solution.converged and solution.exact and proof.upper - proof.lower <= target
    return replace(proof, converged=True) if closed else proof


def scaled(values: Any, exponent: float) -> Any:
    """Values * 2**exponent to a few roundings, exactly where the exponent is whole; beyond the floats inf or 0."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(values * 2.0 ** (exponent % 1), math.floor(exponent))


def restricted(
    proof: TransportResult, problem: Given, used: np.ndarray | None, potentials: tuple[np.ndarray, np.ndarray, float]
) -> UnbalancedResult:
    """The answer without the added points, and without the cells that are not `used` (n, m), which cost the same."""
    n, m = problem.base.shape
    whole = coo_array(proof.plan)
    inside = (whole.row < n) & (whole.col < m)
    # An unfinished partial plan may use the forbidden corner, and then transports so much too much.
    beyond = 0.0 if used is not None else float(np.sum(whole.data[(whole.row >= n) & (whole.col >= m)]))
    row, column, data = whole.row[inside], whole.col[inside], whole.data[inside]
    if used is not None:
        kept = used[row, column]
        row, column, data = row[kept], column[kept], data[kept]
    if beyond > 0:
        data = data * max(0.0, 1 - beyond / max(float(np.sum(data)), beyond))
    plan = coo_array((data, (row, column)), shape=(n, m))
    paid = float(scaled(np.sum(data * problem.base.cost[row, column]), problem.exponent))
    a, b = (np.ldexp(v, problem.mass_exponent) for v in (problem.a, problem.b))
    lower = max(proof.lower, 0.0) if problem.base.nonnegative else proof.lower
    return UnbalancedResult(
        proof.upper, lower, proof.upper, plan, paid, float(np.sum(data)), a - plan.sum(axis=1),
        b - plan.sum(axis=0), potentials[:2], potentials[2], proof.converged, proof.iterations, proof.solver,
        proof.notes,
    )  # fmt: skip


def exact_sum(*parts: np.ndarray | float) -> float:
    """The sum of all entries of all parts, rounded once."""
    return math.fsum(np.concatenate([np.atleast_1d(part) for part in parts]))


def remainder(*parts: np.ndarray | float) -> list[float]:
    """Masses of one or two points that hold the sum of all entries to 2**-106; none where it is not positive.

    >>> remainder(np.array([1.0, 2.0**-80]))
    [1.0, 8.27180612553028e-25]
    >>> remainder(np.ones(3), -3.0)
    []
    """
    high = exact_sum(*parts)
    if high <= 0:
        return []
    if exact_sum(*parts, -high) < 0:
        high = math.nextafter(high, 0.0)
    return [part for part in (high, exact_sum(*parts, -high)) if part > 0]


def finished(result: UnbalancedResult, problem: Given, slopes: dict[str, np.ndarray], *, strict: bool) -> Any:
    """The result as the caller wants it: an error where it did not converge, a tensor where tensors came in.

    `slopes` are the derivatives with respect to the masses a and b.
    """
    if strict and not result.converged:
        raise ConvergenceError(
            f"{result.solver} must reach its tolerance; after {result.iterations} iterations the least cost is only "
            f"known to lie in [{result.lower:.9g}, {result.upper:.9g}]. Raise its limits, or pass strict=False: "
            "this bracket is true.",
            result,
        )
    if problem.tensors is None:
        return result
    given = problem.tensors.given
    value = with_gradients(result.cost, given, _attached(result, problem.base, problem.tensors, slopes))
    return replace(result, cost=value.to(problem.dtype))


def _attached(
    result: UnbalancedResult, base: Problem, tensors: Tensors, slopes: dict[str, np.ndarray]
) -> list[np.ndarray | None]:
    """Gradients for each tensor given: of points and costs by the plan, of masses as told."""
    if not any(t.requires_grad for t in tensors.given):
        return [None] * len(tensors.given)
    moving = replace(tensors, a=None, b=None)
    known = iter(gradients(base, result.plan, *result.potentials, moving))
    order = ("x", "y", "a", "b", "cost")
    return [slopes[k] if k in slopes else next(known) for k in order if getattr(tensors, k) is not None]


def plain(value: Any, name: str) -> Any:
    """`value`, unless it is a tensor that asks for a gradient, which a plain number would lose."""
    if is_torch(value) and value.requires_grad:
        raise DataError(f"{name} must be a plain number; got a tensor that asks for a gradient. Pass {name}.item().")
    return value
