"""Whether the parts of a profile that was read from a file fit together."""

from itertools import pairwise
from typing import Any

import numpy as np

from divergences.profiles.categories import MOST as WORDS
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.cells import HIGHEST, LOWEST, Cells, ends, sizes
from divergences.profiles.moments import LIMIT
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.rows import ROWS, RowSample

INFINITE = 0x7FF << 52


def require(condition: bool, what: str) -> None:
    """Raise ValueError, which the reader words as an error of the file."""
    if not condition:
        raise ValueError(f"{what} cannot be right")


def whole(value: Any, lowest: int = 0, highest: int = LIMIT) -> bool:
    """Whether it is an integer in these bounds, and no truth value."""
    return type(value) is int and lowest <= value <= highest


def sound_numbers(profile: NumberProfile, n: int) -> NumberProfile:
    """The profile, if its cells are cells of its level and agree with the binades in their counts."""
    cells, moments = profile.cells, profile.moments
    require(whole(cells.level, LOWEST, HIGHEST) and whole(profile.missing) and whole(n), "a level or number")
    require(len({len(part) for part in cells.arrays}) == 1, "the number of cells")
    size = sizes(cells.start)
    require(bool(np.all((size >= 0) & (size < INFINITE)) and np.all(np.diff(cells.start) > 0)), "the order of cells")
    width = ends(cells.start, cells.level) - size
    whole_cells = Cells.merged(cells.level, *cells.arrays, most=len(cells) + 2)
    require(np.array_equal(whole_cells.start, cells.start), "the starts of cells")
    count, offset = cells.count, cells.high.astype(float) * 2.0**26 + cells.low
    require(bool(np.all((count > 0) & (count < LIMIT) & (cells.low >= 0) & (cells.low < 2**26))), "the counts of cells")
    require(bool(np.all((cells.high >= 0) & (offset <= count * width.astype(float)))), "the sums of cells")
    require(int(count.sum()) + profile.missing == n == moments.n + profile.missing, "the number of rows")
    binade = moments.binade
    require(bool(np.all(np.diff(binade) > 0) and np.all((binade >= 0) & (binade < 4096))), "the order of binades")
    require(bool(np.all(binade & 2047 < 2047) and np.all(moments.sums >= 0)), "the sums of binades")
    extremes = np.array([profile.lowest, profile.highest])
    require(not len(cells) or bool(np.all(np.isfinite(extremes)) and extremes[0] <= extremes[1]), "the extremes")
    return profile


def sound_categories(profile: CategoryProfile, n: int) -> CategoryProfile:
    """The profile, if its words are sorted and its counts add up."""
    words, count = profile.words, profile.count
    require(whole(profile.level, 0, 64) and whole(profile.other) and whole(profile.missing), "a level or number")
    require(len(words) == len(count) <= WORDS and all(isinstance(word, str) for word in words), "the words")
    require(all(a < b for a, b in pairwise(words)), "the order of words")
    require(bool(np.all((count > 0) & (count < LIMIT))) and profile.n + profile.missing == n, "the counts of words")
    return profile


def sound_rows(sample: RowSample, head: dict[str, Any]) -> None:
    """Nothing, if the sample has as many rows as it should, and each column of it has as many cells."""
    kept = len(sample.priority)
    lengths = {len(sample.label), len(sample.row), *(len(column.values) for column in sample.columns)}
    require(lengths == {kept} and kept == min(ROWS, head["n"]), "the number of rows in the sample")
    values = [column.values for column in sample.columns if column.measured]
    require(not any(np.any(np.isinf(column)) for column in values), "the rows of the sample")
    words = [word for column in sample.columns for word in column.categories]
    require(all(isinstance(word, str) for word in words), "the words of the sample")
    labels = head["labels"]
    require(isinstance(labels, list) and all(isinstance(label, str) for label in labels), "the labels")
    require(labels == sorted(set(labels)) and whole(head["seed"], 0, 2**63 - 1), "the labels or the seed")
