"""`divergences profile` and `divergences merge`: a reference that is kept in kilobytes, also built in parts."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from divergences.cli.options import Categories, Columns, Dask, Delimiter, File, Force, Seed, check_outputs, names
from divergences.console import DONE, UsageError, progress_bar, say

Output = Annotated[Path, Parameter(name=("--out", "-o"), help="The .profile file to write.")]


def profile(
    ref: File,
    *,
    out: Output,
    columns: Columns = None,
    categories: Categories = None,
    delimiter: Delimiter = None,
    shard: Annotated[str, Parameter(help="The label of this part, if the profile is to be merged with others.")] = "",
    dask: Dask = None,
    seed: Seed = 0,
    force: Force = False,
) -> int:
    """Read a table once and keep what comparisons need: counts, exact sums, categories, some hundred rows.

    Example: divergences profile reference.parquet -o reference.profile
    """
    _is_profile(out)
    check_outputs({"--out": out}, [ref], force=force)
    if dask is not None and (delimiter or shard):
        raise UsageError("--dask goes without --delimiter and --shard: each file is a part with its path for a label.")
    from divergences.comparing import profiled
    from divergences.profiles import save

    with progress_bar() as progress:
        made = profiled(
            ref,
            columns=names(columns),
            delimiter=delimiter,
            categories=names(categories) or (),
            label=shard or None,
            seed=seed,
            dask=dask,
            progress=progress,
        )
    save(made, out, force=force)
    say(f"wrote {out}: {made.n:,} rows, {len(made.names)} columns, {out.stat().st_size:,} bytes")
    return DONE


def merge(*parts: File, out: Output, force: Force = False) -> int:
    """Merge profiles of the parts of a table into the profile of the whole: the same to the bit, in any order.

    Example: divergences merge monday.profile tuesday.profile -o week.profile
    """
    if len(parts) < 2:
        raise UsageError(f"merge must be given two profiles or more; got {len(parts)}.")
    _is_profile(out)
    check_outputs({"--out": out}, parts, force=force)
    from divergences.profiles import load, save
    from divergences.profiles import merge as merge_profiles

    made = merge_profiles(*(load(part) for part in parts))
    save(made, out, force=force)
    say(f"wrote {out}: {made.n:,} rows of {len(parts)} parts, {out.stat().st_size:,} bytes")
    return DONE


def _is_profile(out: Path) -> None:
    if out.suffix != ".profile":
        raise UsageError(f"--out must end in .profile; got {str(out)!r}.")
