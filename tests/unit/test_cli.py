"""The command line: what it prints, what it refuses, and its exit codes."""

import csv
import io
import json
import os
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from divergences import cli
from divergences._parallel import thread_count
from divergences.console import run
from divergences.rules import fired, parse_rule


@pytest.fixture
def call(capsys):
    """Run a command line in this process; returns (exit code, stdout, stderr)."""

    def call(*argv: str) -> tuple[int, str, str]:
        code = run(cli.app, argv)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


QUICK = ("compare", "ref.csv", "cur.csv", "--permutations", "2")


def test_compare_prints_the_verdict_and_writes_what_was_asked(files, call):
    """The table on stdout, the rest on stderr, JSON and HTML in files."""
    code, out, err = call(*QUICK, "--report", "out.html", "--json", "out.json")
    assert code == 0
    assert "Reference and current differ" in out
    assert "height" in out
    assert err.splitlines()[-2:] == ["wrote out.html", "wrote out.json"]
    assert "note: columns 'age', 'height': fewer than 30 values on a side" in err
    found = json.loads((files / "out.json").read_text())
    assert list(found["columns"]) == ["age", "height"]
    assert found["meta"]["seed"] == 0
    assert "ref.csv against cur.csv" in (files / "out.html").read_text()


def test_formats(files, call):
    """JSON and CSV on stdout can be read by programs."""
    _, out, _ = call(*QUICK, "--format", "json")
    assert json.loads(out)["joint"]["w1"]["lower"] > 0
    assert json.loads(out)["columns"]["age"]["mean_shift"] > 1  # current - reference
    _, out, _ = call(*QUICK, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["column"] for row in rows] == ["age", "height"]
    assert float(rows[0]["w1"]) > 1


def test_columns_are_chosen_with_quotes_if_need_be(files, call):
    """A name with a comma is quoted as in CSV."""
    code, out, _ = call(*QUICK, "--format", "json", "--columns", "height")
    assert code == 0
    assert list(json.loads(out)["columns"]) == ["height"]
    for name in ("ref.csv", "cur.csv"):
        (files / name).write_text('"a,b",c\n1,2\n3,4\n')
    assert call(*QUICK, "--columns", '"a,b",c')[0] == 0


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("w1(age)>0.5", 1),
        ("w1(age) > 50", 0),
        ("unseen(age)>0.5", 1),
        ("unseen(age)>0.99", 0),
        ("ks(*)>=0.5", 1),
        ("w2>0.1", 1),
        ("energy_distance<0", 0),
        ("pvalue_adjusted(height)<=0.0001", 0),
    ],
)
def test_fail_on(files, call, rule, code):
    """Exit code 1 says that they differ by the user's own rule, and stderr says why."""
    found, _, err = call(*QUICK, "--fail-on", "w2>1e9", "--fail-on", rule)
    assert found == code
    assert ("differs: " in err) == bool(code)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("w1(agee)>0.5", "column 'agee' is unknown. Did you mean 'age'?"),
        ("w1_ds(age)>0.5", "metric 'w1_ds' is unknown. Did you mean 'w1_sd'?"),
        ("ks>0.5", "metric 'ks' is unknown jointly. Write ks(*) for any column."),
        ("w1(age)>1.2.3", "must end in a number"),
        ("w1(age)>1e400", "must end in a number"),
        ("w1(age)=0.5", "must look like"),
        ("", "must look like"),
        ("__class__(age)>1", "is unknown"),
        ("w2>1", "needs the joint distances. Leave out --no-joint"),
    ],
)
def test_bad_rules_are_usage(files, call, rule, message):
    """Exit code 2, one line, the nearest name."""
    code, out, err = call(*QUICK, "--no-joint", "--fail-on", rule)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_rules_take_any_column_name():
    """Parentheses and relations inside a name do not confuse the parser."""
    assert parse_rule("w1(a (b) > c)>0.5").column == "a (b) > c"
    assert parse_rule("w1_sd(x)<=1e-3").threshold == 1e-3


