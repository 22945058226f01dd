"""Fixtures that several files share."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path: Path):
    """Write bytes or text under a name, and return the path."""

    def write(content: bytes | str, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def files(tmp_path: Path, monkeypatch) -> Path:
    """A folder with two small tables, which becomes the working directory."""
    rng = np.random.default_rng(0)
    for name, shift in (("ref.csv", 0.0), ("cur.csv", 2.0)):
        rows = rng.normal([30 + shift, 1.7], [1.0, 0.1], (25, 2))
        (tmp_path / name).write_text("age,height\n" + "\n".join(f"{a:.6f},{b:.6f}" for a, b in rows) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path
