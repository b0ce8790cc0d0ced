"""Jobs: making them, and their bodies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from api.analyses.checks import analysed_job, require_answerable
from api.jobs.needs import require_dataset, require_network
from api.jobs.schemas import Job, JobError, JobWarning, Lease, Progress, Transition
from api.security import Caller
from ewc_core.specs import AnalysisSpec, JobSpec, LearningSpec, SupervisedSpec
from store.job_states import HELD
from store.records import EventRecord, JobRecord, SwitchRecord
from store.unit_of_work import Work

_PARTS = {"events": "events", "metrics": "metrics"}
_PARTS_OF_LEARNING = {
    **_PARTS,
    "tasks": "tasks",
    "task_switches": "task-switches",
    "matrix": "evaluations/matrix",
    "checkpoints": "checkpoints",
    "analyses": "analyses",
}
_PARTS_OF_OTHERS = {**_PARTS, "result": "result"}


def create_job(work: Work, spec: JobSpec, *, caller: Caller, data_dir: Path | None, request_id: str) -> JobRecord:
    """Write a queued job with its tasks and their switches.

    Raises:
        DatasetUnavailable: a task's data set has files, and they are not in the data directory.
        SpecError: a plug-in that is not installed; an analysis of something that is not there.
        NotLearned: an analysis of something that is not learned yet.
    """
    if isinstance(spec, SupervisedSpec):
        require_network(spec.network, field="network")
        for index, task in enumerate(spec.tasks):
            require_dataset(task, data_dir, field=f"tasks.{index}.dataset")
    elif isinstance(spec, AnalysisSpec):
        analysed = analysed_job(work, spec.job_id, owner=caller.owner)
        require_answerable(work, analysed, spec.question, field="question.")
    return work.jobs.create(spec, owner=caller.owner, request_id=request_id)


def job_body(work: Work, job: JobRecord) -> Job:
    """The job as the service shows it."""
    return Job(
        id=job.id,
        name=job.name,
        status=job.status,
        status_reason=job.status_reason,
        queue_position=work.jobs.queue_position(job),
        desired_state=job.desired_state,
        stream=job.stream,
        created_at=job.created_at,
        updated_at=job.updated_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        spec=job.spec,
        progress=_progress(job, work.switches.visits(job.id)),
        attempt=job.attempt,
        error=JobError.model_validate(dict(job.error)) if job.error is not None else None,
        warnings=[_warning(event) for event in work.events.warnings(job.id)],
        weights_sha256=job.weights_sha256,
        lease=_lease(work, job),
        transitions=[Transition.model_validate(vars(move)) for move in work.jobs.transitions(job.id)],
        request_id=job.request_id,
        links=_links(job),
    )


def _links(job: JobRecord) -> dict[str, str]:
    parts = _PARTS_OF_LEARNING if isinstance(job.spec, LearningSpec) else _PARTS_OF_OTHERS
    path = f"/v1/jobs/{job.id}"
    return {"self": path, **{name: f"{path}/{part}" for name, part in parts.items()}}


def _warning(event: EventRecord) -> JobWarning:
    code, visit_index = str(event.data.get("code", "unknown")), event.data.get("visit_index")
    return JobWarning(code=code, message=event.message, visit_index=visit_index, at=event.at)


def _progress(job: JobRecord, visits: Sequence[SwitchRecord]) -> Progress:
    current = next((visit for visit in visits if visit.visit_index == job.visit_index), None)
    return Progress(
        visit_index=job.visit_index,
        task_index=current.task_index if current else None,
        step=job.step,
        num_steps=job.num_steps,
        num_visits=len(visits),
    )


def _lease(work: Work, job: JobRecord) -> Lease | None:
    lease = work.leases.get(job.id) if job.status in HELD else None
    if lease is None or lease.worker_id is None:
        return None
    return Lease(worker_id=lease.worker_id, epoch=lease.epoch, expires_at=lease.expires_at)
