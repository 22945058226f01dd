"""A pytest plugin for theorems: tests that record what is claimed beside what is measured, and the table of them.

In the top conftest.py of a project (docs/own-claims.md shows a whole one):

    pytest_plugins = ["divergences.claims"]

It gives the marker `claim(row)`, the fixture `claim` (a `Claim`), the option `--claims=FILE.md`, which writes the
table, `FILE.json` and the figures, and the hook `pytest_claims_document()`, which may return a `Document`. It is no
entry point of the package: every run of pytest beside an installed `divergences` would then import NumPy and SciPy,
before the first conftest could set the number of threads.

PYTEST_DONT_REWRITE: a conftest may import `Document` from here before pytest loads the plugin.
"""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from divergences.claims.record import Claim, Document, Figure, Line
from divergences.claims.tables import counted, write

__all__ = ["Claim", "Document", "Figure", "Line"]

_RECORDED = pytest.StashKey[Claim]()
_PASSED = pytest.StashKey[bool]()


class _Specifications:
    """The hook that a project may implement."""

    @pytest.hookspec(firstresult=True)
    def pytest_claims_document(self) -> Document | None:
        """The title, sources and parts of this project's claims; without it, any source may be named."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hook known."""
    pluginmanager.add_hookspecs(_Specifications)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--claims=FILE.md` writes the table of claims."""
    group = parser.getgroup("claims")
    group.addoption("--claims", metavar="FILE.md", help="write the claims that ran to FILE.md, FILE.json and FILE/")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and attach the writer in the controlling process."""
    config.addinivalue_line("markers", "claim(row): a statement whose expected and measured numbers are recorded")
    asked = config.getoption("--claims")
    if not asked or hasattr(config, "workerinput"):
        return
    path = Path(config.invocation_params.dir, asked)
    if path.suffix != ".md" or path.is_dir():
        raise pytest.UsageError(f"--claims must name a file that ends in .md; got {asked!r}")
    if not config.getoption("collectonly", default=False):
        config.pluginmanager.register(_Writer(path, config), "divergences-claims-writer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a marked test that would record nothing: it would be missing in the table, silently."""
    for item in items:
        if item.get_closest_marker("claim") and "claim" not in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} is marked as a claim; let it take the fixture `claim`")


@pytest.fixture
def claim(request: pytest.FixtureRequest) -> Generator[Claim]:
    """The recorder of the running claim."""
    if not _row(request.node):
        pytest.fail(f"a claim names its row: @pytest.mark.claim('A1') above {request.node.name}", pytrace=False)
    recorded = _begun(request.node)
    request.node.stash[_RECORDED] = recorded
    yield recorded
    if request.node.stash.get(_PASSED, False):
        _demand(recorded)


def _row(item: pytest.Item) -> str:
    marker = item.get_closest_marker("claim")
    return str(marker.args[0]).strip() if marker and len(marker.args) == 1 else ""


def _begun(item: pytest.Item) -> Claim:
    function: Callable[..., Any] | None = getattr(item, "function", None)
    statement = " ".join((getattr(function, "__doc__", None) or item.name.replace("_", " ")).split())
    known, draws = _document(item.config).sources, bool(item.config.getoption("--claims"))
    return Claim(_row(item), statement, item.nodeid, known=known, draws=draws)


def _demand(recorded: Claim) -> None:
    """A test that passed says where its claim stands and shows something that holds; a failed one has said enough."""
    if not recorded.sources:
        pytest.fail(f"{recorded.row}: a claim names its source: claim.source(...)", pytrace=False)
    if all(line.kind == "refuted" for line in recorded.lines):
        pytest.fail(f"{recorded.row}: a claim records what holds, an erratum too: claim.check(...)", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Carry what a claim recorded in its report, so that it reaches the writer from worker processes too."""
    report = yield
    recorded = item.stash.get(_RECORDED, None)
    if recorded is None and report.failed and _row(item):  # another fixture failed first: no reason to be missing
        recorded = item.stash[_RECORDED] = _begun(item)
    if recorded is not None:
        recorded.failed |= not report.passed  # a skipped claim has shown nothing
        if report.when == "call":
            item.stash[_PASSED] = report.passed
        if report.when == "teardown":
            report.claim = json.dumps(recorded.record())
    return report


def _document(config: pytest.Config) -> Document:
    return config.hook.pytest_claims_document() or Document()


class _Writer:
    """Collects the claims of a run and writes the table at its end."""

    def __init__(self, path: Path, config: pytest.Config) -> None:
        self.path, self.config = path, config
        self.claims: dict[str, dict[str, Any]] = {}  # by test: one that is run again counts once

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the recorded claim from the report of its teardown."""
        text = getattr(report, "claim", None)
        if text is not None:
            self.claims[report.nodeid] = json.loads(text)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write what ran, unless the run was stopped: half a table must not replace a whole one."""
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            write(self.path, list(self.claims.values()), _document(self.config), Path(self.config.rootpath))

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Say how many claims hold, and where to read them."""
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            terminalreporter.write_line(f"claims: {counted(self.claims.values())} {self.path}")
