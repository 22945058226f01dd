"""Run folders: a kill costs nothing but time, and nothing damaged or foreign is taken for a checkpoint."""

import errno
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import gan
from divergences.errors import ConvergenceError, DataError, FileFormatError
from gan import console, report, runs
from gan.checkpoint import decode, encode, packed, unpacked
from gan.config import Config
from gan.data import dataset
from gan.game import Game
from gan.networks import Architecture
from gan.snapshot import BELIEVED

TINY = Architecture((8,))
CONFIG = Config(recipe="wgan-gp", seeds=(0, 1), steps=8, every=2, batch=16, latent=2, generator=TINY, critic=TINY)


def run(config, folder):
    """A run with few samples behind each measure."""
    return runs.run(config, folder, measures=("w1", "modes", "high_quality"), n=100)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    list(run(CONFIG, folder))
    return folder


def contents(folder):
    """The bits of a run, without the seconds that it took."""
    with np.load(folder / "checkpoint.npz") as arrays:
        state = {name: arrays[name].tobytes() for name in arrays.files if name != "seconds"}
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    samples = (folder / "samples.npz").read_bytes()
    return state, [{k: v for k, v in r.items() if k != "seconds"} for r in records], samples


def test_a_finished_run(finished):
    """All files are there, every line is strict JSON with one number per replica, and running again changes nothing."""
    before = {p.name: p.read_bytes() for p in finished.iterdir()}
    names = "checkpoint.npz config.json done.json environment.json lock metrics.jsonl reference.json samples.npz"
    assert sorted(before) == names.split()
    held = runs.read(finished)
    assert held.done
    assert [r["step"] for r in held.records] == [0, 2, 4, 6, 8]
    assert all(len(r["w1"]) == len(r["estimate"]) == 2 for r in held.records)
    assert all(
        lo <= w <= hi for r in held.records for lo, w, hi in zip(r["w1_lower"], r["w1"], r["w1_upper"], strict=True)
    )
    assert list(run(CONFIG, finished)) == []
    assert {p.name: p.read_bytes() for p in finished.iterdir()} == before


@pytest.mark.parametrize("stop", [1, 2, 4])
def test_stopping_and_resuming_gives_the_same_bits(finished, tmp_path, stop):
    """After a stop between two snapshots the run goes on to the same bits."""
    for record, _ in zip(run(CONFIG, tmp_path / "run"), range(stop), strict=False):
        assert record["step"] <= CONFIG.steps
    assert not (tmp_path / "run" / "done.json").exists()
    list(run(CONFIG, tmp_path / "run"))
    assert contents(tmp_path / "run") == contents(finished)


