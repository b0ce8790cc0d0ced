"""Changing how strongly a task holds the network."""

from __future__ import annotations

from api.caller import Caller
from api.errors import JobFinished, NoConstraint
from api.jobs.kinds import require_learning
from api.tasks.schemas import Task, task_body
from store.job_states import FINISHED, JobStatus
from store.unit_of_work import Work


def reweight(work: Work, job_id: str, task_index: int, weight: float, *, caller: Caller) -> Task:
    """Let the task's constraint count `weight` times from the next visit on, and write the event of it.

    Raises:
        NotFound: no such job of this owner, or no such task in it.
        WrongJobKind: the job has no tasks.
        JobFinished: no visit follows.
        NoConstraint: the task is not consolidated, or the job's method keeps one sum over all tasks.
    """
    job = work.jobs.get(job_id, owner=caller.owner, lock=True)
    require_learning(job, "constraints")
    task = work.tasks.get(job_id, task_index)
    if job.status in FINISHED or job.status is JobStatus.CANCELLING:
        raise JobFinished(job_id, job.status.value)
    method = job.learning.method
    if method.sums_tasks:
        raise NoConstraint(
            f"method {method.kind!r} of job {job_id} keeps one running sum over all tasks; no single task can be taken out"
        )
    before = work.constraints.find(job_id, task_index)
    if before is None:
        raise NoConstraint(f"task {task_index} of job {job_id} ({task.status}) has no constraint: it is not consolidated")
    constraint = work.constraints.set_weight(job_id, task_index=task_index, weight=weight)
    work.events.append(
        job_id,
        type="constraint.reweighted",
        message=f"task {task_index}: weight {before.weight:g} -> {weight:g}, from the next visit on",
        data={"task_index": task_index, "weight": weight, "weight_before": before.weight},
    )
    return task_body(task, constraint)
