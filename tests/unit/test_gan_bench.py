"""`gan bench`: what its table says is what the run folders say, whoever ran the cells, and the command repeats it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest
from scipy import stats

from divergences.console import run as run_app
from divergences.errors import DataError
from gan import runs
from gan.bench import bench, page, show, table
from gan.bench.free import free
from gan.bench.protocol import Cell, Column, Protocol, Published, Rule
from gan.bench.protocols import PRESETS, protocol
from gan.cli import app
from gan.config import Config
from gan.game import Game
from gan.networks import Architecture

TINY = Architecture((8,))
SOURCE = "A paper, Somebody et al. (2020), table 9: means of 7 runs"


def cell(name, recipe, data="ring8", **options):
    """A run of a second, whose replicas differ."""
    config = {"steps": 8, "batch": 16, "latent": 2, "generator": TINY, "critic": TINY, "lr": 0.01, **options}
    success = (Rule("modes", ">=", 1),)
    return Cell(name, Config(recipe=recipe, data=data, **config), ("w1", "modes"), 50, success)


SMALL = Protocol(
    name="small",
    description="A small one.",
    cells=(cell("GAN", "nonsaturating"), cell("WGAN-GP", "wgan-gp"), cell("GAN", "nonsaturating", "grid25")),
    columns=("w1", "modes"),
    published=(Published(SOURCE, {("ring8", "GAN"): {"modes": (6.3, 0.5)}, ("ring8", "ALI"): {"modes": (2.8, None)}}),),
    faults=("It is too small.",),
    seeds=3,
    snapshots=4,
)
READY = SMALL.at()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished bench: its folder, its results and what is in its file."""
    out = tmp_path_factory.mktemp("bench") / "out"
    bench.claim(READY, out)
    bench.run_cells(READY, out)
    results = table.collect(READY, out)
    return out, results, table.save(READY, results, out)


def timeless(content):
    """What does not depend on the clock."""
    clock = ("seconds", "steps_per_second", "equal_seconds")
    rows = [{k: v for k, v in row.items() if k not in clock} for row in content["rows"]]
    return {**content, "rows": rows, "command": None}


def lines(folder):
    """The records of a run, read by nobody's reader but this."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_numbers_are_those_of_the_run_folders(done):
    """Mean, interval, count and success come from the last line of metrics.jsonl."""
    out, _, content = done
    assert [row["name"] for row in content["rows"]] == ["GAN", "WGAN-GP", "GAN"]
    for each, row in zip(READY.cells, content["rows"], strict=True):
        last = lines(out / each.folder)[-1]
        assert row["values"] == {"w1": last["w1"], "modes": last["modes"]}
        mean, error = np.mean(last["w1"]), stats.sem(last["w1"])
        low, high = stats.t.interval(0.95, 2, loc=mean, scale=error)
        found = row["columns"]["w1"]
        assert [found["mean"], found["low"], found["high"]] == pytest.approx([mean, low, high], rel=1e-12)
        assert found["count"] == 3
        assert row["success"] == sum(modes >= 1 for modes in last["modes"])
        assert row["perfect"]["w1"] == pytest.approx(
            np.mean(json.loads((out / each.folder / "reference.json").read_text())["w1"])
        )
        assert row["seconds"] == pytest.approx(last["seconds"])
    gan, wgan = content["rows"][:2]
    assert (gan["samples"], wgan["samples"]) == (8 * 16, 8 * 16 * 5)
    assert (gan["updates"], wgan["updates"]) == (16, 48)
    assert json.loads((out / "bench.json").read_text()) == content


def test_equal_effort_is_the_last_snapshot_within_it(done):
    """The row with the fewest updates, or seconds, is taken at its end; the other where it stood then."""
    out, _, content = done
    gan, wgan = content["rows"][:2]
    assert gan["equal_updates"]["step"] == 8
    assert wgan["equal_updates"]["step"] == 2  # 12 of 16 updates; step 4 has 24
    at = next(record for record in lines(out / "ring8-wgan-gp") if record["step"] == 2)
    assert wgan["equal_updates"]["columns"]["w1"] == pytest.approx(np.mean(at["w1"]))
    least = min(gan["seconds"], wgan["seconds"]) / 3
    for row, folder in ((gan, "ring8-gan"), (wgan, "ring8-wgan-gp")):
        allowed = [record for record in lines(out / folder) if record["seconds"] / 3 <= least * (1 + 1e-9)]
        assert row["equal_seconds"]["seconds"] == least
        if allowed[-1]["step"]:
            assert row["equal_seconds"]["columns"]["w1"] == pytest.approx(np.mean(allowed[-1]["w1"]))


def test_what_is_not_trained_has_no_number_at_equal_effort(tmp_path):
    """A row that took its first step after another's last one is not credited with its untrained generator."""
    slow = cell("slow", "nonsaturating", steps=40, critic_steps=60)
    ready = replace(SMALL, cells=(cell("quick", "nonsaturating"), slow), snapshots=1).at()
    bench.claim(ready, tmp_path)
    bench.run_cells(ready, tmp_path)
    quick, slow = (row for result in table.collect(ready, tmp_path) for row, _ in result.rows)
    assert (quick.updates, slow.updates) == (16, 40 * 61)
    assert slow.equal_updates == {"updates": 16, "step": 0, "columns": {}}
    assert quick.equal_updates["columns"].keys() == {"w1", "modes"}


