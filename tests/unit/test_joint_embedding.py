"""Rows of mixed tables as points: every column weighs the same, and nothing depends on units or names."""

import numpy as np
import pytest

from divergences.errors import DataError
from divergences.files import Column, Table
from divergences.samples.joint import Embedding, embed, embedding
from divergences.samples.joint.embedding import standardised

RNG = np.random.default_rng(0)
NUMBERS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 2.0, 0.0, 5.0])
GAPS = np.array([3.0, np.nan, 1.0, 2.0, np.nan, np.nan, 7.0, 2.0])
COLOURS = np.array([0, 1, 1, 2, 0, -1, 1, 1], np.int32)
RGB = ("red", "green", "blue")
YES = np.array([0, 1, 1, 0, 0, 0, 0, 1], np.int32)


def mixed(
    rows: slice, scale: float = 1.0, offset: float = 0.0, names: tuple[str, ...] = ("red", "green", "blue")
) -> Table:
    """Some rows of a table with a column of each kind, one of them with gaps, one constant."""
    columns = (
        Column("size", NUMBERS[rows] * scale + offset),
        Column("born", GAPS[rows] * 86400 * scale + offset, "date"),
        Column("colour", COLOURS[rows], "category", names),
        Column("yes", YES[rows], "boolean", ("false", "true")),
        Column("same", np.full(len(NUMBERS[rows]), 7.0)),
    )
    return Table(columns, "t")


def by_hand() -> np.ndarray:
    """|u − v|² between all rows, a sum over columns by the rules in words."""
    out = np.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            size = (NUMBERS[i] - NUMBERS[j]) ** 2 / NUMBERS.var()
            present, share = GAPS[~np.isnan(GAPS)], np.isnan(GAPS).mean()
            a, b = (0.0 if np.isnan(v) else (v - present.mean()) / present.std() for v in (GAPS[i], GAPS[j]))
            born = ((a - b) ** 2 + (np.isnan(GAPS[i]) != np.isnan(GAPS[j]))) / (1 - share + share * (1 - share))
            shares = np.unique(COLOURS, return_counts=True)[1] / 8
            colour = 2 * (COLOURS[i] != COLOURS[j]) / (1 - np.sum(shares**2))
            yes = 2 * (YES[i] != YES[j]) / (1 - YES.mean() ** 2 - (1 - YES.mean()) ** 2)
            out[i, j] = size + born + colour + yes
    return out


def test_distances_are_those_written_out():
    """A sum over columns; the constant column adds nothing; independent pooled rows differ by 2 per column."""
    points = embed(mixed(slice(0, 5)), mixed(slice(5, 8)))
    assert points.names == ("size", "born", "colour", "yes")
    np.testing.assert_allclose(points.squared, by_hand(), atol=1e-12)
    np.testing.assert_allclose(points.by_column(np.square(points.points)).mean(axis=0), 1, rtol=1e-12)
    assert points.squared.mean() == pytest.approx(2 * 4)
    assert (points.n, points.m) == (5, 3)


def test_a_wrong_scale_is_noticed():
    """A category block one hot without its factor: planted."""
    points = embed(mixed(slice(0, 5)), mixed(slice(5, 8)))
    planted = points.points.copy()
    planted[:, points.starts[2] : points.starts[3]] *= 1.1
    other = Embedding(planted, 5, points.names, points.starts)
    assert np.abs(other.squared - by_hand()).max() > 0.1


def test_units_and_names_do_not_matter():
    """Nor does the order of categories, or who is the reference."""
    plain = embed(mixed(slice(0, 5)), mixed(slice(5, 8)))
    scaled = embed(mixed(slice(0, 5), 1e-3, 1e3), mixed(slice(5, 8), 1e-3, 1e3))
    np.testing.assert_allclose(scaled.squared, plain.squared, atol=1e-8)
    renamed = embed(mixed(slice(0, 5), names=("z", "y", "x")), mixed(slice(5, 8), names=("z", "y", "x")))
    np.testing.assert_array_equal(renamed.points, plain.points)
    swapped = embed(mixed(slice(5, 8)), mixed(slice(0, 5)))
    order = np.r_[3:8, 0:3]
    np.testing.assert_allclose(swapped.squared[np.ix_(order, order)], plain.squared, atol=1e-12)
    codes = np.array([1, 0, 2], np.int32)  # the same colours, listed in another order on one side
    y = mixed(slice(5, 8))
    other = Column(
        "colour",
        np.where(y.columns[2].values < 0, -1, codes[y.columns[2].values]),
        "category",
        ("green", "red", "blue"),
    )
    y = Table((*y.columns[:2], other, *y.columns[3:]), "y")
    np.testing.assert_allclose(embed(mixed(slice(0, 5)), y).squared, plain.squared, atol=1e-12)


