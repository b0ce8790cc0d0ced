"""Values that no database column can hold as they are, or that no reader of JSON gets back, are refused before they get there.

Texts with a NUL or half a surrogate pair; numbers that are NaN, infinite (`1e400` is) or need more than 64 bits; and bodies
nested deeper than any that means something.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.json_pointers import pointer
from ewc_core.errors import NotFound, SpecError

MAX_DEPTH = 64
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TEXT = "unstorable_text"
_LARGEST = 2**63 - 1
_MAX_ERRORS = 20
Path = tuple[str | int, ...]


class StorableRequest(Request):
    """A request whose JSON body holds storable values only."""

    async def json(self) -> Any:
        """The parsed body.

        Raises:
            HTTPException: caused by a SpecError (texts) or a RequestValidationError (the rest) that names the fields. (FastAPI
                turns any other exception into a 400.)
        """
        document = await super().json()
        text = next((path for path, kind, _ in _unstorable(document) if kind == _TEXT), None)
        if text is not None:
            place = pointer(text)
            raise HTTPException(422) from SpecError(
                f"the text at {place!a} has a NUL or half a surrogate pair in it", field=place
            )
        errors: list[dict[str, Any]] = []
        for path, kind, message in _unstorable(document):
            errors.append({"loc": ("body", *path), "type": kind, "msg": message})
            if len(errors) == _MAX_ERRORS:
                break
        if errors:
            raise HTTPException(422) from RequestValidationError(errors, body=document)
        self.state.sent = document
        return document


def sent_body(request: Request) -> Any:
    """The parsed body of a request, None where none was read."""
    return getattr(request.state, "sent", None)


def require_storable_parameters(request: Request) -> None:
    """Check the path and the query.

    Raises:
        NotFound: an id in the path that no record can have.
        SpecError: a value in the query that cannot be stored, so it cannot be found either.
    """
    for name, value in request.path_params.items():
        if _UNSTORABLE.search(str(value)):
            raise NotFound(name.removesuffix("_id"), str(value))
    for name, value in request.query_params.multi_items():
        if _UNSTORABLE.search(value):
            raise SpecError(f"query parameter {name!a} has a NUL or half a surrogate pair in it")


def _unstorable(document: Any) -> Iterator[tuple[Path, str, str]]:
    """Where each such value is, the kind of its error, and what is wrong. Without recursion: a body can be nested deeply."""
    waiting: list[tuple[Path, Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) and _UNSTORABLE.search(value):
            yield path, _TEXT, "the text has a NUL or half a surrogate pair in it"
        elif isinstance(value, float) and not math.isfinite(value):
            yield path, "finite_number", "the number is NaN, or too large for a 64-bit float"
        elif isinstance(value, int) and not -_LARGEST - 1 <= value <= _LARGEST:
            yield path, "number_too_large", f"the number needs more than 64 bits; expected {-_LARGEST - 1} to {_LARGEST}"
        elif isinstance(value, list | dict):
            if len(path) == MAX_DEPTH:
                yield path, "nested_too_deeply", f"the value is nested in more than {MAX_DEPTH} others"
                continue
            parts = list(value.items() if isinstance(value, dict) else enumerate(value))
            if isinstance(value, dict) and any(_UNSTORABLE.search(key) for key in value):
                yield path, _TEXT, "a name in the object has a NUL or half a surrogate pair in it"
                parts = [(key, part) for key, part in parts if not _UNSTORABLE.search(key)]
            waiting.extend(((*path, key), part) for key, part in reversed(parts))
