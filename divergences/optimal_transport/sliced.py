"""Transport averaged over one-dimensional projections."""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from divergences import _checks as check
from divergences._arrays import Array, is_torch, namespace, result_dtype
from divergences._results import Estimate, Interval
from divergences.optimal_transport._problem import BLOCK, exponent_of
from divergences.optimal_transport._staircase import staircase


def sliced_wasserstein(x: Any, y: Any, p: float = 1, *, projections: int = 200, rng: Any = None) -> Estimate:
    """Sliced Wasserstein distance (mean over directions theta of W_p^p(<x, theta>, <y, theta>))^(1/p).

    x (n, d) or (n,), y (m, d) or (m,): samples with equal masses; p >= 1; projections: random directions, uniform on
    the sphere; rng: a seed or a numpy Generator. The value is in the units of the points; a tensor with gradients for
    torch inputs. `standard_error` and the 95 % `confidence_interval` are over directions, the samples being fixed.

    Raises DataError for unusable input.

    >>> e = sliced_wasserstein(np.zeros((5, 1)), np.ones((7, 1)), rng=0)
    >>> e.value, e.standard_error
    (1.0, 0.0)

    Source: Rabin, Peyre, Delon and Bernot (2011).
    """
    (x, _), (y, _) = (
        check.points(x_given := check.real_array(x, "x"), "x"),
        check.points(y_given := check.real_array(y, "y"), "y"),
    )
    xp = namespace(x, y)
    check.same_dimension(x, y)
    power = check.positive(p, "p", minimum=1.0, strict=False)
    k = check.count(projections, "projections", minimum=2)
    directions = check.generator(rng).normal(size=(k, x.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Around their centre and in their own unit of length, where projections keep their digits.
    centre = xp.mean(x, axis=0) / 2 + xp.mean(y, axis=0) / 2
    centre = centre.detach() if is_torch(centre) else centre
    x, y = x - centre, y - centre
    reach = max(float(xp.max(xp.abs(v.detach() if is_torch(v) else v))) for v in (x, y))
    unit = 2.0 ** exponent_of(reach, power)
    costs = _projected_costs(x / unit, y / unit, directions, power)
    host = costs.detach().cpu().numpy() if is_torch(costs) else costs
    center, spread = float(np.mean(host)), float(np.std(host, ddof=1)) / k**0.5
    half = float(stdtrit(k - 1, 0.975)) * spread
    low, high = (max(end, 0.0) ** (1 / power) * unit for end in (center - half, center + half))
    error = spread * center ** (1 / power - 1) / power * unit if center > 0 else 0.0
    mean = costs.mean()
    root = mean ** (1 / power) * unit if center > 0 else mean * 0.0  # the gradient at 0, the minimum, is 0
    value = root.to(result_dtype(x_given, y_given)) if is_torch(costs) else float(root)
    return Estimate(value, error, Interval(low, high), "sliced", len(x), len(y))


def _projected_costs(x: Array, y: Array, directions: np.ndarray, power: float) -> Array:
    """W_p^p of the projections on each direction (k,), a batch of directions at a time."""
    xp = namespace(x, y)
    n, m = len(x), len(y)
    rows, columns, mass = staircase(np.full(n, float(m)), np.full(m, float(n)))
    used = mass > 0
    rows, columns, mass = rows[used], columns[used], mass[used] / (float(n) * m)
    step = max(1, BLOCK // len(mass))
    parts = []
    for start in range(0, len(directions), step):
        batch = directions[start : start + step].T
        batch = x.new_tensor(batch) if is_torch(x) else batch
        left, right = xp.sort(x @ batch, axis=0), xp.sort(y @ batch, axis=0)
        weights = x.new_tensor(mass) if is_torch(x) else mass
        parts.append(weights @ xp.abs(left[rows] - right[columns]) ** power)
    return xp.concat(parts) if is_torch(x) else np.concatenate(parts)
