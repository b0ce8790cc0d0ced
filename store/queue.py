"""The wake-up: a Celery message that says "look" and names no job. The database is the queue; losing one costs time only.

This is the client half. The worker's application is made from the same settings, but nothing here imports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from ewc_core.errors import StoreUnavailable
from store.brokers import folders
from store.brokers.wake_up import CPU_QUEUE, WAKE_UP
from store.settings import FILESYSTEM_BROKER

__all__ = ["CPU_QUEUE", "WAKE_UP", "WakeUps", "celery_settings"]
CONNECT_SECONDS = 2.0


def celery_settings(broker_url: str, broker_dir: Path) -> dict[str, Any]:
    """Celery's settings, the same for everybody who sends or receives wake-ups.

    Early acknowledgement (the lease recovers lost work, not the broker), no results, one message at a time, JSON only.
    For `filesystem://` the broker's folders are made under `broker_dir`, all on one file system so that moving a
    message between them is atomic.
    """
    settings: dict[str, Any] = {
        "broker_url": broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": _transport_options(broker_url, broker_dir),
        "task_acks_late": False,
        "task_ignore_result": True,
        "result_backend": None,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": CPU_QUEUE,
        "task_routes": {WAKE_UP: {"queue": CPU_QUEUE}},
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
    }
    if _is_redis(broker_url):
        settings["worker_disable_prefetch"] = True
    return settings


class WakeUps:
    """Sends wake-ups. Safe to share between threads; make one per process."""

    def __init__(self, broker_url: str, broker_dir: Path) -> None:
        """Nothing is connected yet; the folders of a filesystem broker are made."""
        self._broker_dir = broker_dir if _is_filesystem(broker_url) else None
        settings = celery_settings(broker_url, broker_dir)
        # A sender gives up at once instead of waiting for the broker: the reaper sends what was not sent.
        options = {**settings["broker_transport_options"], "max_retries": 0, "interval_start": 0}
        if _is_redis(broker_url):
            options["socket_timeout"] = CONNECT_SECONDS
        settings.update(broker_transport_options=options, broker_connection_timeout=CONNECT_SECONDS)
        self._app = Celery("ewc", set_as_current=False)
        self._app.conf.update(settings)

    def publish(self) -> None:
        """Have a worker look for what is due. Call it after the commit that made something due.

        Raises:
            StoreUnavailable: the broker cannot be reached. What is due stays so, and the reaper sends a wake-up later; the
                caller decides whether anybody has to know.
        """
        broken = self._broker_errors()
        try:
            self._app.send_task(WAKE_UP, queue=CPU_QUEUE, ignore_result=True, retry=False)
        except broken as error:
            raise StoreUnavailable(f"the broker cannot be reached, so no wake-up was sent: {error}") from error

    def ping(self) -> None:
        """Check that messages can be sent, without sending one.

        Raises:
            NotWritable: the folders of a filesystem broker cannot be written.
            StoreUnavailable: the broker cannot be reached.
        """
        if self._broker_dir is not None:
            folders.require_writable(self._broker_dir)
            return
        broken = self._broker_errors()
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS)
        except broken as error:
            raise StoreUnavailable(f"the broker cannot be reached: {error}") from error

    def collect_processed(self, *, older_than_seconds: float) -> int:
        """Delete messages that the filesystem broker keeps after delivery; how many. Redis keeps none."""
        return 0 if self._broker_dir is None else folders.collect(self._broker_dir, older_than_seconds=older_than_seconds)

    def close(self) -> None:
        """Close the connections to the broker."""
        self._app.close()

    def _broker_errors(self) -> tuple[type[Exception], ...]:
        connection = self._app.connection_for_write()
        return (KombuError, CeleryError, OSError, *connection.connection_errors, *connection.channel_errors)


def _transport_options(broker_url: str, broker_dir: Path) -> dict[str, Any]:
    if _is_redis(broker_url):
        return {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": 10,
            # No table of unacknowledged messages in Redis: the record knows what is due, and Celery dies of what is odd in one.
            "ack_emulation": False,
        }
    if not _is_filesystem(broker_url):
        return {}
    folders.make(broker_dir)
    return {"broker_dir": str(broker_dir), "polling_interval": 0.1}


def _is_filesystem(broker_url: str) -> bool:
    return broker_url.startswith(FILESYSTEM_BROKER)


def _is_redis(broker_url: str) -> bool:
    return broker_url.startswith(("redis://", "rediss://"))