def test_a_torn_line_and_a_line_too_many_are_measured_again(finished, tmp_path):
    """A kill between the metrics and the checkpoint leaves a line too many, a kill within the line half a line."""
    folder = tmp_path / "run"
    iterator = run(CONFIG, folder)
    assert [next(iterator)["step"], next(iterator)["step"]] == [0, 2]
    del iterator  # stopped here, after the checkpoint of step 2
    ahead = (finished / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    with open(folder / "metrics.jsonl", "ab") as file:
        file.write(ahead[2] + ahead[3][:40])
    (folder / ".writing-half").write_bytes(b"a temporary file that was never renamed")
    assert [r["step"] for r in runs.read(folder).records] == [0, 2, 4]
    list(run(CONFIG, folder))
    assert contents(folder) == contents(finished)
    assert not list(folder.glob(".writing-*"))


REMEMBERING = ("wgan-gp", "began", "experience-replay", "historical-averaging", "r3gan", "sngan")


def remembering(recipe):
    """A run of some length of a recipe that remembers more than its players."""
    return Config(recipe=recipe, seeds=(2, 7), steps=50, every=10, batch=16, latent=2, generator=TINY, critic=TINY)


def run_and_kill(folder):
    """Train each recipe in a process that is killed at two random moments; then let it end. For a process of its own.

    It forks, which costs no import, and has trained nothing itself, which a fork would not survive.
    """
    rng = np.random.default_rng(0)
    for recipe in REMEMBERING:
        metrics, kills = folder / recipe / "metrics.jsonl", 0
        for lines in (1, 4, None):
            process = os.fork()
            if process == 0:
                list(runs.run(remembering(recipe), folder / recipe, measures=("modes",)))
                os._exit(0)
            if lines is not None:
                while not metrics.exists() or metrics.read_bytes().count(b"\n") < lines:
                    time.sleep(0.0005)
                time.sleep(rng.uniform(0, 0.03))
                os.kill(process, signal.SIGKILL)
            status = os.waitpid(process, 0)[1]
            kills += status == signal.SIGKILL
            assert status in (0, signal.SIGKILL if lines else 0)
        assert kills >= 1


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The runs of `run_and_kill`."""
    folder = tmp_path_factory.mktemp("killed")
    code = "import pathlib, sys; from tests.unit.test_gan_runs import *; run_and_kill(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=Path(__file__).parents[2], timeout=200)
    return folder


@pytest.mark.parametrize("recipe", REMEMBERING)
def test_sigkill_at_random_moments(recipe, killed, tmp_path):
    """A process killed by SIGKILL, again and again, ends with the bits of one that never was."""
    list(runs.run(remembering(recipe), tmp_path / "run", measures=("modes",)))
    assert contents(killed / recipe) == contents(tmp_path / "run")
    assert not list((killed / recipe).glob(".writing-*"))


@pytest.mark.parametrize("recipe", gan.RECIPES)
def test_every_recipe_resumes_to_the_same_bits(recipe, tmp_path):
    """What a checkpoint holds is all that training needs."""
    data = ("ring8", "grid25") if recipe.startswith("cyclegan") else {"dcgan": "digits"}.get(recipe, "ring8")
    shape = {"seeds": (2, 7), "batch": 12, "latent": 2, "generator": TINY, "critic": TINY}
    config = Config(recipe=recipe, data=data, steps=6, every=3, **shape)
    whole = list(gan.train(config))
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(encode(whole[1].state))
    (resumed,) = gan.train(config, decode(path, Game(config), "it"))
    ours, theirs = (dict(np.load(io.BytesIO(encode(x.state)))) for x in (resumed, whole[-1]))
    assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs if name != "seconds")
    assert all(torch.equal(getattr(resumed, name), getattr(whole[-1], name)) for name in BELIEVED)


@pytest.mark.parametrize(("recipe", "rate"), [("wgan-gp", 1e18), ("experience-replay", 1e30), ("began", 1e30)])
def test_a_run_with_a_diverged_replica_resumes(recipe, rate, tmp_path):
    """What diverges is stopped while all of it is finite, so that the others can go on from the checkpoint."""
    shape = {"seeds": (0,), "batch": 16, "latent": 2, "generator": TINY, "critic": TINY}
    config = Config(recipe=recipe, steps=12, every=2, lr=(1e-3, rate), generator_lr=(1e-3,), **shape)
    for folder, stops in (("whole", 99), ("stopped", 4)):
        for _ in zip(run(config, tmp_path / folder), range(stops), strict=False):
            pass
    assert 0 < runs.read(tmp_path / "stopped").last("diverged")[1] <= 6
    list(run(config, tmp_path / "stopped"))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    held = runs.read(tmp_path / "whole")
    assert held.last("diverged")[0] == 0
    assert np.isfinite(held.last("w1")[0])


def test_a_diverged_replica_is_in_no_mean(tmp_path):
    """Its last finite parameters still give numbers, which are no result of its training."""
    config = Config(recipe="wgan", seeds=(0,), lr=(1e-3, 1e36), steps=4, every=4, batch=16, generator=TINY, critic=TINY)
    last = list(runs.run(config, tmp_path, measures=("w1",), n=50))[-1]
    held = runs.read(tmp_path)
    assert (held.last("diverged") > 0).tolist() == [False, True]
    assert [np.isnan(held.last(name)[1]) for name in ("w1", "w1_lower", "estimate", "slope")] == [True] * 4
    page = report.report(held, "run")
    assert page.lead is not None
    assert f"w1 is {held.last('w1')[0]:.3g} on average" in page.lead
    assert "1 of 2 replicas diverged" in page.lead
    assert console.progress(last) == f"step 4, true W1 {held.last('w1')[0]:.3g}, 1 diverged"
    line = report.distance_figure(held).axes[0].lines[0]
    assert line.get_ydata()[-1] == held.last("w1")[0]  # pyright: ignore[reportIndexIssue]


def test_one_run_per_folder(tmp_path):
    """A folder in which another process trains is refused."""
    with open(tmp_path / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="one run at a time"):
            next(run(CONFIG, tmp_path))


def test_another_experiment_or_foreign_files_are_refused(finished, tmp_path):
    """Neither another configuration's run nor a folder with other files is touched."""
    other = Config.from_dict(CONFIG.as_dict() | {"lr": 0.5})
    with pytest.raises(DataError, match=r"lr is None there and 0\.5 here"):
        next(run(other, finished))
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(DataError, match=r"holds 'thesis\.tex'"):
        next(run(CONFIG, tmp_path))


def changed(change):
    """The bytes of a checkpoint of `CONFIG`, its arrays changed by `change`."""
    with np.load(io.BytesIO(encode(Game(CONFIG).start()))) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    change(held)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **held)
    return buffer.getvalue()


