"""One Idempotency-Key, one effect, one answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from store.job_states import JobStatus
from tests.api.lives import SPEC, bring_to

pytestmark = pytest.mark.both_engines

KEY = {"Idempotency-Key": "key-1"}


def test_a_repeated_submission_makes_one_job_and_gives_the_same_answer(client):
    first = client.post("/v1/jobs", json=SPEC, headers=KEY)
    again = client.post("/v1/jobs", json=SPEC, headers=KEY)
    assert (again.status_code, again.json(), again.headers["Location"]) == (201, first.json(), first.headers["Location"])
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_a_replay_shows_the_answer_of_then_not_the_state_of_now(client, database):
    job_id = client.post("/v1/jobs", json=SPEC, headers=KEY).json()["id"]
    bring_to(database, job_id, JobStatus.RUNNING)
    assert client.post("/v1/jobs", json=SPEC, headers=KEY).json()["status"] == "queued"


def test_a_key_with_another_body_is_refused(client):
    client.post("/v1/jobs", json=SPEC, headers=KEY)
    refused = client.post("/v1/jobs", json={**SPEC, "seed": 1}, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_conflict")
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_a_key_with_another_path_is_refused(client, submit):
    one, two = submit(), submit()
    assert client.post(f"/v1/jobs/{one}/cancel", headers=KEY).status_code == 202
    assert client.post(f"/v1/jobs/{two}/cancel", headers=KEY).status_code == 422
    assert client.get(f"/v1/jobs/{two}").json()["status"] == "queued"


def test_two_owners_may_use_the_same_key(client, caller):
    bob = caller()
    assert (
        client.post("/v1/jobs", json=SPEC, headers=KEY).json()["id"] != bob.post("/v1/jobs", json=SPEC, headers=KEY).json()["id"]
    )


def test_a_refused_request_is_not_remembered(client, submit, database):
    job_id = submit()
    assert client.post(f"/v1/jobs/{job_id}/resume", headers=KEY).status_code == 409
    assert client.post(f"/v1/jobs/{job_id}/pause").status_code == 202
    assert client.post(f"/v1/jobs/{job_id}/resume", headers=KEY).status_code == 202


@pytest.mark.parametrize("action", ["submit", "cancel", "switch"])
def test_the_same_key_from_many_threads_at_once_has_one_effect(app, client, submit, action):
    job_id = submit(stream="open")
    path, body = {
        "submit": ("/v1/jobs", SPEC),
        "cancel": (f"/v1/jobs/{job_id}/cancel", None),
        "switch": (f"/v1/jobs/{job_id}/task-switches", {"action": "append", "task": {"dataset": "digits"}}),
    }[action]
    together = threading.Barrier(8)

    def send(_: int):
        together.wait()
        return client.post(path, json=body, headers=KEY)

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(send, range(8)))
    assert {response.status_code for response in responses} == {202 if action == "cancel" else 201}
    assert all(response.json() == responses[0].json() for response in responses)
    assert sum("Idempotency-Replayed" not in response.headers for response in responses) == 1
    assert len(client.get("/v1/jobs").json()["data"]) == (2 if action == "submit" else 1)
    assert len(client.get(f"/v1/jobs/{job_id}/tasks").json()["data"]) == (3 if action == "switch" else 2)
