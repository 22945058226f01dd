"""The inequalities on a pair: computed, compared up to rounding, and shown."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from divergences._arrays import to_numpy
from divergences._checks import points as check_points
from divergences._checks import probabilities, same_outcomes
from divergences._numerics import quiet, unit_scale
from divergences.bounds.measures import Measures, measures
from divergences.bounds.table import TABLE, Bound
from divergences.errors import DataError
from divergences.f_divergences.catalogue import CATALOGUE
from divergences.f_divergences.f_divergence import FDivergence
from divergences.wording import number

RELATIVE, ABSOLUTE = 1e-12, 1e-150
"""What `holds` allows for rounding: this part of both sides, and this, below which squares leave the floats.

And (k 2⁻⁵²)², the square of what the sums of k floats may differ by: second-order quantities know them no better.
"""
BLOCK = 512


@dataclass(frozen=True)
class Inequality:
    """One inequality, left <= right, on one pair.

    `slack` is right - left; None where both are inf, as inf <= inf says nothing. `holds` allows for rounding: 1e-12 of
    both sides, 1e-150, and the square of k 2^-52 for k outcomes. It is None where the inequality does not apply, or
    cannot be computed, and `note` says why.
    """

    name: str
    formula: str
    left: float | None
    right: float | None
    slack: float | None
    holds: bool | None
    source: str
    note: str = ""


@dataclass(frozen=True)
class Inequalities:
    """All inequalities on one pair: a sequence that is also looked up by name, and prints as a table."""

    records: tuple[Inequality, ...]

    def __iter__(self) -> Iterator[Inequality]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> Inequality:
        found = [r for r in self.records if r.name == name]
        if not found:
            raise KeyError(f"{name!r} is none of {', '.join(r.name for r in self.records)}")
        return found[0]

    @property
    def violated(self) -> tuple[Inequality, ...]:
        """Those that fail by more than rounding: none, unless a divergence is computed wrongly."""
        return tuple(r for r in self.records if r.holds is False)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Name -> the fields of the record."""
        return {r.name: asdict(r) for r in self.records}

    def __str__(self) -> str:
        rows = [("inequality", "left", "right", "slack", "", "")]
        marks = {True: "holds", False: "VIOLATED", None: "–"}
        rows += [
            (r.formula, number(r.left), number(r.right), number(r.slack), marks[r.holds], r.note) for r in self.records
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        return "\n".join(
            "  ".join(f"{cell:<{w}}" for cell, w in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows
        )


def inequalities(p: Any, q: Any, points: Any = None, channel: Any = None, *, normalize: bool = False) -> Inequalities:
    """Every classical inequality between divergences of p and q: both sides, the slack, and whether it holds.

    Pinsker, Bretagnolle-Huber, Le Cam, KL <= log(1 + χ²), reverse Pinsker, Topsøe's, ...; with `points` those between
    W1 and the total variation; with `channel` the data processing inequality of every entry of the catalogue.

    Args:
        p, q: one pair of probability vectors, shape (k,); NumPy or torch.
        points: where the outcomes lie, shape (k, d) or (k,): the metric is Euclidean.
        channel: a stochastic matrix (k, l): row i is the law of the output at outcome i.
        normalize: divide p and q by their sums.

    Raises:
        DataError: unusable input, or more than one pair. NotNormalizedError: sums beyond the tolerance.

    >>> result = inequalities([0.5, 0.5], [0.25, 0.75])
    >>> r = result["pinsker"]
    >>> print(r.formula, r.left, r.right, r.holds)
    V ≤ √(KL/2) 0.25 0.26818001065 True
    >>> result.violated, result["wasserstein_upper"].note
    ((), 'needs points=')

    """
    p, q = (to_numpy(probabilities(x, name, normalize=normalize)) for x, name in ((p, "p"), (q, "q")))
    same_outcomes(p, q)
    if p.ndim != 1 or q.ndim != 1:
        raise DataError(
            f"p and q must be one pair of vectors; got shapes {p.shape} and {q.shape}. Call inequalities for each pair."
        )
    with quiet():
        m = measures(p, q)
        if points is not None:
            m = _with_distances(m, p, q, points)
        records = [_judge(bound, m, len(p)) for bound in TABLE]
        if channel is not None:
            records += _data_processing(p, q, _checked(channel, len(p)))
    return Inequalities(tuple(records))


def _judge(bound: Bound, m: Measures, outcomes: int) -> Inequality:
    reason = bound.unless(m)
    if reason:
        return Inequality(bound.name, bound.formula, None, None, None, None, bound.source, reason)
    return compare(bound.name, bound.formula, float(bound.left(m)), float(bound.right(m)), bound.source, outcomes)


def compare(name: str, formula: str, left: float, right: float, source: str, outcomes: int = 0) -> Inequality:
    """The record of two numbers."""
    if left == right == math.inf:
        return Inequality(name, formula, left, right, None, True, source, "both sides are infinite")
    holds = left <= right if math.isinf(left) or math.isinf(right) else left - right <= _rounding(left, right, outcomes)
    return Inequality(name, formula, left, right, right - left, holds, source)


def _rounding(left: float, right: float, outcomes: int) -> float:
    return RELATIVE * (abs(left) + abs(right)) + ABSOLUTE + (outcomes * 2.0**-52) ** 2


def _with_distances(m: Measures, p: np.ndarray, q: np.ndarray, points: Any) -> Measures:
    """W1 of p and q on the charged points, and the largest and smallest distance between these."""
    from scipy.spatial.distance import cdist

    from divergences.optimal_transport import wasserstein

    x = to_numpy(check_points(points, "points")[0])
    if len(x) != len(p):
        raise DataError(f"points must have one row per outcome; got {len(x)} rows for {len(p)} outcomes.")
    charged = (p > 0) | (q > 0)
    x, a, b = x[charged], p[charged], q[charged]
    result = wasserstein(x, x, p=1, a=a, b=b, strict=False)  # a bracket that did not close is still true
    largest, smallest = 0.0, math.inf
    for start in range(0, len(x), BLOCK):
        distances = cdist(x[start : start + BLOCK], x)
        largest = max(largest, float(distances.max()))
        rows = np.arange(len(distances))
        distances[rows, start + rows] = np.inf
        smallest = min(smallest, float(distances.min()))
    smallest = smallest if math.isfinite(smallest) else 0.0
    return replace(m, w1=(float(result.lower), float(result.upper)), diameter=largest, separation=smallest)


def _checked(channel: Any, outcomes: int) -> np.ndarray:
    matrix = to_numpy(probabilities(channel, "channel"))
    if matrix.ndim != 2 or len(matrix) != outcomes:
        raise DataError(
            f"channel must be a matrix with one row per outcome of p; got shape {matrix.shape} for {outcomes} outcomes."
        )
    return matrix


def _data_processing(p: np.ndarray, q: np.ndarray, channel: np.ndarray) -> list[Inequality]:
    """D(pK, qK) <= D(p, q): merging and blurring outcomes cannot tell p and q better apart."""
    source = "Csiszár 1967; Ali & Silvey 1966"
    smallest = min(x[x > 0].min() for x in (p, q)) * channel[channel > 0].min()
    rows = []
    for name, d in CATALOGUE.items():
        label, formula = f"data_processing_{name}", f"D(pK, qK) ≤ D(p, q), {name}"
        if smallest < 1e-290:
            note = "masses times the channel leave the floats"
            rows.append(Inequality(label, formula, None, None, None, None, source, note))
        else:
            # The minimum f(1) is left out of both sides, so that GAN's is compared like the others.
            left, right = _through(d, p, q, channel), float(d.contributions(p, q).sum())
            rows.append(compare(label, formula, left, right, source, len(p)))
    return rows


def _through(d: FDivergence, p: np.ndarray, q: np.ndarray, channel: np.ndarray) -> float:
    """D(pK, qK) with the difference (p - q)K computed first: pK and qK may agree to all their digits."""
    a, b, difference = p @ channel, q @ channel, (p - q) @ channel
    scale = unit_scale(a, b)
    cost = d.cost(a * scale, b * scale, difference * scale) / scale
    return float(np.where((a == 0) & (b == 0) | (difference == 0), 0.0, cost).sum())
