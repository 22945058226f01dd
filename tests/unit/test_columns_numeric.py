"""Numbers and dates: every number beside SciPy's or a sum over all permutations, and laws that planted errors break."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from divergences.errors import DataError
from divergences.files import Column
from divergences.samples.columns import compare_column
from divergences.samples.columns.numeric import CELLS, scores_test
from divergences.samples.columns.steps import Steps, steps_of
from divergences.samples.columns.walk import even, tailed, walk
from divergences.samples.comparison import ColumnComparison

LENGTHS = ("w1", "w1_lower", "w1_upper", "standard_error", "null_95", "mean_shift")


def numbers(x: Any, y: Any, kind: str = "number", permutations: int = 199) -> Any:
    """A column of numbers, always with the same seed."""
    a, b = (Column("a", np.asarray(v, np.float64), kind) for v in (x, y))
    return compare_column(a, b, permutations=permutations, rng=np.random.default_rng(0))


SAMPLES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "tied": lambda rng, n: np.round(rng.normal(size=n), 1),
    "few values": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "heavy": lambda rng, n: rng.standard_cauchy(n),
    "offset": lambda rng, n: 1e8 + rng.normal(size=n),
}


@pytest.mark.parametrize("law", SAMPLES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 30), (400, 300), (15_000, 9_000)])
def test_the_numbers_are_scipys(law: str, n: int, m: int):
    """W₁, KS, the rank effect size, the shift and the scale; below and above the size at which kernels take over."""
    rng = np.random.default_rng(n)
    x, y = SAMPLES[law](rng, n), SAMPLES[law](rng, m) + (law != "heavy")
    found = numbers(x, y)
    pooled = np.concatenate([x, y])
    peer: Any = stats.ks_2samp(x, y)
    rank: Any = stats.mannwhitneyu(y, x)
    w1 = stats.wasserstein_distance(x - pooled.mean(), y - pooled.mean())
    assert found.w1 == pytest.approx(w1, rel=1e-7 if law == "offset" else 1e-11)
    assert found.w1_lower == found.w1 == found.w1_upper
    assert found.w1_sd == pytest.approx(w1 / (pooled.std() or 1.0), rel=1e-6)
    assert found.ks == pytest.approx(float(peer.statistic), abs=1e-12)
    assert found.superiority == pytest.approx(float(rank.statistic) / n / m, rel=1e-12)
    assert found.mean_shift == pytest.approx(y.mean() - x.mean(), rel=1e-7, abs=1e-6 if law == "offset" else 1e-9)
    assert found.unseen.share == np.mean((y < x.min()) | (y > x.max()))


@pytest.mark.parametrize("tied", [False, True])
def test_a_small_pvalue_is_that_of_all_permutations(tied: bool):
    """924 splits of twelve values: many draws come near the exact share that reach W₁ of the observed scores."""
    rng = np.random.default_rng(3)
    pooled = np.round(rng.normal(size=12), 0 if tied else 6)
    pooled[6:] += 1.0
    scores = stats.norm.ppf((stats.rankdata(pooled) - 0.5) / 12)
    values = []
    for pick in combinations(range(12), 6):
        mask = np.isin(range(12), pick)
        values.append(stats.wasserstein_distance(scores[mask], scores[~mask]))
    exact = np.mean(np.array(values) >= values[0] - 1e-12)
    found = [sequenced(pooled[:6], pooled[6:], seed) for seed in range(30)]
    assert np.mean(found) == pytest.approx(exact, rel=0.15)
    peer: Any = stats.permutation_test(
        (scores[:6], scores[6:]), stats.wasserstein_distance, n_resamples=10_000, alternative="greater"
    )
    assert peer.pvalue == pytest.approx(exact)


@pytest.mark.parametrize("n", [300, 12_000])
def test_the_pvalue_knows_neither_units_nor_logarithms(n: int):
    """A rising map changes lengths and keeps p, on values and on cells; W₁ and its own null are in the new unit."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=n), rng.normal(2 / np.sqrt(n), 1, n)
    plain, mapped = (numbers(f(x), f(y), permutations=999) for f in (np.array, lambda v: np.exp(9 * v)))
    assert plain.pvalue == mapped.pvalue
    assert plain.null_95 < 1 < mapped.null_95


