"""What a refused body may have meant: the validator's messages, completed by what could stand there.

The body's schema is that of the OpenAPI document, followed to the place of the error through the members of unions that the
body has chosen by `kind`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ewc_core.specs.datasets import DatasetName
from ewc_core.specs.hints import as_question, did_you_mean, listed, meant

Schema = Mapping[str, Any]
_DISCRIMINATORS = ("kind", "action")
_OF_CHOICES = frozenset(
    [
        "enum",
        "literal_error",
        "union_tag_invalid",
        "job_kind",
        "checked_kind",
        "task_kind",
        "network_kind",
        "dataset_kind",
        "range_kind",
    ]
)
_OF_NO_KIND = frozenset(["union_tag_not_found", "model_attributes_type", "model_type"])
_MOST_FIELDS_LISTED = 8
_QUOTED = re.compile(r"(?<!\w)'([^']*)'")


def message_with_hint(error: Mapping[str, Any], body: Any, schema: Schema | None, schemas: Mapping[str, Schema]) -> str:
    """The message of a pydantic error. `schema` is that of the request's `body`, `schemas` what its references lead to."""
    message = str(error["msg"])
    if error["type"] == "extra_forbidden" and schema is not None:
        return _of_unknown_field(error["loc"], body, schema, schemas) or message
    if error["type"] in _OF_NO_KIND and schema is not None:
        return _of_missing_kind(error, schema, schemas) or message
    if error["type"] == "string_type" and isinstance(error["input"], int | float):
        return f"expected a text, not {json.dumps(error['input'])}; write it in quotation marks"
    if error["type"] not in _OF_CHOICES:
        return message
    context = error.get("ctx") or {}
    quoted = _QUOTED.findall(str(context.get("expected") or context.get("expected_tags") or message))
    known = [choice for choice in quoted if choice not in _DISCRIMINATORS]
    given = error["input"]
    if error["type"].endswith("_kind") and not isinstance(given, Mapping):
        return _of_no_object(error["type"], message, given, known)
    if isinstance(given, Mapping):
        given = next((given[name] for name in _DISCRIMINATORS if name in given), None)
    if error["type"] == "union_tag_invalid":
        message = f"expected {listed(known)}"
    return message + (did_you_mean(given, known) if isinstance(given, str) else "")


def _of_no_object(error_type: str, message: str, given: Any, kinds: Sequence[str]) -> str:
    """Something else in the place of an object with a kind; the name of a data set in the place of a task."""
    near = [f'{{"kind": "{name}"}}' for name in meant(given, kinds)] if isinstance(given, str) else []
    if not near and error_type == "task_kind" and isinstance(given, str):
        near = [f'{{"dataset": "{name}"}}' for name in meant(given, [name.value for name in DatasetName])]
    return f"expected an object; {message}{as_question(near)}"


def _of_missing_kind(error: Mapping[str, Any], schema: Schema, schemas: Mapping[str, Schema]) -> str | None:
    """An object without `kind`, or a word instead of an object."""
    _, candidates = _on_the_way(error["loc"][1:], schema, schemas)
    given = error["input"]
    if len(candidates) == 1:
        return _of_no_fields(candidates[0], given, schemas)
    kinds = [kind for kind in map(_tag, candidates) if kind]
    if not kinds:
        return None
    name = next(name for name in _DISCRIMINATORS if name in candidates[0]["properties"])
    near = [f'{{"{name}": "{kind}"}}' for kind in meant(given, kinds)] if isinstance(given, str) else []
    return f"expected an object with {'an' if name == 'action' else 'a'} {name!r}: {listed(kinds)}{as_question(near)}"


def _of_no_fields(place: Schema, given: Any, schemas: Mapping[str, Schema]) -> str | None:
    """Something else in the place of an object of one sort; a word may be the kind of it."""
    fields = place.get("properties")
    if not fields:
        return None
    kinds = [kind for member in _members(fields.get("kind", {}), schemas) for kind in member.get("enum", ())]
    near = [f'{{"kind": "{kind}"}}' for kind in meant(given, kinds)] if isinstance(given, str) else []
    return "expected an object" + (as_question(near) or f" with {_fields_listed(fields)}")


def _of_unknown_field(where: Sequence[str | int], body: Any, schema: Schema, schemas: Mapping[str, Schema]) -> str | None:
    """It may be another field here, or one of a part of the whole: `lr` belongs to `training`."""
    _, *location, name = where
    whole, candidates = _on_the_way(location, schema, schemas)
    place = candidates[0] if len(candidates) == 1 else {}
    if whole is None or "properties" not in place:
        return None
    fields = list(place["properties"])
    near = meant(str(name), fields) or [
        f"{path}.{inner}"
        for field, part in whole["properties"].items()
        for path, member in _parts(field, part, schemas)
        if _chosen(body, field) in (None, _tag(member))
        for inner in meant(str(name), member.get("properties", ()), by_spelling=False)
    ]
    return f"there is no field {_short(str(name))!a} here" + (
        as_question([*dict.fromkeys(near)][:3]) or f"; there {'is' if len(fields) == 1 else 'are'} {', '.join(fields)}"
    )


def _parts(field: str, schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """What can stand in a field, and in the first place of a list there, each with its dotted path."""
    for member in _members(schema, schemas):
        yield field, member
        yield from ((f"{field}.0", item) for item in _members(member.get("items") or {}, schemas))


def _fields_listed(fields: Sequence[str] | Mapping[str, Any]) -> str:
    more = len(fields) - _MOST_FIELDS_LISTED
    return f"the fields {', '.join([*fields][:_MOST_FIELDS_LISTED])}" + (f" and {more} more" if more > 0 else "")


def _on_the_way(
    location: Sequence[str | int], schema: Schema, schemas: Mapping[str, Schema]
) -> tuple[Schema | None, Sequence[Schema]]:
    """The outermost object of the body, and what can stand at `location`; nothing where the schema does not say."""
    steps = [*location]
    whole: Schema | None = None
    candidates = list(_members(schema, schemas))
    while steps or len(candidates) == 1:
        if len(candidates) > 1:
            tag = steps.pop(0)
            candidates = [member for member in candidates if _tag(member) == tag]
        if len(candidates) != 1:
            return whole, ()
        found = candidates[0]
        if "properties" in found:
            whole = whole or found
        if not steps:
            break
        step = steps.pop(0)
        inner = found.get("items") if isinstance(step, int) else found.get("properties", {}).get(step)
        candidates = list(_members(inner or found.get("additionalProperties") or {}, schemas))
    return whole, candidates


def _members(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[Schema]:
    """The schema without references; of a union every member but null."""
    if "$ref" in schema:
        yield from _members(schemas[schema["$ref"].rpartition("/")[2]], schemas)
        return
    union = schema.get("oneOf") or schema.get("anyOf")
    for member in union or ():
        yield from _members(member, schemas)
    if not union and schema.get("type") != "null":
        yield schema


def _tag(member: Schema) -> str | None:
    properties = member.get("properties", {})
    return next((properties[name].get("const") for name in _DISCRIMINATORS if name in properties), None)


def _chosen(body: Any, field: str) -> Any:
    part = body.get(field) if isinstance(body, Mapping) else None
    return part.get("kind") if isinstance(part, Mapping) else None


def _short(name: str) -> str:
    return name if len(name) <= 100 else f"{name[:100]}..."