class Evil:
    """Would create a file if it were unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def _nan(held):
    held["critic"][0, 0] = np.nan


BAD = {
    "NaN weights": (changed(_nan), "finite numbers"),
    "newer version": (changed(lambda held: held.update(version=np.array(3))), "version 2; got 3"),
    "other network": (changed(lambda held: held.update(critic=np.zeros((2, 5), np.float32))), "shape"),
    "other type": (changed(lambda held: held.update(critic=held["critic"].astype(int))), "float32"),
    "missing array": (changed(lambda held: held.pop("generator")), "differs in 'generator.npy'"),
    "extra array": (changed(lambda held: held.update(more=np.zeros(1))), "differs in 'more.npy'"),
    "step beyond the end": (changed(lambda held: held.update(step=np.array(9))), "from 0 to 8; it is at 9"),
    "updates unlike the step": (
        changed(lambda held: held.update({"critic.updates": np.array(-5)})),
        "0 updates of the",
    ),
    "pickle inside": (changed(lambda held: held.update(critic=np.array([Evil()], object))), "got object"),
    "bomb": (changed(lambda held: held.update(critic=np.zeros(10**6, np.float32))), "more than it may have"),
    "empty": (b"", "damaged"),
    "text": (b"PK\x03\x04 not a zip", "damaged"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_checkpoints(kind, tmp_path, monkeypatch):
    """Damaged, foreign, newer, hostile: an error that says so, and nothing is executed."""
    monkeypatch.chdir(tmp_path)
    content, message = BAD[kind]
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        decode(path, Game(CONFIG), "it")
    assert not (tmp_path / "unpickled").exists()


def test_truncated_or_flipped_checkpoints(tmp_path):
    """A checkpoint cut at any byte is refused; with any byte changed it is refused, or the byte did not matter."""
    state = Game(CONFIG).start()
    whole = encode(state)
    with np.load(io.BytesIO(whole)) as arrays:
        form = {name: (arrays[name].dtype, arrays[name].shape) for name in arrays.files}
        right = {name: arrays[name].tobytes() for name in arrays.files}
    for length in range(len(whole)):
        with pytest.raises(FileFormatError):
            unpacked(io.BytesIO(whole[:length]), form, "it")
    noticed = 0
    for place in range(0, len(whole), 3):
        content = whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
        try:
            found = unpacked(io.BytesIO(content), form, "it")
        except FileFormatError:
            noticed += 1
        else:
            assert {name: array.tobytes() for name, array in found.items()} == right
    assert noticed > len(whole) / 6
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(whole)
    assert torch.equal(decode(path, Game(CONFIG), "it").critic.parameters, state.critic.parameters)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"version": 1}', "[" * 100_000, '{"version": 3, "config": {}}', '{"version": 2, "config": {}}', "NaN"],
)
def test_bad_config_files(text, tmp_path):
    """A damaged or newer config.json is refused."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"config\.json"):
        runs.read(tmp_path)


HOSTILE = {
    '"steps": 8': [
        ('"steps": "8"', "steps must be a whole number"), ('"steps": true', "steps must be"),
        ('"steps": 1e400', "steps must be"), ('"steps": 8, "steps": 9', "'steps' stands there twice"),
        ('"stepz": 8', "Did you mean 'steps'"), ('"steps": NaN', "NaN"), ('"steps": ' + "[" * 100_000, "JSON"),
        ('"steps": ' + "9" * 5000, "JSON"), ('"steps": null', "steps must be"),
    ],
    '"n": 100': [('"n": 100, "more": 1', "differs in 'more'"), ('"n": -1', "n must be"), ('"n": "many"', "n must be")],
    '"hidden"': [('"hiden"', "Did you mean 'hidden'")],
    '"w1"': [("7", "list names in measures")],
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "message"), [(r, *case) for r, cases in HOSTILE.items() for case in cases])
def test_a_hostile_config_names_its_file_and_field(right, wrong, message, finished, tmp_path):
    """Unknown, missing, doubled, nested and mistyped fields are told with the file that they stand in."""
    text = (finished / "config.json").read_text()
    assert right in text
    (tmp_path / "config.json").write_text(text.replace(right, wrong, 1))
    with pytest.raises(FileFormatError, match=r"config\.json") as error:
        runs.read(tmp_path)
    assert message in str(error.value)


