"""Settings of a worker: those of the store and its own, all from the environment with the prefix EWC_."""

from __future__ import annotations

import os
import socket

from pydantic import Field

from store.settings import StoreSettings


class WorkerSettings(StoreSettings):
    """What a worker process reads from the environment."""

    worker_slots: int = Field(default=1, ge=1, le=64, description="jobs that this worker trains at the same time")
    stop_grace_seconds: float = Field(default=10.0, gt=0, description="from asking a trainer to stop to killing it")
    stall_seconds: float = Field(default=900.0, gt=0, description="a trainer that has written nothing for so long is killed")
    watchdog_seconds: float = Field(default=30.0, gt=0, description="silence of an idle Celery beside a waiting job")
    flush_seconds: float = Field(default=1.0, gt=0, description="how often metrics are written and orders are read")


def new_worker_id() -> str:
    """A name for this worker process, unique while it lives: host and process number."""
    return f"{socket.gethostname()}-{os.getpid()}"


def celery_id(pid: int) -> str:
    """The name under which the pool processes of one Celery process hold leases; `pid` is the Celery process's."""
    return f"{socket.gethostname()}-celery-{pid}"
