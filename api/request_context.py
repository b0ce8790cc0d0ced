"""The outermost layer: the request id, one access line per request, and the last resort for unexpected exceptions."""

from __future__ import annotations

import logging
import re
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import INTERNAL, problem_response
from api.root_path import place_under
from store.ids import new_id

_access = logging.getLogger("api.access")
_log = logging.getLogger("api")
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(request: Request) -> str:
    """The id of this request, as its answer and the log carry it."""
    return str(request.state.request_id)


class RequestContext:
    """ASGI middleware.

    A client's X-Request-ID is kept when it consists of 1 to 128 letters, digits, dots, dashes and underscores;
    any other value could forge a log line, and is replaced.
    """

    def __init__(self, app: ASGIApp, *, root_path: str = "") -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place_under(self._root_path, scope)
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ACCEPTED_ID.fullmatch(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 the last resort: the client gets a problem, the operator the cause
            _log.error("request %s failed with an unexpected %s", request_id, type(error).__name__, exc_info=error)
            if status == 0:
                response = problem_response(INTERNAL, INTERNAL.explanation, instance=scope["path"], request_id=request_id)
                await response(scope, receive, send_with_id)
        finally:
            milliseconds = 1000 * (time.perf_counter() - started)
            # Quoted again: a decoded path may hold a line break.
            _access.info("%s %s %d %.1fms %s", scope["method"], quote(scope["path"]), status, milliseconds, request_id)
