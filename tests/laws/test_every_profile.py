"""The law of profiles: those of the parts, merged in any order and grouping, are that of the whole, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divergences.files import Column, Table
from divergences.profiles import Profile, categories, cells, merge, numbers
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.cells import LOWEST, Cells
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.storage import from_bytes, to_bytes

TINY = 5e-324
EDGES = [0.0, -0.0, TINY, -TINY, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1.0, np.nan]


def normal(rng, n):
    return rng.normal(size=n)


def cauchy(rng, n):
    return rng.standard_cauchy(n)


def wide(rng, n):
    return np.exp(100 * rng.normal(size=n).clip(-6, 6)) * rng.choice([-1, 1], n)


def shifted(rng, n):
    return 1e8 + rng.normal(size=n)


def whole(rng, n):
    return rng.integers(-6000, 6000, n).astype(float)


def subnormal(rng, n):
    return rng.integers(-(10**6), 10**6, n) * TINY


def huge(rng, n):
    return rng.uniform(-1, 1, n) * 1.79e308


def edges(rng, n):
    return rng.choice(EDGES, n)


def with_missing(rng, n):
    return np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n) ** 3)


COLUMNS = [normal, cauchy, wide, shifted, whole, subnormal, huge, edges, with_missing]


def state(profile):
    """All that a column's profile holds."""
    if isinstance(profile, CategoryProfile):
        return profile.level, profile.words, profile.count.tolist(), profile.other, profile.missing
    parts = (*profile.cells.arrays, profile.moments.binade, profile.moments.sums)
    return profile.cells.level, [part.tolist() for part in parts], profile.lowest, profile.highest, profile.missing


def in_a_tree(parts, merging, rng):
    """The parts merged two by two, whichever two."""
    parts = list(parts)
    while len(parts) > 1:
        a, b = (parts.pop(rng.integers(len(parts))) for _ in range(2))
        parts.append(merging(a, b))
    return parts[0]


@pytest.mark.parametrize("make", COLUMNS)
def test_numbers_merge_to_the_bit(make):
    rng = np.random.default_rng(1)
    values = make(rng, 40_000)
    profile = NumberProfile.of(values)
    assert state(NumberProfile.of(rng.permutation(values))) == state(profile)
    for level in (profile.cells.level, max(profile.cells.level - 1, LOWEST)):  # where a later batch begins
        assert state(NumberProfile.of(values, level=level)) == state(profile)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        cuts = np.sort(rng.integers(0, len(values), 12))
        parts = [NumberProfile.of(part) for part in np.split(rng.permutation(values), cuts)]
        assert state(in_a_tree(parts, numbers.merge, rng)) == state(profile)


@given(st.lists(st.floats(allow_infinity=False), max_size=60), st.integers(0, 60), st.integers(2, 9))
def test_cells_merge_whatever_the_numbers(values, cut, most):
    """Also where a handful of cells must hold them."""
    values = np.array(values)

    def small(part):
        found = NumberProfile.of(part).cells
        return Cells.merged(found.level, *found.arrays, most=most)

    a, b, whole_ = small(values[:cut]), small(values[cut:]), small(values)
    joint = [np.concatenate(pair) for pair in zip(a.arrays, b.arrays, strict=True)]
    merged = Cells.merged(max(a.level, b.level), *joint, most=most)
    assert merged.level == whole_.level
    assert len(merged) <= most
    assert all(np.array_equal(x, y) for x, y in zip(merged.arrays, whole_.arrays, strict=True))


@pytest.mark.parametrize("words", [10, 4096, 4097, 30_000])
def test_categories_merge_to_the_bit(words):
    rng = np.random.default_rng(2)
    names = tuple(f"word {k}" for k in range(words))
    codes = rng.integers(-1, words, 40_000).astype(np.int32)
    profile = CategoryProfile.of(codes, names)
    assert profile.n + profile.missing == 40_000
    for seed in range(3):
        rng = np.random.default_rng(seed)
        parts = []
        for part in np.array_split(rng.permutation(codes), 9):
            order = rng.permutation(words)  # each batch has codes of its own
            parts.append(
                CategoryProfile.of(np.where(part < 0, -1, np.argsort(order)[part]), tuple(np.array(names)[order]))
            )
        assert state(in_a_tree(parts, categories.merge, rng)) == state(profile)


