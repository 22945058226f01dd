"""Estimates by a learned log-ratio: parts against oracles, the whole against truths."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression

from divergences import CATALOGUE, estimate
from divergences.errors import DataError
from divergences.samples.estimators import (
    DensityRatio,
    DonskerVaradhan,
    KernelDensity,
    Variational,
    _logistic,
    kernel_density,
)
from divergences.samples.estimators._critic import FOLDS, bound, critic, cross_fitted, largest, standardiser
from divergences.samples.estimators.density_ratio import PENALTIES, _bumps, _leave_one_out
from divergences.samples.estimators.kernel_density import DEFENCE, _broad, _Side

METHODS = {
    "kernel_density": KernelDensity(),
    "logistic": DensityRatio("logistic"),
    "ulsif": DensityRatio("ulsif"),
    "variational": Variational(),
}
EVERY = pytest.mark.parametrize("method", METHODS)


def normals(n: int, m: int, shift: float, seed: int, d: int = 1, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """N(0, I) and N(shift/√d, scale² I): KL is shift²/2 in every d when scale is 1."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(shift / math.sqrt(d), scale, (m, d))


# ---------------------------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_critic_is_the_derivative_and_pays_the_conjugate(name):
    """gain = f'(r) − f'(1) and charge = −f*(f'(r)) − f(1) + f'(1), from the catalogue's own f' and f*."""
    d, log_ratio = CATALOGUE[name], np.array([-3.0, -0.7, -1e-9, 1e-9, 0.4, 2.5])
    gain, charge = critic(d, log_ratio)
    slope = d.derivative(np.exp(log_ratio))
    np.testing.assert_allclose(gain, slope - d.slope_at_one, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(charge, -d.conjugate(slope) - d.f_at_one + d.slope_at_one, rtol=1e-6, atol=1e-9)
    assert np.isfinite(critic(d, np.array([-30.0, 30.0]))).all()


@pytest.mark.parametrize(("name", "truth"), [("kl", 0.5), ("js", 0.11142148218473618), ("jeffreys", 1.0)])
def test_the_bound_is_tight_at_the_true_ratio(name, truth):
    """With the exact log-ratio of two normal laws, and loose with another one; the error is the spread."""
    x, y = normals(200_000, 200_000, 1.0, 0)
    value, error = bound(CATALOGUE[name], 0.5 - x[:, 0], 0.5 - y[:, 0], 50.0)
    assert abs(value - truth) < 4 * error < 0.05
    worse, _ = bound(CATALOGUE[name], 1.0 - 0.5 * x[:, 0], 1.0 - 0.5 * y[:, 0], 50.0)
    assert worse < value - 10 * error


def test_the_largest_value_is_that_of_disjoint_supports():
    """Finite exactly for the bounded divergences."""
    for name, d in CATALOGUE.items():
        assert largest(d) == pytest.approx(float(d([1.0, 0.0], [0.0, 1.0])), rel=1e-14), name


def test_the_logistic_fit_is_scikit_learns():
    """The same penalised optimum by another solver, for unequal sizes."""
    x, y = normals(80, 150, 1.0, 1, d=2)
    z, label = np.concatenate([x, y]), np.arange(230) < 80
    design = _logistic.quadratic(z)
    peer = LogisticRegression(C=1 / _logistic.PENALTY, tol=1e-10, max_iter=10_000)
    peer.fit(design[:, 1:], label)
    for start in (None, np.linspace(-1, 1, design.shape[1])):
        ours = _logistic.fit(design[:80], design[80:], start)(design) + math.log(80 / 150)
        np.testing.assert_allclose(ours, peer.decision_function(design[:, 1:]), atol=1e-4)


def test_separated_samples_keep_the_logistic_fit_finite():
    """The penalty bounds the weights where the likelihood has no maximum."""
    below, above = (_logistic.linear(np.full((50, 1), value)) for value in (-1.0, 1.0))
    found = _logistic.fit(below, above)(np.array([[1.0, -1.0], [1.0, 1.0]]))
    assert 2 < found[0] < 10
    assert found[1] == pytest.approx(-found[0], abs=1e-6)


def test_ulsif_leaves_one_out():
    """The closed form equals fitting again without the i-th rows."""
    x, y = normals(12, 9, 0.5, 2, d=2)
    centres = x[:5]
    top, bottom = (_bumps(cdist(v, centres, "sqeuclidean"), 1.3) for v in (x, y))
    left_x, left_y = np.array([3, 0, 11, 7]), np.array([8, 1, 2, 5])
    errors = _leave_one_out(top, bottom, left_x, left_y)
    for penalty, error in zip(PENALTIES, errors, strict=True):
        losses = []
        for i, j in zip(left_x, left_y, strict=True):
            rest_x, rest_y = np.delete(top, i, axis=0), np.delete(bottom, j, axis=0)
            alpha = np.linalg.solve(rest_y.T @ rest_y / 8 + penalty * np.eye(5), rest_x.mean(axis=0))
            alpha = np.maximum(alpha, 0)
            losses.append((bottom[j] @ alpha) ** 2 / 2 - top[i] @ alpha)
        assert error == pytest.approx(np.mean(losses), rel=1e-9)


def test_kernel_densities_by_hand():
    """SciPy's normal densities at every centre outside the fold, and the broad law's share."""
    sample, points = normals(23, 11, 0.5, 3, d=2)
    side = _Side.of(sample, 0.8, np.random.default_rng(0))
    shape = np.linalg.inv(side.turn @ side.turn.T)
    normal: Any = stats.multivariate_normal  # their stubs take no arrays
    law: Any = stats.multivariate_t
    density = lambda at, rows: np.mean([normal(row, shape).pdf(at) for row in rows])
    student = law(np.zeros(2), np.eye(2) / 3, 3)
    share = DEFENCE / 23
    held, fitted = side.log_densities(sample, _broad(sample), own=True)
    other, _ = side.log_densities(points, _broad(points), own=False)
    for i, row in enumerate(sample):
        broad = share * student.pdf(row)
        outside = sample[side.fold != side.fold[i]]
        assert held[i] == pytest.approx(np.log((1 - share) * density(row, outside) + broad), rel=1e-9)
        assert fitted[i] == pytest.approx(np.log((1 - share) * density(row, sample) + broad), rel=1e-9)
    expected = [np.log((1 - share) * density(p, sample) + share * student.pdf(p)) for p in points]
    np.testing.assert_allclose(other, expected, rtol=1e-9)
    assert np.bincount(side.fold).tolist() == [5, 5, 5, 4, 4]


@pytest.mark.parametrize("d", [1, 3])
def test_many_kernels_are_summed_in_one_compiled_pass(d, monkeypatch):
    """As by the matrix of kernels, to rounding: in tiles that end within a fold, far out, and at a distance of zero."""
    sample, points = normals(3000, 70, 0.5, 3, d=d)
    points[0], points[1] = sample[0], 1e6
    side = _Side.of(sample, 0.3, np.random.default_rng(0))
    expected = side.sums(points)
    monkeypatch.setattr(kernel_density, "MANY", 0)
    found = side.sums(points)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-300)
    assert found[0].max() >= 1
    assert not found[1].any()
    assert not np.array_equal(found, expected)  # the sums were taken in another order


