"""Routes of tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from api.idempotency import EffectsDep, Outcome
from api.schemas import After, ListOf, LongLimit, list_of
from api.security import AuthenticatedRoute, Reader, Writer
from api.services import ServicesDep
from api.tasks.schemas import Reweight, Task, task_body
from api.tasks.service import reweight

router = APIRouter(prefix="/v1/jobs/{job_id}/tasks", tags=["tasks"], route_class=AuthenticatedRoute)
TaskIndex = Annotated[int, Path(ge=0, le=9999)]


@router.get("", operation_id="list_tasks")
def list_tasks(job_id: str, caller: Reader, services: ServicesDep, limit: LongLimit = 100, after: After = None) -> ListOf[Task]:
    """The tasks of the job, those announced but not yet trained included; none for a job of a kind that has none."""
    with services.database.read() as work:
        work.jobs.require(job_id, owner=caller.owner)
        page = work.tasks.page(job_id, limit=limit, after=after)
        constraints = {constraint.task_index: constraint for constraint in work.constraints.of_job(job_id)}
    return list_of([task_body(task, constraints.get(task.task_index)) for task in page.items], has_more=page.has_more)


@router.post("/{task_index}/reweight", operation_id="reweight_task", response_model=Task)
def reweight_task(job_id: str, task_index: TaskIndex, change: Reweight, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """Let the task's constraint count `weight` times from the next visit on.

    The visit in progress is not touched. When the task is consolidated again, its weight is 1 again.
    """
    return effects.run(lambda work: Outcome(200, reweight(work, job_id, task_index, change.weight, caller=caller)))


@router.post("/{task_index}/forget", operation_id="forget_task", response_model=Task)
def forget_task(job_id: str, task_index: TaskIndex, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """Stop holding the network to the task from the next visit on: its weight becomes 0.

    What is stored of the task stays, so a later `reweight` brings it back.
    """
    return effects.run(lambda work: Outcome(200, reweight(work, job_id, task_index, 0.0, caller=caller)))
