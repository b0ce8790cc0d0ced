"""Task switches: what each does, in every situation, and what is refused."""

from __future__ import annotations

import pytest

from store.job_states import JobStatus
from tests.api.lives import bring_to

pytestmark = pytest.mark.both_engines

APPEND = {"action": "append", "task": {"dataset": "digits", "permutation": 7}}


def _switch(client, job_id, body, **headers):
    return client.post(f"/v1/jobs/{job_id}/task-switches", json=body, headers=headers)


def test_an_appended_task_gets_the_next_index_visit_and_sequence(client, submit):
    job_id = submit(stream="open")
    response = _switch(client, job_id, APPEND)
    assert response.status_code == 201
    switch = response.json()
    assert {name: switch[name] for name in ("action", "sequence", "task_index", "visit_index", "status", "origin", "now")} == {
        "action": "append", "sequence": 3, "task_index": 2, "visit_index": 2, "status": "pending", "origin": "api", "now": False,
    }  # fmt: skip
    tasks = client.get(f"/v1/jobs/{job_id}/tasks").json()["data"]
    assert [(task["task_index"], task["spec"]["permutation"]) for task in tasks] == [(0, 0), (1, 1), (2, 7)]
    assert [listed["id"] for listed in client.get(f"/v1/jobs/{job_id}/task-switches").json()["data"]][-1] == switch["id"]


def test_a_revisit_is_a_new_visit_of_an_old_task(client, submit):
    job_id = submit(stream="open")
    switch = _switch(client, job_id, {"action": "revisit", "task_index": 0}).json()
    assert (switch["task_index"], switch["visit_index"]) == (0, 2)
    assert len(client.get(f"/v1/jobs/{job_id}/tasks").json()["data"]) == 2


def test_a_switch_leaves_an_event(client, submit):
    job_id = submit(stream="open")
    _switch(client, job_id, APPEND)
    last = client.get(f"/v1/jobs/{job_id}/events").json()["data"][-1]
    assert last["type"] == "switch.received"
    assert last["data"] == {"sequence": 3, "action": "append", "task_index": 2, "visit_index": 2, "now": False}


@pytest.mark.parametrize("body", [APPEND, {"action": "revisit", "task_index": 1}])
def test_a_waiting_job_is_queued_by_a_new_visit(client, submit, database, body):
    job_id = submit(stream="open")
    bring_to(database, job_id, JobStatus.WAITING)
    assert _switch(client, job_id, body).status_code == 201
    assert client.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"
    with database.read() as work:
        assert job_id not in work.queue.due_for_wake_up(), "the wake-up was published, so the reaper need not"


def test_a_waiting_job_succeeds_when_its_stream_is_closed(client, submit, database):
    job_id = submit(stream="open")
    bring_to(database, job_id, JobStatus.WAITING)
    assert _switch(client, job_id, {"action": "close"}).status_code == 201
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["stream"], job["status_reason"]) == ("succeeded", "closed", "stream_closed")


def test_a_running_job_runs_on_when_its_stream_is_closed(client, submit, database):
    job_id = submit(stream="open")
    bring_to(database, job_id, JobStatus.RUNNING)
    assert _switch(client, job_id, {"action": "close"}).status_code == 201
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["stream"]) == ("running", "closed")


@pytest.mark.parametrize("body", [APPEND, {"action": "revisit", "task_index": 0}, {"action": "close"}])
def test_a_closed_stream_takes_no_more_tasks_and_says_what_is_left(client, submit, database, body):
    job_id = submit()
    bring_to(database, job_id, JobStatus.RUNNING)
    response = _switch(client, job_id, body)
    assert (response.status_code, response.json()["code"]) == (409, "stream_closed")
    assert response.json()["allowed"] == ["switch_now", "cancel", "pause"]
    assert len(client.get(f"/v1/jobs/{job_id}/task-switches").json()["data"]) == 2


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(JobStatus.SUCCEEDED, []), (JobStatus.CANCELLED, []), (JobStatus.FAILED, ["retry"]), (JobStatus.CANCELLING, [])],
    ids=lambda value: getattr(value, "value", None),
)
@pytest.mark.parametrize("body", [APPEND, {"action": "switch_now"}, {"action": "close"}], ids=lambda body: body["action"])
def test_a_finished_job_takes_no_switch(client, submit, database, status, allowed, body):
    job_id = submit(stream="open")
    bring_to(database, job_id, status)
    response = _switch(client, job_id, body)
    assert (response.status_code, response.json()["code"], response.json()["allowed"]) == (409, "stream_closed", allowed)


