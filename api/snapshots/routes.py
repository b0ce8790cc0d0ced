"""The route of snapshots."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas import After, Limit, ListOf, list_of
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep
from api.snapshots.schemas import Snapshot, snapshot_body

router = APIRouter(prefix="/v1/jobs/{job_id}/snapshots", tags=["checkpoints"], route_class=AuthenticatedRoute)


@router.get("", operation_id="list_snapshots")
def list_snapshots(
    job_id: str, caller: Reader, services: ServicesDep, limit: Limit = 20, after: After = None
) -> ListOf[Snapshot]:
    """The snapshots that are kept of the job, in the order of its visits. A visit that version 0.2.0 finished has none."""
    with services.database.read() as work:
        work.jobs.require(job_id, owner=caller.owner)
        page = work.snapshots.list(job_id, limit=limit, after=after)
    return list_of([snapshot_body(record) for record in page.items], has_more=page.has_more)
