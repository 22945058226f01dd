"""How kernels are compiled and kept: once, quietly, and only when they are needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import divergences as dv
from divergences import _compiler


def in_a_new_process(code, **environment):
    """What a fresh interpreter prints, as JSON."""
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), run.stderr


def test_importing_loads_no_compiler():
    """Nor does a small problem; a large one does."""
    code = """
import json, sys
import numpy as np
import divergences as dv
heavy = ["numba", "llvmlite"]
before = [name for name in heavy if name in sys.modules]
dv.kl([0.5, 0.5], [0.25, 0.75])
small = [name for name in heavy if name in sys.modules]
p = np.full(2**17, 2.0**-17)
dv.kl(p, p)
print(json.dumps([before, small, [name for name in heavy if name in sys.modules]]))
"""
    assert in_a_new_process(code)[0] == [[], [], ["numba", "llvmlite"]]


@pytest.mark.parametrize("modules", [":1", pytest.param(":", marks=pytest.mark.slow)])
def test_a_second_process_reads_the_cache(modules, tmp_path):
    """The first compiles every kernel within half a minute, the second compiles none; both compute the same bits."""
    code = f"""
import json, time
import numpy as np
import divergences as dv
from divergences import _compiler
_compiler.MODULES = _compiler.MODULES[{modules}]
start = time.process_time()
words = _compiler.load()
p, q = np.random.default_rng(0).dirichlet(np.ones(1000), (2, 200))
seconds = time.process_time() - start
fresh = [bool(kernel.stats.cache_misses) for kernel in _compiler.KERNELS]
print(json.dumps([words, seconds, fresh, dv.kl(p, q).tolist()]))
"""
    (first, seconds, fresh, values), errors = in_a_new_process(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert fresh
    assert all(fresh)
    assert f"{len(fresh)} of {len(fresh)} compiled in " in first
    assert str(tmp_path) in first
    assert seconds < 30
    assert errors == ""  # no word where no terminal waits
    (second, _, fresh, again), _ = in_a_new_process(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert not any(fresh)
    assert f"{len(fresh)} ready in " in second
    assert values == again


def test_without_a_cache_folder_kernels_still_compile(monkeypatch):
    """Numba refuses to cache where nothing can be written; each process compiles for itself; doctor says so."""
    njit, asked = _compiler.njit, []

    def refusing(signature, **options):
        asked.append(options.get("cache", False))
        if asked[-1]:
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return njit(signature, **options)

    monkeypatch.setattr(_compiler, "njit", refusing)
    monkeypatch.setattr(_compiler, "KERNELS", [])
    monkeypatch.setattr(_compiler, "MODULES", ())
    kernel = _compiler.compiled("float64(float64)")(lambda x: 1 / x)
    assert asked == [True, False]
    assert kernel(0.0) == float("inf")
    assert _compiler.load().startswith("1 compiled in ")
    assert "NUMBA_CACHE_DIR" in _compiler.load()


def test_other_errors_of_the_compiler_are_raised():
    """Only a missing cache folder is overcome."""
    with pytest.raises(Exception, match="nowhere"):
        _compiler.compiled("float64(float64)")(lambda x: nowhere(x))  # noqa: F821  # pyright: ignore


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_is_told_why_it_waits(terminal, monkeypatch, capsys):
    """One line, once, after a second of compiling; none into a file or a pipe."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(_compiler, "PATIENCE", 0.01)
    monkeypatch.setattr(_compiler, "_seconds", 0.0)
    monkeypatch.setattr(_compiler, "KERNELS", [])
    for power in (2, 3):
        _compiler.compiled("float64(float64)")(eval(f"lambda x: x ** {power} + 1"))  # noqa: S307
    words = capsys.readouterr().err
    assert words == ("divergences: compiling its kernels, once ...\n" if terminal else "")


def test_every_module_with_kernels_is_listed():
    """Those that use `compiled` are in MODULES, so that `make setup` compiles them."""
    package = Path(dv.__file__).parent
    found = {
        ".".join(["divergences", *path.relative_to(package).with_suffix("").parts])
        for path in package.rglob("*.py")
        if "\n@compiled(" in path.read_text(encoding="utf-8")
    }
    assert found == set(_compiler.MODULES)
