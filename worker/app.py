"""The Celery application. Messages are wake-ups only; the database is the queue of record."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_shutting_down

from store.log_lines import log_to_stderr
from store.queue import celery_settings
from worker.celery_process import LISTENING_FD
from worker.processes import die_with_parent
from worker.settings import WorkerSettings

_listening_fd = os.environ.get(LISTENING_FD)


def say_listening() -> None:
    """Tell the worker that this Celery process does its work: it has asked the broker, or begun or ended with a message."""
    if _listening_fd is not None:
        with suppress(OSError):  # nobody reads: then nobody needs to know
            os.write(int(_listening_fd), b".")


app = Celery("ewc", include=["worker.messages"])
_settings = WorkerSettings()
app.conf.update(celery_settings(_settings.broker_url, _settings.broker_dir))
app.conf.broker_transport_options = {**app.conf.broker_transport_options, "on_asked": say_listening}

_stop_flag = multiprocessing.RawValue("b", 0)
"""Shared with the pool processes, which inherit it. Without a lock: a process that is killed while it looks at it must
not take a lock along."""


def stopping() -> bool:
    """Whether the Celery process was asked to stop."""
    return bool(_stop_flag.value)


@setup_logging.connect
def _log_as_every_process_does(**_: Any) -> None:
    log_to_stderr()


@worker_shutting_down.connect
def _tell_the_supervisors(**_: Any) -> None:
    _stop_flag.value = 1


@worker_process_init.connect
def _tie_to_celery(**_: Any) -> None:
    die_with_parent()
