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


@cache
def _database() -> Database:
    """One database per pool process, opened after the fork."""
    return Database(WorkerSettings().database_url)


@cache
def _wake_ups() -> WakeUps:
    settings = WorkerSettings()
    return WakeUps(settings.broker_url, settings.broker_dir)


@app.task(name=WAKE_UP, ignore_result=True)
def wake_up(job_id: str) -> None:
    """Train the job if nobody else does. Safe to receive twice, late, or for a job that no longer exists."""
    say_listening()
    supervisor = Supervisor(_database(), WorkerSettings(), worker_id=celery_id(os.getppid()), stopping=stopping)
    try:
        supervisor.attend(job_id)
        say_listening()
        advance(_database(), _wake_ups())  # a trial that has ended makes room for the next one
    except (StoreUnavailable, RowDamaged) as error:
        log.warning("job %s is left for a later wake-up: %s", job_id, error)
