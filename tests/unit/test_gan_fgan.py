"""The Gaussian fits of f-GAN: the optima by quadrature against other quadratures, and the bench that trains them."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

import divergences as dv
from divergences.errors import DataError
from gan import runs
from gan.bench import bench, table
from gan.bench.gaussian_fits import NAMES, divergence, nearest
from gan.bench.protocols import fgan, protocol
from gan.data import DATASETS
from gan.data.mixtures import MIXTURE1D, GaussianMixture
from gan.random import Stream

X = np.linspace(-20.0, 25.0, 90_001)  # the trapezoid rule on it is exact to rounding where nothing has a corner
P = 0.33 * norm.pdf(X, -1, 0.255) + 0.67 * norm.pdf(X, 2, 1.415)
BELOW = 0.33 * norm.cdf(X, -1, 0.255) + 0.67 * norm.cdf(X, 2, 1.415)
FORMULAS = {  # as the lectures print them, with their corrections: integrands in p and q
    "kl": lambda p, q: p * np.log(p / q),
    "reverse_kl": lambda p, q: q * np.log(q / p),
    "js": lambda p, q: (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))) / 2,
    "total_variation": lambda p, q: abs(p - q) / 2,
    "pearson": lambda p, q: (p - q) ** 2 / q,
    "neyman": lambda p, q: (p - q) ** 2 / p,
    "squared_hellinger": lambda p, q: (np.sqrt(p) - np.sqrt(q)) ** 2,
    "jeffreys": lambda p, q: (p - q) * np.log(p / q),
    "le_cam": lambda p, q: (p - q) ** 2 / (p + q) / 2,
    "gan": lambda p, q: p * np.log(p / (p + q)) + q * np.log(q / (p + q)),
    "weighted_js": lambda p, q: 0.3 * p * np.log(p / (0.3 * p + 0.7 * q)) + 0.7 * q * np.log(q / (0.3 * p + 0.7 * q)),
    "alpha": lambda p, q: -4 * (np.sqrt(p * q) - (p + q) / 2),
    "hockey_stick": lambda p, q: np.maximum(p - 2 * q, 0),
}


def by_trapezoid(name, mean, sd):
    """The divergence by formulas, a quadrature and quantiles that share nothing with the package's."""
    step = X[1] - X[0]
    if name == "w1":
        return step * np.abs(BELOW - norm.cdf(X, mean, sd)).sum()
    if name == "w2":
        u = (np.arange(400_000) + 0.5) / 400_000
        return np.sqrt(np.mean((np.interp(u, BELOW, X) - norm.ppf(u, mean, sd)) ** 2))
    return step * FORMULAS[name](P, norm.pdf(X, mean, sd)).sum()


