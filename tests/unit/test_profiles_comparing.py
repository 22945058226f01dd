"""Columns compared by their profiles: brackets that hold, what is exact, and the oracles SciPy and fractions."""

from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance

from divergences.errors import DataError
from divergences.files import Column, Table
from divergences.profiles import Profile
from divergences.profiles import comparing as module
from divergences.profiles.cells import Cells
from divergences.profiles.comparing import bracket, compare_profiles, representatives
from divergences.profiles.line import Line
from divergences.profiles.metrics import distance
from divergences.profiles.numbers import NumberProfile
from divergences.samples.columns import compare_column


def coarse(values, most):
    """The profile of the values with fewer cells."""
    profile = NumberProfile.of(np.array(values, dtype=float))
    return replace(profile, cells=Cells.merged(profile.cells.level, *profile.cells.arrays, most=most))


def exact_distances(x, y):
    """W1 and KS in fractions."""
    places = sorted({Fraction(v) for v in (*x, *y)})
    w1 = ks = Fraction(0)
    for k, place in enumerate(places):
        gap = abs(Fraction(sum(v <= place for v in x), len(x)) - Fraction(sum(v <= place for v in y), len(y)))
        ks = max(ks, gap)
        if k + 1 < len(places):
            w1 += gap * (places[k + 1] - place)
    return w1, ks


LAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: np.exp(rng.normal(size=n)),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "whole": lambda rng, n: rng.integers(0, 100, n).astype(float),
    "offset": lambda rng, n: 1e8 + rng.normal(size=n),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-310,
    "negative": lambda rng, n: -np.exp(3 * rng.normal(size=n)),
}

numbers = st.one_of(
    st.floats(-1e150, 1e150),
    st.floats(-2, 2),
    st.integers(-20, 20).map(float),
    st.integers(-50, 50).map(lambda k: k * 5e-324),
    st.floats(1e8, 1e8 + 1),
)


@given(st.lists(numbers, min_size=1, max_size=25), st.lists(numbers, min_size=1, max_size=25), st.integers(2, 12))
def test_the_bracket_holds(x, y, most):
    """Compared with fractions, whatever the cells; also for one-sided and disjoint samples."""
    found = bracket(Line.of(coarse(x, most), coarse(y, most)))
    w1, ks = exact_distances(x, y)
    slack = w1 * Fraction(1, 10**14)  # where all cells are values the ends are rounded once, not outward
    assert Fraction(found.w1_lower) - slack <= w1 <= Fraction(found.w1_upper) + slack + Fraction(5e-324)
    assert found.w1_lower <= found.w1 <= found.w1_upper
    assert found.ks_lower - 1e-12 <= ks <= found.ks_upper + 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_the_bracket_holds_where_two_functions_cross(seed):
    """Many crossings in few cells."""
    rng = np.random.default_rng(seed)
    for _ in range(60):
        x, y = (rng.integers(64, 128, rng.integers(1, 30)) / 64 for _ in range(2))
        found = bracket(Line.of(coarse(x, int(rng.integers(2, 9))), coarse(y, int(rng.integers(2, 9)))))
        w1, ks = exact_distances(x, y)
        assert found.w1_lower - 1e-15 <= w1 <= found.w1_upper + 1e-15
        assert found.ks_lower - 1e-15 <= ks <= found.ks_upper + 1e-15


@pytest.mark.parametrize("law", ["normal", "cauchy", "tiny", "negative", "offset"])
@pytest.mark.parametrize("most", [4, 20, 100])
def test_what_is_in_a_cell(law, most):
    """Counts, ends and Σ(right - x) of each cell, by looking at each value; also of the cells around zero."""
    values = LAWS[law](np.random.default_rng(5), 300)
    profile = coarse(values, most)
    line, level = Line.of(profile, profile), profile.cells.level
    place = {start: k for k, start in enumerate(profile.cells.start.tolist())}
    count, behind = [0] * len(place), [Fraction(0)] * len(place)
    for value in values:
        k = place[NumberProfile.of(np.array([value])).cells.at(level).start.item()]
        left, right = (Fraction(float(end[k])) * Fraction(2) ** line.exponent for end in (line.left, line.right))
        assert left <= Fraction(value) <= right
        count[k] += 1
        behind[k] += (right - Fraction(value)) / Fraction(2) ** line.exponent
    assert line.count.tolist() == [count, count]
    assert line.behind[0] == pytest.approx([float(part) for part in behind], rel=1e-15, abs=0)


