"""Two tables whose columns mean the same: one kind, and codes of one list of categories."""

import numpy as np
import pytest

from divergences.errors import DataError
from divergences.files import Column, Table, aligned, aligned_columns

NAN = np.nan


def table(*columns: Column, source: str = "x") -> Table:
    return Table(columns, source)


def category(*words: str | None, kind: str = "category", categories: tuple[str, ...] | None = None) -> Column:
    """A column of words, with their sorted list as categories."""
    known = categories or tuple(sorted({word for word in words if word is not None}))
    codes = [-1 if word is None else known.index(word) for word in words]
    return Column("a", np.array(codes, np.int32), kind, known)


def boolean(*words: str | None, categories: tuple[str, str] = ("false", "true")) -> Column:
    return category(*words, kind="boolean", categories=categories)


def number(*values: float, kind: str = "number") -> Column:
    return Column("a", np.array(values, float), kind)


def told(column: Column) -> list[str | None]:
    return [column.categories[code] if code >= 0 else None for code in column.values]


def both(x: Column, y: Column) -> tuple[Column, Column]:
    """The two as `aligned` gives them, after the laws that hold for any two."""
    ours, theirs = aligned_columns(x, y)
    assert (ours.kind, ours.categories) == (theirs.kind, theirs.categories)
    for before, after in ((x, ours), (y, theirs)):
        np.testing.assert_array_equal(before.missing, after.missing)
    swapped = aligned_columns(y, x)
    if x.kind != "boolean" or y.kind != "boolean":  # two booleans take the words of the first
        assert [told(c) for c in swapped if c.categories] == [told(c) for c in (theirs, ours) if c.categories]
    return ours, theirs


def test_codes_mean_the_same_in_both():
    """The union, sorted; no cell changes its word."""
    x, y = category("red", None, "blue"), category("green", "red")
    ours, theirs = both(x, y)
    assert ours.categories == ("blue", "green", "red")
    assert (told(ours), told(theirs)) == (told(x), told(y))
    assert ours.values.dtype == theirs.values.dtype == np.int32


@pytest.mark.parametrize(
    "other", [category("x", "y"), boolean("true", "false"), number(1, 2, kind="date"), number(1, 2)]
)
@pytest.mark.parametrize("gaps", [number(NAN, NAN, NAN), category(None, None), number(NAN, kind="date"), boolean(None)])
def test_a_column_of_gaps_takes_the_kind_of_the_other(other, gaps):
    """On either side."""
    for pair in (both(gaps, other), both(other, gaps)[::-1]):
        assert pair[0].kind == other.kind
        assert pair[0].missing.all()


def test_two_columns_of_gaps():
    """Of whatever kinds they were."""
    ours, theirs = both(number(NAN), category(None, None))
    assert len(ours.values) == 1
    assert len(theirs.values) == 2


def test_a_boolean_beside_a_category_is_a_category():
    """In the spelling of the other: yes is its Yes."""
    ours, theirs = both(boolean("true", None), category("false", "maybe"))
    assert ours.kind == "category"
    assert (told(ours), told(theirs)) == (["true", None], ["false", "maybe"])
    ours, _ = both(boolean("yes", "no", categories=("no", "yes")), category("Yes", "Maybe", "No"))
    assert told(ours) == ["Yes", "No"]
    ours, _ = both(boolean("yes", categories=("no", "yes")), category("Yes", "YES", "no"))
    assert told(ours) == ["yes"]  # which of the two is meant nobody knows


def test_no_and_yes_are_false_and_true():
    """Beside another boolean."""
    ours, theirs = both(boolean("true"), boolean("no", "yes", categories=("no", "yes")))
    assert (told(ours), told(theirs)) == (["true"], ["false", "true"])


def test_noughts_and_ones_beside_booleans_are_booleans():
    """As one program writes True and another 1."""
    ours, theirs = both(number(1, NAN, 0), boolean("true"))
    assert (ours.kind, told(ours), told(theirs)) == ("boolean", ["true", None, "false"], ["true"])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            number(1, 2),
            category("1", "x"),
            "a number in 'REF' and a category in 'CUR'.*text in both with --categories a",
        ),
        (number(1, kind="date"), number(1), "a date in 'REF' and a number in 'CUR'.*--columns"),
        (boolean("true"), number(0, 2), "a boolean in 'REF' and a number in 'CUR'"),
        (boolean("true"), number(0, kind="date"), "a boolean in 'REF' and a date in 'CUR'"),
        (number(1, kind="date"), category("x"), "a date in 'REF' and a category in 'CUR'"),
    ],
)
def test_other_kinds_are_refused(x, y, message):
    """With the column, both kinds and the remedy."""
    with pytest.raises(DataError, match=f"Column 'a' must be of one kind; it is {message}"):
        aligned(table(x, source="REF"), table(y, source="CUR"))


def test_columns_stay_in_place_and_alone_unchanged():
    """Order, sources and columns that only one has."""
    lone = Column("lone", np.array([1.0]))
    x, y = table(lone, category("r"), source="X"), table(category("g"), source="Y")
    ours, theirs = aligned(x, y)
    assert (ours.names, ours.source, theirs.names, theirs.source) == (("lone", "a"), "X", ("a",), "Y")
    assert ours.columns[0] is lone
    assert x.columns[1].categories == ("r",)


def test_random_categories_keep_their_words():
    """On many categories, some of them unused."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{k}" for k in range(200)])
    x, y = (category(*rng.choice(words[part], 300)) for part in (slice(0, 150), slice(50, 200)))
    ours, theirs = both(x, y)
    assert (told(ours), told(theirs)) == (told(x), told(y))
