"""Distances between projections on directions: averaged, and along the worst of them."""

from math import sqrt

import numpy as np
from scipy.special import stdtrit

from divergences._results import Interval
from divergences.optimal_transport import max_sliced_wasserstein
from divergences.optimal_transport._ascent import Slices, Stage, climb, coupling, sample_starts
from divergences.samples.comparison import JointComparison
from divergences.samples.joint.embedding import Embedding
from divergences.samples.joint.permuted import Progress, resolved, silent

PROJECTIONS = 200
STARTS, COORDINATES = 8, 2  # of the search that permutations repeat
STAGES = (Stage(6, 3), Stage(2, 12))
TOLD = 10  # columns of the worst direction


def sliced(
    points: Embedding, permutations: int, rng: np.random.Generator, progress: Progress = silent
) -> JointComparison:
    """Sliced W₂ over random directions, the same ones for every permutation.

    The pooled projections are sorted once: a labelling picks its samples out of them in order.
    """
    directions = rng.normal(size=(PROJECTIONS, points.points.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    projected = directions @ points.points.T
    order = np.argsort(projected, axis=1)
    projected = np.take_along_axis(projected, order, axis=1)
    rows, columns, mass = coupling(points.n, points.m)

    def costs(label: np.ndarray) -> np.ndarray:
        ahead = label[order]  # each row has n True
        x, y = projected[ahead].reshape(PROJECTIONS, -1), projected[~ahead].reshape(PROJECTIONS, -1)
        return np.square(x[:, rows] - y[:, columns]) @ mass

    def statistic(block: np.ndarray) -> np.ndarray:
        return np.sqrt([costs(label).mean() for label in block])

    observed = costs(points.observed)
    mean, error = float(observed.mean()), float(observed.std(ddof=1)) / sqrt(PROJECTIONS)
    half = float(stdtrit(PROJECTIONS - 1, 0.975)) * error
    tested = resolved(statistic, points, permutations, rng, lambda part: progress("sliced_w2", part))
    return JointComparison(
        name="sliced_w2",
        value=sqrt(mean),
        unit=points.unit,
        method=f"mean over {PROJECTIONS} random directions; the interval is over directions only",
        standard_error=error / (2 * sqrt(mean)) if mean > 0 else 0.0,
        confidence_interval=Interval(sqrt(max(mean - half, 0.0)), sqrt(mean + half)),
        **tested,
    )


def max_sliced(
    points: Embedding, permutations: int, rng: np.random.Generator, progress: Progress = silent
) -> JointComparison:
    """W₂ along the worst direction, which every permutation looks for anew, by the same shorter search.

    The value is that of `max_sliced_wasserstein`, which searches longer; the test compares like with like.
    """
    turned, basis = points.turned
    found = max_sliced_wasserstein(*points.split(), p=2, rng=rng)
    direction = found.direction if basis is None else basis @ found.direction
    slices = Slices(turned, points.n, 2.0)
    fixed = rng.normal(size=(STARTS, slices.points.shape[1]))

    def statistic(block: np.ndarray) -> np.ndarray:
        starts = sample_starts(slices, block, fixed, COORDINATES)
        return np.sqrt(climb(slices, block, starts, STAGES)[0])

    tested = resolved(statistic, points, permutations, rng, lambda part: progress("max_sliced_w2", part))
    return JointComparison(
        name="max_sliced_w2",
        value=float(found),
        unit=points.unit,
        method="W2 of the projections on the worst direction found; every permutation looks for its own",
        upper=found.upper,
        loadings=loadings(points, direction),
        **tested,
        notes=found.notes,
    )


def loadings(points: Embedding, direction: np.ndarray) -> dict[str, float]:
    """A direction told by columns, the ten largest first: their squares add up to 1 over all columns.

    The sign is that of the coordinate where the column has one coordinate; + where it has several.
    """
    size = np.sqrt(points.by_column(np.square(direction)))
    widths = np.diff([*points.starts, len(direction)])
    signed = np.where(widths == 1, np.copysign(size, direction[points.starts]), size)
    return {points.names[k]: float(signed[k]) for k in np.argsort(-size, kind="stable")[:TOLD]}
