"""What one column looks like: shares of rows per bin or per category, reference beside current."""

from dataclasses import dataclass

import numpy as np

from divergences.files import Column, Table

ROWS = 2**17  # of each side that a picture looks at
SHOWN = 7  # categories with a bar of their own
MISSING, OTHERS = "missing", "others"


@dataclass(frozen=True)
class Bars:
    """Shares of rows; `edges` are those of the bins of a number, `labels` name the categories."""

    reference: np.ndarray
    current: np.ndarray
    edges: np.ndarray | None = None
    labels: tuple[str, ...] = ()


def thinned(table: Table, name: str) -> Column:
    """A column of at most about 2¹⁷ rows, every k-th one.

    >>> len(thinned(Table.numbers(("a",), np.zeros((2**19, 1)), "example"), "a").values)
    131072
    """
    if len(table) < 2 * ROWS:
        return table.column(name)
    return table.select([name]).take(np.arange(0, len(table), len(table) // ROWS)).column(name)


def bars(x: Column, y: Column) -> Bars:
    """The shares of a column of numbers in bins of equal width, or of a column of categories, the commonest first.

    Bins cover all but the outermost 0.2% of the pooled values.

    >>> x, y = (Column("a", np.array(codes), "category", ("u", "v")) for codes in ([0, 1, 1], [0, -1]))
    >>> bars(x, y).labels, bars(x, y).current
    (('u', 'v', 'missing'), array([0.5, 0. , 0.5]))
    """
    sides = x.values, y.values
    if not x.measured:
        return _categories(x.categories, *sides)
    return _bins(*(side[~np.isnan(side)] for side in sides))


def _bins(x: np.ndarray, y: np.ndarray) -> Bars:
    pooled = np.concatenate([x, y])
    if len(pooled) == 0:
        return Bars(np.zeros(1), np.zeros(1), np.array([0.0, 1.0]))
    low, high = np.quantile(pooled, [0.002, 0.998])
    if low == high:
        low, high = pooled.min(), pooled.max()
    room = (high - low) * 0.02 if high > low else max(1.0, abs(high) * 1e-3)
    edges = np.linspace(low - room, high + room, 1 + min(36, max(8, int(2 * len(pooled) ** (1 / 3)))))
    shares = [np.histogram(side, edges)[0] / max(1, len(side)) for side in (x, y)]
    return Bars(*shares, edges=edges)


def _categories(names: tuple[str, ...], x: np.ndarray, y: np.ndarray) -> Bars:
    counts = np.array([np.bincount(side[side >= 0], minlength=len(names)) for side in (x, y)], dtype=float)
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    few = len(names) <= SHOWN + 1
    shown = order if few else order[:SHOWN]
    labels, columns = [names[k] for k in shown], [counts[:, k] for k in shown]
    if not few:
        labels.append(OTHERS)
        columns.append(counts[:, order[SHOWN:]].sum(axis=1))
    gaps = np.array([(side < 0).sum() for side in (x, y)], dtype=float)
    if gaps.any():
        labels.append(MISSING)
        columns.append(gaps)
    shares = np.stack(columns, axis=1) / np.maximum([[len(x)], [len(y)]], 1)
    return Bars(*shares, labels=tuple(labels))
