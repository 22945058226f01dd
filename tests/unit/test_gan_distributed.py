"""Several processes train one experiment: the same numbers as one, one writer, one message when something fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gan
from divergences.console import run
from divergences.errors import DataError
from gan import distributed, runs
from gan.checkpoint import packed
from gan.cli import app
from gan.config import Config
from gan.game import Game
from gan.networks import Architecture

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LONG = ("nonsaturating", "wgan-gp", "r1", "began", "fgan-kl")
TINY = Architecture((8, 8))
SMALL = {"seeds": (3, 1), "batch": 8, "latent": 2, "generator": TINY, "critic": TINY, "dtype": "float64"}
DATA = {"dcgan": "digits", **{name: ("ring8", "grid25") for name in gan.RECIPES if name.startswith("cyclegan")}}
COUPLED = {
    "dcgan": "its critic", "minibatch-discrimination": "its critic", "mmd-gan": "its loss",
    "sinkhorn-gan": "its loss", "feature-matching": "its loss", "dragan": "its penalty", "cgan": "its condition",
    "unrolled": "unrolling",
}  # fmt: skip
COUPLED |= {name: "its critic" for name in gan.RECIPES if name.startswith("pacgan")}
OPTIONS = (
    "train", "--recipe", "wgan-gp", "--steps", "6", "--every", "2", "--hidden", "8", "--batch", "16", "--latent", "2",
    "--seeds", "2", "--measures", "modes", "--dtype", "float64", "--threads", "1",
)  # fmt: skip


def config(recipe):
    """Twenty steps of the recipes that are named, three of the others."""
    steps = 20 if recipe in LONG else 3
    return Config(recipe=recipe, data=DATA.get(recipe, "ring8"), steps=steps, every=steps, lr=1e-3, **SMALL)


def trained(recipe):
    """What a training ends with, as arrays by name."""
    last = list(gan.train(config(recipe)))[-1]
    state = last.state
    players = {"critic": state.critic.parameters, "generator": state.generator.parameters}
    arrays = {**players, **state.memory, "estimate": last.estimate, "diverged": state.diverged}
    return {f"{recipe} {name}": tensor.numpy() for name, tensor in arrays.items()}


def work(folder):
    """What each process does: train every recipe, and write down what came of it."""
    distributed.start()
    arrays, refused = {}, {}
    with pytest.raises(DataError, match="batch must be a multiple of the 2 processes; got 9"):
        Game(Config(batch=9))
    for recipe in gan.RECIPES:
        try:
            arrays |= trained(recipe)
        except DataError as error:
            refused[recipe] = str(error)
    rank = distributed.rank()
    Path(folder, f"{rank}.npz").write_bytes(packed(arrays))
    Path(folder, f"{rank}.json").write_text(json.dumps(refused))
    sys.exit(run(app, [*OPTIONS, "--out", str(Path(folder, "run"))]))  # one that a single process began


def launch(folder, code, *arguments):
    """Two real processes that run `code`."""
    folder.mkdir(exist_ok=True)
    path = folder / "work.py"
    path.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*TORCHRUN, str(path), *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("both")
    assert run(app, [*OPTIONS, "--out", str(folder / "run")]) == 0
    (folder / "run").rename(folder / "alone")
    half = Config.from_dict(json.loads((folder / "alone" / "config.json").read_text())["config"])
    for _ in zip(runs.run(half, folder / "run", measures=("modes",)), range(2), strict=False):
        pass
    code = "import sys\nfrom tests.unit.test_gan_distributed import work\nwork(sys.argv[1])"
    done = launch(folder, code, str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("modes") == 1  # one prints
    assert done.stderr.count("began with processes 1, here 2") == 1
    return folder


@pytest.fixture(scope="module")
def arrays(folder):
    """Of each process."""
    return [dict(np.load(folder / f"{rank}.npz")) for rank in (0, 1)]


@pytest.mark.parametrize("recipe", [name for name in gan.RECIPES if name not in COUPLED])
def test_two_processes_are_one(recipe, arrays):
    """Parameters, memory and beliefs after 20 steps are those of one process, and agree to the bit with each other."""
    first, second = arrays
    for name, alone in trained(recipe).items():
        assert first[name].tobytes() == second[name].tobytes(), name
        np.testing.assert_allclose(first[name], alone, rtol=0, atol=1e-9, err_msg=name)


def test_what_couples_a_batch_is_refused(folder):
    """A loss, network or trick that needs the whole batch is named; nothing else is refused."""
    for rank in (0, 1):
        refused = json.loads((folder / f"{rank}.json").read_text())
        assert {name: message.split("because ")[1].split(" couples")[0] for name, message in refused.items()} == COUPLED


def same(one, other):
    """Whether two runs measured the same, and are in the same state, to 1e-9."""
    for a, b in zip(runs.read(one).records, runs.read(other).records, strict=True):
        assert a.keys() == b.keys()
        for name in set(a) - {"seconds"}:
            np.testing.assert_allclose(np.array(a[name], float), np.array(b[name], float), rtol=0, atol=1e-9)
    with np.load(one / "checkpoint.npz") as a, np.load(other / "checkpoint.npz") as b:
        assert a.files == b.files
        for name in set(a.files) - {"seconds"}:
            np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-9)


def test_two_processes_go_on_where_one_stopped(folder):
    """A run that one process began ends as if it had gone on."""
    assert runs.read(folder / "run").done
    same(folder / "run", folder / "alone")


FAULT = """
import os, signal, sys
from divergences.errors import DataError
from gan import distributed
from gan.cli import main

fault, rank = sys.argv[1:3]
train = sys.modules["gan.train"]
right = train._remember

def wrong(game, state, step):
    right(game, state, step)
    if step == 3 and distributed.rank() == int(rank):
        if fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise DataError("planted")

train._remember = wrong
del sys.argv[1:3]
main()
"""


@pytest.mark.parametrize(("fault", "rank", "message"), [("error", 1, "planted"), ("killed", 0, "another process")])
def test_a_fault_ends_all_and_costs_nothing(fault, rank, message, folder, tmp_path, capsys):
    """One message, no process left waiting; the run goes on, with one process where there were two."""
    out = tmp_path / "run"
    done = launch(tmp_path, FAULT, fault, str(rank), *OPTIONS, "--out", str(out))
    assert done.returncode != 0
    said = [text for text in done.stderr.splitlines() if text.startswith("gan: ")]
    assert len(said) == 1, done.stderr
    assert message in said[0]
    assert [record["step"] for record in runs.read(out).records] == [0, 2]
    assert run(app, [*OPTIONS, "--out", str(out)]) == 0
    assert "began with processes 2, here 1" in capsys.readouterr().err
    same(out, folder / "alone")
