"""Routes of sweeps."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Header, Request, Response
from fastapi.responses import JSONResponse

from api.entity_tags import matches, quoted
from api.idempotency import EffectsDep, Outcome
from api.readable import readable_page
from api.request_context import request_id_of
from api.root_path import public_path
from api.schemas import After, Before, Limit, ListOf, list_of
from api.security import AuthenticatedRoute, Reader, Writer
from api.services import ServicesDep
from api.sweeps.schemas import SWEEP_EXAMPLES, Sweep, SweepSummary
from api.sweeps.service import cancel_sweep, create_sweep, summary_bodies, sweep_body
from ewc_core.errors import RowDamaged
from ewc_core.specs import SweepSpec
from store.unit_of_work import Work

router = APIRouter(prefix="/v1/sweeps", tags=["sweeps"], route_class=AuthenticatedRoute)


@router.post("", operation_id="create_sweep", status_code=201, response_model=Sweep)
def create(
    spec: Annotated[SweepSpec, Body(openapi_examples=SWEEP_EXAMPLES)],
    request: Request,
    caller: Writer,
    services: ServicesDep,
    effects: EffectsDep,
) -> JSONResponse:
    """Search for the best values of a job's fields. Trials are ordinary jobs; no trial looks at test data."""

    def effect(work: Work) -> Outcome:
        sweep = create_sweep(work, spec, caller=caller, settings=services.settings, request_id=request_id_of(request))
        return Outcome(201, sweep_body(work, sweep), {"Location": public_path(f"/v1/sweeps/{sweep.id}")})

    return effects.run(effect)


@router.get("", operation_id="list_sweeps")
def list_sweeps(
    caller: Reader, services: ServicesDep, limit: Limit = 20, after: After = None, before: Before = None
) -> ListOf[SweepSummary]:
    """Your sweeps, newest first, without their specs and trials. A sweep whose record is damaged is left out."""
    try:
        with services.database.read() as work:
            page = work.sweeps.page(owner=caller.owner, limit=limit, after=after, before=before)
            return list_of(summary_bodies(work, page.items), has_more=page.has_more)
    except RowDamaged:
        with services.database.read() as work:
            ids = work.sweeps.ids(owner=caller.owner, after=after, before=before)

    def read(sweep_id: str) -> SweepSummary:
        with services.database.read() as work:
            return summary_bodies(work, [work.sweeps.get(sweep_id)])[0]

    return readable_page(ids if before is None else ids[::-1], read, limit=limit, backwards=before is not None)


@router.get(
    "/{sweep_id}", operation_id="get_sweep", response_model=Sweep, responses={304: {"description": "If-None-Match is current."}}
)
def get(
    sweep_id: str,
    response: Response,
    caller: Reader,
    services: ServicesDep,
    if_none_match: Annotated[str | None, Header(description="an ETag of this sweep: 304 while nothing has changed")] = None,
) -> Sweep | Response:
    """One sweep with its trials and the best one so far. For polling, send the ETag back as If-None-Match."""
    with services.database.read() as work:
        sweep = work.sweeps.get(sweep_id, owner=caller.owner)
        tag = quoted(str(sweep.version))
        if if_none_match is not None and matches(if_none_match, tag):
            return Response(status_code=304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return sweep_body(work, sweep)


@router.post("/{sweep_id}/cancel", operation_id="cancel_sweep", status_code=202, response_model=Sweep)
def cancel(sweep_id: str, caller: Writer, effects: EffectsDep) -> JSONResponse:
    """End the sweep and cancel the jobs of its running trials. The scores so far stay."""

    def effect(work: Work) -> Outcome:
        return Outcome(202, sweep_body(work, cancel_sweep(work, sweep_id, caller=caller)))

    return effects.run(effect)
