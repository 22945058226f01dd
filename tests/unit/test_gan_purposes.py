"""Every recipe does what it is for: the statistics against hand-made cases, the table, and the quick trainings."""

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from divergences.console import run as run_app
from divergences.errors import DataError, FileFormatError
from gan.bench.purposes import PURPOSES, Finding, Plan, statistics, table
from gan.bench.purposes.purpose import trained
from gan.bench.purposes.statistics import alive
from gan.cli import app
from gan.conditions import Labels
from gan.data import dataset
from gan.networks import Perceptron
from gan.random import Stream
from gan.recipes import RECIPES

ASKED = {
    "max-likelihood", "unrolled", "pacgan", "minibatch-discrimination", "virtual-batch-norm", "ebgan", "began",
    "dragan", "r3gan", "mmd-gan", "sinkhorn-gan", "cgan", "infogan", "cyclegan", "dcgan", "label-smoothing",
    "instance-noise", "feature-matching", "historical-averaging", "experience-replay", "sngan", "r1", "r2",
}  # fmt: skip
BAD = '{"seeds": [0, 1], "share": 0.01, "found": {"r1": {"ours": ["a", 1], "plain": [1, 2]}}}'
TWO = Plan(range(2), 0.01)


@pytest.fixture(autouse=True, scope="module")
def single_thread():
    """Small matrices, and other tests beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    trained.cache_clear()


def test_every_trick_has_a_purpose():
    """What the issue of recipes lists is there, under the names of recipes."""
    assert ASKED <= set(PURPOSES) <= set(RECIPES)


def test_verdict_is_that_of_the_paired_interval():
    """Seeds are paired; a constant gain in wild values is seen, and its sign counts."""
    wild = np.array([0.0, 10.0, -7.0, 30.0])
    gain = np.array([1.0, 1.1, 0.9, 1.0])
    assert Finding(wild + gain, wild, 1).verdict == "yes"
    assert Finding(wild + gain, wild, -1).verdict == "no"
    assert Finding(wild + gain * [1, -1, 1, -1], wild, 1).verdict == "open"
    assert Finding(wild + gain * np.nan, wild, 1).verdict == "no"


def test_statistic_is_of_seeds_that_finished():
    """A replica that was stopped gives NaN, and the recipe is not said to do what it is for."""
    last: Any = SimpleNamespace(diverged=torch.tensor([0, 7, 0]))
    assert np.array_equal(alive(last, torch.tensor([1.0, 2.0, 3.0])), [1.0, np.nan, 3.0], equal_nan=True)


def test_training_that_nobody_survives_is_a_result():
    """All replicas diverge: every statistic is NaN, and the verdict no."""
    plan = Plan(range(2))
    config = plan.config("max-likelihood", steps=50, data="ring8", lr=1e30)
    assert np.isnan(alive(trained(config)[-1], [1.0, 2.0])).all()


# The statistics, each on cases whose value is known.


def affine(*rows):
    """The parameters of x -> a x + b for several replicas, and the network."""
    return Perceptron((1, 1)), torch.tensor(rows)


def fake(network, parameters, **fields) -> Any:
    """A snapshot of a generator."""
    count = len(parameters)
    game = SimpleNamespace(seeds=torch.arange(count), generator=network, **fields)
    state = SimpleNamespace(generator=SimpleNamespace(parameters=parameters))
    return SimpleNamespace(game=game, state=state, diverged=torch.zeros(count))


def test_forward_excess_is_the_kl_beyond_the_least():
    """Against quadrature of the divergence itself, for two Gaussians and for the best one."""
    network, parameters = affine((1.831, 1.01), (-1.754, 1.307), (0.5, 0.0))
    x = torch.linspace(-12, 14, 200_001, dtype=torch.float64)[:, None]
    data: Any = dataset("mixture1d")
    log_p = data.log_density(x)

    def kl(mean, deviation):
        log_q = torch.distributions.Normal(mean, deviation).log_prob(x[:, 0])
        return float(torch.trapezoid(log_p.exp() * (log_p - log_q), x[:, 0]))

    expected = [kl(1.01, 1.831), kl(1.307, 1.754), kl(0.0, 0.5)]
    found = statistics.forward_excess([fake(network, parameters)])
    assert found == pytest.approx(np.array(expected) - expected[0], abs=1e-3)
    assert abs(found[0]) < 1e-6


def test_movement_is_the_distance_moved_late():
    """Snapshots 0, 0, 0, 3, 6: late moves are of 3; a generator at rest moves 0."""
    network, still = affine((1.0, 0.0), (1.0, 0.0))
    latent = lambda stream, step, n: torch.zeros(2, n, 1)
    at = lambda b: fake(network, still + torch.tensor([[0.0, b], [0.0, 0.0]]), latent=latent)
    assert statistics.movement(list(map(at, (0.0, 0.0, 0.0, 3.0, 6.0)))) == pytest.approx([3.0, 0.0])


@pytest.mark.parametrize(("sign", "expected"), [(1, 1.0), (-1, -1.0), (0, 0.0)])
def test_truthfulness_is_a_rank_correlation(sign, expected):
    """An estimate that grows with the distance has 1, its negative -1, a constant 0."""
    data, seeds = dataset("lines"), torch.arange(1)
    away = lambda k: torch.full((1, 200, 2), float(k))
    game = SimpleNamespace(target=data, seeds=seeds)
    snapshots: Any = tuple(
        SimpleNamespace(game=game, sample=lambda n, k=k: away(k), estimate=torch.tensor([sign * 2.0**k]),
                        diverged=torch.zeros(1))
        for k in (5, 3, 2, 4)
    )  # fmt: skip
    assert statistics.truthfulness(snapshots) == pytest.approx([expected])


def test_obedience_counts_the_classes_told():
    """The centres of the modes that were told have 1; those of the next modes 0."""
    data: Any = dataset("ring8")
    told = torch.arange(8).repeat(63)[: statistics.N]
    means = torch.tensor(data.means)
    for turn, expected in ((0, 1.0), (1, 0.0)):
        outputs = torch.cat((means[(told + turn) % 8], torch.eye(8)[told]), -1)[None]
        game = SimpleNamespace(seeds=torch.arange(1), target=data, points=lambda x: x[..., :2])
        last: Any = SimpleNamespace(game=game, outputs=lambda n, x=outputs: x, diverged=torch.zeros(1))
        assert statistics.obeyed([last]) == pytest.approx([expected])


def test_codes_are_read_off_points():
    """Points that are the codes tell them; points that are other numbers do not."""
    latent = torch.randn(1, statistics.N, 4, generator=torch.Generator().manual_seed(0))
    for columns, low, high in ((slice(2, 4), 0.9, 1.0), (slice(0, 2), -0.2, 0.0)):
        game = SimpleNamespace(latent=lambda *args: latent)
        last: Any = SimpleNamespace(game=game, sample=lambda n, c=columns: latent[..., c], diverged=torch.zeros(1))
        assert low <= statistics.readable([last])[0] <= high


def test_round_trip_of_a_swap_is_nothing():
    """(a, b) -> (b, a) comes back; (a, b) -> (b + 1, a) does not."""
    space = SimpleNamespace(targets=(dataset("mixture1d"),) * 2)
    x = torch.randn(1, statistics.N, 2, generator=torch.Generator().manual_seed(0))
    apart = float((x - x.roll(1, 1)).abs().mean())
    for shift, expected in ((0.0, 0.0), (1.0, 1 / apart)):
        swap = lambda parameters, y, shift=shift: y.flip(-1) + torch.tensor([shift, 0.0])
        last = fake(swap, torch.zeros(1, 1), space=space, latent=lambda *args: x)
        last.outputs = lambda n, swap=swap: swap(None, x)
        assert statistics.round_trip([last]) == pytest.approx([expected], rel=0.1, abs=1e-6)


class Ramp:
    """A critic that scores the first coordinate, times a steepness."""

    def __init__(self, steepness):
        self.steepness = steepness

    def __call__(self, x):
        return self.steepness * x[..., :1]

    def slope(self, x):
        return torch.nn.functional.pad(torch.full_like(x[..., :1], self.steepness), (0, x.shape[-1] - 1))


def with_critic(steepness, at=0.0) -> Any:
    """A snapshot on `lines`, whose first coordinate is 1, of a generator whose first coordinate is `at`."""
    data, seeds = dataset("lines"), torch.arange(2)
    real = lambda stream, step, n: data.sample(seeds, stream, step, n)
    still = lambda parameters, z: z * 0 + at
    game = SimpleNamespace(
        seeds=seeds, target=data, real=real, generator=still, view=lambda parameters, memory: Ramp(steepness),
        measured=lambda step, n: SimpleNamespace(real=real(Stream.REAL, step, n), latent=torch.zeros(2, n, 2)),
    )  # fmt: skip
    player = SimpleNamespace(parameters=torch.zeros(2, 1))
    state = SimpleNamespace(critic=player, generator=player, memory={})
    sample = lambda n: torch.full((2, n, 2), float(at))
    return SimpleNamespace(game=game, state=state, sample=sample, diverged=torch.zeros(2))


def test_slopes_and_confidence_of_a_known_critic():
    """A slope of 3 is off by 2; the sigmoid of a score of log 9 at real points is 0.9."""
    assert statistics.off_one([with_critic(3.0)]) == pytest.approx([2.0, 2.0])
    assert statistics.confidence([with_critic(math.log(9))]) == pytest.approx([0.9, 0.9])


@pytest.mark.parametrize(("at", "expected"), [(2.0, 1.0), (0.0, 0.0)])
def test_forgotten_fakes_beat_real_points(at, expected):
    """Fakes of two snapshots ago beyond the real points beat all of them, those before them none; no others count."""
    snapshots = tuple(with_critic(1.0, x) for x in (at, at, 2 - at, 2 - at))
    assert statistics.forgotten(snapshots) == pytest.approx([expected] * 2)


@pytest.mark.parametrize(("steepness", "expected"), [(1.0, 2 / 3), (-1.0, 1 / 3)])
def test_recognised_points_beat_those_of_a_square(steepness, expected):
    """Of the square [-3, 3]^2 two thirds lie below the first coordinate 1."""
    assert statistics.recognises([with_critic(steepness)]) == pytest.approx(
        [expected] * 2, abs=0.12
    )  # 5 sd of 400 draws


def test_sway_is_that_of_the_batch():
    """A generator that looks at one point at a time does not sway; one that subtracts the batch's mean does."""
    normal = torch.Generator().manual_seed(0)
    latents = {step: torch.randn(1, 16, 2, generator=normal) for step in (1, 2)}
    for generator, low, high in (
        (lambda parameters, z: z, 0.0, 0.0),
        (lambda parameters, z: z - z.mean(1, keepdim=True), 0.05, 1.0),
    ):
        last = fake(generator, torch.zeros(1, 1), latent=lambda stream, step, n: latents[step])
        assert low <= statistics.sway([last])[0] <= high


