"""Many small transport problems at once."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from divergences import _checks as check
from divergences._arrays import Array, is_torch
from divergences._parallel import run_blocks
from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport._front import mass_tolerance, wasserstein
from divergences.optimal_transport._metrics import METRICS
from divergences.optimal_transport._problem import Problem, power_of
from divergences.optimal_transport._result import TransportResult, accept, certify
from divergences.optimal_transport._rounding import UNIT
from divergences.optimal_transport._solution import Solver, usable
from divergences.optimal_transport.exact import Exact
from divergences.optimal_transport.univariate import COMPILED, Univariate

BLOCK = 4  # problems handed to a thread at a time
ENTRIES = 2**22  # costs held at a time
MANY = 16  # problems from which loading the compiled kernels pays
PAIRS = 2**16  # pairs of points up to which they are the fastest
FIELDS = ("lower", "upper", "distance", "distance_lower", "distance_upper", "converged")

Pair = tuple[Any, Any, Any, Any]  # x, y, a, b


@dataclass(frozen=True, eq=False)
class BatchResult:
    """The numbers of `wasserstein_batch`, each (k,) in the order of the pairs: lower <= optimal cost <= upper.

    `cost`, equal to `upper`, and `distance`, cost**(1/p), are tensors with gradients where the pairs are tensors.
    """

    cost: Array
    distance: Array
    lower: np.ndarray
    upper: np.ndarray
    distance_lower: np.ndarray
    distance_upper: np.ndarray
    converged: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Upper - lower: how far each cost may be from optimal."""
        return self.upper - self.lower

    def __len__(self) -> int:
        return len(self.lower)


def wasserstein_batch(
    pairs: Sequence[Any],
    p: float = 1,
    *,
    metric: str = "euclidean",
    solver: Solver | None = None,
    strict: bool = True,
) -> BatchResult:
    """Wasserstein distances W_p of many pairs of samples of any sizes, each with its proof, solved on all processors.

    pairs: a list of (x, y) or (x, y, a, b), each as `wasserstein` takes them; p, metric, solver and strict as there.
    All pairs are NumPy or all are torch; tensors are taken one after another. Threads share the solving
    (`OMP_NUM_THREADS` limits them), and the numbers do not depend on how many.

    Raises as `wasserstein` does, with a message that begins with the number of the pair, counted from 0.

    >>> wasserstein_batch([([0.0, 1.0], [2.0]), ([0.0], [1.0, 3.0], None, [0.25, 0.75])]).distance
    array([1.5, 2.5])
    """
    if not isinstance(pairs, Sequence) or isinstance(pairs, str | bytes) or not len(pairs):
        raise DataError("pairs must be a list, not empty, of (x, y) or (x, y, a, b).")
    solver = solver and usable(solver)
    power, metric = power_of(p), check.choice(metric, METRICS, "metric")
    given = [_four(pair, k) for k, pair in enumerate(pairs)]
    tensors = [is_torch(pair[0]) for pair in given]
    if any(tensors) and not all(tensors):
        raise DataError("All pairs must be of one kind; got NumPy arrays beside torch tensors.")
    if all(tensors):
        return _of_tensors(given, power, metric, solver, strict)
    numbers = np.full((len(FIELDS), len(given)), np.nan)
    if solver is None and len(given) >= MANY:
        numbers[:] = _brackets(given, power, metric)
    rest = np.flatnonzero(np.isnan(numbers[0]))
    for k, result in _in_stages(given, rest.tolist(), power, metric, solver, strict):
        numbers[:, k] = [getattr(result, name) for name in FIELDS]
    lower, upper, distance, low, high, converged = numbers
    return BatchResult(upper.copy(), distance, lower, upper, low, high, converged == 1)


def _four(pair: Any, k: int) -> Pair:
    """x, y, a, b of a pair."""
    if not isinstance(pair, tuple | list) or len(pair) not in (2, 4):
        raise DataError(f"pair {k}: a pair must be (x, y) or (x, y, a, b); got {type(pair).__name__}.")
    x, y, a, b = pair if len(pair) == 4 else (*pair, None, None)
    return x, y, a, b


