"""Jobs are looked over without being submitted, and those that are too large are refused when they are."""

from __future__ import annotations

import pytest

from api.app import create_app
from ewc_core.specs import JOB_SPEC
from tests.api.conftest import TestClient, make_key, settings_for
from tests.api.lives import ASSOCIATION, SPEC

LARGE = {**SPEC, "network": {"hidden_sizes": [7000, 7000]}, "controls": ["naive", "joint"]}
LARGE_SWEEP = {
    "job": {**LARGE, "training": {"num_validation_examples": 100}},
    "search": {"method.ewc_lambda": {"low": 1, "high": 9}},
}


@pytest.mark.both_engines
def test_a_check_is_a_job_of_the_short_slot_that_holds_the_spec(client):
    response = client.post(
        "/v1/job-checks", json={**SPEC, "name": "mine", "execution": {"labels": ["gpu"], "memory_bytes": 2**40}}
    )
    assert response.status_code == 202
    job = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["name"], job["status"], job["slot"]) == ("check", "mine", "queued", "short")
    assert job["spec"]["job"] == JOB_SPEC.validate_python(
        {**SPEC, "name": "mine", "execution": {"labels": ["gpu"], "memory_bytes": 2**40}}
    ).model_dump(mode="json")
    assert job["spec"]["execution"] == {"labels": ["gpu"], "memory_bytes": None, "priority": 0}
    assert client.get(job["links"]["result"]).status_code == 404
    assert client.get(job["links"]["self"]).json()["spec"] == job["spec"]


def test_what_is_not_there_is_for_the_check_to_say(client):
    tasks = [{"kind": "plain", "dataset": {"kind": "arrays", "path": "none.npz"}}]
    assert client.post("/v1/jobs", json={**SPEC, "tasks": tasks}).status_code == 422
    assert client.post("/v1/job-checks", json={**SPEC, "tasks": tasks}).status_code == 202


def test_a_spec_that_is_none_is_refused_as_when_it_is_submitted(client):
    wrong = {**SPEC, "method": {"kind": "ewc", "ewc_lambda": -1}, "tasks": []}
    answers = [client.post(path, json=wrong) for path in ("/v1/jobs", "/v1/job-checks")]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    analysis = {"kind": "analysis", "job_id": "job_1", "question": {"kind": "overlap"}}
    (error,) = client.post("/v1/job-checks", json=analysis).json()["errors"]
    assert error["pointer"] == "/kind"
    assert "'supervised' (the default), 'reinforcement' or 'association'" in error["detail"]


def test_a_repeated_check_is_the_first_one(client):
    first, second = (client.post("/v1/job-checks", json=SPEC, headers={"Idempotency-Key": "check-1"}) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]


def test_every_value_that_does_not_fit_is_named(client):
    wrong = {
        **SPEC,
        "controls": ["naive", "naive"],
        "tasks": [{"dataset": "digits"}, {"kind": "plain", "dataset": "mnist"}, {"kind": "plain", "dataset": "fashion-mnist"}],
    }
    body = client.post("/v1/jobs", json=wrong).json()
    assert [error["pointer"] for error in body["errors"]] == ["/controls", "/tasks/1/dataset", "/tasks/2/dataset"]
    assert all("inputs of shape [1, 28, 28]" in error["detail"] for error in body["errors"][1:])


def test_everything_that_is_not_there_is_named(client):
    wrong = {
        **SPEC,
        "network": {"kind": "plugin", "name": "nothing"},
        "tasks": [
            {"kind": "plain", "dataset": {"kind": "arrays", "path": "none.npz"}},
            {"kind": "plain", "dataset": {"kind": "plugin", "name": "neither"}},
        ],
    }
    found = ["/network/name", "/tasks/1/dataset/name", "/tasks/0/dataset"]
    training = {"num_validation_examples": 9}
    sweep = {"job": {**wrong, "training": training}, "search": {"training.batch_size": {"kind": "choices", "values": [8]}}}
    for path, body, prefix in (("/v1/jobs", wrong, ""), ("/v1/sweeps", sweep, "/job")):
        problem = client.post(path, json=body).json()
        assert all(what in problem["detail"] for what in ("'nothing'", "none.npz", "'neither'"))
        assert problem["detail"].startswith("3 mistakes: ")
        assert [error["pointer"] for error in problem["errors"]] == [f"{prefix}{pointer}" for pointer in found]
        assert [error["code"] for error in problem["errors"]] == ["invalid_spec", "invalid_spec", "dataset_unavailable"]


def test_what_the_body_leaves_out_is_not_pointed_into(database_url, tmp_path, database, owner):
    left_out = {name: value for name, value in SPEC.items() if name != "network"}
    with _with(settings_for(database_url, tmp_path), database, owner, max_job_memory_bytes=1) as client:
        (error,) = client.post("/v1/jobs", json=left_out).json()["errors"]
    assert (error["code"], error["pointer"]) == ("job_too_large", "")


def _with(settings, database, owner, **limits):
    return TestClient(
        create_app(settings.model_copy(update=limits)), headers={"Authorization": f"Bearer {make_key(database, owner=owner)}"}
    )


@pytest.mark.parametrize("bound", ["max_job_memory_bytes", "max_job_disk_bytes"])
def test_a_job_that_is_too_large_as_its_spec_alone_says_is_refused(database_url, tmp_path, database, owner, bound):
    with _with(settings_for(database_url, tmp_path), database, owner, **{bound: 2**30}) as client:
        for path, body, pointer in (("/v1/jobs", LARGE, "/network"), ("/v1/sweeps", LARGE_SWEEP, "/job/network")):
            response = client.post(path, json=body)
            assert (response.status_code, response.json()["code"]) == (422, "job_too_large")
            assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
            assert f"at most 1.0 GiB (EWC_{bound.upper()})" in response.json()["detail"]
        assert client.post("/v1/jobs", json=SPEC).status_code == 201
        assert client.post("/v1/jobs", json=ASSOCIATION).status_code == 201


def test_what_the_layers_between_take_is_known_before_the_data_are(database_url, tmp_path, database, owner):
    plain = {"kind": "plain", "dataset": {"kind": "openml", "name": "anything"}}
    with _with(settings_for(database_url, tmp_path), database, owner, max_job_memory_bytes=2**30) as client:
        assert client.post("/v1/jobs", json={**LARGE, "tasks": [plain]}).json()["code"] == "job_too_large"


def test_by_default_a_job_may_be_as_large_as_it_likes(client):
    assert client.post("/v1/jobs", json=LARGE).status_code == 201
