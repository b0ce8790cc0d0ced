"""The body of a result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from api.schemas import Resource
from store.records import JobRecord, ResultRecord


class Result(Resource):
    """The findings of a job. What `body` holds depends on `kind`: the job's own, or that of an analysis's question."""

    object: Literal["result"] = "result"
    job_id: str
    kind: str
    body: Mapping[str, Any]
    created_at: datetime


def result_body(job: JobRecord, record: ResultRecord) -> Result:
    """The result as the service shows it."""
    asked = job.spec.asked_about
    kind = job.kind if asked is None else asked[1].kind
    return Result.model_validate({"job_id": job.id, "kind": kind, "body": dict(record.body), "created_at": record.created_at})