def test_data_that_change_or_vanish(tmp_path):
    """A run of a user's file goes on only with the rows that it began with."""
    rows = np.random.default_rng(0).normal(size=(60, 2))
    path = tmp_path / "rows.npy"
    np.save(path, rows)
    config = Config(data=str(path), steps=2, every=1, batch=8, generator=TINY, critic=TINY)
    train = lambda: list(runs.run(config, tmp_path / "run", measures=("sliced_w1",), n=6))
    for _ in zip(runs.run(config, tmp_path / "run", measures=("sliced_w1",), n=6), range(1), strict=False):
        pass
    np.save(path, rows + 1e-9)
    for use in (train, lambda: runs.read(tmp_path / "run"), lambda: runs.restore(tmp_path / "run")):
        with pytest.raises(DataError, match=r"content has changed"):
            use()
    path.rename(tmp_path / "elsewhere.npy")
    with pytest.raises(FileNotFoundError):
        runs.read(tmp_path / "run")
    np.save(path, rows)
    assert [record["step"] for record in train()] == [2]


def test_a_full_disk_keeps_the_last_snapshot(finished, tmp_path, monkeypatch):
    """A checkpoint that cannot be written leaves the one before it, and the run goes on from there."""
    folder, right = tmp_path / "run", os.fsync
    iterator = run(CONFIG, folder)
    next(iterator)

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        next(iterator)
    assert not list(folder.glob(".writing-*"))
    monkeypatch.setattr(os, "fsync", right)
    list(run(CONFIG, folder))
    assert contents(folder) == contents(finished)


def test_a_run_that_fails_says_why(tmp_path):
    """Its error is kept beside what it had reached, until the run goes on."""
    config = Config(recipe="wgan", steps=4, every=2, batch=8, lr=1e36, generator=TINY, critic=TINY)
    for _ in range(2):
        with pytest.raises(ConvergenceError, match="must stay finite") as error:
            list(run(config, tmp_path))
        assert runs.read(tmp_path).failed == str(error.value)
    held = runs.read(tmp_path)
    assert not held.done
    html = report.report(held, "run").render()
    assert "0 steps (failed, of 4)" in html
    assert "The run failed." in html
    assert held.failed in html
    for text in ('{"reason": 3}', "[]", "{", '{"reasons": "x"}'):
        (tmp_path / runs.FAILED).write_text(text)
        with pytest.raises(FileFormatError, match=r"failed\.json"):
            runs.read(tmp_path)


def test_what_failed_and_went_on_has_not_failed(finished, tmp_path):
    """The error of a run that is stopped and resumed goes with its cause."""
    next(run(CONFIG, tmp_path))
    (tmp_path / runs.FAILED).write_text('{"reason": "No more memory."}')
    assert runs.read(tmp_path).failed == "No more memory."
    list(run(CONFIG, tmp_path))
    assert runs.read(tmp_path).failed == ""
    assert contents(tmp_path) == contents(finished)


def test_missing_measures_say_why(tmp_path):
    """Of the last snapshot, replica by replica, in the terminal and on the page, with the n behind the others."""
    config = Config(seeds=(0, 1), steps=2, every=1, batch=8, generator=TINY, critic=TINY)
    list(runs.run(config, tmp_path, measures=("w1", "recall"), n=4))
    held, why = runs.read(tmp_path), "Nearest neighbours need more than 5 points; got 4. Take more samples."
    assert held.missing == {"recall": [why, why]}
    assert held.n == 4
    assert console.summary(held).splitlines()[-1] == f"no recall: {why}"
    assert "perfect, n = 4" in console.summary(held)
    html = report.report(held, "run").render()
    assert f"No recall: {why}" in html
    assert "measured on 4 samples" in html
    for text in ('{"recall": ["x"]}', '{"recall": [1, 2]}', '{"recall": "xy"}', "[]", "3", "{", '{"recall": null}'):
        (tmp_path / runs.MISSING).write_text(text)
        with pytest.raises(FileFormatError, match=r"missing\.json"):
            runs.read(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "checkpoint.npz", "samples.npz", "metrics.jsonl", "reference.json"])
def test_pipes_do_not_hang(name, finished, tmp_path):
    """A pipe or device in place of a file is refused before it is opened."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(OSError, match=r"pipe|regular"):
        runs.restore(tmp_path) if name == "checkpoint.npz" else runs.read(tmp_path)


@pytest.mark.parametrize("line", [b'{"step": 0}', b'{"st', b"[]", b"3", b"[" * 10**5])
def test_damaged_metrics_name_the_line(line, finished, tmp_path):
    """A line that is no record is named; only the last, unfinished one may be torn."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    first = (finished / "metrics.jsonl").read_bytes().splitlines()[0]
    (tmp_path / "metrics.jsonl").write_bytes(first + b"\n" + line + b"\n")
    with pytest.raises(FileFormatError, match=r"metrics\.jsonl, line 2"):
        runs.read(tmp_path)
    (tmp_path / "metrics.jsonl").write_bytes(first.replace(b'"w1": [', b'"w1": [1.0, ') + b"\n")
    with pytest.raises(FileFormatError, match=r"one number per replica \(2\) in 'w1'"):
        runs.read(tmp_path)


