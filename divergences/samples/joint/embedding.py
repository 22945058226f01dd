"""Rows of mixed tables as points of one Euclidean space, in which every column weighs the same.

Each column is a block of coordinates with total variance 1 over the pooled rows, so that |u - v|² is a sum over columns
and two rows drawn independently from the pool differ by 2 per column on average, whatever its kind:

- a number or a date: its value, centred and divided by the standard deviation;
- a boolean or a category: one coordinate per category, 1 or 0, times one factor: |u - v|² is a constant where the
  categories differ and 0 where they agree; a gap is a category of its own;
- a number or a date with gaps: its value, a gap standing at the mean, and a coordinate that says whether there is one.

This is a Euclidean relative of Gower's coefficient: a sum over columns of differences on a common scale, the scale
being the standard deviation instead of the range, which one outlier would decide, and gaps being compared instead of
skipped, since where they are is itself a property of the law.

Source: Gower (1971), with the scaling of the mixed principal components of Hill & Smith (1976).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import pdist, squareform

from divergences.errors import DataError
from divergences.files import Column, Table, show

UNIT = "standard deviations of the pooled columns"
CELLS = 2**23  # of the coordinates of categories: beyond, the rare categories of a column are taken together
LEAST = 5  # categories of a column that are kept apart in any case
NAMED = 5  # columns of a note
IDENTIFIERS = "hardly any value repeats, so that the joint distances leave out"
MERGED = "the joint distances take the rarest categories together in"
UNCOMMON = "there are many categories, none of them common, so that the joint distances leave out"
IDENTIFIER = 20  # categories, beyond which a column that hardly repeats a value is no category


@dataclass(frozen=True, eq=False)
class Embedding:
    """Two samples as points of one space.

    Attributes:
        points: (n + m, d), the first n rows those of the reference.
        n: rows of the reference.
        names: of the columns that have coordinates.
        starts: the first coordinate of each of them; its block ends where the next one starts.
        unit: of distances, in words.
        notes: what was left out or taken together.

    """

    points: np.ndarray
    n: int
    names: tuple[str, ...]
    starts: np.ndarray
    unit: str = UNIT
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, unit: str = "none") -> "Embedding":
        """Points x (n, d) and y (m, d) as they are, each coordinate a column."""
        names = tuple(f"column_{k + 1}" for k in range(x.shape[1]))
        return cls(np.concatenate([x, y]), len(x), names, np.arange(x.shape[1]), unit)

    @property
    def m(self) -> int:
        """Rows of the current sample."""
        return len(self.points) - self.n

    @property
    def observed(self) -> np.ndarray:
        """The labelling of the data: True at the rows of the reference, (n + m,)."""
        return np.arange(len(self.points)) < self.n

    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """The two samples, in the coordinates of `turned`."""
        return self.turned[0][: self.n], self.turned[0][self.n :]

    @cached_property
    def turned(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The points in at most n + m coordinates (n + m, k), and the basis (d, k) these belong to: None, as they are.

        Beyond one coordinate per row the rows lie in a subspace, and turning it moves no two of them by more than
        rounding: for what looks at distances and directions only.
        """
        if self.points.shape[1] <= len(self.points):
            return self.points, None
        basis, coordinates = np.linalg.qr(self.points.T)
        return np.ascontiguousarray(coordinates.T), basis

    @cached_property
    def squared(self) -> np.ndarray:
        """|u - v|² between all rows, (n + m, n + m), by differences."""
        return squareform(pdist(self.turned[0], "sqeuclidean"), checks=False)

    @cached_property
    def distances(self) -> np.ndarray:
        """|u - v| between all rows, (n + m, n + m)."""
        return np.sqrt(self.squared)

    def by_column(self, coordinates: np.ndarray) -> np.ndarray:
        """Sums of the last axis (d,) over the block of each column, (columns,)."""
        if not self.names:
            return np.zeros((*coordinates.shape[:-1], 0))
        return np.add.reduceat(coordinates, self.starts, axis=-1)


