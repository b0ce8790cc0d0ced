"""Events of one job as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

from fastapi.concurrency import run_in_threadpool

from api.caller import Caller
from api.errors import ApiError
from api.events.feed import EventFeed
from api.events.schemas import event_body
from api.problem_handlers import problem_of
from api.root_path import public_path
from store.job_states import FINISHED
from store.records import EventRecord, JobStanding
from store.unit_of_work import Database

HEARTBEAT_SECONDS = 15.0
FIRST_HEARTBEAT_SECONDS = 2.0
_RETRY_MILLISECONDS = 2000
_PAGE = 100


async def event_stream(
    database: Database, feed: EventFeed, job_id: str, *, caller: Caller, after: int, request_id: str
) -> AsyncIterator[str]:
    """Every event with a higher `seq` than `after`, in order, once; then, when the job is finished, `done`.

    When the caller's key is revoked meanwhile, the last message is an `error` with the problem that a new request would
    get.

    A comment two seconds after the last event says that there is nothing new; one every 15 seconds keeps the connection
    open. A subscriber that comes back with the last id it saw misses nothing and gets nothing twice.
    """
    seen, patience_seconds = after, FIRST_HEARTBEAT_SECONDS
    yield f"retry: {_RETRY_MILLISECONDS}\n\n"
    with feed.watch(job_id, caller) as watch:
        while not feed.closed:
            refusal = feed.refusal(caller)
            if refusal is not None:
                yield f"event: error\ndata: {_problem(refusal, job_id, request_id)}\n\n"
                return
            page, job = await run_in_threadpool(_read, database, job_id, seen)
            for event in page:
                yield _message(event)
                seen, patience_seconds = event.seq, FIRST_HEARTBEAT_SECONDS
            if len(page) == _PAGE:
                continue
            if job.status in FINISHED and seen >= job.last_event_seq:
                yield f"event: done\ndata: {json.dumps({'job_id': job_id, 'status': job.status.value})}\n\n"
                return
            if not await feed.wait(watch, caller, after=seen, timeout_seconds=patience_seconds) and not feed.closed:
                yield ": heartbeat\n\n"
                patience_seconds = HEARTBEAT_SECONDS


def _read(database: Database, job_id: str, after: int) -> tuple[Sequence[EventRecord], JobStanding]:
    # The job is read last: when it says that it is finished, its last_event_seq tells whether the page has everything.
    with database.read() as work:
        page = work.events.page(job_id, after_seq=after, limit=_PAGE)
        return page, work.jobs.standing(job_id)


def _message(event: EventRecord) -> str:
    return f"id: {event.seq}\ndata: {event_body(event).model_dump_json()}\n\n"


def _problem(refusal: ApiError, job_id: str, request_id: str) -> str:
    response = problem_of(refusal, instance=public_path(f"/v1/jobs/{job_id}/events"), request_id=request_id)
    return bytes(response.body).decode()
