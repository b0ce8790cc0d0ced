"""Text that no database column can hold is refused before it gets there: NUL, and halves of surrogate pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from ewc_core.errors import NotFound, SpecError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class CarefulRequest(Request):
    """A request whose JSON body holds storable text only."""

    async def json(self) -> Any:
        """The parsed body.

        Raises:
            HTTPException: caused by a SpecError that names the field. (FastAPI turns any other exception into a 400.)
        """
        document = await super().json()
        # Such characters can only come as escapes: a body without a backslash need not be walked.
        if b"\\u" in await self.body():
            for path in _unstorable_paths(document, ()):
                field = ".".join(path)
                raise HTTPException(422) from SpecError(
                    f"the text at {field!a} has a NUL or half a surrogate pair in it", field=field
                )
        return document


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


def _unstorable_paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable_paths(item, (*path, str(index)))
    elif isinstance(value, dict):
        for key, item in value.items():
            if _UNSTORABLE.search(key):
                yield path
            yield from _unstorable_paths(item, (*path, key))