# The quick trainings. Each bound is what the mean gain of four new seeds falls below once in 1,000 trainings: the mean
# over eight other seeds, less t(0.999; 7) standard deviations of the gain times sqrt(1/8 + 1/4). Purposes whose gain
# varies too much for that are in the table only.

QUICK = {
    "max-likelihood": 0.034,
    "virtual-batch-norm": 0.08,
    "ebgan": 0.039,
    "began": 0.08,
    "mmd-gan": 0.017,
    "sinkhorn-gan": 0.048,
    "label-smoothing": 0.057,
    "cgan": 0.83,
    "infogan": 0.25,
    "cyclegan": 0.18,
}


@pytest.mark.parametrize("name", QUICK)
def test_recipe_does_what_it_is_for(name):
    """The recipe's statistic beats the plain GAN's by what eight seeds promise of four."""
    purpose = PURPOSES[name]
    ours, plain = purpose.measure(Plan(range(100, 104)))
    gain = (ours - plain) * (1 if purpose.better == "higher" else -1)
    assert gain.mean() > QUICK[name]


def test_labels_are_obeyed_because_they_are_told(monkeypatch):
    """A planted error: labels that the critic never sees beside their points are not obeyed."""
    honest = Labels.real

    def mixed(self, space, seeds, stream, step, batch):
        x, told = honest(self, space, seeds, stream, step, batch).split((2, 8), -1)
        return torch.cat((x, told.roll(1, -2)), -1)

    monkeypatch.setattr(Labels, "real", mixed)
    plan = Plan(range(2))
    assert statistics.obeyed(trained(plan.config("cgan", data="ring8", steps=300))).mean() < 0.3


