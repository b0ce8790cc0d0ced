"""The body of a worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from api.schemas import Record


class Worker(Record):
    """A live worker process: one that has been seen within the last 30 seconds.

    It trains `slots` jobs at the same time and has one slot more, for short work; `num_training` and `num_short` are taken.
    The jobs that it runs ask for at most `memory_bytes` together (null: any number), of which `held_memory_bytes` are taken.
    """

    object: Literal["worker"] = "worker"
    hostname: str
    pid: int
    queue: str
    slots: int
    num_training: int
    num_short: int
    device: str
    labels: Sequence[str]
    memory_bytes: int | None
    held_memory_bytes: int
    started_at: datetime
    last_seen_at: datetime
