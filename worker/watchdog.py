"""The watchdog: notices a Celery process that is alive but has stopped listening (celery#10302 and its relatives)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from store.unit_of_work import Database
from worker.settings import WorkerSettings, celery_id

_MAX_PATIENCE = 8
_START_SECONDS = 60.0
"""A process that has not asked yet may still be starting: it gets at least so long."""


@dataclass(frozen=True)
class _Suspicion:
    """Since when one Celery process has been seen not to ask, beside a job that waits and that it has room for."""

    celery_pid: int
    since: float


class Watchdog:
    """Says whether Celery should be started again.

    A Celery that listens asks its broker for a message again and again, as long as it has a slot free: that is what is
    looked at, not how long a job has waited, because a wake-up may lie behind others, or be on its way to another worker. It is
    deaf once it has been seen twice, `watchdog_seconds` apart, with room for a job that waits, and has not asked even
    once between. Patience begins with the first of the two, hence anew with every process. One that has never asked may be
    starting: it is given a minute at least, and up to eight after others were given up, so that no slow start is cut
    short for ever.
    """

    def __init__(self, settings: WorkerSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._suspicion: _Suspicion | None = None
        self._num_given_up = 0
        self._has_listened: int | None = None

    def is_deaf(self, database: Database, celery_pid: int, *, has_asked: bool) -> bool:
        """To be called with every pass of the reaper; `has_asked` since the last call.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        if has_asked:
            self._suspicion, self._num_given_up, self._has_listened = None, 0, celery_pid
            return False
        with database.read() as work:
            has_work = work.queue.has_work_for(celery_id(celery_pid))
        if not has_work:
            self._suspicion = None
            return False
        now = self._clock()
        if self._suspicion is None or self._suspicion.celery_pid != celery_pid:
            self._suspicion = _Suspicion(celery_pid, now)
        patience = self._settings.watchdog_seconds
        if self._has_listened != celery_pid:
            patience = max(patience, _START_SECONDS) * min(2**self._num_given_up, _MAX_PATIENCE)
        if now - self._suspicion.since < patience:
            return False
        self._suspicion = None
        self._num_given_up += 1
        return True
