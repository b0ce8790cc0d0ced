"""The Celery application. Messages are wake-ups only; the database is the queue of record."""

from __future__ import annotations

import multiprocessing
from typing import Any

from celery import Celery
from celery.signals import worker_process_init, worker_shutting_down

from store.queue import celery_settings
from worker.processes import die_with_parent
from worker.settings import WorkerSettings

app = Celery("ewc", include=["worker.messages"])
_settings = WorkerSettings()
app.conf.update(celery_settings(_settings.broker_url, _settings.broker_dir))

stopping = multiprocessing.get_context("fork").Event()
"""Set in the Celery process when it is asked to stop; the pool processes inherit it and their supervisors look at it."""


@worker_shutting_down.connect
def _tell_the_supervisors(**_: Any) -> None:
    stopping.set()


@worker_process_init.connect
def _tie_to_celery(**_: Any) -> None:
    die_with_parent()
