"""Which columns and which rows make up the difference: the cost of the optimal plan for W₂, taken apart.

The cost of the plan is a sum over pairs of rows and over columns, so it splits exactly. In many dimensions most of it
is the price of finite samples, which permutations show; what is above that is the difference of the laws.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from divergences.files import Column, Table
from divergences.files._table import DATE
from divergences.samples.joint.embedding import Embedding
from divergences.samples.joint.quadratic import energy_witness
from divergences.samples.joint.transport import Plan

ROWS, COLUMNS = 10, 5  # told of each side, and of each row
CELLS = 2**22
LATEST = 2.5e11  # seconds: the year 9892, beyond which ISO 8601 wants a sign


class ColumnShare(NamedTuple):
    """One column's part in the cost of the plan for W₂.

    `share` of the cost, and its 95% quantile among permutations, `null_95`: what a column of two samples of one law
    would reach. `cost` is in units of d², `null_mean` its mean among permutations, `excess` their difference: the shift
    of the column, squared, and what else changed in it.
    """

    share: float
    null_95: float
    cost: float
    null_mean: float
    excess: float


class WitnessRow(NamedTuple):
    """One row that shows the difference: its number in its table, counted from 0, how strongly, and by which columns.

    `witness` is E|u - Y| - E|u - X| at a row u of the reference, and its negative at a current row: how much closer to
    its own side it lies than to the other. `cost` is what its mass pays in the plan, the mean over rows being the cost.
    `values` are those of the columns that pay most above their mean among permutations, the first most: None is a gap.
    """

    row: int
    witness: float
    cost: float
    values: dict[str, Any]


@dataclass(frozen=True)
class Attribution:
    """The joint difference, column by column and in single rows.

    Attributes:
        columns: the part of each column in the cost of the plan for W₂, the largest excess first.
        reference_rows, current_rows: up to ten rows of each side, the strongest witness first.
        permutations: how many the null quantiles come from.

    """

    columns: dict[str, ColumnShare]
    reference_rows: tuple[WitnessRow, ...]
    current_rows: tuple[WitnessRow, ...]
    permutations: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "columns": {name: share._asdict() for name, share in self.columns.items()},
            "reference_rows": [row._asdict() for row in self.reference_rows],
            "current_rows": [row._asdict() for row in self.current_rows],
            "permutations": self.permutations,
        }


def attributed(
    points: Embedding, plan: Plan, null: np.ndarray, tables: tuple[Table, Table], rows: tuple[np.ndarray, np.ndarray]
) -> Attribution:
    """The cost of the plan for W₂, taken apart.

    Args:
        points: the rows compared.
        plan: the optimal plan between them.
        null: costs by column of optimal plans under permutations, (permutations, columns); there may be none.
        tables: the rows compared, as they were before they became points.
        rows: their numbers in the tables that they come from.

    """
    paid = column_costs(points, points.observed, plan)
    cost = paid.sum(axis=0)
    usual = null.mean(axis=0) if len(null) else np.full(len(cost), np.nan)
    limit = np.quantile(_shares(null), 0.95, axis=0) if len(null) else usual
    numbers = np.column_stack([_shares(cost), limit, cost, usual, cost - usual])
    order = np.argsort(usual - cost if len(null) else -cost, kind="stable")
    columns = {points.names[k]: ColumnShare(*map(float, numbers[k])) for k in order}
    base = usual if len(null) else cost
    at_x, at_y = np.split(energy_witness(points), [points.n])
    return Attribution(
        columns=columns,
        reference_rows=_witnesses(tables[0], rows[0], at_x, _by_row(paid, plan.i, points.n), base, points.names),
        current_rows=_witnesses(tables[1], rows[1], -at_y, _by_row(paid, plan.j, points.m), base, points.names),
        permutations=len(null),
    )


def _by_row(paid: np.ndarray, side: np.ndarray, count: int) -> np.ndarray:
    """What the mass of each row pays in each column (count, columns), as if it were one."""
    each = np.zeros((count, paid.shape[1]))
    np.add.at(each, side, paid)
    return each * count


def column_costs(points: Embedding, label: np.ndarray, plan: Plan) -> np.ndarray:
    """What each cell of a plan pays in each column, mass times squared difference, (cells, columns)."""
    i, j = np.flatnonzero(label)[plan.i], np.flatnonzero(~label)[plan.j]
    step, parts = max(1, CELLS // points.points.shape[1]), []
    for block in (slice(start, start + step) for start in range(0, len(i), step)):
        paid = points.by_column(np.square(points.points[i[block]] - points.points[j[block]]))
        parts.append(paid * plan.mass[block, None])
    return np.concatenate(parts)


def _shares(costs: np.ndarray) -> np.ndarray:
    total = costs.sum(axis=-1, keepdims=True)
    return costs / np.where(total > 0, total, 1.0)


def _witnesses(
    table: Table, numbers: np.ndarray, height: np.ndarray, paid: np.ndarray, usual: np.ndarray, names: tuple[str, ...]
) -> tuple[WitnessRow, ...]:
    """The rows of one side where the witness is largest, told by the columns that pay most above the usual."""
    out = []
    for row in np.argsort(-height, kind="stable")[:ROWS]:
        first = np.argsort(usual - paid[row], kind="stable")[:COLUMNS]
        values = {names[k]: shown(table.column(names[k]), row) for k in first}
        out.append(WitnessRow(int(numbers[row]), float(height[row]), float(paid[row].sum()), values))
    return tuple(out)


def shown(column: Column, row: int) -> Any:
    """One cell as people know it: a number, the name of a category, a date in ISO 8601 (UTC), None for a gap."""
    if column.missing[row]:
        return None
    if not column.measured:
        return column.categories[int(column.values[row])]
    value = float(column.values[row])
    return str(np.datetime64(round(value), "s")) if column.kind == DATE and abs(value) < LATEST else value
