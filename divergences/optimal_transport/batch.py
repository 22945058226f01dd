"""Many small transport problems at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from divergences import _checks as check
from divergences._arrays import Array, is_torch
from divergences._parallel import run_blocks
from divergences.errors import ConvergenceError, DataError
from divergences.optimal_transport._front import mass_tolerance, wasserstein
from divergences.optimal_transport._problem import Problem
from divergences.optimal_transport._result import TransportResult, accept, certify
from divergences.optimal_transport._solution import Solver, usable
from divergences.optimal_transport.exact import Exact
from divergences.optimal_transport.univariate import Univariate

BLOCK = 4  # problems handed to a thread at a time
ENTRIES = 2**22  # costs held at a time

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


class _Numbers(NamedTuple):
    """What is kept of a result."""

    cost: Any
    distance: Any
    lower: float
    upper: float
    distance_lower: float
    distance_upper: float
    converged: bool


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
    given = [_four(pair, k) for k, pair in enumerate(pairs)]
    tensors = [is_torch(pair[0]) for pair in given]
    if any(tensors) and not all(tensors):
        raise DataError("All pairs must be of one kind; got NumPy arrays beside torch tensors.")
    if not all(tensors):
        return _collected(_in_stages(given, p, metric, solver, strict))
    found = []
    for k, (x, y, a, b) in enumerate(given):
        result = _named(k, wasserstein, x, y, p, a=a, b=b, metric=metric, solver=solver, strict=strict)
        found.append(_numbers(result))
    return _collected(found)


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


def _in_stages(given: list[Pair], p: float, metric: str, solver: Solver | None, strict: bool) -> list[_Numbers]:
    """What is found: problems are built and judged by one thread, as that is Python, and solved by all."""
    found: list[_Numbers] = []
    while len(found) < len(given):
        start, problems, entries = len(found), [], 0
        while start + len(problems) < len(given) and entries < ENTRIES:
            k = start + len(problems)
            problems.append(_named(k, _problem, given[k], p, metric))
            entries += math.prod(problems[-1].shape)
        solvers = [solver or (Univariate() if problem.x.shape[1] == 1 else Exact()) for problem in problems]
        for k, (problem, used, solution) in enumerate(zip(problems, solvers, _solved(problems, solvers), strict=True)):
            result = _named(start + k, _judged, problem, used, solution, strict)
            found.append(_numbers(result))
    return found


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


def _numbers(result: TransportResult) -> _Numbers:
    """The numbers of a result, without its plan and problem."""
    return _Numbers(*(getattr(result, name) for name in _Numbers._fields))


def _collected(found: list[_Numbers]) -> BatchResult:
    """The columns of all results."""
    cost, distance, *rest = zip(*found, strict=True)
    if is_torch(cost[0]):
        import torch

        return BatchResult(torch.stack(cost), torch.stack(distance), *map(np.array, rest))
    return BatchResult(np.array(cost), np.array(distance), *map(np.array, rest))
