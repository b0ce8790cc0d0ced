"""What Celery delivers: a wake-up names a job that may be ready to run."""

from __future__ import annotations

import logging
import os
from functools import cache

from ewc_core.errors import RowDamaged, StoreUnavailable
from store.queue import WAKE_UP, WakeUps
from store.unit_of_work import Database
from worker.app import app, say_listening, stopping
from worker.settings import WorkerSettings, celery_id
from worker.supervisor import Supervisor
from worker.sweeps import advance

log = logging.getLogger(__name__)


_database = cache(Database)
"""One database per pool process and URL, opened after the fork."""
_wake_ups = cache(WakeUps)


@app.task(name=WAKE_UP, ignore_result=True)
def wake_up(job_id: str) -> None:
    """Train the job if nobody else does. Safe to receive twice, late, or for a job that no longer exists."""
    say_listening()
    settings = WorkerSettings()
    database = _database(settings.database_url)
    supervisor = Supervisor(database, settings, worker_id=celery_id(os.getppid()), stopping=stopping)
    try:
        supervisor.attend(job_id)
        say_listening()
        # A trial that has ended makes room for the next one.
        advance(database, _wake_ups(settings.broker_url, settings.broker_dir))
    except (StoreUnavailable, RowDamaged) as error:
        log.warning("job %s is left for a later wake-up: %s", job_id, error)
