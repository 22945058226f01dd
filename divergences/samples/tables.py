"""Every distance between two tables at once."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from typing import Any

import numpy as np

from divergences._arrays import is_torch, to_numpy
from divergences._checks import NAN_POLICIES, choice, count, generator, real_array
from divergences.errors import DataError
from divergences.files import Table, from_arrow, from_matrix
from divergences.samples.columns import adjust, compare_column, deviation
from divergences.samples.comparison import Comparison
from divergences.samples.joint import Pooled, Progress, compare_jointly

AFFORDABLE = 10**9  # labels shuffled in all for the columns: about ten seconds
JOINT_ROWS = 500  # of each table: transport is re-solved for every permutation, so that this takes some 15 s


def compare(
    x: Any,
    y: Any,
    *,
    rng: Any = None,
    permutations: int = 199,
    columns: Sequence[str] | None = None,
    nan_policy: str = "raise",
    progress: Progress | None = None,
) -> Comparison:
    """Compare the reference sample x with the current sample y: column by column, and jointly.

    Per column: W₁ in its own unit and in standard deviations, Kolmogorov-Smirnov, binned JS distance and total
    variation with intervals, shift of the mean, permutation p-values and their Benjamini-Hochberg adjustment. Jointly,
    on columns centred and divided by the standard deviation of the *pooled* rows: W₁ and W₂ with a certified bracket,
    Sinkhorn divergence, sliced W₂, energy distance and MMD², each with a p-value and with the 95% quantile that two
    samples of one law would give. Joint distances use at most 500 random rows of each table, and say so.

    Args:
        x, y: a `Table`, any data frame with `__arrow_c_stream__`, or an array of shape (n,) or (n, d). Columns of two
            tables are matched by name, in the order of x.
        rng: a seed or generator.
        permutations: at least so many for columns (40 times the number of columns if that is more, so that one column
            among many can stand out), exactly so many for energy distance and MMD; transport re-solves fewer, and says
            how many.
        columns: the names to compare; None is all.
        nan_policy: "raise", or "omit": a column leaves out its own gaps, the joint distances every row with a gap.
        progress: called with the name of the stage and the part of it that is done.

    Raises:
        DataError: columns that do not match or are not numeric; NaN under "raise"; infinite values; nothing left.
        ConvergenceError: a transport solver missed its tolerance.

    >>> result = compare([[0.0], [1.0], [2.0]], [[1.0], [2.0], [3.0]], rng=0)
    >>> result.columns["column_1"].w1, result.columns["column_1"].mean_shift
    (1.0, 1.0)

    """
    choice(nan_policy, NAN_POLICIES, "nan_policy")
    count(permutations, "permutations")
    generator_ = generator(rng)
    reference, current = matched(as_table(x, "x"), as_table(y, "y"), columns)
    warnings = judge(reference, nan_policy) + judge(current, nan_policy)
    report = progress or (lambda stage, part: None)
    found = []
    shuffles = _column_permutations(reference, current, permutations)
    for k, name in enumerate(reference.names):
        report("columns", k / len(reference.names))
        a, b = reference.column(name), current.column(name)
        _representable(name, a.present, b.present)
        found.append(compare_column(a, b, permutations=shuffles, rng=generator_))
    warnings += _doubts(found)
    pooled, rows, left_out = _standardised(reference, current, permutations, generator_)
    joint, plan = compare_jointly(pooled, generator_, report)
    return Comparison(
        columns=adjust(found),
        joint=joint,
        warnings=tuple(warnings + left_out),
        meta={
            **_meta(reference, current, rng, rows, nan_policy),
            "permutations": {"columns": shuffles} | {name: entry.permutations for name, entry in joint.items()},
        },
        reference=reference,
        current=current,
        plan=plan,
        plan_rows=rows,
    )


def as_table(value: Any, name: str) -> Table:
    """`value` as a table; `name` is its source where it has none of its own."""
    if isinstance(value, Table):
        return value
    if hasattr(value, "__arrow_c_stream__"):
        return from_arrow(value, name)
    array = real_array(value, name)
    return from_matrix(to_numpy(array) if is_torch(array) else array, name)


def matched(x: Table, y: Table, columns: Sequence[str] | None) -> tuple[Table, Table]:
    """Two tables with the same columns in the order of x; what has no partner is an error that names it."""
    if x.names != y.names and _nameless(y) and len(x.names) == len(y.names):
        y = renamed(y, x.names)
    elif x.names != y.names and _nameless(x) and len(x.names) == len(y.names):
        x = renamed(x, y.names)
    if columns is not None:
        return x.select(columns), y.select(columns)
    alone = [[n for n in a.names if n not in set(b.names)] for a, b in ((x, y), (y, x))]
    if any(alone):
        told = [f"only {t.source!r} has {', '.join(map(repr, a[:5]))}" for t, a in zip((x, y), alone, strict=True) if a]
        shared = [n for n in x.names if n in set(y.names)]
        choose = f"Choose among the {len(shared)} they share with --columns (columns= in Python)."
        remedy = choose if shared else "Give them the same names."
        raise DataError(f"Both tables must have the same columns; {'; '.join(told)}. {remedy}")
    return x, y.select(x.names)


def renamed(table: Table, names: Sequence[str]) -> Table:
    """The table with other names for its columns."""
    columns = (replace(column, name=name) for column, name in zip(table.columns, names, strict=True))
    return Table(tuple(columns), table.source)


def _nameless(table: Table) -> bool:
    return table.names == tuple(f"column_{k + 1}" for k in range(len(table.names)))


def judge(table: Table, nan_policy: str) -> list[str]:
    """Refuse what is infinite or, under "raise", missing; return the warnings of what is left out."""
    warnings = []
    for name, values in zip(table.names, table.values.T, strict=True):
        infinite, missing = np.flatnonzero(np.isinf(values)), np.flatnonzero(np.isnan(values))
        where = f"{table.source!r}, column {name!r}"
        if len(infinite):
            raise DataError(f"{where} must be finite; row {infinite[0] + 1} is {values[infinite[0]]}. Remove that row.")
        if len(missing) and nan_policy == "raise":
            raise DataError(
                f"{where} must have no gaps; {len(missing)} of {len(values)} values are missing, the first in row "
                f"{missing[0] + 1}. Fill them, or pass --nan-policy omit (nan_policy='omit' in Python)."
            )
        if len(missing) == len(values):
            raise DataError(f"{where} has nothing left: all {len(values)} values are missing. Leave the column out.")
        if len(missing):
            warnings.append(f"{where}: {len(missing)} of {len(values)} values are missing and left out")
    return warnings


def _column_permutations(x: Table, y: Table, permutations: int) -> int:
    """Enough that the smallest p-value survives adjustment for all columns, where that is affordable."""
    wanted = 40 * len(x.names) - 1
    affordable = wanted * x.values.size + wanted * y.values.size <= AFFORDABLE
    return max(permutations, wanted) if affordable else permutations


def _representable(name: str, a: np.ndarray, b: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(deviation(np.concatenate([a, b]) - (a.mean() / 2 + b.mean() / 2)))
    if not spread < 1e300:
        raise DataError(f"Column {name!r} overflows: its standard deviation must stay below 1e300. Rescale it.")


def _doubts(found: list[Any]) -> list[str]:
    constant = [c.name for c in found if c.w1_sd == 0 and c.ks == 0 and c.null_95 == 0]
    small = min(min(c.n, c.m) for c in found)
    warnings = [f"column {name!r} is constant: it adds nothing to the joint distances" for name in constant]
    if small < 30:
        warnings.append(f"only {small} values on a side: intervals are rough, and only large differences show")
    return warnings


def _standardised(
    reference: Table, current: Table, permutations: int, rng: np.random.Generator
) -> tuple[Pooled, tuple[np.ndarray, np.ndarray], list[str]]:
    """The complete rows of both tables, each column centred and scaled by the pooled rows."""
    warnings: list[str] = []
    rows = []
    for table in (reference, current):
        complete = np.flatnonzero(~np.isnan(table.values).any(axis=1))
        if len(complete) == 0:
            raise DataError(f"{table.source!r} has no row without gaps. Leave out the emptiest column with --columns.")
        if len(complete) < len(table.values):
            warnings.append(f"{table.source!r}: joint distances use the {len(complete)} rows without gaps")
        if len(complete) > JOINT_ROWS:
            warnings.append(f"{table.source!r}: joint distances use {JOINT_ROWS} random rows of {len(complete)}")
            complete = np.sort(rng.choice(complete, JOINT_ROWS, replace=False))
        rows.append(complete)
    x, y = reference.values[rows[0]], current.values[rows[1]]
    centre = x.mean(axis=0) / 2 + y.mean(axis=0) / 2
    points = np.concatenate([x - centre, y - centre])
    points -= points.mean(axis=0)
    spread = deviation(points)
    points /= np.where(spread > 0, spread, 1.0)
    pooled = Pooled(points, len(x), "standard deviations of the pooled columns", permutations)
    return pooled, (rows[0], rows[1]), warnings


def _meta(reference: Table, current: Table, rng: Any, rows: tuple[Any, Any], nan_policy: str) -> dict[str, Any]:
    """What was compared, and how; enough to do it again."""
    return {
        "reference": {"source": reference.source, "rows": len(reference.values), "joint_rows": len(rows[0])},
        "current": {"source": current.source, "rows": len(current.values), "joint_rows": len(rows[1])},
        "direction": "reference first: p is the reference, q the current data; mean_shift is current - reference",
        "standardisation": "joint distances and w1_sd divide by the standard deviation of the pooled rows",
        "seed": rng if isinstance(rng, int) else None,
        "nan_policy": nan_policy,
        "intervals": "95%",
        "version": metadata.version("divergences"),
    }
