"""Options and profiles that every test shares."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Test files run side by side: more threads than one each would only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
pytest_plugins = ["divergences.claims"]  # imports NumPy: after the threads are set

settings.register_profile(
    "fast",
    max_examples=50,
    deadline=None,
    derandomize=True,  # the same examples on every machine; `--deep` draws new ones
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", parent=settings.get_profile("fast"), max_examples=2000, derandomize=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--deep` runs the slow tests and more random examples."""
    parser.addoption("--deep", action="store_true", help="run slow tests and 2,000 examples per law")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the hypothesis profile."""
    settings.load_profile("deep" if config.getoption("--deep") else "fast")


def pytest_claims_document() -> Any:
    """The lectures."""
    from tests.claims.lectures import LECTURES

    return LECTURES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out slow tests unless asked."""
    if not config.getoption("--deep"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow: runs with --deep"))
