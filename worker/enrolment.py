"""A worker's row in the record: it says that the worker lives, and what jobs may take of it."""

from __future__ import annotations

import socket

from store.queue import CPU_QUEUE
from store.unit_of_work import Database
from worker.settings import WorkerSettings, celery_id


class Enrolment:
    """Keeps one row for the Celery process that lives now, whose pool processes hold leases under the row's id.

    A row of its own for each Celery process: what a dead one held takes no slot of the next one.
    """

    def __init__(self, database: Database, settings: WorkerSettings) -> None:
        """Nothing is written yet."""
        self._database = database
        self._settings = settings
        self._enrolled: int | None = None

    def renew(self, celery_pid: int | None, *, wake_everything: bool) -> None:
        """Say that Celery lives, or take the row of one that does not away. With `wake_everything` the workers are woken for
        all jobs that are queued: messages that a dead Celery process had reserved are lost.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        if self._enrolled not in (None, celery_pid):
            self.end()
        if celery_pid is None:
            return
        settings = self._settings
        with self._database.write() as work:
            work.workers.beat(
                celery_id(celery_pid),
                hostname=socket.gethostname(),
                pid=celery_pid,
                queue=CPU_QUEUE,
                slots=settings.worker_slots,
                labels=settings.worker_labels,
                memory_bytes=settings.worker_memory_bytes,
            )
            if wake_everything:
                work.queue.reset_wake_ups()
        self._enrolled = celery_pid

    def end(self) -> None:
        """Take the row away.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        if self._enrolled is None:
            return
        with self._database.write() as work:
            work.workers.remove(celery_id(self._enrolled))
        self._enrolled = None
