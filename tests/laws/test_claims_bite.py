"""Each claim notices a planted error: what fails under no error proves nothing."""

from importlib import import_module
from pathlib import Path

import pytest

from divergences.claims import Claim
from gan.bench.purposes.purpose import trained
from tests.claims.planted import ERRORS

FILES = sorted(Path(__file__).parents[1].joinpath("claims").glob("test_part_*.py"))
FUNCTIONS = [f for file in FILES for f in vars(import_module(f"tests.claims.{file.stem}")).values()]
MARKS = [(f, {mark.name: mark.args for mark in getattr(f, "pytestmark", [])}) for f in FUNCTIONS]
CLAIMS = {marks["claim"][0]: f for f, marks in MARKS if "claim" in marks and "slow" not in marks}
PAIRS = [(name, row) for name, error in ERRORS.items() for row in error.rows.split()]


def test_every_claim_has_a_planted_error():
    """A claim joins with an error that it rejects."""
    assert {row for _, row in PAIRS} == set(CLAIMS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "row"), PAIRS)
def test_claim_notices(name, row, monkeypatch, request):
    """The claim fails under the error; that it holds without is shown by the claim itself."""
    trained.cache_clear()
    request.addfinalizer(trained.cache_clear)  # what an error has trained is nobody's result
    error = ERRORS[name]
    for owner in error.owners:
        monkeypatch.setattr(owner, error.name, error.wrong(getattr(owner, error.name)))
    with pytest.raises(AssertionError, match=f"^{row} "):
        CLAIMS[row](Claim(row, "", ""))
