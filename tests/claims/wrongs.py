"""Ways to be wrong: what a planted error puts in the place of what is right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array

Wrong = Callable[[Any], Any]


def only(names: str, change: Callable[..., Any]) -> Wrong:
    """The call of the named divergences, changed to change(right, p, q)."""

    def wrong(right: Any) -> Any:
        def call(self: Any, p: Any, q: Any, **options: Any) -> Any:
            mine = lambda p, q: right(self, p, q, **options)
            return change(mine, p, q) if self.name in names.split() else mine(p, q)

        return call

    return wrong


def scaled(factor: float) -> Wrong:
    """A value that is multiplied."""
    return lambda right: lambda *args, **options: factor * right(*args, **options)


def raised(amount: float) -> Wrong:
    """A value to which something is added."""
    return lambda right: lambda *args, **options: right(*args, **options) + amount


def exchanged(right: Any) -> Any:
    """A method that takes its two arguments for one another."""
    return lambda self, p, q, **options: right(self, q, p, **options)


def mirrored(right: Any) -> Any:
    """A method that changes the sign of its argument."""
    return lambda self, x: right(self, -np.asarray(x) if not isinstance(x, torch.Tensor) else -x)


def independent(right: Any) -> Any:
    """A solver that returns a feasible plan, the independent one, and does not claim that it is optimal."""

    def solve(self: Any, problem: Any) -> Any:
        plan = coo_array(np.outer(problem.a, problem.b) / problem.b.sum())
        return replace(right(self, problem), plan=plan, exact=False)

    return solve


def loose(right: Any) -> Any:
    """A solver whose potentials are feasible and not optimal."""

    def solve(self: Any, problem: Any) -> Any:
        solution = right(self, problem)
        return replace(solution, g=solution.g - 0.1 * (1 + np.abs(solution.g)), exact=False)

    return solve


def half_gradient(right: Any) -> Any:
    """W whose gradient lacks a factor."""

    def wasserstein(x: Any, y: Any, **options: Any) -> Any:
        result = right(x, y, **options)
        return replace(result, cost=(result.cost + result.cost.detach()) / 2) if torch.is_tensor(y) else result

    return wasserstein


def backwards(right: Any) -> Any:
    """The critic of the samples exchanged."""
    return lambda x, y, **options: right(y, x, **options)


def detached(right: Any) -> Any:
    """A loss that passes no gradient."""
    return lambda self, real, fake: right(self, real, fake).detach() + 0 * fake.mean(-1)


def noisy(right: Any) -> Any:
    """A network whose outputs have a little noise of their own."""

    def call(self: Any, parameters: Any, x: Any) -> Any:
        y = right(self, parameters, x)
        return y + 1e-6 * torch.randn(y.shape, generator=torch.manual_seed(0))

    return call


def hasty(right: Any) -> Any:
    """An optimiser whose steps are twice as long."""

    def direction(self: Any, *args: Any) -> Any:
        step, moments = right(self, *args)
        return 2 * step, moments

    return direction


def mislabelled(right: Any) -> Any:
    """Real points beside the labels of their neighbours in the batch."""

    def real(self: Any, space: Any, *args: Any) -> Any:
        joint = right(self, space, *args)
        d = space.targets[0].dimension
        return torch.cat((joint[..., :d], joint[..., d:].roll(1, -2)), -1)

    return real


def changed(**recipes: dict[str, Any]) -> Wrong:
    """Recipes with other constants."""
    return lambda right: {**right, **{name: replace(right[name], **parts) for name, parts in recipes.items()}}
