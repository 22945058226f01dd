"""The profile of a table: what comparisons need of it, in kilobytes per column, made in one pass and in parts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

import numpy as np

from divergences._checks import generator
from divergences._parallel import run_blocks
from divergences.errors import DataError
from divergences.files import Column, StoredTable, Table, show
from divergences.files._table import BOOLEAN, CATEGORY, DATE, NUMBER, indices_of
from divergences.profiles import categories, numbers, rows
from divergences.profiles._hashing import shortened
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.cells import LOWEST
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.rows import RowSample

ColumnProfile = NumberProfile | CategoryProfile
KINDS = (CATEGORY, BOOLEAN, DATE, NUMBER)  # of two columns without values, the first of their kinds is kept
Progress = Callable[[str, float], object]


@dataclass(frozen=True, eq=False)
class Profile:
    """What is kept of a table, or of one part of it.

    Attributes:
        columns: the profile of each column by name, in the order of the table.
        rows: a uniform sample of whole rows.
        n: the number of rows.
        labels: of the parts that are in it, sorted.
        seed: of the row sample.

    >>> table = Table.numbers(("age",), np.array([[31.0], [27.0]]), "example")
    >>> profile = Profile.of(table)
    >>> profile.n, profile.names, profile.columns["age"].mean
    (2, ('age',), 29.0)

    """

    columns: Mapping[str, ColumnProfile]
    rows: RowSample
    n: int
    labels: tuple[str, ...]
    seed: int

    @classmethod
    def of(
        cls,
        batches: Table | Iterable[Table],
        *,
        label: str | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> "Profile":
        """The profile of a table that comes in batches, each of which is dropped before the next one is asked for.

        Args:
            batches: tables with the same columns, or one table; the batches' sizes change nothing.
            label: the name of this part among those that will be merged; by default the batches' source. Which rows are
                kept depends on it, and no two parts may have the same one.
            seed: of the row sample.
            progress: called with a text and the share done, as far as known.

        Raises:
            DataError: there is no batch, batches differ in their columns, or a number is infinite.

        """
        generator(seed)  # judges the seed
        made: Profile | None = None
        if isinstance(batches, Table):
            batches = batches.batches() if isinstance(batches, StoredTable) else [batches]
        for table in batches:
            if made is None:
                made = _nothing(table, shortened(label or table.source), int(seed))
            made = _extended(made, table)
            if progress is not None:
                progress(f"{made.n:,} rows", 0.0)
        if made is None:
            raise DataError("batches must hold at least one table; there was none.")
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in their order."""
        return tuple(self.columns)

    @property
    def source(self) -> str:
        """Where the rows come from, in words."""
        return self.labels[0] + (f" and {len(self.labels) - 1} more" if len(self.labels) > 1 else "")

    def __len__(self) -> int:
        """The number of rows."""
        return self.n

    def select(self, columns: Sequence[str] | None) -> "Profile":
        """The profile with only `columns`, in their order; None keeps all. Unknown names raise `DataError`."""
        if columns is None:
            return self
        names = [self.names[k] for k in indices_of(self.names, columns, self.source)]
        sample = replace(self.rows, columns=tuple(self.rows.columns[self.names.index(name)] for name in names))
        return replace(self, columns=MappingProxyType({name: self.columns[name] for name in names}), rows=sample)

    def renamed(self, names: Sequence[str]) -> "Profile":
        """The profile with other names for its columns."""
        columns = dict(zip(names, self.columns.values(), strict=True))
        sample = tuple(replace(c, name=name) for c, name in zip(self.rows.columns, names, strict=True))
        return replace(self, columns=MappingProxyType(columns), rows=replace(self.rows, columns=sample))