@pytest.mark.parametrize(
    "values", [[1.0, 1.3, 1.9], [-1.9, -1.3, -1.1], [-1.5, 0.7], [-1e300, 1.7e308], [-1.7e308, 9.0]]
)
def test_cells_end_at_the_extremes(values):
    """And so are finite."""
    line = Line.of(coarse(values, 2), coarse(values, 2))
    assert np.ldexp(line.left[0], line.exponent) == min(values)
    assert np.ldexp(line.right[-1], line.exponent) == max(values)


@pytest.mark.parametrize("seed", range(30))
def test_the_bound_inside_a_cell_holds(seed):
    """For random step functions, also where it is attained: a step at one half against a constant."""
    rng = np.random.default_rng(seed)
    shape, digits, lift = (1000, 48), int(rng.integers(1, 4)), rng.choice([0.0, 0.2, 0.5])
    ends = rng.choice([0.1, 0.3, 1.0, 3.0], 4).tolist()
    f, g = (np.sort(np.round(rng.beta(a, b, shape), digits), axis=1) for a, b in (ends[:2], ends[2:]))
    f[0], g[0] = np.where(np.arange(48) < 24, 0.0, 1.0), [0.0] + [0.5] * 46 + [1.0]
    g[1:] += lift
    low, high = np.stack([f[:, 0], g[:, 0]]), np.stack([f[:, -1], g[:, -1]])
    bound = module._excess(low, high, np.stack([f.mean(axis=1), g.mean(axis=1)]), np.ones(1000))
    true = np.maximum(f - g, 0).mean(axis=1)
    assert np.all(true <= bound + 1e-12)
    assert true[0] > 0.95 * bound[0]


@pytest.mark.parametrize(("part", "wrong"), [("_excess", 0.0), ("ROUNDING", -1e-3)])
def test_a_wrong_bound_is_noticed(part, wrong, monkeypatch):
    """The test above rejects an upper bound that forgets the crossings, and ends rounded inward."""
    monkeypatch.setattr(module, part, wrong if part == "ROUNDING" else lambda low, *_: 0.0 * low[0])
    with pytest.raises(AssertionError):
        test_the_bracket_holds_where_two_functions_cross(0)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("scale", [1.0, 1.03])
def test_w1_is_scipys(law, scale):
    """The estimate is good to 2e-3 of SciPy's value at 20,000 values without change, where it is hardest."""
    rng = np.random.default_rng(7)
    x, y = LAWS[law](rng, 20_000), LAWS[law](rng, 15_000) * scale
    y = y if law == "tiny" else np.round(y, 3)
    found = bracket(Line.of(NumberProfile.of(x), NumberProfile.of(y)))
    w1 = wasserstein_distance(x * 1e300, y * 1e300) / 1e300 if law == "tiny" else wasserstein_distance(x, y)
    assert found.w1 == pytest.approx(w1, rel=2e-3, abs=1e-322)
    assert found.w1_lower * (1 - 1e-12) <= w1 <= found.w1_upper * (1 + 1e-12)
    assert found.w1_upper - found.w1_lower <= 0.02 * w1
    ks = cast(Any, ks_2samp(x, y, method="asymp")).statistic
    assert found.ks_lower - 1e-12 <= ks <= found.ks_upper + 1e-12


