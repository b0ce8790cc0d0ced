"""The event stream's grammar, and its promise: no gap and no duplicate, however often the connection is cut."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from ewc_client import EWCClient
from ewc_client.errors import (
    ApiError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ServiceUnreachableError,
    UnauthorizedError,
)
from ewc_client.sse import EventStream, Message, parse
from ewc_client.transport import RetryPolicy, Transport
from store.job_states import JobStatus
from tests.api.lives import SPEC, add_events, bring_to
from tests.ewc_client.conftest import QUICK, Service
from tests.ewc_client.scripted_server import Answer, Asked, ScriptedServer, json_answer

SSE = {"Content-Type": "text/event-stream"}


def event(seq: int, **changes: object) -> dict[str, object]:
    return {
        "seq": seq,
        "level": "info",
        "type": "test",
        "message": f"event {seq}",
        "data": {},
        "at": "2026-01-01T00:00:00Z",
        **changes,
    }


def wire(events: Sequence[dict[str, object]], *, done: bool) -> bytes:
    text = "retry: 1\n\n"
    for body in events:
        text += f"id: {body['seq']}\nevent: {body['type']}\ndata: {json.dumps(body)}\n\n"
    return (text + ("event: done\ndata: {}\n\n" if done else "")).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_messages_are_the_same_however_the_bytes_arrive(size: int, end: str) -> None:
    text = "retry: 50\n\n: a comment\n\nevent: a\ndata: one\ndata:two\nid: 1\n\ndata: ü\u2028\n\nevent: unfinished\ndata: x\n"
    body = text.replace("\n", end).encode()
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert list(parse(chunks)) == [
        Message("message", "", 50),
        Message("", ""),
        Message("a", "one\ntwo"),
        Message("message", "ü\u2028"),
    ]


def cutting_server(num_events: int, seed: int) -> ScriptedServer:
    """Answers with everything after Last-Event-ID, cut at a random byte the first five times."""
    randomness = random.Random(seed)  # noqa: S311 a fixed seed is the point

    def answer(asked: Asked, number: int) -> Answer:
        after = int(asked.headers["Last-Event-ID"])
        body = wire([event(seq) for seq in range(after + 1, num_events + 1)], done=True)
        cut = randomness.randrange(len(body)) if number < 5 else None
        return Answer(200, body, SSE, cut_after=cut)

    return ScriptedServer(answer)


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_cut_at_random_bytes_has_no_gap_and_no_duplicate(seed: int) -> None:
    with cutting_server(60, seed) as server:
        transport = Transport(server.url, None, sleep=lambda seconds: None)
        events = list(EventStream(transport, "job_x"))
        transport.close()
    assert [e.seq for e in events] == list(range(1, 61))
    assert 1 < len(server.asked) <= 6


def test_a_hundred_cuts_in_one_stream_lose_nothing() -> None:
    def answer(asked: Asked, number: int) -> Answer:
        after = int(asked.headers["Last-Event-ID"])
        if number < 100:
            return Answer(200, wire([event(after + 1), event(after + 2)], done=False), SSE, cut_after=None if number % 2 else 180)
        return Answer(200, wire([event(after + 1)], done=True), SSE)

    with ScriptedServer(answer) as server:
        transport = Transport(server.url, None, sleep=lambda seconds: None)
        seqs = [e.seq for e in EventStream(transport, "job_x")]
        transport.close()
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(server.asked) == 101


def test_an_event_that_is_sent_twice_is_given_once() -> None:
    with ScriptedServer(lambda asked, number: Answer(200, wire([event(1), event(1), event(2)], done=True), SSE)) as server:
        transport = Transport(server.url, None)
        assert [e.seq for e in EventStream(transport, "job_x")] == [1, 2]
        transport.close()


def test_a_service_that_restarts_is_found_again() -> None:
    def answer(asked: Asked, number: int) -> Answer:
        return (
            json_answer({"code": "not_ready", "detail": "later"}, 503)
            if number < 3
            else Answer(200, wire([event(1)], done=True), SSE)
        )

    broken: list[Exception] = []
    with ScriptedServer(answer) as server:
        transport = Transport(server.url, None, sleep=lambda seconds: None)
        assert [e.seq for e in EventStream(transport, "job_x", on_reconnect=broken.append)] == [1]
        transport.close()
    assert len(broken) == 3


def test_a_stream_that_the_service_refuses_is_not_asked_for_again() -> None:
    with ScriptedServer(lambda asked, number: json_answer({"code": "not_found", "detail": "no job"}, 404)) as server:
        transport = Transport(server.url, None)
        with pytest.raises(NotFoundError):
            list(EventStream(transport, "job_x"))
        transport.close()
        assert len(server.asked) == 1


def test_a_service_that_stays_away_is_given_up() -> None:
    with ScriptedServer(lambda asked, number: Answer()) as server:
        url = server.url
    transport = Transport(url, None, retries=RetryPolicy(num_retries=0), sleep=lambda seconds: None)
    with pytest.raises(ServiceUnreachableError, match="no answer"):
        list(EventStream(transport, "job_x", give_up_seconds=0.05))
    transport.close()


def test_an_event_that_cannot_be_read_is_an_error_and_not_skipped() -> None:
    with ScriptedServer(lambda asked, number: Answer(200, b'event: x\ndata: {"seq": 1}\n\n', SSE)) as server:
        transport = Transport(server.url, None, retries=QUICK)
        with pytest.raises(ServerError, match="cannot be read"):
            list(EventStream(transport, "job_x"))
        transport.close()


def test_the_real_service_streams_a_finished_job_to_its_end(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    add_events(service.database, job.id, 250)
    bring_to(service.database, job.id, JobStatus.SUCCEEDED)
    events = list(job.events())
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert events[0].type == "job.created"
    assert events == list(job.past_events())
    assert [e.seq for e in job.events(after=200)] == list(range(201, len(events) + 1))


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(401, "unauthorized", UnauthorizedError), (403, "scope_missing", PermissionDeniedError)]
)
def test_a_stream_that_the_service_ends_for_a_revoked_key_is_not_opened_again(
    status: int, code: str, kind: type[ApiError]
) -> None:
    problem = {"status": status, "code": code, "detail": "the API key key_1 was revoked"}
    body = wire([event(1)], done=False) + f"event: error\ndata: {json.dumps(problem)}\n\n".encode()
    with ScriptedServer(lambda asked, number: Answer(200, body, SSE)) as server:
        transport = Transport(server.url, None)
        events = iter(EventStream(transport, "job_x"))
        assert next(events).seq == 1
        with pytest.raises(kind, match="was revoked") as ended:
            next(events)
        transport.close()
    assert (ended.value.code, len(server.asked)) == (code, 1)


@pytest.mark.parametrize("data", ["not json", "[]", "{}", '{"status": "x"}'])
def test_an_end_that_cannot_be_read_is_still_an_end(data: str) -> None:
    with ScriptedServer(lambda asked, number: Answer(200, f"event: error\ndata: {data}\n\n".encode(), SSE)) as server:
        transport = Transport(server.url, None)
        with pytest.raises(ServerError, match="the stream ended with"):
            list(EventStream(transport, "job_x"))
        transport.close()
