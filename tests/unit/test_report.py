"""Reports: safe with any name, complete in one file, written whole or not at all."""

import base64
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from divergences.comparing import Comparison, compare
from divergences.files import Table
from divergences.report import Report, Section, comparison_report, picture, table, text, verdict
from divergences.report.pictures import (
    densities,
    effects,
    gaps_in_deviations,
    joint_distances,
    label,
    transport_plan,
)
from divergences.saving import write_atomically
from divergences.wording import number, plain, spreadsheet

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "$x^{$ and $\\frac{$",
    "[red]not markup[/red]",
    "\x1b[31mescape\x1b]0;title\x07",
    "two\nlines\r\nand\ttabs",
    "n" * 300,
    "emoji 😀 and 漢字 and \u202e reversed",
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }}{% raw %}",
    "_leading and & ampersand \"quoted\" 'single'",
    "NUL\x00and\x9fcontrol",
]


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "nav", "ol", "li", "a", "section"),
    *("figure", "img", "figcaption", "div", "table", "thead", "tr", "th", "tbody", "td"),
}


class Tags(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Remember it."""
        self.text += data


@pytest.fixture(scope="module")
def hostile() -> Comparison:
    """A comparison whose columns and files have hostile names."""
    rng = np.random.default_rng(0)
    names = tuple(HOSTILE)
    x, y = (Table.numbers(names, rng.normal(k, 1, (12, len(names))), f"<b>{k}\x1b.csv") for k in (0, 1))
    return compare(x, y, rng=0, permutations=1)


def test_hostile_names_are_text_everywhere(hostile):
    """No tag, script, style or handler comes from a name; no control character survives."""
    page = Report("<script>", comparison_report(hostile), lead=HOSTILE[1]).render()
    tags = Tags(page)
    assert {tag for tag, _ in tags.tags} <= TAGS
    assert not any(name.startswith("on") for _, attributes in tags.tags for name in attributes)
    assert "<script>alert(1)</script>" in tags.text
    assert "{{ 7 * 7 }}" in tags.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", page)


def test_the_page_asks_nothing_of_anyone(hostile):
    """The policy forbids everything but inline style and data images, and the page needs nothing else."""
    page = Report("report", comparison_report(hostile)).render()
    tags = Tags(page).tags
    policy = next(a["content"] for tag, a in tags if tag == "meta" and "content" in a and "http-equiv" in a)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    links = [a[name] for _, a in tags for name in ("src", "href") if name in a]
    assert links
    assert all(str(link).startswith(("data:image/svg+xml;base64,", "#")) for link in links)
    assert all(a.get("alt") for tag, a in tags if tag == "img")
    assert "url(" not in page
    assert len(page) < 1_000_000


def test_pictures_are_well_formed_and_the_same_each_time(hostile):
    """SVG that parses, without scripts, and equal bytes for equal data."""
    first, second = comparison_report(hostile), comparison_report(hostile)
    assert first == second
    pictures = [block for section in first for block in section.blocks if block.kind == "picture"]
    assert len(pictures) == 5
    for block in pictures:
        svg = base64.b64decode(getattr(block, "source").split(",", 1)[1])  # noqa: B009
        names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}  # noqa: S314
        assert "path" in names
        assert not names & {"script", "foreignObject", "image"}


def test_labels_are_drawn_letter_by_letter():
    """What the font lacks is a box, so that no warning and no markup appears."""
    assert label("a 漢") == "a □"
    assert label("$x^{$") == "$x^{$"
    assert len(label("n" * 300)) == 28


def test_the_verdict_says_whether_where_and_by_how_much(hostile):
    """Different laws are told apart, one law is not."""
    rng = np.random.default_rng(1)
    names = ("steady", "moved")
    x, y = rng.normal(0, 1, (60, 2)), rng.normal([0, 2], 1, (60, 2))
    told = verdict(compare(Table.numbers(names, x, "x"), Table.numbers(names, y, "y"), rng=0, permutations=19))
    assert told.startswith("Reference and current differ: 1 of 2 columns")
    assert "largest difference is in moved" in told
    same = compare(Table.numbers(names, x[:30], "x"), Table.numbers(names, x[30:], "y"), rng=0, permutations=19)
    assert verdict(same).startswith("No difference was found")


def test_a_constant_column_and_one_row_can_be_drawn():
    """The pictures of degenerate data are dull, not errors."""
    x = Table.numbers(("constant", "b"), np.array([[1.0, 2.0], [1.0, 3.0]]), "x")
    y = Table.numbers(("constant", "b"), np.array([[1.0, 5.0], [1.0, 3.0]]), "y")
    assert len(comparison_report(compare(x, y, rng=0, permutations=1))) == 6
    same = Table.numbers(("b",), np.array([[1.0], [1.0]]), "x")
    assert len(comparison_report(compare(same, same, rng=0, permutations=1))) == 6
    single = Table.numbers(("b",), np.array([[1.0]]), "x")
    assert len(comparison_report(compare(single, same, rng=0, permutations=1))) == 6
    assert len(comparison_report(compare(x, y, rng=0, joint=False))) == 3


def test_tables_align_numbers_and_write_what_is_unknown():
    """Floats to four digits, None and NaN as a dash, infinity as its sign."""
    block = table(["name", "value"], [["a", 1.23456], ["b", None], ["c", float("inf")]], caption="c")
    assert [row[1].content for row in block.rows] == ["1.235", "–", "∞"]
    assert [cell.numeric for cell in block.header] == [False, True]
    page = Report("t", [Section("s", [block, text("hello"), picture(Figure(), "alt", "caption")])]).render()
    assert "<td>a<td class=n>1.235\n" in page


def test_wording():
    """One line, no control characters; spreadsheets do not compute names."""
    assert plain("a\nb\x00c\x1b[0m") == "a bc[0m"
    assert len(plain("x" * 300)) == 60
    assert number(-1.5) == "−1.5"
    assert number(1234567) == "1,234,567"
    assert number(123456.7) == "123457"
    for start in "=+-@":
        assert spreadsheet(f"{start}x") == f"'{start}x"


def test_the_verdict_counts_adjusted_p_values():
    """A column that stands out only before adjustment is not counted."""
    rng = np.random.default_rng(0)
    result = compare(rng.normal(size=(40, 2)), rng.normal([2.0, 0.0], size=(40, 2)), rng=0, permutations=99)
    columns = {
        name: replace(c, pvalue=0.01, pvalue_adjusted=0.01 if (c.w1 or 0) > 1 else 0.2)
        for name, c in result.columns.items()
    }
    assert "differ: 1 of 2 columns" in verdict(replace(result, columns=columns))


def test_each_histogram_is_of_its_own_table():
    """Blue are the reference's shares, orange the current's, and each sums to one."""
    result = compare(np.repeat([0.0, 1.0], [30, 10]), np.repeat([0.0, 1.0], [10, 30]), rng=0, permutations=2)
    steps: list[Any] = list(densities(result).axes[0].patches)
    blue, orange = (step.get_data().values for step in steps)
    assert (blue[0], blue[-1], orange[0], orange[-1]) == (0.75, 0.25, 0.25, 0.75)


def test_the_joint_picture_shows_value_over_null():
    """Far apart is to the right of one, and each point stands on the line of its distance."""
    result = compare(np.arange(20.0), np.arange(20.0) + 50, rng=0, permutations=9)
    points: Any = joint_distances(result).axes[0].lines[0]
    base = {"classifier_auc": 0.5}  # what no difference gives
    expected = [(e.value - base.get(e.name, 0)) / (e.null_95 - base.get(e.name, 0)) for e in result.joint.values()]
    np.testing.assert_allclose(points.get_xdata(), expected)
    assert min(expected) > 1


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    """Even if it was not there when the path was judged."""
    (tmp_path / "a.txt").write_text("theirs")
    monkeypatch.setattr("divergences.saving.check_free", lambda path, *, force: None)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "a.txt", "ours")
    assert (tmp_path / "a.txt").read_text() == "theirs"


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    """What a name stands for is written, and devices are never replaced by files."""
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_atomically(tmp_path / "link.txt", "new", force=True)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe or device"):
        write_atomically(tmp_path / "pipe", "new", force=True)
    assert (tmp_path / "pipe").is_fifo()


def test_saving_is_atomic_and_refuses_to_overwrite(tmp_path):
    """The old file stays until the new one is whole; leftovers are removed; modes are the usual ones."""
    path = tmp_path / "r.html"
    report = Report("first", [])
    assert report.save(path) == path
    with pytest.raises(FileExistsError, match="--force"):
        Report("second", []).save(path)
    assert "first" in path.read_text()
    Report("second", []).save(path, force=True)
    assert "second" in path.read_text()
    with pytest.raises(FileNotFoundError):
        report.save(tmp_path / "nowhere" / "r.html")
    with pytest.raises(IsADirectoryError):
        report.save(tmp_path, force=True)
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    """As when the disk is full at the last moment."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new", force=True)
    assert path.read_text() == "old"
    assert [p.name for p in Path(tmp_path).iterdir()] == ["a.txt"]


