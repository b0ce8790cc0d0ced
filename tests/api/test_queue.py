"""What a job asks of a worker, what none of them has, and when it is taken."""

from __future__ import annotations

import pytest

from store.claims import claim_next
from tests.api.lives import ASSOCIATION, SPEC, bring_to

EXECUTION = {"priority": 3, "labels": ["gpu", "big"], "memory_bytes": 2**33}


@pytest.fixture
def enrol(database):
    """Workers that live; gone after the test."""
    enrolled: list[str] = []

    def _enrol(worker_id: str, **offers: object) -> None:
        enrolled.append(worker_id)
        with database.write() as work:
            work.workers.beat(worker_id, hostname="host", pid=7, queue="cpu", slots=2, **offers)

    yield _enrol
    with database.write() as work:
        for worker_id in enrolled:
            work.workers.remove(worker_id)


@pytest.mark.parametrize("spec", [SPEC, ASSOCIATION], ids=["supervised", "association"])
def test_what_a_job_asks_for_is_in_its_spec_with_defaults_filled_in(client, spec):
    assert client.post("/v1/jobs", json=spec).json()["spec"]["execution"] == {"priority": 0, "labels": [], "memory_bytes": None}
    job = client.post("/v1/jobs", json={**spec, "execution": EXECUTION}).json()
    assert (job["spec"]["execution"], job["priority"], job["slot"]) == (EXECUTION, 3, "training")


@pytest.mark.parametrize(
    ("execution", "pointer"),
    [
        ({"priority": 1001}, "/execution/priority"),
        ({"labels": ["a b"]}, "/execution/labels/0"),
        ({"memory_bytes": 0}, "/execution/memory_bytes"),
        ({"gpu": 1}, "/execution/gpu"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_by_name(client, execution, pointer):
    response = client.post("/v1/jobs", json={**SPEC, "execution": execution})
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_a_queued_job_says_what_no_running_worker_has_and_its_etag_follows_it(client, enrol):
    job = client.post("/v1/jobs", json={**SPEC, "execution": EXECUTION}).json()
    assert job["waiting_for"] == {"code": "worker", "message": "no worker is running"}
    path, seen = f"/v1/jobs/{job['id']}", []

    def look() -> dict[str, str] | None:
        response = client.get(path)
        assert response.headers["ETag"] not in seen
        assert client.get(path, headers={"If-None-Match": response.headers["ETag"]}).status_code == 304
        seen.append(response.headers["ETag"])
        return response.json()["waiting_for"]

    look()
    enrol("wrk_plain", labels=["gpu"])
    assert look() == {"code": "labels", "message": "no running worker has all labels that it asks for: big, gpu"}
    enrol("wrk_small", labels=["gpu", "big"], memory_bytes=2**30)
    assert look() == {
        "code": "memory",
        "message": "it asks for 8589934592 bytes of memory, and the largest running worker with its labels offers 1073741824",
    }
    enrol("wrk_fit", labels=["gpu", "big", "x"])
    assert look() is None


def test_a_job_that_is_not_queued_waits_for_no_worker(client, submit, database):
    job_id = submit()
    bring_to(database, job_id, "running")
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["waiting_for"], job["queue_position"]) == (None, None)


def test_the_priority_of_a_queued_job_can_be_changed_and_moves_its_place(client, submit):
    first, second = submit(), submit()
    before = client.get(f"/v1/jobs/{second}").json()
    changed = client.patch(f"/v1/jobs/{second}", json={"priority": 7})
    assert (changed.status_code, changed.json()["priority"]) == (200, 7)
    assert changed.json()["spec"] == before["spec"], "what was submitted stays as it was"
    place = changed.json()["queue_position"]
    assert place < client.get(f"/v1/jobs/{first}").json()["queue_position"]
    event = client.get(f"/v1/jobs/{second}/events").json()["data"][-1]
    assert (event["type"], event["data"]) == ("job.priority", {"priority": 7, "priority_before": 0})


def test_a_job_that_does_not_wait_for_a_worker_has_no_priority_to_change(client, submit, database):
    job_id = submit()
    bring_to(database, job_id, "running")
    response = client.patch(f"/v1/jobs/{job_id}", json={"priority": 7})
    assert (response.status_code, response.json()["code"], response.json()["job_status"]) == (409, "job_not_queued", "running")


@pytest.mark.parametrize("body", [{}, {"priority": 1001}, {"priority": "high"}, {"priority": 1, "name": "x"}])
def test_a_change_that_cannot_be_made_is_refused_by_name(client, submit, body):
    response = client.patch(f"/v1/jobs/{submit()}", json=body)
    assert (response.status_code, len(response.json()["errors"])) == (422, 1)


def test_nobody_changes_the_priority_of_another_owners_job(submit, caller):
    assert caller("a stranger").patch(f"/v1/jobs/{submit()}", json={"priority": 7}).status_code == 404


def test_workers_show_their_slots_labels_and_memory_and_what_is_taken(client, enrol, database):
    enrol("wrk_shown", labels=["gpu"], memory_bytes=100)
    client.post("/v1/jobs", json={**SPEC, "execution": {"priority": 1000, "labels": ["gpu"], "memory_bytes": 60}})
    assert claim_next(database, worker_id="wrk_shown", ttl_seconds=60) is not None
    (worker,) = (one for one in client.get("/v1/workers").json()["data"] if one["id"] == "wrk_shown")
    names = ("slots", "num_training", "num_short", "device", "labels", "memory_bytes", "held_memory_bytes")
    assert [worker[name] for name in names] == [2, 1, 0, "cpu", ["gpu"], 100, 60]