def test_damaged_samples(finished, tmp_path):
    """Truncated samples, or those of another run, are refused."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    whole = (finished / "samples.npz").read_bytes()
    for content in (whole[:200], b"", packed({"samples": np.zeros((3, 5, 2))}), packed({"other": np.zeros(1)})):
        (tmp_path / "samples.npz").write_bytes(content)
        with pytest.raises(FileFormatError, match=r"samples\.npz"):
            runs.read(tmp_path)


def test_figures_and_report(finished):
    """The figures hold what the run measured, and the report is one document that names its seeds and source."""
    held = runs.read(finished)
    figure = report.distance_figure(held)
    assert len(figure.axes) == 1  # wgan-gp's critic estimates W1 itself
    last = np.asarray(figure.axes[0].lines[0].get_ydata())[-1]
    assert last == pytest.approx(np.mean(held.records[-1]["w1"]))
    assert len(report.samples_figure(held).axes) == 2
    curves = report.curves_figure(held, ("modes", "high_quality"), Game(CONFIG).target)
    assert curves.axes[0].get_ylim()[1] == pytest.approx(8.4)
    page = report.report(held, "finished").render()
    assert "Gulrajani" in page
    assert page.count("<img") == 4


def test_a_report_says_only_what_its_target_has(tmp_path):
    """Modes and their sigmas are not spoken of where there are none; five replicas are not passed over in silence."""
    small = {"steps": 1, "every": 1, "batch": 8, "generator": TINY, "critic": TINY}
    spoken = {}
    for name, count in (("ring8", 1), ("digits", 5), ("stacked-digits", 1)):
        list(runs.run(Config(data=name, seeds=range(count), **small), tmp_path / name, n=8))
        spoken[name] = report.report(held := runs.read(tmp_path / name), name).render()
        if count > 1:
            assert f"{held.last('w1').mean():.4g}" in spoken[name]
    assert "98.9%" in spoken["ring8"]
    assert "A mode counts" not in spoken["digits"]
    assert "The first 4 of 5 replicas" in spoken["digits"]
    assert "A mode counts" in spoken["stacked-digits"]
    assert not any("sigma" in spoken[name] for name in ("digits", "stacked-digits"))


def test_a_histogram_on_the_scale_of_its_data(tmp_path):
    """Numbers near 0.001 fill more than one bar."""
    path = tmp_path / "small.npy"
    np.save(path, np.random.default_rng(0).normal(1e-3, 1e-4, (100, 1)))
    config = Config(data=str(path), seeds=(0,), steps=1, every=1, batch=8, generator=TINY, critic=TINY)
    list(runs.run(config, tmp_path / "r"))
    axes = report.samples_figure(runs.read(tmp_path / "r")).axes[0]
    assert sum(patch.get_extents().height > 0 for patch in axes.patches) > 5


def test_report_in_other_units(tmp_path):
    """A critic that measures something else than W1 gets a panel of its own; one dimension gets histograms."""
    config = Config(recipe="fgan-kl", data="mixture1d", steps=1, batch=8, generator=TINY, critic=TINY)
    list(runs.run(config, tmp_path / "run", measures=("w1",), n=100))
    held = runs.read(tmp_path / "run")
    axes = report.distance_figure(held).axes
    assert [a.get_ylabel() for a in axes] == ["W₁, in units of the data", "kl"]
    assert len(report.samples_figure(held).axes[0].patches) > 0


@pytest.mark.parametrize("beyond", [0, 3, 50])
def test_a_histogram_counts_every_point(beyond):
    """Points of a generator that is far off the target are in the bins at the ends, and are said to be beyond."""
    axes = Figure().subplots()
    real, fake = np.linspace(-1, 1, 50)[:, None], np.linspace(-1, 1, 50)[:, None]
    fake[:beyond] = 1e9
    report.scatter(axes, dataset("mixture1d"), real, fake)
    outline: Any = axes.patches[-1]
    x, y = outline.get_xy().T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    width = np.diff(np.unique(x)).min()
    assert area / width == pytest.approx(50)
    assert [text.get_text() for text in axes.texts] == ([f"{beyond} of 50 beyond"] if beyond else [])