def table(rng, n):
    """One column of each kind."""
    columns = [Column(make.__name__, make(rng, n)) for make in (normal, whole, with_missing)]
    columns.append(Column("word", rng.integers(-1, 6000, n).astype(np.int32), "category", tuple(map(str, range(6000)))))
    columns.append(Column("flag", rng.integers(-1, 2, n).astype(np.int32), "boolean", ("false", "true")))
    columns.append(Column("day", np.floor(1.7e9 + 1e6 * rng.normal(size=n)), "date"))
    return Table(tuple(columns), "example")


def batches(whole_, sizes):
    """The table in batches of these sizes."""
    start = 0
    for size in sizes:
        yield whole_.take(np.arange(start, min(start + size, len(whole_))))
        start += size


@pytest.mark.parametrize("threads", ["1", "2"])
def test_tables_merge_to_the_bit(threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    rng = np.random.default_rng(3)
    tables = [table(rng, n) for n in (5000, 1, 3000, 700, 0, 9000)]
    parts = [Profile.of(part, label=f"part {k}") for k, part in enumerate(tables)]
    expected = to_bytes(merge(*parts))
    for seed in range(4):
        mixed = [parts[k] for k in np.random.default_rng(seed).permutation(len(parts))]
        assert to_bytes(in_a_tree(mixed, merge, np.random.default_rng(seed))) == expected
    assert to_bytes(from_bytes(expected)) == expected


def test_threads_keep_the_order_of_columns(monkeypatch):
    """Also where the first column takes longest."""
    rng = np.random.default_rng(7)
    columns = [Column(f"c{k}", rng.normal(size=50_000) if k % 5 == 0 else np.ones(50_000)) for k in range(30)]
    profiles = []
    for threads in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        profiles.append(Profile.of(Table(tuple(columns), "example")))
    assert profiles[1].names == tuple(f"c{k}" for k in range(30))
    assert to_bytes(profiles[0]) == to_bytes(profiles[1])


def test_columns_of_one_pass_are_those_of_the_parts():
    rng = np.random.default_rng(4)
    whole_ = table(rng, 20_000)
    one = Profile.of(whole_)
    parts = merge(*(Profile.of(t, label=str(k)) for k, t in enumerate(batches(whole_, [1, 8000, 0, 11_999]))))
    assert {name: state(c) for name, c in parts.columns.items()} == {name: state(c) for name, c in one.columns.items()}


@pytest.mark.parametrize("sizes", [[20_000], [1, 19_999], [7000, 0, 6000, 7000], [100] * 200])
def test_batches_change_nothing(sizes):
    """Neither which rows are kept."""
    whole_ = table(np.random.default_rng(5), 20_000)
    assert to_bytes(Profile.of(batches(whole_, sizes))) == to_bytes(Profile.of(whole_))


def test_the_law_rejects_planted_errors(monkeypatch):
    """A level of the part's own, a sum in floating point, a merge that forgets."""
    rng = np.random.default_rng(6)
    values = rng.normal(size=30_000)
    parts = [NumberProfile.of(part) for part in np.array_split(values, 3)]
    expected = state(NumberProfile.of(values))

    def agrees(merging):
        return state(merging(merging(parts[0], parts[1]), parts[2])) == expected

    assert agrees(numbers.merge)
    later = Cells.merged(parts[0].cells.level + 9, *parts[0].cells.arrays)
    assert not agrees(lambda a, b: replace(numbers.merge(a, b), cells=cells.merge(later, numbers.merge(a, b).cells)))
    assert not agrees(lambda a, b: replace(numbers.merge(a, b), missing=a.missing + 1))
    honest = cells._at

    def careless(level, *arrays):
        start, count, low, high = honest(level, *arrays)
        return [start, count, low, high + (level > LOWEST) * (np.arange(len(high)) % 7 == 0)]

    monkeypatch.setattr(cells, "_at", careless)
    assert not agrees(numbers.merge)