def test_differences_are_paired_by_seed(done):
    """Second less first, seed by seed; rows on other data are not compared."""
    out, _, content = done
    (pair,) = content["pairs"]
    first, second = (np.array(lines(out / name)[-1]["w1"]) for name in ("ring8-gan", "ring8-wgan-gp"))
    assert (pair["first"], pair["second"]) == ("GAN", "WGAN-GP")
    found, expected = pair["difference"]["w1"], stats.ttest_rel(second, first).confidence_interval(0.95)
    assert found["mean"] == pytest.approx(np.mean(second - first))
    assert [found["low"], found["high"]] == pytest.approx([expected.low, expected.high])


def test_seeds_see_the_same_samples(done):
    """What pairing rests on: replicas of one seed are measured against the same points."""
    out, _, _ = done
    floors = [json.loads((out / name / "reference.json").read_text())["w1"] for name in ("ring8-gan", "ring8-wgan-gp")]
    assert floors[0] == floors[1]
    assert len(set(floors[0])) == 3


def test_two_shards_are_the_whole(done, tmp_path):
    """Whoever runs which cells, and in what order; a table of one shard says what is missing."""
    out = tmp_path / "out"
    out.mkdir()
    (out / ".writing-half").write_text("")  # the other shard is just beginning
    bench.claim(READY, out)
    bench.run_cells(READY, out, shard=(1, 2))
    half = table.save(READY, table.collect(READY, out), out)
    assert half["missing"] == ["ring8-gan", "grid25-gan"]
    bench.claim(READY, out)
    bench.run_cells(READY, out, shard=(0, 2))
    whole = table.save(READY, table.collect(READY, out), out)
    assert timeless(whole) == timeless(done[2])


@pytest.mark.parametrize("backend", bench.BACKENDS)
def test_processes_change_no_number(done, tmp_path, backend):
    """Two at a time, here or on dask's workers."""
    if backend == "dask":
        pytest.importorskip("distributed")
    out, told = tmp_path / "out", []
    bench.claim(READY, out)
    bench.run_cells(READY, out, jobs=2, backend=backend, progress=lambda stage, part: told.append(part))
    assert timeless(table.save(READY, table.collect(READY, out), out)) == timeless(done[2])
    assert told == pytest.approx([1 / 3, 2 / 3, 1])


def stepping(out):
    """Wait until a cell of the bench has some snapshots, and is not finished; its folder."""
    for _ in range(6000):
        for path in out.glob("*/metrics.jsonl"):
            if len(path.read_bytes().splitlines()) >= 3 and not (path.parent / "done.json").exists():
                return path.parent
        time.sleep(0.01)
    raise AssertionError("no cell began")


