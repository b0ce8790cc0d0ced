"""Where a validation error is: pydantic's locations and the specs' dotted paths as JSON pointers (RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from api.problems import ProblemItem
from ewc_core.errors import SpecError
from ewc_core.specs.base import MOST_TOLD, Misfits

_DISCRIMINATORS = ("kind", "action")
_DEFAULT_TAGS = ("supervised", "permuted", "mlp", "builtin", "float")
"""Tags of unions whose discriminator may be left out of the body."""
_UNKNOWN_TAG = ("union_tag_invalid", "job_kind", "checked_kind", "task_kind", "network_kind", "dataset_kind", "range_kind")
"""Errors of a discriminator with a value that no member of its union has."""
_LEADING_PATH = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)*")


def pointer(parts: Sequence[str | int]) -> str:
    """The JSON pointer of a path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def items_of_spec_error(error: SpecError, body: Any) -> list[ProblemItem]:
    """Entries of a problem's `errors`: one for each mistake that the error tells of."""
    return [
        ProblemItem(pointer=pointer_of_field(one.field, body), code=one.code, detail=str(one))
        for one in (error.parts or (error,))[:MOST_TOLD]
    ]


def pointer_of_field(field: str, body: Any) -> str:
    """The JSON pointer of a dotted path such as `tasks.2.dataset`, as far as the body has it: a field that it leaves out has a
    default. A pointer is one already."""
    return field if field.startswith("/") else pointer(_path_in_message(field, body))


def problem_items(error: Mapping[str, Any], body: Any) -> list[ProblemItem]:
    """One pydantic error as entries of a problem's `errors`: one, unless it tells of several values."""
    misfits = (error.get("ctx") or {}).get("error")
    messages = misfits.told if isinstance(misfits, Misfits) else [str(error["msg"])]
    return [problem_item({**error, "msg": message}, body) for message in messages]


def problem_item(error: Mapping[str, Any], body: Any) -> ProblemItem:
    """One message of a pydantic error as an entry of a problem's `errors`."""
    place, *location = error["loc"]
    detail = str(error["msg"]).removeprefix("Value error, ")
    if place != "body":
        return ProblemItem(parameter=".".join(str(part) for part in location), code=error["type"], detail=detail)
    path, value = _path_in_body(location, body, is_missing=error["type"] == "missing")
    if error["type"] == "value_error":
        told = _path_in_message(detail, value)
        path = [*path, *told]
        detail = detail.removeprefix(".".join(str(part) for part in told) + ": ")
    if error["type"] in _UNKNOWN_TAG and isinstance(value, Mapping):
        path = [*path, *(name for name in _DISCRIMINATORS if name in value)]
    return ProblemItem(pointer=pointer(path), code=error["type"], detail=detail)


def _path_in_body(location: Sequence[str | int], body: Any, *, is_missing: bool) -> tuple[list[str | int], Any]:
    """Pydantic puts the tag of a discriminated union into the location, where the body has no such level: leave it out.

    The last part of a missing field's location is that field, never a tag.
    """
    path: list[str | int] = []
    value = body
    for position, part in enumerate(location):
        if not (is_missing and position == len(location) - 1) and _is_tag(part, value):
            continue
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            value = None
        path.append(part)
    return path, value


def _is_tag(part: str | int, value: Any) -> bool:
    if not isinstance(value, Mapping):
        return isinstance(part, str)  # no name leads into anything but an object
    if part in value:
        return False
    return part in _DEFAULT_TAGS or any(value.get(name) == part for name in _DISCRIMINATORS)


def _path_in_message(message: str, value: Any) -> list[str | int]:
    """Checks over several fields start their message with the dotted path of the field that they refuse.

    A field that the body leaves out has a default: then the pointer leads to what it would be in.
    """
    match = _LEADING_PATH.match(message)
    if match is None:
        return []
    path: list[str | int] = []
    parts = match.group().split(".")
    for index, part in enumerate(parts):
        rest = ".".join(parts[index:])
        if isinstance(value, Mapping) and rest in value:  # a key that is itself a dotted path, as in a sweep's search
            return [*path, rest]
        if isinstance(value, Mapping) and part in value:
            path.append(part)
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            path.append(int(part))
            value = value[int(part)]
        else:
            break
    return path
