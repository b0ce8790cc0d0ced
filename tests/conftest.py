"""Fixtures for all tests; one thread per process: the suite runs on all cores already; nightly tests only when asked for."""

import os

import pytest
from hypothesis import settings

from tests.inherited_signals import keep_ignored_signals_from_children
from tests.marks import add_marks

keep_ignored_signals_from_children()

# Before torch is loaded here or in any process that a test starts: two threads a process on busy cores are far slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No test asserts seconds, Hypothesis's examples neither.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

pytest_plugins = ["tests.backends.fixtures"]


@pytest.hookimpl(tryfirst=True)  # before pytest's own, which reads the marks for `-m`
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark all tests, and leave those marked `nightly` out, unless `-m` speaks of them."""
    add_marks(items)
    if "nightly" in config.option.markexpr:
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=nightly)
    items[:] = [item for item in items if item not in nightly]