# The table.


def test_table_goes_on_where_it_stopped(tmp_path, monkeypatch):
    """What is found is not trained again; the page names the command; other seeds are refused."""
    out = tmp_path / "out"
    table.find(TWO, out, ["label-smoothing"])
    monkeypatch.setattr("gan.bench.purposes.purpose.train", lambda config: pytest.fail("trained twice"))
    found = table.find(TWO, out, ["label-smoothing"])["label-smoothing"]
    content = json.loads((out / table.KEPT).read_text())
    assert content["found"]["label-smoothing"]["ours"] == found.ours.tolist()
    page = (out / table.PAGE).read_text()
    assert "gan bench --protocol purposes --seeds 2 --budget 0.01" in page
    assert "`label-smoothing`" in page
    with pytest.raises(DataError, match="other seeds"):
        table.find(Plan(range(3), 0.01), out)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"seeds": [0, 1], "share": 0.01, "found": {"r1": 3}}', BAD, "[" * 10**5]
)
def test_damaged_findings_are_refused(tmp_path, text):
    """A file that this bench did not write is not read as findings."""
    (tmp_path / table.KEPT).write_text(text)
    with pytest.raises(FileFormatError):
        table.find(TWO, tmp_path)


def test_foreign_folder_and_unknown_recipe_are_refused(tmp_path):
    """Nothing is trained, and nothing of others is touched."""
    with pytest.raises(DataError, match="recipe"):
        table.find(TWO, tmp_path / "out", ["unroled"])
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="thesis"):
        table.find(TWO, tmp_path)


def test_command(tmp_path, capsys):
    """The command prints a line for each recipe and writes the page; it refuses what the protocol fixes."""
    words = ["bench", "--protocol", "purposes", "--seeds", "2", "--budget", "0.01", "--out", str(tmp_path / "out")]
    assert run_app(app, [*words, "--recipe", "label-smoothing"]) == 0
    assert "label-smoothing" in capsys.readouterr().out
    assert (tmp_path / "out" / table.PAGE).exists()
    for fixed in (["--lr", "0.1"], ["--jobs", "2"], ["--shard", "1/2"], ["--force"], ["--seconds", "0"]):
        assert run_app(app, [*words, *fixed]) == 2
        assert fixed[0] in capsys.readouterr().err
