"""The claim mechanism: a claim holds only when its test ran to the end and compared something."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from divergences.claims import Claim, Document
from divergences.claims.tables import markdown, natural, part_of, write

CONFTEST = 'pytest_plugins = ["divergences.claims"]\n'
DOCUMENTED = """
from divergences.claims import Document  # before pytest loads the plugin: no warning may come of that

pytest_plugins = ["divergences.claims"]

def pytest_claims_document():
    return Document(sources={"I": "a lecture"})
"""
CLAIMS = """
import pytest

@pytest.mark.claim("A1")
def test_holds(claim):
    claim.source("I")
    claim.check("x", expected=1, measured=1 + 1e-9, tolerance=1e-8)
    claim.at_most("y", measured=1, bound=float("inf"))

@pytest.mark.claim("A2")
def test_erratum(claim):
    claim.source("I", "S")
    claim.check("x", expected=1, measured=1)
    claim.refutes("printed x", printed=2, measured=1)

@pytest.mark.claim("B1")
def test_fails(claim):
    claim.source("I")
    claim.check("x", expected=1, measured=2)

@pytest.mark.claim("B2")
def test_fails_later(claim):
    claim.source("I")
    claim.check("x", expected=1, measured=1)
    raise RuntimeError

@pytest.mark.claim("B3")
def test_refutes_only(claim):
    claim.source("I")
    claim.refutes("printed x", printed=2, measured=1)

@pytest.mark.claim("B4")
def test_names_no_source(claim):
    claim.check("x", expected=1, measured=1)

@pytest.mark.claim("B10")
def test_skipped(claim):
    claim.source("I")
    claim.check("x", expected=1, measured=1)
    pytest.skip("not today")

@pytest.mark.claim("B11")
@pytest.mark.xfail
def test_expected_to_fail(claim):
    claim.source("I")
    claim.check("x", expected=1, measured=2)

@pytest.fixture
def broken():
    raise RuntimeError

@pytest.mark.claim("B12")
def test_fixture_fails(broken, claim):
    'It never comes to this.'

@pytest.mark.claim("C1")
class TestParameters:
    @pytest.mark.parametrize("k", ["a|b", 2])
    def test_two(self, claim, k):
        claim.source("I")
        claim.check("x", expected=1, measured=1)
"""


def project(folder: Path, test: str, conftest: str = CONFTEST) -> Path:
    """A project with one test file."""
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\naddopts = "--strict-markers --strict-config"\nfilterwarnings = ["error"]\n'
    )
    (folder / "test_some.py").write_text(test, encoding="utf-8")
    return folder


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Pytest in that project, which knows nothing of ours."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", [0, 2])
def test_verdicts_and_files(tmp_path, workers):
    """What failed, was skipped, or shows no corrected form does not hold; the JSON has the contract's keys."""
    ran = run(project(tmp_path, CLAIMS), "--claims=out/claims.md", "-n", str(workers))
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "3 hold, 1 errata, 7 fail" in ran.stdout
    rows = json.loads((tmp_path / "out" / "claims.json").read_text())
    verdicts = [(row["row"], row["verdict"]) for row in rows]
    fail = [(row, "fails") for row in ("B1", "B2", "B3", "B4", "B10", "B11", "B12")]
    assert verdicts == [("A1", "holds"), ("A2", "erratum"), *fail, ("C1", "holds"), ("C1", "holds")]
    assert {"row", "claim", "source", "expected", "measured", "tolerance", "verdict"} <= set(rows[0])
    assert rows[0]["expected"] == {"x": 1.0, "y": "inf"}
    assert rows[0]["claim"] == "test holds"
    table = (tmp_path / "out" / "claims.md").read_text()
    assert all(f"</a>{row} |" in table for row, _ in verdicts)
    assert "[test_holds](../test_some.py)" in table
    assert "[TestParameters::test_two[a\\|b]](../test_some.py)" in table


