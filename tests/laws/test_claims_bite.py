"""Each claim notices a planted error: what fails under no error proves nothing."""

from importlib import import_module
from pathlib import Path

import pytest

from tests.claims.planted import ERRORS
from tests.claims.record import Claim

FILES = sorted(Path(__file__).parents[1].joinpath("claims").glob("test_part_*.py"))
FUNCTIONS = [f for file in FILES for f in vars(import_module(f"tests.claims.{file.stem}")).values()]
CLAIMS = {mark.args[0]: f for f in FUNCTIONS for mark in getattr(f, "pytestmark", []) if mark.name == "claim"}
PAIRS = [(name, row) for name, error in ERRORS.items() for row in error.rows.split()]


def test_every_claim_has_a_planted_error():
    """A claim joins with an error that it rejects."""
    assert {row for _, row in PAIRS} == set(CLAIMS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "row"), PAIRS)
def test_claim_notices(name, row, monkeypatch):
    """The claim fails under the error; that it holds without is shown by the claim itself."""
    error = ERRORS[name]
    for owner in error.owners:
        monkeypatch.setattr(owner, error.name, error.wrong(getattr(owner, error.name)))
    with pytest.raises(AssertionError, match=f"^{row} "):
        CLAIMS[row](Claim(row, "", ""))