LONG = replace(SMALL, cells=tuple(cell(f"GAN {k}", "nonsaturating", steps=60) for k in range(4)), snapshots=30).at()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the long bench gives when nobody is killed."""
    out = tmp_path_factory.mktemp("long")
    bench.run_cells(LONG, out)
    return timeless(table.save(LONG, table.collect(LONG, out), out))


def test_a_killed_worker_of_dask_changes_no_number(undisturbed, tmp_path):
    """SIGKILL in the middle of a cell: the cluster gives it to another worker, which goes on from its checkpoint."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp://"
    )
    with cluster, distributed.Client(cluster) as client:
        before = set(client.run(os.getpid).values())
        victim = min(before)
        killer = Thread(target=lambda: (stepping(tmp_path), os.kill(victim, signal.SIGKILL)))
        killer.start()
        bench.run_cells(LONG, tmp_path, jobs=2, backend="dask", scheduler=client.scheduler.address)
        killer.join()
        assert victim not in set(client.run(os.getpid).values())
    assert timeless(table.save(LONG, table.collect(LONG, tmp_path), tmp_path)) == undisturbed


def test_a_killed_shard_changes_no_number(undisturbed, tmp_path):
    """SIGKILL of one machine's command, in the middle of a cell: the same command goes on."""
    code = f"""
import sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from pathlib import Path
from test_gan_bench import LONG, bench
bench.run_cells(LONG, Path({str(tmp_path)!r}), shard=(1, 2))
"""
    shard = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    left = stepping(tmp_path)
    shard.kill()
    assert shard.wait() == -signal.SIGKILL
    assert not (left / "done.json").exists()
    kept = lines(left)[1:2]  # the second may have been written just before its checkpoint
    for k in (1, 0):
        bench.run_cells(LONG, tmp_path, shard=(k, 2))
    assert lines(left)[1:2] == kept  # to the second: what was on disk was not trained again
    assert timeless(table.save(LONG, table.collect(LONG, tmp_path), tmp_path)) == undisturbed


def test_a_stopped_bench_goes_on(done, tmp_path, monkeypatch):
    """Finished cells are left alone, the stopped one continues from its checkpoint: the numbers are the same."""
    out = tmp_path / "out"
    bench.claim(READY, out)

    def interrupt(stage, part):
        if "WGAN-GP, step 4" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run_cells(READY, out, progress=interrupt)
    before = (out / "ring8-gan" / "metrics.jsonl").stat().st_mtime_ns
    assert [record["step"] for record in lines(out / "ring8-wgan-gp")] == [0, 2, 4]
    started = []
    bench.run_cells(READY, out, progress=lambda stage, part: started.append(stage))
    assert started[0] == "ring8: WGAN-GP, step 6"
    assert (out / "ring8-gan" / "metrics.jsonl").stat().st_mtime_ns == before
    assert timeless(table.save(READY, table.collect(READY, out), out)) == timeless(done[2])


@pytest.mark.parametrize(("rate", "survivors"), [((1e30,), 0), ((0.01, 1e30), 3)])
def test_a_diverged_seed_is_a_failure(tmp_path, rate, survivors):
    """It counts in the success rate and not in the mean, alone or beside others; the bench goes on."""
    lost = cell("lost", "nonsaturating", lr=rate if len(rate) > 1 else rate[0])
    ready = replace(SMALL, cells=(lost, SMALL.cells[1]), snapshots=8).at()
    out = tmp_path / "out"
    bench.claim(ready, out)
    bench.run_cells(ready, out)
    rows = table.save(ready, table.collect(ready, out), out)["rows"]
    assert len(rows) == len(rate) + 1
    assert rows[-1]["success"] is not None
    gone = rows[len(rate) - 1]
    told = table.save(ready, table.collect(ready, out), out)["notes"]
    assert told == [] if survivors else "lost: failed: Training must stay finite; every replica" in told[0]
    assert all(step > 0 for step in gone["diverged"])
    assert (gone["success"], gone["values"]["w1"]) == (0, [None] * 3)
    assert gone["columns"]["w1"] == {"mean": None, "low": None, "high": None, "count": 0}
    if survivors:
        assert gone["name"] == "lost, lr 1e+30"
        assert (rows[0]["name"], rows[0]["columns"]["w1"]["count"]) == ("lost, lr 0.01", survivors)
        whole = lines(out / "ring8-lost")[-1]["seconds"]
        assert rows[0]["seconds"] == rows[1]["seconds"] == pytest.approx(whole / 2)  # six replicas, three of each
    else:
        assert rows[-1]["equal_updates"]["step"] == 8  # who is lost at once sets no limit to the others
    bench.run_cells(ready, out, progress=lambda *_: pytest.fail("a cell that diverged is not trained again"))


