"""Estimators between samples, and the comparison of tables."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer

from divergences.comparing import compare
from divergences.errors import DataError
from divergences.files import Table
from divergences.optimal_transport import sinkhorn_divergence, sinkhorn_influence, wasserstein
from divergences.samples import Gaussian, energy_distance, estimate, mmd


def normals(n: int, m: int, shift: float, seed: int, d: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two normal samples, the second shifted."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (n, d)), rng.normal(shift, 1, (m, d))


# ---------------------------------------------------------------------------------------------- energy and mmd


def test_energy_distance_is_the_square_of_scipys():
    """An oracle that shares no code."""
    x, y = normals(40, 70, 0.7, 0)
    assert float(energy_distance(x, y)) == pytest.approx(stats.energy_distance(x[:, 0], y[:, 0]) ** 2, rel=1e-12)


def test_energy_distance_of_a_reordered_sample_is_not_negative():
    """Rounding below zero, which happens for a fifth of these, is cut off."""
    rng = np.random.default_rng(0)
    for n in range(2, 52):
        x = rng.normal(size=(n, 2))
        assert 0 <= float(energy_distance(x, rng.permutation(x))) < 1e-14


def test_sinkhorn_influence_is_the_slope_in_the_masses():
    """Of both samples, at one epsilon."""
    (x, y), move = normals(6, 5, 0.5, 0, d=2), np.array([1.0, -2.0, 0.5, 0.0, 0.5]) / 100
    value = lambda a, b: float(sinkhorn_divergence(x, y, epsilon=0.5, a=a, b=b, tolerance=1e-10))
    first, second = sinkhorn_influence(x, y, epsilon=0.5)
    a, b, wide = np.full(6, 1 / 6), np.full(5, 1 / 5), np.append(move, 0.0)
    assert first @ wide == pytest.approx((value(a + wide, b) - value(a - wide, b)) / 2, rel=1e-2)
    assert second @ move == pytest.approx((value(a, b + move) - value(a, b - move)) / 2, rel=1e-2)


def test_mmd_by_hand():
    """All pairs written out; unbiased leaves the diagonal out."""
    x, y = normals(5, 4, 0.7, 1, d=2)
    k = lambda a, b: np.exp(-np.sum((a - b) ** 2) / (2 * 1.5**2))
    xx = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    yy = [k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    xy = [k(a, b) for a in x for b in y]
    assert float(mmd(x, y, Gaussian(1.5))) == pytest.approx(np.mean(xx) + np.mean(yy) - 2 * np.mean(xy), abs=1e-14)


def test_mmd_takes_any_kernel_where_the_data_are():
    """A linear kernel gives the squared distance of the means, corrected; it must not see centred data by mistake."""
    x, y = np.array([[1.0], [3.0]]), np.array([[10.0], [10.0]])
    assert float(mmd(x, y, lambda a, b: a @ b.T)) == pytest.approx(3 + 100 - 2 * 20)


def test_mmd_bandwidth_survives_ties():
    """More than half of the pairs coincide: the median positive distance takes over; all coincide: zero."""
    x, y = np.zeros(20), np.array([0.0] * 18 + [1.0, 3.0])
    assert float(mmd(x, y)) == pytest.approx(float(mmd(x, y, Gaussian(2.0))), abs=1e-15)
    assert float(mmd(np.zeros(3), np.zeros(4))) == 0.0


def test_what_the_distances_refuse():
    """One point is too few for an unbiased mmd; dimensions must agree; NaN is named."""
    with pytest.raises(DataError, match="needs n >= 2"):
        mmd([1.0], [1.0, 2.0])
    with pytest.raises(DataError, match="same number of columns"):
        energy_distance(np.ones((3, 2)), np.ones((3, 3)))
    with pytest.raises(DataError, match="1 NaN or infinite of 2"):
        energy_distance([np.nan, 1.0], [1.0])
    assert float(energy_distance([1.0], [3.0])) == 4.0


# ----------------------------------------------------------------------------------------------------- compare


@pytest.fixture(scope="module")
def cancer():
    """Benign and malignant rows of the breast cancer table, four columns."""
    data: Any = load_breast_cancer()
    names = tuple(str(name) for name in data.feature_names[:4])
    return tuple(Table.numbers(names, data.data[data.target == k][:, :4], f"{k}.csv") for k in (1, 0))


@pytest.fixture(scope="module")
def comparison(cancer):
    """Their comparison, quick."""
    return compare(*cancer, rng=0, permutations=19)


def test_the_joint_numbers_are_those_of_the_public_functions(cancer, comparison):
    """Standardised by the pooled rows, then each distance as anyone would call it."""
    pooled = np.concatenate([table.values for table in cancer])
    x, y = ((table.values - pooled.mean(axis=0)) / pooled.std(axis=0) for table in cancer)
    found = comparison.joint
    for p in (1, 2):
        assert found[f"w{p}"].value == pytest.approx(float(wasserstein(x, y, p=p).distance), rel=1e-9)
        assert found[f"w{p}"].lower <= found[f"w{p}"].cost <= found[f"w{p}"].upper
    assert found["energy_distance"].value == pytest.approx(float(energy_distance(x, y)), rel=1e-9)
    assert found["mmd"].value == pytest.approx(float(mmd(x, y)), rel=1e-9)
    assert all(entry.value > 1.5 * entry.null_95 for entry in found.values())
    assert all(entry.pvalue == 1 / (1 + entry.permutations) for entry in found.values())


def test_columns_carry_direction_unit_and_adjustment(comparison):
    """The mean shift is current − reference; w1_sd has no unit; adjusted p-values are not below the plain ones."""
    radius = comparison.columns["mean radius"]
    assert radius.mean_shift > 5
    assert radius.w1 == pytest.approx(radius.mean_shift, rel=1e-6)  # malignant radii are larger everywhere
    assert 1.4 < radius.w1_sd < 1.6
    assert all(c.pvalue_adjusted >= c.pvalue for c in comparison.columns.values())


def test_a_columns_js_distance_is_the_root_of_the_divergence(cancer, comparison):
    """Value and interval, up to the noise of the bootstrap."""
    found = comparison.columns["mean radius"].js_distance
    benign, malignant = cancer
    squared = estimate(benign.values[:, 0], malignant.values[:, 0], "js", method="histogram", rng=1)
    assert squared.confidence_interval is not None
    assert found.value**2 == pytest.approx(squared.value, rel=0.05)
    np.testing.assert_allclose(np.square(found.confidence_interval), squared.confidence_interval, rtol=0.1)


def test_the_json_is_the_contracts(comparison):
    """Valid without NaN, in the contract's layout."""
    found = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert set(found) == {"columns", "joint", "attribution", "warnings", "meta"}
    needed = {"w1", "w1_sd", "ks", "js_distance", "total_variation", "pvalue", "pvalue_adjusted"}
    assert needed <= set(found["columns"]["mean radius"])
    assert {"cost", "lower", "upper"} <= set(found["joint"]["w1"])
    assert all("_interval/1 = inf" in said for said in found["meta"].get("nonfinite", []))