def test_few_values_are_compared_exactly():
    """As the columns themselves: same tests, same numbers, same draws."""
    rng = np.random.default_rng(8)
    x = np.where(rng.random(3000) < 0.1, np.nan, rng.integers(0, 50, 3000) / 10)
    y = np.where(rng.random(2000) < 0.2, np.nan, rng.integers(0, 55, 2000) / 10)
    word_x, word_y = rng.integers(-1, 4, 3000).astype(np.int32), rng.integers(-1, 5, 2000).astype(np.int32)
    words = tuple("abcde")
    tables = [
        Table((Column("size", a), Column("day", a * 86_400, "date"), Column("word", b, "category", words)), "example")
        for a, b in ((x, word_x), (y, word_y))
    ]
    profiles = [Profile.of(table) for table in tables]
    found = compare_profiles(*profiles, permutations=99, rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    for name, one in found.items():
        expected = compare_column(*(table.column(name) for table in tables), permutations=99, rng=rng)
        for field in ("n", "m", "pvalue", "js_distance", "total_variation", "kl", "psi", "nulls", "unseen", "test"):
            assert getattr(one, field) == getattr(expected, field), (name, field)
        for field in ("w1", "w1_lower", "w1_upper", "w1_sd", "ks", "mean_shift", "superiority", "standard_error"):
            a, b = getattr(one, field), getattr(expected, field)
            assert a is b is None or a == pytest.approx(b, rel=1e-12, abs=1e-15), (name, field)
        assert one.notes == expected.notes


def test_many_values_are_compared_nearly_exactly():
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=50_000), rng.normal(0.02, 1.0, 50_000)
    tables = [Table.numbers(("size",), v[:, None], "example") for v in (x, y)]
    found = compare_profiles(*(Profile.of(t) for t in tables), permutations=99, rng=np.random.default_rng(1))["size"]
    expected = compare_column(*(t.column("size") for t in tables), permutations=99, rng=np.random.default_rng(1))
    assert found.mean_shift == pytest.approx(y.mean() - x.mean(), rel=1e-12)
    assert found.w1_sd == pytest.approx(expected.w1_sd, rel=1e-3)
    assert found.superiority == pytest.approx(expected.superiority, abs=1e-4)
    assert found.null_95 == pytest.approx(expected.null_95, rel=0.3)
    assert "cells stand for the values" in found.notes[-1]


def test_representatives_stand_for_all_values():
    """Their counts and means are those of the values."""
    rng = np.random.default_rng(10)
    x, y = rng.standard_cauchy(20_000), rng.normal(size=10_000)
    values, counts = representatives(Line.of(NumberProfile.of(x), NumberProfile.of(y)))
    assert np.all(np.diff(values) > 0)
    assert counts.sum(axis=1).tolist() == [20_000, 10_000]
    assert values @ counts.sum(axis=0) == pytest.approx(x.sum() + y.sum(), abs=1e-12 * np.abs(x).sum())


def test_ks_is_bracketed_where_cells_underflow():
    """Widths below the smallest float in units of the largest value: they are not single values."""
    rng = np.random.default_rng(12)
    x, y = (np.append(rng.random(9000) ** power * 1e-30, 9e299) for power in (1, 2))
    line = Line.of(NumberProfile.of(x), NumberProfile.of(y))
    found = bracket(line)
    assert np.all(line.left == line.right)
    assert found.ks_lower < cast(Any, ks_2samp(x, y, method="asymp")).statistic < found.ks_upper
    assert found.ks_upper < found.ks_lower + 0.02


def test_lumped_categories_say_so():
    words = tuple(f"word {k}" for k in range(9000))
    rng = np.random.default_rng(11)
    tables = [Table((Column("w", rng.integers(0, 9000, 50_000), "category", words),), "example") for _ in range(2)]
    found = compare_profiles(*(Profile.of(t) for t in tables), permutations=19, rng=np.random.default_rng(1))["w"]
    assert "lower bounds" in found.notes[-1]
    assert found.pvalue > 1e-4


@pytest.mark.parametrize("empty", [0, 1])
def test_a_column_without_values_is_compared_by_its_gaps(empty):
    sides = [np.arange(60.0), np.full(60, np.nan)]
    tables = [Table.numbers(("a", "b"), np.column_stack([side, sides[0]]), "example") for side in sides]
    found = compare_profiles(
        *(Profile.of(tables[k]) for k in (empty, 1 - empty)), permutations=19, rng=np.random.default_rng(1)
    )
    assert found["a"].w1 is None
    assert found["a"].pvalue < 1e-6
    assert found["b"].w1 == 0


def test_columns_that_overflow_are_refused():
    a, b = (Profile.of(Table.numbers(("a",), np.array([[v], [0.0]]), "example")) for v in (1.7e308, -1.7e308))
    with pytest.raises(DataError, match="'a' must span less than 2e300"):
        compare_profiles(a, b, permutations=19, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="'a' must span less than 2e300"):
        distance(a, b, "w1", ["a"])


def test_profiles_without_common_columns_are_refused():
    a, b = (Profile.of(Table.numbers((name,), np.ones((3, 1)), "example")) for name in "ab")
    with pytest.raises(DataError, match="in common"):
        compare_profiles(a, b, permutations=19, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="'c' is not in both"):
        compare_profiles(a, a, columns=["c"], permutations=19, rng=np.random.default_rng(0))
