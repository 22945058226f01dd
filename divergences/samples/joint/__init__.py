"""The joint law of all columns: every distance beside what one law would give, and what makes it up.

The rows of both tables become points of one space (`embedding`). Every distance is a function of the pooled points and
of which of them are the reference, so a permutation costs a re-labelling: where the statistic is quadratic in the
labels all permutations are one matrix product, and what has to be solved again stops as soon as the p-value is seen to
be large (`permuted`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array

from divergences._checks import count
from divergences.errors import DataError
from divergences.files import Table, aligned
from divergences.samples.comparison import JointComparison
from divergences.samples.joint.attribution import (
    Attribution,
    ColumnShare,
    WitnessRow,
    attributed,
    column_costs,
)
from divergences.samples.joint.classification import classifier
from divergences.samples.joint.embedding import Embedding, embed
from divergences.samples.joint.permuted import Progress, silent
from divergences.samples.joint.quadratic import energy, kernel_mmd
from divergences.samples.joint.slices import max_sliced, sliced
from divergences.samples.joint.transport import plan_of, sinkhorn, transported

__all__ = [
    "Attribution",
    "ColumnShare",
    "Embedding",
    "Joint",
    "Progress",
    "WitnessRow",
    "classifier",
    "compare_jointly",
    "embed",
    "energy",
    "kernel_mmd",
    "max_sliced",
    "sinkhorn",
    "sliced",
    "transported",
]

ROWS = 500  # of each table: transport is solved again for every permutation


@dataclass(frozen=True, eq=False)
class Joint:
    """The joint comparison of two tables.

    Attributes:
        entries: the distances by name.
        plan: the optimal plan for W₂ between the rows used, (rows, rows).
        rows_used: their numbers in the reference and in the current table.
        points: the rows used as points of one space, on which all distances are taken.
        attribution: what the difference is made of.
        notes: what was left out.

    """

    entries: Mapping[str, JointComparison]
    plan: coo_array
    rows_used: tuple[np.ndarray, np.ndarray]
    points: Embedding
    attribution: Attribution
    notes: tuple[str, ...]


def compare_jointly(
    x: Table,
    y: Table,
    *,
    rows: int = ROWS,
    complete: bool = False,
    permutations: int = 199,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Joint:
    """All joint distances between two tables with the same columns, on at most `rows` random rows of each.

    Numbers, dates, booleans and categories, with gaps, become points in which every column weighs the same (`embed`).

    Args:
        x, y: the reference and the current table.
        rows: of each table at most; the time grows with its square, and more for transport.
        complete: use only rows without gaps; otherwise a gap is a category of its own.
        permutations: exactly so many for energy distance, MMD and classifier, at most so many for the others.
        rng: draws rows, permutations, directions and folds.
        progress: called with the name of the stage and the part of it that is done.

    Raises:
        DataError: columns that do not match, infinite values, or no row on a side.
        ConvergenceError: a transport solver missed its tolerance.

    >>> x = Table.numbers(("a", "b"), np.random.default_rng(0).normal(size=(40, 2)), "x")
    >>> y = Table.numbers(("a", "b"), np.random.default_rng(1).normal(size=(40, 2)) + [3.0, 0.0], "y")
    >>> found = compare_jointly(x, y, permutations=19, rng=np.random.default_rng(0))
    >>> found.entries["energy_distance"].pvalue, next(iter(found.attribution.columns))
    (0.05, 'a')

    """
    count(rows, "rows")
    notes: list[str] = []
    used = _chosen(x, rows, complete, rng, notes), _chosen(y, rows, complete, rng, notes)
    tables = aligned(x.take(used[0]), y.take(used[1]))
    points = embed(*tables)
    progress("energy and mmd", 0.0)
    quadratic = [energy(points, permutations, rng)]
    if min(points.n, points.m) >= 2:
        quadratic += [kernel_mmd(points, permutations, rng), classifier(points, permutations, rng)]
    null: list[np.ndarray] = []
    account = lambda label, plan: null.append(column_costs(points, label, plan).sum(axis=0))
    w1, _ = transported(points, 1, permutations, rng, progress)
    w2, solved = transported(points, 2, permutations, rng, progress, account)
    others = [distance(points, permutations, rng, progress) for distance in (sinkhorn, sliced, max_sliced)]
    found = [w1, w2, *others, *quadratic]
    plan = plan_of(solved, points.squared[: points.n, points.n :])
    costs = np.reshape(null, (len(null), len(points.names)))
    return Joint(
        entries={entry.name: entry for entry in found},
        plan=coo_array(solved.plan),
        rows_used=used,
        points=points,
        attribution=attributed(points, plan, costs, tables, used),
        notes=(*notes, *points.notes),
    )


def _chosen(table: Table, rows: int, complete: bool, rng: np.random.Generator, notes: list[str]) -> np.ndarray:
    """The numbers of at most so many random rows, in order."""
    numbers = np.arange(len(table))
    if complete:
        gaps = np.zeros(len(table), bool)
        for column in table.columns:
            gaps |= column.missing
        numbers = np.flatnonzero(~gaps)
        if not len(numbers):
            raise DataError(f"{table.source!r} has no row without gaps. Leave out the emptiest column with --columns.")
        if gaps.any():
            notes.append(f"{table.source!r}: joint distances use the {len(numbers)} rows without gaps")
    if len(numbers) <= rows:
        return numbers
    notes.append(f"{table.source!r}: joint distances use {rows} random rows of {len(numbers)}")
    return np.sort(rng.choice(numbers, rows, replace=False))
