"""The pages about claims: a user's own project, the lectures one by one, and the figures."""

import json
import re
from pathlib import Path

import pytest

from divergences.claims import Claim
from tests.claims.test_part_c import test_piles_of_earth as piles
from tests.claims.test_part_c_critics import test_direction_of_the_gradient as direction
from tests.claims.test_part_c_critics import test_far_and_near_generators as nearer
from tests.claims.test_part_d_dynamics import test_bilinear_game as orbits
from tests.unit.test_claims import run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-claims.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code of one language on the page about a user's own claims."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_page_is_a_project(tmp_path, workers):
    """The documented project gives the documented table and its figure, the same bytes each time."""
    (tmp_path / "pyproject.toml").write_text(blocks("toml")[0])
    for name, code in zip(("conftest.py", "test_course.py"), blocks("python"), strict=True):
        (tmp_path / name).write_text(code, encoding="utf-8")
    pictures = []
    for _ in range(2 if workers else 1):
        ran = run(tmp_path, "--claims=claims.md", "-n", str(workers))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert (tmp_path / "claims.md").read_text(encoding="utf-8").strip() == blocks("markdown")[0].strip()
        pictures.append((tmp_path / "claims" / "K2.svg").read_text(encoding="utf-8"))
    assert len(set(pictures)) == 1
    assert "<dc:date>" not in pictures[0]
    assert "<svg" in pictures[0]


@pytest.mark.parametrize("test", [piles, direction, nearer, orbits])
def test_figures_are_small_and_the_same_bytes(test):
    """A claim draws when it is asked to, without a date, and in no more bytes than a repository can bear."""
    drawn = []
    for _ in range(2):
        claim = Claim("X1", "", "", draws=True)
        test(claim)
        drawn.append(claim.figures)
    assert drawn[0] == drawn[1]
    assert all(len(figure.svg.encode()) < 60_000 and "<svg" in figure.svg for figure in drawn[0])
    assert len(drawn[0]) == 1


LECTURES = {"I": "isachenko", "S": "stavrou-kountouris", "E": "exercise", "N": "sansone", "W": "improved-gan"}


@pytest.mark.parametrize(("letter", "page"), LECTURES.items())
def test_every_claim_is_on_the_page_of_its_lecture(letter, page):
    """Whoever holds a lecture finds all its rows, its errors marked as such, and every link leads to a row."""
    claims = json.loads((ROOT / "docs" / "claims.json").read_text(encoding="utf-8"))
    verdicts = {c["row"]: c["verdict"] for c in claims}
    text = (ROOT / "docs" / "lectures" / f"{page}.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"\[([A-D]\d+)(\s✗)?\]\(\.\./claims\.md#\1\)", text))
    assert {c["row"] for c in claims if letter in c["source"]} <= set(named)
    assert set(named) <= set(verdicts)
    wrong = {row for row, mark in re.findall(r"\[([A-D]\d+)(\s✗)?\]", text) if mark}
    assert wrong == {c["row"] for c in claims if letter in c["source"] and c["verdict"] == "erratum"}
