"""The route of checks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from api.idempotency import EffectsDep, Outcome
from api.jobs.schemas import CHECK_EXAMPLES, Job
from api.jobs.service import job_body
from api.request_context import request_id_of
from api.root_path import public_path
from api.security import AuthenticatedRoute, Writer
from ewc_core.specs import CheckedSpec, CheckSpec
from store.unit_of_work import Work

router = APIRouter(prefix="/v1/job-checks", tags=["jobs"], route_class=AuthenticatedRoute)


@router.post("", operation_id="create_job_check", status_code=202, response_model=Job)
def create(
    spec: Annotated[CheckedSpec, Body(openapi_examples=CHECK_EXAMPLES)],
    request: Request,
    caller: Writer,
    effects: EffectsDep,
) -> JSONResponse:
    """Look a job over without submitting it. A job of kind `check` does, on a worker with the labels that `spec` asks for; what
    is wrong, all of it, and what the job would take in memory, disk and time is its result."""

    def effect(work: Work) -> Outcome:
        job = work.jobs.create(_check_of(spec), owner=caller.owner, request_id=request_id_of(request))
        return Outcome(202, job_body(work, job), {"Location": public_path(f"/v1/jobs/{job.id}")}, wake=job.id)

    return effects.run(effect)


def _check_of(spec: CheckedSpec) -> CheckSpec:
    # Whether the job's memory is free now is not what is asked.
    execution = spec.execution.model_copy(update={"memory_bytes": None})
    return CheckSpec(kind="check", name=spec.name, num_threads=spec.num_threads, execution=execution, job=spec)
