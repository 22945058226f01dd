"""The nearest-neighbour estimator against known laws, its peers' numbers, ties and extreme inputs."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import KDTree

from divergences import CATALOGUE, kl
from divergences.errors import DataError
from divergences.samples import estimate
from divergences.samples.estimators import NearestNeighbour, Pair
from divergences.samples.estimators._local import _log_average
from divergences.samples.estimators._values import bound, kinked, logarithmic


def means(x, y, name: str = "kl", repetitions=40, n=1000, method: Any = "nearest_neighbour", d=1):
    """Mean and its standard error over samples that the functions x and y draw."""
    rng = np.random.default_rng(0)
    values = [estimate(x(rng, (n, d)), y(rng, (n, d)), name, method=method).value for _ in range(repetitions)]
    return np.mean(values), np.std(values) / np.sqrt(repetitions)


def normal(mean, deviation=1.0):
    """A sampler of normal columns."""
    return lambda rng, shape: rng.normal(mean, deviation, shape)


def test_uncorrected_it_is_wang_kulkarni_verdu():
    """The formula written out with another tree; a pair of columns at different scales does not change it."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 1)), rng.normal(0.5, 1, (400, 1))
    rho, nu = KDTree(x).query(x, 6)[0][:, -1], KDTree(y).query(x, 5)[0][:, -1]
    expected = np.mean(np.log(nu / rho)) + np.log(400 / 299)
    plain = NearestNeighbour(k=5, corrected=False)
    assert estimate(x, y, "kl", method=plain).value == pytest.approx(expected, rel=1e-12)
    assert estimate(1e200 * x + 3e201, 1e200 * y + 3e201, "kl", method=plain).value == pytest.approx(expected, rel=1e-9)


def test_the_peers_bias_of_two_tenths_is_gone():
    """N(0,1) against N(2,1), n = 1000: truth 2, peer 1.790; ours within a quarter of that error."""
    plain, _ = means(normal(0), normal(2), method=NearestNeighbour(k=5, corrected=False))
    assert 1.70 < plain < 1.83
    value, error = means(normal(0), normal(2))
    assert abs(value - 2.0) < 0.05 + 2 * error
    assert error < 0.04


@pytest.mark.parametrize(
    ("x", "y", "truth", "d"),
    [
        (normal(0), normal(1), 0.5, 1),
        (normal(0), normal(1, 2.0), 0.4431471805599453, 1),
        (lambda g, s: g.exponential(1 / 12, s), lambda g, s: g.exponential(1, s), 1.5682399831213336, 1),
        (lambda g, s: g.beta(1, 2, s), lambda g, s: g.uniform(0, 1, s), 0.19314718055994531, 1),
        (normal(0, 2.0), normal(0), 2 * (1.5 - np.log(2)), 2),
        (normal(0), normal(np.sqrt(0.5)), 0.5, 2),
        (normal(0), normal(np.sqrt(0.4)), 2.0, 10),
        (normal(0), normal(0), 0.0, 1),
    ],
)
def test_kl_of_known_laws(x, y, truth, d):
    """Means over 20 samples of 1000 are within 8% of the truth, or three standard errors."""
    value, error = means(x, y, d=d, repetitions=20)
    assert abs(value - truth) < 0.08 * truth + 3 * error + 0.005


@pytest.mark.parametrize("name", ["js", "total_variation", "squared_hellinger", "le_cam", "weighted_js"])
def test_bounded_divergences_of_known_laws(name):
    """N(0,1) against N(1,1) by quadrature; 8% at n = 1000."""
    z = np.linspace(-12, 13, 200001)
    p, q = stats.norm.pdf(z), stats.norm.pdf(z - 1)
    truth = float(np.trapezoid(CATALOGUE[name].cost(p, q, p - q), z))
    value, error = means(normal(0), normal(1), name, repetitions=20)
    assert abs(value - truth) < 0.08 * truth + 2 * error


def test_the_lower_end_holds_where_the_value_fails():
    """Ten dimensions, N(0, 4I) against N(0, I) and back: no upper end, and a lower one that is true."""
    for x, y, truth in (
        (normal(0, 2.0), normal(0), 10 * (1.5 - np.log(2))),
        (normal(0), normal(0, 2.0), 10 * (np.log(2) - 0.375)),
    ):
        rng = np.random.default_rng(0)
        interval = estimate(x(rng, (1000, 10)), y(rng, (1000, 10)), "kl").confidence_interval
        assert interval is not None
        assert 0.0 <= interval.low < truth
        assert interval.high == np.inf
    rng = np.random.default_rng(0)
    shifted = estimate(rng.normal(size=(1000, 10)), rng.normal(0.5, 1, (1000, 10)), "kl").confidence_interval
    assert shifted is not None
    assert 0.4 < shifted.low < 1.25, "the bound is not empty"


