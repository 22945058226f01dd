"""Run folders: a kill costs nothing but time, and nothing damaged or foreign is taken for a checkpoint."""

import fcntl
import io
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from divergences.errors import DataError, FileFormatError
from gan import report, runs
from gan.checkpoint import decode, encode, packed
from gan.config import Config
from gan.game import Game
from gan.networks import Architecture

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


LONG = ["--steps", "240", "--every", "12", "--hidden", "16", "--batch", "32", "--seeds", "2", "--threads", "1"]


def command(folder, *options):
    """A real process of the command line."""
    measured = ["--measures", "modes", "high_quality"]
    argv = [
        sys.executable,
        "-c",
        "from gan.cli import main; main()",
        "train",
        *LONG,
        *measured,
        *options,
        "--out",
        str(folder),
    ]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_between(folder, lines, pause, *options):
    """Start a run, and kill it a moment after the line that is named; whether it was still running."""
    with command(folder, *options) as process:
        metrics = folder / "metrics.jsonl"
        while process.poll() is None and (not metrics.exists() or metrics.read_bytes().count(b"\n") < lines):
            time.sleep(0.001)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL


def test_sigkill_at_random_moments(tmp_path):
    """A process killed by SIGKILL, again and again, ends with the bits of one that never was."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = command(whole, "--recipe", "wgan-gp")
    assert process.communicate()[1]
    assert process.returncode == 0
    rng = np.random.default_rng(0)
    kills = sum(kill_between(killed, lines, rng.uniform(0, 0.02), "--recipe", "wgan-gp") for lines in (1, 6))
    assert kills >= 1
    process = command(killed, "--recipe", "wgan-gp")
    assert process.communicate()[1]
    assert process.returncode == 0
    assert contents(killed) == contents(whole)
    assert not list(killed.glob(".writing-*"))


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
    """A checkpoint cut at any place or with a changed byte in its data is refused; the whole one is taken."""
    whole = encode(Game(CONFIG).start())
    path = tmp_path / "checkpoint.npz"
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError):
            decode(path, Game(CONFIG), "it")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        offset = archive.getinfo("critic.npy").header_offset + 300
    path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
    with pytest.raises(FileFormatError, match="damaged"):
        decode(path, Game(CONFIG), "it")
    path.write_bytes(whole)
    assert torch.equal(decode(path, Game(CONFIG), "it").critic.parameters, Game(CONFIG).start().critic.parameters)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"version": 1}', "[" * 100_000, '{"version": 3, "config": {}}', '{"version": 2, "config": {}}', "NaN"],
)
def test_bad_config_files(text, tmp_path):
    """A damaged or newer config.json is refused."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"config\.json"):
        runs.read(tmp_path)


def test_a_bad_field_names_its_file(finished, tmp_path):
    """A field that does not fit is told with the file that it stands in."""
    text = (finished / "config.json").read_text()
    (tmp_path / "config.json").write_text(text.replace('"steps": 8', '"steps": "8"'))
    with pytest.raises(FileFormatError, match=r"config\.json: steps must be a whole number"):
        runs.read(tmp_path)


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


def test_report_in_other_units(tmp_path):
    """A critic that measures something else than W1 gets a panel of its own; one dimension gets histograms."""
    config = Config(recipe="fgan-kl", data="mixture1d", steps=1, batch=8, generator=TINY, critic=TINY)
    list(runs.run(config, tmp_path / "run", measures=("w1",), n=100))
    held = runs.read(tmp_path / "run")
    axes = report.distance_figure(held).axes
    assert [a.get_ylabel() for a in axes] == ["W₁, in units of the data", "kl, in nats"]
    assert len(report.samples_figure(held).axes[0].patches) > 0
