"""HEAD is GET without its content (RFC 9110, 9.3.2), on every path that has GET."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ONLY_OF_GET = {b"range", b"if-range"}  # RFC 9110, 14.2: a range is defined for GET alone


class HeadAsGet:
    """ASGI middleware: answers HEAD with the status and the headers of GET, and ends what would go on, as a stream does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})  # a streamed answer takes this for a disconnect

        headers = [(name, value) for name, value in scope["headers"] if name not in _ONLY_OF_GET]
        await self._app({**scope, "method": "GET", "headers": headers}, receive, send_head)
