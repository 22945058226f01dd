"""Directions along which two samples are far apart: projected, sorted, and turned uphill, many at a time.

W_p^p between projections on θ is <P, |<x - y, θ>|^p> for the monotone coupling P of the projections; where no two
projections coincide its gradient in θ is that of the sum at a fixed P. Steps go along great circles, each direction
with its own angle: longer after a success, shorter after a failure.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from divergences.optimal_transport._staircase import staircase

CELLS = 2**21  # projections at a time
LONGER, SHORTER = 1.6, 0.4  # factors of a step's angle after a success, after a failure
FIRST_ANGLE = 0.3
FEW = 64  # dimensions in which covariances are compared


class Stage(NamedTuple):
    """Keep the `kept` best directions of each labelling, and give them so many steps."""

    kept: int
    steps: int


@dataclass(frozen=True, eq=False)
class Slices:
    """Pooled points (N, d) and a power; a labelling (N,) says which of them are x: n of them in every labelling."""

    points: np.ndarray
    n: int
    power: float

    def costs(self, label: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W_p^p along each direction (k,), and its gradient (k, d), for labellings (k, N) and directions (k, d)."""
        step = max(1, CELLS // len(self.points))
        values, slopes = [], []
        for s in range(0, len(theta), step):
            value, pull = self.pulls(label[s : s + step], theta[s : s + step])
            values.append(value)
            slopes.append(pull @ self.points)
        return np.concatenate(values), np.concatenate(slopes)

    def pulls(self, label: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """W_p^p along each direction (k,), and its derivative with respect to each projection (k, N)."""
        k, p = len(theta), self.power
        projected = theta @ self.points.T
        order = np.argsort(projected, axis=1)
        ahead = np.take_along_axis(label, order, axis=1)
        # Every row has n True, so that selecting keeps rows apart, and sorted.
        i, j = order[ahead].reshape(k, -1), order[~ahead].reshape(k, -1)
        rows, columns, mass = coupling(self.n, len(self.points) - self.n)
        x, y = (np.take_along_axis(projected, side, axis=1) for side in (i, j))
        apart = x[:, rows] - y[:, columns]
        size = np.abs(apart)
        value = (size**p) @ mass
        pull = p * size ** (p - 1) * np.sign(apart) * mass
        weight = np.empty_like(projected)
        np.put_along_axis(weight, i, _sums(pull, rows), axis=1)
        np.put_along_axis(weight, j, -_sums(pull, columns), axis=1)
        return value, weight


def coupling(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and masses of the monotone coupling of n and m equal masses, without empty cells."""
    if n == m:
        return np.arange(n), np.arange(n), np.full(n, 1 / n)
    rows, columns, mass = staircase(np.full(n, float(m)), np.full(m, float(n)))
    used = mass > 0
    return rows[used], columns[used], mass[used] / (float(n) * m)


def _sums(values: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Sums of the columns of `values` (k, cells) over cells of one row of the coupling; `side` is sorted."""
    return np.add.reduceat(values, np.flatnonzero(np.diff(side, prepend=-1)), axis=1)


def climb(
    slices: Slices, labels: np.ndarray, starts: np.ndarray, stages: tuple[Stage, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The largest W_p^p found (L,) and its direction (L, d) of each labelling (L, N), from starts (L, S, d)."""
    theta = unit(starts)
    count, many, d = theta.shape
    value, slope = slices.costs(np.repeat(labels, many, axis=0), theta.reshape(-1, d))
    value, slope = value.reshape(count, many), slope.reshape(count, many, d)
    angle = np.full((count, many), FIRST_ANGLE)
    for stage in stages:
        best = np.argsort(-value, axis=1, kind="stable")[:, : stage.kept]
        value, angle = (np.take_along_axis(v, best, axis=1) for v in (value, angle))
        theta, slope = (np.take_along_axis(v, best[:, :, None], axis=1) for v in (theta, slope))
        of = np.repeat(labels, best.shape[1], axis=0)
        for _ in range(stage.steps):
            there = _turned(theta, slope, angle)
            new, new_slope = slices.costs(of, there.reshape(-1, d))
            new, new_slope = new.reshape(value.shape), new_slope.reshape(slope.shape)
            better = new > value
            theta, slope = (np.where(better[..., None], a, b) for a, b in ((there, theta), (new_slope, slope)))
            value = np.where(better, new, value)
            angle = np.minimum(angle * np.where(better, LONGER, SHORTER), np.pi / 4)
    best = value.argmax(axis=1)
    each = np.arange(count)
    return value[each, best], theta[each, best]


def _turned(theta: np.ndarray, slope: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Directions turned by an angle towards the part of their slope that is tangent to the sphere."""
    tangent = unit(slope - (slope * theta).sum(axis=-1, keepdims=True) * theta)
    return unit(np.cos(angle)[..., None] * theta + np.sin(angle)[..., None] * tangent)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., d) at length one; zeros stay."""
    peak = np.abs(vectors).max(axis=-1, keepdims=True)
    vectors = vectors / np.where(peak > 0, peak, 1.0)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)


def sample_starts(slices: Slices, labels: np.ndarray, fixed: np.ndarray, coordinates: int) -> np.ndarray:
    """Directions to start from (L, S, d): where means differ, the coordinates whose means or spreads differ most,
    where covariances differ in few dimensions, and `fixed` ones (k, d) that see no labels.
    """
    points, d = slices.points, slices.points.shape[1]
    out = []
    for label in labels:
        x, y = points[label], points[~label]
        mean, spread = x.mean(axis=0) - y.mean(axis=0), np.abs(x.std(axis=0) - y.std(axis=0))
        kinds = [mean[None]]
        for size in (np.abs(mean), spread):
            kinds.append(np.eye(d)[np.argsort(-size, kind="stable")[:coordinates]])
        if d <= FEW:
            _, vectors = np.linalg.eigh(np.cov(x.T, bias=True).reshape(d, d) - np.cov(y.T, bias=True).reshape(d, d))
            kinds.append(vectors.T[[0, -1]])
        out.append(np.concatenate([*kinds, fixed]))
    return np.array(out)
