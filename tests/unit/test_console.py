"""The console: every error has its exit code, and every way a shell can end or close a stream."""

import os
import subprocess
import sys

import pytest
from cyclopts import App

from divergences.console import explain, run
from divergences.errors import ConvergenceError, DataError

QUICK = ("compare", "ref.csv", "cur.csv", "--permutations", "2")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("bad"), 3, "bad"),
        (ConvergenceError("pass strict=False", None), 4, "--allow-unconverged"),
        (PermissionError(13, "Permission denied", "x.csv"), 5, "'x.csv': Permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 3, "memory"),
        (ZeroDivisionError("oops"), 70, "--debug"),
    ],
)
def test_every_error_has_a_code(capsys, error, code, words):
    """Any app gets the same mapping."""
    app = App(name="other")

    @app.default
    def fail() -> None:
        raise error

    assert explain(error)[0] == code
    assert run(app, []) == code
    assert words in capsys.readouterr().err


def start(*argv: str, **options) -> subprocess.CompletedProcess:
    """The command in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "divergences", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def test_a_closed_pipe_is_quiet(files):
    """`divergences ... | head -0`: no traceback."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "divergences", "doctor"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(params=["", "1"], ids=["held back", "unbuffered"])
def buffering(request, monkeypatch):
    """Both ways of Python with its output: what it still holds when it ends must not change the exit code."""
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


@pytest.mark.usefixtures("buffering")
@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize(("rule", "code"), [("w1(age)>0.5", 1), ("w1(age)>50", 0)])
def test_a_closed_pipe_does_not_change_the_answer(files, form, rule, code):
    """`divergences compare ... --fail-on RULE | head -0`: what decides a build is the rule."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "divergences", *QUICK, "--format", form, "--fail-on", rule]
    done = subprocess.run(command, stdout=write, stderr=subprocess.DEVNULL, check=False, timeout=60)
    os.close(write)
    assert done.returncode == code


@pytest.mark.usefixtures("buffering")
def test_streams_that_the_shell_closed(files):
    """`>&-` and a full standard error leave the exit code, and nothing where it does not belong."""
    for argv, redirection, code in (
        ("doctor", ">&-", 0),
        ("distance no.csv cur.csv", "2>&-", 5),
        ("distance no.csv cur.csv", "2>/dev/full", 5),
    ):
        command = f"{sys.executable} -m divergences {argv} {redirection}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.usefixtures("buffering")
def test_a_full_disk_is_exit_code_5(files):
    """Nothing is swallowed when stdout cannot take the answer."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "divergences", "doctor"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 5
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_greek_gets_question_marks(files):
    """ASCII streams, no colour codes: no UnicodeEncodeError; and the help comes without torch or matplotlib."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    done = start(*QUICK, env=environment)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    probe = "import sys, divergences.cli; print(sorted({'torch', 'matplotlib', 'ot', 'pyarrow'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
