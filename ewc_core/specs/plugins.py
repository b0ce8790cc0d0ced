"""What installed packages bring: names of entry points, found without importing anything."""

from __future__ import annotations

from importlib.metadata import entry_points


def installed_plugins(group: str) -> tuple[str, ...]:
    """Names of the entry points of `group` in this environment, sorted."""
    return tuple(sorted({entry_point.name for entry_point in entry_points(group=group)}))
