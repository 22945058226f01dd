"""Profiles of columns and tables: exact numbers, kinds, labels, and what is refused."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest

from divergences.errors import DataError
from divergences.files import Column, Table
from divergences.profiles import Profile, merge, numbers
from divergences.profiles._hashing import text_hash
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.cells import LOWEST, NEVER, joining
from divergences.profiles.moments import LIMIT
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.storage import to_bytes


def exact_moments(values):
    """The mean and the deviation by fractions, and a root of integers."""
    x = [Fraction(v) for v in values.tolist()]
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / len(x)
    scaled = variance * 4**1200
    return float(mean), float(Fraction(isqrt(int(scaled)), 2**1200))


@pytest.mark.parametrize(
    "values",
    [
        1e8 + np.random.default_rng(0).normal(size=500),
        1e16 + np.arange(7.0),
        np.random.default_rng(1).standard_cauchy(500) ** 5,
        np.array([1e308, 1.7e308, -1.7e308]),
        np.array([5e-324, 1e-323, 0.0]),
        np.array([1e300, 1.0, -1e300]),
        np.array([3.0]),
        np.full(9, 0.1),
        -np.exp(50 * np.random.default_rng(2).normal(size=300)),
    ],
    ids=range(9),
)
def test_mean_and_deviation_are_exact(values):
    """Rounded once, whatever cancels."""
    profile = NumberProfile.of(values)
    mean, deviation = exact_moments(values)
    assert profile.mean == mean
    assert profile.deviation == pytest.approx(deviation, rel=3e-16, abs=0)
    assert (profile.lowest, profile.highest) == (values.min(), values.max())


def test_few_values_are_kept_as_they_are():
    rng = np.random.default_rng(3)
    values = rng.choice(rng.normal(size=4096), 100_000)
    profile = NumberProfile.of(values)
    assert profile.exact
    found, counts = np.unique(values, return_counts=True)
    bits = profile.cells.start
    floats = np.where(bits < 0, ~bits, bits).view(np.float64) * np.where(bits < 0, -1, 1)
    assert np.array_equal(floats, found)
    assert np.array_equal(profile.cells.count, counts)
    assert not NumberProfile.of(np.arange(4097.0)).exact


def test_cells_are_fine_where_values_are():
    """At a million normals a cell is about 1/256 of a deviation wide in the middle and none holds 0.3% of them."""
    profile = NumberProfile.of(np.random.default_rng(4).normal(size=10**6))
    assert 3000 < len(profile.cells) <= 4096
    assert profile.cells.count.max() < 3000


@pytest.mark.parametrize(
    "values",
    [np.array([1.5, 2.5], np.float32), np.arange(2), np.arange(6.0)[::3], np.arange(3.0), np.arange(2.0).astype(">f8")],
)
def test_any_layout_is_taken(values):
    before = values.copy()
    values.flags.writeable = False
    assert NumberProfile.of(values).mean == values.astype(float).mean()
    assert np.array_equal(values, before)


def test_no_values():
    profile = NumberProfile.of(np.array([np.nan, np.nan]))
    assert (profile.n, profile.missing, profile.lowest, profile.highest) == (0, 2, np.inf, -np.inf)
    assert np.isnan(profile.mean)
    assert np.isnan(profile.deviation)
    both = numbers.merge(profile, NumberProfile.of(np.array([2.0])))
    assert (both.n, both.missing, both.lowest, both.highest) == (1, 2, 2.0, 2.0)


def test_infinite_values_are_refused_by_name():
    with pytest.raises(DataError, match=r"'sales'.*column 'a'.*2 infinite of 3"):
        Profile.of(Table.numbers(("a",), np.array([[1.0], [np.inf], [-np.inf]]), "sales"))


def test_numbers_beyond_the_exact_sums_are_refused():
    profile = NumberProfile.of(np.ones(1))
    cells = replace(profile.cells, count=np.array([LIMIT - 1]))
    with pytest.raises(DataError, match="fewer than"):
        numbers.merge(profile, replace(profile, cells=cells))


def test_cells_never_join_across_zero():
    left, right = np.array([~1, ~0, 5, 5]), np.array([~0, 0, 6, 1 << 52])
    assert joining(left, right).tolist() == [max(LOWEST, 0 - 4 * 51), NEVER, -4 * 50, 5]


def test_kept_words_do_not_depend_on_pythons_hash():
    """Which is another one in every process."""
    code = (
        "import numpy as np; from divergences.profiles.categories import CategoryProfile as C;"
        "print(hash(C.of(np.arange(9000) , tuple(map(str, range(9000)))).words[:50].__repr__().__len__()))"
        "; print(C.of(np.arange(9000), tuple(map(str, range(9000)))).words[:5])"
    )
    outs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outs) == 1


def test_words_beyond_the_most_are_one_count():
    words = tuple(map(str, range(9000)))
    profile = CategoryProfile.of(np.arange(9000), words)
    assert not profile.exact
    assert len(profile.words) == len(profile.count) <= 4096
    assert profile.count.sum() + profile.other == profile.n == 9000
    level = profile.level
    assert list(profile.words) == sorted(word for word in words if text_hash(word) < 2 ** (64 - level))
    assert sum(text_hash(word) < 2 ** (65 - level) for word in words) > 4096  # as many as fit


def test_exactly_the_most_words_are_kept():
    """4,096 words whose hash begins with a zero bit, and one whose hash does not."""
    sides: list[list[str]] = [[], []]
    for word in map(str, range(9000)):
        sides[text_hash(word) >> 63].append(word)
    words = (*sides[0][:4096], sides[1][0])
    profile = CategoryProfile.of(np.arange(4097), words)
    assert (profile.level, len(profile.words), profile.other) == (1, 4096, 1)


def test_long_words_are_shortened_alike():
    """Two that begin alike stay two."""
    words = ("a" * 10_000, "a" * 10_001, "b")
    profile = CategoryProfile.of(np.array([0, 1, 1, 2]), words)
    assert profile.count.tolist() == [2, 1, 1] or profile.count.tolist() == [1, 2, 1]
    assert max(map(len, profile.words)) == 128


def numeric(*rows, names=("a",), source="example"):
    return Table.numbers(names, np.array(rows, dtype=float).reshape(-1, len(names)), source)


def test_rows_are_a_uniform_sample():
    """Each row is kept with the same probability: over 200 seeds, the mean of the kept ones is unbiased."""
    table = numeric(*range(5000))
    means = [Profile.of(table, seed=seed).rows.columns[0].values.mean() for seed in range(200)]
    expected, error = 2499.5, 5000 / np.sqrt(12 * 500 * 200) * np.sqrt(0.9)
    assert abs(np.mean(means) - expected) < 4 * error
    assert np.std(means) == pytest.approx(5000 / np.sqrt(12 * 500) * np.sqrt(0.9), rel=0.25)
    rows = Profile.of(table).rows
    assert len(set(rows.row.tolist())) == 500
    assert np.array_equal(rows.columns[0].values, rows.row)


def test_rows_stay_whole():
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 3, 4000).astype(np.int32)
    table = Table((Column("a", codes * 2.0), Column("b", codes, "category", ("x", "y", "z"))), "example")
    sample = Profile.of(table).rows.table("sample")
    a, b = sample.column("a"), sample.column("b")
    assert np.array_equal(np.array([{"x": 0.0, "y": 2.0, "z": 4.0}[b.categories[k]] for k in b.values]), a.values)


def test_labels_come_from_the_source_and_count_once():
    a, b = Profile.of(numeric(1, 2, source="monday")), Profile.of(numeric(3, source="tuesday"))
    assert merge(a, b).labels == ("monday", "tuesday")
    with pytest.raises(DataError, match="'monday' is in two of them"):
        merge(a, b, a)
    assert Profile.of(numeric(1), label="").labels == ("example",)


def test_columns_merge_by_name():
    """In another order the result is sorted, whatever the grouping."""
    a = Profile.of(numeric([1, 2], names=("b", "a"), source="1"))
    b = Profile.of(numeric([3, 4], names=("a", "b"), source="2"))
    c = Profile.of(numeric([5, 6], names=("b", "a"), source="3"))
    assert merge(a, c).names == ("b", "a")
    assert to_bytes(merge(merge(a, c), b)) == to_bytes(merge(a, merge(b, c))) == to_bytes(merge(c, b, a))
    found = merge(a, b).columns["a"]
    assert isinstance(found, NumberProfile)
    assert found.mean == 2.5
    with pytest.raises(DataError, match="same columns"):
        merge(a, Profile.of(numeric(1)))


def test_columns_are_chosen_and_renamed():
    profile = Profile.of(numeric([1, 2], [3, 4], names=("a", "b")))
    found = profile.select(["b"])
    assert (found.names, found.rows.table("rows").names, len(found), found.source) == (("b",), ("b",), 2, "example")
    assert profile.select(None) is profile
    again = found.renamed(["c"])
    assert (again.names, again.rows.table("rows").names) == (("c",), ("c",))
    assert to_bytes(again) == to_bytes(Profile.of(numeric(2, 4, names=("c",))))
    with pytest.raises(DataError, match="Did you mean 'a'"):
        profile.select(["aa"])
    assert merge(profile, Profile.of(numeric([5, 6], names=("a", "b")), label="z")).source == "example and 1 more"


def column(kind, *values):
    if kind in ("number", "date"):
        return Column("a", np.array(values, float), kind)
    return Column("a", np.array(values, np.int32), kind, ("false", "true"))


KINDS = ("number", "date", "boolean", "category")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_column_without_values_takes_the_others_kind(kind, other):
    gap = np.nan if other in ("number", "date") else -1
    a = Profile.of(Table((column(kind, 1, 0),), "full"))
    b = Profile.of(Table((column(other, gap, gap, gap),), "gaps"))
    assert to_bytes(merge(a, b)) == to_bytes(merge(b, a))
    found = merge(a, b)
    assert (found.columns["a"].kind, found.columns["a"].missing, found.columns["a"].n) == (kind, 3, 2)
    assert found.rows.columns[0].kind == kind
    assert int(found.rows.columns[0].missing.sum()) == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_kinds_agree_or_are_refused(kind, other):
    a, b = (Profile.of(Table((column(k, 1, 0),), label)) for k, label in ((kind, "1"), (other, "2")))
    if {kind, other} == {"boolean", "category"} or kind == other:
        assert merge(a, b).columns["a"].kind == ("category" if kind != other else kind)
        assert to_bytes(merge(a, b)) == to_bytes(merge(b, a))
    else:
        with pytest.raises(DataError, match=f"it is a {kind} in one profile and a {other} in another"):
            merge(a, b)


def test_kinds_do_not_depend_on_the_grouping():
    tables = [column("number", np.nan), column("category", -1), column("boolean", -1), column("date", np.nan)]
    parts = [Profile.of(Table((c,), c.kind)) for c in tables]
    a, b, c, d = parts
    assert to_bytes(merge(merge(a, b), merge(c, d))) == to_bytes(merge(d, merge(c, merge(b, a))))
    last = Profile.of(Table((column("date", 1.0),), "dates"))
    assert merge(merge(a, b), merge(c, last)).columns["a"].kind == "date"


def test_batches_must_agree():
    with pytest.raises(DataError, match="'a' is not in all"):
        Profile.of([numeric(1), numeric(1, names=("b",))])
    with pytest.raises(DataError, match="at least one table"):
        Profile.of([])
    for seed in (-1, True, 1.5, 2**63):
        with pytest.raises(DataError, match="rng must be"):
            Profile.of(numeric(1), seed=seed)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="one seed"):
        merge(Profile.of(numeric(1), label="1"), Profile.of(numeric(1), label="2", seed=1))
    with pytest.raises(DataError, match="at least one profile"):
        merge()


def test_progress_is_told():
    told = []
    Profile.of([numeric(1), numeric(2, 3)], progress=lambda stage, part: told.append((stage, part)))
    assert [stage for stage, _ in told] == ["1 rows", "3 rows"]
