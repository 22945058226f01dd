"""The command `gan`: its files, its exit codes, its one-line errors."""

import fcntl
import shlex
from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy import stats

from divergences.console import run as run_app
from gan import console, runs
from gan.cli import app
from gan.config import Config
from gan.game import Game
from gan.networks import Architecture

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


def test_help_says_what_each_command_does(capsys):
    """Every command has a sentence beside its name, the bench too; two examples are two paragraphs."""
    app(["--help"], result_action="return_value")
    said = {line[2:10].strip(): line[10:-1].strip() for line in capsys.readouterr().out.splitlines() if line[:1] == "│"}
    assert all(said[name] for name in ("bench", "report", "sample", "theory", "train")), said
    app(["bench", "--help"], result_action="return_value")
    assert sum(line.startswith("Example:") for line in capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["train", "--recipe", "wgan_gp", "--out", "run"], 2, "Did you mean 'wgan-gp'"),
        (["train", "--lr", "nan", "--out", "run"], 3, "lr must be"),
        (["train", "--steps", "0", "--out", "run"], 3, "steps must be"),
        (["train", "--seeds", "0", "--out", "run"], 3, "seeds must be"),
        (["train", "--steps", "many", "--out", "run"], 2, "many"),
        (["train", "--lr", "1e30", "--steps", "9", "--hidden", "4", "--out", "run"], 4, "diverged"),
        (["report", "nowhere", "--out", "r.html"], 3, "no config.json"),
        (["sample", "nowhere", "--out", "s.npy"], 3, "no config.json"),
        (["train"], 2, "--out"),
        (["train", "--measures", "recal", "--out", "run"], 2, "Did you mean 'recall'"),
        (["train", "--measures", "memorisation", "--out", "run"], 3, "does not apply to this target"),
        (["train", "--lr", "inf", "--out", "run"], 3, "lr must be"),
        (["train", "--lr", "-1", "--out", "run"], 3, "lr must be"),
        (["train", "--penalty-weight", "1", "--out", "run"], 3, "which has no penalty"),
        (["train", "--data", "digits", "--batch", "1440", "--out", "run"], 3, "batch must be at most 1439"),
        (["train", "--data", "nowhere.csv", "--out", "run"], 5, "nowhere.csv"),
        (["train", "--data", "rign8", "--out", "run"], 2, "Did you mean 'ring8'"),
        (["train", "--hidden", "0", "--out", "run"], 3, "hidden"),
        (["train", "--critic-hidden", "0", "--out", "run"], 3, "hidden"),
        (["train", "--average", "1", "--out", "run"], 3, "average, a decay, must lie in [0, 1)"),
        (["train", "--batch-norm", "critics", "--out", "run"], 2, "Did you mean 'critic'"),
        (["train", "--critic-activation", "rely", "--out", "run"], 2, "Did you mean 'relu'"),
        (["train", "--generator-steps", "0", "--out", "run"], 3, "generator_steps must be"),
        (["train", "--lr", "0.1", "0.1", "--out", "run"], 3, "list of different numbers"),
        (["train", "--frequencies", "-1", "--out", "run"], 3, "a frequency must be"),
        (["train", "--hidden", "100000000", "100000000", "--steps", "1", "--out", "run"], 3, "fit into memory"),
        (["train", "--device", "cuda:99", "--out", "run"], 3, "device must be"),
        (["train", "--threads", "0", "--out", "run"], 2, "threads"),
        (["train", "--out", "/proc/run"], 5, "/proc/run"),
        (["train", "--out", "/dev/null"], 5, "/dev/null"),
        (["sample", "/dev/zero", "--out", "s.npy"], 3, "no config.json"),
    ],
)
def test_exit_codes(argv, code, message, tmp_path, monkeypatch, capsys):
    """Errors are one line on standard error and the contract's exit code."""
    monkeypatch.chdir(tmp_path)
    assert run_app(app, argv) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_every_field_has_its_flag(tmp_path, capsys):
    """What the flags say is what the run's configuration holds, lists of settings among it."""
    said = shlex.split("""--recipe wgan-gp --data grid25 --seeds 2 --steps 2 --every 1 --batch 8 --lr 0.01 0.02
        --generator-lr 0.03 --betas 0.4 0.9 --anneal --average 0.5 --critic-steps 1 --generator-steps 2
        --penalty-weight 0.5 1 --hidden 8 --activation relu --critic-hidden 6 5 --critic-activation tanh
        --batch-norm generator --frequencies 1 2 --latent 3 --measures modes --dtype float64
        --device cpu --threads 1""")
    assert run_app(app, ["train", *said, "--out", str(tmp_path)]) == 0
    expected = Config(
        recipe="wgan-gp", data="grid25", seeds=(0, 1), steps=2, every=1, batch=8, lr=(0.01, 0.02), generator_lr=0.03,
        betas=(0.4, 0.9), anneal=True, average=0.5, critic_steps=1, generator_steps=2,
        penalty_weight=(0.5, 1.0), latent=3, generator=Architecture((8,), "relu", batch_norm=True),
        critic=Architecture((6, 5), "tanh", frequencies=(1.0, 2.0)), dtype="float64",
    )  # fmt: skip
    assert runs.read(tmp_path).config == expected
    plain = Config()
    unsaid = [field.name for field in fields(Config) if getattr(expected, field.name) == getattr(plain, field.name)]
    assert unsaid == ["device"]
    with pytest.raises(SystemExit):
        app(["train", "--help"])
    shown = capsys.readouterr().out
    for group in ("What is trained", "How it learns", "The networks", "What is measured", "Where it runs"):
        assert group in shown


