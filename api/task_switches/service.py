"""What a task switch does to a job."""

from __future__ import annotations

from pathlib import Path

from api.caller import Caller
from api.errors import SwitchNotPossible
from api.jobs.kinds import require_learning
from api.jobs.moves import moves_from
from api.jobs.needs import require_task
from api.task_switches.schemas import AppendTask, CloseStream, RevisitTask, SwitchNow, TaskSwitchRequest
from ewc_core.errors import SpecError, StreamClosed
from store.job_states import FINISHED, JobStatus
from store.records import JobRecord, SwitchRecord
from store.unit_of_work import Work

ORIGIN = "api"


def receive_switch(work: Work, job_id: str, request: TaskSwitchRequest, *, caller: Caller, data_dir: Path | None) -> SwitchRecord:
    """Write a task switch, and move a waiting job on.

    Raises:
        NotFound: no such job of this owner.
        WrongJobKind: the job has no tasks.
        StreamClosed: the job takes no such switch any more.
        SequenceConflict: another switch came first.
        SpecError: the task does not fit, or there is no task to revisit.
        SwitchNotPossible: "switch now" with no visit in progress, or none after it.
    """
    job = work.jobs.get(job_id, owner=caller.owner, lock=True)
    require_learning(job, "task switches")
    _require_open(work, job, request)
    switch = _write(work, job, request, data_dir)
    work.events.append(
        job_id,
        type="switch.received",
        message=f"task switch {switch.sequence}: {switch.action}",
        data={
            "sequence": switch.sequence,
            "action": switch.action,
            "task_index": switch.task_index,
            "visit_index": switch.visit_index,
            "now": switch.now,
        },
    )
    if job.status is JobStatus.WAITING:
        # A waiting job has no visit left: a new one queues it, and with a closed stream there is nothing more to do.
        target = JobStatus.SUCCEEDED if isinstance(request, CloseStream) else JobStatus.QUEUED
        reason = "stream_closed" if isinstance(request, CloseStream) else "task_announced"
        work.jobs.transition(job_id, target, reason=reason, actor=caller.actor)
    return switch


def _require_open(work: Work, job: JobRecord, request: TaskSwitchRequest) -> None:
    ended = job.status in FINISHED or job.status is JobStatus.CANCELLING
    if ended:
        raise StreamClosed(job.id, job.status.value, moves_from(job.status))
    if job.stream != "open" and not isinstance(request, SwitchNow):
        left = ["switch_now"] if work.switches.visits_around_now(job.id) == (True, True) else []
        raise StreamClosed(job.id, job.status.value, [*left, *moves_from(job.status)])


def _write(work: Work, job: JobRecord, request: TaskSwitchRequest, data_dir: Path | None) -> SwitchRecord:
    in_progress, another_follows = work.switches.visits_around_now(job.id)
    task_index: int | None = None
    now = False
    match request:
        case AppendTask():
            task_index = _add_task(work, job, request, data_dir)
            now = request.now and in_progress
        case RevisitTask():
            task_index = _known_task(work, job.id, request)
            now = request.now and in_progress
        case SwitchNow():
            _require_a_switch_to_make(job, in_progress=in_progress, another_follows=another_follows)
        case CloseStream():
            work.jobs.close_stream(job.id)
    return work.switches.append(
        job.id, action=request.action, task_index=task_index, origin=ORIGIN, now=now, expected_sequence=request.sequence
    )


def _add_task(work: Work, job: JobRecord, request: AppendTask, data_dir: Path | None) -> int:
    job.spec.check_next_task([task.spec for task in work.tasks.of_job(job.id)], request.task)
    require_task(request.task, data_dir, field="task")
    return work.tasks.add(job.id, request.task).task_index


def _known_task(work: Work, job_id: str, request: RevisitTask) -> int:
    num_tasks = work.tasks.num(job_id)
    if request.task_index >= num_tasks:
        raise SpecError(
            f"task_index {request.task_index} is not a task of job {job_id}: it has tasks 0 to {num_tasks - 1}",
            field="task_index",
        )
    return request.task_index


def _require_a_switch_to_make(job: JobRecord, *, in_progress: bool, another_follows: bool) -> None:
    if not in_progress:
        raise SwitchNotPossible(f"no visit of job {job.id} (status {job.status.value!r}) is in progress, so there is none to end")
    if not another_follows:
        raise SwitchNotPossible(
            f'no visit follows the one in progress in job {job.id}; append or revisit a task with "now": true instead'
        )
