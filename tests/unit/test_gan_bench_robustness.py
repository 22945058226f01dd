"""The sweep over random architectures: its draw, its counts, and that it ends when its time is up."""

import json

import pytest

from divergences.console import run as run_app
from gan.bench.protocol import COMPARISONS
from gan.bench.protocols import protocol
from gan.bench.protocols.robustness import ARCHITECTURES, BARS, PRINTED, pairs, summary
from gan.cli import app


def test_the_draw():
    """200 different pairs, the same every time, whose choices all occur; shorter lists are beginnings."""
    drawn = pairs(200)
    assert drawn == pairs(200)
    assert pairs(7) == drawn[:7]
    assert len(set(drawn)) == 200
    for choice in ("hidden", "activation", "batch_norm"):
        for player in (0, 1):
            every = {getattr(a, choice) for a in ARCHITECTURES}
            assert {getattr(pair[player], choice) for pair in drawn} == every


def test_printed_rows_sum_to_all_pairs():
    """At every score the lecture's four counts are 200 pairs."""
    assert [sum(column) for column in zip(*PRINTED.values(), strict=True)] == [200] * 5


def test_counts_against_a_loop():
    """Pairs that are finished on both sides are counted once, at every bar; a diverged run reaches none."""
    scores = {"GAN 000": [8.0], "WGAN-GP 000": [2.0], "GAN 001": [3.0], "WGAN-GP 001": [8.0], "GAN 002": [float("nan")]}
    scores |= {"WGAN-GP 002": [1.0], "GAN 003": [8.0]}  # the last pair has only one side
    made = summary(scores)
    assert made.title.startswith("3 pairs")
    for k, bar in enumerate(BARS, 1):
        expected = {"only GAN": 0, "only WGAN-GP": 0, "both": 0, "neither": 0}
        for one, two in ((8, 2), (3, 8), (-1, 1)):
            a, b = COMPARISONS[">="](one, bar), COMPARISONS[">="](two, bar)
            expected["both" if a and b else "only GAN" if a else "only WGAN-GP" if b else "neither"] += 1
        assert {row[0]: row[k] for row in made.rows} == expected


@pytest.mark.slow
def test_a_bench_ends_when_its_time_is_up(tmp_path, capsys):
    """With --seconds the cells that fit are run, and the same command goes on."""
    options = [
        "bench",
        "--protocol",
        "robustness",
        "--budget",
        "0.002",
        "--seconds",
        "3",
        "--out",
        str(tmp_path / "out"),
    ]
    assert run_app(app, options) == 0
    first = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert 0 < len(first["rows"]) < 400
    assert first["summary"]["title"] in capsys.readouterr().out
    assert run_app(app, options) == 0
    assert len(json.loads((tmp_path / "out" / "bench.json").read_text())["rows"]) > len(first["rows"])


def test_no_time_at_all(tmp_path):
    """A bench without time runs nothing and says what is missing; a time that is none is refused."""
    options = ["bench", "--recipe", "minimax", "--data", "ring8", "--steps", "2", "--out", str(tmp_path / "out")]
    assert run_app(app, [*options, "--seconds", "1e-9"]) == 0
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["missing"] == ["ring8-minimax"]
    assert run_app(app, [*options, "--seconds", "nan"]) == 3


def test_the_preset_is_listed():
    """It has both sides of every pair, side by side."""
    names = [cell.name for cell in protocol("robustness").cells]
    assert names[:4] == ["GAN 000", "WGAN-GP 000", "GAN 001", "WGAN-GP 001"]
    assert len(names) == 400
