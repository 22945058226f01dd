"""Profiles of parts made where the parts are, by Dask: each part a task, merged as a tree, the same bits as here.

A worker that dies takes its profiles with it; Dask makes them again elsewhere, from the parts.
"""

import errno
import os
from collections.abc import Sequence
from typing import Any

from divergences.errors import DataError
from divergences.files import batches, from_frame, show
from divergences.profiles.profile import Profile, merge
from divergences.profiles.storage import from_bytes, to_bytes

WIDTH = 8  # profiles merged by one task
NEEDED = "profiling on a cluster needs Dask: pip install 'divergences[cluster]'."


def profile_of_dask(
    parts: Any,
    *,
    source: str = "",
    client: Any = None,
    columns: Sequence[str] | None = None,
    categories: Sequence[str] = (),
    seed: int = 0,
) -> Profile:
    """The profile of all rows of the parts, made by Dask.

    Args:
        parts: paths of files, readable by the workers under the same names; or a Dask data frame; or Dask's delayed
            frames or tables. The label of a file is its path, of another part the source and its number.
        source: what to call parts that are no files.
        client: a `distributed.Client`, or the address of a scheduler; None takes Dask's current scheduler.
        columns, categories: as for `read_table`.
        seed: of the row sample.

    Raises:
        DataError: Dask is not installed, there is no part, the address is none, or what `Profile.of` raises of a part.
        OSError: a file cannot be read, or the cluster gave up.

    """
    try:
        from dask.delayed import delayed  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(NEEDED) from None
    parts = list(parts.to_delayed() if hasattr(parts, "to_delayed") else parts)
    if not parts:
        raise DataError("parts must be at least one file or partition; got none.")
    make, join = delayed(profile_part, pure=False), delayed(merged, pure=False)
    tasks = [make(part, label_of(part, k, source), columns, tuple(categories), seed) for k, part in enumerate(parts)]
    while len(tasks) > 1:
        tasks = [join(tasks[k : k + WIDTH]) for k in range(0, len(tasks), WIDTH)]
    return from_bytes(_computed(tasks[0], client))


def label_of(part: Any, number: int, source: str = "") -> str:
    """A file's path; of another part its number.

    >>> label_of("monday.csv", 0), label_of(None, 1, "sales")
    ('monday.csv', 'sales part 1')
    """
    return os.fspath(part) if isinstance(part, str | os.PathLike) else f"{source} part {number}".lstrip()


def profile_part(part: Any, label: str, columns: Sequence[str] | None, categories: Sequence[str], seed: int) -> bytes:
    """What one task does: the profile of a file or frame, as bytes."""
    if isinstance(part, str | os.PathLike):
        found = batches(part, columns=columns, categories=categories)
    else:
        found = from_frame(part, label, columns, categories)
    return to_bytes(Profile.of(found, label=label, seed=seed))


def merged(parts: Sequence[bytes]) -> bytes:
    """What one task does: profiles as bytes, merged."""
    return to_bytes(merge(*(from_bytes(part) for part in parts)))


def _computed(task: Any, client: Any) -> bytes:
    if client is None:
        return task.compute()
    try:
        from distributed import (  # pyright: ignore[reportMissingImports]
            Client,  # pyright: ignore[reportAttributeAccessIssue]
            KilledWorker,  # pyright: ignore[reportAttributeAccessIssue]
        )
    except ImportError:
        raise DataError(NEEDED) from None

    if isinstance(client, str):
        try:
            own = Client(client)
        except ValueError as error:
            raise DataError(
                f"the address of a scheduler must be like tcp://host:8786; got {show(client)}: {error}."
            ) from None
        with own:
            return _computed(task, own)
    try:
        return client.compute(task).result()
    except KilledWorker as error:
        raise OSError(errno.EIO, f"the cluster gave up: a task killed its workers ({error})") from None
