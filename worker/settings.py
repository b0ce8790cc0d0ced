"""Settings of a worker: those of the store and its own, all from the environment with the prefix EWC_."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from ewc_core.specs.execution import MAX_MEMORY_BYTES, Label
from ewc_core.specs.limits import JobLimits
from store.settings import StoreSettings

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


class WorkerSettings(StoreSettings):
    """What a worker process reads from the environment."""

    worker_slots: int = Field(default=1, ge=1, le=64, description="jobs that this worker trains at the same time")
    worker_labels: Annotated[tuple[Label, ...], NoDecode, Field(max_length=64)] = Field(
        default=(), description="what jobs may ask for by name, with commas between"
    )
    worker_memory_bytes: int | None = Field(
        default=None, ge=1, le=MAX_MEMORY_BYTES, description="what the jobs that run at the same time may take together"
    )
    stop_grace_seconds: float = Field(default=10.0, gt=0, description="from asking a trainer to stop to killing it")
    stall_seconds: float = Field(default=900.0, gt=0, description="a trainer that has written nothing for so long is killed")
    watchdog_seconds: float = Field(default=30.0, gt=0, description="silence of an idle Celery beside a waiting job")
    flush_seconds: float = Field(default=1.0, gt=0, description="how often metrics are written and orders are read")

    @field_validator("worker_labels", mode="before")
    @classmethod
    def _labels_lie_between_commas(cls, value: object) -> object:
        return [label for part in value.split(",") if (label := part.strip())] if isinstance(value, str) else value

    @field_validator("worker_memory_bytes", mode="before")
    @classmethod
    def _empty_is_not_known(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def limits_here(self) -> JobLimits:
        """What one job may take on this machine."""
        return replace(self.job_limits, machine_bytes=machine_bytes())

    @property
    def num_processes(self) -> int:
        """Processes that hold jobs: one for each training slot, and one for short work."""
        return self.worker_slots + 1


def new_worker_id() -> str:
    """A name for this worker process, unique while it lives: host and process number."""
    return f"{socket.gethostname()}-{os.getpid()}"


def celery_id(pid: int) -> str:
    """The id of a worker's row, under which the pool processes of one Celery process hold leases; `pid` is that process's."""
    return f"{socket.gethostname()}-celery-{pid}"


def machine_bytes(cgroup_limits: Sequence[Path] = _CGROUP_LIMITS) -> int:
    """Bytes of memory that the machine has, or that its container may take: what files of versions 2 and 1 of control groups
    say, "max" where there is no bound."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in cgroup_limits:
        with suppress(OSError, ValueError):
            sizes.append(int(file.read_text()))
    return min(sizes)
