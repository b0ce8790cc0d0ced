"""Request bodies have a limit: checked on Content-Length first, then while the bytes come in."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import BodyTooLarge, InvalidHeader
from api.problem_handlers import problem_of


class BodyLimit:
    """ASGI middleware: a body over `limit` bytes is answered with 413, and no more than `limit` bytes of it are kept."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope).get("content-length"))
        if refusal is not None:
            response = problem_of(refusal, instance=scope["path"], request_id=scope["state"]["request_id"])
            await response(scope, receive, send)
            return
        num_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self._limit:
                raise HTTPException(413) from BodyTooLarge(self._limit)
            return message

        await self._app(scope, receive_within_limit, send)

    def _refusal(self, content_length: str | None) -> BodyTooLarge | InvalidHeader | None:
        if content_length is None:
            return None
        if not (content_length.isascii() and content_length.isdigit()):
            return InvalidHeader(f"Content-Length {content_length!r} is not a number of bytes")
        return BodyTooLarge(self._limit) if int(content_length) > self._limit else None
