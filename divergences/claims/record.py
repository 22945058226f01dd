"""What a claim records, and its verdict."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Document:
    """What heads the table of a project's claims.

    `sources` are the documents that state them, by the name that `Claim.source` takes, and `parts` the titles of the
    parts, by the letters that a row begins with, else its first number. With no sources any may be named.

    >>> Document("Sums, verified", {"B": "Billingsley, Probability and Measure (1995)"}, {"S": "Sums"}).title
    'Sums, verified'

    """

    title: str = "Claims"
    sources: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    note: str = "Written by `pytest --claims` from what ran."
    errata: str = "Errata: what is printed, and what holds"


@dataclass(frozen=True)
class Line:
    """One comparison inside a claim; its kind is "equal", "bound", "floor" or "refuted"."""

    what: str
    expected: Any
    measured: Any
    tolerance: float
    kind: str


@dataclass(frozen=True)
class Figure:
    """A picture of what a claim measured: its caption and its SVG, the same bytes for the same picture."""

    caption: str
    svg: str


@dataclass
class Claim:
    """The recorder that the fixture `claim` hands to a test: each method records, and fails what does not hold.

    Numbers may be scalars or arrays, which broadcast; a comparison holds if it holds everywhere. NaN agrees with
    nothing, an infinity with itself. The verdict is `holds`, `erratum` (a printed form was refuted and what holds is
    shown) or `fails`.

    Raises:
        AssertionError: what was compared does not hold. ValueError: a source that is not known, a tolerance that is
            negative or not finite.

    >>> claim = Claim("S1", "The sum of 1, ..., n is n (n + 1)/2.", "test_sums.py::test_gauss")
    >>> claim.source("Gauss")
    >>> claim.check("n = 4", expected=10, measured=sum(range(5)))
    >>> claim.verdict
    'holds'
    >>> claim.at_most("n = 3", measured=sum(range(4)), bound=5)
    Traceback (most recent call last):
    AssertionError: S1 n = 3: measured 6 exceeds 5 by more than 0

    """

    row: str
    statement: str
    test: str
    known: Mapping[str, str] = field(default_factory=dict)
    draws: bool = False
    sources: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    failed: bool = False

    def source(self, *names: str) -> None:
        """The documents that state the claim, by the names that `pytest_claims_document` gives them."""
        unknown = [name for name in names if name not in self.known] if self.known else []
        if unknown or not names:
            known, got = ", ".join(self.known) or "your documents", ", ".join(unknown) or "none"
            raise ValueError(f"{self.row}: a source must be one of {known}; got {got}")
        self.sources = names

    def check(self, what: str, *, expected: Any, measured: Any, tolerance: float = 0.0) -> None:
        """Require |expected - measured| <= tolerance."""
        self._record(what, expected, measured, tolerance, "equal")
        e, m = np.asarray(expected, float), np.asarray(measured, float)
        with np.errstate(invalid="ignore"):
            agree = (e == m) | (np.abs(e - m) <= tolerance)
        self._require(agree, f"{what}: expected {expected}, measured {measured}, tolerance {tolerance:g}")

    def at_most(self, what: str, *, measured: Any, bound: Any, tolerance: float = 0.0) -> None:
        """Require measured <= bound + tolerance."""
        self._record(what, bound, measured, tolerance, "bound")
        below = np.asarray(measured, float) <= np.asarray(bound, float) + tolerance
        self._require(below, f"{what}: measured {measured} exceeds {bound} by more than {tolerance:g}")

    def at_least(self, what: str, *, measured: Any, bound: Any, tolerance: float = 0.0) -> None:
        """Require measured >= bound - tolerance."""
        self._record(what, bound, measured, tolerance, "floor")
        above = np.asarray(measured, float) >= np.asarray(bound, float) - tolerance
        self._require(above, f"{what}: measured {measured} is below {bound} by more than {tolerance:g}")

    def refutes(self, what: str, *, printed: Any, measured: Any, margin: float = 0.0) -> None:
        """Require that the printed value is wrong: it differs from the measured one by more than `margin`."""
        self._record(what, printed, measured, margin, "refuted")
        p, m = np.asarray(printed, float), np.asarray(measured, float)
        self._require(np.isfinite(p).all() or np.isfinite(m).all(), f"{what}: nothing to compare")
        self._require(np.abs(p - m) > margin, f"{what}: the printed {printed} does hold, {measured}")

    def figure(self, make: Callable[[], Any], caption: str) -> None:
        """Keep the picture that `make()` returns, a `matplotlib.figure.Figure`; without `--claims` it is not made."""
        if self.draws:
            from divergences.claims.tables import svg

            self.figures.append(Figure(caption, svg(make())))

    @property
    def verdict(self) -> str:
        """`fails` unless the test passed, `erratum` if a printed form was refuted, else `holds`."""
        if self.failed or not self.lines:
            return "fails"
        return "erratum" if any(line.kind == "refuted" for line in self.lines) else "holds"

    def record(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self) | {"known": dict(self.known), "verdict": self.verdict}

    def _record(self, what: str, expected: Any, measured: Any, tolerance: float, kind: str) -> None:
        if not 0 <= tolerance < np.inf:
            raise ValueError(f"{self.row} {what}: a tolerance must be at least 0 and finite; got {tolerance}")
        self._require(np.size(expected), f"{what}: nothing expected")
        self._require(np.size(measured), f"{what}: nothing measured")
        self._require(all(line.what != what for line in self.lines), f"{what}: recorded twice")
        self.lines.append(Line(what, _plain(expected), _plain(measured), float(tolerance), kind))

    def _require(self, holds: Any, otherwise: str) -> None:
        if not np.all(holds):
            raise AssertionError(f"{self.row} {otherwise}")


def _plain(value: Any) -> Any:
    """`value` as nested lists of floats rounded to seven digits, which JSON and readers take."""
    array = np.asarray(value, float)
    rounded = [float(f"{v:.7g}") for v in array.ravel()]
    return rounded[0] if array.ndim == 0 else np.reshape(rounded, array.shape).tolist()
