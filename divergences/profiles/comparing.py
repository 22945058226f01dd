"""Comparing two profiles column by column: what is exact, what is bracketed, and what stands for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from divergences.errors import DataError
from divergences.files import show
from divergences.files._table import DATE
from divergences.profiles import moments
from divergences.profiles.categories import CategoryProfile
from divergences.profiles.line import Line
from divergences.profiles.numbers import NumberProfile
from divergences.profiles.profile import Profile, alike
from divergences.samples.columns import compare_counts
from divergences.samples.comparison import ColumnComparison

DAY = 86_400.0
OTHERS = "(other categories)"
ROUNDING = 2.0**-48  # of a sum of 8,192 terms, each with some ten roundings, and of differences of shares on the span


@dataclass(frozen=True)
class Bracket:
    """W₁ and the Kolmogorov-Smirnov distance of two columns of which only the cells are known.

    `w1_lower <= W₁ <= w1_upper` and `ks_lower <= KS <= ks_upper`; `w1` is the estimate between.
    """

    w1: float
    w1_lower: float
    w1_upper: float
    ks_lower: float
    ks_upper: float


def compare_profiles(
    x: Profile, y: Profile, *, columns: Sequence[str] | None = None, permutations: int, rng: np.random.Generator
) -> dict[str, ColumnComparison]:
    """The comparison of each column, as of samples, with brackets where a profile does not know all.

    P-values are not yet adjusted for the number of columns.

    Args:
        x, y: of the reference and of the current table.
        columns: which ones, by default those in both, in the order of the reference.
        permutations, rng: of the tests.

    Raises:
        DataError: no column is shared, a name is unknown, or a column is of two kinds.

    """
    names = [name for name in x.names if name in y.columns] if columns is None else list(columns)
    unknown = [name for name in names if name not in x.columns or name not in y.columns]
    if unknown or not names:
        said = f"{show(unknown[0])} is not in both" if unknown else "no column of the reference is in both"
        raise DataError(f"the profiles must have the columns to compare in common; {said}.")
    found = {}
    for name in names:
        a, b = alike(name, x.columns[name], y.columns[name])
        found[name] = compare_column_profiles(name, a, b, permutations=permutations, rng=rng)
    return found


def compare_column_profiles(
    name: str,
    x: NumberProfile | CategoryProfile,
    y: NumberProfile | CategoryProfile,
    *,
    permutations: int,
    rng: np.random.Generator,
) -> ColumnComparison:
    """The comparison of one column of two profiles of one kind; the p-value is not yet adjusted.

    Of numbers, W₁ is bracketed, n, gaps, mean shift and standard deviation are exact, and the other numbers and the
    tests take each cell at its pooled mean. Permuting rows permutes cells, so the tests are as exact as on the values.
    """
    if isinstance(x, NumberProfile) and isinstance(y, NumberProfile):
        return _compare_numbers(name, x, y, permutations, rng)
    if isinstance(x, CategoryProfile) and isinstance(y, CategoryProfile):
        return _compare_categories(name, x, y, permutations, rng)
    raise DataError(f"column {show(name)} must be of one kind; it is a {x.kind} and a {y.kind}.")


def bracket(line: Line) -> Bracket:
    """W₁ = ∫|F - G| and KS = sup|F - G| between what the cells allow.

    In a cell of width w the shares F₀ <= F <= F₁ and G₀ <= G <= G₁ at its ends are known, and so are ∫F and ∫G, from
    the exact sums; hence D = ∫(F - G), and |D| <= ∫|F - G|. For any c, (G - F)⁺ <= (G - c)⁺ + (c - F)⁺, both convex in
    the function; among functions between two values and of a given mean, that which takes only the two values has
    most. With the best c among the four shares this bounds N = ∫(G - F)⁺, and ∫|F - G| = D + 2N; so from the other
    side. For c take also the diagonal of the box of all four shares: an increasing function on the unit square whose
    mean is g exceeds the diagonal by ∫(g(x) - x)⁺ <= g²/2 (a convex function of g, so it is largest where g has one
    value between 0 and 1, on an interval; there it is algebra). Between cells F - G is constant. Ends are rounded
    outward, and are equal where all cells are single values.

    >>> import numpy as np
    >>> x, y = (NumberProfile.of(np.array(values)) for values in ([0.0, 1.0], [0.0, 3.0]))
    >>> bracket(Line.of(x, y))
    Bracket(w1=1.0, w1_lower=1.0, w1_upper=1.0, ks_lower=0.5, ks_upper=0.5)
    """
    total = np.array([[line.n], [line.m]])
    after = np.cumsum(line.count, axis=1)
    high = after / total
    low = (after - line.count) / total
    width = line.right - line.left
    integral = np.clip(low * width + line.behind / total, low * width, high * width)
    difference = integral[0] - integral[1]
    most = np.minimum(
        difference + 2 * _excess(low[::-1], high[::-1], integral[::-1], width),
        2 * _excess(low, high, integral, width) - difference,
    )
    least = np.abs(difference)
    most = np.maximum(np.where(line.single, 0.0, most), least)
    between = float(np.abs(high[0] - high[1])[:-1] @ (line.left[1:] - line.right[:-1]))

    first, last = low[0] - low[1], high[0] - high[1]
    apart = np.abs(first) + np.abs(last)
    straight = width * (first**2 + last**2) / np.where(apart > 0, 2 * apart, 1.0)
    middle = np.where(first * last < 0, np.clip(straight, least, most), least)
    lower, upper, w1 = (between + float(part.sum()) for part in (least, most, middle))
    if not line.single.all():
        span = float(line.right[-1] - line.left[0])
        lower = max(0.0, lower * (1 - ROUNDING) - span * ROUNDING)
        upper = upper * (1 + ROUNDING) + span * ROUNDING
    ks = float(np.max(np.abs(last)))
    inside = np.maximum(high[0] - low[1], high[1] - low[0])[~line.single]
    w1, lower, upper = (float(np.ldexp(v, line.exponent)) for v in (min(max(w1, lower), upper), lower, upper))
    return Bracket(w1, lower, upper, ks, max(ks, float(inside.max(initial=0.0))))


def _excess(low: np.ndarray, high: np.ndarray, integral: np.ndarray, width: np.ndarray) -> np.ndarray:
    """An upper bound of ∫(F - G)⁺ in each cell; the arguments are those of F and of G, (2, k)."""
    share = high - low
    mean = integral / np.where(width > 0, width, 1.0)
    above = (mean - low)[0] / np.where(share[0] > 0, share[0], 1.0)
    below = (high - mean)[1] / np.where(share[1] > 0, share[1], 1.0)
    found = [
        np.where(c < low[0], mean[0] - c, above * np.maximum(high[0] - c, 0.0))
        + np.where(c > high[1], c - mean[1], below * np.maximum(c - low[1], 0.0))
        for c in (*low, *high)
    ]
    bottom, height = low.min(axis=0), high.max(axis=0) - low.min(axis=0)
    rise = np.where(height > 0, height, 1.0)
    over, under = (mean[0] - bottom) / rise, (bottom + height - mean[1]) / rise
    found.append(height * (over**2 + under**2) / 2)
    return width * np.maximum(np.min(found, axis=0), 0.0)


def representatives(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Rising values that stand for the cells, their pooled means, and the counts of both sides, (k,) and (2, k)."""
    mean = np.ldexp(line.right - line.behind.sum(axis=0) / line.count.sum(axis=0), line.exponent)
    left = np.ldexp(line.left, line.exponent)
    values = np.where(line.left == line.right, line.value, np.clip(mean, left, line.value))
    values, place = np.unique(np.maximum.accumulate(values), return_index=True)  # means may meet by rounding
    return values, np.add.reduceat(line.count, place, axis=1)


