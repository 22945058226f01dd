"""The table of the theory bench: every recipe's row, what a planted error does to it, the page and the command."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from divergences.console import run as run_app
from gan.cli import app
from gan.dynamics import report
from gan.dynamics.closed_forms import SLOPES
from gan.dynamics.pictures import bilinear_figure, contraction_figure
from gan.dynamics.table import NETWORKS, near_rest, played_out, row, rows
from gan.objectives import OBJECTIVES
from gan.objectives.scores import NonSaturating
from gan.penalties import square
from gan.recipes import RECIPES

OWN_SPACE = {"ebgan", "began", "mmd-gan", "sinkhorn-gan", "feature-matching", "cgan", "infogan"}
OWN_SPACE |= {name for name in RECIPES if name.startswith("cyclegan")}
NONE = OWN_SPACE | {"sngan", "fgan-hockey-stick"}
KINKED = {"wgan-gp", "wgan-gp-mixture", "dragan"}


@pytest.fixture(scope="module")
def table():
    """All rows, by recipe."""
    return {found.recipe: found for found in rows()}


def test_every_recipe_has_a_row_or_a_reason(table):
    """No recipe is passed over in silence."""
    assert list(table) == list(RECIPES)
    assert {name for name, found in table.items() if not found.near} == NONE
    assert all(table[name].note for name in NONE | KINKED)


def test_every_row_agrees_with_its_closed_form(table):
    """Eigenvalues to 1e-6, and the contraction of a round; a recipe with a Dirac-GAN has a closed form, or a kink."""
    for name, found in table.items():
        if name in NONE | KINKED:
            assert found.error is None, name
            continue
        assert found.error < 1e-6, name
        assert found.contraction == pytest.approx(found.contraction_theory, abs=1e-9), name


def test_verdicts(table):
    """What the literature says: damping converges, plain games turn, WGAN's two games have no rest."""
    converging = {name for name, found in table.items() if found.near == "converges"}
    assert converging == {"r1", "r2", "r3gan", "unrolled", "instance-noise"}
    assert all(table[name].played == "converges" for name in converging)
    assert {name for name, found in table.items() if found.near == "no derivative"} == KINKED
    assert all(table[name].played == "does not settle" for name in KINKED)
    for name in ("minimax", "wgan", "hinge", "fgan-gan"):
        assert (table[name].near, table[name].played) == ("turns", "turns"), name
    assert table["nonsaturating"].played == "converges"  # slowly, by terms that the eigenvalues do not see


def test_what_a_row_leaves_out_is_named(table):
    """Tricks and networks that a critic on the line does not have stand in the note."""
    assert set(NETWORKS) <= set(RECIPES)
    assert set(SLOPES) <= set(OBJECTIVES)
    for name, words in (("experience-replay", "replay"), ("r3gan", "slow average"), ("pacgan", "packing")):
        assert words in table[name].note
    plain = RECIPES["minimax"]
    own = {name for name, one in RECIPES.items() if (one.critic, one.generator) != (plain.critic, plain.generator)}
    assert {name for name in own if table[name].near} == set(NETWORKS)
    assert "0.3" in table["instance-noise"].note
    assert table["minimax"].note == ""


@dataclass(frozen=True)
class Backwards(NonSaturating):
    """A generator that walks away from the data."""

    def generator_loss(self, real, fake):
        return -super().generator_loss(real, fake)


def test_a_wrong_recipe_is_seen():
    """A wrong sign turns circles into a saddle; a penalty without its half moves the eigenvalues away."""
    wrong = row("backwards", replace(RECIPES["nonsaturating"], objective=Backwards()))
    assert (wrong.near, wrong.played) == ("diverges", "diverges")
    assert wrong.error is None  # no closed form is claimed for an objective that is not in the catalogue
    r1 = RECIPES["r1"]
    (penalty,) = r1.penalties
    doubled = row("r1", replace(r1, penalties=(replace(penalty, charge=lambda slope: square(slope)),)))
    assert doubled.theory is None
    assert doubled.eigenvalues is not None
    assert doubled.eigenvalues[0].real == pytest.approx(-20, abs=0.1)  # where the closed form of r1 has -9.97


def test_words_for_dynamics():
    """Real parts decide; without them it turns. A trajectory that leaves the floats diverges."""
    spiral = torch.polar(torch.linspace(1, 2, 90), torch.linspace(0, 30, 90))
    states = torch.view_as_real(spiral)
    assert played_out(states) == "diverges"
    assert played_out(states.flip(0)) == "converges"
    assert played_out(states / states.norm(dim=-1, keepdim=True)) == "turns"
    assert played_out(torch.tensor([[1.0, 0.0], [math.inf, math.nan], [0.0, 0.0]])) == "diverges"
    assert [near_rest(torch.tensor([z, z.conjugate()])) for z in (-1 + 1j, 1 + 1j, 1j)] == [
        "converges",
        "diverges",
        "turns",
    ]
    assert near_rest(None) == "no derivative"


def test_figures_show_what_they_name():
    """A panel per update; the measured points lie on the curves."""
    assert len(bilinear_figure().axes) == 6
    lines = [np.asarray(line.get_xydata()) for line in contraction_figure().axes[0].get_lines()[:12]]
    for curve, points in zip(lines[0::2], lines[1::2], strict=True):
        assert points[:, 1] == pytest.approx(np.interp(points[:, 0], *curve.T), abs=2e-3)


def test_command(table, tmp_path, capsys, monkeypatch):
    """`gan theory` prints a line for every recipe, writes a page and valid JSON, and overwrites nothing unasked."""
    monkeypatch.setattr("gan.dynamics.table.rows", lambda: iter(table.values()))
    page, data = tmp_path / "theory.html", tmp_path / "theory.json"
    assert run_app(app, ["theory", "--report", str(page), "--json", str(data)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[1:-1]] == list(RECIPES)
    assert page.read_text().startswith("<!")
    found = json.loads(data.read_text())
    assert found["largest_error"] < 1e-6
    assert [game["recipe"] for game in found["recipes"]] == list(RECIPES)
    assert all(abs(game["contraction"] - game["theory"]) < 1e-7 for game in found["bilinear"])
    assert run_app(app, ["theory", "--figure", str(tmp_path / "theory.jpeg")]) == 2
    assert "suffix must be one of .png" in capsys.readouterr().err
    assert run_app(app, ["theory", "--json", str(data)]) == 5
    assert "--force" in capsys.readouterr().err


def test_lines(table):
    """What has no number is a dash, and a reason stands in place of a row."""
    assert report.line(table["wgan-gp"]).split()[1:4] == ["-", "-", "-"]
    assert report.line(table["sngan"]).startswith("sngan                     no Dirac-GAN: a linear critic")
    assert report.spelled(None) == "-"