def test_extrapolation_removes_most_of_a_large_bias():
    """N(0, 4I) against N(0, I) in five dimensions, truth 4.03: the textbook's 0.65 becomes more than 2."""
    textbook, _ = means(normal(0, 2.0), normal(0), n=2000, d=5, repetitions=4, method=NearestNeighbour(5, False))
    value, error = means(normal(0, 2.0), normal(0), n=2000, d=5, repetitions=4)
    assert textbook < 0.8
    assert 2.0 < value < 4.03
    assert error < 0.1


def test_extrapolation_gives_way_to_its_own_noise():
    """Equal laws in a hundred dimensions: a line through seven radii that hardly differ says nothing."""
    rng = np.random.default_rng(0)
    assert estimate(rng.normal(size=(300, 100)), rng.normal(size=(300, 100)), "kl").value < 1


def test_intervals_cover():
    """Of 80 two-sided intervals at n = 200, at least 71 hold the truth (95% but for chance)."""
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(0, 1, (200, 1)), rng.normal(0.7, 1, (200, 1))) for _ in range(80)]
    truths = {
        "kl": 0.245,
        "total_variation": 2 * stats.norm.cdf(0.35) - 1,
        "squared_hellinger": 2 - 2 * np.exp(-0.06125),
    }
    for name, truth in truths.items():
        hits = 0
        for x, y in pairs:
            interval = NearestNeighbour().estimate(Pair.of(x, y), CATALOGUE[name], rng).confidence_interval
            assert interval is not None
            hits += interval.low <= truth <= interval.high
        assert hits >= 71, name


@pytest.mark.parametrize("seed", range(5))
def test_rounded_samples_of_one_law_are_close(seed):
    """Duels 14 and 15: both rounded to one decimal; peers give -9 to +11, or infinities."""
    x, y = np.round(np.random.default_rng(seed).normal(size=(2, 1000)), 1)
    e = estimate(x, y, "kl", method="nearest_neighbour")
    assert e.value < 0.06
    assert "values repeat" in " ".join(e.notes)
    assert e.confidence_interval is not None
    assert e.confidence_interval.low == 0.0


def test_atoms_lattices_and_their_mixtures():
    """Categories in two columns, and zeros among normals: within 15% of the truth."""
    rng = np.random.default_rng(0)
    x, y = rng.binomial(1, 0.3, (2000, 1)), rng.binomial(1, 0.6, (2000, 1))
    truth = float(kl([0.7, 0.3], [0.4, 0.6]))
    assert estimate(x, y, "kl", method="nearest_neighbour").value == pytest.approx(truth, rel=0.15)
    zeros = lambda share: lambda g, shape: np.where(g.random(shape) < share, 0.0, g.normal(size=shape))
    value, error = means(zeros(0.7), zeros(0.4), repetitions=20)
    assert abs(value - truth) < 0.05 * truth + 2 * error


def test_duel_16():
    """100 points in the plane, truth 0.2706: peers' bins 0.66, kernels 1.51, neighbours 0.18 on one sample each."""
    value, error = means(normal(0, 0.6577), normal(0), n=100, d=2)
    assert abs(value - 0.2706) < 0.09
    assert error < 0.03


def test_duels_12_and_13():
    """Far laws: TV and Hellinger of the line are right where kernels on a grid give half."""
    rng = np.random.default_rng(0)
    x, near, far = (rng.normal(mean, 1, 2000) for mean in (0, 6, 100))
    assert estimate(x, near, "total_variation").value == pytest.approx(0.9973, abs=0.004)
    assert estimate(x, near, "squared_hellinger").value == pytest.approx(1.978, abs=0.04)
    e = estimate(x, far, "total_variation")
    assert e.value == pytest.approx(1.0, abs=1e-3)
    assert e.confidence_interval is not None
    assert e.confidence_interval.low < 0.9995, "no sample of 2000 proves that the supports are disjoint"
    assert estimate(x, far, "kl").value > 20


def test_the_same_points_are_not_apart():
    """A permutation of a sample: zero, with a note, and an interval that is not a point."""
    x = np.random.default_rng(0).normal(size=(500, 2))
    e = estimate(x, x[::-1], "kl")
    assert e.value == 0.0
    assert e.confidence_interval is not None
    assert 0 < e.confidence_interval.high < 0.02
    assert "values repeat" in " ".join(e.notes)


def test_linear_maps_leave_the_estimate():
    """Units, correlations, columns that are copies or constant."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), rng.normal(0.4, 1, (400, 3))
    value = estimate(x, y, "kl").value
    mixed = np.array([[1e3, 1e3, 0], [0, 0.1, 0.1], [3.0, 0, 1.0]])
    assert estimate(x @ mixed, y @ mixed, "kl").value == pytest.approx(value, rel=1e-3)
    for weights in ([1, 1, 0], [1, 1, 1], [0.1, -3, 0.7], [1e-3, 1, 1e3], [0.3, 0.3, 0.5]):
        wide = lambda z, w=weights: np.column_stack([z, z @ w, np.full(len(z), 7.0)])
        e = estimate(wide(x), wide(y), "kl")
        assert e.value == pytest.approx(value, rel=1e-3)
        assert "2 of 5 columns are constant or combinations" in " ".join(e.notes)


def test_a_direction_that_few_rows_need_is_kept():
    """Two columns are equal but in 30 rows of 21,000, none of which is among those that the map is learned from."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 21_000, 2))
    for sample, gap in ((x, 1.0), (y, 2.0)):
        sample[:, 1] = sample[:, 0]
        sample[1:90:3, 1] += gap
    first, second = Pair.of(x, y).whitened
    assert first.shape == second.shape == (21_000, 2)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e307])