def test_held_out_rows_are_not_seen():
    """A fit that remembers its rows knows all of them in `fitted`, and none in `held`."""
    x, y = normals(30, 40, 0.0, 4)

    def remember(a, b):
        seen = {*a[:, 0], *b[:, 0]}
        return lambda points: np.array([float(p in seen) for p in points[:, 0]])

    ratios = cross_fitted(remember, x, y, np.random.default_rng(0))
    assert ratios.held_x.sum() + ratios.held_y.sum() == 0
    assert ratios.fitted_x.all()
    assert ratios.fitted_y.all()
    assert FOLDS == 5


def test_standardising_at_any_scale():
    """Mean 0 and deviation 1 per column, constant columns left out, far rows kept in the floats."""
    x, y = normals(50, 50, 1.0, 5, d=3)
    x[:, 1], y[:, 1] = 7.0, 7.0
    x[:, 2], y[:, 2] = x[:, 2] * 1e307, y[:, 2] * 1e307
    scale = standardiser(x, y)
    z = np.concatenate([scale(x), scale(y)])
    assert z.shape == (100, 2)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-12)
    assert scale(np.array([[1e300, 7.0, 0.0]]))[0, 0] == 1e6


# ---------------------------------------------------------------------------------------------------- the whole


@EVERY
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_method_takes_every_divergence(method, name):
    """In range, with an interval around the value, a standard error and notes; the same seed gives the same bits."""
    d = CATALOGUE[name]
    x, y = normals(60, 70, 0.8, 6, d=2)
    found, again = (estimate(x, y, name, method=METHODS[method], rng=3) for _ in range(2))
    assert found == again
    assert found.confidence_interval is not None
    low, high = found.confidence_interval
    assert d.f_at_one <= low <= found.value <= high
    assert found.value <= largest(d)
    assert high == math.inf or not math.isinf(largest(d))
    assert found.standard_error is not None
    assert found.method == method
    assert "lower bound" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("method", "d", "slack"),
    [("kernel_density", 1, 0), ("kernel_density", 2, 0.1), ("logistic", 1, 0), ("logistic", 10, 0)],
)
def test_values_are_near_the_truth(method, d, slack):
    """KL of normal laws is ½ in every dimension; kernels blur in two, and are not asked in ten."""
    values = [estimate(*normals(500, 600, 1.0, s, d), "kl", method=METHODS[method], rng=s) for s in range(10)]
    error = np.mean([e.standard_error or np.nan for e in values]) / math.sqrt(10)
    assert -slack - 4 * error < np.mean([e.value for e in values]) - 0.5 < 4 * error


