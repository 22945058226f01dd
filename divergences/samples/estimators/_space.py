"""The space in which distances are taken: one linear map of both samples, after which no unit or direction rules."""

import numpy as np

from divergences._parallel import run_blocks

MOMENTS = 10_000  # rows from which the map is learned: any would do, as long as it loses nothing
RANK = 1e-10  # of the largest variance: what is below is a combination of other columns
BLOCK = 4096


def whitened(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both samples under one linear map, (n, r) and (m, r).

    Columns get unit variance; with ten points per column and more, directions do, within the samples: divergences stay
    the same, and columns that are combinations of others disappear (r < d).
    """
    if x.shape[1] == 1:  # without a centre, from which small values would be rounded away
        unit = np.frexp(max(np.abs(x).max(), np.abs(y).max()))[1]
        return np.ldexp(x, -unit), np.ldexp(y, -unit)
    # Column by column: NumPy's loops run along the last axis, which is short.
    low = np.array([min(a.min(), b.min()) for a, b in zip(x.T, y.T, strict=True)])
    high = np.array([max(a.max(), b.max()) for a, b in zip(x.T, y.T, strict=True)])
    kept = low < high
    if not kept.any():
        return np.zeros_like(x[:, :1]), np.zeros_like(y[:, :1])
    if not kept.all():
        x, y = x[:, kept], y[:, kept]
    peak = np.maximum(np.abs(low), np.abs(high))[kept]  # divided by first: no square overflows or vanishes
    centre, matrix = _map(_some(x) / peak, _some(y) / peak, min(len(x), len(y)))
    if matrix.shape[1] < len(matrix) and max(len(x), len(y)) > MOMENTS:
        centre, matrix = _map(x / peak, y / peak, min(len(x), len(y)))  # the rows left out may need that direction
    return _moved(x, peak, centre, matrix), _moved(y, peak, centre, matrix)


def _some(sample: np.ndarray) -> np.ndarray:
    return sample[:: -(-len(sample) // MOMENTS)]


def _map(x: np.ndarray, y: np.ndarray, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """(centre, matrix) of the map."""
    d = x.shape[1]
    centre = x.mean(axis=0) / 2 + y.mean(axis=0) / 2
    x, y = x - centre, y - centre
    spread = np.sqrt((np.square(x).mean(axis=0) + np.square(y).mean(axis=0)) / 2)
    matrix = np.diag(1 / np.where(spread > 0, spread, 1.0))
    if fewest < 10 * d or d == 1:
        return centre, matrix
    x, y = x @ matrix, y @ matrix
    pooled = np.cov(np.concatenate([x, y]), rowvar=False)
    within = (np.cov(x, rowvar=False) + np.cov(y, rowvar=False)) / 2
    turn = _root(pooled)
    # A little is added where the samples lie on parallel planes, within which nothing varies across.
    turn = turn @ _root(turn.T @ within @ turn + 1e-6 * np.eye(turn.shape[1]))
    return centre, matrix @ turn


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix A, with as many columns as the covariance has directions, for which Aᵀ C A is the identity."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > RANK * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept])


def _moved(points: np.ndarray, peak: np.ndarray, centre: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(points / peak - centre) @ matrix, added up in the same order for each row: equal rows stay equal."""
    moved = np.empty((len(points), matrix.shape[1]))

    def move(start: int, stop: int) -> None:
        columns = np.ascontiguousarray(points[start:stop].T) / peak[:, None] - centre[:, None]
        block = np.zeros((matrix.shape[1], stop - start))
        for column, row in zip(columns, matrix, strict=True):
            block += row[:, None] * column
        moved[start:stop] = block.T

    run_blocks(move, len(points), BLOCK)
    return moved
