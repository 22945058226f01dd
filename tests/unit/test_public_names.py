"""The public surface: what is exported exists, is documented, and imports fast and without torch."""

import subprocess
import sys

import pytest

import divergences
import gan

PACKAGES = pytest.mark.parametrize("package", [divergences, gan], ids=lambda p: p.__name__)


@PACKAGES
def test_exports_are_sorted_and_exist(package):
    """`__all__` is sorted, and each name is there."""
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


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