def test_far_apart_and_never_beyond_the_truth():
    """N(0,1) against N(6,1) and N(100,1): total variation near 1, KL a lower bound that says where it stops."""
    for shift, tv, kl in ((6.0, 0.9973, 18.0), (100.0, 1.0, 5000.0)):
        x, y = normals(2000, 2000, shift, 0)
        for method in ("kernel_density", "logistic"):
            assert estimate(x, y, "total_variation", method=METHODS[method], rng=0).value == pytest.approx(tv, abs=0.01)
            found = estimate(x, y, "kl", method=METHODS[method], rng=0)
            assert 4 < found.value < kl
            assert found.confidence_interval is not None
            assert found.confidence_interval.low < kl
            assert found.confidence_interval.high == math.inf
            assert "clipped" in " ".join(found.notes)


def test_a_hundred_points_in_the_plane():
    """N(0, 0.6577² I) against N(0, I): 0.2706, where published estimators print 0.66 and 1.51."""
    values = []
    for seed in range(20):
        x, y = normals(100, 100, 0.0, seed, d=2)
        values.append([estimate(0.6577 * x, y, "kl", method=METHODS[k], rng=seed).value for k in METHODS])
    means = dict(zip(METHODS, np.mean(values, axis=0), strict=True))
    assert 0.15 < means["kernel_density"] < 0.31
    assert 0.2 < means["logistic"] < 0.33
    assert all(value < 0.33 for value in means.values())


@EVERY
def test_rounded_data_of_one_law(method):
    """Ties by the hundred: about 0, where kernels on one grid give ±11."""
    for seed in range(3):
        x, y = (np.round(v, 1) for v in normals(1000, 1000, 0.0, seed))
        found = estimate(x, y, "kl", method=METHODS[method], rng=seed)
        assert 0 <= found.value < 0.02
        assert found.confidence_interval is not None
        assert found.confidence_interval.low == 0