def check_span(name: str, x: NumberProfile, y: NumberProfile) -> None:
    """Raise DataError where a difference of two values could overflow."""
    low, high = min(x.lowest, y.lowest), max(x.highest, y.highest)
    if not high / 2 - low / 2 < 1e300:
        raise DataError(f"column {show(name)} must span less than 2e300; got {low:g} to {high:g}. Rescale it.")


def _compare_numbers(
    name: str, x: NumberProfile, y: NumberProfile, permutations: int, rng: np.random.Generator
) -> ColumnComparison:
    missing = (x.missing, y.missing)
    if 0 in (x.n, y.n):
        a, b = np.array([x.n]), np.array([y.n])
        return compare_counts(name, np.zeros(1), a, b, kind=x.kind, missing=missing, permutations=permutations, rng=rng)
    check_span(name, x, y)
    line = Line.of(x, y)
    values, counts = representatives(line)
    a, b = counts
    told = compare_counts(name, values, a, b, kind=x.kind, missing=missing, permutations=permutations, rng=rng)
    found, unit = bracket(line), DAY if x.kind == DATE else 1.0
    deviation = moments.merge(x.moments, y.moments).deviation
    notes: tuple[str, ...] = ()
    if not line.single.all():
        notes = (
            f"from a profile: {len(values)} cells stand for the values, ks is between {found.ks_lower:.4g} and "
            f"{found.ks_upper:.4g}",
        )
    return replace(
        told,
        w1=found.w1 / unit,
        w1_lower=found.w1_lower / unit,
        w1_upper=found.w1_upper / unit,
        w1_sd=found.w1 / deviation if deviation > 0 else 0.0,
        ks=found.ks_lower,
        mean_shift=moments.mean_shift(x.moments, y.moments) / unit,
        notes=told.notes + notes,
    )


def _compare_categories(
    name: str, x: CategoryProfile, y: CategoryProfile, permutations: int, rng: np.random.Generator
) -> ColumnComparison:
    words, counts = common_counts(x, y)
    gaps = (x.missing, y.missing)
    words = [*words, OTHERS]
    told = compare_counts(
        name, words, counts[0], counts[1], kind=x.kind, missing=gaps, permutations=permutations, rng=rng
    )
    if x.exact and y.exact:
        return told
    note = (
        f"from a profile: {len(words) - 1} categories chosen by their hash are compared one by one, the others "
        "together: distances are lower bounds, and an unseen category may hide among the others"
    )
    return replace(told, notes=(*told.notes, note))


def common_counts(x: CategoryProfile, y: CategoryProfile) -> tuple[list[str], np.ndarray]:
    """The words that both sides keep or would keep, and their counts (2, k + 1), last those of all others."""
    level = max(x.level, y.level)
    x, y = x.at(level), y.at(level)
    words = sorted({*x.words, *y.words})
    place = {word: k for k, word in enumerate(words)}
    counts = np.zeros((2, len(words) + 1), np.int64)
    for row, side in zip(counts, (x, y), strict=True):
        row[[place[word] for word in side.words]] = side.count
        row[-1] = side.other
    return words, counts