def test_scales_at_the_ends_of_the_floats(scale):
    """Finite, and close to the same data at scale one."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 2)), rng.normal(size=(100, 2))
    e = estimate(scale * x, scale * y, "js")
    assert e.value == pytest.approx(estimate(x, y, "js").value, abs=1e-3)


def test_magnitudes_are_not_rounded_away():
    """On the line tiny values keep apart beside a huge one; in the plane, where they cannot, that is said."""
    rng = np.random.default_rng(0)
    x, y = np.append(10.0 ** -rng.uniform(20, 30, 99), 1.0), np.append(10.0 ** -rng.uniform(30, 40, 99), 1.0)
    assert estimate(x, y, "total_variation").value > 0.8
    e = estimate(np.column_stack([x, x]), np.column_stack([y, y]), "kl")
    assert "distinct points coincide at the scale of the largest" in " ".join(e.notes)
    assert e.confidence_interval is not None
    assert e.confidence_interval.high == np.inf


def test_every_divergence_has_a_finite_value_or_a_reason():
    """In one, two and four dimensions, for float32, integers and booleans beside float64."""
    rng = np.random.default_rng(0)
    for name in CATALOGUE:
        for d in (1, 2, 4):
            e = estimate(rng.normal(size=(60, d)), rng.normal(0.3, 1, (70, d)), name, method="nearest_neighbour")
            assert np.isfinite(e.value)
            assert e.confidence_interval is not None
            assert e.confidence_interval.low <= e.value + 1e-12
    x, y = rng.normal(size=(60, 2)).astype(np.float32), rng.integers(0, 999, (70, 2))
    assert np.isfinite(estimate(x, y, "kl").value)
    assert np.isfinite(estimate(y > 0, y > 1, "js", rng=0).value)


def test_what_it_refuses():
    """Too few points, k beyond the sample, values that are not numbers."""
    plain = np.random.default_rng(0).normal(size=(10, 2))
    for k, words in ((10, "k must be below n and m; got k = 10, n = 10, m = 10"), (0, "k must be"), (2.5, "k must be")):
        with pytest.raises(DataError, match=words):
            estimate(plain, plain + 1, "kl", method=NearestNeighbour(k=k))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="three points of each sample; got n = 2, m = 10"):
        estimate(plain[:2], plain, "kl")
    with pytest.raises(DataError, match="1 NaN or infinite of 20"):
        estimate(np.where(plain == plain[3, 1], np.nan, plain), plain, "kl")
    with pytest.raises(DataError, match="got 2 and 3"):
        estimate(plain, np.ones((5, 3)), "kl")


def test_the_average_over_a_ball():
    """log E exp(b·u) in one and two dimensions, against integrals; the inverse of the mean is part of it."""
    u = np.linspace(-1, 1, 200001)
    for d, weight in ((1, np.ones_like(u)), (2, np.sqrt(1 - u**2))):
        weight = weight / weight.sum()
        for slope in (1e-4, 0.3, 3.0, 40.0):
            average = np.sum(weight * np.exp(slope * u))
            lean = np.sum(weight * u * np.exp(slope * u)) / average
            assert _log_average(np.array([lean]), d)[0] == pytest.approx(np.log(average), rel=2e-3, abs=1e-8)


def test_what_is_known_of_a_divergence():
    """KL's kin and kinks are recognised, in multiples too; the bound of the right critic is the divergence."""
    assert logarithmic(3 * CATALOGUE["kl"]) == pytest.approx((3, 0), abs=1e-9)
    assert logarithmic(CATALOGUE["jeffreys"]) == pytest.approx((1, 1), abs=1e-9)
    assert [name for name in CATALOGUE if logarithmic(CATALOGUE[name])] == ["kl", "reverse_kl", "jeffreys"]
    assert [name for name in CATALOGUE if kinked(CATALOGUE[name])] == ["total_variation", "hockey_stick"]
    x, y = np.random.default_rng(0).normal(size=(2, 200000))
    found = bound(CATALOGUE["kl"], x + 0.5, y - 0.5)  # the log-ratio z - 1/2 of N(1,1) to N(0,1)
    assert found.safe < found.value == pytest.approx(0.5, abs=0.02)
    assert found.standard_error == pytest.approx(np.sqrt((1 + np.e - 1) / 200000), rel=0.05)
    wrong = bound(CATALOGUE["kl"], 0.5 * (x + 0.5), 2 * (y - 0.5))
    assert wrong.value < 0.5, "the bound holds for a critic of another shape"
