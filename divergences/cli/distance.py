"""`divergences distance`: one number between two tables of numbers, with its proof."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from divergences.cli.options import Columns, Delimiter, File, Seed, names
from divergences.console import DONE, UsageError, say


def distance(
    ref: File,
    cur: File,
    *,
    distance: Annotated[
        Literal["w1", "w2", "energy", "mmd", "sliced_w2", "sinkhorn_divergence"], Parameter(help="Which one.")
    ] = "w1",
    solver: Annotated[
        Literal["exact", "linear-program", "univariate", "sinkhorn"] | None,
        Parameter(help="For w1 and w2; the default is exact."),
    ] = None,
    allow_unconverged: Annotated[bool, Parameter(negative=(), help="Print the bracket reached; it is true.")] = False,
    columns: Columns = None,
    delimiter: Delimiter = None,
    nan_policy: Annotated[Literal["raise", "omit"], Parameter(help="What to do with missing values.")] = "raise",
    seed: Seed = 0,
) -> int:
    """Print one distance between two tables in their own units, with its certified bracket or interval.

    Example: divergences distance before.csv after.csv --distance w2 --solver sinkhorn
    """
    from divergences._checks import points
    from divergences.comparing import judged, matched
    from divergences.files import read_table

    if solver is not None and distance not in ("w1", "w2"):
        raise UsageError(f"--solver applies to w1 and w2; got --distance {distance}. Leave it out.")
    x, y = (read_table(path, columns=names(columns), delimiter=delimiter) for path in (ref, cur))
    matching: Any = matched(x, y, names(columns))  # tables again
    for table in matching:
        for column in table.columns:
            left_out = len(column.values) - len(judged(column, nan_policy, table.source).values)
            if left_out:
                say(
                    f"note: {table.source!r}, column {column.name!r}: {left_out} rows with a missing value are left out"
                )
    x, y = (points(table.values, table.source, nan_policy=nan_policy)[0] for table in matching)
    for line in _distance(distance, x, y, solver, strict=not allow_unconverged, seed=seed):
        print(line)
    return DONE


def _distance(name: str, x: Any, y: Any, solver: str | None, *, strict: bool, seed: int) -> list[str]:
    """The lines that tell a distance."""
    from divergences import samples
    from divergences.optimal_transport import (
        Exact,
        LinearProgram,
        Sinkhorn,
        Univariate,
        sinkhorn_divergence,
        sliced_wasserstein,
        wasserstein,
    )

    if name in ("w1", "w2"):
        solvers = {
            "exact": Exact, "linear-program": LinearProgram, "univariate": Univariate, "sinkhorn": Sinkhorn,
        }  # fmt: skip
        chosen = solvers[solver]() if solver else None
        r = wasserstein(x, y, p=int(name[1]), solver=chosen, strict=strict)
        lines = [
            f"{name} = {float(r.distance):.12g}",
            f"within [{r.distance_lower:.12g}, {r.distance_upper:.12g}]",
            f"cost = {float(r.cost):.12g}, within [{r.lower:.12g}, {r.upper:.12g}]",
            f"solver: {r.solver}{'' if r.converged else ', not converged'}",
        ]
        return lines + [f"note: {note}" for note in r.notes]
    if name == "sliced_w2":
        e = sliced_wasserstein(x, y, p=2, rng=seed)
        between = "" if e.confidence_interval is None else "[{:.6g}, {:.6g}]".format(*e.confidence_interval)
        return [f"{name} = {float(e):.12g}", f"within {between} over random directions (95%)"]
    functions = {"energy": samples.energy_distance, "mmd": samples.mmd, "sinkhorn_divergence": sinkhorn_divergence}
    return [f"{name} = {float(functions[name](x, y)):.12g}"]
