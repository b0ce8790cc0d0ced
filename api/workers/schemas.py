"""The body of a worker."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from api.schemas import Record


class Worker(Record):
    """A live worker process: one that has been seen within the last 30 seconds."""

    object: Literal["worker"] = "worker"
    hostname: str
    pid: int
    queue: str
    slots: int
    started_at: datetime
    last_seen_at: datetime