def test_a_shift_of_the_gaps_is_told_as_one():
    """Where the values agree and the gaps do not, the verdict speaks of the gaps, and they decide the order."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 60))
    gone = np.where(np.arange(60) < 30, np.nan, 1.0)
    result = compare({"moved": x, "gone": gone}, {"moved": y + 1, "gone": np.ones(60)}, rng=0, permutations=99)
    assert "largest difference is in gone: 50% of its cells are missing in the reference, 0% in" in verdict(result)
    assert not any("constant" in warning for warning in result.warnings)  # whether there is a gap differs
    later = compare({"a": x}, {"a": np.where(np.arange(60) < 2, np.nan, y + 3)}, rng=0, permutations=99, joint=False)
    told = verdict(later)
    assert told.index("W₁ = ") < told.index("; 0% of its cells are missing in the reference, 3.33% in the current data")
    assert gaps_in_deviations(result.columns["gone"]) == pytest.approx(0.5 / np.sqrt(0.25 * 0.75))
    assert gaps_in_deviations(result.columns["moved"]) == 0


def test_a_thousand_columns_with_hostile_names_stay_below_a_megabyte():
    """Names of 300 characters, each of which HTML spells with many, numbers as long as they get, gaps, a full plan."""
    rng = np.random.default_rng(0)
    names = [f"{k:04d}" + "<&'\"é" * 60 for k in range(1000)]
    holes = lambda n, k: np.where(rng.random((k, n)) < 0.013, np.nan, -1.2345e-280 * rng.normal(size=(k, n)))
    x, y = (dict(zip(names, holes(30, 1000), strict=True)) for _ in range(2))
    result = compare(x, y, rng=0, permutations=19, joint=False)
    few = replace(result, columns=dict(list(result.columns.items())[:12]))
    x, y = (dict(zip(names[:20], holes(500, 20), strict=True)) for _ in range(2))
    jointly = compare(x, y, rng=0, permutations=3)
    many, short, full = (len(Report("t", comparison_report(r)).render().encode()) for r in (result, few, jointly))
    assert 250_000 < many - short < 350_000
    assert full + many - short < 950_000


def test_a_plan_of_many_rows_draws_some_of_them():
    """Every sixth of 1,400 reference rows, its line, and the rows that receive it."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1400, 2)), rng.normal(1, 1, size=(1400, 2))
    together = compare(x, y, rng=0, permutations=1, sample=1400).together
    assert together is not None
    axes: Any = transport_plan(together).axes[0]
    lines, reference, current = (c for c in axes.collections)
    assert len(lines.get_segments()) == len(reference.get_offsets()) == len(current.get_offsets()) == 234


