"""uvicorn, taught to end event streams before it waits for its connections."""

from __future__ import annotations

import logging
import socket

import uvicorn
from fastapi import FastAPI

_log = logging.getLogger("api")
_GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """Serves one app. At shutdown open event streams end at once; their clients come back with the last id they saw."""

    def __init__(self, app: FastAPI, *, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(app, host=host, port=port, access_log=False, log_config=None, timeout_graceful_shutdown=_GRACE_SECONDS)
        )
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                _log.info("listening on http://%s:%d", host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.services.events.close()
        await super().shutdown(sockets)
