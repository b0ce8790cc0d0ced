"""Routes of events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.content_negotiation import preferred
from api.errors import InvalidHeader
from api.events.schemas import Event, event_body
from api.events.stream import event_stream
from api.request_context import request_id_of
from api.schemas import ListOf, list_of
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep

router = APIRouter(prefix="/v1/jobs/{job_id}/events", tags=["events"], route_class=AuthenticatedRoute)
EVENT_STREAM = "text/event-stream"
_STREAM_DOC = {
    "description": "A page of events, or with `Accept: text/event-stream` all of them as they happen.",
    "content": {EVENT_STREAM: {}},
}
_LAST_SEQ = 2**31 - 1
"""Events are numbered in 32 bits: after a larger number there are none either."""


@router.get("", operation_id="list_events", response_model=ListOf[Event], responses={200: _STREAM_DOC})
def list_events(
    job_id: str,
    request: Request,
    response: Response,
    caller: Reader,
    services: ServicesDep,
    after: Annotated[int, Query(ge=0, lt=10**18, description="`seq` of the last event that you have")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="events per page")] = 100,
    last_event_id: Annotated[str | None, Header(description="as `after`, sent by clients that reconnect to a stream")] = None,
) -> ListOf[Event] | Response:
    """Events of the job, oldest first: a page, or a stream that can be cut anywhere and continued without gap or duplicate."""
    streams = preferred(request.headers.get("accept"), ["application/json", EVENT_STREAM]) == EVENT_STREAM
    place = min(_place(last_event_id, after), _LAST_SEQ)
    with services.database.read() as work:
        work.jobs.require(job_id, owner=caller.owner)
        page = [] if streams else work.events.page(job_id, after_seq=place, limit=limit + 1)
    if streams:
        stream = event_stream(
            services.database, services.events, job_id, caller=caller, after=place, request_id=request_id_of(request)
        )
        return StreamingResponse(
            stream, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
        )
    response.headers["Vary"] = "Accept"
    return list_of([event_body(event) for event in page[:limit]], has_more=len(page) > limit)


def _place(last_event_id: str | None, after: int) -> int:
    if last_event_id is None:
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 18):
        raise InvalidHeader(f"Last-Event-ID {last_event_id!r} is not the number of an event")
    return int(last_event_id)