def test_an_outlier_hides_no_shift():
    """One value far out makes W₁'s own null as large as itself; the scores see the other values."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=400), rng.normal(0.5, 1, 400)
    x[0] = 1e9
    found = numbers(x, y, permutations=999)
    assert found.w1 < 1.01 * found.null_95
    assert found.pvalue <= 0.001


def sequenced(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """The p-value by at most 4,999 permutations."""
    (steps,) = steps_of(x, y)
    return scores_test(steps, True, 4999, np.random.default_rng(seed))[0]


def test_the_standard_error_is_the_spread_over_samples():
    """By the influence function; F − G changes its sign here."""
    values, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=40), 2 * rng.normal(0.3, 1, 160)
        line = walk(steps_of(x, y), 40, 160, min(x.min(), y.min()), max(x.max(), y.max()), [even(2, 200)])
        values.append(line.w1)
        errors.append(line.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)


def test_the_null_quantile_is_that_of_new_samples():
    """W₁ of fresh pairs of one law stays below it in 95% of cases, permuted whole and on cells."""
    rng = np.random.default_rng(0)
    for n, m in ((60, 90), (12_000, 10_000)):
        null = numbers(rng.normal(size=n), rng.normal(size=m), permutations=999).null_95
        fresh = [stats.wasserstein_distance(rng.normal(size=n), rng.normal(size=m)) for _ in range(300)]
        assert null == pytest.approx(np.quantile(fresh, 0.95), rel=0.15)


def same(a: ColumnComparison, b: ColumnComparison, factor: float = 1.0) -> bool:
    """Equal in every number, those of b that are lengths divided by `factor`."""
    scaled = replace(b, **{name: getattr(b, name) / factor for name in LENGTHS})
    flat = [[v for v in c.to_dict().values() if isinstance(v, float)] for c in (a, scaled)]
    return np.allclose(*flat, rtol=1e-9, atol=1e-12)


def planted(error: str) -> Callable[[ColumnComparison], ColumnComparison]:
    """A comparison with an error of a kind that could be ours."""
    return {
        "an absolute floor": lambda c: replace(c, w1_sd=(c.w1_sd or 0) + 1e-8),
        "a square": lambda c: replace(c, standard_error=(c.standard_error or 0) ** 2),
        "sign": lambda c: replace(c, mean_shift=-(c.mean_shift or 0)),
    }[error]


@pytest.mark.parametrize("factor", [1.0, 2.0**-900, 2.0**900, 3.0])
def test_scale_and_translation(factor: float):
    """Lengths scale, all else stays; a translation changes nothing. At any magnitude the floats hold."""
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(size=80), 2), np.round(rng.normal(1, 1, 60), 2)
    assert same(numbers(x, y), numbers(factor * x, factor * y), factor)
    assert same(numbers(x, y), numbers(x + 1024.0, y + 1024.0))
    for error in ("an absolute floor", "a square", "sign"):
        assert not same(planted(error)(numbers(x, y)), numbers(factor * x, factor * y), factor)


def test_swapped_samples():
    """W₁ and KS stay, the shift changes its sign, superiority its side; KL changes, JS and PSI do not."""
    rng = np.random.default_rng(0)
    x, y = np.round(rng.normal(size=80), 1), np.round(rng.normal(1, 2, 60), 1)
    a, b = numbers(x, y), numbers(y, x)
    for name in ("w1", "w1_sd", "ks", "standard_error"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-12)
    assert a.mean_shift == pytest.approx(-b.mean_shift, rel=1e-12)
    assert a.superiority == pytest.approx(1 - b.superiority, rel=1e-12)
    for name in ("js_distance", "total_variation", "psi"):
        assert a.nulls[name].observed == pytest.approx(b.nulls[name].observed, rel=1e-12)
    assert a.nulls["kl"].observed != pytest.approx(b.nulls["kl"].observed, rel=1e-3)


def test_duplicated_samples():
    """Every value twice: the same laws, the same distances; fewer reasons to think them equal."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=80), rng.normal(0.6, 1, 60)
    a, b = numbers(x, y), numbers(np.repeat(x, 2), np.repeat(y, 2))
    for name in ("w1", "w1_sd", "ks", "mean_shift", "superiority"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-12)
    assert b.null_95 < a.null_95
    assert b.pvalue <= a.pvalue


def test_dates_are_told_in_days():
    """Seconds in, days out; what has no unit is that of the numbers."""
    rng = np.random.default_rng(0)
    x, y = (1.7e9 + rng.integers(0, 10**7, n).astype(float) for n in (50, 60))
    days, seconds = numbers(x, y, "date"), numbers(x, y)
    assert (days.unit, seconds.unit) == ("days", "")
    assert same(replace(seconds, unit="days", kind="date"), days, 1 / 86_400)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0, np.inf], [1.0], "'a' must be finite; it reaches from 1.0 to inf"),
        ([1.0], [-np.inf, 2.0], "must be finite"),
        ([-1.7e308, 0.0], [1.7e308], "'a' overflows: it must span less than 2e300"),
    ],
)
def test_what_cannot_be_compared(x: list[float], y: list[float], message: str):
    """Infinite values, and spans whose squares no float holds."""
    with pytest.raises(DataError, match=message):
        numbers(x, y)


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-200, 1e200, 1e299])
def test_values_at_the_ends_of_the_floats(scale: float):
    """Subnormals and giants: finite, and as far apart as they are."""
    x, y = np.array([0.0, 1.0, 2.0]) * scale, np.array([2.0, 3.0, 4.0]) * scale
    found = numbers(x, y)
    assert found.w1 == 2.0 * scale
    assert found.mean_shift == 2.0 * scale
    assert found.w1_sd == pytest.approx(2 / np.std([0, 1, 2, 2, 3, 4]), rel=1e-12)


