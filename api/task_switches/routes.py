"""Routes of task switches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse

from api.idempotency import EffectsDep, Outcome
from api.schemas import After, ListOf, LongLimit, list_of
from api.security import AuthenticatedRoute, Reader, Writer
from api.services import ServicesDep
from api.task_switches.schemas import SWITCH_EXAMPLES, TaskSwitch, TaskSwitchRequest
from api.task_switches.service import receive_switch
from store.job_states import JobStatus
from store.unit_of_work import Work

router = APIRouter(prefix="/v1/jobs/{job_id}/task-switches", tags=["task switches"], route_class=AuthenticatedRoute)


@router.post("", operation_id="create_task_switch", status_code=201, response_model=TaskSwitch)
def create(
    job_id: str,
    switch: Annotated[TaskSwitchRequest, Body(openapi_examples=SWITCH_EXAMPLES)],
    caller: Writer,
    services: ServicesDep,
    effects: EffectsDep,
) -> JSONResponse:
    """Append or revisit a task, switch to the next one now, or close the stream. Switches are numbered as they arrive."""

    def effect(work: Work) -> Outcome:
        record = receive_switch(work, job_id, switch, caller=caller, data_dir=services.settings.data_dir)
        queued = work.jobs.standing(job_id).status is JobStatus.QUEUED
        return Outcome(201, TaskSwitch.model_validate(vars(record)), wake=job_id if queued else None)

    return effects.run(effect)


@router.get("", operation_id="list_task_switches")
def list_switches(
    job_id: str, caller: Reader, services: ServicesDep, limit: LongLimit = 100, after: After = None
) -> ListOf[TaskSwitch]:
    """The task switches of the job, in order."""
    with services.database.read() as work:
        work.jobs.require(job_id, owner=caller.owner)
        page = work.switches.page(job_id, limit=limit, after=after)
    return list_of([TaskSwitch.model_validate(vars(record)) for record in page.items], has_more=page.has_more)