def _named(k: int, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What the call returns; its errors begin with the number of the pair."""
    try:
        return call(*args, **options)
    except ConvergenceError as error:
        raise ConvergenceError(f"pair {k}: {error}", error.result) from None
    except DataError as error:
        raise type(error)(f"pair {k}: {error}") from None


def _brackets(given: list[Pair], power: float, metric: str) -> np.ndarray:
    """The numbers of the problems that the compiled kernels settle, by column; NaN for the others."""
    from divergences.optimal_transport._small import brackets  # its kernels are compiled

    values, where = _packed(given)
    out = np.empty((len(given), 2))

    def block(start: int, stop: int) -> None:
        brackets(values, where, METRICS.index(metric), power, start, stop, out)

    run_blocks(block, len(given), BLOCK)
    lower, upper = out.T
    if power == 1:
        return np.stack([lower, upper, upper, lower, upper, lower == lower])
    low, high, distance = lower ** (1 / power), upper ** (1 / power), upper ** (1 / power)
    # As in `roots`: the exponent 1/p has itself been rounded.
    for root, cost, sign in ((low, lower, -1), (high, upper, 1)):
        root *= 1 + sign * UNIT * (8 + np.abs(np.log(cost, out=np.zeros_like(cost), where=cost > 0)))
    return np.stack([lower, upper, distance, low, high, lower == lower])


def _packed(given: list[Pair]) -> tuple[np.ndarray, np.ndarray]:
    """All numbers in one vector, and where those of each problem lie, see `brackets`; nothing of those not for it."""
    parts, where, place = [np.zeros(0)], [], 0
    for pair in given:
        sizes, places = _sizes(*pair), []
        if sizes is None:
            where.append((0, 0, 1, 0, 0, -1, -1))
            continue
        for v in _in_order(*pair) if sizes[2] == 1 else pair:
            places.append(-1 if v is None else place)
            if v is not None:
                parts.append(v.ravel())
                place += v.size
        where.append((*sizes, *places))
    return np.concatenate(parts, dtype=np.float64), np.array(where)


def _in_order(x: np.ndarray, y: np.ndarray, a: np.ndarray | None, b: np.ndarray | None) -> Pair:
    """A problem on the line with its points in rising order."""
    along, across = np.argsort(x, axis=None), np.argsort(y, axis=None)
    return x.ravel()[along], y.ravel()[across], None if a is None else a[along], None if b is None else b[across]


def _sizes(x: Any, y: Any, a: Any, b: Any) -> tuple[int, int, int] | None:
    """n, m and d of a problem of plain arrays that is small enough for the compiled kernels."""
    for v in (x, y, a, b):
        if v is not None and not (type(v) is np.ndarray and v.dtype.kind in "fiub" and v.itemsize <= 8):
            return None
    if not (x.ndim == y.ndim == 1 or (x.ndim == y.ndim == 2 and x.shape[1] == y.shape[1])):
        return None
    n, m, d = len(x), len(y), x.shape[1] if x.ndim == 2 else 1
    if not (n and m and d and (n * m <= PAIRS if d > 1 else n + m <= COMPILED)):
        return None
    masses = [v.shape == (size,) for v, size in ((a, n), (b, m)) if v is not None]
    return (n, m, d) if all(masses) else None


def _in_stages(
    given: list[Pair], chosen: list[int], power: float, metric: str, solver: Solver | None, strict: bool
) -> Iterator[tuple[int, TransportResult]]:
    """Numbers and results of the chosen pairs: built and judged by one thread, as that is Python, and solved by all."""
    left = deque(chosen)
    while left:
        stage, problems, entries = [], [], 0
        while left and entries < ENTRIES:
            stage.append(left.popleft())
            problems.append(_named(stage[-1], _problem, given[stage[-1]], power, metric))
            entries += math.prod(problems[-1].shape)
        solvers = [solver or (Univariate() if problem.x.shape[1] == 1 else Exact()) for problem in problems]
        solutions = _solved(problems, solvers)
        for k, problem, used, solution in zip(stage, problems, solvers, solutions, strict=True):
            yield k, _named(k, _judged, problem, used, solution, strict)


def _problem(pair: Pair, p: float, metric: str) -> Problem:
    """The checked problem of one pair."""
    x, y = (check.points(v, name)[0] for v, name in zip(pair[:2], "xy", strict=True))
    a, b = (None if v is None else check.real_array(v, name) for v, name in zip(pair[2:], "ab", strict=True))
    if any(is_torch(v) for v in (x, y, a, b)):
        raise DataError("All inputs must be of one kind; got NumPy arrays beside torch tensors.")
    return Problem.from_samples(x, y, p, a, b, metric, tolerance=mass_tolerance(a, b))


def _solved(problems: list[Problem], solvers: list[Any]) -> list[Any]:
    """Raw solutions, or the errors that there were instead."""
    out: list[Any] = [None] * len(problems)

    def solve(start: int, stop: int) -> None:
        for k in range(start, stop):
            try:
                out[k] = solvers[k].solve(problems[k])
            except (DataError, ConvergenceError) as error:
                out[k] = error

    run_blocks(solve, len(problems), BLOCK)
    return out


def _judged(problem: Problem, solver: Any, solution: Any, strict: bool) -> TransportResult:
    """The certified result."""
    if isinstance(solution, Exception):
        raise solution
    return accept(certify(problem, solution, type(solver).__name__), strict=strict)


def _of_tensors(given: list[Pair], power: float, metric: str, solver: Solver | None, strict: bool) -> BatchResult:
    """The columns of all results, one pair after another, with gradients."""
    import torch

    found = [
        _named(k, wasserstein, x, y, power, a=a, b=b, metric=metric, solver=solver, strict=strict)
        for k, (x, y, a, b) in enumerate(given)
    ]
    cost, distance = (torch.stack([getattr(result, name) for result in found]) for name in ("cost", "distance"))
    rest = ("lower", "upper", "distance_lower", "distance_upper", "converged")
    return BatchResult(cost, distance, *(np.array([getattr(result, name) for result in found]) for name in rest))