def test_any_scale_is_a_scale():
    """Subnormals, the largest numbers, a large offset; one value alone has none."""
    for unit in (5e-324, 1e-300, 1e300, 2.0**1022):
        np.testing.assert_allclose(
            standardised(np.array([1.0, 2.0, 3.0]) * unit), [-(1.5**0.5), 0, 1.5**0.5], atol=1e-15
        )
    offset = standardised(1e8 + NUMBERS)
    np.testing.assert_allclose(offset, (NUMBERS - NUMBERS.mean()) / NUMBERS.std(), rtol=1e-12)
    assert not standardised(np.array([1e300, 1e300])).any()
    np.testing.assert_allclose(standardised(np.array([-1.7e308, 1.7e308])), [-1, 1])


def of_codes(codes: np.ndarray, n: int) -> tuple[Table, Table]:
    """A table of one category column, split."""
    names = tuple(f"k{k}" for k in range(codes.max() + 1))
    column = Column("c", codes.astype(np.int32), "category", names)
    return tuple(Table((column.take(rows),), "t") for rows in (np.arange(n), np.arange(n, len(codes))))  # type: ignore[return-value]


def test_identifiers_are_left_out():
    """More than 20 values, and more than half as many as rows; fewer stay."""
    points = embed(*of_codes(np.arange(40), 20))
    assert points.names == ()
    assert points.notes == ("hardly any value repeats, so that the joint distances leave out 'c'",)
    assert not points.points.any()
    assert embed(*of_codes(np.arange(20), 10)).names == ("c",)
    assert embed(*of_codes(np.repeat(np.arange(30), 2), 30)).names == ("c",)


def test_rare_categories_are_taken_together(monkeypatch):
    """By how often they occur; where all occur equally often and are too many, the column has nothing to tell apart."""
    monkeypatch.setattr(embedding, "CELLS", 0)
    codes = np.repeat(np.arange(8), [1, 9, 2, 8, 3, 7, 4, 6])
    points = embed(*of_codes(codes, 20))
    assert points.points.shape[1] == 5  # 9, 8, 7, 6 and the others
    assert points.notes == ("the joint distances take the rarest categories together in 'c'",)
    kept = np.isin(codes, (1, 3, 5, 7))
    same = (codes[:, None] == codes) | ~(kept[:, None] | kept)
    assert ((points.squared < 1e-12) == same).all()
    even = embed(*of_codes(np.repeat(np.arange(8), 5), 20))
    assert even.names == ()
    assert "none of them common" in even.notes[0]


def test_notes_name_five_columns():
    """And count the others."""
    codes = np.arange(30, dtype=np.int32)
    names = tuple(map(str, codes))
    table = Table(tuple(Column(f"k{k}", codes, "category", names) for k in range(7)), "t")
    (note,) = embed(table, table.take(np.array([0]))).notes
    assert note.endswith("leave out 'k0', 'k1', 'k2', 'k3', 'k4' and 2 more")


def test_more_coordinates_than_rows_are_turned():
    """An isometry: distances and slices stay, and the basis leads back."""
    rng = np.random.default_rng(0)
    points = Embedding.of(rng.normal(size=(4, 30)), rng.normal(size=(5, 30)))
    turned, basis = points.turned
    assert turned.shape == (9, 9)
    assert basis is not None
    np.testing.assert_allclose(turned @ basis.T, points.points, atol=1e-13)
    np.testing.assert_allclose(
        points.squared, np.square(points.points[:, None] - points.points).sum(axis=2), atol=1e-12
    )


def test_what_cannot_be_embedded_is_named():
    """Kinds, names, rows, infinities."""
    x = mixed(slice(0, 5))
    with pytest.raises(DataError, match="same columns"):
        embed(x, x.select(["size"]))
    with pytest.raises(DataError, match="must have rows; got 5 and 0"):
        embed(x, x.take(np.arange(0)))
    number, date = (Table((Column("a", NUMBERS, kind),), "t") for kind in ("number", "date"))
    with pytest.raises(DataError, match="'a' must be of one kind in both tables; got number and date"):
        embed(number, date)
    with pytest.raises(DataError, match="'a' must be finite"):
        embed(number, Table((Column("a", np.array([np.inf])),), "t"))


def test_gaps_alone_are_a_difference():
    """A column that is constant but for its gaps, and one that is all gaps."""
    x = Table((Column("a", np.array([1.0, 1.0, np.nan])), Column("b", np.full(3, np.nan))), "x")
    y = Table((Column("a", np.full(3, np.nan)), Column("b", np.full(3, np.nan))), "y")
    points = embed(x, y)
    assert points.names == ("a",)
    assert points.points.shape == (6, 1)
    assert points.points.var() == pytest.approx(1)
