"""Fixtures for all tests; one thread per process: the suite runs on all cores already; nightly tests only when asked for."""

import os

import pytest

from tests.inherited_signals import keep_ignored_signals_from_children

keep_ignored_signals_from_children()

# Before torch is loaded here or in any process that a test starts: two threads a process on busy cores are far slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.backends.fixtures"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `nightly` out, unless `-m` says which tests to run."""
    if config.option.markexpr:
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=nightly)
    items[:] = [item for item in items if item not in nightly]
