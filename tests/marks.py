"""The marks that a test gets by where it lies, so that `-m` can choose among all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_MARKS = {"ewc_core": "unit", "chaos": "chaos", "journeys": "journey", "docker": "docs", "repository": "docs"}
_ON_ONE_ENGINE = frozenset({"api", "worker"})


def add_marks(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; what is not listed is of the service.

    In the folders where SQLite stands for both engines, tests on PostgreSQL are nightly, except in files marked `both_engines`.
    """
    for item in items:
        folder = item.path.relative_to(_TESTS).parts[0]
        item.add_marker(_MARKS.get(folder, "service"))
        if folder in _ON_ONE_ENGINE and _engine(item) == "postgresql" and item.get_closest_marker("both_engines") is None:
            item.add_marker("nightly")


def _engine(item: pytest.Item) -> object:
    return item.callspec.params.get("database_url") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
