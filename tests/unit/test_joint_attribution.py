"""Which columns and rows make up the difference."""

import json

import numpy as np
import pytest

from divergences.files import Column, Table
from divergences.optimal_transport import wasserstein
from divergences.samples.joint import Embedding, attribution, compare_jointly
from divergences.samples.joint.attribution import column_costs, shown
from divergences.samples.joint.transport import Plan, optimal


def shifted(n: int, m: int, d: int, column: int, shift: float, seed: int = 0) -> tuple[Table, Table]:
    """Normal tables, one column of the second shifted."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    y[:, column] += shift
    names = tuple(f"c{k}" for k in range(d))
    return Table.numbers(names, x, "x"), Table.numbers(names, y, "y")


def test_the_shifted_column_has_most_of_the_excess():
    """And hardly another stands out; in one dimension the excess is about the square of the shift."""
    x, y = shifted(120, 150, 6, 2, 1.5)
    found = compare_jointly(x, y, permutations=39, rng=np.random.default_rng(0)).attribution
    first, *others = found.columns.items()
    assert first[0] == "c2"
    assert first[1].excess > 3 * max(share.excess for _, share in others)
    assert first[1].share > first[1].null_95
    assert sum(share.share > share.null_95 for _, share in others) <= 1
    gap = 1.5 / np.concatenate([x.column("c2").values, y.column("c2").values]).std()
    assert first[1].excess == pytest.approx(gap**2, rel=0.25)


def test_columns_and_rows_sum_to_the_cost():
    """Exactly the plan's cost, whatever the kinds; a planted loss of one cell is noticed."""
    x, y = shifted(30, 40, 3, 0, 1.0)
    kinds = Column("k", np.arange(70, dtype=np.int32) % 3, "category", ("a", "b", "c"))
    x = Table((*x.columns, kinds.take(np.arange(30))), "x")
    y = Table((*y.columns, kinds.take(np.arange(30, 70))), "y")
    found = compare_jointly(x, y, permutations=3, rng=np.random.default_rng(0))
    cost = found.entries["w2"].cost or np.nan
    assert sum(share.cost for share in found.attribution.columns.values()) == pytest.approx(cost, rel=1e-12)
    assert sum(share.share for share in found.attribution.columns.values()) == pytest.approx(1, rel=1e-12)
    plan = optimal(found.points.squared[:30, 30:])
    paid = column_costs(found.points, found.points.observed, plan)
    np.testing.assert_allclose(paid.sum(axis=1), plan.mass * plan.cost, rtol=1e-12)
    planted = Plan(*(part[1:] for part in plan))
    assert column_costs(found.points, found.points.observed, planted).sum() < 0.9999 * cost


def test_witnesses_are_where_the_samples_part():
    """Ten rows a side, of the table's own numbering; the far cluster of the current data, explained by its column."""
    x, y = shifted(60, 60, 4, 1, 0.0)
    values = np.column_stack([column.values for column in y.columns])
    values[50:, 3] += 8
    y = Table.numbers(y.names, values, "y")
    found = compare_jointly(x, y, permutations=19, rng=np.random.default_rng(0)).attribution
    assert {row.row for row in found.current_rows} == set(range(50, 60))
    assert all(next(iter(row.values)) == "c3" for row in found.current_rows)
    assert found.current_rows[0].values["c3"] == values[found.current_rows[0].row, 3]
    assert len(found.reference_rows) == 10
    heights = [row.witness for row in found.current_rows]
    assert heights == sorted(heights, reverse=True)


def test_a_rows_cost_is_its_share_of_the_plan():
    """The mean over rows is the cost: here all rows are told."""
    x, y = shifted(8, 6, 2, 0, 1.0)
    found = compare_jointly(x, y, permutations=2, rng=np.random.default_rng(0))
    for rows in (found.attribution.reference_rows, found.attribution.current_rows):
        assert np.mean([row.cost for row in rows]) == pytest.approx(found.entries["w2"].cost, rel=1e-12)


def test_rows_keep_their_numbers_when_thinned():
    """Of the table they come from."""
    x, y = shifted(300, 20, 2, 0, 3.0)
    found = compare_jointly(x, y, rows=20, permutations=2, rng=np.random.default_rng(0))
    assert max(row.row for row in found.attribution.reference_rows) >= 20
    for row in found.attribution.reference_rows:
        assert row.row in found.rows_used[0]
        assert row.values["c0"] == x.column("c0").values[row.row]


def test_plain_data_for_json():
    """Numbers, text and None only; without permutations there is no null."""
    x, y = shifted(5, 5, 2, 0, 1.0)
    found = compare_jointly(x, y, permutations=1, rng=np.random.default_rng(0)).attribution
    out = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(out) == {"columns", "reference_rows", "current_rows", "permutations"}
    assert set(out["columns"]["c0"]) == {"share", "null_95", "cost", "null_mean", "excess"}


def test_cells_are_shown_as_people_know_them():
    """A date in ISO 8601, a category by name, a gap as None."""
    assert shown(Column("d", np.array([86400.0, np.nan, 1e18]), "date"), 0) == "1970-01-02T00:00:00"
    assert shown(Column("d", np.array([86400.0, np.nan, 1e18]), "date"), 1) is None
    assert shown(Column("d", np.array([86400.0, np.nan, 1e18]), "date"), 2) == 1e18
    assert shown(Column("c", np.array([1, -1], np.int32), "category", ("a", "b")), 0) == "b"
    assert shown(Column("n", np.array([2.5])), 0) == 2.5


def test_long_plans_are_accounted_for_in_blocks(monkeypatch):
    """The same sums."""
    rng = np.random.default_rng(0)
    points = Embedding.of(rng.normal(size=(9, 3)), rng.normal(size=(7, 3)))
    plan = optimal(points.squared[:9, 9:])
    whole = column_costs(points, points.observed, plan)
    monkeypatch.setattr(attribution, "CELLS", 5)
    np.testing.assert_array_equal(column_costs(points, points.observed, plan), whole)
    x, y = points.split()
    assert whole.sum() == pytest.approx(float(wasserstein(x, y, p=2).cost), rel=1e-12)


def test_null_numbers_are_those_of_the_permutations():
    """Shares of each permutation's own total, their 95% quantile; the mean of the costs; the excess above it."""
    x, y = shifted(4, 4, 2, 0, 1.0)
    points = Embedding.of(x.values, y.values)
    plan = optimal(points.squared[:4, 4:])
    null = np.array([[1.0, 3.0], [2.0, 2.0], [6.0, 2.0]])
    named = Embedding(points.points, 4, x.names, points.starts)
    found = attribution.attributed(named, plan, null, (x, y), (np.arange(4), np.arange(4)))
    for k, name in enumerate(x.names):
        share = found.columns[name]
        assert share.null_95 == pytest.approx(np.quantile([[0.25, 0.5, 0.75], [0.75, 0.5, 0.25]][k], 0.95))
        assert share.null_mean == pytest.approx([3.0, 7 / 3][k])
        assert share.excess == pytest.approx(share.cost - share.null_mean)
    assert found.permutations == 3