@pytest.mark.parametrize(("rule", "holds"), [("w2>1", False), ("w2>=1", True), ("w2<1", False), ("w2<=1", True)])
def test_equality_belongs_to_the_relations_that_say_so(rule, holds):
    """At the threshold itself."""
    at_one: Any = SimpleNamespace(joint={"w2": SimpleNamespace(value=1.0)})
    assert bool(fired(parse_rule(rule), at_one)) == holds


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("compare", "ref.csv", "missing.csv"), 5, "'missing.csv': No such file"),
        (("compare", "ref.csv", "."), 3, "must hold only files"),
        (("compare", "ref.csv", "cur.xls"), 3, "must end in one of"),
        (("compare", "ref.csv", "folder.csv"), 3, "folder"),
        (("compare", "ref.csv", "text.csv"), 3, "a number in 'ref.csv' and a category in 'text.csv'"),
        (("compare", "ref.csv", "ragged.csv"), 3, "line 3 has 3 fields, expected 2"),
        (("compare", "ref.csv", "gaps.csv", "--nan-policy", "raise"), 3, "--nan-policy omit"),
        (("compare", "ref.csv", "other.csv"), 3, "only 'other.csv' has 'weight'"),
        (("compare", "ref.csv", "cur.csv", "--colunms", "age"), 2, "--colunms"),
        (("compare", "ref.csv"), 2, "--cur"),
        (("compare", "ref.csv", "cur.csv", "--columns", "aeg"), 3, "Did you mean 'age'"),
        (("compare", "ref.csv", "cur.csv", "--permutations", "0"), 2, "--permutations"),
        (("compare", "ref.csv", "cur.csv", "--permutations", "x"), 2, "--permutations"),
        (("compare", "ref.csv", "cur.csv", "--seed", "-1"), 2, "--seed"),
        (("compare", "ref.csv", "cur.csv", "--seed", "1.5"), 2, "a whole number; got '1.5'"),
        (("compare", "ref.csv", "cur.csv", "--permutations", "0x10"), 2, "a whole number"),
        (("compare", "ref.csv", "cur.csv", "--json", "./cur.csv", "--force"), 2, "a file of its own"),
        (("compare", "ref.csv", "cur.csv", "--json", "out", "--report", "out"), 2, "a file of its own"),
        (("compare", "ref.csv", "cur.csv", "--json", "pipe", "--force"), 5, "pipe or device"),
        (("distance", "ref.csv", "gaps.csv"), 3, "'gaps.csv', column 'age' must have no gaps"),
        (("compare", "ref.csv", "cur.csv", "--report", "gaps.csv"), 5, "exists already; pass --force"),
        (("compare", "ref.csv", "cur.csv", "--json", "no/where.json"), 5, "its folder does not exist"),
        (("compair", "ref.csv", "cur.csv"), 2, "compair"),
        (("distance", "ref.csv", "cur.csv", "--distance", "w3"), 2, "w3"),
        (("distance", "ref.csv", "cur.csv", "--distance", "mmd", "--solver", "exact"), 2, "--solver applies to"),
        (("distance", "ref.csv", "cur.csv", "--solver", "univariate"), 3, ""),
    ],
)
def test_errors_are_one_line_and_a_code(files, call, argv, code, message):
    """Nothing on stdout; the file, the place and the remedy on stderr."""
    (files / "folder.csv").mkdir()
    (files / "cur.xls").write_text("a")
    os.mkfifo(files / "pipe")
    (files / "text.csv").write_text("age,height\nx,1\ny,2\n")
    (files / "ragged.csv").write_text("age,height\n1,1\n2,2,2\n")
    (files / "gaps.csv").write_text("age,height\n1,1\n,2\n")
    (files / "other.csv").write_text("age,weight\n1,1\n2,2\n")
    found, out, err = call(*argv)
    assert (found, out) == (code, "")
    assert err.startswith("divergences: ")
    assert err.count("\n") == 1
    assert message in err


