"""From exceptions to problem documents. Nothing of the service's inside reaches the client."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from api.hints import message_with_hint
from api.json_pointers import items_of_spec_error, problem_items
from api.problems import (
    INVALID_REQUEST,
    MALFORMED_JSON,
    OF_STATUS,
    ProblemItem,
    ProblemType,
    members_of,
    problem_response,
    type_of,
)
from api.request_context import request_id_of
from api.storable_values import sent_body
from ewc_core.errors import EwcError, SpecError

_log = logging.getLogger("api")
_RETRY_AFTER_SECONDS = 5
_LONG_DETAIL = 100


def install(app: FastAPI) -> None:
    """Answer every exception of the app with a problem document."""
    app.add_exception_handler(EwcError, _on_ewc_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def problem_of(error: EwcError, *, instance: str, request_id: str, body: Any = None) -> JSONResponse:
    """The response to an error of the tree; those of status 500 are logged here and keep their message to themselves. `body` is
    what the request sent, if it was read."""
    problem = type_of(error)
    headers = dict(getattr(error, "headers", {}))
    detail = str(error)
    items = items_of_spec_error(error, body) if isinstance(error, SpecError) else []
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("request %s failed with %s: %s", request_id, type(error).__name__, " ".join(detail.split()))
        detail = problem.explanation
    return problem_response(
        problem, detail, instance=instance, request_id=request_id, items=items, members=members_of(error), headers=headers
    )


def _on_ewc_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, EwcError):
        raise TypeError(f"registered for EwcError, called with {type(error).__name__}")
    return problem_of(error, instance=request.url.path, request_id=request_id_of(request), body=sent_body(request))


def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise TypeError(f"registered for RequestValidationError, called with {type(error).__name__}")
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        return _answer(
            request, MALFORMED_JSON, _where_reading_stopped(str(error.body), found[0]["loc"][1], found[0]["ctx"]["error"])
        )
    schema, schemas = _schema_of_body(request)
    items = _said_once(
        [
            item
            for one in found
            for item in problem_items({**one, "msg": message_with_hint(one, error.body, schema, schemas)}, error.body)
        ]
    )
    count = "1 value was" if len(items) == 1 else f"{len(items)} values were"
    places = ", ".join(item.parameter or item.pointer or "the body" for item in items)
    return _answer(request, INVALID_REQUEST, f"{count} refused: {places}", items=items)


def _said_once(items: list[ProblemItem]) -> list[ProblemItem]:
    """A long explanation stands at the first of the places that it is about; the others lead to it."""
    first: dict[str, str | None] = {}
    return [
        item
        if len(item.detail) < _LONG_DETAIL or first.setdefault(item.detail, item.pointer) == item.pointer
        else item.model_copy(update={"detail": f"as at {first[item.detail]}"})
        for item in items
    ]


def _schema_of_body(request: Request) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    document = request.app.openapi()
    operation = document["paths"].get(request.scope["route"].path_format, {}).get(request.method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    return content.get("schema"), document["components"]["schemas"]


def _where_reading_stopped(text: str, position: int, why: str) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"the body is not JSON: {why} at line {line}, column {column} (character {position})"


def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(f"registered for HTTPException, called with {type(error).__name__}")
    if isinstance(error.__cause__, EwcError):
        # What reads the body cannot raise an EwcError through FastAPI, which turns it into a 400: it comes wrapped.
        return problem_of(error.__cause__, instance=request.url.path, request_id=request_id_of(request))
    if isinstance(error.__cause__, RequestValidationError):
        return _on_validation_error(request, error.__cause__)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _on_other_method(request)
    phrase = HTTPStatus(error.status_code).phrase
    problem = OF_STATUS.get(error.status_code) or ProblemType("http_error", error.status_code, phrase, phrase)
    detail = problem.explanation if error.detail == phrase else str(error.detail)
    return _answer(request, problem, detail, headers=dict(error.headers or {}))


def _on_other_method(request: Request) -> Response:
    """What the path has instead; that is also the whole answer to OPTIONS."""
    methods = _methods_of(request)
    headers = {"Allow": ", ".join(methods)}
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    problem = OF_STATUS[HTTPStatus.METHOD_NOT_ALLOWED]
    return _answer(request, problem, problem.explanation, members={"allowed_methods": methods}, headers=headers)


def _methods_of(request: Request) -> list[str]:
    """Every method of the request's path. Each method is a route of its own, and a router tells of one only."""
    routes: list[BaseRoute] = request.app.routes
    found = {
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    }
    return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))


def _answer(
    request: Request,
    problem: ProblemType,
    detail: str,
    *,
    items: list[ProblemItem] | None = None,
    members: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    return problem_response(
        problem,
        detail,
        instance=request.url.path,
        request_id=request_id_of(request),
        items=items or [],
        members=members,
        headers=headers,
    )
