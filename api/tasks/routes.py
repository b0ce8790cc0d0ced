"""Routes of tasks."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas import ListOf, list_of
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep
from api.tasks.schemas import Task

router = APIRouter(prefix="/v1/jobs/{job_id}/tasks", tags=["tasks"], route_class=AuthenticatedRoute)


@router.get("", operation_id="list_tasks")
def list_tasks(job_id: str, caller: Reader, services: ServicesDep) -> ListOf[Task]:
    """The tasks of the job, those announced but not yet trained included."""
    with services.database.read() as work:
        work.jobs.get(job_id, owner=caller.owner)
        return list_of([Task.model_validate(vars(task)) for task in work.tasks.list(job_id)])
