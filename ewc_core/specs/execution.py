"""How a job is executed: what it asks of a worker, and how urgent it is. Nothing here changes what a job means or its bits."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ewc_core.specs.base import Spec

LABEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$"
MAX_LABELS = 16
MAX_MEMORY_BYTES = 2**60
Label = Annotated[str, Field(pattern=LABEL_PATTERN)]
Priority = Annotated[
    int, Field(ge=-1000, le=1000, description="of jobs that wait for the same workers, those with the highest go first")
]


class Slot(StrEnum):
    """What a job takes of a worker while it runs: a training slot, or the one slot for short work, which never waits for the
    others."""

    TRAINING = "training"
    SHORT = "short"


class ExecutionSpec(Spec):
    """What a job asks of the worker that takes it, and how urgent it is.

    Only a worker that has all `labels`, and whose memory holds `memory_bytes` beside the jobs that it runs, takes the job.
    Jobs that leave `memory_bytes` out are not counted.
    """

    priority: Priority = 0
    labels: list[Label] = Field(default=[], max_length=MAX_LABELS, description="names that the worker's operator has given it")
    memory_bytes: int | None = Field(default=None, ge=1, le=MAX_MEMORY_BYTES, description="most memory that the job takes")
