"""Jobs: making them, and their bodies."""

from __future__ import annotations

from typing import Any

from api.analyses.checks import analysed_job, require_answerable
from api.caller import Caller
from api.errors import JobNotQueued
from api.jobs import schemas
from api.jobs.needs import require_needs
from api.jobs.schemas import Job, JobError, JobWarning, Lease, Progress, Transition
from api.jobs.waiting import PlaceInQueue, place_in_queue
from api.readable import stored_values
from api.root_path import public_path
from ewc_core.errors import RowDamaged
from ewc_core.specs import JobSpec
from store.job_states import HELD, JobStatus
from store.records import EventRecord, JobRecord, JobSummary
from store.settings import StoreSettings
from store.unit_of_work import Work

_SHOWN_AS_THEY_ARE = schemas.JobSummary.model_fields.keys() - {"object", "progress", "error", "links"}
_PARTS = {"attempts": "attempts", "events": "events", "metrics": "metrics"}
_PARTS_OF_LEARNING = {
    **_PARTS,
    "tasks": "tasks",
    "task_switches": "task-switches",
    "matrix": "evaluations/matrix",
    "checkpoints": "checkpoints",
    "snapshots": "snapshots",
    "analyses": "analyses",
}
_PARTS_OF_OTHERS = {**_PARTS, "result": "result"}


def create_job(work: Work, spec: JobSpec, *, caller: Caller, settings: StoreSettings, request_id: str) -> JobRecord:
    """Write a queued job with its tasks and their switches.

    Raises:
        DatasetUnavailable: a task's data set has files, and they are not in the data directory.
        SpecError: a plug-in that is not installed; an analysis of something that is not there.
        NotLearned: an analysis of something that is not learned yet.
    """
    require_needs(spec, settings)
    if spec.asked_about is not None:
        job_id, question = spec.asked_about
        require_answerable(work, analysed_job(work, job_id, owner=caller.owner), question, field="question.")
    return work.jobs.create(spec, owner=caller.owner, request_id=request_id)


def set_priority(work: Work, job_id: str, priority: int, *, caller: Caller) -> JobRecord:
    """Change when a queued job is taken, and write the event of it.

    Raises:
        NotFound: no such job of this owner.
        JobNotQueued: a worker has the job, or none will.
    """
    job = work.jobs.summary(job_id, owner=caller.owner, lock=True)
    if job.status is not JobStatus.QUEUED:
        raise JobNotQueued(job_id, job.status.value)
    work.jobs.set_priority(job_id, priority)
    work.events.append(
        job_id,
        type="job.priority",
        message=f"priority {job.priority} -> {priority}",
        data={"priority": priority, "priority_before": job.priority},
    )
    return work.jobs.get(job_id)


def job_body(work: Work, job: JobRecord, *, place: PlaceInQueue | None = None) -> Job:
    """The job as the service shows it; `place` where it is known already."""
    moves = work.jobs.transitions(job.id)
    warnings = [_warning(event) for event in work.events.warnings(job.id)]
    if None in moves:
        warnings.append(_lost_moves(job, moves.count(None)))
    with stored_values(job.id):
        place = place or place_in_queue(work, job)
        return Job(
            **_summary(job),
            queue_position=None if place is None else place.position,
            waiting_for=None if place is None else place.waiting_for,
            spec=job.stored_spec,
            warnings=warnings,
            lease=_lease(work, job),
            transitions=[Transition.model_validate(vars(move)) for move in moves if move is not None],
        )


def summary_body(job: JobSummary) -> schemas.JobSummary:
    """The job as lists show it."""
    with stored_values(job.id):
        return schemas.JobSummary(**_summary(job))


def _summary(job: JobSummary) -> dict[str, Any]:
    shown = {name: getattr(job, name) for name in _SHOWN_AS_THEY_ARE}
    progress = Progress(
        visit_index=job.visit_index,
        task_index=job.task_index,
        step=job.step,
        num_steps=job.num_steps,
        num_visits=job.num_visits,
    )
    error = JobError.model_validate(job.error) if job.error is not None else None
    return {**shown, "progress": progress, "error": error, "links": _links(job)}


def _links(job: JobSummary) -> dict[str, str]:
    parts = _PARTS_OF_LEARNING if job.has_tasks else _PARTS_OF_OTHERS
    path = public_path(f"/v1/jobs/{job.id}")
    return {"self": path, **{name: f"{path}/{part}" for name, part in parts.items()}}


def _warning(event: EventRecord) -> JobWarning:
    code, visit_index = str(event.data.get("code", "unknown")), event.data.get("visit_index")
    return JobWarning(code=code, message=event.message, visit_index=visit_index, at=event.at)


def _lost_moves(job: JobRecord, num: int) -> JobWarning:
    message = (
        f"{num} of the job's moves cannot be read, because their record is damaged, and {'is' if num == 1 else 'are'} left out"
    )
    return JobWarning(code=RowDamaged.code, message=message, visit_index=None, at=job.updated_at)


def _lease(work: Work, job: JobRecord) -> Lease | None:
    lease = work.leases.get(job.id) if job.status in HELD else None
    if lease is None or lease.worker_id is None:
        return None
    return Lease(worker_id=lease.worker_id, epoch=lease.epoch, expires_at=lease.expires_at)
