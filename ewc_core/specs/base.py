"""The base of every spec: frozen, and strict about unknown fields, non-finite numbers, and what only looks like a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MOST_TOLD = 20


def _without_lookalikes(schema: Any) -> Any:
    """A core schema whose numbers are numbers. Members of a union stay as they are: each is known by its type already."""
    if isinstance(schema, list | tuple):
        return [_without_lookalikes(part) for part in schema]
    if not isinstance(schema, dict) or schema.get("type") == "union" or _is_checked(schema):
        return schema
    if schema.get("type") == "bool":
        return {**schema, "strict": True}
    if schema.get("type") in ("int", "float"):
        return core_schema.no_info_before_validator_function(_a_number, schema)
    return {name: part if name in ("cls", "default", "metadata") else _without_lookalikes(part) for name, part in schema.items()}


def _is_checked(schema: dict[str, Any]) -> bool:
    """A part of a spec has been checked before the whole is."""
    return schema.get("type") == "function-before" and schema["function"]["function"] is _a_number


def _a_number(value: Any) -> Any:
    if isinstance(value, bool):
        given = "true" if value else "false"
        raise PydanticCustomError("not_a_number", "expected a number, not {given}", {"given": given})
    if isinstance(value, str):
        given = f"the text {value[:50]!a}{_hint(value)}"
        raise PydanticCustomError("not_a_number", "expected a number, not {given}", {"given": given})
    return value


def _hint(text: str) -> str:
    try:
        return "; write it without quotation marks" if math.isfinite(float(text)) else ""
    except ValueError:
        return ""


class Checked(BaseModel):
    """Immutable. Unknown fields, NaN and infinity are refused; so are, for a number, `true` and a text such as "100", and for
    a boolean whatever else pydantic takes for one. A whole number may be written 1.0, which JSON does not tell from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the fields, with a check before each number."""
        schema: CoreSchema = _without_lookalikes(handler(source))
        return schema


class Misfits(ValueError):
    """Several values that do not fit together. Each of `messages` starts with the dotted path of the field that is to blame;
    `told` are the first of them, with how many more there are."""

    def __init__(self, messages: Sequence[str]) -> None:
        more = [f"and {len(messages) - MOST_TOLD} more values do not fit"] if len(messages) > MOST_TOLD else []
        self.messages, self.told = tuple(messages), (*messages[:MOST_TOLD], *more)
        super().__init__("; ".join(self.told))


def require_all(*checks: Callable[[], object]) -> None:
    """Make all checks, so that what one refuses does not hide what others do.

    Raises:
        ValueError: one refuses something.
        Misfits: several do.
    """
    found: list[str] = []
    for check in checks:
        try:
            check()
        except Misfits as misfits:
            found += misfits.messages
        except ValueError as misfit:
            found.append(str(misfit))
    refuse(*found)


def refuse(*misfits: str | None) -> None:
    """Tell all that does not fit, as messages that start with the path of a field; None is nothing.

    Raises:
        ValueError: one thing does not fit.
        Misfits: several do not.
    """
    messages = [message for message in dict.fromkeys(misfits) if message is not None]
    if messages:
        raise ValueError(messages[0]) if len(messages) == 1 else Misfits(messages)


class Spec(Checked):
    """A part of a job spec."""