def test_hostile_file_names_are_one_line(files, call):
    """A name with an escape sequence and a line break is printed without either."""
    code, _, err = call("compare", "ref.csv", "a\x1b[31m\nb.csv")
    assert code == 5
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_markup_in_names_is_printed_as_it_is(files, call):
    """[red] and [/] are names, not instructions to rich."""
    for name in ("ref.csv", "cur.csv"):
        (files / name).write_text("[red]a,[/x]\n1,2\n3,4\n")
    code, out, _ = call(*QUICK)
    assert code == 0
    assert "[red]a" in out
    assert "[/x]" in out


@pytest.mark.parametrize("name", ["w1", "w2", "energy", "mmd", "sliced_w2", "sinkhorn_divergence"])
def test_distance(files, call, name):
    """The value first; a bracket or an interval where there is one."""
    code, out, err = call("distance", "ref.csv", "cur.csv", "--distance", name)
    assert (code, err) == (0, "")
    assert float(out.splitlines()[0].removeprefix(f"{name} = ")) > 0
    assert ("within [" in out) == (name in ("w1", "w2", "sliced_w2"))


@pytest.mark.parametrize("solver", ["exact", "linear-program", "univariate", "sinkhorn"])
def test_solvers_agree_on_one_column(files, call, solver):
    """Within the bracket that each prints."""
    argv = ("distance", "ref.csv", "cur.csv", "--columns", "age", "--distance", "w1")
    exact = float(call(*argv)[1].split()[2])
    _, out, _ = call(*argv, "--solver", solver)
    low, high = json.loads(out.splitlines()[1].removeprefix("within "))
    assert low - 1e-9 <= exact <= high + 1e-9


def test_doctor(call):
    """Versions, threads, the kernels' cache, and a write that works."""
    code, out, _ = call("doctor")
    assert code == 0
    assert "numpy " in out
    assert f"threads used {thread_count()} (OMP_NUM_THREADS " in out
    assert re.search(r"kernels: \d+ (ready|of \d+ compiled in [\d.]+ s, kept) in /", out)
    assert "writing works" in out


def test_debug_shows_the_traceback(files, call):
    """And the one line still comes last."""
    _, _, err = call("compare", "ref.csv", "missing.csv", "--debug")
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("divergences: ")


@pytest.mark.parametrize("command", [(), ("compare",), ("distance",), ("doctor",)])
def test_help_teaches(call, command):
    """Every command has an example; the front page has the exit codes."""
    code, out, _ = call(*command, "--help")
    assert code == 0
    assert ("Example: divergences" if command else "Exit codes") in out


def test_fail_on_a_distance_that_is_too_small_for(files, call):
    """A rule about MMD, which needs two rows a side, is bad data and not a crash."""
    (files / "one.csv").write_text("age,height\n1,2\n")
    code, _, err = call("compare", "ref.csv", "one.csv", "--permutations", "2", "--fail-on", "mmd>0.1")
    assert code == 3
    assert "needs mmd" in err


def test_a_narrow_terminal_cuts_no_number(files, call, monkeypatch):
    """Where the table is too wide, names are broken over lines and numbers stay whole."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = call(*QUICK)
    assert code == 0
    assert "pvalue_" in out
    assert "…" not in out


def test_standard_input_is_named_once(files, call):
    """It cannot be read twice: the second table would be empty."""
    code, out, err = call("compare", "-", "-")
    assert (code, out) == (2, "")
    assert "standard input can be read once" in err


def test_gaps_are_shown_where_there_are_any(files, call):
    """Their shares, reference first; else no column is spent on them."""
    assert "missing" not in call(*QUICK, "--no-joint")[1]
    lines = (files / "cur.csv").read_text().splitlines()
    (files / "gaps.csv").write_text("\n".join([lines[0], *(f",{line.split(',')[1]}" for line in lines[1:])]))
    _, out, err = call("compare", "ref.csv", "gaps.csv", "--no-joint")
    assert "missing" in out
    assert "0%→100%" in out
    assert "largest difference is in age: 0% of its cells are missing in the reference, 100% in the" in out
    assert "column 'age': no value in the current data" in err
    assert "only 0 values" not in err
