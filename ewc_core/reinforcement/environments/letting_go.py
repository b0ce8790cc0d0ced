"""Closing environments: what was played in one stays as it is, whatever its own close() raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from ewc_core.errors import EnvironmentFailed
from ewc_core.reinforcement.environments.group import EnvironmentGroup

Group = TypeVar("Group", bound=EnvironmentGroup)


def let_go(group: EnvironmentGroup) -> EnvironmentFailed | None:
    """Close it, and return what its code raised, which is no reason to stop: nothing is asked of it any more."""
    try:
        group.close()
    except EnvironmentFailed as failed:
        return failed
    return None


@contextmanager
def held(group: Group) -> Iterator[Group]:
    """The group, which is let go of after the block."""
    try:
        yield group
    finally:
        let_go(group)
