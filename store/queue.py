"""The wake-up: a Celery message that says which job is due. The database is the queue; losing a message costs time only.

This is the client half. The worker's application is made from the same settings, but nothing here imports it.
"""

from __future__ import annotations

import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from ewc_core.errors import StoreUnavailable
from store.settings import FILESYSTEM_BROKER

WAKE_UP = "worker.wake_up"
"""Name of the message; its only argument is the job's id."""
CPU_QUEUE = "cpu"
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
        settings = celery_settings(broker_url, broker_dir)
        # A sender gives up at once instead of waiting for the broker: the sweeper sends what was not sent.
        options = {**settings["broker_transport_options"], "max_retries": 0, "interval_start": 0}
        if _is_redis(broker_url):
            options["socket_timeout"] = CONNECT_SECONDS
        self._folders: _Folders | None = None
        if _is_filesystem(broker_url):
            self._folders = _Folders(broker_dir)
            options["data_folder_out"] = str(self._folders.outgoing)
        settings.update(broker_transport_options=options, broker_connection_timeout=CONNECT_SECONDS)
        self._app = Celery("ewc", set_as_current=False)
        self._app.conf.update(settings)

    def publish(self, job_id: str) -> None:
        """Tell the workers that a job is due. Call it after the commit that made it so.

        Raises:
            StoreUnavailable: the broker cannot be reached. The job stays queued, and a sweep wakes it later; the
                caller decides whether anybody has to know.
        """
        broken = self._broker_errors()
        try:
            if self._folders is None:
                self._send(job_id)
            else:
                with self._folders.delivery():
                    self._send(job_id)
        except broken as error:
            raise StoreUnavailable(f"the broker cannot be reached, so no wake-up was sent for job {job_id}: {error}") from error

    def ping(self) -> None:
        """Raises StoreUnavailable when the broker cannot be reached."""
        broken = self._broker_errors()
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS)
        except broken as error:
            raise StoreUnavailable(f"the broker cannot be reached: {error}") from error

    def collect_processed(self, *, older_than_seconds: float) -> int:
        """Delete messages that the filesystem broker keeps after delivery; how many. Redis keeps none."""
        return 0 if self._folders is None else self._folders.collect_processed(older_than_seconds)

    def close(self) -> None:
        """Close the connections to the broker."""
        self._app.close()
        if self._folders is not None:
            self._folders.close()

    def _send(self, job_id: str) -> None:
        self._app.send_task(WAKE_UP, args=[job_id], queue=CPU_QUEUE, ignore_result=True, retry=False)

    def _broker_errors(self) -> tuple[type[Exception], ...]:
        connection = self._app.connection_for_write()
        return (KombuError, CeleryError, OSError, *connection.connection_errors, *connection.channel_errors)


class _Folders:
    """A sender's side of the filesystem broker.

    Kombu writes a message in the very folder that receivers read, and a receiver that is quick enough takes it while it
    is still empty. So a sender writes in a folder of its own, and moves what it has written.
    """

    def __init__(self, broker_dir: Path) -> None:
        self._messages = broker_dir / "messages"
        self._processed = broker_dir / "processed"
        self.outgoing = broker_dir / "outgoing" / uuid.uuid4().hex
        self._lock = threading.Lock()

    @contextmanager
    def delivery(self) -> Iterator[None]:
        """Deliver what is sent inside the block. One thread at a time: another's message may be half written."""
        with self._lock:
            self.outgoing.mkdir(parents=True, exist_ok=True)
            yield
            for file in self.outgoing.iterdir():
                file.rename(self._messages / file.name)

    def collect_processed(self, older_than_seconds: float) -> int:
        num_deleted = 0
        for file in self._processed.glob("*.msg"):
            try:
                if time.time() - file.stat().st_mtime > older_than_seconds:
                    file.unlink()
                    num_deleted += 1
            except FileNotFoundError:
                continue  # another process collects at the same time
        return num_deleted

    def close(self) -> None:
        shutil.rmtree(self.outgoing, ignore_errors=True)


def _transport_options(broker_url: str, broker_dir: Path) -> dict[str, Any]:
    if _is_redis(broker_url):
        return {"socket_connect_timeout": CONNECT_SECONDS, "socket_keepalive": True, "health_check_interval": 10}
    if not _is_filesystem(broker_url):
        return {}
    folders = {name: broker_dir / name for name in ("messages", "processed", "control")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        # Without this a delivered message passes through the system's temporary folder: another file system, perhaps.
        "store_processed": True,
        "processed_folder": str(folders["processed"]),
        "control_folder": str(folders["control"]),
        "polling_interval": 0.1,
    }


def _is_filesystem(broker_url: str) -> bool:
    return broker_url.startswith(FILESYSTEM_BROKER)


def _is_redis(broker_url: str) -> bool:
    return broker_url.startswith(("redis://", "rediss://"))
