"""The claim mechanism: a test with the marker `claim("A3")` records what the lecture says beside what we measure.

`pytest tests/claims --claims=docs/claims.md` writes the table and `docs/claims.json` from what ran.
"""

import json
from collections.abc import Callable, Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.claims.record import Claim

RECORDED = pytest.StashKey[list[Claim]]()


@pytest.fixture
def claim(request: pytest.FixtureRequest) -> Generator[Claim]:
    """The recorder of the running claim."""
    marker = request.node.get_closest_marker("claim")
    assert marker is not None, "a claim needs @pytest.mark.claim(row)"
    function: Callable[..., Any] = request.function
    path = Path(str(request.node.path)).relative_to(request.config.rootpath)
    statement = " ".join((function.__doc__ or "").split())
    recorded = Claim(marker.args[0], statement, f"{path}::{request.node.name}")
    request.node.stash[RECORDED] = [recorded]
    yield recorded
    assert recorded.sources, "a claim names its source: claim.source('I')"
    assert any(line.kind != "refuted" for line in recorded.lines), "a claim records what holds, an erratum too"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Generator[None, Any, Any]:
    """Carry what a claim recorded in its report, so that it reaches the writer from worker processes too."""
    report = yield
    for recorded in item.stash.get(RECORDED, []):
        recorded.failed |= not report.passed  # a skipped claim has shown nothing
        if report.when == "teardown":
            report.user_properties.append(("claim", json.dumps(asdict(recorded) | {"verdict": recorded.verdict})))
    return report
