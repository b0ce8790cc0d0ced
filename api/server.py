"""uvicorn, taught to end event streams before it waits for its connections, and to keep room for everybody."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import time
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.connections import Connections, GuardedConnection

_log = logging.getLogger("api")
_GRACE_SECONDS = 10
_MOST_CONNECTIONS = 8192
_RESERVED_DESCRIPTORS = 128
"""Files that are not clients: the database's connections, the broker's folders, logs."""
_NUM_ACCEPTED_AT_ONCE = 16
_QUEUE = 2048
_SECONDS_BETWEEN_ACCEPT_WARNINGS = 10.0


class Server(uvicorn.Server):
    """Serves one app. At shutdown open event streams end at once; their clients come back with the last id they saw.

    Headers of a proxy (X-Forwarded-*) are not believed: anybody could send them.
    """

    def __init__(self, app: FastAPI, *, host: str, port: int) -> None:
        self.guard = Connections(limit=connection_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        protocol: Any = partial(GuardedConnection, guard=self.guard)
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=protocol,
                ws="none",
                access_log=False,
                log_config=None,
                proxy_headers=False,
                # asyncio accepts as many at once as the queue is long, before the first of them can be refused.
                backlog=_NUM_ACCEPTED_AT_ONCE,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._app = app
        self._warned_at = -_SECONDS_BETWEEN_ACCEPT_WARNINGS

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listener in server.sockets:
                with socket.socket(fileno=os.dup(listener.fileno())) as same:
                    same.listen(_QUEUE)
                host, port = listener.getsockname()[:2]
                _log.info("listening on http://%s:%d", host, port)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # once a second
            self.guard.cut_late(self.server_state.connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.services.events.close()
        await super().shutdown(sockets)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio tells of every accept that failed, many times a second while descriptors are short: one line is enough."""
        if "socket.accept()" not in context["message"]:
            loop.default_exception_handler(context)
        elif time.monotonic() - self._warned_at >= _SECONDS_BETWEEN_ACCEPT_WARNINGS:
            self._warned_at = time.monotonic()
            _log.error("no connection can be accepted: %s; raise the limit on open files", context["exception"])


def connection_limit(num_descriptors: int) -> int:
    """How many connections leave descriptors for everything else, with `num_descriptors` in all."""
    if num_descriptors == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, num_descriptors - min(_RESERVED_DESCRIPTORS, num_descriptors // 2)))


def raise_descriptor_limit() -> None:
    """Let this process open as many files as its hard limit allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