def test_outliers_do_not_drown_the_rest():
    """What depends on order alone sees the small values beside one huge one."""
    rng = np.random.default_rng(0)
    x, y = np.append(rng.normal(size=99), 1e250), np.append(rng.normal(3, 1, 99), 1e250)
    found = numbers(x, y)
    assert found.ks > 0.8
    assert found.superiority > 0.9
    assert found.js_distance.value > 0.5


def grid(x: np.ndarray, y: np.ndarray) -> Steps:
    """The cells that a test of many values uses."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    return walk(steps_of(x, y), len(x), len(y), low, high, [tailed(CELLS, len(x) + len(y))]).cells[0]


@pytest.mark.parametrize("law", SAMPLES)
def test_cells_are_a_matter_of_the_pooled_sample(law: str):
    """Other labels, the same cells; masses are equal but for ties, and each stands at its mean."""
    rng = np.random.default_rng(0)
    pooled = SAMPLES[law](rng, 30_000)
    first, second = grid(pooled[:20_000], pooled[20_000:]), grid(pooled[9000:], pooled[:9000])
    np.testing.assert_allclose(first.values, second.values, rtol=1e-12)
    np.testing.assert_array_equal(first.ahead_x + first.ahead_y, second.ahead_x + second.ahead_y)
    counts = np.diff(first.ahead_x + first.ahead_y)
    assert counts.sum() == 30_000
    centre = np.median(pooled)
    assert counts @ (first.values[1:] - centre) == pytest.approx((pooled - centre).sum(), rel=1e-6, abs=1e-3)
    if law in ("normal", "heavy"):
        inner = counts[(counts.cumsum() > 120) & (counts[::-1].cumsum()[::-1] > 120)]
        assert len(inner) == CELLS - 2
        assert np.ptp(inner) <= 2
        assert counts[0] == counts[-1] == 1
    if law == "few values":
        np.testing.assert_array_equal(first.values[1:], np.arange(4.0))


@pytest.mark.parametrize("law", ["normal", "tied", "few values", "heavy"])
def test_w1_of_the_cells_is_nearly_w1(law: str):
    """The statistic of the test is close to the distance that is told, and so is its law: `null_95` is that of W₁."""
    rng = np.random.default_rng(0)
    x, y = SAMPLES[law](rng, 20_000), 1.1 * SAMPLES[law](rng, 20_000)
    steps = grid(x, y)
    assert float(steps.w1(steps.ahead_x[1:])) == pytest.approx(stats.wasserstein_distance(x, y), rel=0.05)
    pooled, whole = np.concatenate([x, y]), []
    for _ in range(150):
        shuffled = rng.permutation(pooled)
        whole.append(stats.wasserstein_distance(shuffled[:20_000], shuffled[20_000:]))
    assert steps.permuted_w1(2000, rng).mean() == pytest.approx(np.mean(whole), rel=0.12)


def test_a_walk_in_blocks_is_a_walk_at_once():
    """More distinct values than a block holds: standard error, scale and cells do not see where blocks end."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60_000), rng.normal(0.1, 2, 50_000)
    values, place = np.unique(np.concatenate([x, y]), return_inverse=True)
    counts = (np.bincount(part, minlength=len(values)) for part in (place[:60_000], place[60_000:]))
    blocks, options = list(steps_of(x, y)), (60_000, 50_000, values[0], values[-1], [even(7, 110_000)])
    assert len(blocks) > 2
    apart, once = walk(blocks, *options), walk([Steps.of_counts(values, *counts)], *options)
    for name in ("w1", "standard_error", "w1_sd", "mean_shift", "ks", "superiority", "outside", "distinct"):
        assert getattr(apart, name) == pytest.approx(getattr(once, name), rel=1e-10)
    np.testing.assert_allclose(apart.cells[0].values, once.cells[0].values, rtol=1e-10)
    np.testing.assert_array_equal(apart.cells[0].ahead_x, once.cells[0].ahead_x)
    assert once.w1_sd == pytest.approx(once.w1 / np.concatenate([x, y]).std(), rel=1e-10)