def test_without_the_option_nothing_is_written_or_drawn(tmp_path):
    """The claims are tests like others, and a figure that cannot be drawn costs nothing."""
    test = (
        CLAIMS[: CLAIMS.index('@pytest.mark.claim("A2")')].rstrip()
        + "\n    claim.figure(lambda: 1 / 0, 'never drawn')\n"
    )
    ran = run(project(tmp_path, test))
    assert ran.returncode == 0, ran.stdout
    assert not list(tmp_path.glob("*.md"))
    ran = run(tmp_path, "--claims=claims.md")
    assert ran.returncode == 1
    assert "ZeroDivisionError" in ran.stdout
    assert json.loads((tmp_path / "claims.json").read_text())[0]["verdict"] == "fails"


def test_projects_that_do_not_use_it_do_not_notice(tmp_path):
    """Without the line in conftest.py a project's own `claim` and `--claims` are its own, and NumPy is not imported."""
    own = (
        "import sys, pytest\ndef pytest_addoption(parser): parser.addoption('--claims')\n"
        "@pytest.fixture\ndef claim(): return 'numpy' in sys.modules\n"
    )
    ran = run(project(tmp_path, "def test_own(claim): assert not claim\n", own), "--claims=3")
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("test", "conftest", "options", "says"),
    [
        ("def test_a(claim): pass", CONFTEST, (), "a claim names its row"),
        ("import pytest\n@pytest.mark.claim\ndef test_a(claim): pass", CONFTEST, (), "a claim names its row"),
        ("import pytest\n@pytest.mark.claim('A1')\ndef test_a(): pass", CONFTEST, (), "let it take the fixture"),
        ("", CONFTEST, ("--claims=claims.json",), "must name a file that ends in .md"),
        ("", CONFTEST, ("--claims=folder.md",), "must name a file that ends in .md"),
        (
            "import pytest\n@pytest.mark.claim('A1')\ndef test_a(claim): claim.source('X')",
            DOCUMENTED,
            (),
            "a source must be one of I; got X",
        ),
    ],
)
def test_misuse_is_told(tmp_path, test, conftest, options, says):
    """A claim that would go unseen is an error that says what to do."""
    (tmp_path / "folder.md").mkdir()
    ran = run(project(tmp_path, test, conftest), *options)
    assert ran.returncode != 0
    assert says in ran.stdout + ran.stderr


def test_stopped_and_empty_runs_leave_the_table(tmp_path):
    """Half a table does not replace a whole one."""
    project(tmp_path, CLAIMS + "\ndef test_interrupted(): raise KeyboardInterrupt\n")
    (tmp_path / "claims.md").write_text("the old one")
    for options in ((), ("--collect-only",), ("-k", "nothing")):
        run(tmp_path, "--claims=claims.md", *options)
        assert (tmp_path / "claims.md").read_text() == "the old one", options


@pytest.mark.parametrize(
    ("expected", "measured"), [(1, 1.1), (1, np.nan), (np.nan, np.nan), (np.inf, -np.inf), ([1, 2], [1, 3]), ([], [])]
)
def test_check_refuses(expected, measured):
    """What differs, is not a number or is empty is no agreement."""
    with pytest.raises(AssertionError):
        Claim("A1", "", "").check("x", expected=expected, measured=measured, tolerance=1e-3)


def test_bounds_and_refutations_refuse():
    """NaN bounds and refutes nothing; a printed value that holds is no erratum; names are not reused."""
    claim = Claim("A1", "", "")
    for measured in (1.1, np.nan, []):
        with pytest.raises(AssertionError):
            claim.at_most(f"{measured}", measured=measured, bound=1)
    for measured in (0.9, np.nan, []):
        with pytest.raises(AssertionError):
            claim.at_least(f"least {measured}", measured=measured, bound=1)
    for printed, measured in ((1, 1), (np.nan, 1), ([1, 2], [1, 3]), (np.inf, np.inf)):
        with pytest.raises(AssertionError):
            claim.refutes(f"{printed}, {measured}", printed=printed, measured=measured)
    claim.check("x", expected=1, measured=1)
    with pytest.raises(AssertionError, match="recorded twice"):
        claim.check("x", expected=1, measured=1)