@EVERY
def test_awkward_data(method):
    """Constant data, constant columns, columns that follow from others, more columns than rows, and any scale."""
    least = lambda x, y: estimate(x, y, "js", method=METHODS[method], rng=0)
    assert least(np.ones(20), np.ones(30)).value == 0
    x, y = normals(40, 40, 1.0, 7, d=2)
    plain = least(x, y)
    assert least(np.insert(x, 1, 5.0, axis=1), np.insert(y, 1, 5.0, axis=1)).value == pytest.approx(
        plain.value, abs=1e-9
    )
    assert least(2.0**600 * x, 2.0**600 * y).value == pytest.approx(plain.value, abs=1e-9)
    assert least(x + 2.0**20, y + 2.0**20).value == pytest.approx(plain.value, abs=1e-6)
    assert math.isfinite(least(x[:, [0, 0, 1]], y[:, [0, 0, 1]]).value)
    one_law = [np.random.default_rng(s).normal(size=(2, 20, 50)) for s in range(5)]
    assert max(least(a, b).confidence_interval.low for a, b in one_law) < 0.05  # type: ignore[union-attr]
    atom = least(np.zeros((40, 1)), y[:, :1])
    assert atom.value > 0.1


@EVERY
@pytest.mark.parametrize("name", ["kl", "total_variation"])
def test_one_law_is_not_told_from_itself(method, name):
    """The interval reaches 0 in at least 95% of 60 pairs, up to the binomial 99.9%."""
    hits = 0
    for seed in range(60):
        x, y = normals(60, 80, 0.0, seed)
        interval = estimate(x, y, name, method=METHODS[method], rng=seed).confidence_interval
        assert interval is not None
        hits += interval.low <= 0
    assert hits >= stats.binom.ppf(0.001, 60, 0.95)


@pytest.mark.parametrize("method", ["kernel_density", "logistic"])
def test_what_no_row_has_seen_lowers_the_bound(method):
    """Laws that share a twentieth of their mass: samples of 30 are often quite apart, spread 0, and KL still 2.65."""
    above = bare = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, y = (5.0 * (rng.uniform(size=30) < share) + rng.normal(0, 0.1, 30) for share in (0.95, 0.05))
        found = estimate(x, y, "kl", method=METHODS[method], rng=seed)
        assert found.confidence_interval is not None
        assert found.standard_error is not None
        above += found.confidence_interval.low > 0.9 * math.log(19)
        bare += found.value - 3 * found.standard_error > 0.9 * math.log(19)
    assert above <= stats.binom.ppf(0.999, 60, 0.05)
    assert bare > stats.binom.ppf(0.999, 60, 0.05)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DensityRatio("logistik"), "Did you mean 'logistic'"),
        (lambda: KernelDensity(0.0), "bandwidth must be a finite number above 0"),
        (lambda: KernelDensity(np.nan), "bandwidth must be a finite number above 0"),
        (lambda: Variational(1.0), "confidence must be below 1"),
        (lambda: Variational(-0.5), "confidence must be a finite number above 0"),
        (lambda: estimate(np.arange(9.0), np.arange(20.0), "kl", method=KernelDensity()), "at least 10 rows"),
        (lambda: estimate(np.arange(19.0), np.arange(20.0), "kl", method=Variational()), "at least 20 rows"),
        (lambda: estimate(np.arange(20.0), np.arange(20.0), "js", method=DonskerVaradhan()), "is for 'kl'; got 'js'"),
        (lambda: estimate([np.nan] * 20, np.arange(20.0), "js", method=DensityRatio()), "x must be finite"),
    ],
)
def test_what_they_refuse(make, words):
    """Each with what was required, what was received, and the remedy."""
    with pytest.raises(DataError, match=words):
        make()


def test_least_squares_give_no_upper_end():
    """What uLSIF misses of the ratio is more than its spread: at d = 10 its ends would hold in none of six samples."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 10)), rng.normal(size=(400, 10)) + 10**-0.5
    e = estimate(x, y, "js", method="ulsif", rng=0)
    assert e.confidence_interval is not None
    assert e.confidence_interval.high == largest(CATALOGUE["js"])
    assert "no upper end but the largest value" in " ".join(e.notes)