@pytest.mark.parametrize("stream", ["open", "closed"])
def test_switch_now_ends_the_visit_in_progress_when_another_follows(client, submit, database, stream):
    job_id = submit(stream=stream)
    bring_to(database, job_id, JobStatus.RUNNING)
    response = _switch(client, job_id, {"action": "switch_now"})
    assert (response.status_code, response.json()["visit_index"]) == (201, None)
    with database.read() as work:
        (request,) = work.switches.cuts_requested(job_id, visit_index=0)
    assert request.id == response.json()["id"]


def test_switch_now_is_refused_when_no_visit_is_in_progress(client, submit, database):
    queued, waiting = submit(stream="open"), submit(stream="open")
    bring_to(database, waiting, JobStatus.WAITING)
    for job_id in (queued, waiting):
        response = _switch(client, job_id, {"action": "switch_now"})
        assert (response.status_code, response.json()["code"]) == (409, "switch_not_possible")


def test_switch_now_is_refused_when_no_visit_follows(client, submit, database):
    job_id = submit(stream="open", tasks=[{"dataset": "digits"}])
    bring_to(database, job_id, JobStatus.RUNNING)
    response = _switch(client, job_id, {"action": "switch_now"})
    assert (response.status_code, response.json()["code"]) == (409, "switch_not_possible")
    assert '"now": true' in response.json()["detail"]


def test_now_asks_the_visit_in_progress_to_end(client, submit, database):
    job_id = submit(stream="open")
    bring_to(database, job_id, JobStatus.RUNNING)
    assert _switch(client, job_id, {**APPEND, "now": True}).json()["now"] is True
    with database.read() as work:
        assert work.switches.is_cut_requested(job_id, visit_index=0)


def test_now_asks_nothing_of_a_visit_that_has_not_begun(client, submit):
    job_id = submit(stream="open")
    assert _switch(client, job_id, {**APPEND, "now": True}).json()["now"] is False


def test_a_switch_with_the_next_sequence_number_is_taken_and_any_other_refused(client, submit):
    job_id = submit(stream="open")
    assert _switch(client, job_id, {**APPEND, "sequence": 3}).status_code == 201
    refused = _switch(client, job_id, {**APPEND, "sequence": 3})
    assert (refused.status_code, refused.json()["code"], refused.json()["expected"]) == (409, "sequence_conflict", 4)
    assert len(client.get(f"/v1/jobs/{job_id}/tasks").json()["data"]) == 3


def test_classes_that_an_earlier_task_has_are_pointed_to(client, submit):
    first, second = ({"kind": "split", "dataset": "digits", "classes": classes} for classes in ([0, 1], [1, 2]))
    job_id = submit(stream="open", heads={"kind": "growing", "num_outputs": 9}, tasks=[first])
    (error,) = _switch(client, job_id, {"action": "append", "task": second}).json()["errors"]
    assert (error["pointer"], error["detail"][:32]) == ("/task/classes", "[1] belong to the earlier task '")


def test_a_kind_that_is_left_out_is_not_pointed_into(client, submit):
    games = {"tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0"}], "network": {"kind": "mlp"}, "agent": {"preset": "small"}}
    job_id = submit(kind="reinforcement", stream="open", controls=[], schedule={"kind": "rounds", "num_steps": 9}, **games)
    (no_game,) = _switch(client, job_id, APPEND).json()["errors"]
    assert no_game["pointer"] == "/task"
    cart_pole = {"action": "append", "task": {"kind": "gymnasium", "id": "CartPole-v1"}}
    (other_frames,) = _switch(client, job_id, cart_pole).json()["errors"]
    assert other_frames["detail"].startswith("'CartPole-v1' has frames of shape [4]")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"action": "revisit", "task_index": 9}, "invalid_spec", "/task_index"),
        ({"action": "append", "task": {"dataset": "mnist"}}, "invalid_spec", "/task/dataset"),
        ({"action": "append", "task": {"dataset": "cifar"}}, "invalid_request", "/task/dataset"),
        ({"action": "append"}, "invalid_request", "/task"),
        ({"action": "jump"}, "invalid_request", "/action"),
        ({"action": "close", "now": True}, "invalid_request", "/now"),
        ({"action": "revisit", "task_index": -1}, "invalid_request", "/task_index"),
        ({}, "invalid_request", ""),
    ],
)
def test_a_switch_that_cannot_be_made_is_refused_by_field(client, submit, body, code, pointer):
    job_id = submit(stream="open")
    response = _switch(client, job_id, body)
    problem = response.json()
    assert (response.status_code, problem["code"], problem["errors"][0]["pointer"]) == (422, code, pointer)
    assert len(client.get(f"/v1/jobs/{job_id}/task-switches").json()["data"]) == 2
