"""The tables and figures that recorded claims become."""

import json
import math
import os
import re
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from divergences.claims.record import Document
from divergences.saving import write_atomically

SYMBOL = {"equal": "=", "bound": "≤", "floor": "≥", "refuted": "≠ printed"}
VERDICTS = ("holds", "erratum", "fails")


def write(path: Path, claims: list[dict[str, Any]], document: Document, root: Path) -> None:
    """Write Markdown for people, JSON for programs, and the figures in a folder beside them.

    `root` is the folder that the tests' names start from.
    """
    claims = sorted(claims, key=lambda c: (natural(c["row"]), c["test"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.with_suffix("")
    names = _figure_names(claims)
    for name, drawn in names.items():
        folder.mkdir(exist_ok=True)
        write_atomically(folder / name, drawn["svg"], force=True)
        drawn["file"] = f"{folder.name}/{name}"
    write_atomically(path, markdown(claims, document, os.path.relpath(root, path.parent)), force=True)
    text = json.dumps([_row(c) for c in claims], indent=1, allow_nan=False, ensure_ascii=False)
    write_atomically(path.with_suffix(".json"), text + "\n", force=True)


def natural(row: str) -> list[Any]:
    """A key that sorts A2 before A10 and 3.9 before 3.10.

    >>> sorted(["B1", "A10", "A2"], key=natural)
    ['A2', 'A10', 'B1']

    """
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", row) if part]


def part_of(row: str) -> str:
    """The letters that a row begins with, else its first number.

    >>> part_of("A13"), part_of("3.2"), part_of("Thm 5")
    ('A', '3', 'Thm')

    """
    found = re.search(r"[^\W\d_]+|\d+", row)
    return found.group() if found else ""


def markdown(claims: list[dict[str, Any]], document: Document, root: str = ".") -> str:
    """The claims as one table per part, errata in a section of their own, each section followed by its figures."""
    out = [f"# {document.title}", "", document.note, ""]
    out += [f"- **{name}**: {title}" for name, title in document.sources.items()]
    out += ["", f"{counted(claims)}.", ""] if document.sources else [f"{counted(claims)}.", ""]
    parts = dict.fromkeys([*document.parts, *(part_of(c["row"]) for c in claims)])
    right = [c for c in claims if c["verdict"] != "erratum"]
    sections = [(_heading(part, document), [c for c in right if part_of(c["row"]) == part]) for part in parts]
    sections.append((document.errata, [c for c in claims if c["verdict"] == "erratum"]))
    for title, group in sections:
        if not group:
            continue
        out += [f"## {title}", "", "| row | claim | source | expected and measured | verdict | test |"]
        out += ["|---|---|---|---|---|---|", *(_table_row(c, root) for c in group), ""]
        for c in group:
            for drawn in c.get("figures", []):
                caption = f"{c['row']}: {drawn['caption']}"
                out += [f"![{_cell(caption)}]({drawn['file']})", "", f"*{_cell(caption)}*", ""]
    return "\n".join(out)


def counted(claims: Iterable[dict[str, Any]]) -> str:
    """How many claims hold, are errata and fail."""
    verdicts = [c["verdict"] for c in claims]
    hold, errata, fail = (verdicts.count(v) for v in VERDICTS)
    return f"{hold} hold, {errata} errata, {fail} fail"


def svg(figure: Any) -> str:
    """A matplotlib figure as SVG without a date or random names, its paths to a hundredth of a point."""
    from matplotlib import rc_context

    text = StringIO()
    with rc_context({"svg.hashsalt": "claims", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    round_off = lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found.group()) if found.group(1) else ""
    return re.sub(
        r"[ \t]+$", "", re.sub(r' (d|x|y)="[^"]*"|<!--.*?-->', round_off, text.getvalue()), flags=re.MULTILINE
    )


def _heading(part: str, document: Document) -> str:
    title = document.parts.get(part)
    return f"Part {part}: {title}" if title else f"Part {part}"


def _figure_names(claims: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures by their file name: the row, numbered where it has several."""
    names: dict[str, dict[str, Any]] = {}
    for c in claims:
        stem = re.sub(r"[^\w.-]+", "-", c["row"])
        for drawn in c.get("figures", []):
            count = sum(re.fullmatch(rf"{re.escape(stem)}(-\d+)?\.svg", name) is not None for name in names)
            names[f"{stem}-{count + 1}.svg" if count else f"{stem}.svg"] = drawn
    return names


def _row(c: dict[str, Any]) -> dict[str, Any]:
    of = lambda key: {line["what"]: _finite(line[key]) for line in c["lines"]}
    return {
        "row": c["row"],
        "claim": c["statement"],
        "source": list(c["sources"]),
        "expected": of("expected"),
        "measured": of("measured"),
        "tolerance": of("tolerance"),
        "relation": {line["what"]: SYMBOL[line["kind"]] for line in c["lines"]},
        "verdict": c["verdict"],
        "test": c["test"],
        "figures": [drawn["file"] for drawn in c.get("figures", [])],
    }


def _finite(value: Any) -> Any:
    """JSON has no infinity: write it as the word."""
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return value if math.isfinite(value) else str(value)


def _show(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_show(v) for v in value) + ")"
    return f"{value + 0.0:.6g}".replace("inf", "∞")  # no "-0"


def _relation(line: dict[str, Any]) -> str:
    """Measured beside expected, with the tolerance where the two are seen to differ."""
    measured, expected = _show(line["measured"]), _show(line["expected"])
    width = f" ± {line['tolerance']:.2g}" if line["kind"] == "equal" and measured != expected else ""
    return f"{measured} {SYMBOL[line['kind']]} {expected}{width}"


def _table_row(c: dict[str, Any], root: str) -> str:
    lines = "<br>".join(f"{_cell(line['what'])}: {_relation(line)}" for line in c["lines"])
    file, _, name = c["test"].partition("::")
    link = f"[{_cell(name)}]({Path(root, file).as_posix()})"
    row = _cell(c["row"])
    anchor = f'<a id="{re.sub(r"[^A-Za-z0-9.-]+", "-", c["row"])}"></a>{row}'
    cells = (anchor, _cell(c["statement"]), " ".join(map(_cell, c["sources"])), lines, c["verdict"], link)
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