def embed(x: Table, y: Table) -> Embedding:
    """The rows of x and then those of y as points, see above; constant columns and identifiers have no coordinates.

    A category column is taken for an identifier, and left out, if it has more than 20 values and more values than half
    of its rows. Where the coordinates of all categories would take more than 64 MiB (8,000 categories at 500 rows a
    side), the rare ones of a column are taken together; which they are depends on how often they occur, never on their
    names. The notes name these columns.

    Args:
        x, y: tables with the same columns in the same order.

    Raises:
        DataError: columns of other names or kinds, infinite values, or no row on a side.

    >>> x = Table.numbers(("a", "b"), np.array([[1.0, 5.0], [2.0, 5.0]]), "x")
    >>> y = Table.numbers(("a", "b"), np.array([[3.0, 5.0]]), "y")
    >>> embed(x, y).names, embed(x, y).points.T.round(3)
    (('a',), array([[-1.225,  0.   ,  1.225]]))

    """
    if x.names != y.names:
        raise DataError(f"Both tables must have the same columns; got {x.names[:5]} and {y.names[:5]}. Select them.")
    if min(len(x), len(y)) == 0:
        raise DataError(f"Both tables must have rows; got {len(x)} and {len(y)}.")
    most = _categories_each(x.columns, len(x) + len(y))
    names, blocks = [], []
    told: dict[str, list[str]] = {}
    for pair in zip(x.columns, y.columns, strict=True):
        block, remark = _block(*pair, most)
        if remark:
            told.setdefault(remark, []).append(pair[0].name)
        if block is not None:
            names.append(pair[0].name)
            blocks.append(block)
    widths = [block.shape[1] for block in blocks]
    points = np.concatenate(blocks, axis=1) if blocks else np.zeros((len(x) + len(y), 1))
    starts = np.cumsum([0, *widths])[:-1]
    return Embedding(points, len(x), tuple(names), starts, notes=tuple(_note(*item) for item in told.items()))


def _categories_each(columns: Sequence[Column], rows: int) -> int:
    """How many categories of a column have a coordinate of their own."""
    shared = sum(not column.measured for column in columns)
    return max(LEAST, CELLS // (rows * max(shared, 1)))


def _block(x: Column, y: Column, most: int) -> tuple[np.ndarray | None, str]:
    """The coordinates (n + m, k) of a column, None if it has none, and what to say about it."""
    if x.kind != y.kind:
        raise DataError(f"Column {x.name!r} must be of one kind in both tables; got {x.kind} and {y.kind}.")
    missing, remark = np.concatenate([x.missing, y.missing]), ""
    if x.measured:
        values = np.concatenate([x.values, y.values])
        if np.isinf(values).any():
            raise DataError(f"Column {x.name!r} must be finite; {np.isinf(values).sum()} values are infinite.")
        coordinates = _measured(values, missing)
    else:
        codes = _codes(x, y)
        if len(np.unique(codes[~missing])) > max(IDENTIFIER, (~missing).sum() / 2):
            return None, IDENTIFIERS
        coordinates, merged = _categories(codes, most)
        if merged:
            remark = MERGED if coordinates.any() else UNCOMMON
    variance = float(np.square(coordinates).sum(axis=1).mean())
    return (coordinates / np.sqrt(variance) if variance > 0 else None), remark


def _note(remark: str, names: list[str]) -> str:
    """A remark and the columns it is about."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{remark} {', '.join(map(show, names[:NAMED]))}{more}"


def _measured(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Standardised values, and a coordinate for gaps if there are any; every coordinate has mean 0."""
    out = np.zeros((len(values), 1 + missing.any()))
    if not missing.all():
        out[~missing, 0] = standardised(values[~missing])
    if missing.any():
        out[:, 1] = missing - missing.mean()
        constant = not missing.all() and not out[:, 0].any()
        out = out[:, 1:] if constant or missing.all() else out
    return out


def standardised(values: np.ndarray) -> np.ndarray:
    """(v - mean) / standard deviation at any scale, no square overflowing or vanishing; zeros for equal values.

    >>> standardised(np.array([1e-320, 3e-320])), standardised(np.array([-1e308, 1e308]))
    (array([-1.,  1.]), array([-1.,  1.]))
    """
    if values.min() == values.max():
        return np.zeros_like(values)
    for _ in range(2):  # the second time the peak is that of the deviations
        values = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))
        values = values - values.mean()
    return values / values.std()


def _codes(x: Column, y: Column) -> np.ndarray:
    """The categories of both columns as numbers of one list; 0 is a gap."""
    place = {name: k + 1 for k, name in enumerate(dict.fromkeys((*x.categories, *y.categories)))}
    known = [np.array([0, *(place[name] for name in column.categories)]) for column in (x, y)]
    return np.concatenate([codes[c.values.astype(np.int64) + 1] for codes, c in zip(known, (x, y), strict=True)])


def _categories(codes: np.ndarray, most: int) -> tuple[np.ndarray, bool]:
    """Centred indicators of the categories that occur, and whether some of them were taken together."""
    counts = np.bincount(codes)
    present = np.flatnonzero(counts)
    # Categories that occur equally often are kept apart, or taken together, all of them: no name decides.
    rare = counts[present] <= np.sort(counts[present])[-most] if len(present) > most else np.zeros(len(present), bool)
    indicators = (codes[:, None] == present[~rare]).astype(float)
    if rare.any():
        indicators = np.column_stack([indicators, 1 - indicators.sum(axis=1)])
    return indicators - indicators.mean(axis=0), bool(rare.any())