def merge(*profiles: Profile) -> Profile:
    """The profile of all rows of the profiles' tables: the same to the bit in any order and any grouping.

    Columns are matched by name. One without values takes the other's kind; booleans beside categories are categories.

    Raises:
        DataError: there is no profile; two differ in their columns, their kinds or their seed; or two share a label,
            so that one part would be counted twice.

    >>> parts = [Table.numbers(("age",), np.array([[age]]), "example") for age in (31.0, 27.0)]
    >>> merge(*(Profile.of(part, label=str(k)) for k, part in enumerate(parts))).columns["age"].mean
    29.0

    """
    if not profiles:
        raise DataError("merge must be given at least one profile; got none.")
    left = list(profiles)
    while len(left) > 1:  # as a tree: each profile takes part in few merges
        pairs = zip(left[::2], left[1::2], strict=False)
        left = [_merged(a, b) for a, b in pairs] + left[len(left) // 2 * 2 :]
    return left[0]


def _merged(a: Profile, b: Profile) -> Profile:
    if a.seed != b.seed:
        raise DataError(
            f"profiles must have one seed to be merged; got {a.seed} and {b.seed}. Profile with one --seed."
        )
    twice = sorted(set(a.labels) & set(b.labels))
    if twice:
        raise DataError(
            f"profiles must be of different parts to be merged; {show(twice[0])} is in two of them. "
            "Leave one out, or profile each part with a label of its own (--shard)."
        )
    a, b = _same_order(a, b)
    kinds = {name: _common_kind(name, a.columns[name], b.columns[name]) for name in a.columns}
    a, b = _of_kinds(a, kinds), _of_kinds(b, kinds)
    columns = {name: _merged_columns(a.columns[name], b.columns[name]) for name in a.columns}
    labels = tuple(sorted(a.labels + b.labels))
    return Profile(MappingProxyType(columns), rows.merge(a.rows, b.rows), a.n + b.n, labels, a.seed)


def _nothing(table: Table, label: str, seed: int) -> Profile:
    """The profile of no rows of a table."""
    empty = table.take(np.zeros(0, np.int64))
    columns = {column.name: _profiled(column, LOWEST) for column in empty.columns}
    return Profile(MappingProxyType(columns), RowSample.of(empty, label, 0, seed), 0, (label,), seed)


def _extended(profile: Profile, table: Table) -> Profile:
    """The profile with the next rows of its part."""
    if table.names != profile.names:
        odd = sorted(set(table.names) ^ set(profile.names)) or list(table.names)
        raise DataError(f"{show(table.source)}: all batches must have the same columns; {show(odd[0])} is not in all.")
    parts: dict[str, ColumnProfile] = {}

    def work(start: int, stop: int) -> None:
        for k in range(start, stop):
            column = table.columns[k]
            known = profile.columns[column.name]
            try:
                parts[column.name] = _profiled(
                    column, known.cells.level if isinstance(known, NumberProfile) else LOWEST
                )
            except DataError as error:
                raise DataError(f"{show(table.source)}: column {show(column.name)}: {error}") from None

    run_blocks(work, len(table.columns), 1)
    below = int(profile.rows.priority[-1]) if profile.rows.full else None
    sample = RowSample.of(table, profile.labels[0], profile.n, profile.seed, below)
    ordered = {name: parts[name] for name in table.names}  # threads finish in any order
    return _merged(profile, Profile(ordered, sample, len(table), (), profile.seed))


def _profiled(column: Column, level: int) -> ColumnProfile:
    if column.measured:
        return NumberProfile.of(column.values, column.kind, level)
    return CategoryProfile.of(column.values, column.categories, column.kind)


def _same_order(a: Profile, b: Profile) -> tuple[Profile, Profile]:
    """Both with their columns in one order: their own, or, if those differ, sorted, whichever comes first."""
    if a.names == b.names:
        return a, b
    odd = sorted(set(a.names) ^ set(b.names))
    if odd:
        raise DataError(
            f"profiles must have the same columns to be merged; {show(odd[0])} is in one of two "
            f"({len(a.names)} and {len(b.names)} columns). Profile the parts with the same --columns."
        )
    return a.select(sorted(a.names)), b.select(sorted(b.names))


def _common_kind(name: str, a: ColumnProfile, b: ColumnProfile) -> str:
    kinds = {a.kind, b.kind}
    for x, y in ((a, b), (b, a)):
        if not x.n and y.n:
            return y.kind
    if len(kinds) == 1 or not a.n or kinds == {BOOLEAN, CATEGORY}:
        return min(kinds, key=KINDS.index)
    raise DataError(
        f"column {show(name)} must be of one kind to be merged; it is a {a.kind} in one profile and a {b.kind} "
        "in another. Profile both with --categories, or correct the file that is wrong."
    )


def _of_kinds(profile: Profile, kinds: Mapping[str, str]) -> Profile:
    """The profile with columns of these kinds: other ones where a column has no values, or booleans as categories."""
    if all(column.kind == kinds[name] for name, column in profile.columns.items()):
        return profile
    columns = {name: _of_kind(column, kinds[name]) for name, column in profile.columns.items()}
    sample = tuple(_column_of_kind(column, kinds[column.name]) for column in profile.rows.columns)
    return replace(profile, columns=MappingProxyType(columns), rows=replace(profile.rows, columns=sample))


def alike(name: str, a: ColumnProfile, b: ColumnProfile) -> tuple[ColumnProfile, ColumnProfile]:
    """Both as one kind. Raises DataError if that cannot be."""
    kind = _common_kind(name, a, b)
    return _of_kind(a, kind), _of_kind(b, kind)


def _of_kind(column: ColumnProfile, kind: str) -> ColumnProfile:
    if column.kind == kind:
        return column
    if column.n:  # booleans as categories
        return replace(column, kind=kind)
    if kind in (NUMBER, DATE):
        return replace(NumberProfile.of(np.zeros(0), kind), missing=column.missing)
    return replace(CategoryProfile.of(np.zeros(0, np.int32), (), kind), missing=column.missing)


def _column_of_kind(column: Column, kind: str) -> Column:
    if column.kind == kind:
        return column
    if not column.measured and kind in (BOOLEAN, CATEGORY):
        return replace(column, kind=kind)
    lost = np.full(len(column.values), np.nan) if kind in (NUMBER, DATE) else np.full(len(column.values), -1, np.int32)
    return Column(column.name, lost, kind)


def _merged_columns(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    if isinstance(a, NumberProfile) and isinstance(b, NumberProfile):
        return numbers.merge(a, b)
    return categories.merge(cast(CategoryProfile, a), cast(CategoryProfile, b))  # the kinds agree
