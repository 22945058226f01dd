"""The command line `divergences`: parse, call, print. Heavy imports wait until a command runs."""

import io
import sys

from cyclopts import App

from divergences.cli.compare import compare
from divergences.cli.distance import distance
from divergences.cli.doctor import doctor
from divergences.cli.matrix import matrix
from divergences.cli.profiles import merge, profile
from divergences.console import run

app = App(
    name="divergences",
    help="""How far apart are two tables, and is it more than chance?

    Exit codes: 0 done; 1 a --fail-on condition holds; 2 usage; 3 bad data; 4 not converged; 5 input/output;
    130 interrupted. Every command takes --debug, which shows the traceback of an error.
    """,
)
for command in (compare, distance, profile, merge, matrix, doctor):
    app.command(command)
app.register_install_completion_command(name="--install-completion")


def main() -> None:
    """The entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows a question mark
    sys.exit(run(app))
