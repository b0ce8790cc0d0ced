"""The watchdog: notices a Celery process that is alive but has stopped listening (celery#10302 and its relatives)."""

from __future__ import annotations

import time

from store.unit_of_work import Database
from worker.settings import WorkerSettings, celery_id


class Watchdog:
    """Says whether Celery should be started again: a job is queued for long although a slot here is free."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._quiet_until = time.monotonic() + settings.watchdog_seconds

    def is_deaf(self, database: Database, celery_pid: int) -> bool:
        """At most once per `watchdog_seconds`, so that a restarted process has time to listen."""
        if time.monotonic() < self._quiet_until:
            return False
        with database.read() as work:
            waiting = work.jobs.num_queued_for(seconds=self._settings.watchdog_seconds)
            held = work.leases.num_held_by(celery_id(celery_pid))
        if waiting == 0 or held >= self._settings.worker_slots:
            return False
        self._quiet_until = time.monotonic() + self._settings.watchdog_seconds
        return True
