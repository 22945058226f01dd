"""Whether the parts of a profile that was read from a file fit together."""

from itertools import pairwise
from typing import Any

import numpy as np

from divergences.profiles.categories import MOST as WORDS
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.cells import HIGHEST, LOWEST, Cells, around_zero, ends, sizes
from divergences.profiles.moments import LIMIT, Moments, first_sum, second_sum
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.rows import ROWS, RowSample

INFINITE = 0x7FF << 52
MANTISSA, LOW27 = (1 << 52) - 1, (1 << 27) - 1


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
    rising = cells.start[1:] > cells.start[:-1]  # differences may overflow
    require(bool(np.all((size >= 0) & (size < INFINITE)) and np.all(rising)), "the order of cells")
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
    require(_agree(cells, moments), "the sums of cells or binades")
    extremes = np.array([profile.lowest, profile.highest])
    require(not len(cells) or bool(np.all(np.isfinite(extremes)) and extremes[0] <= extremes[1]), "the extremes")
    return profile


def _agree(cells: Cells, moments: Moments) -> bool:
    """Whether cells and binades have the same counts and sums, and the squares are possible ones."""
    table = np.zeros((4096, 5), np.int64)
    size = sizes(cells.start)
    mantissa = (size & MANTISSA) + ((size >> 52 > 0).astype(np.int64) << 52)
    parts = (cells.count * (mantissa & LOW27), cells.count * (mantissa >> 27), cells.low, cells.high)
    rows = (size >> 52) + 2048 * (cells.start < 0)
    apart = ~around_zero(cells.start, cells.level)
    np.add.at(table, rows[apart], np.stack([cells.count, *parts], axis=1)[apart])
    joined = np.zeros(2, np.int64)  # counts of the cells around zero, by sign
    joined[(cells.start[~apart] < 0).astype(int)] = cells.count[~apart]
    for binade, sums in zip(moments.binade.tolist(), moments.sums.tolist(), strict=True):
        n, total = sums[0], first_sum(sums)
        ends = (n << 52, n << 53) if binade & 2047 else (0, n << 52)
        if not (n > 0 and ends[0] <= total < ends[1] and total**2 <= n * second_sum(sums) < ends[1] ** 2):
            return False
        count, lower, upper, low, high = table[binade].tolist()
        if binade & 2047 <= cells.level - 4:
            joined[binade >> 11] -= n
        elif (count, lower + (upper << 27) + low + (high << 26)) != (n, total):
            return False
    return not joined.any()


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
