"""The body of an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from api.schemas import Record
from store.records import EventRecord


class Event(Record):
    """Something that happened to a job. `seq` counts from 1 without gaps; `id` is the same number as text."""

    object: Literal["event"] = "event"
    job_id: str
    seq: int
    level: Literal["info", "warn", "error"]
    type: str
    message: str
    data: Mapping[str, Any]
    at: datetime


def event_body(record: EventRecord) -> Event:
    """The event as the service shows it."""
    return Event.model_validate({**vars(record), "id": str(record.seq)})
