"""The public surface: what is exported exists, is documented, and imports fast and without torch."""

import subprocess
import sys
from types import ModuleType

import pytest

import divergences
import gan

PACKAGES = pytest.mark.parametrize("package", [divergences, gan], ids=lambda p: p.__name__)


@PACKAGES
def test_exports_are_the_public_names(package):
    """`__all__` lists what the package imports for its users, each name once, and nothing else."""
    public = {name for name, value in vars(package).items() if not isinstance(value, ModuleType)}
    assert sorted(package.__all__) == sorted(name for name in public if not name.startswith("_"))


@PACKAGES
def test_public_names_are_documented(package):
    """Each public function and class says what it is."""
    for name in package.__all__:
        public = getattr(package, name)
        if callable(public):
            assert public.__doc__, name


def test_divergences_imports_without_torch_and_heavy_parts():
    """`import divergences` loads neither torch nor POT nor matplotlib."""
    code = (
        "import sys, divergences; print(*(m for m in "
        "('torch', 'ot', 'matplotlib', 'sklearn', 'pyarrow', 'pandas', 'gan') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
