"""Events: pages and streams, without gap or duplicate, however often the connection is cut."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from sqlalchemy import event

from api.events import feed, stream
from api.events.feed import EventFeed
from store.job_states import JobStatus
from tests.api.conftest import listening, make_key, settings_for, speaking_to
from tests.api.lives import add_events, bring_to

pytestmark = pytest.mark.both_engines

STREAM = {"Accept": "text/event-stream"}


def test_pages_hold_every_event_once_and_in_order(client, submit, database):
    job_id = submit()
    add_events(database, job_id, 5)
    seen, after = [], 0
    while True:
        page = client.get(f"/v1/jobs/{job_id}/events", params={"after": after, "limit": 2}).json()
        seen += page["data"]
        if not page["has_more"]:
            break
        after = int(page["last_id"])
    assert [event["seq"] for event in seen] == [1, 2, 3, 4, 5, 6]
    assert (seen[0]["type"], seen[0]["object"], seen[0]["id"]) == ("job.created", "event", "1")
    assert seen[-1]["data"] == {"number": 4}


def test_a_page_begins_after_the_last_event_id(client, submit, database):
    job_id = submit()
    add_events(database, job_id, 3)
    page = client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "3"}).json()
    assert [event["seq"] for event in page["data"]] == [4]


@pytest.mark.parametrize("after", [2**31 - 1, 2**31, 10**18 - 1])
def test_nothing_comes_after_a_number_that_no_event_has_however_large(client, submit, after):
    job_id = submit()
    assert client.get(f"/v1/jobs/{job_id}/events", params={"after": after}).json()["data"] == []
    assert client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(after)}).json()["data"] == []


def _read(client: httpx.Client, job_id: str, *, after: int = 0, at_most: int | None = None) -> tuple[list[int], list[str]]:
    """Event numbers and everything else of a stream, which is cut after `at_most` events."""
    headers = {**STREAM, **({"Last-Event-ID": str(after)} if after else {})}
    numbers: list[int] = []
    other: list[str] = []
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("id: "):
                numbers.append(int(line.removeprefix("id: ")))
            elif line and not line.startswith('data: {"id"'):
                other.append(line)
            if line.startswith("data: ") and len(numbers) == at_most:
                break
    return numbers, other


def test_the_stream_of_a_finished_job_has_all_events_then_done_and_ends(served, database):
    job_id = _submit(served)
    bring_to(database, job_id, JobStatus.SUCCEEDED)
    numbers, other = _read(served, job_id)
    assert numbers == list(range(1, len(numbers) + 1))
    done = {"job_id": job_id, "status": "succeeded"}
    assert other == ["retry: 2000", "event: done", f"data: {json.dumps(done)}"]


def test_a_stream_that_is_cut_again_and_again_has_no_gap_and_no_duplicate(served, database, caplog):
    job_id = _submit(served)
    num_events = 120
    writer = threading.Thread(target=_write_and_finish, args=(database, job_id, num_events))
    writer.start()
    numbers: list[int] = []
    cuts = 0
    while True:
        part, other = _read(served, job_id, after=numbers[-1] if numbers else 0, at_most=1 + cuts % 7)
        numbers += part
        if "event: done" in other:
            break
        cuts += 1
    writer.join()
    with database.read() as work:
        last = work.jobs.get(job_id).last_event_seq
    assert numbers == list(range(1, last + 1))
    assert cuts > 20
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "a cut is no error of the service"


def test_many_subscribers_of_one_job_all_get_everything(served, database):
    job_id = _submit(served)
    results: list[list[int]] = [[] for _ in range(8)]

    def subscribe(number: int) -> None:
        results[number], _ = _read(served, job_id)

    readers = [threading.Thread(target=subscribe, args=(number,)) for number in range(len(results))]
    for reader in readers:
        reader.start()
    _write_and_finish(database, job_id, 20)
    for reader in readers:
        reader.join()
    assert all(numbers == list(range(1, len(results[0]) + 1)) for numbers in results)
    assert len(results[0]) > 20


def test_a_silent_stream_is_kept_open_by_comments(served, database, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    job_id = _submit(served)
    with served.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as response:
        comments = (line for line in response.iter_lines() if line.startswith(":"))
        assert [next(comments), next(comments)] == [": heartbeat", ": heartbeat"]


def test_a_stopping_server_ends_open_streams_without_done(database_url, database, tmp_path, owner):
    with listening(settings_for(database_url, tmp_path)) as server, speaking_to(server, database, owner) as client:
        job_id = _submit(client)
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as response:
            lines = response.iter_lines()
            assert next(lines) == "retry: 2000"
            server.should_exit = True
            assert "event: done" not in list(lines)


@pytest.fixture
def vigilant(database_url, database, tmp_path, owner, monkeypatch):
    """A service that looks at the keys of its streams all the time, and a caller of the test's owner."""
    monkeypatch.setattr(feed, "SECONDS_BETWEEN_KEY_CHECKS", 0.0)
    with listening(settings_for(database_url, tmp_path)) as server, speaking_to(server, database, owner) as client:
        yield client


@pytest.mark.parametrize("loss", ["revoked", "scope"])
def test_a_stream_ends_with_the_problem_when_its_key_may_read_no_longer(vigilant, database, owner, loss):
    job_id = _submit(vigilant)
    with database.read() as work:
        [key] = work.api_keys.of_owner(owner)
    other = {"Authorization": f"Bearer {make_key(database, owner=owner)}"}
    path = f"/v1/jobs/{job_id}/events"
    with (
        vigilant.stream("GET", path, headers={**STREAM, **other}) as goes_on,
        vigilant.stream("GET", path, headers=STREAM) as cut,
    ):
        staying, lines = goes_on.iter_lines(), cut.iter_lines()
        assert next(staying) == next(lines) == "retry: 2000"
        with database.write() as work:
            if loss == "revoked":
                work.api_keys.revoke(key.id, owner=owner)
            else:
                work.api_keys.set_scopes(key.id, ["jobs:write"])
        rest = [line for line in lines if line]
        assert rest[-2] == "event: error"
        problem = json.loads(rest[-1].removeprefix("data: "))
        expected = {"revoked": ("unauthorized", 401), "scope": ("scope_missing", 403)}[loss]
        assert (problem["code"], problem["status"]) == expected
        assert (problem["instance"], problem["request_id"]) == (path, cut.headers["X-Request-ID"])
        _write_and_finish(database, job_id, 1)
        assert "event: done" in list(staying), "the stream of another key goes on"


def test_one_statement_asks_for_the_keys_of_all_streams(database):
    key_ids = [f"key_{number}" for number in range(50)]
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert set(EventFeed(database)._read_refusals(key_ids)) == set(key_ids)
    assert len([statement for statement in statements if "api_keys" in statement]) == 1


@pytest.mark.parametrize("headers", [STREAM, {}])
def test_events_of_an_absent_job_are_not_found(served, headers):
    assert served.get("/v1/jobs/absent/events", headers=headers).json()["code"] == "not_found"


def _submit(client: httpx.Client) -> str:
    spec = {"method": {"kind": "naive"}, "tasks": [{"dataset": "digits"}]}
    return str(client.post("/v1/jobs", json=spec).raise_for_status().json()["id"])


def _write_and_finish(database, job_id: str, num_events: int) -> None:
    bring_to(database, job_id, JobStatus.RUNNING)
    add_events(database, job_id, num_events)
    with database.write() as work:
        work.jobs.transition(job_id, JobStatus.SUCCEEDED, reason="test", actor="test")