def tolerance(name):
    """Of the rules above: corners, and the tails of quantiles, cost them digits."""
    return {"total_variation": 1e-6, "hockey_stick": 1e-6, "w1": 1e-6, "w2": 1e-4}.get(name, 1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_quadrature(name):
    """At the optimum and off it, the value is that of another quadrature."""
    best = nearest(name)
    assert best.value == divergence(name, best.mean, best.sd)
    for mean, sd in ((best.mean, best.sd), (0.7, 1.6), (2.2, 1.75)):
        assert divergence(name, mean, sd) == pytest.approx(by_trapezoid(name, mean, sd), abs=tolerance(name))


@pytest.mark.parametrize("name", NAMES)
def test_optimum(name):
    """No Gaussian of a wide grid is nearer, and every small step away is farther."""
    best = nearest(name)
    values = [divergence(name, m, s) for m in np.linspace(-1.5, 4, 12) for s in (0.25, 0.5, 0.9, 1.3, 1.5, 1.9, 2.3)]
    assert best.value < min(values)
    for step in ((1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3), (1e-3, 1e-3), (1e-3, -1e-3)):
        assert best.value < divergence(name, best.mean + step[0], best.sd + step[1])


def test_optima_in_closed_form():
    """KL matches both moments; W2 the mean, and the slope of the monotone map."""
    mean = 0.33 * -1 + 0.67 * 2
    variance = 0.33 * (0.255**2 + (1 + mean) ** 2) + 0.67 * (1.415**2 + (2 - mean) ** 2)
    assert (nearest("kl").mean, nearest("kl").sd) == pytest.approx((mean, variance**0.5), abs=3e-7)
    best = nearest("w2")
    assert best.mean == pytest.approx(mean, abs=3e-7)
    assert best.value**2 == pytest.approx(variance - best.sd**2, abs=1e-6)  # what the best affine map leaves
    assert nearest("gan").sd == pytest.approx(nearest("js").sd, abs=3e-7)
    assert nearest("alpha").mean == pytest.approx(nearest("squared_hellinger").mean, abs=3e-7)


@pytest.mark.parametrize("row", fgan.PAPER_OPTIMA)
def test_published_optima(row):
    """All fifteen numbers of the paper's table, to its rounding and the mixture's; other weights are rejected."""
    best, printed = nearest(fgan.MINIMISED[row]), fgan.PAPER_OPTIMA[row]
    halved = 2 if row == "JS" else 1
    assert (best.mean, best.sd) == pytest.approx(printed[:2], abs=3.5e-4)
    assert halved * best.value == pytest.approx(halved * printed[2], abs=3.2e-4)
    swapped = replace(MIXTURE1D, weights=(0.34, 0.66))
    assert nearest(fgan.MINIMISED[row], swapped).mean != pytest.approx(printed[0], abs=5e-3)


def test_infinite_where_the_tails_say_so():
    """Pearson needs a Gaussian that is not too narrow, Neyman one that is not too wide."""
    edge = 1.415 / 2**0.5
    assert divergence("pearson", 2.0, edge * (1 - 1e-9)) == np.inf
    assert divergence("neyman", 2.0, 2 * edge * (1 + 1e-9)) == np.inf
    density = lambda x: 0.33 * mpmath.npdf(x, -1, 0.255) + 0.67 * mpmath.npdf(x, 2, 1.415)
    ends = [*range(-80, -4, 5), *range(-4, 90, 3)]
    narrow = mpmath.quad(lambda x: density(x) ** 2 / mpmath.npdf(x, 2, 1.2), ends)
    wide = mpmath.quad(lambda x: mpmath.npdf(x, 2.2, 1.9) ** 2 / density(x), ends)
    found = (divergence("pearson", 2.0, 1.2), divergence("neyman", 2.2, 1.9))
    assert found == pytest.approx([float(str(x)) - 1 for x in (narrow, wide)], rel=1e-9)


def test_far_tails():
    """Where a density leaves the floats its logarithm does not: a Gaussian that is far too narrow."""
    mean, variance = 1.01, nearest("kl").sd ** 2
    entropy = divergence("kl", mean, 2.0) - (variance / 4 / 2 + np.log(2.0))  # KL is this plus a quadratic, exactly
    for sd in (0.05, 0.3):
        assert divergence("kl", mean, sd) == pytest.approx(entropy + variance / sd**2 / 2 + np.log(sd), rel=1e-9)


def test_another_mixture():
    """One Gaussian is its own nearest under all of them."""
    one = GaussianMixture(((3.0,),), (1.0,), (0.5,), "one")
    for name in sorted({*NAMES} - {"hockey_stick"}):  # which is 0 for many
        assert (nearest(name, one).mean, nearest(name, one).sd) == pytest.approx((3.0, 0.5), abs=1e-5), name
    assert divergence("kl", 3.5, 0.5, one) == pytest.approx(0.5, abs=1e-12)
    assert divergence("w2", 3.5, 0.75, one) == pytest.approx((0.25 + 0.0625) ** 0.5, abs=1e-12)


def test_bad_requests():
    """Each says what was wrong."""
    with pytest.raises(DataError, match="divergence must be"):
        divergence("kll", 0, 1)
    for mean, sd in ((0, 0), (0, -1), (0, np.nan), (np.inf, 1)):
        with pytest.raises(DataError, match="must be a finite number"):
            divergence("kl", mean, sd)
    with pytest.raises(DataError, match="on the line"):
        nearest("kl", DATASETS["ring8"])


def test_half_of_the_papers_errors():
    """The bounds of success, from the paper's table; a fit that the paper lacks is held to its worst."""
    printed = {
        "KL": (0.0235, 0.0072), "reverse KL": (0.0158, 0.0084), "JS": (0.0216, 0.0117),
        "Jeffreys": (0.0923, 0.1053), "Pearson": (0.0420, 0.0243), "Neyman": (0.0923, 0.1053),
    }  # fmt: skip
    for cell in protocol("fgan").cells:
        if cell.name in printed:
            bounds = [2 * rule.bound for rule in cell.success]
            assert bounds == pytest.approx(printed[cell.name], abs=1e-9)
    assert {fgan.MINIMISED[cell.name] for cell in protocol("fgan").cells} == {
        *dv.CATALOGUE, "w1", "w2"
    } - {"weighted_js", "alpha", "hockey_stick"}  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A short run of two fits: where, what came out."""
    full = protocol("fgan")
    cells = tuple(cell for cell in full.cells if cell.name in ("KL", "reverse KL"))
    small = replace(full, cells=cells, snapshots=2).at(budget=0.05, seeds=2)
    out = tmp_path_factory.mktemp("fgan") / "out"
    bench.claim(small, out)
    bench.run_cells(small, out)
    return out, table.collect(small, out)


def test_columns_are_those_of_the_generators(done):
    """Mean and sd are those of the map that made the samples; errors and divergence follow from them."""
    out, results = done
    assert [result.cell.name for result in results] == ["KL", "reverse KL"]
    for result in results:
        (row, _), best = result.rows[0], nearest(fgan.MINIMISED[result.cell.name])
        game, _ = runs.restore(out / result.cell.folder)
        z = game.latent(Stream.SAMPLE, 0, result.cell.n).double().numpy()
        for k, (mean, sd) in enumerate(zip(row.values["mean"], row.values["sd"], strict=True)):
            ones = np.ones((len(z[k]), 1))
            *slopes, shift = np.linalg.lstsq(np.hstack([z[k], ones]), result.run.samples[k, :, 0], rcond=None)[0]
            assert (mean, sd) == pytest.approx((shift, np.linalg.norm(slopes)), abs=1e-5)
            assert row.values["mean error"][k] == pytest.approx(abs(mean - best.mean))
            assert row.values["sd error"][k] == pytest.approx(abs(sd - best.sd))
            assert row.values["divergence"][k] == divergence(fgan.MINIMISED[row.name], mean, sd) > best.value
            paper = fgan.paper_errors(row.name)
            share = max(abs(mean - best.mean) / paper[0], abs(sd - best.sd) / paper[1])
            assert row.values["share of paper's"][k] == pytest.approx(share)
        assert row.exact["mean"] == best.mean