def test_the_edge_of_a_tolerance_holds():
    """A comparison at exactly its tolerance holds; a printed value at exactly its margin is not refuted."""
    claim = Claim("A1", "", "")
    claim.check("x", expected=1, measured=1.5, tolerance=0.5)
    claim.at_most("y", measured=1.5, bound=1, tolerance=0.5)
    claim.at_least("z", measured=0.5, bound=1, tolerance=0.5)
    assert claim.verdict == "holds"
    with pytest.raises(AssertionError, match="the printed 2 does hold"):
        claim.refutes("w", printed=2, measured=1.5, margin=0.5)
    claim.refutes("v", printed=2, measured=1.5, margin=0.4)
    assert claim.verdict == "erratum"
    claim.failed = True
    assert claim.verdict == "fails"


def test_several_figures_of_a_row_keep_their_names_apart(tmp_path):
    """The second figure of a row is numbered, and a row's name is made fit for a file."""
    drawn = [{"caption": "c", "svg": f"<svg>{k}</svg>"} for k in range(3)]
    row = {"row": "Thm 5/2", "statement": "s", "sources": ["I"], "lines": [], "verdict": "holds", "figures": drawn}
    write(tmp_path / "t.md", [row | {"test": "t.py::x"}], Document(), tmp_path)
    names = [f"Thm-5-2{k}.svg" for k in ("", "-2", "-3")]
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == sorted(names)
    assert [(tmp_path / "t" / name).read_text() for name in names] == [d["svg"] for d in drawn]
    assert all(f"](t/{name})" in (tmp_path / "t.md").read_text() for name in names)
    assert json.loads((tmp_path / "t.json").read_text())[0]["figures"] == [f"t/{name}" for name in names]


@pytest.mark.parametrize("tolerance", [-1e-9, np.nan, np.inf])
def test_tolerances_that_prove_nothing(tolerance):
    """With a margin below 0 anything would be refuted, with an infinite tolerance anything would hold."""
    claim = Claim("A1", "", "")
    for call in (
        lambda: claim.check("x", expected=1, measured=1, tolerance=tolerance),
        lambda: claim.at_most("x", measured=1, bound=1, tolerance=tolerance),
        lambda: claim.at_least("x", measured=1, bound=1, tolerance=tolerance),
        lambda: claim.refutes("x", printed=1, measured=1, margin=tolerance),
    ):
        with pytest.raises(ValueError, match="at least 0 and finite"):
            call()
    assert claim.lines == []


def test_order_and_parts_of_rows():
    """Rows are sorted as people number them, under the parts that were declared, then those that were not."""
    rows = ["Z1", "A10", "A2", "3.10", "3.9", "B1"]
    assert sorted(rows, key=natural) == ["3.9", "3.10", "A2", "A10", "B1", "Z1"]
    assert [part_of(row) for row in rows] == ["Z", "A", "A", "3", "3", "B"]
    lines = [{"what": "a|b", "expected": -0.0, "measured": np.inf, "tolerance": 0.0, "kind": "bound"}]
    claims = [
        {"row": row, "statement": "", "sources": ["s"], "lines": lines, "verdict": "holds", "test": "t.py::x"}
        for row in sorted(rows, key=natural)
    ]
    text = markdown(claims, Document(parts={"B": "Second", "A": "First"}))
    assert re.findall("^## .*$", text, flags=re.MULTILINE) == [
        "## Part B: Second", "## Part A: First", "## Part 3", "## Part Z"
    ]  # fmt: skip
    assert "a\\|b: ∞ ≤ 0 " in text