def test_the_start_of_both_networks(tmp_path):
    """`--start torch` is the generator's and the critic's."""
    assert run_app(app, shlex.split(f"train --steps 1 --batch 8 --hidden 4 --start torch --out {tmp_path}")) == 0
    config = runs.read(tmp_path).config
    assert config.generator == config.critic == Architecture((4,), start="torch")


@pytest.mark.parametrize("flag", [[], ["--no-anneal"], ["--average", "0"]])
def test_a_recipes_own_constants_can_be_taken_back(flag, tmp_path):
    """Absent is the recipe's own; the mixture's annealing and average can be turned off."""
    small = ["--recipe", "wgan-gp-mixture", "--hidden", "4", "--steps", "1", "--seeds", "1", "--measures", "modes"]
    assert run_app(app, ["train", *small, *flag, "--out", str(tmp_path)]) == 0
    game = Game(runs.read(tmp_path).config)
    assert (game.recipe.anneal, game.recipe.average) == (flag != ["--no-anneal"], 0.0 if "--average" in flag else 0.99)


def test_a_measure_that_does_not_apply_leaves_no_folder(tmp_path):
    """What is refused before a run begins makes none."""
    assert run_app(app, ["train", "--measures", "memorisation", "--out", str(tmp_path / "run")]) == 3
    assert not (tmp_path / "run").exists()


def test_an_interrupt_keeps_what_is_saved(tmp_path, monkeypatch, capsys):
    """Ctrl-C ends with exit code 130 and one line that says how to go on; the command then does."""
    out, right = tmp_path / "run", runs._save

    def interrupted(folder, snapshot, *rest):
        if snapshot.step == 4:
            raise KeyboardInterrupt
        right(folder, snapshot, *rest)

    monkeypatch.setattr(runs, "_save", interrupted)
    assert run_app(app, ["train", *OPTIONS, "--out", str(out)]) == 130
    message = capsys.readouterr().err
    assert "keeps step 2, and the same command goes on from there" in message
    assert message.count("\n") == 1
    monkeypatch.setattr(runs, "_save", right)
    assert run_app(app, ["train", *OPTIONS, "--out", str(out)]) == 0
    assert [record["step"] for record in runs.read(out).records] == [0, 2, 4, 6, 8]


def test_a_diverged_replica_is_said_to_be_one(tmp_path, capsys):
    """Its samples are written all the same: they are those of its last finite parameters."""
    config = Config(recipe="nonsaturating", lr=(1e-3, 1e30), steps=4, every=4, batch=8)
    list(runs.run(config, tmp_path / "run", measures=("modes",), n=50))
    assert run_app(app, ["sample", str(tmp_path / "run"), "-n", "5", "--out", str(tmp_path / "s.npy")]) == 0
    assert "note: seed 0, lr 1e+30 diverged at step" in capsys.readouterr().err
    assert np.load(tmp_path / "s.npy").shape == (2, 5, 2)
    shown = console.summary(runs.read(tmp_path / "run"))
    assert "diverged at step" in shown
    assert "–" in shown


def test_many_replicas_are_shown_by_their_mean(tmp_path):
    """Beyond eight replicas the table has a mean and its interval, by Student's t."""
    small = Architecture((4,))
    config = Config(seeds=range(9), steps=1, every=1, batch=8, generator=small, critic=small)
    list(runs.run(config, tmp_path / "run", measures=("modes", "w1"), n=50))
    held = runs.read(tmp_path / "run")
    head, modes, w1, *_ = console.summary(held).splitlines()
    assert head.split() == ["mean", "95", "%", "interval", "perfect,", "n", "=", "50"]
    values = held.last("w1")
    low, high = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    shown = [float(text.strip("[],")) for text in w1.split()[1:4]]
    assert shown == pytest.approx([values.mean(), low, high], rel=1e-3)
    assert modes.split()[-1] == "8"


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