def test_a_number_that_is_missing_says_why(tmp_path, monkeypatch, capsys):
    """Too few points, a measure that another target has, and no word where nothing is missing."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).normal(size=(100, 2)))
    small = ["--recipe", "hinge", "lsgan", "--seeds", "2", "--steps", "2", "--hidden", "4", "--batch", "8", "-n", "4"]
    asked = ["--data", "ring8", "x.npy", "--measures", "w1", "precision", "modes"]
    assert run_app(app, ["bench", *small, *asked, "--out", "out"]) == 0
    why = "Nearest neighbours need more than 5 points; got 4. Take more samples."
    content = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [note.split(": ", 1) for note in content["notes"]] == [
        ["ring8, hinge, lsgan", f"no precision: {why} (2 of 2 seeds)"],
        ["x.npy, hinge, lsgan", f"no precision: {why} (2 of 2 seeds)"],
        ["x.npy, hinge, lsgan", "no modes: not measured on this target (2 of 2 seeds)"],
    ]
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"- {note}" in printed for note in content["notes"])
    assert [row["columns"]["w1"]["count"] for row in content["rows"]] == [2] * 4


def test_a_training_that_fails_is_a_row(tmp_path, monkeypatch, capsys):
    """Any error of ours inside a training: the reason is told, the seeds count as lost, and the others go on."""
    right = runs.train

    def breaks(config, state=None):
        for snapshot in right(config, state):
            if config.recipe == "wgan-gp" and snapshot.step:
                raise DataError("The rows must stay.")
            yield snapshot

    monkeypatch.setattr(runs, "train", breaks)
    bench.claim(READY, tmp_path)
    bench.run_cells(READY, tmp_path)
    results = table.collect(READY, tmp_path)
    content = table.save(READY, results, tmp_path)
    assert content["missing"] == []
    assert content["notes"] == ["ring8, WGAN-GP: failed: The rows must stay."]
    assert [row["diverged"] for row in content["rows"]] == [[0] * 3, [8] * 3, [0] * 3]
    assert content["rows"][1]["success"] == 0
    show.table(READY, results, content)
    assert "failed: The rows must stay." in capsys.readouterr().out
    assert "failed: The rows must stay." in page.report(READY, results, content).render()


def test_rules(done):
    """A rule looks at the bound from its side, equality included, and at numbers only."""
    values = {"x": np.array([1.0, 2.0, np.nan, 3.0])}
    assert Rule("x", ">=", 2).holds(values).tolist() == [False, True, False, True]
    assert Rule("x", "<=", 2).holds(values).tolist() == [True, True, False, False]
    with pytest.raises(DataError, match="comparison must be one of"):
        Rule("x", ">", 2)
    out, _, _ = done
    strict = replace(READY, cells=tuple(replace(c, success=(Rule("w1", "<=", 0), *c.success)) for c in READY.cells))
    assert [row.success for result in table.collect(strict, out) for row, _ in result.rows] == [0, 0, 0]


def test_columns_of_ones_own_and_the_optimum(done, capsys):
    """A function of the run is a column like others: ranked, in rules, and beside what is best."""
    out, results, _ = done
    mean = Column("mean", lambda cell, folder, run: run.samples.mean(axis=(1, 2)), meaning="of all coordinates")
    own = replace(
        READY, columns=("w1", "modes", mean), cells=tuple(replace(c, exact={"mean": 0.125}) for c in READY.cells)
    )
    results = table.collect(own, out)
    with np.load(out / "ring8-gan" / "samples.npz") as arrays:
        assert results[0].rows[0][0].values["mean"] == pytest.approx(arrays["samples"].mean(axis=(1, 2)).tolist())
    show.table(own, results, {**table.save(own, results, out)})
    assert "0.125" in capsys.readouterr().out


def test_another_experiment_is_not_taken_for_a_cell(done):
    """Numbers of other settings never enter a table."""
    out, _, _ = done
    other = replace(READY, cells=(replace(READY.cells[0], config=replace(READY.cells[0].config, lr=0.5)),))
    with pytest.raises(DataError, match="holds another experiment"):
        table.collect(other, out)
    with pytest.raises(DataError, match="holds another experiment"):
        table.collect(replace(READY, cells=(replace(READY.cells[0], n=51),)), out)


def test_a_cell_that_cannot_be_trained_is_told_before_others_are(tmp_path):
    """Hours of the first cell must not be spent before the second is refused."""
    broken = replace(READY, cells=(READY.cells[0], cell("DCGAN", "dcgan")))
    with pytest.raises(DataError, match="ring8, DCGAN: data must be images"):
        bench.run_cells(broken, tmp_path)
    assert list(tmp_path.iterdir()) == []
    unmeasured = replace(READY, cells=(READY.cells[0], replace(READY.cells[1], measures=("class_balance",))))
    with pytest.raises(DataError, match="does not apply"):
        bench.run_cells(unmeasured, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(name):
    """Its cells can be built, its rules and published numbers are about cells and columns that exist."""
    whole = protocol(name)
    assert whole.name == name
    assert whole.faults
    ready = whole.at(budget=1e-9, seeds=1)
    names = table.names_of(ready)
    for each in ready.cells:
        assert each.config.steps == 1
        Game(each.config)
        assert set(each.exact) <= set(names)
    data = {each.data for each in ready.cells}
    for published in whole.published:
        for (target, _), values in published.rows.items():
            assert target in data
            assert set(values) <= set(names)
            assert all(np.isfinite(value) and (error is None or error >= 0) for value, error in values.values())
    steps = [each.config.steps for each in whole.at(budget=0.5).cells]
    assert steps == [round(each.config.steps / 2) for each in whole.cells]


ARGV = ["bench", "--recipe", "wgan-gp", "hinge", "--data", "ring8", "--seeds", "2", "--steps", "4", "--hidden", "8"]
FREE = [*ARGV, "--batch", "16", "--penalty-weight", "1", "--lr", "0.01", "0.02", "--measures", "modes", "w1", "-n", "9"]


def test_the_command_under_the_table_repeats_it(tmp_path, capsys):
    """Options, settings in a list and a hostile folder name survive the shell."""
    out, again = tmp_path / "it's; $HOME `x`", tmp_path / "again"
    assert run_app(app, [*FREE, "--out", str(out), "--report", str(tmp_path / "r.html")]) == 0
    printed = capsys.readouterr().out
    command = shlex.split(printed.splitlines()[-1])
    assert command[:2] == ["gan", "bench"]
    assert command[-1] == str(out)
    assert run_app(app, [*command[1:-1], str(again)]) == 0
    first, second = (json.loads((folder / "bench.json").read_text()) for folder in (out, again))
    assert timeless(first) == timeless(second)
    assert len(first["rows"]) == 4
    assert "(success: modes >= 8)" in printed
    assert all(row["success"] == sum(modes >= 8 for modes in row["values"]["modes"]) for row in first["rows"])
    assert "wgan-gp, lr 0.02" in printed
    page = (tmp_path / "r.html").read_text()
    assert "How to read and repeat this" in page
    assert page.count("<img") == 3


def test_published_numbers_and_faults_are_shown(done, capsys):
    """Beside ours, with their source and what their error is; those that we do not train too."""
    _, results, content = done
    show.table(READY, results, content)
    printed = capsys.readouterr().out
    assert "6.3 ± 0.5" in printed
    assert "ALI, published (A paper)" in printed
    assert "It is too small." in printed
    html = page.report(READY, results, content).render()
    for expected in (SOURCE, "6.3 ± 0.5", "Fault: It is too small.", "ALI"):
        assert expected in html


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["--protocol", "vegan", "--out", "o"], 2, "Did you mean 'veegan'"),
        (["--protocol", "nope", "--out", "o"], 2, "stacked-digits, images, purposes"),
        (["--protocol", "purpose", "--out", "o"], 2, "Did you mean 'purposes'"),
        (["--protocol", "veegan", "--lr", "0.1", "--out", "o"], 2, "--protocol fixes --lr"),
        (["--protocol", "veegan", "--budget", "0", "--out", "o"], 3, "budget must be"),
        (["--protocol", "veegan", "--budget", "nan", "--out", "o"], 3, "budget must be"),
        (["--budget", "0.1", "--out", "o"], 2, "--budget is a share"),
        (["--protocol", "veegan"], 2, "--out"),
        (["--recipe", "wgan_gp", "--out", "o"], 2, "Did you mean 'wgan-gp'"),
        (["--recipe", "hinge", "hinge", "--out", "o"], 3, "differ in the letters"),
        (["--recipe", "dcgan", "--data", "ring8", "--out", "o"], 3, "ring8, dcgan: data must be images"),
        (["--data", "rign8", "--out", "o"], 2, "Did you mean 'ring8'"),
        (
            ["--recipe", "cyclegan", "--data", "ring8", "--out", "o"],
            3,
            "cyclegan on ring8: data must name two",
        ),
        (["--recipe", "cyclegan", "--data", *"ababab", "--out", "o"], 2, "data must be one of"),
        (["--data", "missing.csv", "--out", "o"], 5, "missing.csv"),
        (["--measures", "w3", "--out", "o"], 2, "measure must be one of"),
        (["--recipe", "hinge", "--penalty-weight", "1", "--out", "o"], 3, "hinge have no penalty"),
        (["--seeds", "0", "--out", "o"], 3, "seeds must"),
        (["--steps", "0", "--out", "o"], 3, "steps must"),
        (["--shard", "2/2", "--out", "o"], 3, "shard must be i/n"),
        (["--shard", "half", "--out", "o"], 2, "--shard must be i/n"),
        (["--shard", "0/2", "--force", "--out", "o"], 2, "--force removes"),
        (["--jobs", "0", "--out", "o"], 3, "jobs must"),
        (["--backend", "ray", "--out", "o"], 2, "backend must be one of"),
        (["--out", "occupied"], 3, "must be empty or the folder of a bench; it holds 'thesis.tex'"),
        (["--out", "file"], 5, "file"),
        (["--out", "damaged"], 3, "Remove it to have it rewritten"),
        (["--out", "other"], 3, "other holds another bench: gan bench --protocol small"),
        (["--out", "o", "--report", "file"], 5, "exists already"),
    ],
)
def test_bad_input(argv, code, message, done, tmp_path, monkeypatch, capsys):
    """One line that a person can act on, before anything is trained."""
    monkeypatch.chdir(tmp_path)
    for name in ("occupied", "damaged", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "occupied" / "thesis.tex").write_text("")
    (tmp_path / "damaged" / "bench.json").write_text('{"arguments"')
    (tmp_path / "other" / "bench.json").write_text((done[0] / "bench.json").read_text())
    (tmp_path / "file").write_text("")
    assert run_app(app, ["bench", *argv]) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*/*/config.json"))


def test_force_starts_over_where_all_diverged(tmp_path):
    """A cell that failed is a run like others, and makes way like them."""
    lost = ["bench", "--recipe", "wgan", "--seeds", "1", "--steps", "2", "--hidden", "4", "-n", "40"]
    assert run_app(app, [*lost, "--lr", "1e36", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "ring8-wgan" / "failed.json").exists()
    assert run_app(app, [*lost, "--lr", "1e-3", "--out", str(tmp_path), "--force"]) == 0
    (row,) = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert row["diverged"] == [0]


def test_the_size_behind_a_number_is_the_one_that_was_measured(tmp_path, capsys):
    """A finite target has a tenth of its rows for measuring, whatever n asks for; threads are part of the command."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(100, 2)))
    small = ["--recipe", "hinge", "--seeds", "1", "--steps", "2", "--hidden", "4", "--batch", "8", "--threads", "2"]
    assert run_app(app, ["bench", *small, "--data", str(tmp_path / "x.npy"), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "a perfect generator, n = 10 " in printed
    assert "--threads 2" in printed.splitlines()[-1]


def test_force_starts_over_and_removes_runs_only(tmp_path, capsys):
    """Another bench in the folder makes way; what is not a run stays."""
    out = tmp_path / "out"
    quick = [*ARGV, "--batch", "16", "-n", "40", "--measures", "modes", "--out", str(out)]
    assert run_app(app, quick) == 0
    (out / "notes").mkdir()
    (out / "notes" / "a.txt").write_text("mine")
    other = [*quick, "--latent", "3"]
    assert run_app(app, other) == 3
    assert "holds another bench" in capsys.readouterr().err
    assert run_app(app, [*other, "--force"]) == 3  # the notes are in the way, and still there
    assert (out / "notes" / "a.txt").read_text() == "mine"
    (out / "notes" / "a.txt").rename(tmp_path / "a.txt")
    (out / "notes").rmdir()
    assert run_app(app, [*other, "--force"]) == 0
    assert json.loads((out / "bench.json").read_text())["arguments"] != []


def test_translation_takes_two_data_sets_together(tmp_path, capsys):
    """One row for the pair, beside rows of other recipes on each set; the command repeats it."""
    small = ["--seeds", "2", "--steps", "2", "--hidden", "4", "--batch", "8", "-n", "20", "--measures", "w1", "modes"]
    asked = ["--recipe", "cyclegan", "hinge", "--data", "ring8", "grid25", *small]
    assert run_app(app, ["bench", *asked, "--out", str(tmp_path / "a"), "--report", str(tmp_path / "r.html")]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert run_app(app, [*command[1:-1], str(tmp_path / "b")]) == 0
    first, second = (json.loads((tmp_path / k / "bench.json").read_text()) for k in "ab")
    assert timeless(first) == timeless(second)
    named = [(row["data"], row["name"]) for row in first["rows"]]
    assert named == [("ring8", "hinge"), ("grid25", "hinge"), ("ring8 grid25", "cyclegan")]
    last = lines(tmp_path / "a" / "ring8-grid25-cyclegan")[-1]
    assert first["rows"][2]["values"] == {"w1": last["w1"], "modes": [None, None]}
    assert first["notes"] == ["ring8 grid25, cyclegan: no modes: not measured on this target (2 of 2 seeds)"]


def test_files_of_hostile_names_get_plain_folders(tmp_path, monkeypatch):
    """A user's data may be called anything; two files of one stem do not share a folder."""
    rows = np.random.default_rng(0).normal(size=(200, 2))
    names = ["=cmd|'x'.npy", "a b<script>.npy", "a/../same.npy", "b/same.npy"]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    for name in names:
        np.save(name, rows)
    chosen = free(recipe=("hinge",), data=["./" + name for name in names], steps=2, hidden=(4,), batch=8)
    folders = [each.folder for each in chosen.cells]
    assert len(set(folders)) == 4
    assert all(set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for folder in folders)


def test_the_list_of_protocols(capsys):
    """Every preset with its faults."""
    assert run_app(app, ["bench", "--list"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name in PRESETS:
        assert f"{name}: " in printed
        assert " ".join(protocol(name).faults[0].split()) in printed
