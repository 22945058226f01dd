"""Measures of generators against brute force, closed forms and known laws; and what they refuse."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from divergences.errors import DataError
from divergences.optimal_transport import sinkhorn_divergence
from gan.data import DATASETS, Rows
from gan.data.rows import split
from gan.measures import MEASURES, Reference
from gan.measures.modes import ceiling
from gan.measures.sample import Pair, Sample
from gan.random import Stream

RING = DATASETS["ring8"]
POINTS = torch.tensor(RING.means, dtype=torch.float64)  # pyright: ignore[reportAttributeAccessIssue]


def pair_of(real, fake, data=RING) -> Pair:
    return Pair(*(Sample(np.asarray(x, dtype=np.float64), data) for x in (real, fake)))


def value(name: str, pair: Pair) -> float:
    return MEASURES[name](pair)[name]


def brute(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Precision, recall, density, coverage and 1-NN accuracy by their definitions, point by point."""
    gap = lambda a, b: math.dist(a, b)
    radius = lambda s, i, k: sorted(gap(s[i], s[j]) for j in range(len(s)) if j != i)[k - 1]
    inside = lambda s, t, k: [[gap(s[i], t[j]) <= radius(s, i, k) for i in range(len(s))] for j in range(len(t))]
    wins = [0.0, 0.0]
    both = [*((p, 0) for p in x), *((p, 1) for p in y)]
    for i, (p, label) in enumerate(both):
        others = [(gap(p, q), kind) for j, (q, kind) in enumerate(both) if j != i]
        nearest = min(d for d, _ in others)
        kinds = {kind for d, kind in others if d == nearest}
        wins[label] += 0.5 if len(kinds) == 2 else float(label in kinds)
    in_real = inside(x, y, 5)
    return {
        "precision": float(np.mean([any(row) for row in inside(x, y, 3)])),
        "recall": float(np.mean([any(row) for row in inside(y, x, 3)])),
        "density": float(np.mean([sum(row) for row in in_real]) / 5),
        "coverage": float(np.mean(np.array(in_real).any(axis=0))),
        "one_nearest_neighbour": (wins[0] / len(x) + wins[1] / len(y)) / 2,
    }


@pytest.mark.parametrize(
    ("n", "m", "d", "gap"), [(40, 40, 2, 0.3), (30, 50, 1, 0.0), (25, 25, 30, 0.1), (6, 9, 2, 1.0)]
)
def test_neighbours_by_brute_force(n, m, d, gap):
    """Five measures equal their definitions, also with ties, duplicates and unequal numbers."""
    rng = np.random.default_rng(d)
    for round_to in (8, 0):
        x, y = (rng.normal(shift, 1, (count, d)).round(round_to) for count, shift in ((n, 0), (m, gap)))
        y[:2] = x[:2]
        for name, wanted in brute(x, y).items():
            assert value(name, pair_of(x, y)) == pytest.approx(wanted, abs=1e-12), name


def test_brute_force_bites():
    """Balls of another k, a point as its own neighbour and exchanged samples are noticed, in some of five draws."""
    names = ["precision", "recall", "density", "coverage"]
    noticed, exchanged = dict.fromkeys([*names, "one_nearest_neighbour"], 0.0), dict.fromkeys(names, 0.0)
    rng = np.random.default_rng(0)
    for shift in (0.3, 0.6, 0.9, 1.2, 1.5):
        x, y = rng.normal(size=(40, 2)), rng.normal(shift, 1, (40, 2))
        wanted, wrong, turned = brute(x, y), pair_of(x, y), pair_of(y, x)
        for sample in (wrong.real, wrong.fake):
            sample.__dict__["nearest"] = np.column_stack([np.zeros(40), sample.nearest[:, :4]])
        for gaps, pair in ((noticed, wrong), (exchanged, turned)):
            for name in gaps:
                gaps[name] = max(gaps[name], abs(value(name, pair) - wanted[name]))
    assert min(noticed.values()) > 0.01, noticed
    assert min(exchanged.values()) > 0.01, exchanged


