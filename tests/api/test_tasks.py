"""Tasks, and how strongly each holds the network."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice

import pytest

from ewc_core.events import DataRead, Visit
from ewc_core.specs import SupervisedSpec
from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, SPEC, bring_to, finish_visit
from tests.ewc_core.supervised.jobs import begin


@pytest.fixture
def job_id(submit, database) -> str:
    """A job in its second visit: its first task is consolidated."""
    job_id = submit()
    bring_to(database, job_id, JobStatus.RUNNING)
    finish_visit(database, job_id, 0)
    return job_id


def _tasks(client, job_id):
    return client.get(f"/v1/jobs/{job_id}/tasks").json()["data"]


def test_a_consolidated_task_shows_its_constraint(client, job_id):
    first, second = _tasks(client, job_id)
    assert second["constraint"] is None
    constraint = first["constraint"]
    assert constraint["checkpoint_id"] == first["checkpoint_id"]
    assert (constraint["ewc_lambda"], constraint["weight"], constraint["visit_index"]) == (100.0, 1.0, 0)
    assert (constraint["estimator"], constraint["likelihood"], constraint["num_examples"]) == ("exact", "categorical", 1437)


def test_a_reweighted_task_shows_its_weight_and_its_event(client, job_id):
    response = client.post(f"/v1/jobs/{job_id}/tasks/0/reweight", json={"weight": 2.5})
    assert (response.status_code, response.json()["constraint"]["weight"]) == (200, 2.5)
    assert _tasks(client, job_id)[0] == response.json()
    event = client.get(f"/v1/jobs/{job_id}/events").json()["data"][-1]
    assert (event["type"], event["level"]) == ("constraint.reweighted", "info")
    assert event["data"] == {"task_index": 0, "weight": 2.5, "weight_before": 1.0}


def test_a_forgotten_task_has_weight_0_until_it_is_consolidated_again(client, database, job_id):
    assert client.post(f"/v1/jobs/{job_id}/tasks/0/forget").json()["constraint"]["weight"] == 0.0
    with database.write() as work:
        checkpoint_id = work.tasks.get(job_id, 0).checkpoint_id
        work.constraints.put(job_id, task_index=0, visit_index=0, checkpoint_id=checkpoint_id, ewc_lambda=100.0, info={})
    assert _tasks(client, job_id)[0]["constraint"]["weight"] == 1.0


def test_one_idempotency_key_reweights_once(client, job_id):
    key = {"Idempotency-Key": "once"}
    first, again = (client.post(f"/v1/jobs/{job_id}/tasks/0/forget", headers=key) for _ in range(2))
    assert first.json() == again.json()
    types = [event["type"] for event in client.get(f"/v1/jobs/{job_id}/events").json()["data"]]
    assert types.count("constraint.reweighted") == 1


def test_a_new_weight_changes_the_etag_of_the_job(client, job_id):
    tag = client.get(f"/v1/jobs/{job_id}").headers["ETag"]
    client.post(f"/v1/jobs/{job_id}/tasks/0/forget")
    assert client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("2/reweight", {"weight": 1}, 404, "not_found"),
        ("99999/forget", None, 422, "invalid_request"),
        ("first/forget", None, 422, "invalid_request"),
        ("1/reweight", {"weight": 1}, 409, "no_constraint"),
        ("1/forget", None, 409, "no_constraint"),
        ("0/reweight", {"weight": -0.1}, 422, "invalid_request"),
        ("0/reweight", {}, 422, "invalid_request"),
        ("0/reweight", {"weight": 1, "why": "so"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_weighed_is_refused_and_changes_nothing(client, job_id, path, body, status, code):
    before = _tasks(client, job_id)
    response = client.post(f"/v1/jobs/{job_id}/tasks/{path}", **({} if body is None else {"json": body}))
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert _tasks(client, job_id) == before


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.CANCELLING])
def test_a_job_that_trains_no_more_refuses_new_weights(client, submit, database, status):
    job_id = submit()
    finish_visit(database, job_id, 0)
    bring_to(database, job_id, status)
    response = client.post(f"/v1/jobs/{job_id}/tasks/0/forget")
    assert (response.status_code, response.json()["code"], response.json()["job_status"]) == (409, "job_finished", status.value)
    assert response.json()["status"] == 409


@pytest.mark.parametrize("method", [{"kind": "online_ewc", "ewc_lambda": 1.0}, {"kind": "si"}, {"kind": "mas"}])
def test_no_task_can_be_taken_out_of_a_running_sum(client, submit, database, method):
    job_id = submit(method=method)
    finish_visit(database, job_id, 0)
    response = client.post(f"/v1/jobs/{job_id}/tasks/0/forget")
    assert (response.status_code, response.json()["code"]) == (409, "no_constraint")
    assert method["kind"] in response.json()["detail"]


@pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.WAITING])
def test_a_resting_job_takes_new_weights(client, submit, database, status):
    job_id = submit(stream="open")
    bring_to(database, job_id, status)
    finish_visit(database, job_id, 0)
    assert client.post(f"/v1/jobs/{job_id}/tasks/0/reweight", json={"weight": 0.5}).status_code == 200


def test_a_job_without_tasks_and_another_owner_have_nothing_to_weigh(client, caller, job_id):
    other = client.post("/v1/jobs", json=ASSOCIATION).json()["id"]
    assert client.post(f"/v1/jobs/{other}/tasks/0/forget").json()["code"] == "wrong_job_kind"
    assert caller().post(f"/v1/jobs/{job_id}/tasks/0/forget").json()["code"] == "not_found"
    reader = caller(scopes=["jobs:read"])
    assert reader.post(f"/v1/jobs/{job_id}/tasks/0/forget").json()["code"] == "scope_missing"


def test_data_are_null_until_they_are_loaded_and_then_stand_with_the_task(client, database, job_id):
    assert [task["data"] for task in _tasks(client, job_id)] == [None, None]
    spec = SupervisedSpec.model_validate(SPEC)
    (told,) = [event for event in islice(begin(spec).learn(Visit(0, 0, spec.tasks[0])), 2) if isinstance(event, DataRead)]
    with database.write() as work:
        assert work.tasks.note_data(job_id, {task: asdict(its) for task, its in told.tasks.items()}) == [0, 1]
        assert work.tasks.note_data(job_id, {0: {"digests": []}}) == []
    data = _tasks(client, job_id)[1]["data"]
    assert [(digest["name"], len(digest["sha256"])) for digest in data["digests"]] == [("digits", 64)]
    assert (data["as_read"]["input_shape"], data["as_read"]["scaling"], data["warnings"]) == ([1, 8, 8], "divided by 16", [])
    assert sum(data["as_read"]["num_of_class"]["train"]) == data["as_read"]["num_examples"]["train"] == 1437
