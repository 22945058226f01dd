"""What a claim records, and the tables written from it.

The verdict is `holds`, `fails`, or `erratum` (the printed form fails and the corrected form holds).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SOURCES = {
    "I": "Isachenko, Deep Generative Models, lecture 10 (2021)",
    "S": "Stavrou & Kountouris, MALCOM lecture 6 (2024)",
    "E": "Deep Learning, exercise series 11, solutions (2018)",
    "N": "Sansone, GANs (2017)",
    "W": "Improved GAN slides",
}
PARTS = {
    "A": "Divergences on known distributions",
    "B": "The f-divergence family",
    "C": "Earth mover, Wasserstein, duality",
    "D": "The GAN game",
}


@dataclass
class Line:
    """One comparison inside a claim."""

    what: str
    expected: Any
    measured: Any
    tolerance: float
    kind: str  # "equal", "bound", "floor" or "refuted"


@dataclass
class Claim:
    """The recorder that the fixture `claim` hands to a test; each method asserts and remembers."""

    row: str
    statement: str
    test: str
    sources: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)
    failed: bool = False

    def source(self, *letters: str) -> None:
        """The lecture documents that state the claim, by their letters."""
        unknown = set(letters) - set(SOURCES)
        assert not unknown, f"unknown lecture {unknown}; known are {', '.join(SOURCES)}"
        self.sources = letters

    def _record(self, what: str, expected: Any, measured: Any, tolerance: float, kind: str) -> None:
        assert np.size(expected), f"{self.row} {what}: nothing expected"
        assert np.size(measured), f"{self.row} {what}: nothing measured"
        assert all(line.what != what for line in self.lines), f"{self.row} {what}: recorded twice"
        self.lines.append(Line(what, _plain(expected), _plain(measured), tolerance, kind))

    def check(self, what: str, *, expected: Any, measured: Any, tolerance: float = 0.0) -> None:
        """Assert |expected - measured| <= tolerance everywhere (an infinity equals itself; NaN equals nothing)."""
        e, m = np.broadcast_arrays(np.asarray(expected, float), np.asarray(measured, float))
        self._record(what, expected, measured, tolerance, "equal")
        with np.errstate(invalid="ignore"):
            agree = (e == m) | (np.abs(e - m) <= tolerance)
        assert agree.all(), f"{self.row} {what}: expected {expected}, measured {measured}, tolerance {tolerance:g}"

    def at_most(self, what: str, *, measured: Any, bound: Any, tolerance: float = 0.0) -> None:
        """Assert measured <= bound + tolerance everywhere."""
        self._record(what, bound, measured, tolerance, "bound")
        assert np.all(np.asarray(measured, float) <= np.asarray(bound, float) + tolerance), (
            f"{self.row} {what}: measured {measured} exceeds {bound} by more than {tolerance:g}"
        )

    def at_least(self, what: str, *, measured: Any, bound: Any, tolerance: float = 0.0) -> None:
        """Assert measured >= bound - tolerance everywhere."""
        self._record(what, bound, measured, tolerance, "floor")
        assert np.all(np.asarray(measured, float) >= np.asarray(bound, float) - tolerance), (
            f"{self.row} {what}: measured {measured} is below {bound} by more than {tolerance:g}"
        )

    def refutes(self, what: str, *, printed: Any, measured: Any, margin: float = 0.0) -> None:
        """Assert that the printed value is wrong: it differs from the measured one by more than `margin`."""
        p, m = np.asarray(printed, float), np.asarray(measured, float)
        self._record(what, printed, measured, margin, "refuted")
        assert np.isfinite(p).all() or np.isfinite(m).all(), f"{self.row} {what}: nothing to compare"
        assert np.all(np.abs(p - m) > margin), f"{self.row} {what}: the printed {printed} does hold, {measured}"

    @property
    def verdict(self) -> str:
        """`fails` unless the test passed, `erratum` if a printed form was refuted, else `holds`."""
        if self.failed or not self.lines:
            return "fails"
        return "erratum" if any(line.kind == "refuted" for line in self.lines) else "holds"


def _plain(value: Any) -> Any:
    """`value` as nested lists of floats rounded to seven digits, which JSON and readers take."""
    array = np.asarray(value, float)
    rounded = [float(f"{v:.7g}") for v in array.ravel()]
    return rounded[0] if array.ndim == 0 else np.reshape(rounded, array.shape).tolist()


def _finite(value: Any) -> Any:
    """JSON has no infinity: write it as the word."""
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return value if isinstance(value, str) or np.isfinite(value) else str(value)


class ClaimWriter:
    """Collects the claims of a session and writes the table at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claims: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the recorded claim from the report of its teardown."""
        if report.when == "teardown":
            self.claims += [json.loads(str(value)) for key, value in report.user_properties if key == "claim"]

    def pytest_sessionfinish(self) -> None:
        """Write Markdown for people and JSON for programs."""
        self.claims.sort(key=lambda c: (c["row"][0], int(c["row"][1:]), c["test"]))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(markdown(self.claims), encoding="utf-8")
        rows = [
            {
                "row": c["row"],
                "claim": c["statement"],
                "source": list(c["sources"]),
                "expected": {line["what"]: _finite(line["expected"]) for line in c["lines"]},
                "measured": {line["what"]: _finite(line["measured"]) for line in c["lines"]},
                "tolerance": {line["what"]: line["tolerance"] for line in c["lines"]},
                "relation": {line["what"]: SYMBOL[line["kind"]] for line in c["lines"]},
                "verdict": c["verdict"],
                "test": c["test"],
            }
            for c in self.claims
        ]
        text = json.dumps(rows, indent=1, allow_nan=False, ensure_ascii=False)
        self.path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


SYMBOL = {"equal": "=", "bound": "≤", "floor": "≥", "refuted": "≠ printed"}


def _show(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_show(v) for v in value) + ")"
    return f"{value + 0.0:.6g}".replace("inf", "∞")  # no "-0"


def _relation(line: dict[str, Any]) -> str:
    """Measured beside expected, with the tolerance where the two are seen to differ."""
    measured, expected = _show(line["measured"]), _show(line["expected"])
    width = f" ± {line['tolerance']:.2g}" if line["kind"] == "equal" and measured != expected else ""
    return f"{measured} {SYMBOL[line['kind']]} {expected}{width}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def markdown(claims: list[dict[str, Any]]) -> str:
    """The claims as one table per part, errata in a section of their own."""
    out = ["# The lectures, verified", "", "Written by `make claims` from what ran.", ""]
    out += [f"- **{letter}**: {name}" for letter, name in SOURCES.items()]
    counts = {verdict: sum(c["verdict"] == verdict for c in claims) for verdict in ("holds", "erratum", "fails")}
    out += ["", f"{counts['holds']} hold, {counts['erratum']} errata, {counts['fails']} fail.", ""]
    sections = [(f"Part {k}: {name}", [c for c in claims if c["row"][0] == k]) for k, name in PARTS.items()]
    sections = [(title, [c for c in group if c["verdict"] != "erratum"]) for title, group in sections]
    sections.append(
        ("Errata: what the lectures print, and what holds", [c for c in claims if c["verdict"] == "erratum"])
    )
    for title, group in sections:
        if not group:
            continue
        out += [f"## {title}", "", "| row | claim | source | expected and measured | verdict | test |"]
        out += ["|---|---|---|---|---|---|"]
        for c in group:
            lines = "<br>".join(f"{_cell(line['what'])}: {_relation(line)}" for line in c["lines"])
            file, _, name = c["test"].partition("::")
            link = f"[{_cell(name)}](../{file})"
            cells = (c["row"], _cell(c["statement"]), " ".join(c["sources"]), lines, c["verdict"], link)
            out.append(f"| {' | '.join(cells)} |")
        out.append("")
    return "\n".join(out)
