"""The record of repetitions that the calibration pages are written from."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tests.bench import pooled
from tests.bench.pooled import Record, digest, measured, options, repeated


@dataclass(frozen=True)
class Cell:
    """What is repeated."""

    name: str


def once(cell: Cell, rng: np.random.Generator) -> dict[str, float]:
    """A draw, and whether it is large: told in some repetitions only."""
    drawn = rng.random()
    return {"drawn": drawn} | ({"large": True} if drawn > 0.5 else {})


def test_a_record_goes_on_where_it_ended():
    """Two runs, one after the other, are one run; the seeds depend on the cell and the number alone."""
    start = Record(Cell("a"), "code")
    whole = repeated(once, start, 50, np.inf)
    parts = repeated(once, repeated(once, start, 20, np.inf), 50, np.inf)
    assert (parts.repetitions, parts.sums) == (whole.repetitions, whole.sums)
    assert whole.mean("large") == whole.sums["large"] / 50
    assert repeated(once, start, 50, 0.0).repetitions == 1
    assert repeated(once, Record(Cell("b"), "code"), 50, np.inf).sums != whole.sums


def test_a_store_adds_and_forgets_other_code(tmp_path):
    """What was run stays, cell by cell, until the code of the cell is another."""
    cells, store = [Cell("a"), Cell("b")], tmp_path / "cells.jsonl"

    def run(*arguments: str, code: str = "1") -> dict[str, int]:
        asked = options("", "", 10).parse_args(["--store", str(store), "--processes", "1", *arguments])
        return {cell.name: found.repetitions for cell, found in measured(once, cells, lambda _: code, asked).items()}

    assert run("--repetitions", "3", "--only", '"a"') == {"a": 3}
    assert run("--repetitions", "5") == {"a": 5, "b": 5}
    assert run("--seconds", "0") == {"a": 5, "b": 5}
    assert run("--seconds", "0", code="2") == {}
    assert run("--repetitions", "2", "--only", '"b"', code="2") == {"b": 2}
    assert len(store.read_text().splitlines()) == 1


def test_the_digest_sees_code_and_nothing_else(tmp_path, monkeypatch):
    """Comments, docstrings and layout leave it; a number here, or in what is imported, does not, unless set apart."""
    monkeypatch.setattr(pooled, "ROOT", tmp_path)
    (tmp_path / "pack").mkdir()
    one, two = tmp_path / "pack" / "one.py", tmp_path / "pack" / "two.py"

    def code(text: str, other: str = "B = 1", apart: Collection[str] = ()) -> str:
        one.write_text(text)
        two.write_text(other)
        return digest(["pack.one"], "pack", apart=apart)

    first = code("from pack.two import B\ndef f():\n    return B + 1\n")
    same = '"""Of one."""\nfrom pack.two import B  # the other\n\ndef f():\n    """It."""\n    return (B +\n 1)\n'
    assert code(same) == first
    assert code(same.replace("1)", "2)")) != first
    assert code(same, "B = 2") != first
    assert code(same, apart=["pack.two"]) == code(same, "B = 2", ["pack.two"]) != first
