"""Reading job specs and tasks from files or the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer


def read_object(source: str, *, what: str) -> dict[str, Any]:
    """A JSON object from a file, from standard input (`-`), or written out (`{...}`).

    Raises:
        typer.BadParameter: it cannot be read, or is not a JSON object.
    """
    if source == "-":
        text, name = sys.stdin.read(), "standard input"
    elif source.lstrip().startswith("{"):
        text, name = source, "the argument"
    else:
        text, name = _read_file(source, what), source
    try:
        document = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{name} holds a JSON {type(document).__name__}; a {what} is a JSON object")
    return document


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


def _read_file(source: str, what: str) -> str:
    try:
        return Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{what} file {source!r} cannot be read: {error}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a word, such as sgd
        return text
