"""From a job's spec to its row, and from the row to its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, func, select, tuple_

from ewc_core.errors import RowDamaged
from ewc_core.specs import JobSpec
from store.base import UtcTime
from store.job_states import DesiredState, JobStatus
from store.records import JobRecord, JobStanding, JobSummary, TransitionRecord
from store.tables import JobRow, SwitchRow, TransitionRow

SUBMITTED = "submitted"
_STATUSES = frozenset(status.value for status in JobStatus)
CPU = "cpu"
"""The device of every job and of every worker, so far."""

_OF_JOB = SwitchRow.job_id == JobRow.id
_NUM_VISITS = select(func.coalesce(func.max(SwitchRow.visit_index) + 1, 0)).where(_OF_JOB).scalar_subquery()
_TASK_INDEX = select(SwitchRow.task_index).where(_OF_JOB, SwitchRow.visit_index == JobRow.visit_index).scalar_subquery()
_FOUND_ELSEWHERE: dict[str, Any] = {
    "kind": JobRow.spec["kind"].as_string(),
    "metadata": JobRow.spec["metadata"],
    "num_visits": _NUM_VISITS,  # visits are numbered without a gap: the index on (job, visit) knows the last one
    "task_index": _TASK_INDEX,
    "stored_spec": JobRow.spec,
}


def columns_of(record: type[JobSummary]) -> list[Any]:
    """What is read of a job's row, and beside it, for such a record."""
    names = [field.name for field in fields(record)]
    return [_FOUND_ELSEWHERE[name].label(name) if name in _FOUND_ELSEWHERE else getattr(JobRow, name) for name in names]


STANDING = select(
    JobRow.id,
    JobRow.status,
    JobRow.attempts_since_progress,
    JobRow.last_event_seq,
    JobRow.started_at.is_not(None).label("is_started"),
).where(JobRow.id == bindparam("job_id"))
# Asked at nearly every request: a statement that is made once is not put together anew, which takes longer than asking it.
FIND = select(JobRow.id).where(JobRow.id == bindparam("job_id"), JobRow.owner == bindparam("owner"))
_TRANSITION = select(*(getattr(TransitionRow, field.name) for field in fields(TransitionRecord)))
TRANSITION = _TRANSITION.where(TransitionRow.id == bindparam("id"))
TRANSITIONS = _TRANSITION.where(TransitionRow.job_id == bindparam("job_id")).order_by(TransitionRow.id)
TRANSITION_IDS = TRANSITIONS.with_only_columns(TransitionRow.id)


@cache
def select_one(*, with_spec: bool, of_owner: bool) -> Select[Any]:
    """The job `job_id`, as `JobRecord` or `JobSummary`; with `of_owner` only if it is one of `owner`."""
    query = select(*columns_of(JobRecord if with_spec else JobSummary)).where(JobRow.id == bindparam("job_id"))
    return query.where(JobRow.owner == bindparam("owner")) if of_owner else query


@cache
def select_page(*, with_status: bool, after: bool, before: bool) -> Select[Any]:
    """Summaries of the jobs of `owner`, at most `num`, newest first; with `status` only; older than the job made at
    `after_at` with the id `after_id`; newer than that of `before_at` and `before_id`, and then oldest first."""
    query = select(*columns_of(JobSummary)).where(JobRow.owner == bindparam("owner")).limit(bindparam("num"))
    if with_status:
        query = query.where(JobRow.status == bindparam("status"))
    return on_page(query, after=after, before=before)


def on_page(query: Select[Any], *, after: bool, before: bool) -> Select[Any]:
    """The part of `query` about jobs that `select_page` describes, in its order."""
    position = tuple_(JobRow.created_at, JobRow.id)
    if after:
        query = query.where(position < tuple_(bindparam("after_at", type_=UtcTime()), bindparam("after_id")))
    if before:
        query = query.where(position > tuple_(bindparam("before_at", type_=UtcTime()), bindparam("before_id")))
        return query.order_by(JobRow.created_at, JobRow.id)
    return query.order_by(JobRow.created_at.desc(), JobRow.id.desc())


def job_summary(row: RowMapping) -> JobSummary:
    """The record of a row with the columns of `JobSummary`."""
    return JobSummary(**_values(row))


def job_record(row: RowMapping) -> JobRecord:
    """The record of a row with the columns of `JobRecord`."""
    return JobRecord(**_values(row))


def job_standing(row: RowMapping) -> JobStanding:
    """The record of a row with the columns of `STANDING`."""
    return JobStanding(**{**row, "status": _status(row)})


def transition_record(row: RowMapping) -> TransitionRecord:
    """The record of a move.

    Raises:
        RowDamaged: it has no such states, or lacks its time or a text.
    """
    move = TransitionRecord(**row)
    is_known = move.to_status in _STATUSES and (move.from_status is None or move.from_status in _STATUSES)
    if is_known and move.at is not None and isinstance(move.reason, str) and isinstance(move.actor, str):
        return move
    raise RowDamaged("a move of a job is not as it was stored")


def _values(row: RowMapping) -> dict[str, Any]:
    return {**row, "status": _status(row), "metadata": row["metadata"] or {}}


def _status(row: RowMapping) -> JobStatus:
    try:
        return JobStatus(row["status"])
    except ValueError as error:
        raise RowDamaged(f"the status of job {row['id']} is none of those there are") from error


def new_job_row(
    job_id: str, spec: JobSpec, owner: str, request_id: str | None, *, num_switches: int, now: datetime
) -> dict[str, Any]:
    """The columns of a new queued job with its switches and its first event."""
    return {
        "id": job_id,
        "owner": owner,
        "name": spec.name,
        "spec": spec.model_dump(mode="json"),
        "status": JobStatus.QUEUED.value,
        "status_reason": SUBMITTED,
        "desired_state": DesiredState.RUN.value,
        "stream": "open" if spec.is_open else "closed",
        "attempt": 0,
        "attempts_since_progress": 0,
        "last_event_seq": 1,
        "last_switch_sequence": num_switches,
        "request_id": request_id,
        "version": 1,
        "num_wake_ups": 0,
        "device": CPU,
        "memory_bytes": spec.execution.memory_bytes,
        "labels": sorted(set(spec.execution.labels)),
        "priority": spec.execution.priority,
        "slot": spec.slot.value,
        "created_at": now,
        "updated_at": now,
    }


def new_job_record(row: Mapping[str, Any]) -> JobRecord:
    """The record of the row that `new_job_row` has made; all its switches are visits."""
    empty = dict.fromkeys(field.name for field in fields(JobRecord))
    beside = {
        "kind": row["spec"]["kind"],
        "metadata": row["spec"]["metadata"],
        "num_visits": row["last_switch_sequence"],
        "stored_spec": row["spec"],
    }
    shown = {name: value for name, value in {**row, **beside}.items() if name in empty}
    return JobRecord(**{**empty, **shown, "status": JobStatus(row["status"])})
