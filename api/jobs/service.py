"""Jobs: making them, and their bodies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from api.jobs.schemas import Job, JobError, Lease, Progress, Transition
from api.security import Caller
from ewc_core.errors import DatasetUnavailable
from ewc_core.specs import JobSpec, SupervisedSpec, TaskSpec, dataset_files_missing, dataset_title
from store.job_states import HELD
from store.records import JobRecord, SwitchRecord
from store.unit_of_work import Work

_PARTS = {
    "tasks": "tasks",
    "task_switches": "task-switches",
    "events": "events",
    "metrics": "metrics",
    "matrix": "evaluations/matrix",
    "checkpoints": "checkpoints",
}


def create_job(work: Work, spec: JobSpec, *, caller: Caller, data_dir: Path | None, request_id: str) -> JobRecord:
    """Write a queued job with its tasks and their switches.

    Raises:
        DatasetUnavailable: a task's data set has files, and they are not in the data directory.
    """
    for index, task in enumerate(spec.tasks if isinstance(spec, SupervisedSpec) else []):
        require_dataset(task, data_dir, field=f"tasks.{index}.dataset")
    return work.jobs.create(spec, owner=caller.owner, request_id=request_id)


def require_dataset(task: TaskSpec, data_dir: Path | None, *, field: str) -> None:
    """Raises DatasetUnavailable, naming `field`, when files of the task's data set are missing."""
    missing = dataset_files_missing(task.dataset, data_dir)
    if missing:
        where = "EWC_DATA_DIR is not set" if data_dir is None else "they are not in the folder that EWC_DATA_DIR names"
        raise DatasetUnavailable(
            f"data set {dataset_title(task.dataset)!r} needs the files {', '.join(missing)}, but {where}", field=field
        )


def job_body(work: Work, job: JobRecord) -> Job:
    """The job as the service shows it."""
    return Job(
        id=job.id,
        name=job.name,
        status=job.status,
        status_reason=job.status_reason,
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
        weights_sha256=job.weights_sha256,
        lease=_lease(work, job),
        transitions=[Transition.model_validate(vars(move)) for move in work.jobs.transitions(job.id)],
        request_id=job.request_id,
        links={"self": f"/v1/jobs/{job.id}", **{name: f"/v1/jobs/{job.id}/{path}" for name, path in _PARTS.items()}},
    )


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
