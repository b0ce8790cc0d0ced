"""What specs consist of, from the service's own OpenAPI document, of which the client carries a copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """A field at the end of a path. `kinds` are those of the objects on the way that have it, where they have kinds."""

    kinds: tuple[str, ...]
    schema: Schema
    required: bool
    owner: Schema


@cache
def specs() -> Mapping[str, Schema]:
    """The schemas of the specs of every kind of job, and of a sweep, by kind."""
    of_jobs = _body("/v1/jobs")["schema"]["oneOf"]
    return {**{str(kind_of(members(schema)[0])): schema for schema in of_jobs}, "sweep": _body("/v1/sweeps")["schema"]}


def find(kind: str, path: Sequence[str]) -> list[Place]:
    """The field at `path` in specs of this kind, once for each kind of object that has it. Numbers lead into lists."""
    whole = specs()[kind]
    return list(_places(Place((), whole, True, {}), [part for part in path if not part.isdigit()]))


def members(schema: Schema) -> list[Schema]:
    """The schemas that a value may have, without references, and without null."""
    if "$ref" in schema:
        return members(_document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    union = schema.get("oneOf") or schema.get("anyOf")
    if union:
        return [member for part in union for member in members(part)]
    return [] if schema.get("type") == "null" else [schema]


def kind_of(member: Schema) -> str | None:
    """The `kind` that a member of a union has."""
    own: str | None = member.get("properties", {}).get("kind", {}).get("const")
    return own


def example(kind: str, path: Sequence[str], schema: Schema) -> Any:
    """A value of the field: that of an example of the document, else its default, else the first that is allowed."""
    parts = [part for part in path if not part.isdigit()]
    for body in _examples("/v1/sweeps" if kind == "sweep" else "/v1/jobs"):
        if kind == "sweep" or body.get("kind", _usual_kind()) == kind:
            for value in _values(body, parts):
                return value
    return schema["default"] if "default" in schema else _first_allowed(schema)


def type_text(schema: Schema) -> str:
    """A type and its bounds in words."""
    kinds = [kind for kind in map(kind_of, members(schema)) if kind]
    texts = [f"object of the kind {_listed(kinds)}"] if len(kinds) > 1 else []
    texts += [_type_of_member(member) for member in members(schema) if len(kinds) < 2 or kind_of(member) is None]
    texts += ["null"] if any(part.get("type") == "null" for part in schema.get("anyOf", ())) else []
    return _listed(list(dict.fromkeys(texts)))


def _type_of_member(member: Schema) -> str:
    if "const" in member:
        return json.dumps(member["const"])
    if "enum" in member:
        return _listed([json.dumps(value) for value in member["enum"]])
    kind = str(member.get("type", "any value"))
    if kind == "array":
        return f"list of {_span(member, 'minItems', 'maxItems')}values, each {type_text(member.get('items', {})) or 'any'}"
    if kind == "object" and "properties" not in member:
        inner = member.get("additionalProperties")
        return "object from names to " + ((type_text(inner) if isinstance(inner, dict) else "") or "any value")
    bounds = [
        f"{sign} {_short(member[name])}"
        for name, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if name in member
    ]
    if kind == "string":
        size = _span(member, "minLength", "maxLength")
        return f"text of {size}characters" if size else "text"
    return " ".join([{"integer": "whole number", "boolean": "true or false"}.get(kind, kind), ", ".join(bounds)]).strip()


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e10 else f"{number:g}"


def _span(schema: Schema, low: str, high: str) -> str:
    if high not in schema:
        return f"at least {schema[low]} " if low in schema else ""
    return f"{schema.get(low, 0)} to {schema[high]} "


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else ""


def _places(place: Place, path: Sequence[str]) -> Iterator[Place]:
    if not path:
        yield place
        return
    for member in members(place.schema):
        if "items" in member:
            yield from _places(Place(place.kinds, member["items"], True, member), path)
        elif path[0] in member.get("properties", {}):
            kind = kind_of(member)
            kinds = (*place.kinds, kind) if kind and len(members(place.schema)) > 1 else place.kinds
            inner = Place(kinds, member["properties"][path[0]], path[0] in member.get("required", ()), member)
            yield from _places(inner, path[1:])


def _first_allowed(schema: Schema) -> Any:
    member = members(schema)[0]
    if "const" in member or "enum" in member:
        return member.get("const") or member["enum"][0]
    if "properties" in member:
        fields = member.get("required", ())
        return {name: _first_allowed(member["properties"][name]) for name in fields}
    kind = member.get("type")
    if kind == "array":
        return [_first_allowed(member["items"])] if member.get("minItems") else []
    number = member.get("minimum", 1)
    return {"string": "name", "integer": int(number), "number": number, "boolean": True}.get(str(kind), {})


def _values(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list) and path:
        for item in value:
            yield from _values(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _values(value[path[0]], path[1:])


def _examples(path: str) -> list[Any]:
    content = _body(path)
    return [one["value"] for one in content.get("examples", {}).values()]


def _usual_kind() -> str | None:
    """The kind of a job spec that does not say its kind."""
    kinds = (members(schema)[0]["properties"]["kind"] for schema in _body("/v1/jobs")["schema"]["oneOf"])
    return next((kind["default"] for kind in kinds if "default" in kind), None)


def _body(path: str) -> Any:
    return _document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]


@cache
def _document() -> Any:
    return json.loads((files("ewc_client") / "openapi.json").read_text(encoding="utf-8"))
