"""Routes of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from api.entity_tags import matches, quoted
from api.idempotency import EffectsDep, Outcome
from api.jobs.moves import Move, make_move
from api.jobs.schemas import JOB_EXAMPLES, Job, JobChanges, JobSummary
from api.jobs.service import create_job, job_body, set_priority, summary_body
from api.jobs.waiting import place_in_queue
from api.readable import readable_page
from api.request_context import request_id_of
from api.root_path import public_path
from api.schemas import After, Before, Limit, ListOf, list_of
from api.security import AuthenticatedRoute, Reader, Writer
from api.services import ServicesDep
from ewc_core.errors import RowDamaged
from ewc_core.specs import JobSpec
from store.job_states import JobStatus
from store.unit_of_work import Work

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=AuthenticatedRoute)


@router.post("", operation_id="create_job", status_code=201, response_model=Job)
def create(
    spec: Annotated[JobSpec, Body(openapi_examples=JOB_EXAMPLES)],
    request: Request,
    caller: Writer,
    services: ServicesDep,
    effects: EffectsDep,
) -> JSONResponse:
    """Submit a job. It is queued when this returns, and survives whatever happens next."""

    def effect(work: Work) -> Outcome:
        job = create_job(work, spec, caller=caller, settings=services.settings, request_id=request_id_of(request))
        return Outcome(201, job_body(work, job), {"Location": public_path(f"/v1/jobs/{job.id}")}, wake=job.id)

    return effects.run(effect)


@router.get("", operation_id="list_jobs")
def list_jobs(
    caller: Reader,
    services: ServicesDep,
    status: Annotated[JobStatus | None, Query(description="only jobs with this status")] = None,
    limit: Limit = 20,
    after: After = None,
    before: Before = None,
) -> ListOf[JobSummary]:
    """Your jobs, newest first, without their specs. A job whose record is damaged is left out."""
    try:
        with services.database.read() as work:
            page = work.jobs.page(owner=caller.owner, limit=limit, after=after, before=before, status=status)
            return list_of([summary_body(job) for job in page.items], has_more=page.has_more)
    except RowDamaged:
        with services.database.read() as work:
            ids = work.jobs.ids(owner=caller.owner, after=after, before=before, status=status)

    def read(job_id: str) -> JobSummary:
        with services.database.read() as work:
            return summary_body(work.jobs.summary(job_id))

    return readable_page(ids if before is None else ids[::-1], read, limit=limit, backwards=before is not None)


@router.get(
    "/{job_id}", operation_id="get_job", response_model=Job, responses={304: {"description": "If-None-Match is current."}}
)
def get(
    job_id: str,
    response: Response,
    caller: Reader,
    services: ServicesDep,
    if_none_match: Annotated[str | None, Header(description="an ETag of this job: 304 while nothing has changed")] = None,
) -> Job | Response:
    """One job. For polling, send the ETag back as If-None-Match."""
    with services.database.read() as work:
        job = work.jobs.get(job_id, owner=caller.owner)
        place = place_in_queue(work, job)  # of all that is shown, this alone changes without the job
        tag = quoted(str(job.version) if place is None else f"{job.version}-{place.tag}")
        if if_none_match is not None and matches(if_none_match, tag):
            return Response(status_code=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return job_body(work, job, place=place)


@router.patch("/{job_id}", operation_id="change_job", response_model=Job)
def change(job_id: str, changes: JobChanges, caller: Writer, services: ServicesDep) -> Job:
    """Change the priority of a queued job. What it is then is at `priority`; `spec` stays what was submitted."""
    with services.database.write() as work:
        return job_body(work, set_priority(work, job_id, changes.priority, caller=caller))


@router.post("/{job_id}/cancel", operation_id="cancel_job", status_code=202, response_model=Job)
def cancel(job_id: str, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """Stop the job for good. What it has stored stays."""
    return effects.run(lambda work: _move(work, job_id, Move.CANCEL, caller))


@router.post("/{job_id}/pause", operation_id="pause_job", status_code=202, response_model=Job)
def pause(job_id: str, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """Stop the job for now. It keeps its place, to the step."""
    return effects.run(lambda work: _move(work, job_id, Move.PAUSE, caller))


@router.post("/{job_id}/resume", operation_id="resume_job", status_code=202, response_model=Job)
def resume(job_id: str, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """Queue a paused job; it goes on where it was."""
    return effects.run(lambda work: _move(work, job_id, Move.RESUME, caller))


@router.post("/{job_id}/retry", operation_id="retry_job", status_code=202, response_model=Job)
def retry(job_id: str, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """Queue a failed job; it goes on at its last resume point. A trial counts in its sweep again, if that was not cancelled."""
    return effects.run(lambda work: _move(work, job_id, Move.RETRY, caller))


def _move(work: Work, job_id: str, move: Move, caller: Writer) -> Outcome:
    make_move(work, job_id, move, caller)
    job = work.jobs.get(job_id)
    return Outcome(202, job_body(work, job), wake=job_id if job.status is JobStatus.QUEUED else None)
