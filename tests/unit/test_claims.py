"""The claim mechanism: a claim holds only when its test ran to the end and compared something."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.claims.record import Claim

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
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_verdicts_and_files(tmp_path, workers):
    """What failed, was skipped, or shows no corrected form does not hold; the JSON has the contract's keys."""
    (tmp_path / "test_some.py").write_text(CLAIMS)
    plugins = ("-p", "tests.conftest", "-p", "tests.claims.conftest")
    options = (f"--claims={tmp_path / 'claims.md'}", f"--rootdir={tmp_path}", "-c", "/dev/null", "-n", str(workers))
    command = [sys.executable, "-m", "pytest", *plugins, *options, str(tmp_path)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    rows = json.loads((tmp_path / "claims.json").read_text())
    verdicts = {row["row"]: row["verdict"] for row in rows}
    assert list(verdicts) == ["A1", "A2", "B1", "B2", "B3", "B4", "B10"]
    assert list(verdicts.values()) == ["holds", "erratum", *["fails"] * 5]
    assert {"row", "claim", "source", "expected", "measured", "tolerance", "verdict"} <= set(rows[0])
    assert rows[0]["expected"] == {"x": 1.0, "y": "inf"}
    assert all(f"| {row} |" in (tmp_path / "claims.md").read_text() for row in verdicts)


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
