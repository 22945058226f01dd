"""Compiled kernels: how they are made, kept between runs, and made ahead by `make setup`.

Modules in `MODULES` hold kernels and are imported inside the functions that need them: `import divergences` loads no
compiler. Each kernel has a fixed signature, so importing its module compiles it, or reads it from Numba's cache (beside
the source, else in the user's cache folder, else where NUMBA_CACHE_DIR points). Numba notices changes of the file that
holds a kernel, not of files it calls into: functions that kernels inline live in the same file.
"""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from threading import Timer
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

MODULES = (
    "divergences.f_divergences._kernels",
    "divergences._sorting",
    "divergences.profiles._tally",
    "divergences.samples._tree",
    "divergences.samples._bumps",
    "divergences.samples.columns._merge",
    "divergences.optimal_transport._line",
    "divergences.optimal_transport._small",
    "divergences.optimal_transport._cells",
    "divergences.optimal_transport._gibbs",
    "divergences.optimal_transport._stored",
    "divergences.optimal_transport._hierarchy",
    "divergences.optimal_transport._pricing",
    "divergences.optimal_transport._simplex",
    "divergences.optimal_transport._auction",
)
PATIENCE = 1.0  # seconds of compiling after which a terminal is told why it waits


def _cast(source: Any, target: Any, code: Any) -> Any:
    """The same bits as another type."""

    def cast(_typing: Any, _value: Any) -> Any:
        return target(source), lambda _context, builder, _signature, args: builder.bitcast(args[0], code)

    return intrinsic(cast)


# In kernels only: the bits of a float64 as an int64, and back; the same of a float32 and an int32.
bits = _cast(types.float64, types.int64, ir.IntType(64))
from_bits = _cast(types.int64, types.float64, ir.DoubleType())
bits32 = _cast(types.float32, types.int32, ir.IntType(32))
from_bits32 = _cast(types.int32, types.float32, ir.FloatType())


def _wide(_typing: Any) -> Any:
    def mark(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # llvmlite's own `add` knows no such name
        return context.get_dummy_value()

    return types.void(), mark


# In kernels only: wide() lets the loops of a kernel take vectors of 512 bits, which LLVM avoids unless it is told.
wide: Any = intrinsic(_wide)


KERNELS: list[Any] = []
_seconds = 0.0


def compiled(signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a kernel: compiled at once for `signature`, without the interpreter's lock, kept in the cache.

    Division by zero gives inf or NaN as in NumPy, and arithmetic is done as written, unless `fastmath` is among the
    options of Numba's `njit` given here.
    """
    settings = {"nogil": True, "error_model": "numpy"} | options

    def decorate(function: Callable[..., Any]) -> Any:
        global _seconds
        start = time.perf_counter()
        notice = Timer(max(PATIENCE - _seconds, 0.0), _tell) if _seconds < PATIENCE else None
        if notice:
            notice.daemon = True
            notice.start()
        try:
            kernel = _cached(function, signature, settings)
        finally:
            if notice:
                notice.cancel()
            _seconds += time.perf_counter() - start
        KERNELS.append(kernel)
        return kernel

    return decorate


def _cached(function: Callable[..., Any], signature: Any, settings: dict[str, Any]) -> Any:
    try:
        return njit(signature, cache=True, **settings)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return njit(signature, **settings)(function)  # no folder can be written: compiled in each process


def _tell() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print("divergences: compiling its kernels, once ...", file=sys.stderr, flush=True)


def load() -> str:
    """Load every kernel, and say in one line where they came from: the cache, or the compiler just now."""
    start = time.perf_counter()
    for module in MODULES:
        import_module(module)
    stats = [kernel.stats for kernel in KERNELS]
    seconds = time.perf_counter() - start
    folders = sorted({stat.cache_path for stat in stats if stat.cache_path})
    if not folders:
        return (
            f"{len(stats)} compiled in {seconds:.1f} s, not kept: no cache folder can be written; set NUMBA_CACHE_DIR"
        )
    fresh = sum(bool(stat.cache_misses) for stat in stats)
    done = f"{fresh} of {len(stats)} compiled in {seconds:.1f} s, kept" if fresh else f"{len(stats)} ready"
    return f"{done} in {', '.join(folders)}"
