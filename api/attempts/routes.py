"""The route of attempts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.attempts.schemas import Attempt, attempt_body
from api.schemas import Limit, ListOf, list_of
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep

router = APIRouter(prefix="/v1/jobs/{job_id}/attempts", tags=["jobs"], route_class=AuthenticatedRoute)


@router.get("", operation_id="list_attempts")
def list_attempts(
    job_id: str,
    caller: Reader,
    services: ServicesDep,
    limit: Limit = 20,
    after: Annotated[int, Query(ge=0, lt=10**9, description="number of the last attempt that you have")] = 0,
) -> ListOf[Attempt]:
    """The attempts to run the job, oldest first, each with where it ran. One whose trainer never began is not listed."""
    with services.database.read() as work:
        work.jobs.get(job_id, owner=caller.owner)
        page = work.attempts.of_job(job_id, after=after, limit=limit + 1)
    return list_of([attempt_body(record) for record in page[:limit]], has_more=len(page) > limit)