def test_what_is_not_finite_is_null_and_named(comparison):
    """JSON has no NaN."""
    from dataclasses import replace

    entry = replace(comparison.joint["mmd"], null_95=float("nan"))
    found = replace(comparison, together=replace(comparison.together, entries={"mmd": entry})).to_dict()
    assert found["joint"]["mmd"]["null_95"] is None
    assert "/joint/mmd/null_95 = nan" in found["meta"]["nonfinite"]


def test_the_same_seed_gives_the_same_numbers(cancer, comparison):
    """To the bit; and the inputs are as they were."""
    before = cancer[0].values.copy()
    assert compare(*cancer, rng=0, permutations=19).to_dict() == comparison.to_dict()
    np.testing.assert_array_equal(cancer[0].values, before)


def test_one_shifted_column_among_thirty_stands_out():
    """Enough permutations for adjustment: one real shift is found, and nearly nothing else."""
    x, y = normals(80, 80, 0.0, 3, d=30)
    y[:, 7] += 1.5
    result = compare(x, y, rng=0, permutations=1)
    flagged = [name for name, column in result.columns.items() if column.pvalue_adjusted <= 0.05]
    assert flagged == ["column_8"]


def test_one_law_is_not_found_to_differ():
    """Two samples of one law: no column and no joint distance cries wolf at 5%."""
    result = compare(*normals(40, 50, 0.0, 11, d=3), rng=0, permutations=39)
    assert min(c.pvalue_adjusted for c in result.columns.values()) > 0.05
    assert min(entry.pvalue for entry in result.joint.values()) > 0.05


def test_constant_columns_and_offsets_are_harmless():
    """A constant column is named and adds nothing; 1e8 + small spread keeps its digits."""
    x, y = normals(30, 30, 1.0, 4)
    constant = np.full((30, 1), 7.0)
    wide = compare(np.hstack([x, constant]), np.hstack([y, constant]), rng=0, permutations=2)
    plain = compare(x, y, rng=0, permutations=2)
    far = compare(x + 1e8, y + 1e8, rng=0, permutations=2)
    assert wide.columns["column_2"].w1 == 0.0
    assert wide.columns["column_2"].pvalue == 1.0
    assert any("'column_2': constant" in warning for warning in wide.warnings)
    assert wide.joint["w2"].value == pytest.approx(plain.joint["w2"].value, rel=1e-12)
    assert far.joint["w2"].value == pytest.approx(plain.joint["w2"].value, rel=1e-6)
    with pytest.raises(DataError, match="overflows"):
        compare([1e308, -1e308], [1e308, 1.0], rng=0)


