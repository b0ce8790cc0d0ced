"""`ewc spec`: what can stand in a spec, field by field. It needs no service."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from ewc_client.cli.output import print_result
from ewc_client.spec_schema import Place, Schema, example, find, kind_of, members, specs, type_text
from ewc_client.terminal import Text

_INDENT = (0, 0, 0, 2)


def spec(
    field: Annotated[
        str | None,
        typer.Argument(metavar="FIELD", help="dotted name of a field, such as method.ewc_lambda", show_default=False),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="of which spec [the first that has the field]",
            autocompletion=lambda: list(specs()),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Explain a job or sweep spec, or one of its fields: type, bounds, default, meaning and an example."""
    path = field.split(".") if field else []
    if kind is not None and kind not in specs():
        raise typer.BadParameter(f"{kind!r} is no kind of spec; there are {', '.join(specs())}", param_hint="--kind")
    kinds = [kind] if kind else list(specs())
    found = next(((one, places) for one in kinds if (places := find(one, path))), None)
    if found is None:
        raise typer.BadParameter(_not_there(kinds, path), param_hint="FIELD")
    one, places = found
    print_result(Group(*_explained(one, path, places)))


def _not_there(kinds: Sequence[str], path: Sequence[str]) -> str:
    """Of the kind of spec that has most of the path."""
    depth, kind = max(((_depth(kind, path), kind) for kind in kinds), key=lambda pair: pair[0])
    names = list(dict.fromkeys(name for place in find(kind, path[:depth]) for name in _fields(place.schema)))
    near = difflib.get_close_matches(path[depth], names, n=1)
    there = f"it has {', '.join(names)}" if names else "it is a single value"
    where = ".".join(path[:depth]) or f"a {kind} spec"
    return f"{where} has no field {path[depth]!r}; {there}" + "".join(f"; did you mean `{name}`?" for name in near)


def _depth(kind: str, path: Sequence[str]) -> int:
    return next(depth for depth in range(len(path), -1, -1) if find(kind, path[:depth]))


def _explained(kind: str, path: Sequence[str], places: Sequence[Place]) -> list[RenderableType]:
    name = ".".join(path)
    of_what = "sweep" if kind == "sweep" else f"{kind} job"
    article = "an" if of_what[0] in "aeio" else "a"
    parts: list[RenderableType] = [Text(f"{name}, of {article} {of_what}" if path else of_what, style="bold")]
    same: dict[str, list[Place]] = {}
    for place in places:
        same.setdefault(json.dumps([place.schema, place.required]), []).append(place)
    for group in same.values():
        place = group[0]
        if len(same) > 1 or place.kinds:
            parts += [Text(), Text(f"where the kind is {' or '.join(' '.join(one.kinds) for one in group)}:")]
        default = f"default {json.dumps(place.schema['default'], ensure_ascii=False)}" if "default" in place.schema else ""
        default = default or ("required" if place.required else "may be left out")
        if path:
            parts.append(Padding(Text(f"{type_text(place.schema)}; {default}"), _INDENT))
        parts += [Padding(Text(line), _INDENT) for line in _meaning(place, path)]
        parts += _insides(place.schema)
        if path and not any(map(_fields, members(place.schema))):
            value = json.dumps(example(kind, path, place.schema), ensure_ascii=False)
            parts.append(Padding(Text(f"example: --set '{name}={value}'"), _INDENT))
    if any(_fields(place.schema) for place in places):
        parts += [Text(), Text(f"`ewc spec {name and name + '.'}FIELD` explains one of these fields.")]
    if not path:
        parts.append(Text(f"`ewc spec --kind KIND` explains another: {', '.join(other for other in specs() if other != kind)}."))
    return parts


def _meaning(place: Place, path: Sequence[str]) -> list[str]:
    """Of an object, what it says of itself; of a value, what it says, or what its object says about it."""
    described = list(
        dict.fromkeys(str(one["description"]) for one in (place.schema, *members(place.schema)) if one.get("description"))
    )
    texts = described if len(members(place.schema)) == 1 else described[: "description" in place.schema]
    if path:
        sentences = re.split(r"(?<=\.)\s+", " ".join(str(place.owner.get("description", "")).split()))
        about = " ".join(sentence for sentence in sentences if f"`{path[-1]}`" in sentence)
        texts += [about or ("" if texts or len(path) == 1 else str(place.owner.get("description", "")).split("\n\n")[0])]
    return [" ".join(part.split()) for text in texts for part in text.split("\n\n") if part]


def _insides(schema: Schema) -> list[RenderableType]:
    """The fields of an object, or of each kind of object."""
    parts: list[RenderableType] = []
    inner = [member for one in members(schema) for member in (members(one["items"]) if "items" in one else [one])]
    for member in inner:
        if "properties" not in member:
            continue
        if len(inner) > 1:
            parts += [Text(), Padding(Text(f"kind {kind_of(member)}", style="bold"), _INDENT)]
            about = str(member.get("description", "")).split("\n\n")
            parts += [Padding(Text(" ".join(part.split())), _INDENT) for part in about]
        parts += [Text(), Padding(_field_table(member), _INDENT)]
    return parts


def _field_table(member: Schema) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, schema in member["properties"].items():
        default = f"; default {json.dumps(schema['default'], ensure_ascii=False)}" if "default" in schema else ""
        required = "; required" if name in member.get("required", ()) and "const" not in schema else ""
        table.add_row(name, type_text(schema) + (default if "const" not in schema else "") + required)
    return table


def _fields(schema: Schema) -> list[str]:
    inner = [member for one in members(schema) for member in (members(one["items"]) if "items" in one else [one])]
    return [name for member in inner for name in member.get("properties", ())]
