"""Reading job specs and tasks, as JSON or YAML, from files or the command line."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import typer

from ewc_client.cli.yaml_text import parse_yaml

_YAML_SUFFIXES = (".yaml", ".yml")


def read_object(source: str, *, what: str) -> dict[str, Any]:
    """An object in JSON or YAML, from a file, from standard input (`-`), or written out in JSON (`{...}`).

    Raises:
        typer.BadParameter: it cannot be read, or is no object.
    """
    if source.lstrip().startswith("{"):
        text, name = source, "the argument"
    else:
        name = "standard input" if source == "-" else source
        text = _read_text(source, what)
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise typer.BadParameter(f"{name} is empty; a {what} is an object with fields")
    document = _parse(text, name)
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{name} holds {_kind_of(document)}; a {what} is an object with fields")
    return document


def _kind_of(document: object) -> str:
    match document:
        case None:
            return "null"
        case list():
            return "a list"
        case str():
            return "only a text"
    return f"only the value {json.dumps(document)}"


def _parse(text: str, name: str) -> Any:
    """A name that ends in .json is JSON, one in .yaml is YAML, of which JSON is a part; else a brace tells."""
    is_yaml = name.endswith(_YAML_SUFFIXES)
    may_be_json = text.lstrip()[:1] in ("{", "[") or name.endswith(".json")
    if may_be_json:
        try:
            return _parse_json(text)
        except (ValueError, RecursionError) as error:
            if not is_yaml:
                raise typer.BadParameter(f"{name} is not JSON: {error}") from error
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name}, {error}") from error


def _parse_json(text: str) -> Any:
    """JSON without what Python adds to it, and with each key once."""
    return json.loads(text, object_pairs_hook=_once_each, parse_constant=_finite, parse_float=_finite)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!a} is there twice in one object")
    return found


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f"{text} is not a number that a spec can hold")
    return float(text)


def set_value(spec: dict[str, Any], assignment: str) -> None:
    """Apply `dotted.path=value`; the value is JSON, or else text. `tasks.0.permutation=3` reaches into lists.

    Raises:
        typer.BadParameter: there is no `=`, or the path leads nowhere.
    """
    path, separator, value = assignment.partition("=")
    if not separator or not path:
        raise typer.BadParameter(f"{assignment!r} is not of the form path=value, such as method.ewc_lambda=100")
    place: Any = spec
    *parents, last = path.split(".")
    try:
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = _value(value)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise typer.BadParameter(f"{path!r} leads to nothing in the spec ({error})") from error


def _read_text(source: str, what: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{what} file {source!r} is not text in UTF-8 (byte {error.start} tells)") from error
    except OSError as error:
        raise typer.BadParameter(f"{what} file {source!r} cannot be read: {error.strerror or error}") from error


def _value(text: str) -> Any:
    try:
        return _parse_json(text)
    except ValueError:  # a word, such as sgd
        return text
