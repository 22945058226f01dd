"""A report as data: sections of texts, tables and pictures, rendered into one HTML file."""

import base64
import html
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from divergences.errors import FileFormatError
from divergences.saving import write_atomically
from divergences.wording import number, plain

# Nothing is fetched and nothing runs, whatever a report holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    content: str
    kind: str = "text"


@dataclass(frozen=True)
class Cell:
    """A cell of a table; numbers are set to the right."""

    content: str
    numeric: bool


@dataclass(frozen=True)
class Grid:
    """A table."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI."""

    source: str
    alt: str
    caption: str
    kind: str = "picture"


@dataclass(frozen=True)
class Embedded:
    """The body of a section that a report of this package already holds, escaped when that report was written."""

    html: str
    kind: str = "embedded"


Block = Text | Grid | Picture | Embedded


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it.

    >>> Section("Data", [text("569 rows.")]).blocks[0].content
    '569 rows.'
    """

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A titled sequence of sections; `lead` is what a reader in a hurry reads.

    Every text may hold anything: it is escaped, and control characters are dropped. The file asks nothing of the
    network and runs no scripts; its Content-Security-Policy forbids both.

    >>> "&lt;b&gt;" in Report("<b>", [Section("Data", [text("569 rows.")])]).render()
    True
    """

    title: str
    sections: Sequence[Section]
    lead: str = ""

    def render(self) -> str:
        """The report as one HTML document."""
        return _template().render(title=plain(self.title, 200), lead=plain(self.lead, 2000), sections=self.sections)

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the HTML file, whole or not at all; refuses an existing one unless `force`. Returns its path."""
        return write_atomically(path, self.render(), force=force)


def sections_of(path: str | os.PathLike[str]) -> list[Section]:
    """The sections of a report that this package wrote, to be put into another one.

    Raises:
        FileFormatError: `path` is not such a report. OSError: it cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Report("A & B", [Section("Data", [text("1 < 2")])]).save(Path(folder, "a.html"))
    ...     sections_of(path)[0].title
    'Data'

    """
    page = Path(path).read_text(encoding="utf-8")
    found = re.findall(r'<section id="section-\d+">\n<h2>(.*?)</h2>\n(.*?)</section>', page, re.DOTALL)
    if not found or POLICY not in page:
        raise FileFormatError(
            f"{plain(str(path))} must be a report written by this package; it holds no sections of one."
        )
    return [Section(html.unescape(title), [Embedded(body)]) for title, body in found]


def text(content: str) -> Text:
    r"""A paragraph.

    >>> text("one\x00 line").content
    'one line'
    """
    return Text(plain(content, 4000))


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "") -> Grid:
    """A table; floats are shown with four significant digits, None and NaN as a dash, a bool as yes or no.

    >>> table(["name", "value"], [["pi", 3.14159]]).rows[0][1].content
    '3.142'
    """
    body = tuple(tuple(_cell(value) for value in row) for row in rows)
    numeric = [bool(body) and all(row[k].numeric for row in body) for k in range(len(header))]
    head = tuple(Cell(plain(name), numeric[k]) for k, name in enumerate(header))
    return Grid(head, body, plain(caption, 1000))


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return Cell("yes" if value else "no", False)
    if value is None or isinstance(value, int | float):
        return Cell(number(value), True)
    return Cell(plain(value, 200), False)


def picture(figure: Any, alt: str, caption: str = "") -> Picture:
    """A matplotlib figure as SVG; `alt` says in words what it shows.

    >>> from matplotlib.figure import Figure
    >>> picture(Figure(), "nothing yet").source[:26]
    'data:image/svg+xml;base64,'
    """
    import matplotlib

    buffer = io.BytesIO()
    # Letters as outlines look the same everywhere; the salt and the missing date make equal figures equal bytes.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "divergences"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{encoded}", plain(alt, 500), plain(caption, 1000))


@cache
def _template() -> Any:
    import jinja2

    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["policy"] = POLICY
    environment.globals["style"] = (folder / "page.css").read_text(encoding="utf-8")
    environment.filters["plain"] = plain
    return environment.get_template("page.html.j2")
