"""The body of an attempt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from api.schemas import Record
from store.records import AttemptRecord


class Attempt(Record):
    """One attempt to run a job, from the moment that its trainer began. `id` is the number of the attempt as text.

    `environment` names what can change the bits of a result: processor and instruction set, number of threads, versions of
    Python and of the libraries that compute. Where two attempts of a job differ in it, the event `job.warning` with the code
    `environment_changed` says what changed.
    """

    object: Literal["attempt"] = "attempt"
    job_id: str
    attempt: int
    epoch: int
    worker_id: str
    started_at: datetime
    environment: Mapping[str, str]


def attempt_body(record: AttemptRecord) -> Attempt:
    """The attempt as the service shows it."""
    return Attempt.model_validate({**vars(record), "id": str(record.attempt)})
