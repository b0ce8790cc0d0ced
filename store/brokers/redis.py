"""The Redis broker: kombu's transport, which sets aside what is no wake-up instead of ending its consumer."""

from __future__ import annotations

import logging
import time
from queue import Empty
from typing import Any

from kombu.transport import redis
from redis.exceptions import RedisError, ResponseError

from store.brokers.wake_up import NotAWakeUp, as_celery_takes_it, require_wake_up

NUM_UNREADABLE = 20
_log = logging.getLogger(__name__)


class Channel(redis.Channel):
    """Kombu's channel with another way to read what a blocking pop has brought."""

    def _brpop_start(self, timeout: float | None = None) -> None:
        super()._brpop_start(timeout)
        self.connection.client.transport_options.get("on_asked", lambda: None)()

    def _brpop_read(self, **options: Any) -> bool:
        try:
            found = self._pop_reply(options)
            if not found:
                raise Empty
            key, stored = found
            queue = key.decode().rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            try:
                require_wake_up(stored)
            except NotAWakeUp as error:
                self._set_aside(queue, stored, error)
                raise Empty from None
            self.connection._deliver(as_celery_takes_it(), queue)
            return True
        finally:
            self._in_poll: Any = None
            self._flush_brpop_reauth()

    def _pop_reply(self, options: dict[str, Any]) -> tuple[bytes, bytes] | None:
        connection = self.client.connection
        try:
            found: tuple[bytes, bytes] | None = self.client.parse_response(connection, "BRPOP", **options)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            for queue in self.active_queues:
                self._set_foreign_keys_aside(queue)
            return None
        except self.connection_errors:
            connection.disconnect()  # the next look connects again
            raise
        return found

    def _set_aside(self, queue: str, stored: bytes, why: NotAWakeUp) -> None:
        """Keep it for whoever wants to know, in the list `<queue>.unreadable`, as long as it is among the newest few."""
        _log.warning("a message in the list %s cannot be read and is set aside: %s", queue, why)
        name = f"{queue}.unreadable"
        try:
            with self.conn_or_acquire() as client, client.pipeline() as pipe:
                pipe.lpush(name, stored).ltrim(name, 0, NUM_UNREADABLE - 1).execute()
        except RedisError as error:
            _log.warning("the unreadable message is dropped: %s", error)

    def _size(self, queue: str) -> int:
        self._set_foreign_keys_aside(queue)
        size: int = super()._size(queue)
        return size

    def _set_foreign_keys_aside(self, queue: str) -> None:
        """Rename what stands where a queue or its bindings should be and is something else: every command would fail."""
        expected = {self._q_for_pri(queue, step): b"list" for step in self.priority_steps}
        with self.conn_or_acquire() as client:
            for key, kind in {**expected, self.keyprefix_queue % queue: b"set"}.items():
                if (found := client.type(key)) not in (kind, b"none"):
                    _log.warning("%r in Redis is a %s, expected a %s: it is set aside", key, found.decode(), kind.decode())
                    client.rename(key, f"{key}.unreadable.{time.time_ns()}")


class Transport(redis.Transport):
    """`redis://`, as Celery finds it."""

    Channel = Channel
