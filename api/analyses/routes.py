"""Routes of analyses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from api.analyses.checks import require_answerable
from api.analyses.schemas import ANALYSIS_EXAMPLES, Analysis, AnalysisRequest
from api.analyses.service import analysis_body
from api.idempotency import EffectsDep, Outcome
from api.jobs.kinds import require_learning
from api.jobs.schemas import Job
from api.jobs.service import job_body
from api.request_context import request_id_of
from api.root_path import public_path
from api.schemas import After, Limit, ListOf, list_of
from api.security import AuthenticatedRoute, Reader, Writer
from api.services import ServicesDep
from store.unit_of_work import Work

router = APIRouter(prefix="/v1/jobs/{job_id}/analyses", tags=["analyses"], route_class=AuthenticatedRoute)


@router.post("", operation_id="create_analysis", status_code=202, response_model=Job)
def create(
    job_id: str,
    question: Annotated[AnalysisRequest, Body(openapi_examples=ANALYSIS_EXAMPLES)],
    request: Request,
    caller: Writer,
    effects: EffectsDep,
) -> JSONResponse:
    """Ask what the job has learned: a job of kind `analysis` answers, from the record as it stands when that job runs."""

    def effect(work: Work) -> Outcome:
        analysed = work.jobs.summary(job_id, owner=caller.owner)
        require_learning(analysed, "analyses")
        spec = question.spec_about(job_id)
        require_answerable(work, analysed, spec.question)
        job = work.jobs.create(spec, owner=caller.owner, request_id=request_id_of(request))
        return Outcome(202, job_body(work, job), {"Location": public_path(f"/v1/jobs/{job.id}")}, wake=job.id)

    return effects.run(effect)


@router.get("", operation_id="list_analyses")
def list_analyses(job_id: str, caller: Reader, services: ServicesDep, limit: Limit = 20, after: After = None) -> ListOf[Analysis]:
    """The questions asked about this job, newest first, with the answers found so far."""
    with services.database.read() as work:
        job = work.jobs.summary(job_id, owner=caller.owner)
        page = work.jobs.list_analyses(job, limit=limit, after=after)
        found = work.results.of_jobs([record.id for record in page.items])
    return list_of([analysis_body(record, found.get(record.id)) for record in page.items], has_more=page.has_more)