def test_gaps_are_refused_or_left_out():
    """By the policy, and told."""
    x, y = normals(30, 30, 1.0, 4, d=2)
    x[3, 1] = np.nan
    with pytest.raises(DataError, match=r"1 of 30 values are missing, the first in row 4.*nan-policy"):
        compare(x, y, rng=0)
    result = compare(x, y, rng=0, permutations=2, nan_policy="omit")
    assert (result.columns["column_1"].n, result.columns["column_2"].n) == (30, 29)
    assert result.meta["reference"]["joint_rows"] == 29
    kept = compare(x, y, rng=0, permutations=2, nan_policy="category")
    assert kept.meta["reference"]["joint_rows"] == 30
    assert kept.columns["column_2"].missing_reference == pytest.approx(1 / 30)
    x[3, 1] = np.inf
    with pytest.raises(DataError, match="row 4 is inf"):
        compare(x, y, nan_policy="omit")
    x[:, 1] = np.nan
    with pytest.raises(DataError, match="nothing left"):
        compare(x, y, nan_policy="omit")


def test_columns_are_matched_by_name():
    """Order does not matter; a column without a partner is named; an array follows the names of a table."""
    x, y = normals(20, 20, 0.5, 6, d=2)
    a, b = Table.numbers(("u", "v"), x, "a.csv"), Table.numbers(("v", "u"), y[:, ::-1], "b.csv")
    same = compare(a, Table.numbers(("u", "v"), y, "b.csv"), rng=0, permutations=2)
    assert compare(a, b, rng=0, permutations=2).to_dict()["columns"] == same.to_dict()["columns"]
    assert list(compare(a, y, rng=0, permutations=2).columns) == ["u", "v"]
    with pytest.raises(DataError, match=r"only 'a\.csv' has 'u'; only 'b\.csv' has 'w'.*1 they share"):
        compare(a, Table.numbers(("v", "w"), y, "b.csv"))
    with pytest.raises(DataError, match="same columns"):
        compare(x, y[:, :1])


def test_frames_are_taken_through_arrow():
    """Any frame of that protocol."""
    frame = pa.table({"a": [1.0, 2.0, 3.0], "b": [0, 1, 0]})
    assert list(compare(frame, frame, rng=0, permutations=2).columns) == ["a", "b"]
    told = compare(pa.table({"who": ["x", "y", "x"]}), pa.table({"who": ["y", "y", None]}), rng=0, permutations=2)
    assert (told.columns["who"].kind, told.columns["who"].missing_current) == ("category", pytest.approx(1 / 3))


def test_large_tables_are_thinned_and_say_so():
    """The joint distances use random rows; the columns use all."""
    result = compare(*normals(40, 20, 0.5, 6, d=2), rng=0, permutations=2, sample=25)
    assert result.columns["column_1"].n == 40
    assert result.meta["reference"]["joint_rows"] == 25
    assert any("25 random rows of 40" in warning for warning in result.warnings)


def test_a_note_is_told_once_with_its_columns():
    """Thirty short columns make one warning, not thirty; few permutations are doubted too."""
    x = np.random.default_rng(0).normal(size=(20, 30))
    warnings = compare(x, x + 1, rng=0, permutations=18).warnings
    few, drawn = warnings
    assert few.startswith(
        "columns 'column_1', 'column_2', 'column_3', 'column_4', 'column_5' and 25 more: fewer than 30"
    )
    assert drawn.startswith("permutations=18: no joint p-value can be 5% or less")
    assert len(compare(x, x + 1, rng=0, permutations=19).warnings) == 1
    assert len(compare(x, x + 1, rng=0, permutations=1, joint=False).warnings) == 1


def test_only_what_is_constant_with_its_gaps_is_called_so():
    """A gap indicator that moves is no constant."""
    gaps = np.where(np.arange(40) < 20, np.nan, 1.0)
    told = compare({"a": gaps, "b": np.ones(40)}, {"a": np.ones(40), "b": np.ones(40)}, rng=0, joint=False).warnings
    assert [warning for warning in told if "constant" in warning] == [
        "column 'b': constant, which adds nothing to the joint distances"
    ]


def test_a_series_is_a_column():
    """With its name, or none: then it takes that of the other side."""
    pandas = pytest.importorskip("pandas")
    x, y = np.random.default_rng(0).normal(size=(2, 40))
    found = compare(pandas.Series(x, name="age"), pandas.Series(y), rng=np.int64(0), joint=False)
    assert list(found.columns) == ["age"]
    assert found.columns["age"].w1 == compare(x, y, rng=0, joint=False).columns["column_1"].w1
    assert found.meta["seed"] == 0
    words = compare(pandas.Series(["a", "b"] * 20), pandas.Series(["a", None] * 20), rng=0, joint=False)
    assert words.columns["column_1"].kind == "category"
    with pytest.raises(DataError, match="For text, dates or gaps pass a data frame"):
        compare(["a", "b"], ["a", "b"])
