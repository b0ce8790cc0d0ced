"""YAML that means what the same JSON would: values of YAML 1.2's core schema, each key once, nothing but plain data.

YAML 1.1, which PyYAML reads by itself, takes `no` for false, `1e3` for a text, and 2026-01-01 for a date.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_MOST_VALUES = 200_000  # more than any spec has; ten lines of aliases of aliases stand for billions
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 PyYAML's way; filled below


_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile(r"^<<$"), ["<"])


def parse_yaml(text: str) -> Any:
    """The one document in the text.

    Raises:
        ValueError: it is no YAML, or not plain data; the message begins with the place, "line 3, column 5: ...".
    """
    try:
        document = _Loader(text).get_single_node()
        if document is None:
            raise ValueError("line 1, column 1: there is nothing in it")
        _count_values(document, {}, set())
        return _value(document)
    except yaml.MarkedYAMLError as error:
        raise ValueError(_place(error.problem_mark or error.context_mark, f"{error.problem or error.context}")) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - before.rfind("\n")
        what = f"the character {chr(error.character)!a} is not allowed in YAML"
        raise ValueError(f"line {before.count(chr(10)) + 1}, column {column}: {what}") from error
    except RecursionError as error:
        raise ValueError("line 1, column 1: it is nested too deeply") from error


def _count_values(node: Node, counts: dict[int, int], above: set[int]) -> int:
    """How many values the node stands for when every alias is written out."""
    if id(node) in counts:
        return counts[id(node)]
    if id(node) in above:
        raise _refusal(node, "an alias to what it stands in never ends")
    above.add(id(node))
    children = [part for pair in node.value for part in pair] if isinstance(node, MappingNode) else node.value
    inner = () if isinstance(node, ScalarNode) else children
    count = 1 + sum(_count_values(child, counts, above) for child in inner)
    above.remove(id(node))
    if count > _MOST_VALUES:
        raise _refusal(node, f"with its aliases written out it has more than {_MOST_VALUES} values")
    counts[id(node)] = count
    return count


def _value(node: Node) -> Any:
    if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
        return _mapping(node)
    if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
        return [_value(item) for item in node.value]
    if not isinstance(node, ScalarNode):
        raise _refusal(node, f"what is of the type {node.tag.removeprefix(_TAG)!a} is no value of a spec")
    text = str(node.value)
    try:
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case "int":
                return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
            case "float" if math.isfinite(float(text)):
                return float(text)
    except (KeyError, ValueError):
        pass
    raise _refusal(node, f"{text[:50]!a} of the type {node.tag.removeprefix(_TAG)!a} is no value of a spec")


def _mapping(node: MappingNode) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode):
            raise _refusal(key, "a key must be a text")
        if key.tag == f"{_TAG}merge":
            for part in value.value if isinstance(value, SequenceNode) else [value]:
                if not isinstance(part, MappingNode):
                    raise _refusal(part, "'<<' takes fields from a mapping, or from a list of mappings")
                merged = {**_mapping(part), **merged}
        elif key.value in own:
            raise _refusal(key, f"the key {key.value!a} is there twice")
        else:
            own[str(key.value)] = _value(value)
    return {**merged, **own}


def _refusal(node: Node, why: str) -> ValueError:
    return ValueError(_place(node.start_mark, why))


def _place(mark: yaml.Mark | None, why: str) -> str:
    return why if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {why}"
