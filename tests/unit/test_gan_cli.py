"""The command `gan`: its files, its exit codes, its one-line errors."""

import fcntl

import numpy as np
import pytest
import torch

from divergences.console import run as run_app
from gan.cli import app

SHAPE = ["--measures", "w1", "modes", "--steps", "8", "--every", "2", "--hidden", "8", "--batch", "16", "--latent", "2"]
OPTIONS = ["--recipe", "wgan-gp", "--seeds", "2", *SHAPE]


def test_command_line(tmp_path, capsys):
    """Train, go on, sample, report; nothing is overwritten without --force."""
    out, page, points = tmp_path / "run", tmp_path / "r.html", tmp_path / "s.npy"
    assert run_app(app, ["train", *OPTIONS, "--out", str(out)]) == 0
    assert "seed 1" in capsys.readouterr().out
    assert run_app(app, ["train", *OPTIONS, "--out", str(out)]) == 0
    assert run_app(app, ["sample", str(out), "-n", "7", "--out", str(points)]) == 0
    assert np.load(points, allow_pickle=False).shape == (2, 7, 2)
    assert run_app(app, ["sample", str(out), "-n", "99999999999", "--out", str(tmp_path / "huge.npy")]) == 3
    assert "n must be at most" in capsys.readouterr().err
    assert run_app(app, ["report", str(out), "--out", str(page)]) == 0
    assert page.read_text().startswith("<!")
    assert run_app(app, ["report", str(out), "--out", str(page)]) == 5
    assert run_app(app, ["report", str(out), "--out", str(page), "--force"]) == 0


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["train", "--recipe", "wgan_gp", "--out", "run"], 3, "Did you mean 'wgan-gp'"),
        (["train", "--lr", "nan", "--out", "run"], 3, "lr must be"),
        (["train", "--steps", "0", "--out", "run"], 3, "steps must be"),
        (["train", "--seeds", "0", "--out", "run"], 3, "seeds must be"),
        (["train", "--steps", "many", "--out", "run"], 2, "many"),
        (["train", "--lr", "1e30", "--steps", "9", "--hidden", "4", "--out", "run"], 4, "diverged"),
        (["report", "nowhere", "--out", "r.html"], 3, "no config.json"),
        (["sample", "nowhere", "--out", "s.npy"], 3, "no config.json"),
        (["train"], 2, "--out"),
    ],
)
def test_exit_codes(argv, code, message, tmp_path, monkeypatch, capsys):
    """Errors are one line on standard error and the contract's exit code."""
    monkeypatch.chdir(tmp_path)
    assert run_app(app, argv) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_another_number_of_threads_is_told(tmp_path, capsys):
    """The run goes on, since its numbers hold; only the last bits may be others."""
    began = torch.get_num_threads()
    out = str(tmp_path / "run")
    try:
        for threads, told in (("1", False), ("1", False), ("2", True)):
            assert run_app(app, ["train", *OPTIONS, "--threads", threads, "--out", out]) == 0
            assert ("began with threads 1, here 2: its last bits" in capsys.readouterr().err) == told
    finally:
        torch.set_num_threads(began)


def test_force_starts_over_but_only_runs(tmp_path, capsys):
    """--force removes a run of another configuration, never a folder that is not a run."""
    out = tmp_path / "run"
    assert run_app(app, ["train", *OPTIONS, "--out", str(out)]) == 0
    other = [*OPTIONS, "--lr", "0.01", "--out", str(out)]
    assert run_app(app, ["train", *other]) == 3
    assert run_app(app, ["train", *other, "--force"]) == 0
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("")
    assert run_app(app, ["train", *OPTIONS, "--out", str(foreign), "--force"]) == 3
    assert (foreign / "thesis.tex").exists()
    with open(out / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert run_app(app, ["train", *OPTIONS, "--out", str(out), "--force"]) == 3
    assert (out / "config.json").exists()
    assert "one run at a time" in capsys.readouterr().err
