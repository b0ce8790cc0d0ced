"""What installed packages bring: names of entry points, found without importing anything; and the options they are given."""

from __future__ import annotations

import math
import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

from pydantic import AfterValidator, Field

_Places = tuple[tuple[str, int | None], ...]


def offered(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of `group` in this environment.

    Finding them reads a file of every installed package, so what was found stands until a package is installed or removed:
    that changes the folder that it lies in. A job may name plug-ins a thousand times.
    """
    return _found(group, _places())


def installed_plugins(group: str) -> tuple[str, ...]:
    """Names of the entry points of `group` in this environment, sorted."""
    return tuple(sorted({entry_point.name for entry_point in offered(group)}))


def plugin_packages(group: str) -> tuple[str, ...]:
    """The importable packages that the entry points of `group` lie in, sorted."""
    return tuple(sorted({entry_point.module.partition(".")[0] for entry_point in offered(group)}))


@lru_cache(maxsize=32)
def _found(group: str, _where: _Places) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


def _places() -> _Places:
    """Where packages are looked for, and when (nanoseconds) each place was changed last; None where nothing is."""
    return tuple((place, _changed_at(place or os.curdir)) for place in sys.path)


def _changed_at(place: str) -> int | None:
    try:
        return os.stat(place).st_mtime_ns
    except OSError:
        return None


def _finite_throughout(options: dict[str, Any]) -> dict[str, Any]:
    """JSON has no such numbers: stored, they would come back as null. Raises ValueError; the message starts with the field."""
    waiting: list[tuple[str, Any]] = list(options.items())
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{path} is {value}; a number in the options must be finite")
        if isinstance(value, dict):
            waiting.extend((f"{path}.{key}", part) for key, part in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend((f"{path}.{index}", part) for index, part in enumerate(value))
    return options


Options = Annotated[dict[Annotated[str, Field(max_length=64)], Any], AfterValidator(_finite_throughout)]
"""What a spec hands to code of users: any JSON object."""
