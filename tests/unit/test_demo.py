"""The parts of `make demo`, at a size for tests."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import divergences as dv
from divergences.report import Report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demo as a module that writes into a folder of the test, with two short trainings."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "docs" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    short = ("--steps", "2", "--every", "1", "--batch", "8")
    monkeypatch.setattr(module, "OUT", tmp_path)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "RECIPES", {"nonsaturating": short, "wgan-gp": short})
    return module


def test_report_and_summary(demo: ModuleType, tmp_path: Path):
    """Both trainings, every claim and the comparison reach the report and the summary."""
    trained = demo.train_gans()
    assert [run.done for run in trained.values()] == [True, True]
    claims = json.loads((ROOT / "docs" / "claims.json").read_text(encoding="utf-8"))
    section = demo.claims_section(claims)
    page = Report("demo", [section, *demo.sections_of(tmp_path / "wgan-gp.html")]).render()
    for text in ("wgan-gp on ring8", "≠ printed 1.25", claims[0]["claim"].split("|")[0]):
        assert text in page
    rng = np.random.default_rng(0)
    comparison = dv.compare(rng.normal(size=(30, 2)), rng.normal(1, 1, size=(20, 2)), rng=0, permutations=19).to_dict()
    assert demo.summary(comparison, claims, trained).row_count == 9


def test_a_failing_command_ends_the_demo(demo: ModuleType):
    """What fails is named, and nothing after it runs."""
    with pytest.raises(SystemExit, match="gan ended with exit code 2"):
        demo.command("wrong", "gan", "train", "--no-such-option", "--out", "x")