def test_neighbours_in_blocks(monkeypatch):
    """The same numbers when distances are taken a few rows at a time."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    names = list(brute(x[:6], y[:6]))
    whole = [value(name, pair_of(x, y)) for name in names]
    monkeypatch.setattr("divergences.samples.pairwise.BLOCK", 350)
    assert [value(name, pair_of(x, y)) for name in names] == whole


@pytest.mark.slow
def test_published_self_check(monkeypatch):
    """Two samples of N(0, I) in 1,000 dimensions, n = 10,000, k = 5: the numbers published with prdc."""
    # By the product of matrices, in a tenth of the time; so far apart, points lose no digits by it.
    squared = lambda x, y: (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T
    monkeypatch.setattr("gan.measures.sample.distances", lambda x, y: np.sqrt(squared(x, y).clip(0)))
    rng = np.random.default_rng(0)
    meet = (pair := pair_of(rng.normal(size=(10_000, 1000)), rng.normal(size=(10_000, 1000)))).encounters
    assert (meet.real_balls[5] > 0).mean() == pytest.approx(0.4772, abs=0.03)
    assert (meet.fake_balls[5] > 0).mean() == pytest.approx(0.4705, abs=0.03)
    assert value("coverage", pair) == pytest.approx(0.9735, abs=0.03)
    # Few points near the centre lie in many balls: density spreads by 0.05 from one draw to the next, around 1.
    assert value("density", pair) == pytest.approx(1.0555, abs=0.2)


def test_mode_rules():
    """One sample of high quality covers a mode, 1 % by the stricter rule; 3 sigma is the edge; strays do not count."""
    first, second = POINTS[:2]
    for few, stricter in ((9, 1), (10, 2)):
        fake = torch.cat((first.expand(1000 - few, 2), second.expand(few, 2)))
        assert (value("modes", pair_of(fake, fake)), value("modes_1pct", pair_of(fake, fake))) == (2, stricter)
        share = few / 1000
        entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
        assert value("mode_reverse_kl", pair_of(fake, fake)) == pytest.approx(math.log(8) - entropy, rel=1e-12)
    for sigmas, quality in ((2.99, 1.0), (3.01, 0.0)):
        fake = (first + torch.tensor([0.1 * sigmas, 0.0])).expand(100, 2)
        pair = pair_of(fake, fake)
        assert value("high_quality", pair) == quality == value("modes", pair)
    with pytest.raises(DataError, match="none"):
        value("mode_reverse_kl", pair)


def test_mode_histogram_knows_the_weights_and_its_floor():
    """Unequal modes hit by their weights are at 0; a perfect sampler is at (K - 1) / 2n on average."""
    mixture = DATASETS["mixture1d"]
    fake = np.repeat([[-1.0], [2.0]], (33, 67), axis=0)
    assert value("mode_reverse_kl", pair_of(fake, fake, mixture)) == pytest.approx(0, abs=1e-12)
    x = RING.sample(torch.arange(200), Stream.SAMPLE, 0, 500).numpy()
    floors = np.array([value("mode_reverse_kl", pair_of(one, one)) for one in x])
    assert abs(floors.mean() - 7 / 1000) < 5 * floors.std() / math.sqrt(200)
    assert abs(np.mean([value("high_quality", pair_of(one, one)) for one in x]) - ceiling(2)) < 0.002


def test_moved_points():
    """All points moved by (3, 4): every transport distance is 5, the Frechet distance 25, and the divergence 25."""
    x = RING.sample(torch.arange(1), Stream.REFERENCE, 0, 200)[0].numpy()
    pair = pair_of(x, x + np.array([3.0, 4.0]))
    for name, wanted in (("w1", 5), ("w2", 5), ("frechet", 25), ("sinkhorn_divergence", 25)):
        assert value(name, pair) == pytest.approx(wanted, rel=1e-4), name
    # Projections have the length 5 |cos|, of mean 2 / pi; of 200 directions, within 5 standard errors.
    assert abs(value("sliced_w1", pair) - 10 / math.pi) < 5 * 5 * math.sqrt(0.5 - 4 / math.pi**2) / math.sqrt(200)
    left, right = np.sort(x[:, :1], axis=0), np.sort(x[:, 1:] ** 3, axis=0)
    line = pair_of(left, right, DATASETS["mixture1d"])
    assert value("w1", line) == pytest.approx(np.abs(left - right).mean(), rel=1e-9)
    assert value("w2", line) == pytest.approx(math.sqrt(np.square(left - right).mean()), rel=1e-9)
    for name in ("w1", "w2"):
        found = MEASURES[name](pair)
        assert found[f"{name}_lower"] <= found[name] <= found[f"{name}_upper"]
        assert found[f"{name}_upper"] - found[f"{name}_lower"] < 1e-8


def test_one_scale_for_a_whole_run():
    """The kernel and the blur come from the target: the generator cannot move them."""
    x = RING.sample(torch.arange(1), Stream.REFERENCE, 0, 100)[0].numpy()
    scale = np.median([math.dist(x[i], x[j]) for i in range(100) for j in range(i)])
    k = lambda a, b: np.mean([[math.exp(-(math.dist(p, q) ** 2) / 2 / scale**2) for q in b] for p in a])
    for factor in (1, 50):
        y = factor * np.random.default_rng(0).normal(size=(100, 2))
        within = sum((100 * k(z, z) - 1) / 99 for z in (x, y))
        assert value("mmd", pair_of(x, y)) == pytest.approx(within - 2 * k(x, y), abs=1e-9)
        square = np.mean([math.dist(x[i], x[j]) ** 2 for i in range(100) for j in range(i)])
        wanted = sinkhorn_divergence(x, y, 2, epsilon=0.05 * float(square), tolerance=1e-7)
        assert value("sinkhorn_divergence", pair_of(x, y)) == pytest.approx(wanted, rel=1e-3)


def test_memorisation():
    """Copies of training rows get 1, new rows about a half, far points 0; a tie counts as half."""
    rng = np.random.default_rng(0)
    rows = Rows.of(rng.normal(size=(4000, 2)), source="example")
    reference = Reference.of(rows, torch.arange(2), 300, ("memorisation",))
    training = rows.load()[0][split(rows.size)[None]]
    copies, far = training[:300], np.full((300, 2), 100.0)
    new = rng.normal(size=(300, 2))
    for y, wanted, margin in ((copies, 1, 0), (far, 0, 0), (new, 0.5, 0.1)):
        assert reference.evaluate(np.stack([y, y]))["memorisation"] == pytest.approx([wanted] * 2, abs=margin)
    assert reference.perfect["memorisation"] == pytest.approx([0.5] * 2, abs=0.1)
    held = reference.real[0]
    assert value("memorisation", Pair(held, held)) == 0.5
    assert reference.real[0].points.shape == (300, 2)


def test_finite_sets_are_measured_on_distinct_rows():
    """Digits hold out 179 rows: the reference has no more, of which none repeats, and takes as many samples."""
    digits = DATASETS["digits"]
    reference = Reference.of(digits, torch.arange(1), 1000, ("w1", "frechet_features", "class_balance"))
    assert reference.samples.shape == (1, 179, 64)
    assert len(np.unique(reference.samples[0], axis=0)) == 179
    more = digits.sample(torch.arange(1), Stream.SAMPLE, 0, 1000)
    found = reference.evaluate(more)
    assert found == reference.evaluate(more[:, :179])
    threes = torch.tensor(digits.load()[0][digits.load()[1] == 3][:179])[None]  # pyright: ignore[reportAttributeAccessIssue]
    of_threes, of_all = (reference.judge(x)[0].values for x in (torch.cat((threes, threes), dim=1), more))
    assert 0.9 >= of_threes["class_balance"] > 0.8 > 0.2 > of_all["class_balance"]
    assert of_threes["frechet_features"] > 3 * of_all["frechet_features"]
    perfect = reference.perfect["frechet_features"][0]
    assert perfect is not None
    assert of_all["frechet_features"] < 3 * perfect


def test_settings_of_one_seed_share_its_samples():
    """A seed that comes twice, as in a sweep, is drawn once; each replica is still measured by itself."""
    reference = Reference.of(RING, torch.tensor([5, 3, 5]), 40, ("w1", "precision"))
    alone = [Reference.of(RING, torch.tensor([seed]), 40, ("w1", "precision")) for seed in (5, 3, 5)]
    x = RING.sample(torch.arange(3), Stream.SAMPLE, 0, 40)
    found = reference.evaluate(x)
    for k, one in enumerate(alone):
        for name, values in one.evaluate(x[k : k + 1]).items():
            assert found[name][k] == values[0]
            assert reference.perfect[name][k] == one.perfect[name][0]
    assert reference.real[0] is reference.real[2]
    assert found["w1"][0] != found["w1"][2]


def test_reference_refuses():
    """Unknown and unfitting measures, shapes and counts; each error says what would do."""
    seeds = torch.arange(2)
    with pytest.raises(DataError, match="Did you mean 'recall'"):
        Reference.of(RING, seeds, 50, ("recal",))
    with pytest.raises(DataError, match="'memorisation' does not apply to this target; these do: w1"):
        Reference.of(RING, seeds, 50, ("w1", "memorisation"))
    for n in (1, 0, True, 2.5):
        with pytest.raises(DataError, match="n must be"):
            Reference.of(RING, seeds, n)  # pyright: ignore[reportArgumentType]
    reference = Reference.of(RING, seeds, 50, "w1")
    for shape in ((2, 49, 2), (1, 50, 2), (2, 50, 3), (50, 2), (2, 50)):
        with pytest.raises(DataError, match="samples must be 2 x 50 x 2"):
            reference.evaluate(np.zeros(shape))


def test_kinds_of_samples():
    """NumPy, torch, float32, integers, and a tensor that wants a gradient are one to a reference."""
    reference = Reference.of(RING, torch.arange(1), 20, ("w1", "modes"))
    whole = np.arange(40).reshape(1, 20, 2) % 5
    wanted = reference.evaluate(whole.astype(float))
    tensor = torch.tensor(whole, dtype=torch.float32).requires_grad_()
    for kind in (whole, whole.astype(np.float32), np.asfortranarray(whole), tensor):
        assert reference.evaluate(kind) == wanted


def test_few_points_cost_only_the_measures_that_need_more():
    """With three points neighbours cannot be counted, and W1 can; the reason is kept."""
    reference = Reference.of(RING, torch.arange(1), 3)
    judged = reference.judge(torch.zeros(1, 3, 2))[0]
    assert judged.values["w1"] > 1
    assert "more than 5 points; got 3" in judged.reasons["precision"]
    assert reference.perfect["precision"] == [None]


def test_a_measure_is_told_by_name():
    """Names are keys, and every measure says what it is."""
    for name, measure in MEASURES.items():
        assert measure.name == name
        assert measure.function.__doc__
        assert measure.source
        assert measure.unit
        assert measure.better in ("lower", "higher", "half", "one")
    assert replace(MEASURES["w1"], better="higher").badness(2.0) == -2.0
