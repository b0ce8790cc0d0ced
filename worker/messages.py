"""What Celery delivers: a wake-up says "look", and names no job."""

from __future__ import annotations

import logging
import os
import time
from functools import cache

from ewc_core.errors import RowDamaged, StoreUnavailable
from store.claims import claim_next, pass_on
from store.queue import WAKE_UP, WakeUps
from store.unit_of_work import Database
from worker.app import app, say_listening, stopping
from worker.settings import WorkerSettings, celery_id
from worker.supervisor import Supervisor
from worker.sweeps import advance

log = logging.getLogger(__name__)

STEP_ASIDE_SECONDS = 0.3
"""Whoever passes a look on takes no other for so long: otherwise it might be handed its own."""

_database = cache(Database)
"""One database per pool process and URL, opened after the fork."""
_wake_ups = cache(WakeUps)


@app.task(name=WAKE_UP, ignore_result=True)
def wake_up(*_: str) -> None:
    """Train what is due, job after job, until nothing is that this worker has room for. Safe to receive twice or late.

    A message of version 0.2.0 names a job; it is a look like any other.
    """
    say_listening()
    settings = WorkerSettings()
    database = _database(settings.database_url)
    wake_ups = _wake_ups(settings.broker_url, settings.broker_dir)
    worker_id = celery_id(os.getppid())
    supervisor = Supervisor(database, settings, worker_id=worker_id, stopping=stopping)
    try:
        while not stopping():
            fence = claim_next(database, worker_id=worker_id, ttl_seconds=settings.lease_seconds)
            if fence is None:
                break
            log.info("job %s: claimed with epoch %d", fence.job_id, fence.epoch)
            pass_on(database, wake_ups, has_claimed=True)
            supervisor.attend(fence)
            say_listening()
            # A trial that has ended makes room for the next one.
            advance(database, wake_ups)
    except (StoreUnavailable, RowDamaged) as error:
        log.warning("what is due is left for a later wake-up: %s", error)
        return
    if pass_on(database, wake_ups, has_claimed=False) and not stopping():
        time.sleep(STEP_ASIDE_SECONDS)
