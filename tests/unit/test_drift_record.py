"""The record of the drift benchmark: what is kept comes back, and only decisions of this code count."""

import json

import pytest

from tests.bench import drift


@pytest.fixture
def record(tmp_path, monkeypatch):
    """An empty record, and tools of versions that are known."""
    monkeypatch.setattr(drift, "STORE", tmp_path / "records" / "drift.jsonl")
    monkeypatch.setattr(drift, "code", lambda tool: f"{tool} 1")
    return tmp_path / "records" / "drift.jsonl"


def key(tool: str, n: int = 100, state: str = "moved") -> str:
    """Of a cell."""
    return f"decide|{tool}|normal, mean|{n}|{state}"


def test_verdicts_come_back(record):
    """Bit by bit, those in front too; a line for each cell, in order; what is kept again takes the place."""
    for called in ("1", "0001011", "0000"):
        drift.keep(key("divergences"), {"tool": "divergences 1", "called": called, "seconds": 1.5})
        assert drift.stored()[key("divergences")]["called"] == called
    drift.keep(key("Evidently"), {"tool": "Evidently 1", "error": "out of memory"})
    drift.keep("speed|a table|Evidently", {"seconds": 3.0})
    assert [json.loads(line)["key"] for line in record.read_text().splitlines()] == sorted(drift.stored())
    assert len(drift.stored()) == 3


def test_decisions_of_other_code_do_not_count(record):
    """Of an older version, or of our modules before they changed; times stay until they are taken anew."""
    drift.keep(key("divergences"), {"tool": "divergences 0", "called": "01", "seconds": 1.0})
    drift.keep("speed|a table|divergences", {"seconds": 3.0})
    assert list(drift.stored()) == ["speed|a table|divergences"]


def test_what_the_page_says(record):
    """Rates with their errors, levels that are off in bold, and who alone saw a shift."""
    drift.keep(key("divergences"), {"tool": "divergences 1", "called": "1" * 60 + "0" * 40, "seconds": 1.0})
    drift.keep(key("SciPy KS"), {"tool": "SciPy KS 1", "called": "0" * 30 + "1" * 32 + "0" * 38, "seconds": 1.0})
    for n, alarms in ((100, 6), (1000, 20)):
        called = "1" * alarms + "0" * (100 - alarms)
        drift.keep(key("divergences", n, "same"), {"tool": "divergences 1", "called": called, "seconds": 1.0})
    page = list(drift.decisions_section())
    assert "| normal, mean | divergences | 6.0 ± 2.4 | **20.0 ± 4.0** |  |  |" in page
    assert "| normal, mean | divergences | 60.0 ± 4.9 |  |  |  |" in page
    assert "| normal, mean | **30 : 2** |  |  |  |" in page
