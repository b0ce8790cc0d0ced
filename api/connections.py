"""Time limits and a number limit for connections: whoever sends or reads nothing must not keep others out.

uvicorn itself limits only how long a connection may idle between two requests. Once a second the server looks at its
connections (`Connections.cut_late`), so that a request costs two dictionary operations and no timer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""From the connection, or from the last answer, to the last byte of the next request's head."""
BODY_SECONDS = 20.0
"""From a request's head to the last byte of its body, and one second more for every `SLOWEST_BYTES_PER_SECOND`."""
SLOWEST_BYTES_PER_SECOND = 1000
STALLED_SECONDS = 60.0
"""How long a client may take no byte of an answer that waits for it. A silent event stream has nothing that waits."""


class Connections:
    """The connections of one server that wait for a request, oldest first; and how many connections there may be."""

    def __init__(self, *, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.clock = clock
        self.waiting: dict[GuardedConnection, float] = {}

    def make_room(self, num_open: int) -> None:
        """Over the limit, cut the one that has waited longest; the newest itself, when all others are being answered."""
        if num_open > self.limit:
            next(connection for connection in self.waiting if connection.num_unsent == 0).cut()

    def cut_late(self, connections: set[Any]) -> None:
        """Cut every connection that is over one of its time limits."""
        now = self.clock()
        for connection, since in list(self.waiting.items()):
            if now - since < HEAD_SECONDS:
                break
            if connection.num_unsent == 0:  # it may still take its last answer
                connection.cut()
        for connection in list(connections):
            if isinstance(connection, GuardedConnection) and connection.is_late(now):
                connection.cut()


class GuardedConnection(H11Protocol):
    """One connection. `guard` is shared by all connections of the server."""

    def __init__(self, *args: Any, guard: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard
        self._body_since = 0.0
        self._num_body_bytes = 0
        self._unsent = (0, 0.0)
        self._is_half_closed = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._guard.waiting[self] = self._guard.clock()
        self._guard.make_room(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self not in self._guard.waiting:
            self._num_body_bytes += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn says nothing, and the connection would be closed
        """The client sends no more. If it has sent a whole request it may wait for the answer, and gets it.

        Of an event stream it has left nothing else would tell for half a minute: that one ends.
        """
        is_stream = any(name == b"accept" and b"text/event-stream" in value for name, value in self.headers or [])
        self._is_half_closed = self._is_answering and self.conn.their_state is not h11.SEND_BODY and not is_stream
        return self._is_half_closed

    def handle_events(self) -> None:
        super().handle_events()
        if self._is_answering and self._guard.waiting.pop(self, None) is not None:
            self._body_since, self._num_body_bytes = self._guard.clock(), 0

    def on_response_complete(self) -> None:
        self._guard.waiting.pop(self, None)  # it goes to the end: an answer may be complete before its request is
        self._guard.waiting[self] = self._guard.clock()
        super().on_response_complete()
        if self._is_half_closed and not self._is_answering:
            self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def num_unsent(self) -> int:
        """Bytes of answers that wait for the client to take them."""
        return int(self.transport.get_write_buffer_size())

    def is_late(self, now: float) -> bool:
        """Whether the client is too slow with the body of its request, or in taking the answer."""
        num_unsent, since = self.num_unsent, self._unsent[1]
        if num_unsent == 0 or num_unsent != self._unsent[0]:
            since = now
        self._unsent = (num_unsent, since)
        if now - since >= STALLED_SECONDS:
            return True
        if self in self._guard.waiting or self.conn.their_state is not h11.SEND_BODY or self.flow.read_paused:
            return False
        return now - self._body_since >= BODY_SECONDS + self._num_body_bytes / SLOWEST_BYTES_PER_SECOND

    def cut(self) -> None:
        """End the connection at once, whatever has not been sent."""
        self._guard.waiting.pop(self, None)
        self.connections.discard(self)
        self.transport.abort()