def test_what_a_page_has_no_room_for_is_counted(hostile, monkeypatch):
    """The page says how many columns it leaves out."""
    everything = Report("t", comparison_report(hostile)[1:2]).render()
    monkeypatch.setattr("divergences.report.comparison.TOLD", 900)
    page = Report("t", comparison_report(hostile)[1:2]).render()
    left = everything.count("<tr>") - page.count("<tr>")
    assert 0 < left < len(hostile.columns)
    assert f"{left:,} columns that differ less are left out" in page
    assert "are left out; " not in everything


@pytest.mark.parametrize("unit", [1e-320, 1e-300, 1e297])
def test_a_report_is_drawn_at_any_scale(unit):
    """The grey bars are in standard deviations, whatever the unit: its reciprocal need not be a float."""
    x, y = np.random.default_rng(0).integers(-100, 100, (2, 60))
    plain_size, far = (compare(x * k, y * k, rng=0, permutations=19, joint=False) for k in (1.0, unit))
    drawn: list[Any] = [effects(result).axes[0] for result in (plain_size, far)]
    widths = [[bar.get_width() for bar in axes.patches] for axes in drawn]
    assert widths[0][0] > 0
    np.testing.assert_allclose(*widths, rtol=1e-3)
    assert len(comparison_report(far)) == 3
