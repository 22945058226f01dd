"""`divergences doctor`: what is installed, and what works."""

import os
from pathlib import Path

from divergences.console import DONE


def doctor() -> int:
    """Say what is installed, the threads, where compiled kernels are kept, and whether files can be written.

    Example: divergences doctor
    """
    import platform
    import tempfile
    from importlib import metadata

    from divergences import _compiler
    from divergences._parallel import thread_count
    from divergences.saving import write_atomically

    print(f"python {platform.python_version()} on {platform.platform()}")
    libraries = ("numpy", "scipy", "numba", "POT", "scikit-learn", "pyarrow", "matplotlib", "cyclopts", "torch")
    for package in ("divergences", *libraries):
        try:
            print(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            print(f"{package}: not installed{' (only gan needs it)' if package == 'torch' else ''}")
    limits = ", ".join(f"{v} {os.environ.get(v, 'not set')}" for v in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"))
    print(f"processors {os.cpu_count()}, threads used {thread_count()} ({limits})")
    print(f"kernels: {_compiler.load()}")
    with tempfile.TemporaryDirectory() as folder:
        write_atomically(Path(folder, "test.txt"), "test")
    print(f"writing works in {tempfile.gettempdir()}")
    return DONE
