"""The marks that a test gets by where it lies, so that `-m` can choose among all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_MARKS = {"ewc_core": "unit", "chaos": "chaos", "journeys": "journey", "docker": "docs", "repository": "docs"}
_ON_ONE_ENGINE = frozenset({"api", "worker"})
STACKS = ("embedded", "servers")


def add_marks(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; what is not listed is of the service.

    In the folders where SQLite stands for both engines, tests on PostgreSQL are nightly, except in files marked `both_engines`.
    What is marked `by_day(stack)` is nightly on the other stack.
    """
    for item in items:
        folder = item.path.relative_to(_TESTS).parts[0]
        item.add_marker(_MARKS.get(folder, "service"))
        is_second_engine = folder in _ON_ONE_ENGINE and _parameter(item, "database_url") == "postgresql"
        if is_second_engine and item.get_closest_marker("both_engines") is None:
            item.add_marker("nightly")
        by_day = item.get_closest_marker("by_day")
        if by_day is not None and _parameter(item, "stack") != _known_stack(item, *by_day.args):
            item.add_marker("nightly")


def _known_stack(item: pytest.Item, stack: str) -> str:
    if stack not in STACKS:
        raise pytest.UsageError(f"{item.nodeid} is marked by_day({stack!r}); stacks are {', '.join(STACKS)}")
    return stack


def _parameter(item: pytest.Item, name: str) -> object:
    return item.callspec.params.get(name) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
