"""Routes of results."""

from __future__ import annotations

from fastapi import APIRouter

from api.errors import NoResult
from api.jobs.kinds import require_result_kind
from api.results.schemas import Result, result_body
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep

router = APIRouter(prefix="/v1/jobs/{job_id}/result", tags=["results"], route_class=AuthenticatedRoute)


@router.get("", operation_id="get_result")
def get(job_id: str, caller: Reader, services: ServicesDep) -> Result:
    """What an association or analysis job has found; 404 while it has found nothing yet."""
    with services.database.read() as work:
        job = work.jobs.get(job_id, owner=caller.owner)
        require_result_kind(job)
        record = work.results.get(job_id)
        if record is None:
            raise NoResult(job_id, job.status.value)
        return result_body(job, record)
