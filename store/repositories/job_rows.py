"""From a job's spec to its row, and from the row to its record."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping

from ewc_core.specs import JOB_SPEC, JobSpec, LearningSpec, ReinforcementSpec
from ewc_core.specs.stored import lifted_job
from store.job_states import DesiredState, JobStatus
from store.records import JobRecord

SUBMITTED = "submitted"


def planned_visits(spec: JobSpec) -> list[int]:
    """Task indices of the visits that the spec plans, in their order."""
    if isinstance(spec, ReinforcementSpec):
        return [segment.task for segment in spec.segments]
    return list(range(len(spec.tasks))) if isinstance(spec, LearningSpec) else []


def new_job_row(job_id: str, spec: JobSpec, owner: str, request_id: str | None) -> dict[str, Any]:
    """The columns of a new queued job, besides the times."""
    return {
        "id": job_id,
        "owner": owner,
        "name": spec.name,
        "spec": spec.model_dump(mode="json"),
        "status": JobStatus.QUEUED.value,
        "status_reason": SUBMITTED,
        "desired_state": DesiredState.RUN.value,
        "stream": spec.stream if isinstance(spec, LearningSpec) else "closed",
        "attempt": 0,
        "attempts_since_progress": 0,
        "last_event_seq": 0,
        "last_switch_sequence": 0,
        "request_id": request_id,
        "version": 1,
        "num_wake_ups": 0,
    }


def job_record(row: RowMapping) -> JobRecord:
    """A row as the record that callers see, with its spec parsed."""
    fields = {name: value for name, value in row.items() if name not in ("woken_at", "num_wake_ups")}
    fields["spec"] = JOB_SPEC.validate_python(lifted_job(fields["spec"]))
    fields["status"] = JobStatus(fields["status"])
    return JobRecord(**fields)
