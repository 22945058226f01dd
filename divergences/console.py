"""What every command line shares: exit codes, one-line errors, progress. `gan` uses it too."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TextIO

from cyclopts import App, CycloptsError, Parameter, Token

from divergences._checks import UnknownNameError
from divergences.errors import ConvergenceError, DataError
from divergences.wording import plain

DONE, DIFFER, USAGE, BAD_DATA, NOT_CONVERGED, IO, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130


class UsageError(ValueError):
    """The command line cannot be understood: exit code 2."""


def run(app: App, argv: Sequence[str] | None = None, *, speaks: Callable[[], bool] = lambda: True) -> int:
    """Run `app` on `argv` (default: the command line) and return its exit code; errors are one line on stderr.

    Of several processes that run one command, only the one that `speaks` explains an error.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in tokens
    app.suppress_keyboard_interrupt = False  # an interrupt is explained like any other end
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the shell closed it (`>&-`)
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    code = DONE
    try:
        with printing():
            code = app(
                [token for token in tokens if token != "--debug"],  # noqa: S105
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code, message = explain(error)
        if speaks():
            say(f"{app.name[0]}: {message}")
    return int(code or DONE)


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the one line for an error."""
    if isinstance(error, CycloptsError | UsageError | UnknownNameError):
        return USAGE, f"{error} (--help shows how)"
    if isinstance(error, ConvergenceError):
        return NOT_CONVERGED, f"{error}".replace("strict=False", "--allow-unconverged")
    if isinstance(error, DataError):
        return BAD_DATA, str(error)
    if isinstance(error, MemoryError):
        return BAD_DATA, "the data do not fit into memory; compare fewer rows or columns"
    if isinstance(error, OSError):
        where = f"{error.filename!r}: " if error.filename is not None else ""
        return IO, f"{where}{error.strerror or error}"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, str(error) or "interrupted"
    return INTERNAL, f"internal error, please report it ({type(error).__name__}: {error}); --debug shows where"


def say(message: str) -> None:
    """One line on standard error, without control characters; where that cannot be written, the exit code remains."""
    try:
        print(plain(message, 2000), file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)


@contextmanager
def printing() -> Iterator[None]:
    """Print to standard output until its reader has seen enough (`| head -1`): no error, and the exit code stays."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:
            _abandon(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise


def _abandon(stream: TextIO) -> None:
    """Write the rest nowhere: Python would complain again, of what it still holds, when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def whole(_: Any, tokens: Sequence[Token]) -> int:
    """An option that counts: cyclopts by itself would round 1.5."""
    text = tokens[0].value
    if not re.fullmatch("[+-]?[0-9]{1,20}", text):
        raise ValueError(f"it must be a whole number; got {text!r}.")
    return int(text)


Whole = Annotated[int, Parameter(converter=whole)]


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A function (stage, part done) that draws on standard error if that is a terminal, and nothing else."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda stage, part: bar.update(task, description=stage, completed=part)
