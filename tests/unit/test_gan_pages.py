"""The script that writes the tables of GAN pages: between its marks, from what benches left, and nothing else."""

import json
import runpy
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "gan_pages.py"
COLUMNS = ("modes_1pct", "high_quality", "mode_tv")


def row(data: str, name: str, modes: float) -> dict:
    columns = {column: {"mean": modes, "low": modes - 1, "high": modes + 1, "count": 2} for column in COLUMNS}
    perfect = {"perfect": {"modes_1pct": 8.0, "high_quality": 0.989}, "exact": {"mode_tv": 0.017}}
    return {"data": data, "name": name, "steps": 50_000, "seeds": [0, 1], "columns": columns, "success": 1} | {
        "seconds": 6.0, **perfect,
    }  # fmt: skip


def test_a_page_gets_the_rows_of_its_benches(tmp_path):
    """Both benches of a page, by data set, with a perfect generator's row under each; the text around stays."""
    module = runpy.run_path(str(PAGES))
    main = module["main"]
    main.__globals__["DOCS"] = tmp_path
    page, untouched = tmp_path / "paired.md", tmp_path / "fgan.md"
    page.write_text(f"before\n{module['BEGIN']}old\n{module['END']}\nafter\n")
    untouched.write_text("no bench of mine\n")
    for bench, rows in (
        ("paired", [row("ring8", "GAN", 6), row("grid25", "GAN", 7)]),
        ("paired-tenth", [row("ring8", "ours", 8)]),
    ):
        (tmp_path / bench).mkdir()
        (tmp_path / bench / "bench.json").write_text(json.dumps({"rows": rows}))
    main(tmp_path)
    before, _, header, rule, *lines, end, after = page.read_text().splitlines()
    assert (before, end, after) == ("before", module["END"], "after")
    assert header.count("|") == rule.count("|") == lines[0].count("|")
    assert [line.split(" | ")[1] for line in lines] == ["GAN", "ours", module["PERFECT"], "GAN", module["PERFECT"]]
    assert lines[0] == "| ring8 | GAN | 50,000 | 6 [5, 7] | 6 [5, 7] | 6 [5, 7] | 1/2 | 3 |"
    assert untouched.read_text() == "no bench of mine\n"


def test_an_unfinished_bench_has_no_rows(tmp_path):
    """What is begun has a bench.json without rows."""
    rows_of = runpy.run_path(str(PAGES))["rows_of"]
    assert rows_of(tmp_path) == []
    (tmp_path / "bench.json").write_text(json.dumps({"arguments": []}))
    assert rows_of(tmp_path) == []


@pytest.mark.parametrize("page", ["fgan.md", "paired.md", "stacked-digits.md"])
def test_the_pages_have_their_marks(page):
    """Each page of the script can be written again."""
    module = runpy.run_path(str(PAGES))
    text = (PAGES.parent / page).read_text()
    assert text.count(module["BEGIN"]) == text.count(module["END"]) == 1
