"""Routes of workers."""

from __future__ import annotations

from fastapi import APIRouter

from api.schemas import ListOf, list_of
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep
from api.workers.schemas import Worker

router = APIRouter(prefix="/v1/workers", tags=["operations"], route_class=AuthenticatedRoute)


@router.get("", operation_id="list_workers")
def list_workers(_caller: Reader, services: ServicesDep) -> ListOf[Worker]:
    """The live workers of this service. They are shared by all owners."""
    with services.database.read() as work:
        return list_of([Worker.model_validate(vars(record)) for record in work.workers.alive()])
